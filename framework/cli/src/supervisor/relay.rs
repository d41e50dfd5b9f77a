//! What several processes print, as if they ran one after the other.

use std::collections::VecDeque;
use std::io::Write as _;

/// Where a line goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// To stdout.
    Out,
    /// To stderr.
    Err,
}

/// The lines of the earliest process that has not ended are handed on at once, those of later ones in their turn.
pub(super) struct Relay<'a> {
    on_line: &'a mut dyn FnMut(&[u8]),
    /// The process whose turn it is.
    turn: usize,
    held: VecDeque<Held>,
}

/// What is held back of a process.
#[derive(Default)]
struct Held {
    lines: Vec<(Stream, Vec<u8>)>,
    ended: bool,
}

impl<'a> Relay<'a> {
    /// For so many processes.
    pub(super) fn new(count: usize, on_line: &'a mut dyn FnMut(&[u8])) -> Self {
        Self { on_line, turn: 0, held: (0..count).map(|_| Held::default()).collect() }
    }

    /// A line of a process, with its line feed.
    pub(super) fn line(&mut self, number: usize, stream: Stream, line: Vec<u8>) {
        match number.checked_sub(self.turn) {
            Some(later @ 1..) => self.held[later].lines.push((stream, line)),
            _ => self.print(stream, &line),
        }
    }

    /// A process has ended.
    pub(super) fn ended(&mut self, number: usize) {
        if let Some(held) = number.checked_sub(self.turn).and_then(|at| self.held.get_mut(at)) {
            held.ended = true;
        }
        while self.held.front().is_some_and(|held| held.ended) {
            self.held.pop_front();
            self.turn += 1;
            let next = self.held.front_mut().map(|held| std::mem::take(&mut held.lines));
            next.into_iter().flatten().for_each(|(stream, line)| self.print(stream, &line));
        }
    }

    fn print(&mut self, stream: Stream, line: &[u8]) {
        match stream {
            Stream::Out => (self.on_line)(line),
            Stream::Err => {
                // Nobody may be reading any more.
                let _ = std::io::stderr().write_all(line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_in_the_order_of_the_processes() {
        let mut printed = Vec::new();
        let mut on_line = |line: &[u8]| printed.push(String::from_utf8_lossy(line).into_owned());
        let mut relay = Relay::new(3, &mut on_line);
        let line = |relay: &mut Relay<'_>, number, text: &str| {
            relay.line(number, Stream::Out, text.as_bytes().to_vec());
        };
        line(&mut relay, 2, "c1");
        line(&mut relay, 0, "a1");
        line(&mut relay, 1, "b1");
        relay.ended(1);
        line(&mut relay, 0, "a2");
        relay.ended(0);
        line(&mut relay, 2, "c2");
        relay.ended(2);
        assert_eq!(printed, ["a1", "a2", "b1", "c1", "c2"]);
    }
}
