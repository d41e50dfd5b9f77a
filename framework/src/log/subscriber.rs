//! The subscriber that every worker has, and whom it passes events on to.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use mapcheck_machine::{self as machine, Stamp};
use tracing_core::callsite::Callsite;
use tracing_core::dispatcher::{self, Dispatch};
use tracing_core::field::Value;
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::subscriber::Interest;
use tracing_core::{Event, Kind, Level, LevelFilter, Metadata, Subscriber};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;

use super::timeline::{LABEL, STEP, THREAD, Timeline};
use super::{Log, VARIABLE, filter};

/// Whether somebody listens to the execution under way.
///
/// This and the other statics are given back what they held when the process began, before each execution; so each has
/// its own notes, and counts its own spans.
static LISTENING: AtomicBool = AtomicBool::new(false);
static LISTENER: Mutex<Option<Listener>> = Mutex::new(None);
/// Whether the listener is at work, formatting what the map gave it.
static TELLING: AtomicBool = AtomicBool::new(false);
/// Spans made in the execution under way.
static SPANS: AtomicU64 = AtomicU64::new(0);

/// Whether `tracing` asked all subscribers anew what they want, as it does when there is one more.
static CHANGED: AtomicBool = AtomicBool::new(false);

/// Who listens, and what of the machine's own events they want.
struct Listener {
    layers: Box<dyn Subscriber + Send + Sync>,
    filter: Option<Targets>,
}

/// Puts the subscriber into this process, before its globals are saved for the first execution.
///
/// `tracing` keeps a list of subscribers, which is on the system's heap now. Code under test may add one of its own to
/// it, so the leak oracle must look there. Where it goes on growing it moves, for all later executions: see
/// [`is_spent`].
///
/// If the process has another subscriber already, such as one that a test has set before it explores, that one stays.
/// It is part of the execution then, and there are no notes.
pub(crate) fn install() {
    machine::searched(&mut || {
        // The error says that there is another.
        let _ = dispatcher::set_global_default(Dispatch::new(Always));
    });
    CHANGED.store(false, Relaxed);
}

/// Whether the execution has changed what no other in this process may be without: the list of subscribers.
pub(crate) fn is_spent() -> bool {
    CHANGED.load(Relaxed)
}

/// An execution begins in this process; whether its notes are kept, and where its log goes.
pub(crate) fn begin(listen: bool, log: Option<&Log<'_>>) {
    machine::outside(&mut || {
        if let Ok(mut place) = LISTENER.lock() {
            *place = listen.then(|| Listener::new(log));
        }
        LISTENING.store(listen, Relaxed);
    });
}

impl Listener {
    fn new(log: Option<&Log<'_>>) -> Listener {
        let wanted = log.and_then(|log| Some((log, targets()?)));
        let filter = wanted.as_ref().map(|(_, filter)| filter.clone());
        let layers = Timeline::default()
            .and_then(wanted.and_then(|(log, filter)| Timeline::log(log, filter)))
            .with_subscriber(Numbers);
        Listener { layers: Box::new(layers), filter }
    }
}

fn targets() -> Option<Targets> {
    filter()?.to_str()?.parse().ok()
}

/// Whether it is a filter.
///
/// The error is a fragment that goes on after variable and value.
pub(crate) fn check(text: &str) -> Result<(), String> {
    let is_of_targets = |c: char| c.is_ascii_alphanumeric() || "_:-./=".contains(c);
    let is_right = |part: &&str| part.parse::<Targets>().is_ok() && part.chars().all(is_of_targets);
    let Some(wrong) = text.split(',').find(|part| !is_right(part)) else { return Ok(()) };
    Err(format!(
        "is no filter: `{wrong}` is no level (off, error, warn, info, debug, trace), nor a target, nor one with \
         the other, such as in {VARIABLE}=my_map=trace,mapcheck::heap=debug"
    ))
}

/// Whether somebody listens to the execution under way: models ask before they say anything. What they say must not
/// touch the execution.
#[inline(never)]
pub(crate) fn listening() -> bool {
    LISTENING.load(Relaxed)
}

/// Whether what panics now is the map's own formatting of what it tells.
pub(crate) fn is_telling() -> bool {
    TELLING.load(Relaxed)
}

/// Runs `hear` with who listens; if nobody does, or if they are the ones who speak, not.
fn with_listener(hear: &mut dyn FnMut(&Listener)) {
    if !LISTENING.load(Relaxed) {
        return;
    }
    if let Ok(listener) = LISTENER.try_lock()
        && let Some(listener) = &*listener
    {
        TELLING.store(true, Relaxed);
        hear(listener);
        TELLING.store(false, Relaxed);
    }
}

/// The subscriber: to the map it looks the same whether anybody listens or not.
struct Always;

impl Always {
    fn pass(&self, hear: &mut dyn FnMut(&dyn Subscriber)) {
        machine::outside(&mut || with_listener(&mut |listener| hear(&*listener.layers)));
    }
}

impl Subscriber for Always {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::always()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        CHANGED.store(true, Relaxed);
        Some(LevelFilter::TRACE)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let id = Id::from_u64(SPANS.fetch_add(1, Relaxed) + 1);
        self.pass(&mut |layers| {
            layers.new_span(span);
        });
        id
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        self.pass(&mut |layers| layers.record(span, values));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.pass(&mut |layers| layers.event(event));
    }

    fn enter(&self, span: &Id) {
        self.pass(&mut |layers| layers.enter(span));
    }

    fn exit(&self, span: &Id) {
        self.pass(&mut |layers| layers.exit(span));
    }
}

/// What lies under the layers: spans are numbered in the order in which they are made.
///
/// The usual registry would keep the spans that each thread is in as that thread's own, in thread-local storage: whose
/// destructors would be run by the virtual thread when it ends, in the midst of the execution.
struct Numbers;

impl Subscriber for Numbers {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    /// The number that it has been given just before.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(SPANS.load(Relaxed))
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Where the machine's own events come from.
struct Site(Metadata<'static>);

impl Callsite for Site {
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        &self.0
    }
}

const FIELDS: &[&str] = &["message", THREAD, STEP, LABEL];

/// The machine's own events: target and level.
macro_rules! sites {
    ($($name:ident $target:literal $level:ident;)*) => {
        $(static $name: Site = Site(tracing_core::metadata! {
            name: "mapcheck",
            target: $target,
            level: Level::$level,
            fields: FIELDS,
            callsite: &$name,
            kind: Kind::EVENT
        });)*
        static SITES: &[&Site] = &[$(&$name),*];
    };
}

sites! {
    SCHEDULE "mapcheck::schedule" DEBUG;
    HEAP "mapcheck::heap" DEBUG;
    ACCESS "mapcheck::access" TRACE;
    FAULT "mapcheck::fault" INFO;
}

fn site(target: &str) -> Option<&'static Site> {
    SITES.iter().find(|site| site.0.target() == target).copied()
}

/// Whether the log shows the machine's own events of a target.
pub(crate) fn lets_through(target: &'static str) -> bool {
    let mut through = false;
    with_listener(&mut |listener| {
        through = listener
            .filter
            .as_ref()
            .zip(site(target))
            .is_some_and(|(filter, site)| filter.would_enable(site.0.target(), site.0.level()));
    });
    through
}

/// Emits one of the machine's own events, to who listens and not to what subscriber the map may have set. Outside of
/// the execution.
pub(crate) fn tell(target: &'static str, at: Stamp, text: &str) {
    let Some(site) = site(target) else { return };
    let mut fields = site.0.fields().iter();
    let [Some(message), Some(thread), Some(step), Some(label)] = [(); 4].map(|()| fields.next())
    else {
        return;
    };
    let numbers = [u64::from(at.thread), at.step, u64::from(at.label)];
    let values = [
        (&message, Some(&text as &dyn Value)),
        (&thread, Some(&numbers[0])),
        (&step, Some(&numbers[1])),
        (&label, Some(&numbers[2])),
    ];
    let values = site.0.fields().value_set(&values);
    let event = Event::new(&site.0, &values);
    with_listener(&mut |listener| listener.layers.event(&event));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_levels_and_targets() {
        for right in
            ["debug", "off", "my_map", "my_map=trace,mapcheck::heap=debug", "a-b=INFO", "3"]
        {
            assert_eq!(check(right), Ok(()), "{right}");
        }
        for (text, wrong) in [("a=loud", "a=loud"), ("debug,a=b=c", "a=b=c"), ("a[b]", "a[b]")] {
            let said = check(text).unwrap_err();
            assert!(said.starts_with(&format!("is no filter: `{wrong}` is no level")), "{said}");
        }
    }

    #[test]
    fn the_machine_s_own_events_have_the_fields_that_the_layer_looks_for() {
        for site in SITES {
            let names: Vec<&str> = site.0.fields().iter().map(|field| field.name()).collect();
            assert_eq!(names, ["message", THREAD, STEP, LABEL]);
            assert!(super::site(site.0.target()).is_some_and(|s| std::ptr::eq(s, *site)));
        }
    }

    #[test]
    fn to_the_map_it_makes_no_difference_whether_anybody_listens() {
        assert!(Always.enabled(&HEAP.0) && Always.register_callsite(&HEAP.0).is_always());
        assert_eq!(Always.max_level_hint(), Some(LevelFilter::TRACE));
    }
}
