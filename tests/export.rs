//! `cargo mapcheck export-test`: what it writes fails while the mistake is there, whatever else is edited, and passes
//! when it is mended; and it never passes because something of it is missing.

use std::fs;
use std::path::{Path, PathBuf};

use mapcheck_tests::{
    Run, TempDir, files, mapcheck, mapcheck_in, read, root, shell, subject, tempdir,
};

/// What mends the map: the lock is kept while the value is read.
const MISTAKE: &str = "        drop(places);\n";
/// What is added to it for no reason: more accesses, so that every schedule point moves.
const EDIT: (&str, &str) = (
    "        let value = places.iter().find(|place| place.0 == *key)?.1;\n",
    "        let _ = places.iter().map(|place| place.0 == *key).filter(|same| *same).count();\n        \
     let value = places.iter().rev().find(|place| place.0 == *key)?.1;\n",
);

/// A copy of the subject, which can be edited. The `name` is one that no other test has: runners of one name, and
/// crates of one name and version, would take each other's place in the shared target folder.
fn shelf(name: &str) -> TempDir {
    let dir = tempdir().unwrap();
    let from = subject("shelf");
    for path in files(&from, "") {
        let to = dir.path().join(path.strip_prefix(&from).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        let framework = format!("\"{}\"", root().join("framework").display());
        let text = read(&path).replace("\"../../../framework\"", &framework);
        let text = text.replace("shelf-checks", &format!("shelf-checks-{name}"));
        let text = text.replace("\"0.1.0\"", &format!("\"0.1.0-{name}\""));
        fs::write(&to, text.replace("\"../../../../framework\"", &framework)).unwrap();
    }
    dir
}

/// Edits the map.
fn edit(dir: &Path, from: &str, to: &str) {
    let path = dir.join("src/lib.rs");
    let text = read(&path);
    assert_eq!(text.matches(from).count(), 1, "{from}");
    fs::write(path, text.replace(from, to)).unwrap();
}

/// The repro of what a check of a target finds.
fn found(dir: &Path, target: &str) -> PathBuf {
    let args = ["check", target, "--scenario", "deferred-delete", "--format", "json"];
    let finding = Run::of(&mut mapcheck_in(dir, args)).code(2).only("finding");
    assert_eq!(finding["class"], "premature-reclamation");
    dir.join(finding["repro"].as_str().unwrap())
}

/// Writes the test of a repro; where it is.
fn export(dir: &Path, repro: &Path) -> PathBuf {
    let run = Run::of(mapcheck_in(dir, ["export-test"]).arg(repro)).code(0);
    let path = run.stdout.lines().find_map(|line| line.strip_prefix("wrote "));
    dir.join(path.unwrap_or_else(|| panic!("{}", run.stdout)))
}

fn test(dir: &Path, args: &[&str]) -> Run {
    Run::of(&mut mapcheck_in(dir, [&["test"], args].concat()))
}

/// The test fails for the mistake.
#[track_caller]
fn fails(run: Run) -> Run {
    let run = run.code(2);
    let told = "error[premature-reclamation]: ";
    assert!(run.stdout.contains(told) || run.stderr.contains(told), "{}{}", run.stdout, run.stderr);
    run
}

#[test]
fn an_exported_test_fails_before_the_fix_whatever_else_is_edited_and_passes_after_it() {
    let dir = shelf("edited");
    let dir = dir.path();
    let file = export(dir, &found(dir, "shelf"));
    let name = file.file_stem().unwrap().to_str().unwrap();
    let text = read(&file);
    assert!(file.starts_with(dir.join("tests")) && text.contains("struct Adapter(Shelf"), "{text}");
    assert!(!text.contains("compile_error"), "{text}");

    let only = ["--test", name];
    let run = fails(test(dir, &only));
    let said = "replayed from the decisions in the text of this test";
    assert!(run.stdout.contains(said), "{}", run.stdout);

    edit(dir, EDIT.0, EDIT.1);
    fails(test(dir, &only));
    edit(dir, MISTAKE, "");
    test(dir, &only).code(0);
    edit(dir, EDIT.1, EDIT.0);
    test(dir, &only).code(0);

    // Plain `cargo test` does not see inside of operations: there it must not pass, nor fail.
    let run = Run::of(&mut shell(dir, &format!("cargo test --test {name}"))).code(0);
    assert!(run.stdout.contains("ignored, run it with `cargo mapcheck test`"), "{}", run.stdout);
    let forced = Run::of(&mut shell(dir, &format!("cargo test --test {name} -- --ignored")));
    assert!(forced.code(101).stdout.contains("run this test by `cargo mapcheck test`"));
}

#[test]
fn a_test_of_the_map_s_own_finding_names_its_adapter() {
    let dir = shelf("own");
    let dir = dir.path();
    let out = dir.join("found");
    let run =
        fails(Run::of(mapcheck_in(dir, ["test", "--test", "maps"]).env("MAPCHECK_OUT", &out)));
    let repro = files(&out, ".toml").pop().unwrap_or_else(|| panic!("{}", run.stdout));
    let run = Run::of(mapcheck_in(dir, ["export-test"]).arg(&repro)).code(0);
    let include = run.stdout.lines().find_map(|line| line.split("tests/maps.rs: ").nth(1)).unwrap();
    let maps = dir.join("tests/maps.rs");
    fs::write(&maps, format!("{}\n{include}\n", read(&maps))).unwrap();
    // The adapter is private to a module of the tests.
    fs::write(&maps, read(&maps).replace("    struct Tested(", "    pub struct Tested(")).unwrap();

    let only = ["--test", "maps", "regression"];
    assert!(fails(test(dir, &only)).stdout.contains("::premature_reclamation_"));
    edit(dir, MISTAKE, "");
    test(dir, &only).code(0);
}

#[test]
fn an_adapter_that_cannot_be_copied_is_to_be_filled_in() {
    let dir = shelf("missing");
    let dir = dir.path();
    for (target, why) in [
        ("shelf-wrapped", "it uses `crate::adapter::Adapter`"),
        (
            "shelf-boxed",
            "the type `shelf_checks_missing::others::Boxed<shelf_checks_missing::adapter::Adapter>` is generic",
        ),
    ] {
        let file = export(dir, &found(dir, target));
        let unwrapped = read(&file).replace("\n// ", " ");
        assert!(unwrapped.contains(why), "{unwrapped}");
        let run = test(dir, &["--test", file.file_stem().unwrap().to_str().unwrap()]).code(1);
        run.says(&["is to be filled in here, under the name `Adapter`"]);
        fs::remove_file(file).unwrap();
    }
}

#[test]
fn a_repro_that_no_test_can_be_made_of_is_refused() {
    let repro = "corpus/c-map/crash-growth-trusts-malloc-fdf9993b.toml";
    let run = Run::of(&mut mapcheck(root(), ["export-test", repro])).code(1);
    run.says(&["was made with the mutant `growth-trusts-malloc`", "help: "]);
    let dir = shelf("refused");
    let dir = dir.path();
    let repro = found(dir, "shelf");
    let whole = read(&repro);
    fs::write(&repro, &whole[..whole.len() / 3]).unwrap();
    let run = Run::of(mapcheck_in(dir, ["export-test"]).arg(&repro)).code(1);
    run.says(&["is not a repro, or only a part of one"]);

    // Mended, the map has nothing that a test could fail for.
    fs::write(&repro, &whole).unwrap();
    edit(dir, MISTAKE, "");
    let run = Run::of(mapcheck_in(dir, ["export-test"]).arg(&repro)).code(1);
    run.says(&["does not lead to its premature-reclamation in this build"]);
    assert_eq!(files(&dir.join("tests"), ".rs").len(), 1, "nothing was written");
}

#[test]
fn a_file_that_is_there_is_not_overwritten() {
    let dir = shelf("there");
    let dir = dir.path();
    let repro = found(dir, "shelf");
    let file = export(dir, &repro);
    assert_eq!(export(dir, &repro), file, "the same text is written again");
    fs::write(&file, "// Mine.\n").unwrap();
    let run = Run::of(mapcheck_in(dir, ["export-test"]).arg(&repro)).code(1);
    run.says(&["exists, and is another", "-o"]);
    assert_eq!(read(&file), "// Mine.\n");
}

/// A crate that stands for flurry's own, of a version, with the exported test and a lock file.
fn flurry(dir: &Path, test: &str, versions: [&str; 2], lock: &Path) -> PathBuf {
    let dir = dir.join(versions[0]);
    fs::create_dir_all(dir.join("src")).unwrap();
    fs::create_dir(dir.join("tests")).unwrap();
    let name = format!("flurry-with-{}", versions[0].replace('.', "-"));
    let framework = root().join("framework");
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n[dev-dependencies]\n\
         mapcheck = {{ path = \"{}\" }}\nflurry = \"={}\"\nseize = \"={}\"\n",
        framework.display(),
        versions[0],
        versions[1],
    );
    fs::write(dir.join("Cargo.toml"), manifest).unwrap();
    fs::write(dir.join("Cargo.lock"), read(lock)).unwrap();
    fs::write(dir.join("src/lib.rs"), "").unwrap();
    fs::write(dir.join("tests/regression.rs"), test).unwrap();
    dir
}

#[test]
fn a_test_of_flurry_s_finding_fails_with_the_version_that_has_it_and_passes_with_one_that_has_not()
{
    let dir = tempdir().unwrap();
    let dir = dir.path();
    let of_root = |args: &[&str]| Run::of(mapcheck(root(), args).env("MAPCHECK_LEAKS", "0"));
    let out = dir.join("out");
    let scenario = ["--scenario", "concurrent-write/at/grow-during", "--format", "json", "--out"];
    let args = [&["check", "flurry@0.4.0"], &scenario[..], &[out.to_str().unwrap()]].concat();
    let finding = of_root(&args).code(2).only("finding");
    let test = dir.join("test.rs");
    let repro = finding["repro"].as_str().unwrap();
    of_root(&["export-test", repro, "-o", test.to_str().unwrap()]).code(0);
    let test = read(&test);

    let bad = root().join("targets/known-bad/flurry-0.4.0/Cargo.lock");
    let bad = flurry(dir, &test, ["0.4.0", "0.2.1"], &bad);
    fails(Run::of(&mut mapcheck_in(&bad, ["test", "--test", "regression"])));
    let good = flurry(dir, &test, ["0.5.2", "0.3.3"], &root().join("Cargo.lock"));
    Run::of(&mut mapcheck_in(&good, ["test", "--test", "regression"])).code(0);
}
