//! Invalid pointers: accesses and frees of memory that is not a live block.

use mapcheck_machine::{Access, Block, Fact};

use super::{Class, Violation, verb_of};

pub(super) fn judge(fact: &Fact) -> Option<Violation> {
    let (class, message) = match fact {
        Fact::BadAccess { access, block } => access_to(access, block.as_ref()),
        Fact::DoubleFree { block, .. } => {
            let message = format!("a block of {} was freed again", bytes(block.size));
            (Class::DoubleFree, message)
        }
        Fact::InvalidFree { addr, size, align, block } => {
            (Class::InvalidFree, free_of(*addr, *size, *align, block.as_ref()))
        }
        Fact::Told { class, message, .. } => (class.parse().ok()?, message.clone()),
        _ => return None,
    };
    Some(Violation { class, message })
}

fn access_to(access: &Access, block: Option<&Block>) -> (Class, String) {
    let what = format!("{} {}", verb_of(access.kind), bytes(access.size));
    let Some(block) = block else {
        return (Class::OutOfBounds, format!("{what} of the heap that no block has ever held"));
    };
    let (start, end) = (block.addr, block.addr + block.size);
    let size = bytes(block.size);
    if access.addr >= start && access.addr < end && block.free.is_some() {
        let offset = access.addr - start;
        let message = format!("{what}, {offset} into a block of {size} that had been freed");
        return (Class::PrematureReclamation, message);
    }
    let state = if block.free.is_some() { "a freed" } else { "a live" };
    let message = match access.addr {
        addr if addr < start => format!("{what}, {} before {state} block of {size}", start - addr),
        addr if addr >= end => format!("{what}, {} past {state} block of {size}", addr - end),
        _ => format!("{what} that begin in {state} block of {size} and end beyond it"),
    };
    (Class::OutOfBounds, message)
}

fn free_of(addr: usize, size: usize, align: usize, block: Option<&Block>) -> String {
    let Some(block) = block else {
        return format!("freed {} that are no block", bytes(size));
    };
    if addr != block.addr {
        let offset = addr.wrapping_sub(block.addr);
        return format!("freed {offset} bytes into a block of {}", bytes(block.size));
    }
    format!(
        "freed {} aligned to {align} where {} aligned to {} were allocated",
        bytes(size),
        bytes(block.size),
        block.align
    )
}

pub(crate) fn bytes(n: usize) -> String {
    if n == 1 { "1 byte".to_owned() } else { format!("{n} bytes") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapcheck_machine::{Kind, Order, Stamp};

    fn told(offset: isize, size: usize, freed: bool) -> (Class, String) {
        let free = freed.then(Stamp::default);
        let block = Block { addr: 1000, size: 48, align: 8, free, ..Block::default() };
        let addr = 1000usize.wrapping_add_signed(offset);
        let access = Access { kind: Kind::Read, addr, size, order: Order::Relaxed };
        let violation = judge(&Fact::BadAccess { access, block: Some(block) }).unwrap();
        (violation.class, violation.message)
    }

    #[test]
    fn an_access_within_a_freed_block_is_premature_reclamation() {
        let message = "read 8 bytes, 16 into a block of 48 bytes that had been freed";
        assert_eq!(told(16, 8, true), (Class::PrematureReclamation, message.to_owned()));
    }

    #[test]
    fn an_access_around_a_block_is_out_of_bounds() {
        let past = "read 8 bytes, 2 past a live block of 48 bytes";
        assert_eq!(told(50, 8, false), (Class::OutOfBounds, past.to_owned()));
        let before = "read 1 byte, 4 before a freed block of 48 bytes";
        assert_eq!(told(-4, 1, true), (Class::OutOfBounds, before.to_owned()));
        let across = "read 8 bytes that begin in a live block of 48 bytes and end beyond it";
        assert_eq!(told(44, 8, false), (Class::OutOfBounds, across.to_owned()));
    }

    #[test]
    fn a_class_that_is_told_is_taken_over() {
        let message = "key 3 was read after it was dropped".to_owned();
        let fact = |class| Fact::Told { class, message: message.clone(), addr: 0, block: None };
        let violation = judge(&fact("premature-reclamation")).unwrap();
        assert_eq!(violation.class, Class::PrematureReclamation);
        assert_eq!(judge(&fact("smell")), None);
    }
}
