//! The progress line: what all runners together have done.

use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::summary::counted;

/// What takes no longer than this needs no line.
const AT_ONCE: Duration = Duration::from_secs(1);

/// How far the runners have come, and whether that is shown.
#[derive(Debug)]
pub struct Progress {
    watched: bool,
    /// Whether the line is on the screen.
    on_screen: bool,
    /// The last that each runner told.
    told: Vec<Option<Value>>,
    ended: usize,
    /// What is under way, where the runner does not tell how far it is; lines that it has printed, and its begin.
    what: Option<(String, u64, Instant)>,
    /// Executions at the time before last, for the rate.
    before: (Instant, u64),
    rate: f64,
}

impl Progress {
    /// Of so many runners.
    pub fn new(count: usize, watched: bool) -> Self {
        let told = (0..count).map(|_| None).collect();
        let before = (Instant::now(), 0);
        Self { watched, on_screen: false, told, ended: 0, what: None, before, rate: 0.0 }
    }

    /// The same of one runner that is silent for long: the line says what it does, and since when.
    pub fn of(self, what: &str) -> Self {
        Self { what: Some((what.to_owned(), 0, Instant::now())), ..self }
    }

    /// A runner has printed a line.
    pub fn printed(&mut self) {
        if let Some((_, lines, _)) = &mut self.what {
            *lines += 1;
        }
    }

    /// The same where so many executions are made a second.
    pub fn at_rate(self, rate: f64) -> Self {
        Self { rate, ..self }
    }

    /// Whether somebody watches.
    pub fn is_shown(&self) -> bool {
        self.watched
    }

    /// A runner tells how far it is.
    pub fn take(&mut self, number: usize, value: Value) {
        self.told[number] = Some(value);
    }

    /// A runner has ended.
    pub fn ended(&mut self, number: usize) {
        self.ended += 1;
        if let Some(Value::Object(told)) = &mut self.told[number] {
            // Nothing is left of what it was to do.
            ["goal", "time_ms"].into_iter().for_each(|key| drop(told.remove(key)));
        }
    }

    /// Takes the line off the screen, for something else to be printed.
    pub fn clear(&mut self) {
        if self.on_screen {
            write("\r\x1b[2K");
            self.on_screen = false;
        }
    }

    /// Puts the line on the screen, if there is anything to show.
    pub fn show(&mut self) {
        if !self.watched {
            return;
        }
        if self.told.iter().all(Option::is_none) {
            let since = self.what.as_ref().map(|what| what.2.elapsed());
            return self.show_what(since.unwrap_or_default());
        }
        let (then, executions) = self.before;
        let now = self.sum("executions").unwrap_or(0);
        let seconds = then.elapsed().as_secs_f64();
        if let Some(rate) = self.sum("rate") {
            self.rate = rate as f64;
        } else if seconds >= 1.0 {
            self.rate = now.saturating_sub(executions) as f64 / seconds;
            self.before = (Instant::now(), now);
        }
        write(&format!("\r\x1b[2K{}", self.line()));
        self.on_screen = true;
    }

    /// Puts on the screen what is under way for so long, if it is not done at once.
    fn show_what(&mut self, since: Duration) {
        if let Some(line) = self.what_line(since) {
            write(&format!("\r\x1b[2K{line}"));
            self.on_screen = true;
        }
    }

    fn what_line(&self, since: Duration) -> Option<String> {
        let (what, lines, _) = self.what.as_ref().filter(|_| since >= AT_ONCE)?;
        let done = if *lines > 0 { format!("{lines} done, ") } else { String::new() };
        Some(format!("{what}: {done}{}", for_people(since)))
    }

    /// The sum over the runners; `None` if none tells it.
    fn sum(&self, key: &str) -> Option<u64> {
        let numbers = self.told.iter().flatten().filter_map(|told| told[key].as_u64());
        numbers.reduce(u64::saturating_add)
    }

    /// The line's text.
    pub fn line(&self) -> String {
        let names = self.told.iter().flatten().filter_map(|told| told["name"].as_str());
        let mut parts: Vec<String> = names.map(str::to_owned).collect();
        if self.told.len() > 1 {
            parts.push(format!("{} of {} targets done", self.ended, self.told.len()));
        }
        parts.push(counted(self.sum("executions").unwrap_or(0), "execution"));
        parts.push(format!("{:.0}/s", self.rate));
        parts.extend(self.sum("interleavings").map(|n| counted(n, "interleaving")));
        parts.extend(self.sum("features").map(|n| counted(n, "feature")));
        parts.extend(self.sum("inputs").map(|n| counted(n, "input")));
        parts.extend(self.sum("news").map(|n| format!("{n} new")));
        parts.push(counted(self.sum("findings").unwrap_or(0), "finding"));
        parts.extend(self.sum("known").filter(|n| *n > 0).map(|n| format!("{n} known")));
        parts.extend(
            self.sum("remaining").map(|n| format!("by estimate {} left", counted(n, "execution"))),
        );
        parts.extend(self.remainder().map(|left| format!("about {} left", for_people(left))));
        parts.join(", ")
    }

    /// The time that the runners under way still need: what is left of their time, or as long as the rest of their
    /// executions takes at the rate so far. `None` as long as that cannot be told.
    fn remainder(&self) -> Option<Duration> {
        let told = || self.told.iter().flatten();
        let left = |value: &Value, all: &str, done: &str| {
            value[all].as_u64().map(|all| all.saturating_sub(value[done].as_u64().unwrap_or(0)))
        };
        let each = told().filter_map(|v| left(v, "goal", "executions"));
        let executions = each.reduce(u64::saturating_add).unwrap_or(0);
        let by_rate = (executions > 0 && self.rate > 0.0)
            .then(|| Duration::try_from_secs_f64(executions as f64 / self.rate).ok())
            .flatten();
        let by_time = told().filter_map(|v| left(v, "time_ms", "wall_ms")).max();
        let by_time = by_time.map(Duration::from_millis);
        match (by_rate, by_time) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (one, other) => one.or(other),
        }
    }
}

/// `12 s`, `3 min`, `2 h`.
fn for_people(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..=99 => format!("{seconds} s"),
        seconds @ 100..=5999 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{} h", seconds.div_ceil(3600)),
    }
}

/// Writes to stderr, if anybody reads it.
fn write(text: &str) {
    let mut stderr = std::io::stderr();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_line_adds_up_what_the_runners_tell() {
        let mut progress = Progress::new(2, true);
        progress.rate = 100.0;
        progress.take(0, json!({"executions": 1000, "goal": 1500, "findings": 1, "known": 2}));
        let line =
            "0 of 2 targets done, 1,000 executions, 100/s, 1 finding, 2 known, about 5 s left";
        assert_eq!(progress.line(), line);
        progress.take(1, json!({"executions": 50, "findings": 0, "interleavings": 40, "news": 3}));
        assert!(progress.line().contains("1,050 executions, 100/s, 40 interleavings, 3 new, 1 "));
    }

    #[test]
    fn a_runner_that_tells_nothing_has_a_line_with_what_it_does_after_a_second() {
        let mut progress = Progress::new(1, true).of("shrinking");
        assert_eq!(progress.what_line(Duration::from_millis(999)), None);
        assert_eq!(progress.what_line(Duration::from_secs(2)).unwrap(), "shrinking: 2 s");
        progress.printed();
        assert_eq!(
            progress.what_line(Duration::from_secs(200)).unwrap(),
            "shrinking: 1 done, 4 min"
        );
        assert_eq!(Progress::new(1, true).what_line(Duration::from_secs(2)), None);
    }

    #[test]
    fn a_fuzzer_s_line_has_its_features_and_inputs_and_its_own_rate() {
        let mut progress = Progress::new(1, false);
        progress
            .take(0, json!({"name": "m", "executions": 5, "rate": 1, "features": 2, "inputs": 1}));
        assert_eq!(progress.line(), "m, 5 executions, 0/s, 2 features, 1 input, 0 findings");
    }

    #[test]
    fn the_remainder_is_that_of_the_budget_that_ends_first() {
        let mut progress = Progress::new(1, true);
        progress.take(0, json!({"executions": 0, "wall_ms": 1000, "time_ms": 61_000}));
        assert_eq!(progress.remainder(), Some(Duration::from_secs(60)));
        progress.rate = 10.0;
        progress.take(0, json!({"executions": 0, "goal": 50, "wall_ms": 0, "time_ms": 61_000}));
        assert_eq!(progress.remainder(), Some(Duration::from_secs(5)));
        progress.ended(0);
        assert_eq!(progress.remainder(), None);
        // A process prints what it likes.
        let progress = [json!({"goal": u64::MAX}), json!({"goal": u64::MAX, "executions": 1})];
        let mut all = Progress::new(2, true).at_rate(0.5);
        progress.into_iter().enumerate().for_each(|(n, told)| all.take(n, told));
        assert_eq!(all.remainder(), None, "it cannot be told");
        assert_eq!(for_people(Duration::from_secs(601)), "11 min");
    }
}
