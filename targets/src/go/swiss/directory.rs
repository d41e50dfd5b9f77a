//! The directory: which table holds which hashes.
//!
//! It has 2^globalDepth entries, and the leading globalDepth bits of a hash choose one. A table whose hashes have only
//! localDepth leading bits in common has 2^(globalDepth − localDepth) entries side by side, of which the first is its
//! index.

use mapcheck::model::{Engine, Layout, Ptr};

use super::header::Header;
use super::locals::Locals;
use super::table::Table;

/// A block of so many pointers to tables.
fn layout(entries: usize) -> Layout {
    Layout { cells: 0, atomics: 0, pointers: entries }
}

/// Gives the map a directory of one entry.
pub(super) fn begin<E: Engine>(header: Header, locals: &Locals<'_, E>, table: Table) {
    let directory = locals.allocate(layout(1));
    locals.store(directory, table.block());
    header.set_directory(locals, directory, 0);
}

/// The table of an entry.
pub(super) fn table_at<E: Engine>(header: Header, locals: &Locals<'_, E>, index: usize) -> Table {
    Table::in_block(locals.load(header.dir_ptr(locals).at(index)))
}

/// The table where keys of this hash are.
pub(super) fn table_of<E: Engine>(header: Header, locals: &Locals<'_, E>, hash: u64) -> Table {
    // With one entry no bit of the hash chooses, and a shift by all its bits is none.
    let index = match header.dir_len(locals) {
        1 => 0,
        _ => hash >> (header.global_shift(locals) & 63),
    };
    table_at(header, locals, index as usize)
}

/// All tables, each once.
pub(super) fn for_each_table<E: Engine>(
    header: Header,
    locals: &Locals<'_, E>,
    mut visit: impl FnMut(Table),
) {
    let mut last = None;
    for index in 0..header.dir_len(locals) {
        let table = table_at(header, locals, index);
        if last.replace(table) != Some(table) {
            visit(table);
        }
    }
}

/// How many entries a table has.
pub(super) fn entries_of<E: Engine>(header: Header, locals: &Locals<'_, E>, table: Table) -> usize {
    let depth = header.global_depth(locals).wrapping_sub(table.local_depth(locals));
    1usize.checked_shl(depth as u32).unwrap_or(0)
}

/// Puts a table into all its entries.
pub(super) fn install<E: Engine>(header: Header, locals: &Locals<'_, E>, table: Table) {
    let first = table.index(locals);
    for index in first..first.saturating_add(entries_of(header, locals, table)) {
        locals.store(header.dir_ptr(locals).at(index), table.block());
    }
}

/// Puts the halves of a table into its entries: `left` with the smaller hashes into the first half of them, `right`
/// into the second. A table with a single entry has no halves of it: the directory doubles.
pub(super) fn install_split<E: Engine>(
    header: Header,
    locals: &Locals<'_, E>,
    old: Table,
    left: Table,
    right: Table,
) {
    if old.local_depth(locals) == header.global_depth(locals) {
        double(header, locals);
    }
    // Doubling has moved the old table's index too.
    let index = old.index(locals);
    left.set_index(locals, index);
    right.set_index(locals, index.wrapping_add(entries_of(header, locals, left)));
    install(header, locals, left);
    install(header, locals, right);
}

/// Replaces the directory by one of twice the size: each entry becomes two.
fn double<E: Engine>(header: Header, locals: &Locals<'_, E>) {
    let (old, length) = (header.dir_ptr(locals), header.dir_len(locals));
    let new: Ptr = locals.allocate(layout(2 * length));
    for index in 0..length {
        let table = Table::in_block(locals.load(old.at(index)));
        locals.store(new.at(2 * index), table.block());
        locals.store(new.at(2 * index + 1), table.block());
        // Only once for each table: at the first of its entries.
        if table.index(locals) == index {
            table.set_index(locals, 2 * index);
        }
    }
    header.set_directory(locals, new, header.global_depth(locals) + 1);
}
