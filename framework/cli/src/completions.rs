//! What makes shells complete the command.

use std::io::Write as _;

use clap::builder::PossibleValuesParser;
use clap::{Command, CommandFactory as _};
use clap_complete::Shell;

use crate::args::Cli;
use crate::error::exit;

/// The program's own name, under which shells know it.
const PROGRAM: &str = "cargo-mapcheck";

/// The name that bash's script is generated for: the generator loses its subcommands where a name has a hyphen.
const PLAIN: &str = "cargo_mapcheck";

/// The schedulers that every runner knows.
const SCHEDULERS: [&str; 9] = [
    "random",
    "pct",
    "pos",
    "surw",
    "portfolio",
    "round-robin",
    "each-fault",
    "exhaustive",
    "exhaustive-delays",
];

/// The faults that every runner knows; a target's mutants are its own.
const FAULTS: [&str; 18] = [
    "address-reuse",
    "hash-collisions",
    "panic-in-hash",
    "panic-in-eq",
    "panic-in-clone",
    "panic-in-drop",
    "panic-in-visitor",
    "allocation-failure",
    "minimal-alignment",
    "weak-cas-failure",
    "spurious-wake",
    "stalled-thread",
    "forced-growth",
    "forced-shrink",
    "forced-reclaim",
    "delayed-reclamation",
    "thread-exit",
    "dropped-future",
];

/// The engines.
const ENGINES: [&str; 3] = ["native", "shuttle", "loom"];

/// Has bash complete `cargo mapcheck …` too, and leaves the rest of cargo's to what completes it otherwise.
const OF_CARGO: &str = r#"
# `cargo mapcheck`, with what completes the rest of cargo kept.
if ! complete -p cargo &> /dev/null; then
    if declare -F _comp_load > /dev/null; then
        _comp_load cargo
    elif declare -F _completion_loader > /dev/null; then
        _completion_loader cargo
    fi
fi
if [[ $(complete -p cargo 2> /dev/null) =~ -F\ ([^ ]+) && ${BASH_REMATCH[1]} != _cargo_with_mapcheck ]]; then
    __cargo_without_mapcheck=${BASH_REMATCH[1]}
fi
_cargo_with_mapcheck() {
    if [[ ${COMP_CWORD} -ge 2 && ${COMP_WORDS[1]} == mapcheck ]]; then
        COMP_WORDS=(cargo-mapcheck "${COMP_WORDS[@]:2}")
        COMP_CWORD=$((COMP_CWORD - 1))
        [[ $(complete -p cargo-mapcheck) =~ -F\ ([^ ]+) ]] && "${BASH_REMATCH[1]}" cargo-mapcheck "$2" "$3"
    elif [[ -n ${__cargo_without_mapcheck} ]]; then
        "${__cargo_without_mapcheck}" "$@"
    elif [[ ${COMP_CWORD} -eq 1 ]]; then
        COMPREPLY=($(compgen -W mapcheck -- "$2"))
    fi
}
complete -F _cargo_with_mapcheck -o bashdefault -o default cargo
"#;

/// Prints the script for a shell; the exit code.
pub fn print(shell: Shell) -> i32 {
    // A closed stdout is not worth a message.
    let _ = std::io::stdout().write_all(script(shell).as_bytes());
    exit::CLEAN
}

fn script(shell: Shell) -> String {
    let generated = |program: &'static str| {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command(program), program, &mut script);
        String::from_utf8_lossy(&script).into_owned()
    };
    if shell != Shell::Bash {
        return generated(PROGRAM);
    }
    let complete = |name: &str| format!(" -o default {name}\n");
    generated(PLAIN).replace(&complete(PLAIN), &complete(PROGRAM)) + OF_CARGO
}

/// The command line, with the values that runners alone check.
fn command(program: &'static str) -> Command {
    let mut command = Cli::command().name(program).bin_name(program);
    let names: Vec<String> =
        command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for name in names {
        command = command.mut_subcommand(name, with_values);
    }
    command
}

fn with_values(mut subcommand: Command) -> Command {
    let values: [(&str, &[&str]); 5] = [
        ("scheduler", &SCHEDULERS),
        ("schedulers", &SCHEDULERS),
        ("faults", &FAULTS),
        ("engine", &ENGINES),
        ("engines", &ENGINES),
    ];
    for (argument, values) in values {
        let has = subcommand.get_arguments().any(|own| own.get_id() == argument);
        if has {
            let parser = PossibleValuesParser::new(values.iter().copied());
            subcommand = subcommand.mut_arg(argument, |own| own.value_parser(parser));
        }
    }
    subcommand
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_has_a_script_with_every_subcommand() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
            let script = script(shell);
            for sub in Cli::command().get_subcommands() {
                assert!(script.contains(sub.get_name()), "{shell}: {}", sub.get_name());
            }
            // elvish and PowerShell complete no values.
            let values = ![Shell::Elvish, Shell::PowerShell].contains(&shell);
            assert!(
                !values || script.contains("address-reuse") && script.contains("pct"),
                "{shell}"
            );
        }
    }
}
