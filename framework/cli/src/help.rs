//! What `--help` says below the options: examples, and where more is written.

/// Of the command itself.
pub const COMMAND: &str = "\
Examples:
  cargo mapcheck list                                  what can be checked
  cargo mapcheck check papaya --time 30s               look for what is wrong with a map
  cargo mapcheck test                                  the same from the tests of your own crate
  cargo mapcheck replay mapcheck.out/papaya/FILE.toml  see a finding again

Exit codes:
    0  nothing was found
    1  wrong usage, an unusable file, or a build that fails
    2  at least one finding, or a failed test
    3  the budget ended before the bound that was asked for, or somebody ended the run
    4  an adapter failed its self-check
   70  mapcheck itself went wrong
  130  somebody ended the run twice, so that it could save no more

Documentation, in the checkout that this was installed from:
  README.md          what it does, reports and how to read them, limits
  docs/guide.md      for authors of maps: adapters, tests, regression tests, CI
  docs/formats.md    repros, scenarios, JSON, environment variables, exit codes
  docs/campaigns.md  long runs, what is known, review
  docs/fuzzing.md    libFuzzer";

/// Of `list`.
pub const LIST: &str = "\
Examples:
  cargo mapcheck list                                  targets, families, faults, schedulers
  cargo mapcheck list --format json | jq -r 'select(.type == \"target\").target'";

/// Of `check`.
pub const CHECK: &str = "\
Examples:
  cargo mapcheck check papaya                                    100,000 executions
  cargo mapcheck check papaya dashmap --time 10m --keep-going    ten minutes each, all findings
  cargo mapcheck check flurry --scenario delete-current --seed 7
  cargo mapcheck check papaya --fault address-reuse --fault panic-in-drop
  cargo mapcheck check rwlock-hashmap --scheduler exhaustive --bound 2 --scenario FILE.toml
  cargo mapcheck check papaya --known corpus --resume            go on where Ctrl-C ended it

Schedulers, faults and scenarios are shown by `cargo mapcheck list`. Options have variables, such as
MAPCHECK_SEED, which hold where an option is not given: docs/formats.md.";

/// Of `test`.
pub const TEST: &str = "\
Examples:
  cargo mapcheck test                                    all tests, with instrumentation
  cargo mapcheck test --test maps delete_ -- --nocapture
  MAPCHECK_EXECUTIONS=50000 cargo mapcheck test          more of each test than its 2,000 executions
  MAPCHECK_SEED=7 MAPCHECK_TIME=5m cargo mapcheck test   other executions, five minutes a test";

/// Of `replay`.
pub const REPLAY: &str = "\
Examples:
  cargo mapcheck replay mapcheck.out/papaya/leak-2f1a.toml      the report again
  cargo mapcheck replay leak-2f1a.toml --times 100              is it the same each time?

It ends with 2 if it finds what the repro tells of, and with 0 if it finds nothing: mended, or built
from other code than the repro was made with.";

/// Of `shrink`.
pub const SHRINK: &str = "\
Examples:
  cargo mapcheck shrink mapcheck.out/papaya/leak-2f1a.toml    writes a smaller one beside it, if any

Findings are shrunk before they are told; this tries for longer.";

/// Of `export-test`.
pub const EXPORT_TEST: &str = "\
Examples:
  cargo mapcheck export-test mapcheck.out/papaya/leak-2f1a.toml
  cargo mapcheck export-test leak-2f1a.toml -o ../papaya/tests/leak.rs

The file has the adapter, the scenario and the decisions. `cargo mapcheck test` runs it in the map's
crate: docs/guide.md.";

/// Of `review`.
pub const REVIEW: &str = "\
Examples:
  cargo mapcheck review                                          what is new in mapcheck.out
  cargo mapcheck review --accept mapcheck.out/papaya/leak-2f1a.toml
  cargo mapcheck review --reject leak-2f1a.toml --because 'as documented'
  cargo mapcheck review --out nightly --corpus corpus --accept all

It ends with 2 while a finding is new.";

/// Of `faults`.
pub const FAULTS: &str = "\
Examples:
  cargo mapcheck faults                                          all mutants, on all engines
  cargo mapcheck faults F26 delete-without-barrier --time 10s
  cargo mapcheck faults --engine native --seeds 10 --scheduler pct --scheduler pos

It ends with 0 if all is as documented, with 3 if a mutant was not found, with 2 if an equivalent
one was not silent or another class was found.";

/// Of `matrix`.
pub const MATRIX: &str = "\
Examples:
  cargo mapcheck matrix                                          every target, eight patterns
  cargo mapcheck matrix papaya dashmap --html matrix.html
  cargo mapcheck matrix papaya --fault all                       a column for each fault

It ends with 0, whatever the cells say.";

/// Of `bench`.
pub const BENCH: &str = "\
Examples:
  cargo mapcheck bench                                    all groups but faults, in turn
  cargo mapcheck bench peers --html peers.html            the table, and a page with plots
  cargo mapcheck bench cost maps --quick                  whether it runs, in seconds
  cargo mapcheck bench --format json > bench.jsonl        every sample, a figure a line
  cargo mapcheck bench --from bench.jsonl --html bench.html

Groups, in their order: cost, scale, maps, peers, exhaust, faults, stress, delete; which of them
there are is for the workspace to say. It ends with 0 if everything was measured, whether or not
limits are reached, with 70 if something could not be measured, and with 3 if somebody ended it.";

/// Of `completions`.
pub const COMPLETIONS: &str = "\
Examples:
  bash        source <(cargo-mapcheck completions bash)          in ~/.bashrc
  zsh         source <(cargo-mapcheck completions zsh)           in ~/.zshrc, after compinit
  fish        cargo-mapcheck completions fish > ~/.config/fish/completions/cargo-mapcheck.fish
  elvish      eval (cargo-mapcheck completions elvish | slurp)   in rc.elv
  powershell  cargo-mapcheck completions powershell | Out-String | Invoke-Expression

In bash it completes `cargo mapcheck …`, and leaves all else of cargo's to the completion that was
there; in other shells the program's own name, `cargo-mapcheck …`. Subcommands, options, files, and
the names of schedulers, engines, faults and shells are completed; targets and scenarios are not,
since a runner has to be built to know them.";
