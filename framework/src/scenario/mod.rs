//! Scenarios: which operations run on which thread.

pub(crate) mod bytes;
pub mod families;
mod generate;
pub(crate) mod history;
mod op;
mod run;

use std::fs;
use std::path::Path;

use crate::text::{Section, Writer};

pub use arbitrary::Unstructured;
pub use op::{Keys, Op, OpError, Visit};
pub(crate) use run::text_of;
pub use run::{freed_by_map, guarded, inconclusive, run};

/// A small concurrent program against a map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scenario {
    /// Its name, unique: `delete-unvisited/at/grow-during`.
    pub name: String,
    /// The family it belongs to, see [`families::FAMILIES`].
    pub family: String,
    /// How many keys that follow each other hash alike, so that they collide in maps that hash: with 4 the keys 0 to 3,
    /// then 4 to 7. Where it is 0 or 1, no key is made to collide. The fault `hash-collisions`, where it is injected,
    /// takes precedence.
    pub collide: u32,
    /// Whether the map is built from the leading inserts of the setup in one go, where it can be.
    pub elements: bool,
    /// What the root thread does first.
    pub setup: Vec<Op>,
    /// What each thread does.
    pub threads: Vec<Vec<Op>>,
    /// What the root thread does when all of them have ended, before it drops the map.
    pub teardown: Vec<Op>,
}

/// An operation of a scenario, told for a reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Index into [`Scenario::threads`]; `None` for setup, teardown and the drop of the map.
    pub thread: Option<usize>,
    /// What that thread is there for: `thread 1: iterator`, `setup`, `teardown`. Threads are numbered from 1 here, as
    /// virtual threads are.
    pub role: String,
    /// The operation's text form, or `drop`.
    pub text: String,
}

impl Scenario {
    /// The operation that a label stands for.
    ///
    /// Labels number the operations from 1: setup, each thread in turn, teardown, and last the drop of the map.
    /// `None` for 0 and for labels beyond.
    pub fn operation(&self, label: u32) -> Option<Operation> {
        let mut left = (label as usize).checked_sub(1)?;
        for (thread, ops) in self.sections() {
            if let Some(op) = ops.get(left) {
                let role = self.role(thread, label as usize <= self.setup.len());
                return Some(Operation { thread, role, text: op.to_string() });
            }
            left -= ops.len();
        }
        (left == 0).then(|| Operation {
            thread: None,
            role: "teardown".to_owned(),
            text: "drop".to_owned(),
        })
    }

    /// Index into [`Scenario::threads`] of the one whose operation has this label.
    pub(crate) fn thread_of(&self, label: u32) -> Option<usize> {
        (0..self.threads.len()).find(|i| {
            let first = self.first_label(*i);
            (first..first + self.threads[*i].len() as u32).contains(&label)
        })
    }

    /// The label of the drop of the map, the last there is.
    pub fn last_label(&self) -> u32 {
        self.operations() as u32 + 1
    }

    /// How many operations it has, without the drop of the map.
    pub fn operations(&self) -> usize {
        self.sections().map(|(_, ops)| ops.len()).sum()
    }

    /// A word for each thread: what it is there for.
    pub fn roles(&self) -> Vec<&'static str> {
        self.threads.iter().map(|ops| role_of(ops)).collect()
    }

    /// The label of the first operation of a thread; of the teardown for the number of threads.
    pub(crate) fn first_label(&self, thread: usize) -> u32 {
        let before = self.threads[..thread].iter().map(Vec::len).sum::<usize>();
        (1 + self.setup.len() + before) as u32
    }

    /// The operations in the order of their labels, without the drop of the map.
    pub(crate) fn all_ops(&self) -> impl Iterator<Item = &Op> {
        self.sections().flat_map(|(_, ops)| ops)
    }

    fn sections(&self) -> impl Iterator<Item = (Option<usize>, &[Op])> {
        let threads = self.threads.iter().enumerate().map(|(i, ops)| (Some(i), &**ops));
        std::iter::once((None, &*self.setup))
            .chain(threads)
            .chain(std::iter::once((None, &*self.teardown)))
    }

    fn role(&self, thread: Option<usize>, in_setup: bool) -> String {
        match thread {
            Some(i) => format!("thread {}: {}", i + 1, role_of(&self.threads[i])),
            None if in_setup => "setup".to_owned(),
            None => "teardown".to_owned(),
        }
    }

    /// Writes the scenario: `name`, `family`, `collide` (only when not 0), `elements` (only when true), `setup`,
    /// `threads`, `teardown`.
    pub(crate) fn write(&self, to: &mut Writer) {
        let texts = |ops: &Vec<Op>| ops.iter().map(Op::to_string).collect::<Vec<_>>();
        to.text("name", &self.name);
        to.text("family", &self.family);
        if self.collide > 0 {
            to.number("collide", self.collide.into());
        }
        if self.elements {
            to.flag("elements", true);
        }
        to.texts("setup", &texts(&self.setup));
        to.text_lists("threads", &self.threads.iter().map(texts).collect::<Vec<_>>());
        to.texts("teardown", &texts(&self.teardown));
    }

    /// Reads a scenario from a file of its own: the keys that `[scenario]` has in a repro.
    ///
    /// # Errors
    /// A sentence that begins with the file's name.
    pub fn load(path: &Path) -> Result<Scenario, String> {
        let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        Scenario::from_text(&text).map_err(|what| format!("{} {what}", path.display()))
    }

    /// Reads the text of such a file.
    ///
    /// # Errors
    /// A fragment that goes on after the file's name.
    pub fn from_text(text: &str) -> Result<Scenario, String> {
        crate::text::parse(text, Scenario::read)
            .map_err(|what| format!("is not a scenario: {what}"))
    }

    /// The text of a file of its own.
    pub fn to_text(&self) -> String {
        let mut to = Writer::default();
        self.write(&mut to);
        to.0
    }

    /// Reads what [`Scenario::write`] wrote. `collide`, `elements`, `setup` and `teardown` may be left out.
    ///
    /// The error is a sentence that names the key that is missing, unknown or malformed.
    pub(crate) fn read(from: &Section<'_>) -> Result<Scenario, String> {
        from.only(&["name", "family", "collide", "elements", "setup", "threads", "teardown"])?;
        let threads = from.text_lists("threads")?;
        Ok(Scenario {
            name: from.text("name")?,
            family: from.text("family")?,
            collide: collide(from)?,
            elements: from.flag("elements")?,
            setup: ops("setup", &from.texts("setup")?)?,
            threads: threads.iter().map(|t| ops("threads", t)).collect::<Result<_, _>>()?,
            teardown: ops("teardown", &from.texts("teardown")?)?,
        })
    }
}

fn collide(from: &Section<'_>) -> Result<u32, String> {
    let n = if from.has("collide") { from.number("collide")? } else { 0 };
    n.try_into().map_err(|_| format!("`collide`: {n} is too large"))
}

fn ops(key: &str, texts: &[String]) -> Result<Vec<Op>, String> {
    let op = |text: &String| text.parse().map_err(|error: OpError| format!("`{key}`: {error}"));
    texts.iter().map(op).collect()
}

/// A word for what a thread with these operations is there for.
fn role_of(ops: &[Op]) -> &'static str {
    let inserts = ops.iter().any(|op| matches!(op, Op::Insert(_)));
    let removes = ops
        .iter()
        .any(|op| matches!(op, Op::Remove(_) | Op::ExitRemove(_) | Op::Clear | Op::RetainEven));
    match (inserts, removes) {
        _ if ops.iter().any(|op| matches!(op, Op::Iterate { .. })) => "iterator",
        (true, true) => "writer",
        (true, false) => "inserter",
        (false, true) => "remover",
        (false, false) => "reader",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario() -> Scenario {
        let ops = |text: &str| text.split(", ").map(|op| op.parse().unwrap()).collect::<Vec<Op>>();
        Scenario {
            name: "concurrent-write/at".into(),
            family: "concurrent-write".into(),
            collide: 4,
            elements: true,
            setup: ops("insert 0..8, len"),
            threads: vec![
                ops("iterate hold"),
                ops("remove 3, insert 3, reclaim"),
                ops("get 3, reclaim"),
            ],
            teardown: ops("reclaim"),
        }
    }

    fn text(scenario: &Scenario) -> String {
        let mut writer = Writer::default();
        scenario.write(&mut writer);
        writer.0
    }

    #[test]
    fn the_text_of_a_scenario_round_trips() {
        let read = |scenario: &Scenario| crate::text::parse(&text(scenario), Scenario::read);
        assert_eq!(read(&scenario()).unwrap(), scenario());
        let plain = Scenario { collide: 0, elements: false, ..scenario() };
        assert!(!text(&plain).contains("elements") && !text(&plain).contains("collide"));
        assert_eq!(read(&plain).unwrap(), plain);
        let alone = Scenario { collide: 1, ..scenario() };
        assert_eq!(
            read(&alone).unwrap(),
            alone,
            "one key does not collide, and is written all the same"
        );
    }

    #[test]
    fn a_malformed_scenario_is_refused_with_a_message_that_names_the_key() {
        let error = |text: &str| crate::text::parse(text, Scenario::read).unwrap_err();
        assert!(error("name = 'a'\nfamily = 'b'").contains("`threads`"));
        assert!(error("name = 'a'\nfamily = 'b'\nthreads = [['hop']]").contains("`hop`"));
        assert!(error("name = 1\nfamily = 'b'\nthreads = []").contains("`name`"));
        assert!(error("speed = 1").contains("`speed`"));
        assert!(
            error("name = 'a'\nfamily = 'b'\nthreads = []\ncollide = 'x'").contains("`collide`")
        );
        assert!(
            error("name = 'a'\nfamily = 'b'\nthreads = []\ncollide = 4294967296")
                .contains("too large")
        );
    }

    #[test]
    fn labels_number_setup_threads_teardown_and_the_drop() {
        let scenario = scenario();
        let all: Vec<Operation> = (1..).map_while(|label| scenario.operation(label)).collect();
        let told: Vec<String> = all.iter().map(|o| format!("{} = {}", o.role, o.text)).collect();
        assert_eq!(
            told[..3],
            ["setup = insert 0..8", "setup = len", "thread 1: iterator = iterate hold"]
        );
        assert_eq!(told[3], "thread 2: writer = remove 3");
        assert_eq!(told[6..8], ["thread 3: reader = get 3", "thread 3: reader = reclaim"]);
        assert_eq!(told[8..], ["teardown = reclaim", "teardown = drop"]);
        assert_eq!(all[3].thread, Some(1));
        assert_eq!(scenario.last_label() as usize, all.len());
        assert_eq!((scenario.first_label(1), scenario.first_label(3)), (4, 9));
        assert_eq!(scenario.operation(0), None);
    }
}
