//! What runs the executions.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mapcheck_machine as machine;

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
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Runs `body(0)` to `body(n - 1)` on threads of the engine under way, and waits for all of them.
pub(crate) fn concurrently(n: usize, body: Arc<dyn Fn(usize) + Send + Sync>) {
    machine::concurrently(n, &|i| body(i));
}

/// A schedule point of the engine under way.
pub(crate) fn point() {
    machine::point();
}

/// How much an engine explores.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub executions: u64,
    pub time: Option<Duration>,
    pub seed: u64,
    /// `random` or `pct`; loom has a search of its own.
    pub scheduler: String,
    /// Preemptions, where the engine can bound them.
    pub bound: Option<u64>,
    pub max_steps: u64,
}

/// What an engine explored.
#[derive(Clone, Debug, Default)]
pub(crate) struct Explored {
    pub executions: u64,
    /// Whether there is no other execution, within the bound.
    pub exhausted: bool,
    pub found: Option<(Class, String)>,
    /// What kept it from going on, in words.
    pub limit: Option<String>,
}

/// Runs executions of `body` on an engine other than the machine, in this process, until something is found or a limit is
/// reached; calls `each` after each.
pub(crate) fn explore(
    engine: Engine,
    _limits: &Limits,
    _body: Arc<dyn Fn() + Send + Sync>,
    _each: &mut dyn FnMut(),
) -> Explored {
    let limit = Some(format!("this build of mapcheck has no {engine}"));
    Explored { limit, ..Explored::default() }
}
