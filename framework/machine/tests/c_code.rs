//! What C code that was compiled with the thread sanitizer's callbacks announces is checked, told and scheduled as what
//! Rust code announces. The callbacks are called by hand.

mod common;

use std::hint::black_box;

use common::*;
use mapcheck_machine::*;

tests! {
    a_read_of_a_freed_block_is_found_whatever_its_name,
    a_write_to_a_freed_block_is_found_whatever_its_name,
    a_range_that_ends_beyond_its_block_is_found,
    a_range_without_bytes_is_no_access,
    what_clang_calls_for_memcpy_checks_both_ranges,
    what_clang_calls_for_memcpy_copies,
    a_compare_exchange_tells_what_it_has_found,
    a_weak_compare_exchange_fails_for_nothing_but_never_twice_in_a_row,
    an_access_is_a_schedule_point_and_is_told_with_its_site,
    outside_of_executions_nothing_is_checked,
    strings_and_aligned_blocks_of_c_are_modelled,
}

macro_rules! callbacks {
    ($table:ident: $($name:ident)*) => {
        #[allow(missing_docs)]
        mod $table {
            unsafe extern "C" {
                $(fn $name(addr: usize);)*
            }
            pub const ALL: &[(&str, unsafe extern "C" fn(usize))] = &[$((stringify!($name), $name)),*];
        }
    };
}
callbacks! {
    reads: __tsan_read1 __tsan_read2 __tsan_read4 __tsan_read8 __tsan_read16
    __tsan_unaligned_read2 __tsan_unaligned_read4 __tsan_unaligned_read8 __tsan_unaligned_read16
    __tsan_volatile_read1 __tsan_volatile_read2 __tsan_volatile_read4 __tsan_volatile_read8
    __tsan_volatile_read16 __tsan_unaligned_volatile_read1 __tsan_unaligned_volatile_read2
    __tsan_unaligned_volatile_read4 __tsan_unaligned_volatile_read8 __tsan_unaligned_volatile_read16
    __tsan_vptr_read
}
callbacks! {
    writes: __tsan_write1 __tsan_write2 __tsan_write4 __tsan_write8 __tsan_write16
    __tsan_unaligned_write2 __tsan_unaligned_write4 __tsan_unaligned_write8 __tsan_unaligned_write16
    __tsan_volatile_write1 __tsan_volatile_write2 __tsan_volatile_write4 __tsan_volatile_write8
    __tsan_volatile_write16 __tsan_unaligned_volatile_write1 __tsan_unaligned_volatile_write2
    __tsan_unaligned_volatile_write4 __tsan_unaligned_volatile_write8
    __tsan_unaligned_volatile_write16 __tsan_read_write1 __tsan_read_write2 __tsan_read_write4
    __tsan_read_write8 __tsan_read_write16 __tsan_unaligned_read_write2
    __tsan_unaligned_read_write4 __tsan_unaligned_read_write8 __tsan_unaligned_read_write16
}

unsafe extern "C" {
    fn __tsan_read_range(addr: usize, size: usize);
    fn __tsan_write_range(addr: usize, size: usize);
    fn __tsan_vptr_update(addr: usize, new: usize);
    fn __tsan_memcpy(to: *mut u8, from: *const u8, size: usize) -> *mut u8;
    fn __tsan_memset(to: *mut u8, value: i32, size: usize) -> *mut u8;
    fn __tsan_atomic32_compare_exchange_weak(
        cell: *mut u32,
        expected: *mut u32,
        value: u32,
        success: i32,
        failure: i32,
    ) -> i32;
    fn __tsan_atomic32_compare_exchange_strong(
        cell: *mut u32,
        expected: *mut u32,
        value: u32,
        success: i32,
        failure: i32,
    ) -> i32;
}

fn freed(size: usize) -> usize {
    let block = black_box(vec![0_u8; size]);
    block.as_ptr().addr()
}

/// The bytes of the name's last digits.
fn bytes_of(name: &str) -> usize {
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    digits.parse().unwrap_or(size_of::<usize>())
}

/// Each finding spends a process, so each name gets one of its own.
#[track_caller]
fn each_is_found(table: &[(&str, unsafe extern "C" fn(usize))], kind: Kind) {
    for (name, callback) in table {
        let mut worker = Worker::fork(&mut || {
            // SAFETY: the callback checks addresses only.
            let found = finds(InOrder, || unsafe { callback(freed(64) + 16) });
            let Fact::BadAccess { access, block } = found.fact else { panic!("{name}: {found:?}") };
            assert_eq!((access.kind, access.size), (kind, bytes_of(name)), "{name}");
            assert!(block.is_some_and(|b| b.free.is_some() && b.size == 64), "{name}");
        })
        .expect("a worker");
        assert_eq!(wait(&mut worker), Some(Exit::Code(0)), "{name}");
    }
}

fn a_read_of_a_freed_block_is_found_whatever_its_name() {
    each_is_found(reads::ALL, Kind::Read);
}

fn a_write_to_a_freed_block_is_found_whatever_its_name() {
    each_is_found(writes::ALL, Kind::Write);
}

fn a_range_that_ends_beyond_its_block_is_found() {
    let found = finds(InOrder, || {
        let block = black_box(vec![0_u8; 24]);
        // SAFETY: the callbacks check addresses only.
        unsafe {
            __tsan_read_range(block.as_ptr().addr(), 24);
            __tsan_vptr_update(block.as_ptr().addr() + 16, 0);
            __tsan_write_range(block.as_ptr().addr() + 8, 17);
        }
    });
    let Fact::BadAccess { access, .. } = found.fact else { panic!("{found:?}") };
    assert_eq!((access.kind, access.size), (Kind::Write, 17));
}

fn a_range_without_bytes_is_no_access() {
    let ended = run_under(InOrder, || {
        let addr = freed(8);
        // SAFETY: the callbacks check addresses only.
        unsafe {
            __tsan_read_range(addr, 0);
            __tsan_write_range(addr, 0);
        }
    });
    assert!(ended.found.is_none(), "{:?}", ended.found);
}

fn what_clang_calls_for_memcpy_checks_both_ranges() {
    let found = finds(InOrder, || {
        let (mut to, from) = ([0_u8; 16], freed(16) as *const u8);
        // SAFETY: the use of the freed block is what is tested.
        unsafe { __tsan_memcpy(to.as_mut_ptr(), from, 16) };
    });
    let Fact::BadAccess { access, .. } = found.fact else { panic!("{found:?}") };
    assert_eq!((access.kind, access.size), (Kind::Read, 16));
}

fn what_clang_calls_for_memcpy_copies() {
    holds(|| {
        let (mut to, mut from) = (vec![0_u8; 16], vec![1_u8; 16]);
        // SAFETY: within the blocks.
        unsafe {
            __tsan_memset(from.as_mut_ptr(), 7, 8);
            __tsan_memcpy(to.as_mut_ptr(), from.as_ptr(), 16);
        }
        assert_eq!((to[7], to[8]), (7, 1));
    });
}

fn a_compare_exchange_tells_what_it_has_found() {
    holds(|| {
        let (mut cell, mut expected) = (Box::new(5_u32), 4);
        // SAFETY: both are valid.
        unsafe {
            let cell = &raw mut *cell;
            assert_eq!(__tsan_atomic32_compare_exchange_strong(cell, &mut expected, 6, 4, 2), 0);
            assert_eq!(expected, 5);
            assert_ne!(__tsan_atomic32_compare_exchange_strong(cell, &mut expected, 6, 4, 2), 0);
        }
        assert_eq!(*cell, 6);
    });
}

/// Injects every fault that is offered.
struct Always;

impl Decider for Always {
    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        InOrder.schedule(consult)
    }
    fn choose(&mut self, kind: ChoiceKind, _: ThreadId, _: u64, n: u32) -> u32 {
        if kind.is_no_fault() { 0 } else { n - 1 }
    }
}

fn a_weak_compare_exchange_fails_for_nothing_but_never_twice_in_a_row() {
    let mut tries = Vec::new();
    let offers = Choices::NONE.with(ChoiceKind::WeakCas);
    let ended = run_with(&Options { offers, ..Options::default() }, &mut Always, || {
        let mut cell = Box::new(0_u32);
        set_label(1);
        for n in 0..3 {
            let (mut expected, mut times) = (n, 1);
            // SAFETY: both are valid.
            while unsafe {
                __tsan_atomic32_compare_exchange_weak(&raw mut *cell, &mut expected, n + 1, 4, 2)
            } == 0
            {
                assert_eq!(expected, n, "it found what it expected");
                times += 1;
            }
            outside(&mut || tries.push(times));
        }
    });
    assert!(ended.found.is_none(), "{:?}", ended.found);
    assert_eq!(tries, [2, 2, 2]);
}

/// Keeps what it is told.
#[derive(Default)]
struct Watcher(Vec<Touch>);

impl Observer for Watcher {
    fn event(&mut self, _: &Event) {}

    fn touch(&mut self, touch: &Touch) -> Option<Earlier> {
        self.0.push(*touch);
        None
    }
}

fn an_access_is_a_schedule_point_and_is_told_with_its_site() {
    let (mut watcher, mut addr) = (Watcher::default(), 0);
    use_switching(switching());
    let options = Options { watch: true, ..Options::default() };
    let ended = execute(&options, &mut InOrder, &mut watcher, &mut || {
        let block = black_box(Box::new(0_u64));
        addr = std::ptr::from_ref(&*block).addr();
        // SAFETY: the callbacks check addresses only.
        unsafe {
            __tsan_read_range(addr, 8);
            __tsan_write_range(addr, 4);
        }
    });
    assert!(ended.found.is_none(), "{:?}", ended.found);
    let told: Vec<Touch> = watcher.0.into_iter().filter(|t| t.access.addr == addr).collect();
    let kinds: Vec<_> = told.iter().map(|t| (t.access.kind, t.access.size)).collect();
    let expected = [(Kind::Alloc, 8), (Kind::Read, 8), (Kind::Write, 4), (Kind::Free, 8)];
    assert_eq!(kinds, expected);
    assert!(told[1].step < told[2].step && told[2].step < told[3].step);
    if cfg!(target_arch = "x86_64") {
        assert!(told[1].site != 0 && told[2].site != 0 && told[1].site != told[2].site);
    }
}

fn outside_of_executions_nothing_is_checked() {
    let mut addr = 0;
    run_under(InOrder, || addr = freed(32));
    // SAFETY: the callback checks addresses only.
    unsafe { __tsan_write_range(addr, 32) };
}

fn strings_and_aligned_blocks_of_c_are_modelled() {
    let mut steps = 0;
    let ended = run_under(InOrder, || {
        // SAFETY: each block is used within its bounds and freed once.
        unsafe {
            let text = libc::strdup(c"a text".as_ptr());
            assert_eq!(libc::strlen(text), 6);
            let aligned = libc::aligned_alloc(64, 128);
            assert_eq!(aligned.addr() % 64, 0);
            for block in [text.cast(), aligned] {
                // Only blocks of the modelled heap are known.
                assert!(peek(black_box(block).addr(), 1).is_some());
                libc::free(block);
                assert!(peek(block.addr(), 1).is_none());
                steps += 1;
            }
        }
    });
    assert!(ended.found.is_none(), "{:?}", ended.found);
    assert_eq!((steps, ended.allocated, ended.freed), (2, 2, 2));
}
