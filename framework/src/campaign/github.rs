//! What GitHub shows beside the code: a finding as an annotation, where `GITHUB_ACTIONS` says that this runs there.
//!
//! A line `::error file=…,line=…,title=…::message` on either stream is taken for a command. It goes to stderr, so
//! that
//! stdout stays what it is.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::report::Finding;

/// Tells GitHub of a finding, if this runs there.
pub(crate) fn annotate(finding: &Finding, target: &str, replay: &str) {
    if std::env::var_os("GITHUB_ACTIONS").is_none_or(|value| value != "true") {
        return;
    }
    let place = place(&finding.site, &roots(), workspace().as_deref());
    let mut stderr = std::io::stderr();
    // A line of its own, whatever stands there. Nobody may be reading any more.
    let _ = stderr.write_all(annotation(finding, target, replay, place).as_bytes());
}

/// Adds a finding of a test to what GitHub shows of the job, if there is a file for that. Of targets, the command does.
pub(crate) fn summarise(finding: &Finding, test: &str, replay: &str) {
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else {
        return;
    };
    let Finding { class, message, .. } = finding;
    let message = message.replace('\n', " ");
    let line = format!("- **{class}** in the test `{test}`: {message}. `{replay}`\n");
    // It is a convenience, and the finding is told anyway.
    let opened = OpenOptions::new().append(true).create(true).open(path);
    let _ = opened.and_then(|mut file| file.write_all(line.as_bytes()));
}

/// The checkout that GitHub knows the files of.
fn workspace() -> Option<PathBuf> {
    std::env::var_os("GITHUB_WORKSPACE").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Where sites are told from: the root of the workspace, or else the current directory, or one above it.
fn roots() -> Vec<PathBuf> {
    let root = std::env::var_os("MAPCHECK_ROOT").map(PathBuf::from);
    let here = std::env::current_dir().unwrap_or_default();
    root.into_iter().chain(here.ancestors().map(Path::to_owned)).collect()
}

/// The file of a site as GitHub knows it, and the line; `None` if it is not in the checkout, as a dependency's is not.
fn place(site: &str, roots: &[PathBuf], workspace: Option<&Path>) -> Option<(String, String)> {
    let (file, line) = site.rsplit_once(':').filter(|(_, line)| line.parse::<u32>().is_ok())?;
    let path = roots.iter().map(|root| root.join(file)).find(|path| path.is_file())?;
    let in_checkout = match workspace {
        Some(workspace) => path.strip_prefix(workspace).ok()?.to_str()?,
        None => file,
    };
    Some((in_checkout.to_owned(), line.to_owned()))
}

/// The line that GitHub reads.
fn annotation(
    finding: &Finding,
    target: &str,
    replay: &str,
    place: Option<(String, String)>,
) -> String {
    let place = place
        .map_or_else(String::new, |(file, line)| format!("file={},line={line},", property(&file)));
    let title = property(&format!("{} in {target}", finding.class));
    let at = if finding.site.is_empty() { String::new() } else { format!("\nat {}", finding.site) };
    let message = data(&format!("{}{at}\nreplay: {replay}", finding.message));
    format!("::error {place}title={title}::{message}\n")
}

/// What may stand after the second `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// What may stand as a property's value.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::Class;
    use crate::report;
    use crate::scenario::Scenario;

    fn finding() -> Finding {
        report::told(Class::Leak, "a block is lost", &Scenario::default())
    }

    #[test]
    fn what_github_would_take_for_its_own_is_escaped() {
        let found =
            Finding { message: "50% of\r\na: b, c".into(), site: String::new(), ..finding() };
        let line = annotation(&found, "a::b,c", "x", None);
        let class = found.class;
        let wanted =
            format!("::error title={class} in a%3A%3Ab%2Cc::50%25 of%0D%0Aa: b, c%0Areplay: x\n");
        assert_eq!(line, wanted);
        let line = annotation(&found, "t", "x", Some(("a,b.rs".into(), "7".into())));
        assert!(line.starts_with("::error file=a%2Cb.rs,line=7,title="), "{line}");
    }

    #[test]
    fn a_site_has_a_file_only_where_the_checkout_has_it() {
        let crate_root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let roots = [PathBuf::from("/none"), crate_root.clone()];
        let named = |file: &str| Some((file.to_owned(), "3".to_owned()));
        assert_eq!(place("src/lib.rs:3", &roots, None), named("src/lib.rs"));
        let above = crate_root.parent();
        let folder = crate_root.file_name().unwrap().to_str().unwrap();
        assert_eq!(place("src/lib.rs:3", &roots, above), named(&format!("{folder}/src/lib.rs")));
        for elsewhere in ["seize-0.2.1/src/raw.rs:3", "src/lib.rs", "", "src/lib.rs:x"] {
            assert_eq!(place(elsewhere, &roots, None), None, "{elsewhere}");
        }
        assert_eq!(place("src/lib.rs:3", &roots, Some(Path::new("/elsewhere"))), None);
    }
}
