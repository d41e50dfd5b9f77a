//! Growth: a full table is replaced by one of twice the size or, once that would be too large, by two.
//!
//! Nothing is moved within a table, since a range that is in it would lose its place. The old table stays as it was,
//! marked stale, for as long as a range holds it.

use mapcheck::model::Engine;

use super::directory;
use super::group::Group;
use super::header::Header;
use super::locals::Locals;
use super::table::Table;

/// Bits of a hash.
const HASH_BITS: u64 = 64;

/// Replaces a table that is full, of elements or of tombstones, which do not come along.
pub(super) fn rehash<E: Engine>(
    header: Header,
    locals: &Locals<'_, E>,
    table: Table,
    max_table_slots: usize,
) {
    let doubled = 2 * table.capacity(locals);
    if doubled <= max_table_slots {
        grow(header, locals, table, doubled);
    } else {
        split(header, locals, table, max_table_slots);
    }
    table.set_stale(locals);
}

/// Replaces a table by a larger one.
fn grow<E: Engine>(header: Header, locals: &Locals<'_, E>, table: Table, capacity: usize) {
    let (index, local_depth) = (table.index(locals), table.local_depth(locals));
    let new = Table::new(locals, capacity, index, local_depth);
    for_each_element(header, locals, table, |hash, from| new.put_copy(locals, hash, from));
    directory::install(header, locals, new);
}

/// Replaces a table by two: one bit more of the hash tells them apart.
fn split<E: Engine>(header: Header, locals: &Locals<'_, E>, table: Table, capacity: usize) {
    let local_depth = table.local_depth(locals) + 1;
    let bit = 1u64.checked_shl(HASH_BITS.wrapping_sub(local_depth) as u32).unwrap_or(0);
    let halves = [0, 1].map(|_| Table::new(locals, capacity, 0, local_depth));
    for_each_element(header, locals, table, |hash, from| {
        halves[usize::from(hash & bit != 0)].put_copy(locals, hash, from);
    });
    let [left, right] = halves;
    directory::install_split(header, locals, table, left, right);
}

/// All full slots of a table, with the hashes of their keys.
fn for_each_element<E: Engine>(
    header: Header,
    locals: &Locals<'_, E>,
    table: Table,
    mut visit: impl FnMut(u64, (Group, usize)),
) {
    for group in table.groups(locals).all() {
        for slot in group.controls(locals).full() {
            let hash = header.hash(locals, locals.id_of(group.key(locals, slot)));
            visit(hash, (group, slot));
        }
    }
}
