//! Source sets and sleep sets.

use super::Exhaustive;
use super::course::Course;
use super::op::{Op, Threads, members, only};
use super::tree::Tree;

impl Exhaustive {
    /// Wakes the threads whose next step conflicts with the event that has just been completed.
    pub(super) fn wake(&mut self) {
        let run = &mut self.run;
        let Some(event) = run.course.events.last() else { return };
        let own = only(event.thread);
        if let (Some(node), true) = (event.node, event.op.responds) {
            self.tree.nodes[node].responds |= own;
        }
        let lanes = &run.course.lanes;
        let conflicts = |&thread: &usize| {
            let responds = run.responds & only(thread) != 0;
            Op { responds, ..lanes[thread].op() }.conflicts(&event.op)
        };
        let woken = members(run.sleep).filter(conflicts).fold(own, |set, t| set | only(t));
        run.sleep &= !woken;
        run.responds &= run.sleep;
    }

    /// Has each race of the execution turned around in a later one. If it was `stopped` while several threads could run,
    /// what they were about to do races too, and each may come before what stopped it.
    pub(super) fn turn_races_around(&mut self, stopped: bool) {
        let course = &mut self.run.course;
        let mut races = std::mem::take(&mut course.races);
        if stopped && !self.run.redundant {
            stop(course, &mut self.tree);
            races.append(&mut course.races);
        }
        for (first, second) in races {
            if second >= self.run.first_new {
                turn_around(&self.run.course, &mut self.tree, first, second);
            }
        }
    }
}

/// Puts a thread on the list of the node before the first event, with which the second comes first.
fn turn_around(course: &Course, tree: &mut Tree, first: usize, second: usize) {
    let event = &course.events[first];
    let Some(node) = event.node.filter(|_| !event.settled) else { return };
    let initials: Threads = course.initials(first, second);
    let node = &mut tree.nodes[node];
    if initials & (node.todo | node.done | node.sleep) == 0 {
        let first = members(initials & event.enabled).next();
        node.todo |= first.map_or(0, only);
    }
}

/// Takes the next steps of all threads as taken, so that their races are found; the last event, which ended the
/// execution, is preceded by each of them in a later one.
fn stop(course: &mut Course, tree: &mut Tree) {
    let Some(last) = course.events.last() else { return };
    let (thread, enabled) = (last.thread, last.enabled);
    if let Some(node) = last.node {
        tree.nodes[node].todo |= enabled;
    }
    for other in members(enabled & !only(thread)) {
        course.open(other, enabled, None, 0);
        course.complete(None);
    }
}
