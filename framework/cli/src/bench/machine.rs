//! What was measured on: a figure without its machine says little.

use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::words;

/// The part of the processors that other work may use at the start before it is worth a warning.
const BUSY: f64 = 0.25;

/// The machine, and what was measured with. What cannot be known is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Machine {
    /// When measuring began, in UTC.
    pub started: String,
    /// The processor's model.
    pub processor: String,
    /// How many of them the system has.
    pub processors: usize,
    /// Memory, in bytes.
    pub memory: u64,
    /// The system's name and version.
    pub kernel: String,
    /// `rustc --version`.
    pub rustc: String,
    /// This program's version.
    pub mapcheck: String,
    /// How the processor's clock is governed.
    pub governor: Option<String>,
    /// The load average of the last minute at the start, before anything was built.
    pub load: Option<f64>,
    /// Whether less was measured than by default.
    pub quick: bool,
}

impl Machine {
    /// This machine, now.
    pub fn here(quick: bool) -> Self {
        let read = |path: &str| std::fs::read_to_string(Path::new(path)).unwrap_or_default();
        let governor = read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
        let kernel = |name: &str| read(&format!("/proc/sys/kernel/{name}")).trim().to_owned();
        Self {
            started: now(),
            processor: processor(&read("/proc/cpuinfo")),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            memory: memory(&read("/proc/meminfo")),
            kernel: format!("{} {}", kernel("ostype"), kernel("osrelease")).trim().to_owned(),
            rustc: rustc(),
            mapcheck: env!("CARGO_PKG_VERSION").to_owned(),
            governor: Some(governor.trim().to_owned()).filter(|text| !text.is_empty()),
            load: load(),
            quick,
        }
    }

    /// The line of JSON that tells of it.
    pub fn line(&self) -> Value {
        let mut line = json!({"type": "machine"});
        let told = serde_json::to_value(self).unwrap_or_default();
        for (key, value) in told.as_object().into_iter().flatten() {
            line[key] = value.clone();
        }
        line
    }

    /// What there is to say of it, each with its name.
    pub fn told(&self) -> Vec<(&'static str, String)> {
        if *self == Self::default() {
            // Lines that a producer printed for itself.
            return vec![("machine", named("").to_owned())];
        }
        let governor = self.governor.as_ref().map(|name| format!(", governor {name}"));
        let all = [
            (
                "processors",
                format!("{} × {}", self.processors, named(&self.processor))
                    + &governor.unwrap_or_default(),
            ),
            ("memory", words::bytes(self.memory)),
            ("system", named(&self.kernel).to_owned()),
            ("compiler", named(&self.rustc).to_owned()),
            (
                "mapcheck",
                named(&self.mapcheck).to_owned()
                    + if self.quick {
                        ", quick: smaller sizes and fewer samples than by default"
                    } else {
                        ""
                    },
            ),
            ("started", named(&self.started).to_owned()),
        ];
        all.into()
    }

    /// What to say when other work was under way at the start.
    pub fn warning(&self) -> Option<String> {
        let load = self.load.filter(|load| *load > BUSY * self.processors as f64)?;
        Some(format!(
            "load average {load:.2} on {} at the start: other work slows what is measured, and spreads it",
            words::count(self.processors, "processor")
        ))
    }
}

/// A text, or that nobody knows.
fn named(text: &str) -> &str {
    if text.is_empty() { "unknown" } else { text }
}

/// The load average of the last minute.
pub fn load() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

/// Of `/proc/cpuinfo`, the first model.
fn processor(cpuinfo: &str) -> String {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(':')).map_or("", |(_, name)| name);
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Of `/proc/meminfo`, the bytes there are.
fn memory(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default().saturating_mul(1024)
}

fn rustc() -> String {
    let output = Command::new(crate::stubs::rustc_program()).arg("--version").output();
    output.map_or_else(|_| String::new(), |o| String::from_utf8_lossy(&o.stdout).trim().to_owned())
}

/// The time in UTC, to the second.
pub fn now() -> String {
    utc(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

/// Seconds since 1970 as a date and a time.
fn utc(seconds: u64) -> String {
    let leap =
        |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let (mut days, rest) = (seconds / 86_400, seconds % 86_400);
    let (mut year, mut month) = (1970, 0);
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let months = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    while days >= months[month] {
        days -= months[month];
        month += 1;
    }
    let (hours, minutes) = (rest / 3600, rest / 60 % 60);
    format!("{year}-{:02}-{:02} {hours:02}:{minutes:02}:{:02} UTC", month + 1, days + 1, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_knows_leap_years() {
        let dates = [0, 951_782_400, 1_709_164_799, 1_735_689_599].map(utc);
        let wanted = [
            "1970-01-01 00:00:00 UTC",
            "2000-02-29 00:00:00 UTC",
            "2024-02-28 23:59:59 UTC",
            "2024-12-31 23:59:59 UTC",
        ];
        assert_eq!(dates, wanted);
    }

    #[test]
    fn the_system_s_files_are_read() {
        assert_eq!(
            processor("flags\t: a\nmodel name\t: A  B @ 2 GHz\nmodel name\t: C"),
            "A B @ 2 GHz"
        );
        assert_eq!(memory("MemFree: 1 kB\nMemTotal:       2048 kB\n"), 2 << 20);
        assert_eq!((processor(""), memory("MemTotal: many kB")), (String::new(), 0));
    }

    #[test]
    fn other_work_is_worth_a_warning() {
        let machine = |load| Machine { processors: 2, load, ..Machine::default() };
        assert_eq!(machine(Some(0.5)).warning(), None);
        assert_eq!(machine(None).warning(), None);
        let said = machine(Some(1.27)).warning().unwrap();
        assert!(said.starts_with("load average 1.27 on 2 processors at the start"), "{said}");
    }

    #[test]
    fn a_machine_is_what_its_line_says() {
        let machine =
            Machine { processor: "A".into(), load: Some(0.5), quick: true, ..Machine::default() };
        let line = machine.line();
        assert_eq!(line["type"], "machine");
        assert_eq!(Machine::deserialize(&line).unwrap(), machine);
    }
}
