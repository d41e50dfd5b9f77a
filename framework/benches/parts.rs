//! What the parts cost that every execution, every replay and every candidate of shrinking goes through, each alone
//! and without a map: a question to a scheduler, decisions as text and as words, scenarios of bytes and as text, repro
//! files.
//! What executions cost is measured by `cargo mapcheck bench`, in instrumented code.
#![forbid(unsafe_code)]
// Criterion makes the functions that these are about.
#![allow(missing_docs)]

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mapcheck::decision::{Decision, DecisionKind, Decisions, Replayer};
use mapcheck::repro::Repro;
use mapcheck::scenario::{Scenario, Unstructured};
use mapcheck::scheduler::{Ended, by_name};
use mapcheck::{Atomic, Consistency, Iteration, Profile};
use mapcheck_machine::{Access, ChoiceKind, Consult, Decider, Reason, Runnable, ThreadView};

/// Schedule points of a made-up execution.
const POINTS: u64 = 1_000;
/// Its threads.
const THREADS: u32 = 3;

/// The threads of an execution, all of which can go on.
fn threads(count: u32) -> Vec<ThreadView> {
    let pending = |thread: u32| Access { addr: 0x1000 + 8 * thread as usize, ..Access::NONE };
    (0..count).map(|t| ThreadView { pending: pending(t), ..ThreadView::NEW }).collect()
}

/// Asks at every point of an execution, and goes on with whom the answer names.
fn ask(threads: &[ThreadView], mut answer: impl FnMut(&Consult<'_>) -> u32) {
    let mut local = vec![0; threads.len()];
    let runnable = Runnable::of(threads);
    let mut current = 0;
    for step in 1..=POINTS {
        local[current as usize] += 1;
        let local_step = local[current as usize];
        let (reason, spent, runnable) = (Reason::Point, true, &runnable);
        current = answer(&Consult { current, local_step, step, reason, spent, threads, runnable });
    }
}

/// A question, at a point at which all threads could go on; the begin and the end of an execution are shared by all.
fn questions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("question to a scheduler");
    group.throughput(Throughput::Elements(POINTS));
    for name in ["random", "pct", "round-robin", "pos", "surw", "portfolio"] {
        for count in [THREADS, 64] {
            let threads = threads(count);
            let mut scheduler = by_name(name, 0).expect("it is one of the schedulers");
            let mut execution = 0;
            group.bench_function(BenchmarkId::new(name, format!("{count} threads")), |b| {
                b.iter(|| {
                    scheduler.begin(execution);
                    ask(&threads, |consult| scheduler.schedule(consult).thread);
                    scheduler.end(Ended { steps: POINTS, threads: count, news: None });
                    execution += 1;
                });
            });
        }
    }
    group.finish();
}

/// Decisions, spread over the points of each thread.
fn decisions(count: u64) -> Decisions {
    let decision = |n: u64| {
        let thread = (n % u64::from(THREADS)) as u32;
        let (kind, choice) = match n % 10 {
            9 => (DecisionKind::Choice(ChoiceKind::Data), 1),
            _ => (DecisionKind::Schedule, (thread + 1) % THREADS),
        };
        Decision { kind, thread, index: 1 + n * POINTS / count / u64::from(THREADS), choice }
    };
    Decisions((0..count).map(decision).collect())
}

fn decision_streams(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decisions");
    for count in [10, 1_000, 10_000] {
        let made = decisions(count);
        let text = made.to_string();
        group.throughput(Throughput::Elements(count));
        group.bench_with_input(BenchmarkId::new("to text", count), &made, |b, made| {
            b.iter(|| made.to_string());
        });
        group.bench_with_input(BenchmarkId::new("from text", count), &text, |b, text| {
            b.iter(|| text.parse::<Decisions>().expect("it was written by this program"));
        });
        group.bench_with_input(BenchmarkId::new("to words and back", count), &made, |b, made| {
            b.iter(|| made.0.iter().filter_map(|d| Decision::unpack(black_box(d.pack()))).count());
        });
    }
    group.finish();
}

/// What replaying asks: once for the decisions, and once at each point that has one.
fn replays(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("replayer");
    let threads = threads(THREADS);
    for count in [10, 100, 1_000] {
        let decisions = decisions(count);
        group.bench_with_input(BenchmarkId::new("made of", count), &decisions, |b, decisions| {
            b.iter(|| Replayer::new(decisions));
        });
        group.bench_with_input(
            BenchmarkId::new("1,000 points with", count),
            &decisions,
            |b, decisions| {
                b.iter(|| {
                    let mut replayer = Replayer::new(decisions);
                    ask(&threads, |consult| replayer.schedule(consult).thread);
                    replayer.unused()
                });
            },
        );
    }
    group.finish();
}

fn profile() -> Profile {
    Profile {
        iteration: Iteration::WeaklyConsistent,
        promised_by: "nobody",
        consistency: Consistency::Linearizable,
        atomic: Atomic::NONE,
        grows_at: 8,
        write_in_visit: true,
        knobs: "",
    }
}

/// Bytes that are the same each time.
fn bytes(length: usize) -> Vec<u8> {
    // Knuth's multiplier: the bytes only have to differ.
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

fn scenarios(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scenario");
    let (profile, bytes) = (profile(), bytes(512));
    let drawn = || {
        Scenario::arbitrary(&profile, &mut Unstructured::new(&bytes))
            .expect("any bytes are a scenario")
    };
    let text = drawn().to_text();
    group.bench_function("of 512 bytes", |b| b.iter(drawn));
    group.bench_function("to text", |b| {
        let drawn = drawn();
        b.iter(|| drawn.to_text());
    });
    group.bench_function("from text", |b| b.iter(|| Scenario::from_text(black_box(&text))));
    group.finish();
}

/// The files of a folder of the corpus.
fn corpus(folder: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(folder);
    let entries = std::fs::read_dir(folder).expect("the corpus has this folder").flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).expect("it is text")).collect()
}

/// What reading a corpus takes: all that is known of one map, as every run with `--known` does first.
fn repros(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("repros of flurry 0.4.0");
    let texts = corpus("flurry@0.4.0");
    let read = || -> Vec<Repro> {
        texts.iter().map(|text| Repro::from_text(text).expect("the corpus is readable")).collect()
    };
    let repros = read();
    group.throughput(Throughput::Bytes(texts.iter().map(|text| text.len() as u64).sum()));
    group.bench_function("from text", |b| b.iter(read));
    group.bench_function("to text", |b| {
        b.iter(|| repros.iter().map(|repro| repro.to_text().len()).sum::<usize>());
    });
    group.bench_function("told apart", |b| {
        b.iter(|| repros.iter().filter(|repro| repro.same_mistake(black_box(&repros[0]))).count());
    });
    group.finish();
}

/// Less time for each than criterion takes by default: there are many, and none is noisy.
fn settings() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_millis(1500))
}

criterion_group! {
    name = parts;
    config = settings();
    targets = questions, decision_streams, replays, scenarios, repros
}
criterion_main!(parts);
