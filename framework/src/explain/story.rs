//! The plot of a finding in words: who used what, how they had come to it, who took it away, and why.

use mapcheck_machine::{Fact, Stack, Stamp};

use super::flow::{At, Flow, callers, in_common, same_operation};
use super::plot::{Cut, Look, Plot, Retirement};
use crate::log::Note;
use crate::oracle::{self, Class};
use crate::report::{self, Place};
use crate::scenario::Scenario;
use crate::worker::tape::{Held, Studied};

/// Places that are named as those to look at first.
const SUSPECTS: usize = 3;
/// Looks that are told.
const LOOKS: usize = 2;

/// Why a place with this role is one to look at.
const REASONS: [(&str, &str); 14] = [
    ("used", "used it"),
    ("raced", "used the same memory"),
    ("read", "read what then changed"),
    ("changed", "changed it in between"),
    ("again", "read it again, changed"),
    ("loaded", "loaded the pointer"),
    ("entered", "came in here"),
    ("published", "had put the pointer there"),
    ("unlinked", "took the pointer away"),
    ("retired", "retired it"),
    ("freed", "freed it"),
    ("looked", "looked whether it may"),
    ("guarded", "told only then that it used it"),
    ("stored", "had stored what was found then"),
];

/// A step of the way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Used, loaded, published, unlinked, retired, freed, allocated, …
    pub role: &'static str,
    pub at: Stamp,
    /// Completes "thread 1 …".
    pub what: String,
    /// More of it; may be empty.
    pub note: String,
    /// The map's own lines, the innermost first.
    pub places: Vec<Place>,
}

/// A place to look at first, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Suspect {
    pub why: &'static str,
    pub places: Vec<Place>,
}

/// What is told of a finding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Story {
    pub summary: Vec<String>,
    pub suspects: Vec<Suspect>,
    pub walk: Vec<Line>,
    /// Why the block was believed to be free.
    pub why: Vec<String>,
}

/// The steps of which the stacks are wanted.
pub(super) fn steps(flow: &Flow<'_>, plot: &Plot) -> Vec<u64> {
    let end = &plot.end;
    let mut all: Vec<At> = Vec::new();
    for arrival in plot.path.iter().chain(&end.brought) {
        all.extend([Some(arrival.load), arrival.store].into_iter().flatten());
    }
    for look in end.looks.iter().chain(&plot.looked) {
        all.extend([Some(look.at), look.writer, look.later].into_iter().flatten());
    }
    all.extend(end.unlinked.iter().chain(&end.lost).map(|cut| cut.at));
    all.extend(plot.nothing.map(|(at, _)| at));
    all.extend(plot.raced);
    all.extend(plot.clash.iter().flat_map(|clash| [clash.read, clash.changed, clash.again]));
    if let [Retirement::Stored(at)] = end.retired[..] {
        all.push(at);
    }
    let mut steps: Vec<u64> = all.into_iter().map(|at| flow.moment(at).touch.step).collect();
    steps.push(plot.user.at.step);
    steps.extend(plot.block.map(|block| flow.tape.blocks[block].alloc.step));
    steps
}

/// Tells the story.
pub(super) fn story(
    flow: &Flow<'_>,
    plot: &Plot,
    studied: &Studied<'_>,
    scenario: &Scenario,
    home: &str,
) -> Story {
    let teller = Teller { flow, plot, studied, scenario, home };
    let walk = teller.walk();
    let suspects = teller.suspects(&walk);
    Story { summary: teller.summary(), suspects, walk, why: teller.why() }
}

struct Teller<'a> {
    flow: &'a Flow<'a>,
    plot: &'a Plot,
    studied: &'a Studied<'a>,
    scenario: &'a Scenario,
    home: &'a str,
}

/// A number of bytes.
fn bytes(n: usize) -> String {
    oracle::pointer::bytes(n)
}

impl Teller<'_> {
    // Words.

    /// `thread 1`; the root thread by what it does.
    fn thread(&self, at: &Stamp) -> String {
        match at.thread {
            0 => "the root thread".to_owned(),
            thread => format!("thread {thread}"),
        }
    }

    /// `thread 1 in `iterate``.
    fn who(&self, at: &Stamp) -> String {
        match self.operation(at.label) {
            operation if operation.is_empty() => self.thread(at),
            operation => format!("{} in `{operation}`", self.thread(at)),
        }
    }

    fn operation(&self, label: u32) -> String {
        self.scenario.operation(label).filter(|_| label > 0).map_or_else(String::new, |o| o.text)
    }

    fn stamp(&self, at: At) -> Stamp {
        self.flow.stamp(at)
    }

    /// The stack of a step.
    fn stack(&self, step: u64) -> Stack {
        self.studied.tape.stacks.get(&step).cloned().unwrap_or_default()
    }

    fn places(&self, at: At) -> Vec<Place> {
        report::places(&self.stack(self.stamp(at).step))
    }

    /// The innermost place of the map's crate.
    fn site<'p>(&self, places: &'p [Place]) -> Option<&'p Place> {
        report::site_of(places, self.home)
    }

    /// ` at src/map.rs:12`; nothing where no place is known.
    fn at_site(&self, places: &[Place]) -> String {
        self.site(places).map_or_else(String::new, |place| format!(" at {}", place.site))
    }

    /// Where a word lies: `8 bytes into the block`, `16 bytes into a block of 64 bytes from `insert 3``.
    fn whereabouts(&self, word: &Held) -> String {
        let tape = self.studied.tape;
        let Some(holder) = tape.block_at(word.addr) else {
            return "outside the heap".to_owned();
        };
        let offset = word.addr - tape.blocks[holder].addr;
        if Some(holder) == self.plot.block {
            return format!("{} into the block", bytes(offset));
        }
        let size = tape.blocks[holder].size;
        let from = match self.operation(tape.blocks[holder].alloc.label) {
            operation if operation.is_empty() => String::new(),
            operation => format!(" from `{operation}`"),
        };
        format!("{} into a block of {}{from}", bytes(offset), bytes(size))
    }

    // The walk.

    fn line(&self, role: &'static str, at: At, what: impl Into<String>, note: String) -> Line {
        Line { role, at: self.stamp(at), what: what.into(), note, places: self.places(at) }
    }

    fn walk(&self) -> Vec<Line> {
        let mut walk = vec![self.used()];
        walk.extend(self.raced());
        walk.extend(self.clashed());
        walk.extend(self.found_nothing());
        walk.extend(self.loaded());
        walk.extend(self.cuts());
        walk.extend(self.retired());
        walk.extend(self.freed());
        walk.extend(self.looked());
        walk.extend(self.allocated());
        // What belongs to no code of the map and no operation says nothing.
        walk.retain(|line| line.role == "used" || !line.places.is_empty() || line.at.label > 0);
        walk
    }

    /// The stack that tells where the finding was made: where another thread had used the block, that one's.
    fn used_places(&self) -> Vec<Place> {
        match (self.is_race(), self.user_is_earlier()) {
            (true, true) => report::places(&self.stack(self.plot.user.at.step)),
            _ => report::places(self.studied.stack),
        }
    }

    fn is_race(&self) -> bool {
        matches!(self.studied.found.fact, Fact::Race { .. })
    }

    /// Whether who used the block did so before it was freed, and nothing orders the two.
    fn user_is_earlier(&self) -> bool {
        self.plot.user.at.step < self.studied.found.at.step
    }

    fn used(&self) -> Line {
        let fact = &self.studied.found.fact;
        let what = match fact {
            Fact::Race { earlier, .. } if self.user_is_earlier() => {
                format!(
                    "{} the block, and nothing ordered that before the free",
                    oracle::verb_of(earlier.kind)
                )
            }
            Fact::BadAccess { access, block } if self.plot.end.freed.is_some() => {
                let offset =
                    block.as_ref().map_or(0, |b| access.addr.wrapping_sub(b.addr) as isize);
                let verb = oracle::verb_of(access.kind);
                format!("{verb} {} at byte {offset} of the block", bytes(access.size))
            }
            Fact::DoubleFree { .. } | Fact::Told { class: "double-free", .. } => {
                "freed again the block".to_owned()
            }
            _ if self.plot.nothing.is_some() => "followed a pointer that was null".to_owned(),
            Fact::Signal { .. } => format!("crashed: {}", self.studied.finding.message),
            _ => self.studied.finding.message.clone(),
        };
        let (at, places) = (self.plot.user.at, self.used_places());
        if self.is_about_memory() {
            return Line { role: "used", at, what, note: String::new(), places };
        }
        let verb = oracle::verb(fact).to_owned();
        Line { role: "used", at, what: verb, note: self.studied.finding.message.clone(), places }
    }

    /// The other access of a data race that is about no freed block.
    fn raced(&self) -> Option<Line> {
        let at = self.plot.raced?;
        let verb = oracle::verb_of(self.flow.moment(at).touch.access.kind);
        let what = format!("{verb} the same memory, and nothing orders the two");
        Some(self.line("raced", at, what, String::new()))
    }

    /// What changed between two looks of the operation that went wrong.
    fn clashed(&self) -> Vec<Line> {
        let Some(clash) = &self.plot.clash else { return Vec::new() };
        let place = self.whereabouts(&clash.word);
        let found = self.value(&clash.word);
        let again = format!("read it again, and found {found}");
        vec![
            self.line("again", clash.again, again, place.clone()),
            self.line("changed", clash.changed, "changed a word in between", place.clone()),
            self.line("read", clash.read, "read a word", place),
        ]
    }

    fn found_nothing(&self) -> Option<Line> {
        let (at, word) = self.plot.nothing.as_ref()?;
        Some(self.line("loaded", *at, "loaded null", self.whereabouts(word)))
    }

    /// How the pointer reached its user, and who had put it there.
    fn loaded(&self) -> Vec<Line> {
        let Some(first) = self.plot.path.first() else { return Vec::new() };
        let what = match self.plot.nothing {
            Some(_) => "loaded the pointer to where that is",
            None => "loaded the pointer",
        };
        let mut lines = vec![self.line("loaded", first.load, what, self.whereabouts(&first.word))];
        if let Some(store) = first.store {
            let what = "put the pointer where it was loaded from";
            lines.push(self.line("published", store, what, self.whereabouts(&first.word)));
        }
        if let Some(nth) = self.entry() {
            let arrival = &self.plot.path[nth];
            let what = "began with a pointer that led there";
            lines.push(self.line("entered", arrival.load, what, self.whereabouts(&arrival.word)));
        }
        lines
    }

    /// Where the operation that loaded the pointer came in: the last of the path whose place is known.
    fn entry(&self) -> Option<usize> {
        let label = self.stamp(self.plot.path.first()?.load).label;
        (1..self.plot.path.len()).rev().find(|i| {
            let load = self.plot.path[*i].load;
            self.stamp(load).label == label && !self.places(load).is_empty()
        })
    }

    fn cuts(&self) -> Vec<Line> {
        let end = &self.plot.end;
        let line = |what: &str, cut: &Cut| {
            self.line("unlinked", cut.at, what, self.whereabouts(&cut.word))
        };
        let what = if self.plot.nothing.is_some() { "stored null there" } else { "unlinked it" };
        let unlinked = end.unlinked.as_ref().map(|cut| line(what, cut));
        let what = "took away the last other pointer to it";
        unlinked.into_iter().chain(end.lost.as_ref().map(|cut| line(what, cut))).collect()
    }

    fn retired(&self) -> Vec<Line> {
        let again = |nth: usize| if nth > 0 { "retired it again" } else { "retired it" };
        let line = |(nth, retirement): (usize, &Retirement)| match retirement {
            Retirement::Stored(at) => {
                let word = self.plot.end.brought.as_ref().map(|brought| brought.word);
                let place = word.map_or_else(String::new, |word| self.whereabouts(&word));
                self.line("retired", *at, again(nth), place)
            }
            Retirement::Said(said) => {
                let (_, at, stack) = &self.studied.tape.retired[*said];
                let (what, note) = (again(nth).to_owned(), String::new());
                Line { role: "retired", at: *at, what, note, places: report::places(stack) }
            }
        };
        self.plot.end.retired.iter().enumerate().map(line).collect()
    }

    fn freed(&self) -> Option<Line> {
        let at = self.plot.end.freed?;
        let what = if self.is_again() { "freed it for the first time" } else { "freed it" };
        let places = match &self.studied.found.fact {
            Fact::Race { .. } if self.user_is_earlier() => report::places(self.studied.stack),
            fact => {
                oracle::block_of(fact).map(|b| report::places(&b.free_stack)).unwrap_or_default()
            }
        };
        Some(Line { role: "freed", at, what: what.to_owned(), note: String::new(), places })
    }

    /// Whether it was freed twice.
    fn is_again(&self) -> bool {
        matches!(
            self.studied.found.fact,
            Fact::DoubleFree { .. } | Fact::Told { class: "double-free", .. }
        )
    }

    /// The looks that are told.
    fn looks(&self) -> Vec<&Look> {
        let end = &self.plot.end;
        let decided = self.plot.looked.is_empty();
        let all = if decided { &end.looks } else { &self.plot.looked };
        let told = |look: &&Look| {
            let known = !self.places(look.at).is_empty();
            known && (!decided || self.is_of_user(look) || self.belongs_to_free(look))
        };
        all.iter().filter(told).take(LOOKS).collect()
    }

    /// Whether what was looked at is the user's.
    fn is_of_user(&self, look: &Look) -> bool {
        let user = self.plot.user.at.thread;
        let freed = self.plot.end.freed.is_none_or(|freed| freed.thread == user);
        let by = look.writer.is_some_and(|writer| self.stamp(writer).thread == user);
        look.later.is_some() || (by && !freed) || self.plot.nothing.is_some()
    }

    /// Whether who looked was nearer to the free than to the unlinking, by the functions that they have in common.
    fn belongs_to_free(&self, look: &Look) -> bool {
        let of = oracle::block_of(&self.studied.found.fact);
        let at_free = match (of, self.user_is_earlier()) {
            (Some(block), false) => &block.free_stack,
            _ => self.studied.stack,
        };
        let at_free = callers(at_free);
        let common = |step| in_common(&callers(&self.stack(step)), &at_free);
        let looked = common(self.stamp(look.at).step);
        let cut = self.cut_by().map_or(0, |cut| common(cut.step));
        looked > cut
    }

    fn looked(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        for look in self.looks() {
            let (place, found) = (self.whereabouts(&look.word), self.value(&look.word));
            lines.push(self.line("looked", look.at, format!("found {found}"), place.clone()));
            if let Some(writer) = look.writer {
                let what = format!("stored {found}, found at step {}", self.stamp(look.at).step);
                lines.push(self.line("stored", writer, what, place.clone()));
            }
            if let Some(later) = look.later {
                let what = format!("stored {} there, too late", self.left(later, &look.word));
                lines.push(self.line("guarded", later, what, place));
            }
        }
        lines
    }

    /// What an access left in a word.
    fn left(&self, at: At, word: &Held) -> String {
        let left = self.flow.left(at, word.addr);
        left.map_or_else(|| "something".to_owned(), |left| self.value(&left))
    }

    /// What a word held, as a reader may recognise it.
    fn value(&self, word: &Held) -> String {
        match (word.to, word.value) {
            (Some((block, _)), _) if Some(block) == self.plot.block => {
                "a pointer to the block".to_owned()
            }
            (Some(_), _) => "a pointer to another block".to_owned(),
            (None, n) if n < 10_000 => n.to_string(),
            (None, n) => format!("{n:#x}"),
        }
    }

    fn allocated(&self) -> Option<Line> {
        let block = self.plot.block?;
        let at = self.studied.tape.blocks[block].alloc;
        let of = oracle::block_of(&self.studied.found.fact);
        let stack = of.map(|block| block.alloc_stack.clone()).filter(|stack| !stack.is_empty());
        let places = report::places(&stack.unwrap_or_else(|| self.stack(at.step)));
        let note = bytes(self.studied.tape.blocks[block].size);
        Some(Line { role: "allocated", at, what: "allocated it".to_owned(), note, places })
    }

    // The sentences.

    fn summary(&self) -> Vec<String> {
        let mut all = vec![self.what_happened()];
        all.extend(self.how_it_had_it());
        all.extend(self.how_it_went());
        let waits = self.studied.finding.waits.iter();
        all.extend(waits.map(|who| capital(&without_addresses(who)) + "."));
        all
    }

    fn what_happened(&self) -> String {
        if !self.is_about_memory() {
            return capital(&self.studied.finding.message) + ".";
        }
        let used = self.used();
        // Who tells it may not be who did it.
        let told = matches!(self.studied.found.fact, Fact::Told { .. }) && !self.is_again();
        let by = if told && self.plot.nothing.is_none() { ":" } else { "" };
        let mut what = format!("{}{by} {}", capital(&self.who(&used.at)), used.what);
        if let Some(block) = self.plot.block.filter(|_| self.plot.nothing.is_none()) {
            let block = self.studied.tape.blocks[block];
            let (size, who) = (bytes(block.size), self.who(&block.alloc));
            let named = format!("a block of {size} that {who} had allocated");
            what = match what.contains("the block") {
                true => what.replacen("the block", &named, 1),
                false => format!("{what} ({named})"),
            };
        }
        let freed = self.plot.end.freed.filter(|freed| freed.step <= used.at.step);
        let Some(freed) = freed else { return what + "." };
        let same = same_operation(&freed, &used.at);
        let by = if same { "the same operation".to_owned() } else { self.who(&freed) };
        format!("{what}; {by} had freed it {} steps earlier.", used.at.step - freed.step)
    }

    /// Whether somebody used memory that they must not have used.
    fn is_about_memory(&self) -> bool {
        use Fact::{BadAccess, DoubleFree, InvalidFree, Race, Signal};
        let fact = &self.studied.found.fact;
        let told = self.plot.block.is_some() && !matches!(fact, Fact::Leaked { .. });
        told || matches!(
            fact,
            BadAccess { .. } | DoubleFree { .. } | InvalidFree { .. } | Race { .. } | Signal { .. }
        )
    }

    /// How the user came to have the pointer.
    fn how_it_had_it(&self) -> Option<String> {
        if let Some((at, word)) = &self.plot.nothing {
            let cut = self.stamp(self.plot.end.unlinked.as_ref()?.at);
            let site = self.at_site(&self.places(self.plot.end.unlinked.as_ref()?.at));
            let step = self.stamp(*at).step;
            return Some(format!(
                "It found null at step {step}, {}, where {} had stored it at step {}{site}.",
                self.whereabouts(word),
                self.who(&cut),
                cut.step
            ));
        }
        let (used, load) = (self.plot.user.at, self.plot.path.first()?.load);
        let (at, site) = (self.stamp(load), self.at_site(&self.places(load)));
        let still = match same_operation(&at, &used) {
            true => " and was still in the same operation",
            false => " and kept it since",
        };
        let who = capital(&self.thread(&at));
        Some(format!("{who} had loaded the pointer at step {}{site}{still}.", at.step))
    }

    /// How the block went away in the meantime.
    fn how_it_went(&self) -> Vec<String> {
        let end = &self.plot.end;
        let Some(freed) = end.freed else { return Vec::new() };
        let cut = self.cut_by().map(|at| (at, "unlinked the block"));
        let retired = self.retired().into_iter().map(|line| (line.at, "retired it"));
        let deeds: Vec<(Stamp, &str)> =
            cut.into_iter().chain(retired).chain([(freed, "freed it")]).collect();
        let by = |all: &[(Stamp, &str)]| {
            let told = all.iter().map(|(at, did)| format!("{did} at step {}", at.step));
            format!("{} {}", self.who(&all[0].0), listed(&told.collect::<Vec<_>>()))
        };
        let text = deeds
            .chunk_by(|a, b| same_operation(&a.0, &b.0))
            .map(by)
            .collect::<Vec<_>>()
            .join("; ");
        let mut all = vec![capital(&text) + "."];
        all.extend(self.what_was_wrong(freed).map(str::to_owned));
        all
    }

    /// What is plain from that alone.
    fn what_was_wrong(&self, freed: Stamp) -> Option<&'static str> {
        let end = &self.plot.end;
        let load = self.stamp(self.plot.path.first()?.load).step;
        let itself = !self.user_is_earlier() && !self.is_again();
        match () {
            () if load > freed.step => {
                Some("The pointer was loaded only after that: it could still be reached.")
            }
            () if end.unlinked.is_none() && end.retired.is_empty() => Some(
                "Nobody had unlinked it: the word from which the pointer was loaded still held it when it was freed.",
            ),
            () if itself && end.retired.is_empty() && !self.frees_for_others() => {
                Some("It was freed at once, without having been retired.")
            }
            () => None,
        }
    }

    /// Why the block was believed to be free.
    fn why(&self) -> Vec<String> {
        let looks = self.looks().into_iter().map(|look| self.reason(look));
        looks.chain(self.said()).collect()
    }

    /// What the map said of itself: whoever freed the block, last before that; and its user, before that too.
    fn said(&self) -> Vec<String> {
        let (Some(freed), user) = (self.plot.end.freed, self.plot.user.at) else {
            return Vec::new();
        };
        let last = |at: &Stamp| {
            let own = |note: &&Note| note.thread == at.thread && note.label == at.label;
            let mut notes = self.studied.notes.iter().rev().filter(own);
            notes.find(|note| note.step <= freed.step)
        };
        let apart = !same_operation(&freed, &user);
        let notes = [last(&user).filter(|_| apart), last(&freed)];
        let told = |note: &Note| {
            let at = Stamp { thread: note.thread, label: note.label, step: note.step };
            let who = capital(&self.who(&at));
            format!("{who} said at step {}: {}.", note.step, note.text.trim_end_matches('.'))
        };
        notes.into_iter().flatten().map(told).collect()
    }

    fn reason(&self, look: &Look) -> String {
        let at = self.stamp(look.at);
        let found = self.value(&look.word);
        let mut text = format!(
            "{} looked at a word{}, {}: it held {found}",
            capital(&self.who(&at)),
            self.within(look.at, at.step),
            self.whereabouts(&look.word)
        );
        if let Some(writer) = look.writer {
            let by = self.stamp(writer);
            text += &format!(", stored by {}{}", self.who(&by), self.within(writer, by.step));
        }
        if let Some(later) = look.later {
            let (by, left) = (self.stamp(later), self.left(later, &look.word));
            let within = self.within(later, by.step);
            text += &format!("; only later {} stored {left} there{within}", self.who(&by));
        }
        text + "."
    }

    /// When and where: ` at step 711 in Collector::retire (seize-0.2.1/src/raw.rs:197)`.
    fn within(&self, at: At, step: u64) -> String {
        let places = self.places(at);
        let place = places.first().map_or_else(String::new, |place| {
            format!(" in {} ({})", report::short_name(&place.function), place.site)
        });
        format!(" at step {step}{place}")
    }

    // Where to look first.

    fn suspects(&self, walk: &[Line]) -> Vec<Suspect> {
        let mut all: Vec<Suspect> = Vec::new();
        let candidates = self.candidates(walk);
        // One of each kind first, and then others of a kind.
        let firsts = candidates
            .iter()
            .enumerate()
            .filter(|(i, (why, _))| candidates[..*i].iter().all(|(other, _)| other != why));
        let firsts = firsts.map(|(_, candidate)| candidate);
        for (why, places) in firsts.chain(&candidates) {
            let Some(place) = self.site(places) else { continue };
            let from = places.iter().position(|p| p == place).unwrap_or_default();
            let places = places[from..].to_vec();
            if all.iter().all(|suspect| suspect.places != places) {
                all.push(Suspect { why, places });
            }
        }
        all.truncate(SUSPECTS);
        all
    }

    /// Why and where, in the order in which they are likely to be the mistake.
    fn candidates(&self, walk: &[Line]) -> Vec<(&'static str, Vec<Place>)> {
        let roles = self.likely();
        let of = |role: &'static str| {
            let why = match role {
                "used" if !self.is_about_memory() => "where it showed",
                "used" if self.studied.finding.class == Class::Crash => "crashed",
                role => REASONS.iter().find(|(of, _)| *of == role).map_or("", |(_, why)| why),
            };
            let lines = walk.iter().filter(move |line| line.role == role);
            lines.map(move |line| (why, line.places.clone()))
        };
        roles.iter().flat_map(|role| of(role)).collect()
    }

    /// The roles of the places that are likely to be the mistake, the likeliest first.
    fn likely(&self) -> &'static [&'static str] {
        let (plot, end) = (self.plot, &self.plot.end);
        if plot.nothing.is_some() {
            let itself = self.cut_by().is_some_and(|by| by.thread == plot.user.at.thread);
            return match itself {
                true => &["unlinked", "used", "stored", "entered", "loaded"],
                false => &["unlinked", "stored", "entered", "loaded", "used"],
            };
        }
        if plot.clash.is_some() {
            return &["again", "changed", "read", "used"];
        }
        if self.is_again() {
            return match self.plot.end.retired.len() {
                0 | 1 => &["freed", "retired", "used", "published"],
                _ => &["retired", "stored", "looked", "freed"],
            };
        }
        if end.freed.is_none() {
            return &["used", "raced", "looked", "stored", "unlinked", "loaded"];
        }
        // Not the map but who frees for it has come upon it.
        if matches!(self.studied.found.fact, Fact::Told { .. }) {
            return &["used", "unlinked", "stored", "freed"];
        }
        if end.unlinked.is_none() && end.retired.is_empty() {
            return &["published", "unlinked", "loaded", "freed", "used"];
        }
        // Whoever unlinks it frees it at once: nobody waited for those who use it.
        if end.retired.is_empty() && !self.frees_for_others() {
            return &["freed", "unlinked", "guarded", "loaded", "stored"];
        }
        // Who loads what is freed already came in by something that was out of date.
        let stale = plot.path.first().zip(end.freed);
        if stale.is_some_and(|(load, freed)| self.stamp(load.load).step > freed.step) {
            return &["unlinked", "entered", "guarded", "stored", "loaded", "used"];
        }
        // Whoever took it away did as they should, if it was too early that it was freed.
        if !self.looks().is_empty() {
            return &["guarded", "stored", "loaded", "unlinked", "entered", "used"];
        }
        &["unlinked", "guarded", "stored", "loaded", "entered", "retired", "used"]
    }

    /// Who had unlinked the block, and when.
    fn cut_by(&self) -> Option<Stamp> {
        self.plot.end.unlinked.as_ref().map(|cut| self.stamp(cut.at))
    }

    /// Whether who freed the block is not who had unlinked it: a collector.
    fn frees_for_others(&self) -> bool {
        let both = self.cut_by().zip(self.plot.end.freed);
        both.is_some_and(|(cut, freed)| !same_operation(&cut, &freed))
    }
}

/// A sentence's beginning: a path or a call stays as it is.
fn capital(text: &str) -> String {
    let first = text.split(' ').next().unwrap_or_default();
    if first.contains(['/', '.', ':', '`']) {
        return text.to_owned();
    }
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// A sentence without ` at 0x…`: an address is another in the next build.
fn without_addresses(text: &str) -> String {
    let mut parts = text.split(" at 0x");
    let mut out = parts.next().unwrap_or_default().to_owned();
    out.extend(parts.map(|part| part.trim_start_matches(|c: char| c.is_ascii_hexdigit())));
    out
}

/// `a, b and c`.
fn listed(all: &[String]) -> String {
    match all {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_begin_with_a_capital_unless_that_would_change_a_name() {
        assert_eq!(capital("thread 1 waits"), "Thread 1 waits");
        assert_eq!(capital("src/bugs.rs:1: no"), "src/bugs.rs:1: no");
        assert_eq!(capital("`iterate` by"), "`iterate` by");
    }

    #[test]
    fn an_address_is_no_word_of_a_sentence() {
        let text = "setup waits for the lock at 0x14000020e128, which thread 2 took";
        assert_eq!(without_addresses(text), "setup waits for the lock, which thread 2 took");
    }

    #[test]
    fn a_list_is_told_as_people_do() {
        let told = |all: &[&str]| listed(&all.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            [told(&["a"]), told(&["a", "b"]), told(&["a", "b", "c"])],
            ["a", "a and b", "a, b and c"]
        );
    }
}
