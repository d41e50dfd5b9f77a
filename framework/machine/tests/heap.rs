//! The modelled heap: what is freed stays freed, and every wrong access or deallocation is a finding.

mod common;

use std::alloc::{Layout, alloc_zeroed, dealloc, realloc};
use std::hint::black_box;

use callbacks::*;
use common::*;
use mapcheck_machine::*;

tests! {
    a_read_of_a_freed_block_is_found_before_it_happens,
    a_write_to_a_freed_block_is_found,
    an_atomic_access_to_a_freed_block_is_found,
    a_compare_exchange_on_a_freed_block_is_found,
    a_lock_in_a_freed_block_is_found,
    a_read_beyond_a_block_is_found_in_its_redzone,
    a_read_before_a_block_is_found_in_its_redzone,
    a_read_that_straddles_the_end_of_a_block_is_found,
    a_wide_read_within_a_block_holds,
    a_copy_from_a_freed_block_is_found,
    a_copy_beyond_a_block_is_found,
    a_fill_of_a_freed_block_is_found,
    a_comparison_with_a_freed_block_is_found,
    touching_a_freed_block_is_found,
    a_second_free_is_found_with_both_lives_of_the_block,
    a_free_with_another_size_is_found,
    a_free_with_another_alignment_is_found,
    a_free_of_an_interior_pointer_is_found,
    growing_a_freed_block_is_found,
    a_freed_block_reads_as_poison_where_pages_are_not_guarded,
    an_uninstrumented_read_of_a_freed_block_is_found_by_its_guarded_page,
    an_uninstrumented_write_to_a_freed_block_is_found_by_its_guarded_page,
    blocks_are_aligned_zeroed_and_keep_their_bytes_as_they_grow,
    a_block_is_handed_out_again_only_when_chosen,
    reuse_takes_the_most_recently_freed_block_of_the_layout,
    a_reused_block_is_live_again_and_its_last_free_is_told,
    addresses_repeat_from_one_execution_to_the_next,
    a_block_kept_from_an_earlier_execution_stays_live,
    a_block_of_an_earlier_execution_is_told_as_such,
    a_block_freed_after_its_execution_frees_its_place,
    a_full_heap_is_a_finding,
    executions_that_leak_use_up_the_room,
    recorded_blocks_tell_the_stacks_of_their_allocation_and_free,
    blocks_of_the_c_library_are_modelled_too,
    a_second_free_by_c_code_is_found,
    a_block_of_the_c_library_may_be_freed_after_its_execution,
    events_are_not_told_once_the_execution_has_ended,
}

/// Makes the machine believe that instrumented modules are linked in, so that blocks lie close together.
fn as_instrumented() {
    unsafe extern "C" {
        fn __sanitizer_cov_8bit_counters_init(start: *mut u8, stop: *mut u8);
    }
    // SAFETY: the counters are not read.
    unsafe { __sanitizer_cov_8bit_counters_init(std::ptr::null_mut(), std::ptr::null_mut()) };
    assert!(instrumented());
}

/// The address of a block of this many bytes that has been freed.
fn freed(size: usize) -> usize {
    let block = black_box(vec![0_u8; size]);
    block.as_ptr().addr()
}

/// Allocates a block that the compiler does not see through.
///
/// # Safety
/// As the standard library's `alloc`.
unsafe fn alloc(layout: Layout) -> *mut u8 {
    // SAFETY: passed on.
    black_box(unsafe { std::alloc::alloc(black_box(layout)) })
}

#[track_caller]
fn bad_access(root: impl FnMut()) -> (Access, Block) {
    let found = finds(InOrder, root);
    let Fact::BadAccess { access, block } = found.fact else { panic!("{found:?}") };
    (access, block.expect("the block"))
}

#[track_caller]
fn used_after_free(kind: Kind, mut access: impl FnMut(usize)) {
    let (got, block) = bad_access(|| {
        set_label(1);
        let addr = freed(48);
        set_label(2);
        access(addr + 8);
    });
    assert_eq!((got.kind, got.addr), (kind, block.addr + 8));
    assert_eq!((block.size, block.align, block.alloc.label), (48, 1, 1));
    assert_eq!(block.free.expect("it was freed").label, 1);
    assert!(!block.earlier_execution);
}

fn a_read_of_a_freed_block_is_found_before_it_happens() {
    as_instrumented();
    // SAFETY: the callback checks addresses only.
    used_after_free(Kind::Read, |addr| unsafe { __sanitizer_cov_load8(addr) });
}

fn a_write_to_a_freed_block_is_found() {
    // SAFETY: as above.
    used_after_free(Kind::Write, |addr| unsafe { __sanitizer_cov_store8(addr) });
}

fn an_atomic_access_to_a_freed_block_is_found() {
    // SAFETY: the check precedes the access.
    used_after_free(Kind::AtomicLoad, |addr| unsafe {
        __tsan_atomic64_load(addr as *const u64, 2);
    });
}

fn a_compare_exchange_on_a_freed_block_is_found() {
    as_instrumented();
    // SAFETY: as above.
    used_after_free(Kind::AtomicRmw, |addr| unsafe {
        __tsan_atomic64_compare_exchange_val(addr as *mut u64, 0, 1, 4, 0);
    });
}

fn a_lock_in_a_freed_block_is_found() {
    as_instrumented();
    used_after_free(Kind::Sync, |addr| {
        // SAFETY: the check precedes the access.
        unsafe { libc::syscall(libc::SYS_futex, addr, libc::FUTEX_WAIT, 0, 0, 0, 0) };
    });
}

#[track_caller]
fn out_of_bounds(size: usize, mut access: impl FnMut(usize)) {
    let (_, block) = bad_access(|| {
        let mut block = vec![1_u8; size];
        access(block.as_mut_ptr().addr());
    });
    assert_eq!((block.size, block.free), (size, None));
}

fn a_read_beyond_a_block_is_found_in_its_redzone() {
    as_instrumented();
    // SAFETY: the callback checks addresses only.
    out_of_bounds(24, |addr| unsafe { __sanitizer_cov_load1(addr + 24) });
}

fn a_read_before_a_block_is_found_in_its_redzone() {
    as_instrumented();
    // SAFETY: as above.
    out_of_bounds(24, |addr| unsafe { __sanitizer_cov_load8(addr - 8) });
}

fn a_read_that_straddles_the_end_of_a_block_is_found() {
    // SAFETY: as above.
    out_of_bounds(21, |addr| unsafe { __sanitizer_cov_load16(addr + 6) });
}

fn a_wide_read_within_a_block_holds() {
    holds(|| {
        let block = Box::new([1_u8; 21]);
        let addr = block.as_ptr().addr();
        // SAFETY: as above.
        unsafe {
            (0..=5).for_each(|i| __sanitizer_cov_load16(addr + i));
            (0..21).for_each(|i| __sanitizer_cov_load1(addr + i));
            __sanitizer_cov_store4(addr + 17);
        }
    });
}

fn a_copy_from_a_freed_block_is_found() {
    used_after_free(Kind::Read, |addr| {
        let mut to = [0_u8; 40];
        // SAFETY: the check precedes the copy.
        unsafe {
            libc::memcpy(black_box(&mut to).as_mut_ptr().cast(), addr as *const _, black_box(40))
        };
    });
}

fn a_copy_beyond_a_block_is_found() {
    as_instrumented();
    out_of_bounds(40, |addr| {
        let from = [0_u8; 41];
        // SAFETY: as above.
        unsafe { libc::memmove(addr as *mut _, from.as_ptr().cast(), black_box(41)) };
    });
}

fn a_fill_of_a_freed_block_is_found() {
    // SAFETY: as above.
    used_after_free(Kind::Write, |addr| unsafe {
        libc::memset(addr as *mut _, 0, black_box(16));
    });
}

fn a_comparison_with_a_freed_block_is_found() {
    used_after_free(Kind::Read, |addr| {
        let other = [0_u8; 16];
        // SAFETY: as above.
        unsafe { black_box(libc::memcmp(other.as_ptr().cast(), addr as *const _, black_box(16))) };
    });
}

fn touching_a_freed_block_is_found() {
    used_after_free(Kind::Write, |addr| touch(addr, 4, true));
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

fn a_second_free_is_found_with_both_lives_of_the_block() {
    let found = finds(InOrder, || {
        set_label(4);
        // SAFETY: the second free is what is tested.
        unsafe {
            let block = alloc(layout(32, 8));
            set_label(5);
            dealloc(block, layout(32, 8));
            set_label(6);
            dealloc(block, layout(32, 8));
        }
    });
    let Fact::DoubleFree { addr, block } = found.fact else { panic!("{found:?}") };
    assert_eq!(addr, block.addr);
    assert_eq!((block.alloc.label, block.free.unwrap().label, found.at.label), (4, 5, 6));
    assert!(
        block.alloc.step < block.free.unwrap().step && block.free.unwrap().step < found.at.step
    );
}

#[track_caller]
fn wrong_free(offset: usize, size: usize, align: usize) {
    let found = finds(InOrder, || {
        // SAFETY: the wrong free is what is tested.
        unsafe { dealloc(alloc(layout(32, 8)).add(offset), layout(size, align)) };
    });
    let Fact::InvalidFree { addr, size: told, align: of, block } = found.fact else {
        panic!("{found:?}")
    };
    let block = block.expect("the block");
    assert_eq!((addr, told, of), (block.addr + offset, size, align));
    assert_eq!((block.size, block.align, block.free), (32, 8, None));
}

fn a_free_with_another_size_is_found() {
    wrong_free(0, 24, 8);
}

fn a_free_with_another_alignment_is_found() {
    wrong_free(0, 32, 16);
}

fn a_free_of_an_interior_pointer_is_found() {
    as_instrumented();
    wrong_free(16, 16, 8);
}

fn growing_a_freed_block_is_found() {
    let (access, _) = bad_access(|| {
        // SAFETY: the wrong use is what is tested.
        unsafe {
            let block = alloc(layout(64, 8));
            dealloc(block, layout(64, 8));
            black_box(realloc(block, layout(64, 8), 128));
        }
    });
    assert_eq!((access.kind, access.size), (Kind::Read, 64));
}

fn a_freed_block_reads_as_poison_where_pages_are_not_guarded() {
    as_instrumented();
    let ended = run_under(InOrder, || {
        let addr = freed(16);
        // SAFETY: the arena stays mapped.
        assert_eq!(unsafe { (addr as *const u64).read_volatile() }, 0xdbdb_dbdb_dbdb_dbdb);
    });
    assert!(ended.found.is_none(), "{:?}", ended.found);
}

fn an_uninstrumented_read_of_a_freed_block_is_found_by_its_guarded_page() {
    // SAFETY: the page is guarded.
    used_after_free(Kind::Read, |addr| unsafe {
        (addr as *const u8).read_volatile();
    });
}

fn an_uninstrumented_write_to_a_freed_block_is_found_by_its_guarded_page() {
    // SAFETY: the page is guarded.
    used_after_free(Kind::Write, |addr| unsafe { (addr as *mut u8).write_volatile(1) });
}

fn blocks_are_aligned_zeroed_and_keep_their_bytes_as_they_grow() {
    as_instrumented();
    holds(|| {
        for shift in 0..16 {
            let layout = layout(24 << (shift / 2), 1 << shift);
            // SAFETY: within the block.
            unsafe {
                let block = alloc_zeroed(layout);
                assert_eq!(block.addr() % layout.align(), 0);
                assert!((0..layout.size()).all(|i| *block.add(i) == 0));
                block.write_bytes(9, layout.size());
                let grown = realloc(block, layout, layout.size() * 3);
                assert!((0..layout.size()).all(|i| *grown.add(i) == 9));
                dealloc(grown, Layout::from_size_align(layout.size() * 3, layout.align()).unwrap());
            }
        }
        let text: String = (0..1000).map(|i| i.to_string()).collect();
        assert_eq!(text.len(), 2890);
    });
}

/// Answers every reuse choice alike.
struct Reuse(u32);

impl Decider for Reuse {
    fn schedule(&mut self, consult: &Consult<'_>) -> Slice {
        InOrder.schedule(consult)
    }
    fn choose(&mut self, kind: ChoiceKind, _: ThreadId, _: u64, n: u32) -> u32 {
        assert_eq!((kind, n), (ChoiceKind::Reuse, 2));
        self.0
    }
}

fn reusing(answer: u32, root: impl FnMut()) -> Execution {
    let options = Options { offers: Choices::NONE.with(ChoiceKind::Reuse), ..Options::default() };
    run_with(&options, &mut Reuse(answer), root)
}

fn a_block_is_handed_out_again_only_when_chosen() {
    for answer in [0, 1] {
        let ended = reusing(answer, || assert_eq!(freed(40) == freed(40), answer == 1));
        assert!(ended.found.is_none(), "{:?}", ended.found);
    }
    holds(|| assert_ne!(freed(40), freed(40)));
}

fn reuse_takes_the_most_recently_freed_block_of_the_layout() {
    let ended = reusing(1, || {
        // SAFETY: every block is freed once.
        unsafe {
            let [a, b, c] = [32, 32, 64].map(|size| alloc(layout(size, 8)));
            dealloc(a, layout(32, 8));
            dealloc(b, layout(32, 8));
            dealloc(c, layout(64, 8));
            assert_eq!(alloc(layout(32, 8)), b);
            assert_eq!(alloc(layout(32, 8)), a);
            assert_eq!(alloc(layout(64, 8)), c);
            let other = alloc(layout(32, 8));
            assert!(other != a && other != b);
        }
    });
    assert!(ended.found.is_none(), "{:?}", ended.found);
    assert_eq!((ended.allocated, ended.freed), (7, 3));
}

fn a_reused_block_is_live_again_and_its_last_free_is_told() {
    as_instrumented();
    let ended = reusing(1, || {
        let addr = freed(40);
        let again = vec![1_u8; 40];
        assert_eq!(again.as_ptr().addr(), addr);
        // SAFETY: the callback checks addresses only.
        unsafe { __sanitizer_cov_load8(addr) };
        set_label(9);
        drop(again);
        // SAFETY: as above.
        unsafe { __sanitizer_cov_load8(addr) };
    });
    let Fact::BadAccess { block: Some(block), .. } = ended.found.unwrap().fact else { panic!() };
    assert_eq!(block.free.unwrap().label, 9);
}

fn addresses(seed: u64) -> Vec<(usize, usize)> {
    let mut seen = Vec::new();
    let ended = run_under(Random(seed), || {
        let all = std::sync::Mutex::new(Vec::new());
        concurrently(3, &|i| {
            for size in 1..20 {
                let block = vec![0_u8; size * (i + 1)];
                outside(&mut || all.lock().unwrap().push((i, block.as_ptr().addr())));
            }
        });
        outside(&mut || seen.clone_from(&all.lock().unwrap()));
    });
    assert!(ended.reusable, "{:?}", ended.found);
    seen
}

fn addresses_repeat_from_one_execution_to_the_next() {
    let (first, other) = (addresses(1), addresses(2));
    assert_ne!(first, other);
    assert_eq!(first, addresses(1));
}

fn a_block_kept_from_an_earlier_execution_stays_live() {
    as_instrumented();
    let mut kept = None;
    run_under(InOrder, || kept = Some(Box::new(7_u64)));
    let mut kept = kept.unwrap();
    for _ in 0..3 {
        let ended = run_under(InOrder, || {
            *kept += 1;
            let own = Box::new(1_u64);
            assert_ne!(&raw const *own, &raw const *kept);
            // SAFETY: the callback checks addresses only.
            unsafe { __sanitizer_cov_load8((&raw const *kept).addr()) };
        });
        assert!(ended.found.is_none(), "{:?}", ended.found);
    }
    assert_eq!(*kept, 10);
}

fn a_block_of_an_earlier_execution_is_told_as_such() {
    as_instrumented();
    let (mut kept, mut anchor) = (None, None);
    run_under(InOrder, || {
        anchor = Some(Box::new(1_u8));
        kept = Some(Box::new(7_u64));
    });
    let (_, block) = bad_access(|| {
        let addr = (&raw const **kept.as_ref().unwrap()).addr();
        kept = None;
        // SAFETY: the callback checks addresses only.
        unsafe { __sanitizer_cov_load8(addr) };
    });
    assert!(block.earlier_execution && block.free.is_some());
}

fn a_block_freed_after_its_execution_frees_its_place() {
    let mut kept = None;
    for _ in 0..200 {
        let ended = run_under(InOrder, || kept = Some(Box::new(7_u64)));
        assert!(ended.found.is_none());
        kept = None;
        assert!(heap_has_room());
    }
    assert!(kept.is_none());
}

fn a_full_heap_is_a_finding() {
    let found = finds(InOrder, || {
        let mut all = Vec::new();
        loop {
            all.push(Vec::<u8>::with_capacity(10 << 20));
        }
    });
    let Fact::HeapExhausted { live, allocated } = found.fact else { panic!("{found:?}") };
    assert!(live > 200 << 20 && allocated >= live, "{live} of {allocated}");
}

fn executions_that_leak_use_up_the_room() {
    let mut executions = 0;
    while heap_has_room() {
        run_under(InOrder, || {
            Box::leak(black_box(Box::new(1)));
        });
        executions += 1;
    }
    assert_eq!(executions, 64);
}

#[inline(never)]
fn the_allocating_function() -> Box<u64> {
    black_box(Box::new(3))
}

#[inline(never)]
fn the_freeing_function(block: Box<u64>) {
    drop(black_box(block));
}

#[inline(never)]
fn the_reading_function(addr: usize) {
    // SAFETY: the callback checks addresses only.
    unsafe { __sanitizer_cov_load8(addr) };
    black_box(addr);
}

fn recorded_blocks_tell_the_stacks_of_their_allocation_and_free() {
    as_instrumented();
    let (ended, _) = trace(&mut InOrder, Options::default(), || {
        let block = the_allocating_function();
        let addr = (&raw const *block).addr();
        the_freeing_function(block);
        the_reading_function(addr);
    });
    let found = ended.found.unwrap();
    let Fact::BadAccess { block: Some(block), .. } = &found.fact else { panic!("{found:?}") };
    let names = |stack: &Stack, part: &str| {
        assert!(
            stack.frames().iter().any(|f| f.function.contains(part)),
            "no frame of {part}: {:?}",
            stack.frames()
        );
    };
    names(&block.alloc_stack, "the_allocating_function");
    names(&block.free_stack, "the_freeing_function");
    names(&found.stack, "the_reading_function");
}

fn events_are_not_told_once_the_execution_has_ended() {
    let mut kept = None;
    let (ended, events) = trace(&mut InOrder, Options::default(), || kept = Some(Box::new(7_u64)));
    assert!(ended.found.is_none());
    assert!(events.iter().any(|e| e.starts_with("Alloc")));
    drop(kept);
    assert!(heap_has_room());
}

fn blocks_of_the_c_library_are_modelled_too() {
    used_after_free(Kind::Read, |_| {
        // SAFETY: within the blocks, until the last use, which is what is tested.
        unsafe {
            let zeroed = libc::calloc(10, 4).cast::<u8>();
            assert!((0..40).all(|i| *zeroed.add(i) == 0));
            zeroed.write_bytes(7, 40);
            let grown = libc::realloc(zeroed.cast(), 80).cast::<u8>();
            assert!((0..40).all(|i| *grown.add(i) == 7));
            libc::free(grown.cast());
            let mut aligned = std::ptr::null_mut();
            assert_eq!(libc::posix_memalign(&mut aligned, 256, 48), 0);
            assert_eq!(aligned.addr() % 256, 0);
            libc::free(aligned);
            libc::free(std::ptr::null_mut());
        }
        // The freed block that the caller looks at is one of Rust's.
        set_label(1);
        let addr = freed(48);
        // SAFETY: the callback checks addresses only.
        unsafe { __sanitizer_cov_load8(addr + 8) };
    });
}

fn a_second_free_by_c_code_is_found() {
    let found = finds(InOrder, || {
        // SAFETY: the second free is what is tested.
        unsafe {
            let block = black_box(libc::malloc(30));
            libc::free(block);
            libc::free(block);
        }
    });
    assert!(matches!(&found.fact, Fact::DoubleFree { block, .. } if block.size == 30), "{found:?}");
}

fn a_block_of_the_c_library_may_be_freed_after_its_execution() {
    let mut kept = std::ptr::null_mut();
    // SAFETY: the block is freed once.
    run_under(InOrder, || unsafe { kept = libc::malloc(30) });
    // SAFETY: as above.
    unsafe {
        kept = libc::realloc(kept, 100);
        kept.cast::<u8>().write_bytes(1, 100);
        libc::free(kept);
    }
    run_under(InOrder, || assert!(Box::new(1) == Box::new(1)));
}
