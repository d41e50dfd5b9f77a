//! Notes from within tests.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;

use mapcheck::log::take_notes;
use tracing::{debug, error_span, info, instrument, warn};

#[instrument(level = "debug")]
fn work(on: u32) {
    info!("half done");
    warn!(name = "a\nb", "line\nbreak");
}

/// Each thread tells something between two accesses of what they share.
fn in_threads() {
    let shared = Arc::new(AtomicU32::new(0));
    let threads: Vec<_> = (1..=2)
        .map(|number| {
            let shared = shared.clone();
            thread::spawn(move || {
                let before = shared.fetch_add(1, Relaxed);
                debug!(number, before, "counted");
                work(number);
                shared.fetch_add(1, Relaxed);
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Fails, and says what was noted by then: only an execution that is recorded has notes.
#[test]
fn notes_are_shown() {
    mapcheck::explore(|| {
        in_threads();
        let notes = take_notes();
        let told: Vec<String> = notes
            .iter()
            .map(|n| format!("{} {} {} {} [{}]", n.thread, n.step, n.level, n.target, n.text))
            .collect();
        panic!("{}", told.join(" ; "));
    });
}

/// Passes: a subscriber of one's own is part of the execution, though it is given away on the way.
#[test]
fn a_subscriber_of_one_s_own_hears_what_it_wants_and_leaks_nothing() {
    mapcheck::explore(|| {
        mapcheck::forbid_leaks();
        let threads: Vec<_> = (0..2)
            .map(|_| {
                thread::spawn(|| {
                    let heard = Arc::new(Mutex::new(Vec::new()));
                    let own = own::Own(heard.clone());
                    tracing::subscriber::with_default(own, || in_span(7));
                    assert_eq!(*heard.lock().unwrap(), ["event", "enter"]);
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

fn in_span(number: u32) {
    debug!("not wanted");
    info!(number, "wanted");
    error_span!("also").in_scope(|| ());
}

/// Passes: what is formatted must not take the execution with it.
#[test]
fn a_panic_while_the_log_formats_is_no_finding() {
    mapcheck::explore(|| {
        struct Bad;
        impl std::fmt::Debug for Bad {
            fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                panic!("formatted");
            }
        }
        debug!(bad = ?Bad, "still alive");
        panic!("{:?}", take_notes().iter().map(|n| n.text.clone()).collect::<Vec<_>>());
    });
}

mod own {
    use std::sync::{Arc, Mutex};

    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Level, Metadata, Subscriber};

    /// Wants what is at least `INFO`.
    pub struct Own(pub Arc<Mutex<Vec<&'static str>>>);

    impl Own {
        fn hear(&self, what: &'static str) {
            self.0.lock().unwrap().push(what);
        }
    }

    impl Subscriber for Own {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            *metadata.level() <= Level::INFO
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, _: &Event<'_>) {
            self.hear("event");
        }
        fn enter(&self, _: &Id) {
            self.hear("enter");
        }
        fn exit(&self, _: &Id) {}
    }
}
