use std::fs;
use std::path::Path;

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
    let path = |line: &str| {
        let name = line.strip_prefix("path = \"fuzz_targets/")?.strip_suffix(".rs\"")?.to_owned();
        let whole = format!(
            "[[bin]]\nname = \"{name}\"\n{line}\ntest = false\ndoc = false\nbench = false\n\
             required-features = [\"fuzz\"]\n"
        );
        assert!(manifest.contains(&whole), "{name} is not built like the others");
        Some(name)
    };
    let mut listed: Vec<String> = manifest.lines().filter_map(path).collect();
    listed.sort();
    assert_eq!(listed, files);
}
