//! Executions that somebody asks for one at a time, and wants to know what each has shown: a fuzzer's.

use super::{At, Child, Look, Setting, State};
use crate::scheduler::{Planned, Switch};

/// Points of an execution that are told, at most.
const POINTS: usize = 256;

/// Who says what is executed next.
pub(crate) trait Service {
    /// Waits for that and has `execute` do it, which is false if there can be no other in this process; then nobody is
    /// told that it is done, since a parent knows better how it ended. False if there is nothing more to do.
    fn next(&self, execute: &mut dyn FnMut(Setting<'_>, Planned, Look) -> bool) -> bool;
}

impl Child<'_> {
    pub(super) fn serve(&self, service: &dyn Service) {
        let mut reusable = true;
        while reusable {
            let more = service.next(&mut |setting, planned, look| {
                let Child { recording, eyes, log, stacks, .. } = *self;
                let child = Child { setting, recording, eyes, log, stacks };
                reusable = child.execute_one(planned, look);
                reusable
            });
            if !more {
                return self.recording.enter(State::Finished);
            }
        }
    }

    /// False if there can be no other in this process.
    fn execute_one(&self, mut planned: Planned, look: Look) -> bool {
        self.switch();
        self.recording.forget_shown();
        {
            let eyes = &mut *self.eyes.borrow_mut();
            eyes.open(self.setting.races > 0, look);
            // Each is looked at for itself.
            eyes.coverage.recall(&[]);
            eyes.coverage.know(self.setting.scenario.kinds());
        }
        let reusable = self.explore(&mut planned, 0, self.setting.random, false);
        self.tell_points(&planned, look);
        reusable
    }

    /// Tells where threads could have been switched, evenly spread over the execution; where communication was looked
    /// for, at what several of them touched. And where they were.
    fn tell_points(&self, planned: &Planned, look: Look) {
        let coverage = &self.eyes.borrow().coverage;
        let matters = |granule| look != Look::Everything || coverage.is_shared(granule);
        let points: Vec<_> = planned.points().iter().filter(|p| matters(p.granule)).collect();
        let every = points.len().div_ceil(POINTS).max(1);
        for point in points.iter().step_by(every) {
            let (thread, label, offset) = (point.thread, point.label, point.offset);
            self.recording.pass(At { thread, label, offset });
        }
        for (thread, switch) in planned.made() {
            let Switch { label, offset, to } = *switch;
            self.recording.switch(At { thread: *thread, label, offset }, to);
        }
    }
}
