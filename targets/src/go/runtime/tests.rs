//! Collections made step by step, between the steps of a tiny program: a global block `m` with
//! pointers.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mapcheck::Value;
use mapcheck::model::{Layout, Native, Ptr};

use super::{Cycle, Phase, Runtime};

/// An order of marking: all stacks before the heap.
const STACKS_FIRST: u64 = 0;
/// The heap before the stacks.
const HEAP_FIRST: u64 = 1;

const POINTERS: Layout = Layout { cells: 0, atomics: 0, pointers: 2 };

/// A program whose global points to a value.
struct Program {
    runtime: Runtime<Native>,
    m: Ptr,
    v: Ptr,
}

impl Program {
    fn new() -> Program {
        let runtime = Runtime::new();
        let m = runtime.allocate(POINTERS);
        runtime.add_global(m);
        let v = runtime.allocate_value(Value::new(1));
        runtime.write_pointer(m, v);
        Program { runtime, m, v }
    }

    fn lives(&self, block: Ptr) -> bool {
        self.runtime.heap().is_live(block)
    }

    /// Begins a collection, and makes so many more steps in this order.
    fn begin(&self, choice: u64, steps: usize) -> Cycle<'_, Native> {
        let mut cycle = self.runtime.begin_cycle();
        (0..=steps).for_each(|_| assert!(cycle.step_choosing(choice)));
        assert_eq!(self.runtime.state(|s| s.phase), Phase::Mark);
        cycle
    }
}

fn finish(mut cycle: Cycle<'_, Native>) {
    while cycle.step() {}
}

fn message(run: impl FnOnce()) -> String {
    *catch_unwind(AssertUnwindSafe(run)).unwrap_err().downcast::<String>().unwrap()
}

#[test]
fn what_is_reachable_survives_and_garbage_is_freed() {
    let Program { runtime, m, v } = Program::new();
    let frame = runtime.frame();
    let held = frame.allocate(POINTERS);
    let inner = runtime.allocate_value(Value::new(2));
    runtime.write_pointer(held.at(1), inner);
    let garbage = runtime.allocate(POINTERS);
    runtime.write_pointer(garbage, v);
    runtime.collect();
    let lives = [m, v, held, inner, garbage].map(|block| runtime.heap().is_live(block));
    assert_eq!(lives, [true, true, true, true, false]);
    drop(frame);
    runtime.remove_global(m);
    runtime.collect();
    assert!([m, v, held, inner].iter().all(|block| !runtime.heap().is_live(*block)));
}

#[test]
fn garbage_that_points_to_itself_is_freed() {
    let runtime = Runtime::<Native>::new();
    let [a, b] = [0, 1].map(|_| runtime.allocate(POINTERS));
    runtime.write_pointer(a, b);
    runtime.write_pointer(b, a);
    runtime.collect();
    assert!(!runtime.heap().is_live(a) && !runtime.heap().is_live(b));
}

#[test]
fn a_pointer_into_the_middle_of_a_block_keeps_all_of_it() {
    let runtime = Runtime::<Native>::new();
    let frame = runtime.frame();
    let block = runtime.allocate(POINTERS.times(4));
    let slot = frame.keep(block.at(5));
    runtime.write_pointer(block.at(7), runtime.allocate_value(Value::new(1)));
    runtime.collect();
    let kept = Ptr::from_word(runtime.heap().read(frame.get(slot).base().at(7)));
    assert_eq!(runtime.heap().read(kept), 1);
}

#[test]
fn what_was_just_allocated_lives_until_the_next_step_of_its_goroutine() {
    let program = Program::new();
    let new = program.runtime.allocate(POINTERS);
    program.runtime.collect();
    assert!(program.lives(new));
    program.runtime.write_pointer(program.m, Ptr::NULL);
    program.runtime.collect();
    assert!(!program.lives(new) && !program.lives(program.v));
}

#[test]
fn what_is_allocated_during_a_collection_survives_it_and_not_the_next() {
    let program = Program::new();
    let mut cycle = program.begin(STACKS_FIRST, 0);
    let mut made = vec![program.runtime.allocate(POINTERS)];
    while program.runtime.state(|s| s.phase) == Phase::Mark {
        cycle.step();
    }
    made.push(program.runtime.allocate(POINTERS));
    finish(cycle);
    assert!(made.iter().all(|block| program.lives(*block)));
    program.runtime.write_pointer(program.m, program.v);
    program.runtime.collect();
    assert!(made.iter().all(|block| !program.lives(*block)));
}

/// F26: the stack is scanned, `v = m[k]`, `delete(m, k)`, marking ends, `v` is swept, `v` is used.
fn delete_what_a_scanned_stack_holds(delete: impl Fn(&Runtime<Native>, Ptr)) -> (Program, bool) {
    let program = Program::new();
    let frame = program.runtime.frame();
    let cycle = program.begin(STACKS_FIRST, 1);
    assert_eq!(frame.load(program.m), (0, program.v));
    delete(&program.runtime, program.m);
    finish(cycle);
    let lives = program.lives(program.v);
    drop(frame);
    (program, lives)
}

#[test]
fn with_the_deletion_barrier_a_value_outlives_its_deletion_while_it_is_held() {
    let ways: [fn(&Runtime<Native>, Ptr); 3] = [
        |runtime, at| runtime.write_pointer(at, Ptr::NULL),
        |runtime, at| runtime.clear(at, 2),
        |runtime, at| {
            runtime.bulk_barrier(at, None, 2);
            runtime.heap().write(at, 0);
        },
    ];
    for delete in ways {
        let (program, lived) = delete_what_a_scanned_stack_holds(delete);
        assert!(lived);
        program.runtime.collect();
        assert!(!program.lives(program.v), "it is garbage when nothing holds it");
    }
}

#[test]
fn without_the_deletion_barrier_a_held_value_is_freed_and_its_use_is_found() {
    let (program, lived) = delete_what_a_scanned_stack_holds(|runtime, at| {
        runtime.write_pointer_without_barrier(at, Ptr::NULL);
    });
    assert!(!lived);
    let said = message(|| assert_eq!(program.runtime.heap().read(program.v), 1));
    assert!(said.starts_with("premature-reclamation: read "), "{said}");
}

/// F27: a block is black, a goroutine whose stack is grey stores a pointer there, and forgets it.
fn hide_behind_a_black_block(store: impl Fn(&Runtime<Native>, Ptr, Ptr)) -> bool {
    let program = Program::new();
    let frame = program.runtime.frame();
    let key = frame.allocate_value(Value::new(2));
    // Both words of `m` are followed: it is black.
    let cycle = program.begin(HEAP_FIRST, 2);
    store(&program.runtime, program.m.at(1), key);
    drop(frame);
    finish(cycle);
    let found = Ptr::from_word(program.runtime.heap().read(program.m.at(1)));
    assert_eq!(found, key);
    program.lives(key)
}

#[test]
fn with_the_insertion_barrier_a_key_survives_in_a_block_that_was_scanned_before() {
    assert!(hide_behind_a_black_block(|runtime, at, key| runtime.write_pointer(at, key)));
}

#[test]
fn without_the_insertion_barrier_a_key_in_a_black_block_is_freed() {
    let store = |runtime: &Runtime<Native>, at, key| runtime.write_pointer_without_barrier(at, key);
    assert!(!hide_behind_a_black_block(store));
}

#[test]
fn a_black_stack_stores_without_shading() {
    let program = Program::new();
    let frame = program.runtime.frame();
    let key = frame.allocate_value(Value::new(2));
    let cycle = program.begin(STACKS_FIRST, 1);
    // Marked since it was on the stack. What is stored now was allocated black.
    let reached = program.runtime.state(|s| s.marking.reached().clone());
    program.runtime.write_pointer(program.m.at(1), key);
    assert_eq!(program.runtime.state(|s| s.marking.reached().clone()), reached);
    finish(cycle);
    assert!(program.lives(key));
}

/// F25: `m` is black, its old array is not scanned yet; an entry moves to the new one, which is
/// black.
fn evacuate(moved: impl Fn(&Runtime<Native>, Ptr, Ptr)) -> bool {
    let program = Program::new();
    let old = program.runtime.allocate(POINTERS);
    program.runtime.write_pointer(program.m.at(1), old);
    let v = program.runtime.allocate_value(Value::new(2));
    program.runtime.write_pointer(old, v);
    let cycle = program.begin(HEAP_FIRST, 2);
    let new = program.runtime.allocate(POINTERS);
    program.runtime.add_global(new);
    moved(&program.runtime, new, old);
    finish(cycle);
    assert_eq!(Ptr::from_word(program.runtime.heap().read(new)), v);
    program.lives(v)
}

fn move_bare(runtime: &Runtime<Native>, to: Ptr, from: Ptr) {
    runtime.heap().write(to, runtime.heap().read(from));
    runtime.heap().write(from, 0);
}

#[test]
fn either_half_of_the_bulk_barrier_keeps_what_an_evacuation_moves_and_neither_frees_it() {
    assert!(evacuate(|runtime, to, from| {
        runtime.bulk_barrier(to, Some(from), 2);
        move_bare(runtime, to, from);
    }));
    assert!(evacuate(|runtime, to, from| {
        runtime.bulk_barrier(from, None, 2);
        move_bare(runtime, to, from);
    }));
    assert!(evacuate(|runtime, to, from| {
        runtime.copy(to, from, 2);
        runtime.clear(from, 2);
    }));
    assert!(!evacuate(move_bare));
}

#[test]
fn a_bulk_barrier_holds_for_the_stores_after_it_though_marking_begins_between_them() {
    for announced in [true, false] {
        let program = Program::new();
        let frame = program.runtime.frame();
        let old = frame.allocate(POINTERS);
        program.runtime.write_pointer(old, program.v);
        program.runtime.write_pointer_without_barrier(program.m, Ptr::NULL);
        if announced {
            program.runtime.bulk_barrier(program.m, Some(old), 2);
        }
        // `m` is black before the entry comes to it, and `old`, which it comes from, is cleared
        // before it is scanned.
        let cycle = program.begin(HEAP_FIRST, if announced { 3 } else { 2 });
        move_bare(&program.runtime, program.m, old);
        finish(cycle);
        assert_eq!(program.lives(program.v), announced);
    }
}

#[test]
fn a_goroutine_that_begins_during_marking_begins_black() {
    let program = Program::new();
    let cycle = program.begin(HEAP_FIRST, 0);
    program.runtime.state(|s| s.goroutines.clear());
    let frame = program.runtime.frame();
    assert!(program.runtime.state(|s| s.running().black));
    let (_, v) = frame.load(program.m);
    program.runtime.write_pointer(program.m, Ptr::NULL);
    finish(cycle);
    assert!(program.lives(v));
}

#[test]
fn a_second_collection_beside_one_has_no_steps() {
    let program = Program::new();
    let cycle = program.begin(STACKS_FIRST, 1);
    assert!(!program.runtime.begin_cycle().step());
    finish(cycle);
    assert_eq!(program.runtime.state(|s| s.cycles), 1);
    program.runtime.collect();
    assert_eq!(program.runtime.state(|s| s.cycles), 2);
}

#[test]
fn a_collection_that_was_given_up_is_gone_on_with() {
    let program = Program::new();
    drop(program.begin(STACKS_FIRST, 1));
    let garbage = program.runtime.allocate(POINTERS);
    program.runtime.collect();
    assert_eq!((program.runtime.state(|s| s.cycles), program.lives(garbage)), (1, true));
    assert_eq!(program.runtime.state(|s| s.phase), Phase::Off);
}

#[test]
fn a_frame_is_no_root_once_it_is_left() {
    let program = Program::new();
    program.runtime.write_pointer(program.m, Ptr::NULL);
    let outer = program.runtime.frame();
    let inner = program.runtime.frame();
    let (a, b) = (outer.allocate(POINTERS), inner.allocate(POINTERS));
    drop(inner);
    program.runtime.collect();
    assert!(program.lives(a) && !program.lives(b));
    outer.set(0, Ptr::NULL);
    program.runtime.collect();
    assert!(!program.lives(a));
}

#[test]
fn a_pointer_to_a_freed_block_is_found_by_the_collector() {
    let program = Program::new();
    program.runtime.heap().free(program.v);
    let said = message(|| program.runtime.collect());
    assert!(said.starts_with("premature-reclamation: the collector found a pointer to "), "{said}");
}

#[test]
fn random_programs_lose_nothing_reachable_at_any_step_of_a_collection() {
    let mut seed = 1u64;
    let mut random = move |n: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % n
    };
    for _ in 0..1_000 {
        let runtime = Runtime::<Native>::new();
        let global = runtime.allocate(POINTERS);
        runtime.add_global(global);
        let frame = runtime.frame();
        let slots: Vec<usize> = (0..3).map(|_| frame.keep(global)).collect();
        let mut cycle = runtime.begin_cycle();
        for _ in 0..400 {
            let (slot, at) = (slots[random(3)], frame.get(slots[random(3)]).at(random(2)));
            // Most are steps of the collection, so that what is lost is freed while it is held.
            match random(15) {
                0 => runtime.write_pointer(at, runtime.allocate(POINTERS)),
                1 if frame.reload(slot, at).is_null() => frame.set(slot, global),
                2 => runtime.write_pointer(at, frame.get(slot)),
                3 => runtime.copy(at.base(), frame.get(slot), 2),
                4 => runtime.clear(at.base(), 2),
                5.. if !cycle.step_choosing(random(64) as u64) => {
                    drop(cycle);
                    cycle = runtime.begin_cycle();
                }
                _ => {}
            }
            // Panics if what a slot holds was freed.
            for slot in &slots {
                runtime.heap().read(frame.get(*slot));
            }
        }
    }
}
