//! The ways of deleting, and the watch that times each deletion.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::maps::{Subject, Value};

/// How a thread deletes those elements of a map for which something holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    /// Removes each where an iteration meets it.
    Within,
    /// The same, by the map's own `retain`.
    Retain,
    /// Collects their keys, then removes each.
    Collect,
    /// Marks each where an iteration meets it. Readers pass over what is marked, and a sweep takes it out later.
    Mark,
}

impl Way {
    pub fn name(self) -> &'static str {
        match self {
            Way::Within => "within the iteration",
            Way::Retain => "retain",
            Way::Collect => "collect, then remove",
            Way::Mark => "mark, sweep later",
        }
    }

    /// Deletes what is doomed; `doomed` is asked about each element that the iteration shows. What [`Way::Mark`] marks
    /// is still to be swept.
    pub fn delete<M: Subject>(
        self,
        map: &M,
        mut doomed: impl FnMut(u64, &Value) -> bool,
        watch: &mut Watch,
    ) {
        match self {
            Way::Within => map.within(doomed, watch),
            Way::Retain => watch.retaining(doomed, |keep| map.retain(keep)),
            Way::Collect => {
                let mut keys = Vec::new();
                map.for_each(|key, value| keys.extend(doomed(key, value).then_some(key)));
                keys.into_iter().for_each(|key| watch.removal(|| map.remove(key)));
            }
            Way::Mark => map.for_each(|key, value| {
                if doomed(key, value) {
                    watch.time(|| value.mark());
                }
            }),
        }
    }
}

/// Takes out what is marked, with `retain` where the map has it.
pub fn sweep<M: Subject>(map: &M, mut visit: impl FnMut(u64, &Value), watch: &mut Watch) {
    let marked = |key, value: &Value| {
        visit(key, value);
        value.is_marked()
    };
    let way = if M::WAYS.contains(&Way::Retain) { Way::Retain } else { Way::Within };
    way.delete(map, marked, watch);
}

/// Times operations.
pub struct Watch {
    pub latencies: Histogram<u64>,
    /// Removals of keys that were not there.
    pub refused: u64,
}

impl Watch {
    pub fn new() -> Watch {
        let hour = Duration::from_secs(3600).as_nanos() as u64;
        let latencies = Histogram::new_with_bounds(1, hour, 3).expect("these bounds are in order");
        Watch { latencies, refused: 0 }
    }

    fn record(&mut self, since: Instant) {
        self.latencies.saturating_record(since.elapsed().as_nanos() as u64);
    }

    pub fn time<R>(&mut self, operation: impl FnOnce() -> R) -> R {
        let start = Instant::now();
        let result = operation();
        self.record(start);
        result
    }

    /// A removal of one key, which says whether the key was there.
    pub fn removal(&mut self, remove: impl FnOnce() -> bool) {
        let there = self.time(remove);
        self.refused += u64::from(!there);
    }

    /// Hands `retain` a predicate that keeps what is not doomed. A removal takes from there until the predicate is
    /// asked
    /// again, or `retain` returns: with the way to the next element, which nobody can tell from it.
    pub fn retaining<D: FnMut(u64, &Value) -> bool>(
        &mut self,
        mut doomed: D,
        retain: impl FnOnce(&mut dyn FnMut(u64, &Value) -> bool),
    ) {
        let mut removing = None;
        retain(&mut |key, value| {
            removing.take().into_iter().for_each(|since| self.record(since));
            let doomed = doomed(key, value);
            removing = doomed.then(Instant::now);
            !doomed
        });
        removing.into_iter().for_each(|since| self.record(since));
    }
}
