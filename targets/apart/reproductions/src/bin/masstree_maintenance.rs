//! masstree 0.9.5: `maintenance` never returns from a tree whose leaves were emptied, filled and emptied again.
//!
//! One thread, no timing: it waits for the mark of an unlinked leaf to go away, which nobody takes off. It hangs in
//! every run; the main thread waits ten seconds for it. Exit code 1 where it hangs.

use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use masstree::MassTree15;

fn maintain() {
    let tree = MassTree15::<u64>::new();
    let insert = |keys: std::ops::Range<u64>| {
        keys.for_each(|key| _ = tree.insert(&key.to_be_bytes(), key));
    };
    let remove = |keys: std::ops::Range<u64>| {
        keys.for_each(|key| _ = tree.remove(&key.to_be_bytes()).expect("nobody contends"));
    };
    insert(0..16);
    remove(0..16);
    insert(14..16);
    remove(14..16);
    assert_eq!(tree.len(), 0);
    tree.maintenance(&mut tree.guard());
}

fn main() -> ExitCode {
    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        maintain();
        let _ = done.send(());
    });
    let returned = wait.recv_timeout(Duration::from_secs(10)).is_ok();
    println!("maintenance {}", if returned { "returned" } else { "did not return within 10 s" });
    ExitCode::from(u8::from(!returned))
}
