//! What an execution leaves on the heap is a finding if nothing refers to it any more.

mod common;

use std::cell::RefCell;
use std::hint::black_box;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::{ptr, thread};

use common::*;
use mapcheck_machine::*;

tests! {
    a_box_that_is_forgotten_is_found_with_its_size_and_label,
    a_leak_is_no_finding_unless_it_is_forbidden,
    an_execution_that_frees_everything_is_clean,
    what_a_static_refers_to_is_no_leak,
    a_tagged_pointer_in_a_static_keeps_its_block,
    a_pointer_to_the_middle_and_one_to_the_end_keep_their_blocks,
    what_a_kept_block_refers_to_is_kept,
    what_went_with_a_lost_block_is_counted_and_told_after_it,
    only_the_first_of_many_are_told_and_all_are_counted,
    a_circle_of_references_is_a_leak_that_is_told_once,
    a_box_of_a_thread_local_variable_is_dropped_at_the_end_of_its_thread,
    a_pointer_that_a_dead_thread_alone_knew_is_lost,
    what_the_standard_library_keeps_of_threads_and_panics_is_no_leak,
    memory_of_the_c_library_that_is_not_freed_is_lost,
    what_the_c_library_keeps_for_a_thread_is_no_leak,
    a_block_of_an_earlier_execution_is_not_told_again,
    a_thread_that_is_left_behind_may_still_free_what_is_left,
    the_stack_of_the_allocation_is_told_when_recording,
    a_lost_block_is_found_at_the_address_of_one_that_was_freed,
}

/// Runs an execution in which leaks are forbidden.
fn ended(options: &Options, mut root: impl FnMut()) -> Execution {
    run_with(options, &mut Turns(3), || {
        forbid_leaks();
        root();
    })
}

/// What an execution leaks: blocks in the order in which they are told, how many, and their bytes.
#[track_caller]
fn leaks(root: impl FnMut()) -> (Vec<Lost>, usize, usize) {
    let ended = ended(&Options::default(), root);
    assert!(!ended.reusable);
    let found = ended.found.expect("a leak");
    assert_eq!((found.at.thread, found.at.label, found.at.step), (0, 0, ended.steps));
    let Fact::Leaked { blocks, count, bytes } = found.fact else { panic!("{found:?}") };
    (blocks, count, bytes)
}

#[track_caller]
fn is_clean(root: impl FnMut()) {
    let options = Options { fresh_globals: true, ..Options::default() };
    let ended = ended(&options, root);
    assert!(ended.found.is_none(), "{:?}", ended.found);
    assert!(ended.reusable);
}

fn forget<T>(value: T) -> *mut T {
    black_box(Box::into_raw(Box::new(value)))
}

/// Keeps a word where it can be reached.
static KEPT: AtomicUsize = AtomicUsize::new(0);

fn keep(word: usize) {
    KEPT.store(word, SeqCst);
}

fn a_box_that_is_forgotten_is_found_with_its_size_and_label() {
    let (blocks, count, bytes) = leaks(|| {
        drop(Box::new([1u64; 3]));
        concurrently(2, &|i| {
            set_label(10 + i as u32);
            if i == 1 {
                forget([7u64, 8, 9, 10, 11, 12]);
            }
            point();
        });
    });
    assert_eq!((blocks.len(), count, bytes), (1, 1, 48));
    let Lost { block, held, head } = &blocks[0];
    assert_eq!((block.size, block.align, block.alloc.thread, block.alloc.label), (48, 8, 2, 11));
    assert_eq!((*held, *head, block.free), (false, [7, 8], None));
    assert!(block.alloc_stack.is_empty());
}

fn a_leak_is_no_finding_unless_it_is_forbidden() {
    for _ in 0..2 {
        let ended = run_under(InOrder, || _ = forget(1u64));
        assert!(ended.found.is_none() && ended.reusable);
        assert_eq!(ended.allocated - ended.freed, 1);
    }
}

fn an_execution_that_frees_everything_is_clean() {
    is_clean(|| {
        let words: Vec<String> = (0..100).map(|i| format!("word {i}")).collect();
        thread::scope(|s| {
            s.spawn(|| assert_eq!(words.concat().len(), 690));
        });
    });
}

fn what_a_static_refers_to_is_no_leak() {
    static LIST: Mutex<Vec<Arc<u64>>> = Mutex::new(Vec::new());
    for _ in 0..3 {
        is_clean(|| LIST.lock().unwrap().push(Arc::new(5)));
    }
}

fn a_tagged_pointer_in_a_static_keeps_its_block() {
    for tag in [0, 1, 7, 0x7f << 56] {
        is_clean(|| keep(forget(1u64).addr() | tag));
    }
}

fn a_pointer_to_the_middle_and_one_to_the_end_keep_their_blocks() {
    is_clean(|| keep(forget([0u64; 8]).addr() + 24));
    is_clean(|| keep(forget([0u64; 8]).addr() + 64));
    let (_, _, bytes) = leaks(|| keep(forget([0u64; 8]).addr() + 65));
    assert_eq!(bytes, 64);
}

fn what_a_kept_block_refers_to_is_kept() {
    is_clean(|| {
        let mut next = 0;
        for _ in 0..1000 {
            next = forget([1, next]).addr();
        }
        keep(next);
    });
}

fn what_went_with_a_lost_block_is_counted_and_told_after_it() {
    let (blocks, count, bytes) = leaks(|| {
        let inner = forget(3u64);
        let middle = forget([inner.addr(), 0]);
        set_label(9);
        forget([0, 0, middle.addr()]);
    });
    let told: Vec<_> = blocks.iter().map(|b| (b.block.size, b.held)).collect();
    assert_eq!(told, [(24, false), (8, true), (16, true)]);
    assert_eq!((count, bytes), (3, 48));
}

fn only_the_first_of_many_are_told_and_all_are_counted() {
    let (blocks, count, bytes) = leaks(|| (0..100u64).for_each(|i| _ = forget(i)));
    assert_eq!((blocks.len(), count, bytes), (64, 100, 800));
    assert_eq!(blocks[63].head, [63, 0]);
}

fn a_circle_of_references_is_a_leak_that_is_told_once() {
    struct Node {
        next: Mutex<Option<Arc<Node>>>,
    }
    let (blocks, count, _) = leaks(|| {
        let new = |next| Arc::new(Node { next: Mutex::new(next) });
        let last = new(None);
        let first = new(Some(Arc::clone(&last)));
        *last.next.lock().unwrap() = Some(first);
    });
    assert_eq!(blocks.iter().map(|b| b.held).collect::<Vec<_>>(), [false, true]);
    assert_eq!(count, 2);
}

thread_local!(static LOCAL: RefCell<Option<Box<u64>>> = const { RefCell::new(None) });

fn a_box_of_a_thread_local_variable_is_dropped_at_the_end_of_its_thread() {
    let set = || LOCAL.with(|local| *local.borrow_mut() = Some(Box::new(4)));
    is_clean(|| {
        set();
        thread::spawn(set).join().unwrap();
    });
}

fn a_pointer_that_a_dead_thread_alone_knew_is_lost() {
    thread_local!(static RAW: AtomicPtr<u64> = const { AtomicPtr::new(ptr::null_mut()) });
    let set = || RAW.with(|raw| raw.store(forget(4), SeqCst));
    let (_, count, bytes) = leaks(|| {
        set();
        thread::spawn(set).join().unwrap();
    });
    assert_eq!((count, bytes), (2, 16));
}

fn what_the_standard_library_keeps_of_threads_and_panics_is_no_leak() {
    for _ in 0..3 {
        is_clean(|| {
            let named = thread::Builder::new().name("named".into());
            let handle = named.spawn(|| thread::current().name().map(str::len)).unwrap();
            assert_eq!(handle.join().unwrap(), Some(5));
            assert!(thread::spawn(|| panic!("on purpose, {}", 1)).join().is_err());
            thread::spawn(|| print!(""));
            assert!(std::env::var("NOT_SET").is_err() && std::env::current_dir().is_ok());
            assert!(std::fs::read_to_string("/nowhere").is_err());
            let (to, from) = std::sync::mpsc::channel();
            thread::scope(|s| _ = s.spawn(move || to.send(String::from("sent")).unwrap()));
            assert_eq!(from.recv().unwrap(), "sent");
            thread::park_timeout(std::time::Duration::from_millis(1));
        });
    }
}

fn memory_of_the_c_library_that_is_not_freed_is_lost() {
    is_clean(|| {
        // SAFETY: a block of the size that is asked for, freed once; a name that libc copies.
        unsafe {
            libc::free(libc::malloc(30));
            libc::setenv(c"MAPCHECK_A_NEW_VARIABLE".as_ptr(), c"1".as_ptr(), 1);
        }
    });
    // SAFETY: as above.
    let (blocks, ..) = leaks(|| _ = unsafe { black_box(libc::malloc(30)) });
    assert_eq!((blocks.len(), blocks[0].block.size), (1, 30));
}

fn what_the_c_library_keeps_for_a_thread_is_no_leak() {
    is_clean(|| {
        // libc has room for 32 keys in a thread's control block, and allocates a table for more.
        let mut keys = [0; 40];
        let word = 5u64;
        // SAFETY: each key is created before it is used and deleted afterwards.
        unsafe {
            keys.iter_mut().for_each(|key| _ = libc::pthread_key_create(key, None));
            libc::pthread_setspecific(keys[39], ptr::from_ref(&word).cast());
            assert_eq!(libc::pthread_getspecific(keys[39]), ptr::from_ref(&word).cast_mut().cast());
            keys.iter().for_each(|key| _ = libc::pthread_key_delete(*key));
        }
    });
}

fn a_block_of_an_earlier_execution_is_not_told_again() {
    let earlier = run_under(InOrder, || {
        forget(1u64);
        keep(forget([0usize; 2]).addr());
    });
    assert!(earlier.found.is_none());
    let options = Options::default();
    let clean = ended(&options, || {
        let inner = forget(5u8).addr();
        // SAFETY: the block is live, and nothing else uses it.
        unsafe { *ptr::with_exposed_provenance_mut::<usize>(KEPT.load(SeqCst)) = inner };
    });
    assert!(clean.found.is_none(), "{:?}", clean.found);
    let (_, count, bytes) = leaks(|| _ = forget(5u16));
    assert_eq!((count, bytes), (1, 2));
}

fn a_thread_that_is_left_behind_may_still_free_what_is_left() {
    let options = Options { fresh_globals: true, ..Options::default() };
    let ended = ended(&options, || {
        let held = Box::new(6u64);
        thread::spawn(move || {
            thread::park();
            drop(held);
        });
    });
    assert!(ended.found.is_none(), "{:?}", ended.found);
    assert_eq!(ended.outlived, 1);
}

fn the_stack_of_the_allocation_is_told_when_recording() {
    let options = Options { record: true, ..Options::default() };
    let found = ended(&options, || _ = forget([1u64; 5])).found.unwrap();
    let Fact::Leaked { blocks, .. } = found.fact else { panic!("{found:?}") };
    let lost = blocks.iter().find(|b| b.block.size == 40).unwrap();
    let frames = lost.block.alloc_stack.frames();
    assert!(frames.iter().any(|f| f.function.contains("forget")), "{frames:?}");
}

fn a_lost_block_is_found_at_the_address_of_one_that_was_freed() {
    let options = Options { offers: Choices::NONE.with(ChoiceKind::Reuse), ..Options::default() };
    let mut seen = (0, 0);
    let found = ended(&options, || {
        let first = Box::new([1u64; 5]);
        seen.0 = ptr::from_ref(&*first).addr();
        drop(black_box(first));
        seen.1 = forget([2u64; 5]).addr();
    });
    assert_eq!(seen.0, seen.1, "these turns take what was freed");
    let Some(Fact::Leaked { blocks, count: 1, .. }) = found.found.map(|f| f.fact) else {
        panic!("one leak")
    };
    assert_eq!(blocks[0].head, [2, 2]);
}
