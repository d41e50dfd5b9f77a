use super::super::queue::{Next, Queue};
use super::*;
use crate::oracle::Class;
use crate::report;
use crate::scenario::Scenario;

/// The job of this order, of a campaign of one scenario.
fn job(order: u64) -> Job {
    let mut queue = Queue::new(&Settings::default(), 1);
    loop {
        let Next::Job(job) = queue.next() else { panic!("there is no job {order}") };
        if job.order == order {
            return *job;
        }
    }
}

fn ended(outcome: Outcome) -> Ended {
    let found = matches!(outcome, Outcome::Found(_));
    Ended {
        totals: Totals { executions: 10, points: 77, unjudged: 1, ..Totals::default() },
        execution: 9,
        decisions: found.then(|| "1@137>2 reuse:1@5.3=1".parse().unwrap()),
        exhausted: false,
        said: "a \"limit\"".into(),
        learnt: Learnt { scheduler: vec![7], features: vec![8, 9] },
        interleavings: vec![u64::MAX, 1],
        outcome,
    }
}

fn found() -> Finding {
    report::died("the process\nwas killed", &Scenario::default())
}

const MODES: [Mode; 3] = [Mode::Add, Mode::Resume, Mode::Restart];

fn subject(run: &dyn Fn(&Scenario)) -> Subject<'_> {
    Subject {
        shapes: None,
        target: "a/b".into(),
        versions: "v".into(),
        home: String::new(),
        runner: String::new(),
        test: None,
        scenarios: vec![Scenario::default()],
        run,
        foreign: None,
        mutants: &[],
        mutant: None,
        excludes: &[],
        races: true,
        accepts: Vec::new(),
    }
}

/// A folder of this test alone.
fn settings(name: &str) -> Settings {
    let out = std::env::temp_dir().join(format!("mapcheck-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&out);
    Settings { out, ..Settings::default() }
}

fn open(settings: &Settings, mode: Mode) -> Journal {
    Journal::open(&subject(&|_| ()), settings, mode).unwrap()
}

fn note(journal: &mut Journal, order: u64, outcome: Outcome) {
    let used = (Duration::from_millis(order), Duration::from_millis(2 * order));
    journal.note_job(&job(order), "n", &ended(outcome), used).unwrap();
}

#[test]
fn what_a_journal_says_of_a_job_is_what_became_of_it() {
    let settings = settings("journal");
    let mut journal = open(&settings, Mode::Add);
    note(&mut journal, 1, Outcome::Finished);
    note(&mut journal, 2, Outcome::Found(found()));
    drop(journal);
    for mode in MODES {
        let mut again = open(&settings, mode);
        assert_eq!(again.before, (Duration::from_millis(2), Duration::from_millis(4)));
        assert_eq!(again.ended(&job(0)), None);
        assert!(again.goes_beyond(&job(0)) && !again.goes_beyond(&job(3)));
        assert_eq!(again.ended(&job(1)), Some(ended(Outcome::Finished)));
        assert_eq!(again.ended(&job(2)), Some(ended(Outcome::Found(found()))));
        assert!(!again.goes_beyond(&job(0)), "nothing is left of it");
    }
    fs::remove_dir_all(settings.out).unwrap();
}

#[test]
fn a_last_line_that_was_cut_off_is_taken_away_and_the_next_one_can_be_read() {
    let settings = settings("torn");
    note(&mut open(&settings, Mode::Add), 1, Outcome::Finished);
    let path = journals(&out::folder(&settings.out, "a/b")).remove(0);
    let whole = fs::read_to_string(&path).unwrap();
    let head = whole.find('\n').unwrap() + 1;
    for end in (head..whole.len()).step_by(11) {
        fs::write(&path, &whole[..end]).unwrap();
        let mut journal = open(&settings, Mode::Add);
        assert_eq!(journal.ended(&job(1)), None, "{}", &whole[..end]);
        note(&mut journal, 1, Outcome::Finished);
        assert_eq!(fs::read_to_string(&path).unwrap(), whole);
    }
    // A head that was cut off is written anew.
    fs::write(&path, &whole[..head - 2]).unwrap();
    note(&mut open(&settings, Mode::Add), 1, Outcome::Finished);
    assert_eq!(fs::read_to_string(&path).unwrap(), whole);
    fs::remove_dir_all(settings.out).unwrap();
}

#[test]
fn a_repro_that_is_saved_again_after_a_restart_does_not_make_the_journal_grow() {
    let settings = settings("saved");
    let path = settings.out.join("livelock-1.toml");
    let text = |mode| {
        open(&settings, mode).note_saved(&path).unwrap();
        fs::read_to_string(journals(&out::folder(&settings.out, "a/b")).remove(0)).unwrap()
    };
    let once = text(Mode::Add);
    assert!(once.contains("livelock-1.toml"), "{once}");
    assert_eq!(text(Mode::Restart), once, "who starts runners anew would take it for a step on");
    fs::remove_dir_all(settings.out).unwrap();
}

#[test]
fn only_the_same_settings_are_resumed() {
    let settings = settings("other");
    drop(open(&settings, Mode::Add));
    let resumed = |settings: &Settings| resumable(&subject(&|_| ()), settings);
    assert_eq!(resumed(&settings), Ok(()));
    let more_time = Settings { time: Some(Duration::from_secs(1)), workers: 7, ..settings.clone() };
    assert_eq!(resumed(&more_time.executions(100_000)), Ok(()), "these change no execution");
    let other = Settings { seed: 1, shard: (1, 2), ..settings.clone() };
    let refused = resumed(&other).unwrap_err();
    assert!(refused.contains("seed=0, shard=1/1, and this is one with seed=1, shard=1/2"));
    fs::remove_dir_all(&settings.out).unwrap();
    assert_eq!(resumed(&other), Ok(()), "where there is none, a run begins");
}

#[test]
fn a_class_that_a_line_names_is_one_there_is() {
    let line = ended(Outcome::Found(found())).line(&job(1), "s").line();
    let line = Line::read(&line.replace(Class::Crash.name(), "smash")).unwrap();
    assert_eq!(Ended::read(&line), None);
}
