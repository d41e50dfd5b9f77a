//! Executions that do not end: deadlocks, livelocks, loops.

use mapcheck_machine::Fact;

use super::{Class, Violation};

pub(super) fn judge(fact: &Fact) -> Option<Violation> {
    let (class, message) = match fact {
        Fact::Deadlock { waiting } => {
            let n = waiting.len();
            let who = if n == 1 { "the only thread waits" } else { "all threads wait" };
            (Class::Deadlock, format!("{who}, and nothing can wake {}", them(n)))
        }
        Fact::StepLimit { steps } => {
            (Class::Livelock, format!("the execution did not end within {steps} schedule points"))
        }
        Fact::Stuck => {
            let message = "a thread computed for seconds without a schedule point";
            (Class::Livelock, message.to_owned())
        }
        _ => return None,
    };
    Some(Violation { class, message })
}

fn them(n: usize) -> &'static str {
    if n == 1 { "it" } else { "them" }
}
