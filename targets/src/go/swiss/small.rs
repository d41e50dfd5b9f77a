//! The small map: up to eight elements in one group, without a table or a directory.

use mapcheck::model::{Engine, Ptr};

use super::directory;
use super::group::{Group, Groups, SLOTS};
use super::header::Header;
use super::locals::Locals;
use super::table::Table;

/// Slots of the first table.
const FIRST_TABLE: usize = 2 * SLOTS;

/// The group of a small map.
pub(super) fn group<E: Engine>(header: Header, locals: &Locals<'_, E>) -> Group {
    Groups::in_block(header.dir_ptr(locals), 1).group(0)
}

/// The slot of a key.
pub(super) fn find<E: Engine>(
    header: Header,
    locals: &Locals<'_, E>,
    hash: u64,
    key_id: u64,
) -> Option<(Group, usize)> {
    let group = group(header, locals);
    group.find(locals, group.controls(locals), hash, key_id).map(|slot| (group, slot))
}

/// The place of a key's elem; the key is put where it is missing. `None` if no slot is free.
pub(super) fn assign<E: Engine>(
    header: Header,
    locals: &Locals<'_, E>,
    hash: u64,
    key: u64,
) -> Option<Ptr> {
    let group = group(header, locals);
    let controls = group.controls(locals);
    if let Some(slot) = group.find(locals, controls, hash, locals.id_of(key)) {
        return Some(group.elem_at(slot));
    }
    let slot = controls.first_empty()?;
    group.put_key(locals, slot, hash, key);
    header.add_used(locals, 1);
    Some(group.elem_at(slot))
}

/// Deletes a key. There are no tombstones: nothing probes past this group.
pub(super) fn delete<E: Engine>(header: Header, locals: &Locals<'_, E>, hash: u64, key_id: u64) {
    if let Some((group, slot)) = find(header, locals, hash, key_id) {
        header.add_used(locals, -1);
        group.remove(locals, slot, false);
    }
}

/// Gives the map its first group.
pub(super) fn begin<E: Engine>(header: Header, locals: &Locals<'_, E>) {
    header.set_small_group(locals, Groups::new(locals, 1).block());
}

/// Moves the elements to a first table, behind a directory of one entry. A range over the old group goes on there.
pub(super) fn grow_to_table<E: Engine>(header: Header, locals: &Locals<'_, E>) {
    let table = Table::new(locals, FIRST_TABLE, 0, 0);
    let group = group(header, locals);
    for slot in group.controls(locals).full() {
        let hash = header.hash(locals, locals.id_of(group.key(locals, slot)));
        table.put_copy(locals, hash, (group, slot));
    }
    directory::begin(header, locals, table);
}
