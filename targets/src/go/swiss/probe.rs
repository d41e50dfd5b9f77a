//! Probing: in which order a key's groups are searched.

use super::group::{Group, Groups, h1};

/// The groups where a key of this hash may be, in the order of search, and round again without end: a caller stops at
/// the first group with an empty slot, and every table has one.
///
/// The steps grow by one each time: 1, 2, 3 …, so the offsets are triangular numbers. Where the number of groups is a
/// power of two, that visits each group once before any a second time.
pub(super) fn probe(groups: Groups, hash: u64) -> impl Iterator<Item = Group> {
    let mask = groups.length() - 1;
    let start = h1(hash) as usize & mask;
    let offsets = (0..).scan(start, move |offset, step: usize| {
        *offset = (*offset + step) & mask;
        Some(*offset)
    });
    offsets.map(move |offset| groups.group(offset))
}

#[cfg(test)]
mod tests {
    use mapcheck::model::Ptr;

    use super::*;

    #[test]
    fn triangular_probing_visits_each_group_once_before_any_a_second_time() {
        for length in [1, 2, 4, 8, 64] {
            let groups = Groups::in_block(Ptr::NULL, length);
            for start in 0..length {
                let visited: Vec<Group> = probe(groups, (start as u64) << 7).take(length).collect();
                assert_eq!(visited[0], groups.group(start));
                assert!(groups.all().all(|group| visited.contains(&group)), "{length} {start}");
            }
        }
    }
}
