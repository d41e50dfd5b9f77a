//! What a search has covered, as data and as a sentence.

use std::fmt;

use super::Limit;
use crate::text::grouped;

/// What an exhaustive search has covered so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// What it is to cover.
    pub limit: Limit,
    /// The bound of the executions made last; `None` where there is none.
    pub bound: Option<u64>,
    /// Executions made, those of smaller bounds and repeated rounds included.
    pub executions: u64,
    /// Of these, ones that were equivalent to earlier ones, as turned out on the way.
    pub redundant: u64,
    /// Whether nothing is left to do: [`Scheduler::begin`] must not be called again.
    pub complete: bool,
    /// How many executions are left in the round under way, if the rest of it is like what was made: those of larger
    /// bounds are not counted, nor those that the rest will add. `None` before the first, and once complete.
    pub remaining: Option<u64>,
    /// Whether the same choices led to other steps: the code under test is not a function of them.
    pub diverged: bool,
    /// Whether there were more than 16 threads, which it cannot tell apart.
    pub crowded: bool,
    /// Executions in which the machine let the threads take turns, so that some steps were not seen.
    pub unseen: u64,
    /// Units of 8 bytes that threads contend for; 0 without a bound, where it does not matter.
    pub contended: u64,
}

impl Coverage {
    /// Of a search that has made so many executions and is not complete.
    pub(in crate::scheduler) fn of(limit: Limit, executions: u64) -> Coverage {
        Coverage {
            limit,
            bound: None,
            executions,
            redundant: 0,
            complete: false,
            remaining: None,
            diverged: false,
            crowded: false,
            unseen: 0,
            contended: 0,
        }
    }

    /// Whether there is nothing left to do, or no use in it.
    pub fn is_over(&self) -> bool {
        self.complete || self.diverged || self.crowded
    }

    /// Whether the search has covered all that the limit says: it is complete, and nothing went wrong in it.
    pub fn holds(&self) -> bool {
        self.complete && !self.diverged && !self.crowded && self.unseen == 0
    }
}

impl fmt::Display for Coverage {
    /// What was covered, and nothing that was not: `all schedules with at most 2 preemptions, up to equivalence: 41,803
    /// executions`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let executions = counted(self.executions);
        if self.diverged {
            return write!(
                f,
                "nothing is claimed after {executions}: the same choices led to other steps, so the code under test \
                 depends on something else"
            );
        }
        if self.crowded {
            return write!(
                f,
                "nothing is claimed after {executions}: there are more than 16 threads"
            );
        }
        let all = match self.limit {
            Limit::Unbounded => "all schedules".to_owned(),
            Limit::Preemptions(bound) => {
                format!("all schedules with at most {}", times(bound, "preemption"))
            }
            Limit::Delays(bound) => format!("all schedules with at most {}", times(bound, "delay")),
            Limit::EachFault => "one fault at every point, threads one after the other".to_owned(),
        };
        if !self.complete {
            return self.write_part(f, &all, &executions);
        }
        if self.limit == Limit::EachFault {
            return write!(f, "{all}: {executions}");
        }
        write!(f, "{all}, up to equivalence: {executions}")?;
        match self.unseen {
            0 => Ok(()),
            n => write!(
                f,
                "; but in {} threads took turns, and what they did then is not covered",
                counted(n)
            ),
        }
    }
}

impl Coverage {
    fn write_part(&self, f: &mut fmt::Formatter<'_>, all: &str, executions: &str) -> fmt::Result {
        write!(f, "a part of {all}: {executions}")?;
        match (self.limit, self.bound) {
            (Limit::Preemptions(_), Some(n)) if n > 0 => {
                write!(f, "; complete with at most {}", times(n - 1, "preemption"))?;
            }
            (Limit::Delays(_), Some(n)) if n > 0 => {
                write!(f, "; complete with at most {}", times(n - 1, "delay"))?;
            }
            _ => {}
        }
        match self.remaining {
            // An estimate from so little says nothing.
            Some(left) if left < 1000 * self.executions => {
                write!(f, "; by estimate {} left in this round", counted(left))
            }
            _ => Ok(()),
        }
    }
}

/// `2 preemptions`, `41,803 executions`.
fn times(n: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(n), if n == 1 { "" } else { "s" })
}

fn counted(n: u64) -> String {
    times(n, "execution")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coverage() -> Coverage {
        Coverage {
            bound: Some(2),
            complete: true,
            contended: 7,
            ..Coverage::of(Limit::Preemptions(2), 41_803)
        }
    }

    #[test]
    fn what_is_complete_is_called_all_and_nothing_else_is() {
        let told = coverage().to_string();
        assert_eq!(
            told,
            "all schedules with at most 2 preemptions, up to equivalence: 41,803 executions"
        );
        let part = Coverage { complete: false, remaining: Some(1000), ..coverage() }.to_string();
        assert_eq!(
            part,
            "a part of all schedules with at most 2 preemptions: 41,803 executions; complete with at most 1 \
             preemption; by estimate 1,000 executions left in this round"
        );
        for doubtful in
            [Coverage { diverged: true, ..coverage() }, Coverage { crowded: true, ..coverage() }]
        {
            assert!(doubtful.to_string().starts_with("nothing is claimed"), "{doubtful}");
            assert!(!doubtful.holds() && doubtful.is_over());
        }
        let unseen = Coverage { unseen: 1, ..coverage() };
        assert!(unseen.to_string().ends_with("not covered") && !unseen.holds());
    }
}
