//! The tree of executions, of which a depth-first search keeps the path to where it is.

use mapcheck_machine::ThreadId;

use super::op::{MOST_THREADS, Threads, members, only};

/// Words of a packed node.
const WORDS: usize = 3;
/// Below the step, in a packed node.
const LOW_BITS: u32 = 8;

/// A point of the execution at which more than one thread could go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// Schedule points of all threads before it.
    pub step: u64,
    /// What the threads have done before and are about to do: it must be the same whenever the search comes here.
    pub sight: u64,
    /// The thread that goes on.
    pub chosen: ThreadId,
    /// Threads that go on there in some execution of the search.
    pub todo: Threads,
    /// Of these, the ones whose executions have all been made.
    pub done: Threads,
    /// Threads whose executions are all equivalent to ones made before.
    pub sleep: Threads,
    /// Those of `done` and `sleep` in whose step an operation returns.
    pub responds: Threads,
}

impl Node {
    /// Threads that go on in executions still to be made, the chosen one among them.
    fn open(&self) -> Threads {
        (self.todo | only(self.chosen as usize)) & !self.done & !self.sleep
    }

    fn pack(&self) -> [u64; WORDS] {
        let sets = [self.todo, self.done, self.sleep, self.responds];
        let sets = sets.iter().fold(0, |word, set| word << 16 | u64::from(*set));
        [sets, self.step << LOW_BITS | u64::from(self.chosen), self.sight]
    }

    fn unpack(words: &[u64]) -> Node {
        let set = |i: u32| (words[0] >> (16 * i)) as Threads;
        let chosen = (words[1] as usize & (MOST_THREADS - 1)) as ThreadId;
        Node {
            step: words[1] >> LOW_BITS,
            sight: words[2],
            chosen,
            todo: set(3),
            done: set(2),
            sleep: set(1),
            responds: set(0),
        }
    }
}

/// The path.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tree {
    /// From the root.
    pub nodes: Vec<Node>,
    /// How many of them the execution under way has passed.
    pub depth: usize,
}

impl Tree {
    /// The node that the execution comes to next, if it has been there before.
    pub(super) fn next(&self) -> Option<&Node> {
        self.nodes.get(self.depth)
    }

    /// Whether the execution has come to where it differs from all before it.
    pub(super) fn is_new(&self) -> bool {
        self.depth >= self.nodes.len()
    }

    /// Adds a node and passes it.
    pub(super) fn push(&mut self, node: Node) {
        self.nodes.push(node);
        self.depth = self.nodes.len();
    }

    /// Goes to the next execution; false if there is none.
    pub(super) fn advance(&mut self) -> bool {
        self.depth = 0;
        while let Some(node) = self.nodes.last_mut() {
            node.done |= only(node.chosen as usize);
            if let Some(next) = members(node.todo & !node.done & !node.sleep).next() {
                node.chosen = next as ThreadId;
                return true;
            }
            self.nodes.pop();
        }
        false
    }

    /// The share of the executions that have been made, if at each node all threads had as many: what Kilby, Slaney,
    /// Thiébaux and Walsh, *Estimating Search Tree Size*, AAAI 2006, weigh by.
    pub(super) fn made(&self) -> f64 {
        let (mut share, mut made) = (1.0, 0.0);
        for node in &self.nodes {
            let done = f64::from((node.done & !node.sleep).count_ones());
            let all = done + f64::from(node.open().count_ones());
            made += share * done / all.max(1.0);
            share /= all.max(1.0);
        }
        made
    }

    pub(super) fn pack(&self, words: &mut Vec<u64>) {
        words.extend(self.nodes.iter().flat_map(Node::pack));
    }

    pub(super) fn unpack(words: &[u64]) -> Tree {
        Tree { nodes: words.chunks_exact(WORDS).map(Node::unpack).collect(), depth: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(step: u64, todo: Threads) -> Node {
        let sight = step ^ 77;
        Node { step, sight, chosen: 0, todo, done: 0, sleep: 0, responds: 0 }
    }

    #[test]
    fn a_search_makes_what_is_to_be_done_once_and_the_share_made_grows_to_all() {
        let mut tree = Tree::default();
        let (mut leaves, mut made) = (0, 0.0);
        loop {
            while tree.nodes.len() < 3 {
                tree.push(node(tree.nodes.len() as u64, 0b111));
            }
            leaves += 1;
            assert!((tree.made() - made).abs() < 1e-9, "{} {made}", tree.made());
            made += 1.0 / 27.0;
            if !tree.advance() {
                break;
            }
        }
        assert_eq!(leaves, 27);
    }

    #[test]
    fn the_packed_form_round_trips() {
        let mut tree = Tree::default();
        for i in 0..5_u16 {
            let step = 1000 * u64::from(i);
            let sets = Node { done: i, sleep: 3 * i, responds: 5 * i, ..node(step, 0xffff) };
            tree.nodes.push(Node { chosen: u32::from(i) + 11, ..sets });
        }
        let mut words = Vec::new();
        tree.pack(&mut words);
        assert_eq!(Tree::unpack(&words), tree);
    }
}
