//! What the campaign needs of the operating system besides processes: CPU time, silence, quiet.

use std::time::{Duration, Instant};

/// CPU time that this process and its ended children used so far.
pub fn cpu_time() -> Duration {
    [libc::RUSAGE_SELF, libc::RUSAGE_CHILDREN].into_iter().map(used).sum()
}

fn used(who: i32) -> Duration {
    // SAFETY: rusage is plain data for which zero is valid, and getrusage fills it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(who, &mut usage);
        usage
    };
    let of = |t: libc::timeval| {
        Duration::from_secs(t.tv_sec as u64) + Duration::from_micros(t.tv_usec as u64)
    };
    of(usage.ru_utime) + of(usage.ru_stime)
}

/// Sends what this process prints from now on, on stdout and stderr, to nowhere. For workers: code under test may print
/// in each of a hundred thousand executions.
pub fn silence() {
    // SAFETY: the path is a C string, and the descriptors are this process's own.
    unsafe {
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if null >= 0 {
            libc::dup2(null, 1);
            libc::dup2(null, 2);
        }
    }
}

/// Waits until every other thread of the process sleeps, at most `most`; a fork after that inherits no lock that a
/// thread holds while it works. False if some thread went on.
pub fn wait_until_others_sleep(most: Duration) -> bool {
    let start = Instant::now();
    while !others_sleep() {
        if start.elapsed() > most {
            return false;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    true
}

fn others_sleep() -> bool {
    // SAFETY: no preconditions.
    let me = unsafe { libc::gettid() }.to_string();
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return true };
    tasks.flatten().all(|task| {
        let state = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        let state = state.rsplit_once(") ").map_or("S", |(_, rest)| &rest[..1]);
        task.file_name().to_str() == Some(&me) || state == "S"
    })
}
