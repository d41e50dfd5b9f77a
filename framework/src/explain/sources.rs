//! The map's own lines around the places that an explanation names.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::story::Line;

/// Lines shown before and after one that is named.
const AROUND: usize = 4;
/// Characters of a line that are shown.
const WIDTH: usize = 160;

/// Some lines of a source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    /// The file, as sites name it.
    pub file: String,
    /// The number of its first line.
    pub first: usize,
    pub lines: Vec<String>,
    /// Which lines are named, and by which steps of the way back.
    pub marks: Vec<(usize, &'static str)>,
}

/// The excerpts for the steps of a walk, in the order of their first mention. Of sources that are not there, none.
pub(super) fn excerpts(walk: &[Line], home: &str) -> Vec<Excerpt> {
    let mut files: Vec<(String, PathBuf)> = Vec::new();
    let mut marks: BTreeMap<String, Vec<(usize, &'static str)>> = BTreeMap::new();
    for line in walk {
        let Some(place) = crate::report::site_of(&line.places, home) else { continue };
        let Some((file, number)) = place.site.rsplit_once(':') else { continue };
        let Ok(number) = number.parse() else { continue };
        if !marks.contains_key(file) {
            files.push((file.to_owned(), from_root(&place.path)));
        }
        marks.entry(file.to_owned()).or_default().push((number, line.role));
    }
    let all = files.into_iter().filter_map(|(file, path)| {
        let text = fs::read_to_string(path).ok()?;
        let marks = marks.remove(&file)?;
        Some(cut(&file, &text, marks))
    });
    all.flatten().collect()
}

/// The path of a source, which may be told from the workspace on.
fn from_root(path: &str) -> PathBuf {
    let root = std::env::var_os("MAPCHECK_ROOT").map_or_else(PathBuf::new, PathBuf::from);
    root.join(Path::new(path.trim_start_matches("./")))
}

/// Cuts the lines around the marks out of a text: those that are near each other together.
fn cut(file: &str, text: &str, mut marks: Vec<(usize, &'static str)>) -> Vec<Excerpt> {
    marks.sort_unstable();
    marks.dedup();
    let lines: Vec<&str> = text.lines().collect();
    let mut excerpts: Vec<Excerpt> = Vec::new();
    for (number, role) in marks.into_iter().filter(|(n, _)| (1..=lines.len()).contains(n)) {
        let (first, last) =
            (number.saturating_sub(AROUND).max(1), (number + AROUND).min(lines.len()));
        let open = excerpts.last_mut().filter(|e| first <= e.first + e.lines.len());
        let excerpt = match open {
            Some(excerpt) => excerpt,
            None => {
                let (file, lines, marks) = (file.to_owned(), Vec::new(), Vec::new());
                excerpts.push(Excerpt { file, first, lines, marks });
                excerpts.last_mut().expect("one was just pushed")
            }
        };
        let next = excerpt.first + excerpt.lines.len();
        excerpt.lines.extend((next..=last).map(|n| lines[n - 1].chars().take(WIDTH).collect()));
        excerpt.marks.push((number, role));
    }
    excerpts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_near_each_other_are_cut_out_together() {
        let text: String = (1..=60).map(|n| format!("line {n}\n")).collect();
        let excerpts =
            cut("a.rs", &text, vec![(40, "freed"), (3, "used"), (9, "loaded"), (99, "none")]);
        assert_eq!(excerpts.len(), 2);
        assert_eq!((excerpts[0].first, excerpts[0].lines.len()), (1, 13));
        assert_eq!(excerpts[0].marks, [(3, "used"), (9, "loaded")]);
        assert_eq!((excerpts[1].first, excerpts[1].lines[4].as_str()), (36, "line 40"));
    }
}
