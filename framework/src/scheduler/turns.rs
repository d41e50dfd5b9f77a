//! Whose turn it is, among several ways of scheduling.

use super::splitmix;

/// Turns after which what was seen counts half.
const MEMORY: u64 = 64;
/// The least and the most weight of a member.
const LEAST: u64 = 4;
const MOST: u64 = 16;

/// What became of the turns of one member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    /// Turns in which somebody looked for news, and the news; both fade.
    looked: u64,
    news: u64,
    /// Turns in all.
    turns: u64,
}

/// Hands out turns: to each member in proportion to its weight, which grows with the news that its turns have brought
/// of late, four times at most. Who has had few turns for its weight is next, so none is left out for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Turns(Vec<Tally>);

impl Turns {
    pub fn new(members: usize) -> Turns {
        Turns(vec![Tally::default(); members])
    }

    /// The news of a turn, in thousandths.
    fn yield_of(tally: &Tally) -> u64 {
        (1000 * tally.news).checked_div(tally.looked).unwrap_or(0)
    }

    fn weight(&self, tally: &Tally) -> u64 {
        let best = self.0.iter().map(Turns::yield_of).max().unwrap_or(0);
        let extra = (MOST - LEAST) * Turns::yield_of(tally);
        LEAST + extra.checked_div(best).unwrap_or(0)
    }

    /// Whose turn it is in this execution. Where it is all the same, the number of the execution decides.
    pub fn next(&self, execution: u64) -> usize {
        let n = self.0.len();
        let first = (splitmix(execution) % n as u64) as usize;
        let due = |&member: &usize| {
            let tally = &self.0[member];
            1000 * (tally.turns + 1) / self.weight(tally)
        };
        (0..n).map(|i| (first + i) % n).min_by_key(due).unwrap_or(0)
    }

    /// A member's turn is over, and has brought so much news, if somebody looked.
    pub fn took(&mut self, member: usize, news: Option<u64>) {
        let tally = &mut self.0[member];
        tally.turns += 1;
        if let Some(news) = news {
            tally.looked += 1;
            tally.news = tally.news.saturating_add(news.min(1 << 20));
        }
        if tally.looked >= MEMORY {
            (tally.looked, tally.news) = (tally.looked / 2, tally.news / 2);
        }
    }

    /// Three words a member.
    pub fn words(&self) -> Vec<u64> {
        self.0.iter().flat_map(|t| [t.turns, t.looked, t.news]).collect()
    }

    /// What [`Turns::words`] made words of; `None` if they are none.
    pub fn of(words: &[u64]) -> Option<Turns> {
        let (chunks, odd) = words.as_chunks::<3>();
        let tally = |&[turns, looked, news]: &[u64; 3]| Tally { turns, looked, news };
        let sound = |t: &Tally| t.turns < 1 << 40 && t.looked <= MEMORY && t.news < 1 << 40;
        let tallies: Vec<Tally> = chunks.iter().map(tally).collect();
        (odd.is_empty() && tallies.iter().all(sound)).then_some(Turns(tallies))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(mut turns: Turns, news: impl Fn(usize) -> Option<u64>) -> Vec<u64> {
        let mut had = vec![0; turns.0.len()];
        for execution in 0..1000 {
            let member = turns.next(execution);
            turns.took(member, news(member));
            had[member] += 1;
        }
        had
    }

    #[test]
    fn who_brings_news_gets_more_turns_and_nobody_is_left_out() {
        let had = shares(Turns::new(5), |member| Some(u64::from(member == 3)));
        assert!(had[3] > 400, "{had:?}");
        assert!(had.iter().all(|&n| n > 100), "{had:?}");
    }

    #[test]
    fn without_news_all_get_as_many_turns() {
        for news in [None, Some(0), Some(7)] {
            let had = shares(Turns::new(4), |_| news);
            assert!(had.iter().all(|n| (240..=260).contains(n)), "{had:?}");
        }
    }

    #[test]
    fn what_brought_news_long_ago_fades() {
        let mut turns = Turns::new(2);
        (0..10).for_each(|_| turns.took(0, Some(100)));
        (0..1000).for_each(|_| turns.took(0, Some(0)));
        (0..10).for_each(|_| turns.took(1, Some(1)));
        assert!(turns.weight(&turns.0[0]) < turns.weight(&turns.0[1]));
    }

    #[test]
    fn words_round_trip_and_others_are_refused() {
        let mut turns = Turns::new(3);
        turns.took(1, Some(4));
        assert_eq!(Turns::of(&turns.words()), Some(turns));
        assert_eq!(Turns::of(&[1, 2]), None);
        assert_eq!(Turns::of(&[1, 2, u64::MAX]), None);
    }
}
