//! What a stranger meets: what is said of a wrong command and what to do next, what shells complete, what GitHub shows.

use std::fs;
use std::path::Path;
use std::process::Command;

use mapcheck_tests::{Run, binary, mapcheck, mapcheck_in, read, shell, subject, tempdir};

/// What a command says on stderr, but for what cargo tells of a build.
fn said(args: &[&str]) -> String {
    let out = tempdir().unwrap();
    let run = Run::of(mapcheck_in(&subject("shelf"), args).env("MAPCHECK_OUT", out.path()));
    assert_eq!(run.stdout, "", "{args:?}");
    let of_cargo = ["Compiling ", "Finished ", "Blocking ", "Updating ", "Locking "];
    let lines = run.stderr.lines().filter(|l| !of_cargo.iter().any(|w| l.trim().starts_with(w)));
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    format!("{text}exit code {}\n", run.code)
}

/// Wrong commands, and what is said of them.
const WRONG: &[(&[&str], &str)] = &[
    (
        &["chek", "shelf"],
        "error: unrecognized subcommand 'chek'\n\n  tip: a similar subcommand exists: 'check'\n\n\
         Usage: cargo mapcheck <COMMAND>\n\nFor more information, try '--help'.\nexit code 1\n",
    ),
    (
        &["check", "shelff"],
        "error: there is no target `shelff`\nhelp: did you mean `shelf`? `cargo mapcheck list` shows \
         all\nexit code 1\n",
    ),
    (
        &["check", "shelf", "--executions", "1,000"],
        "error: invalid value '1,000' for '--executions <N>': it is a whole number, without separators, \
         such as 20000\n\nFor more information, try '--help'.\nexit code 1\n",
    ),
    (
        &["check", "shelf", "--scheduler", "pctt"],
        "error: --scheduler or MAPCHECK_SCHEDULER: `pctt` is no scheduler; there are random, pct, pos, \
         surw, round-robin, portfolio, exhaustive, exhaustive-delays, each-fault; did you mean \
         pct?\nexit code 1\n",
    ),
    (
        &["check", "shelf", "--scenario", "deferred-delete/none"],
        "error: shelf has no scenario `deferred-delete/none`; `cargo mapcheck list --format json` has \
         the names\nexit code 1\n",
    ),
    (
        &["replay", "nope.toml"],
        "error: nope.toml does not exist\nhelp: a repro is written by `cargo mapcheck check` into its \
         --out directory\nexit code 1\n",
    ),
    (
        &["replay", "src"],
        "error: src is a folder, and not a repro: give one of the files in it\nhelp: a repro is written \
         by `cargo mapcheck check` into its --out directory\nexit code 1\n",
    ),
    (
        &["replay", "Cargo.toml"],
        "error: Cargo.toml is not a repro, or only a part of one: it has no `format`\nhelp: a repro is \
         written by `cargo mapcheck check` into its --out directory\nexit code 1\n",
    ),
    (
        &["replay", "Cargo.toml", "--times", "0"],
        "error: invalid value '0' for '--times <N>': it is at least 1\n\nFor more information, try \
         '--help'.\nexit code 1\n",
    ),
    (
        &["review", "--out", "nope"],
        "error: nope is no directory\nhelp: `cargo mapcheck check` makes it; --out says which one is \
         meant\nexit code 1\n",
    ),
    (
        &["import", "nope"],
        "error: nope could not be read: No such file or directory (os error 2)\nhelp: there is no such \
         file: check the path, which is read from the current folder\nexit code 1\n",
    ),
    (
        &["test", "--test", "nope"],
        "error: no test target named `nope` in default-run packages\n\nhelp: a target \
         with a similar name exists: `maps`\nerror: cargo refuses these arguments: see its message above\n\
         help: what follows `cargo mapcheck test` is `cargo test`'s own: `cargo test --help`\nexit code 1\n",
    ),
];

#[test]
fn a_wrong_command_is_told_what_is_wrong_and_what_to_do_next() {
    for (args, wanted) in WRONG {
        assert_eq!(said(args), *wanted, "{args:?}");
    }
}

#[test]
fn a_folder_of_what_is_known_that_is_not_there_is_warned_of() {
    let args = ["check", "shelf", "--executions", "1", "--known", "none"];
    let out = tempdir().unwrap();
    let run = Run::of(mapcheck_in(&subject("shelf"), args).env("MAPCHECK_OUT", out.path()));
    run.says(&["warning: --known: there is no folder none, so nothing in it is known"]);
}

#[test]
fn help_tells_exit_codes_and_where_more_is_written() {
    let help = Run::of(&mut mapcheck(Path::new("/"), ["--help"])).code(0).stdout;
    for code in ["    0  ", "    1  ", "    2  ", "    3  ", "    4  ", "   70  ", "  130  "] {
        assert!(help.contains(code), "{code}:\n{help}");
    }
    assert!(help.contains("docs/guide.md"), "{help}");
}

/// What bash completes where the last word of a line stands. `before` is done first.
fn completed(before: &str, line: &str) -> Vec<String> {
    let words: Vec<&str> = line.split(' ').collect();
    let (last, previous) = (words[words.len() - 1], words[words.len() - 2]);
    let quoted: String = words.iter().map(|word| format!(" '{word}'")).collect();
    let script = format!(
        "{before}\nsource <('{}' completions bash)\nCOMP_WORDS=({quoted})\nCOMP_CWORD={}\nCOMPREPLY=()\n\
         [[ $(complete -p {}) =~ -F\\ ([^ ]+) ]] || exit 9\n\
         \"${{BASH_REMATCH[1]}}\" '{}' '{last}' '{previous}'\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
        binary().display(),
        words.len() - 1,
        words[0],
        words[0],
    );
    let run = Run::of(Command::new("bash").args(["--norc", "-c", &script])).code(0);
    run.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_what_is_fixed() {
    assert_eq!(completed("", "cargo mapcheck export"), ["export-test"]);
    assert_eq!(completed("", "cargo-mapcheck mat"), ["matrix"]);
    assert_eq!(
        completed("", "cargo mapcheck check shelf --scheduler exh"),
        ["exhaustive", "exhaustive-delays"]
    );
    assert_eq!(completed("", "cargo mapcheck check shelf --fault panic-in-h"), ["panic-in-hash"]);
    assert_eq!(completed("", "cargo mapcheck faults --engine l"), ["loom"]);
    assert_eq!(completed("", "cargo mapcheck completions z"), ["zsh"]);
    assert_eq!(completed("", "cargo mapcheck check --obs"), ["--obstruction-freedom"]);
}

#[test]
fn bash_completes_the_rest_of_cargo_as_before() {
    let own = "_own() { COMPREPLY=(\"own-$2\"); }\ncomplete -F _own cargo";
    assert_eq!(completed(own, "cargo bui"), ["own-bui"]);
    assert_eq!(completed(own, "cargo mapcheck shr"), ["shrink"]);
    // Once more changes nothing.
    let twice = format!("{own}\nsource <('{}' completions bash)", binary().display());
    assert_eq!(completed(&twice, "cargo bui"), ["own-bui"]);
    assert_eq!(completed("", "cargo map"), ["mapcheck"]);
}

#[test]
fn the_names_that_shells_complete_are_those_that_are_listed() {
    let list = Run::of(&mut mapcheck_in(&subject("shelf"), ["list", "--format", "json"])).code(0);
    for (kind, line) in [("scheduler", "--scheduler "), ("fault-kind", "--fault ")] {
        let names = list.of_type(kind).into_iter().map(|o| o["name"].as_str().unwrap().to_owned());
        let mut names: Vec<String> = names.collect();
        let mut shown = completed("", &format!("cargo mapcheck check shelf {line}"));
        names.sort();
        shown.sort();
        assert_eq!(shown, names);
    }
}

/// A check of a target that is found broken at once, as a job of GitHub's; what it shows of the job.
fn job(args: &[&str], summary: &Path) -> Run {
    let dir = subject("shelf");
    let mut command = mapcheck_in(&dir, args);
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", summary);
    // The checkout is above the crate, as that of a workspace's member is.
    command.env("GITHUB_WORKSPACE", dir.parent().unwrap());
    Run::of(command.env("MAPCHECK_OUT", summary.with_file_name("out")))
}

/// The one annotation among what was printed.
#[track_caller]
fn annotation(run: &Run) -> &str {
    let mut all = run.stderr.lines().filter(|line| line.starts_with("::error "));
    let first = all.next().unwrap_or_else(|| panic!("none in:\n{}", run.stderr));
    assert_eq!(all.next(), None, "{}", run.stderr);
    first
}

#[test]
fn github_gets_an_annotation_for_each_finding_and_a_table_of_the_targets() {
    let dir = tempdir().unwrap();
    let summary = dir.path().join("summary.md");
    fs::write(&summary, "before\n").unwrap();
    let run =
        job(&["check", "shelf", "--scenario", "deferred-delete", "--format", "json"], &summary);
    let run = run.code(2);
    let line = annotation(&run);
    let start = "::error file=shelf/src/lib.rs,line=";
    assert!(line.starts_with(start), "{line}");
    let rest = line[start.len()..].split_once(',').unwrap().1;
    assert!(rest.starts_with("title=premature-reclamation in shelf::"), "{line}");
    assert!(rest.contains("%0Areplay: cargo mapcheck replay "), "{line}");
    // What a program reads is as it was.
    assert_eq!(run.stdout.lines().count(), run.json().len(), "{}", run.stdout);
    assert!(run.only("summary")["told"].is_null());

    let table = read(&summary);
    let head = "before\n### mapcheck\n\n| target | executions | findings | replay |\n|---|---|---|---|\n| shelf | ";
    assert!(table.starts_with(head), "{table}");
    assert!(table.contains(" | premature-reclamation: "), "{table}");
    assert!(table.contains(" | `cargo mapcheck replay "), "{table}");
}

#[test]
fn github_gets_annotations_of_tests_too() {
    let dir = tempdir().unwrap();
    let summary = dir.path().join("summary.md");
    let run = job(&["test", "--test", "maps"], &summary).code(2);
    assert!(
        annotation(&run).contains("title=premature-reclamation in deleting%3A%3Adeferred_delete")
    );
    let table = read(&summary);
    let start = "- **premature-reclamation** in the test `deleting::deferred_delete`: ";
    assert!(table.starts_with(start) && table.contains("`cargo mapcheck replay "), "{table}");
}

#[test]
fn elsewhere_there_are_no_annotations() {
    let out = tempdir().unwrap();
    let args = ["check", "shelf", "--scenario", "deferred-delete"];
    for value in ["", "false"] {
        let mut command = mapcheck_in(&subject("shelf"), args);
        command
            .env("GITHUB_ACTIONS", value)
            .env("GITLAB_CI", "true")
            .env("MAPCHECK_OUT", out.path());
        let run = Run::of(&mut command).code(2);
        assert!(!run.stderr.contains("::error") && !run.stdout.contains("::error"));
    }
}

#[test]
fn what_takes_long_says_so_on_a_terminal_and_nowhere_else() {
    let dir = tempdir().unwrap();
    let out = dir.path().join("out");
    let out = out.to_str().unwrap();
    let args =
        ["check", "shelf", "--scenario", "deferred-delete", "--format", "json", "--out", out];
    let finding = Run::of(&mut mapcheck_in(&subject("shelf"), args)).code(2).only("finding");
    let replay = format!("cargo-mapcheck replay {} --times 60", finding["repro"].as_str().unwrap());
    // `script` makes a terminal.
    let shown = |before: &str, command: &str| {
        let line = format!("{before} script -qec '{command}' /dev/null");
        Run::of(&mut shell(&subject("shelf"), &line)).stdout
    };
    let escape = "\u{1b}[2Kreplaying: ";
    let on_terminal = shown("", &replay);
    assert!(on_terminal.contains(escape), "{on_terminal:?}");
    assert!(on_terminal.contains("replayed 60 times"), "{on_terminal}");
    assert!(!shown("CI=1", &replay).contains(escape));
    let piped = Run::of(&mut shell(&subject("shelf"), &replay)).code(2);
    assert!(!piped.stdout.contains('\u{1b}') && !piped.stderr.contains("replaying:"));
}
