//! What runs the executions: the machine, or one of two engines that know only models.
//!
//! shuttle and loom are features of this crate, and not in its default build. They run all threads of an execution on
//! one operating-system thread, so what is known of the execution under way is local to that thread (`under_way.rs`).

mod listen;
#[cfg(feature = "loom")]
mod loom;
#[cfg(feature = "shuttle")]
mod shuttle;
#[cfg(all(test, any(feature = "shuttle", feature = "loom")))]
mod tests;
pub(crate) mod under_way;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mapcheck_machine as machine;

pub(crate) use listen::Event;

use crate::oracle::Class;

/// What runs the executions of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// The machine: unmodified code on virtual threads.
    Native,
    /// shuttle: models only, sequentially consistent.
    Shuttle,
    /// loom: models only, under its C11 memory model.
    Loom,
}

/// The engines there are, with their names.
pub const NAMES: [(Engine, &str); 3] =
    [(Engine::Native, "native"), (Engine::Shuttle, "shuttle"), (Engine::Loom, "loom")];

impl Engine {
    /// The engine with a name of [`NAMES`].
    ///
    /// # Errors
    /// A fragment that goes on after the name and lists those there are.
    pub fn by_name(name: &str) -> Result<Engine, String> {
        let found = NAMES.iter().find(|e| e.1 == name).map(|e| e.0);
        found.ok_or_else(|| "is no engine; there are native, shuttle, loom".to_owned())
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|e| e.0 == self).map_or("", |e| e.1)
    }

    /// Whether this build of mapcheck has it: shuttle and loom are features.
    pub fn is_built(self) -> bool {
        match self {
            Engine::Native => true,
            Engine::Shuttle => cfg!(feature = "shuttle"),
            Engine::Loom => cfg!(feature = "loom"),
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a thread of an execution does: it is told its number.
pub(crate) type ThreadBody = Arc<dyn Fn(usize) + Send + Sync>;

/// Runs `body(0)` to `body(n - 1)` on threads of the engine under way, and waits for all of them. The others want a
/// body to keep, `owned`, that does the same.
#[cfg_attr(
    not(any(feature = "shuttle", feature = "loom")),
    expect(unused_variables, reason = "the machine keeps none")
)]
pub(crate) fn concurrently(
    n: usize,
    body: &(dyn Fn(usize) + Sync),
    owned: &dyn Fn() -> ThreadBody,
) {
    match under_way::engine() {
        #[cfg(feature = "shuttle")]
        Some(Engine::Shuttle) => shuttle::concurrently(n, &owned()),
        #[cfg(feature = "loom")]
        Some(Engine::Loom) => loom::concurrently(n, owned()),
        _ => machine::concurrently(n, body),
    }
}

/// A schedule point of the engine under way. loom has none that touch no memory, and needs none.
pub(crate) fn point() {
    match under_way::engine() {
        #[cfg(feature = "shuttle")]
        Some(Engine::Shuttle) => <crate::model::Shuttle as crate::model::Engine>::point(),
        Some(_) => {}
        None => machine::point(),
    }
}

/// How much an engine explores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub executions: u64,
    pub time: Option<Duration>,
    pub seed: u64,
    /// `random`, `surw`, which is shuttle's `urw`, or any other name for `pct`; loom has a search of its own.
    pub scheduler: String,
    /// Preemptions, where the engine can bound them: loom, which takes 2 if this is `None`.
    pub bound: Option<u64>,
    /// Accesses of an execution, beyond which it is a livelock.
    pub max_steps: u64,
}

/// What an engine explored.
#[derive(Clone, Debug, Default)]
pub(crate) struct Explored {
    /// Executions that began.
    pub executions: u64,
    /// Whether there is no other execution, within the bound. Not told of a search that ends with the last execution
    /// that the limits allow.
    pub exhausted: bool,
    pub found: Option<(Class, String)>,
    /// What kept it from going on, in words.
    pub limit: Option<String>,
}

/// Runs executions of `body` on an engine other than the machine, in this process, until something is found or a limit
/// is reached. Tells of each execution, some milliseconds after it began, and of a finding at once: whatever is to be
/// dropped after it may end the process.
pub(crate) fn explore(
    engine: Engine,
    limits: &Limits,
    body: Arc<dyn Fn() + Send + Sync>,
    tell: &mut dyn FnMut(Event),
) -> Explored {
    let Some(search) = search_of(engine) else {
        let limit = Some(format!("this build of mapcheck has no {engine}"));
        return Explored { limit, ..Explored::default() };
    };
    let limits = limits.clone();
    listen::run(Box::new(move || search(&limits, body)), tell)
}

/// Runs an engine's search; returns whether it was exhausted, panics with what it finds.
type Search = fn(&Limits, Arc<dyn Fn() + Send + Sync>) -> bool;

fn search_of(engine: Engine) -> Option<Search> {
    match engine {
        #[cfg(feature = "shuttle")]
        Engine::Shuttle => Some(shuttle::search),
        #[cfg(feature = "loom")]
        Engine::Loom => Some(loom::search),
        _ => None,
    }
}

#[cfg(test)]
mod names {
    use super::*;

    #[test]
    fn the_name_of_every_engine_reads_back() {
        for (engine, name) in NAMES {
            assert_eq!((engine.to_string(), Engine::by_name(name)), (name.to_owned(), Ok(engine)));
        }
        assert!(Engine::by_name("steam").is_err());
    }

    #[test]
    fn an_engine_that_is_not_built_says_so_and_explores_nothing() {
        let limits = Limits {
            executions: 1,
            time: None,
            seed: 0,
            scheduler: "random".to_owned(),
            bound: None,
            max_steps: 10,
        };
        for engine in NAMES.map(|e| e.0).into_iter().filter(|e| !e.is_built()) {
            let done = explore(engine, &limits, Arc::new(|| panic!("ran")), &mut |_| ());
            assert!(done.limit.is_some() && done.executions == 0 && done.found.is_none());
        }
    }
}
