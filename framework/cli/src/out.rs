//! The out directory of `check`: whose it is, and what becomes of an earlier run's.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use owo_colors::OwoColorize as _;
use rustix::fs::FlockOperation::NonBlockingLockExclusive;
use rustix::io::FdFlags;

use crate::error::Error;

/// The file in it that the run has a lock on. It also tells a directory of mapcheck's from any other.
const LOCK: &str = ".mapcheck-lock";
/// How long the runners of a supervisor that was killed may take to save what they have.
const PATIENCE: Duration = Duration::from_secs(60);

/// What becomes of what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// It is moved to `<out>.old`, and what was there is dropped.
    Rotate,
    /// It stays.
    Keep,
}

/// Takes the directory for this run; it is the run's until the file is closed here and in every process that has
/// inherited it.
///
/// # Errors
/// When another run has it, or an earlier run's results are in the way.
pub fn claim(dir: &Path, earlier: Earlier) -> Result<File, Error> {
    let mut lock = locked(dir, earlier)?;
    if earlier == Earlier::Rotate && rotate(dir)? {
        lock = locked(dir, earlier)?;
    }
    let failed = |e| Error::write(dir, e);
    lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id())).map_err(failed)?;
    // The runners inherit it: if this process is killed, nobody takes the directory while they still write to it.
    rustix::io::fcntl_setfd(&lock, FdFlags::empty()).map_err(|e| failed(e.into()))?;
    Ok(lock)
}

/// The lock on a directory, which is made if there is none.
fn locked(dir: &Path, earlier: Earlier) -> Result<File, Error> {
    let path = dir.join(LOCK);
    let start = Instant::now();
    loop {
        let file = fs::create_dir_all(dir)
            .and_then(|()| File::options().create(true).read(true).append(true).open(&path));
        let file = file.map_err(|e| Error::write(dir, e))?;
        if rustix::fs::flock(&file, NonBlockingLockExclusive).is_ok() {
            // Another run may have moved it away in between.
            if same_file(&file, &path) {
                return Ok(file);
            }
        } else if earlier == Earlier::Rotate || start.elapsed() > PATIENCE {
            let process = fs::read_to_string(&path).unwrap_or_default().trim().to_owned();
            return Err(Error::OutTaken { path: dir.to_owned(), process });
        } else {
            sleep(Duration::from_millis(20));
        }
    }
}

fn same_file(file: &File, path: &Path) -> bool {
    let inode = |metadata: io::Result<fs::Metadata>| metadata.map(|m| (m.dev(), m.ino())).ok();
    inode(file.metadata()) == inode(fs::metadata(path))
}

/// Moves an earlier run's results out of the way; false if there are none.
fn rotate(dir: &Path) -> Result<bool, Error> {
    let entries = fs::read_dir(dir).map_err(|e| Error::read(dir, e))?.flatten();
    let names: Vec<_> = entries.map(|entry| entry.file_name()).filter(|n| n != LOCK).collect();
    // A directory that somebody else has filled is added to: its new lock is all that is ours.
    let lock = fs::metadata(dir.join(LOCK)).map_err(|e| Error::read(dir, e))?;
    if names.is_empty() || lock.len() == 0 {
        return Ok(false);
    }
    let old = old(dir);
    if old.exists() && !old.join(LOCK).exists() {
        let what = "is in the way of the earlier run's results, and is not mapcheck's";
        return Err(Error::OutOld { path: old, what: what.to_owned() });
    }
    let moved = match fs::remove_dir_all(&old) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => fs::rename(dir, &old),
    };
    moved.map_err(|e| Error::write(&old, e))?;
    let note = "note:".green().bold().to_string();
    anstream::eprintln!("{note} the earlier {} is now {}", dir.display(), old.display());
    Ok(true)
}

/// Where an earlier run's results go.
fn old(dir: &Path) -> PathBuf {
    let mut name = dir.as_os_str().to_owned();
    name.push(".old");
    name.into()
}

/// Where a file of an earlier run is now, if it was moved away with the rest.
pub fn moved(path: &Path) -> Option<PathBuf> {
    path.ancestors().skip(1).filter(|dir| dir.file_name().is_some()).find_map(|dir| {
        let now = old(dir).join(path.strip_prefix(dir).ok()?);
        now.is_file().then_some(now)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of this test alone, empty.
    fn folder(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("mapcheck-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).expect("the folder can be made");
        dir
    }

    #[test]
    fn the_results_of_the_last_run_but_one_are_dropped() {
        let root = folder("rotation");
        let out = root.join("out");
        for run in ["first", "second", "third"] {
            let lock = claim(&out, Earlier::Rotate).unwrap();
            assert!(!out.join("a").exists(), "{run} begins with an empty directory");
            fs::write(out.join("a"), run).unwrap();
            drop(lock);
        }
        let of = |dir: &str| fs::read_to_string(root.join(dir).join("a")).unwrap();
        assert_eq!((of("out").as_str(), of("out.old").as_str()), ("third", "second"));
        assert_eq!(moved(&out.join("gone/b.toml")), None);
        fs::create_dir(root.join("out.old/x")).unwrap();
        fs::write(root.join("out.old/x/b.toml"), "").unwrap();
        assert_eq!(moved(&out.join("x/b.toml")), Some(root.join("out.old/x/b.toml")));
        drop(claim(&out, Earlier::Keep).unwrap());
        assert_eq!(of("out"), "third", "what is kept stays");
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn two_runs_do_not_share_a_directory() {
        let root = folder("lock");
        let lock = claim(&root.join("out"), Earlier::Rotate).unwrap();
        let second = claim(&root.join("out"), Earlier::Rotate);
        let process = std::process::id().to_string();
        assert!(matches!(second, Err(Error::OutTaken { process: p, .. }) if p == process));
        drop(lock);
        claim(&root.join("out"), Earlier::Rotate).unwrap();
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn what_is_not_mapcheck_s_is_neither_moved_nor_dropped() {
        let root = folder("foreign");
        let out = root.join("out");
        fs::create_dir(&out).unwrap();
        fs::write(out.join("letter"), "dear").unwrap();
        drop(claim(&out, Earlier::Rotate).unwrap());
        assert!(out.join("letter").exists(), "a directory that was there before is added to");
        fs::create_dir(root.join("out.old")).unwrap();
        assert!(matches!(claim(&out, Earlier::Rotate), Err(Error::OutOld { .. })));
        assert!(out.join("letter").exists() && root.join("out.old").exists());
        fs::remove_dir_all(root).unwrap();
    }
}
