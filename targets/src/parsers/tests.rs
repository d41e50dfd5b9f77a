use std::fs;
use std::path::Path;

use toml::de::DeTable;

use super::*;

#[test]
fn the_fuzz_targets_are_those_of_the_manifest() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<String> = fs::read_dir(root.join("fuzz_targets"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    files.sort();
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let manifest = DeTable::parse(&manifest).unwrap();
    let bins = manifest.get_ref().get("bin").and_then(|bins| bins.get_ref().as_array()).unwrap();
    let mut listed = Vec::new();
    for bin in bins.iter().filter_map(|bin| bin.get_ref().as_table()) {
        let value = |key: &str| bin.get(key).map(|value| value.get_ref());
        let path = value("path").and_then(|path| path.as_str()).unwrap();
        let Some(file) = path.strip_prefix("fuzz_targets/") else { continue };
        let name = value("name").and_then(|name| name.as_str()).unwrap();
        assert_eq!(file, format!("{name}.rs"));
        // Who builds, tests or documents the rest does not build libFuzzer for it.
        let off = ["test", "doc", "bench"].map(|key| value(key).and_then(|on| on.as_bool()));
        assert_eq!(off, [Some(false); 3], "{name}");
        let features = value("required-features").and_then(|features| features.as_array());
        assert!(features.is_some_and(|features| !features.is_empty()), "{name}");
        listed.push(name.to_owned());
    }
    listed.sort();
    assert_eq!(listed, files);
}

/// Texts as a random walk through the alphabet of our files would make them, the same each time.
fn some_bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn what_fuzzers_hold_holds_of_a_few_inputs() {
    for seed in 0..300 {
        let bytes = some_bytes(seed, seed as usize * 4);
        repro_file(&bytes);
        flags(&bytes);
        json(&bytes);
    }
}

#[test]
fn the_corpus_is_read_alike_by_the_command_and_by_runners() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus");
    let mut folders = vec![corpus];
    let mut read = 0;
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "toml") {
                repro_file(&fs::read(&path).unwrap());
                read += 1;
            }
        }
    }
    assert!(read > 10, "{read} files of the corpus are read");
}

/// A repro with something else at a few places.
fn repro(but: &[(&str, &str)]) -> String {
    let text = "format = 1\nmapcheck = 'm'\ntarget = 't'\nversions = 'v'\nrunner = 'r'\ninstrumented = true\n\
        class = 'leak'\nsite = 'a:1'\nrandom = 1\nmax_steps = 1\nfaults = []\ndecisions = '1@2>3'\n\
        [history]\nscheduler = 'pct'\nseed = 1\nfirst = 0\nexecutions = 1\n[scenario]\nname = 'n'\n\
        family = 'f'\ncollide = 2\nthreads = [['len'], ['iterate', 'clear']]\n";
    but.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

#[test]
fn repros_that_were_read_amiss_are_read_aright() {
    for but in [
        ("collide = 2", "collide = 1"),
        ("random = 1", "random = 0x10"),
        ("format = 1", "format = '1'"),
        ("executions = 1", "executions = '18446744073709551615'"),
        ("executions = 1", "executions = 0b11"),
        ("'len'", "'get 4294967294'"),
        ("'len'", "'get 4294967295'"),
        ("'iterate'", "'iterate outgrow 7..4294967295 at 2'"),
        ("'iterate'", "'iterate churn 4294967294 at 1'"),
        ("site", "\"si\\nte\""),
        ("'pct'", "\"p\\u001bct\""),
    ] {
        repro_file(repro(&[but]).as_bytes());
    }
    assert!(mapcheck::repro::Repro::from_text(&repro(&[])).is_ok(), "it is one to begin with");
}

#[test]
fn command_lines_that_were_read_amiss_are_read_aright() {
    for line in [
        "test test -- --nocapture",
        "cargo-mapcheck mapcheck test test",
        "x check t --time 18446744073709551616s",
        "x check t --time 18446744073709551615h --workers 0 --threads 0",
        "x check t --accept-race , --accept-race a,,b --known a:b",
        "x check t --shard 0/0 --fault , --scheduler x\u{1b}y",
        "x --help",
        "x",
        "",
    ] {
        flags::command_line(line.split(' ').map(Into::into).collect());
    }
}

#[test]
fn lines_that_were_read_amiss_are_read_aright() {
    for lines in [
        r#"{"a":007}"#,
        r#"{"a":"\u+041"}"#,
        "{\"a\":\"\u{1}\"}",
        "{\"executions\":1,\"goal\":18446744073709551615}\n{\"goal\":18446744073709551615,\"time_ms\":1}",
        r#"{"type":"finding","target":"t","execution":18446744073709551615}"#,
        r#"{"wall_ms":1e308}"#,
        r#"{"findings":1e300,"known":18446744073709551615}"#,
    ] {
        json::read(lines.as_bytes());
    }
    let fields = ["", "\u{0}\u{1f}\u{7f}\u{85}\u{2028}", "\"\\/\u{fffd}"].map(|text| {
        (text.to_owned(), mapcheck::parsers::Field::Texts(vec![text.to_owned(), text.repeat(2)]))
    });
    json::written(&fields);
}

#[test]
fn a_large_matrix_is_laid_out_in_no_more_than_its_cells_take() {
    // Looked for one by one among all, these would take minutes.
    let cell = |n| {
        format!(
            "{{\"type\":\"cell\",\"target\":\"t{n}\",\"scenario\":\"s{n}\",\"terminates\":true}}\n"
        )
    };
    let lines: String = (0..500).map(cell).collect();
    let begin = std::time::Instant::now();
    json::read(lines.as_bytes());
    assert!(begin.elapsed().as_secs() < 60, "{:?}", begin.elapsed());
}
