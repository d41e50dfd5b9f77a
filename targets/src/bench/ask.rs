//! What is asked for, in the environment.

use std::env;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Samples of a figure, unless more or fewer are asked for.
const SAMPLES: usize = 9;
/// The same of a quick run.
const QUICK_SAMPLES: usize = 3;
/// How much smaller a quick run is.
const QUICK: u64 = 8;

/// What is measured, and how well.
pub struct Ask {
    /// All if empty.
    groups: Vec<String>,
    quick: bool,
    samples: Option<usize>,
    /// This program without instrumentation.
    native: Option<PathBuf>,
}

impl Ask {
    /// What the command asks for.
    ///
    /// # Errors
    /// A sentence that names the variable whose value is malformed.
    pub fn from_env() -> Result<Ask, String> {
        let var = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let groups = var("MAPCHECK_BENCH_GROUPS").unwrap_or_default();
        let samples = var("MAPCHECK_BENCH_SAMPLES").map(|text| match text.parse() {
            Ok(n) if n > 0 => Ok(n),
            _ => Err(format!("MAPCHECK_BENCH_SAMPLES: `{text}` is no number of samples")),
        });
        Ok(Ask {
            groups: groups.split(',').filter(|g| !g.is_empty()).map(str::to_owned).collect(),
            quick: var("MAPCHECK_BENCH_QUICK").is_some_and(|value| value != "0"),
            samples: samples.transpose()?,
            native: var("MAPCHECK_BENCH_NATIVE").map(PathBuf::from),
        })
    }

    pub fn wants(&self, group: &str) -> bool {
        self.groups.is_empty() || self.groups.iter().any(|wanted| wanted == group)
    }

    pub fn is_quick(&self) -> bool {
        self.quick
    }

    pub fn samples(&self) -> usize {
        self.samples.unwrap_or(if self.quick { QUICK_SAMPLES } else { SAMPLES })
    }

    /// So many executions or points, or fewer if it is to be quick.
    pub fn size(&self, full: u64) -> u64 {
        if self.quick { (full / QUICK).max(1) } else { full }
    }

    /// This program without instrumentation.
    ///
    /// # Errors
    /// Why there is none.
    pub fn native(&self) -> Result<&Path, String> {
        let none = || "there is no build of the runner without instrumentation".to_owned();
        self.native.as_deref().ok_or_else(none)
    }

    /// Tells who watches what is measured now.
    pub fn progress(&self, what: &str) {
        let mut stderr = std::io::stderr();
        if stderr.is_terminal() {
            // Nobody minds if it cannot be told.
            let _ = writeln!(stderr, "measuring {what}");
        }
    }
}
