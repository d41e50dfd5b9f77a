//! Spin-wait hints. The x86 instruction `pause` tells the processor that a loop waits for another one, and takes dozens
//! of nanoseconds. While virtual threads take turns on one processor nobody can answer meanwhile: it is pure waste, of
//! which the standard library's locks have a hundred before each wait, and some maps a thousand. So in the executables
//! that are linked for the machine each becomes an instruction of the same length that does nothing. No execution
//! changes by that, and no address.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;

use iced_x86::{Code, Decoder, DecoderOptions, Instruction};
use object::{Architecture, Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};

const PAUSE: [u8; 2] = [0xf3, 0x90];
/// `xchg ax, ax`.
const NOTHING: [u8; 2] = [0x66, 0x90];

/// Replaces the hints in an executable, and says how many there were. A file that is none is left alone.
///
/// # Errors
/// When the file cannot be read or written.
pub fn remove(path: &Path) -> io::Result<usize> {
    let mut bytes = fs::read(path)?;
    let places = places(&bytes);
    for &at in &places {
        bytes[at..at + NOTHING.len()].copy_from_slice(&NOTHING);
    }
    if !places.is_empty() {
        // In place: cargo links other names to the file.
        fs::write(path, &bytes)?;
    }
    Ok(places.len())
}

/// Where in the file there are hints.
fn places(bytes: &[u8]) -> Vec<usize> {
    let Ok(file) = object::File::parse(bytes) else { return Vec::new() };
    if file.architecture() != Architecture::X86_64 {
        return Vec::new();
    }
    let mut functions: Vec<Range<usize>> = file
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0)
        .filter_map(|symbol| {
            let section = file.section_by_index(symbol.section_index()?).ok()?;
            let (offset, size) = section.file_range()?;
            let start = offset + symbol.address().checked_sub(section.address())?;
            let end = start + symbol.size();
            (end <= offset + size).then_some(start as usize..end as usize)
        })
        .collect();
    functions.sort_by_key(|f| (f.start, f.end));
    // Functions of the same code have several names.
    functions.dedup();
    let mut places: Vec<usize> =
        functions.iter().flat_map(|f| within(&bytes[f.clone()], f.start)).collect();
    places.dedup();
    places
}

/// Where in a function, which begins at that offset of the file, there are hints. Its instructions are read one after
/// the other, since the same two bytes may be a part of another one.
fn within(code: &[u8], offset: usize) -> Vec<usize> {
    if !code.windows(PAUSE.len()).any(|pair| pair == PAUSE) {
        return Vec::new();
    }
    let mut decoder = Decoder::new(64, code, DecoderOptions::NONE);
    let mut instruction = Instruction::default();
    let mut found = Vec::new();
    while decoder.can_decode() {
        let at = decoder.position();
        decoder.decode_out(&mut instruction);
        if instruction.is_invalid() {
            // Data among code: what follows may be read wrongly.
            break;
        }
        if instruction.code() == Code::Pause && code[at..].starts_with(&PAUSE) {
            found.push(offset + at);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_found_and_its_bytes_within_another_instruction_are_not() {
        // mov eax, 0x90f390f3; pause; ret
        let code = [0xb8, 0xf3, 0x90, 0xf3, 0x90, 0xf3, 0x90, 0xc3];
        assert_eq!(within(&code, 100), [105]);
        assert!(within(&code[..5], 100).is_empty());
    }

    #[test]
    fn nothing_is_replaced_behind_what_is_no_code() {
        // An opcode that there is none of in 64-bit mode, then what may or may not be a pause.
        assert!(within(&[0x06, 0xf3, 0x90], 0).is_empty());
    }

    #[test]
    fn a_file_that_is_no_executable_is_left_alone() {
        let path = std::env::temp_dir().join(format!("mapcheck-pauses-{}", std::process::id()));
        fs::write(&path, PAUSE).unwrap();
        assert_eq!(remove(&path).unwrap(), 0);
        assert_eq!(fs::read(&path).unwrap(), PAUSE);
        fs::remove_file(&path).unwrap();
    }
}
