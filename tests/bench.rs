//! `bench`: what it makes of figures, what it asks of those who measure, and its page in a real browser.

use std::fs;
use std::path::{Path, PathBuf};

use mapcheck_tests::browser::{Browser, DESK, Looks, PHONE};
use mapcheck_tests::{Run, TempDir, mapcheck, read, root, tempdir, wide};
use serde_json::{Value, json};

fn figure(group: &str, subject: &str, variant: &str, samples: &[f64]) -> Value {
    json!({"type": "figure", "group": group, "subject": subject, "variant": variant, "unit": "executions/cpu-s",
        "better": "more", "samples": samples})
}

/// A figure on a curve of costs.
fn point(x: f64, samples: &[f64]) -> Value {
    let mut line = figure("scale", "a point", "random", samples);
    (line["unit"], line["better"]) = (json!("ns"), json!("less"));
    (line["x"], line["x_unit"]) = (json!(x), json!("threads"));
    line
}

fn ratio(of: &str, to: &str, limit: f64) -> Value {
    json!({"type": "ratio", "group": "peers", "subject": "model", "of": of, "to": to, "limit": limit})
}

/// Figures of which every median is easily found by hand, on a busy machine.
fn canned() -> Vec<Value> {
    let long = "a subject whose name has no end ".repeat(8);
    let mut limited = figure("cost", &long, "plain", &[9.0, 5.0, 7.0]);
    (limited["unit"], limited["better"], limited["limit"]) = (json!("ns"), json!("less"), json!(6));
    vec![
        json!({"type": "machine", "processor": "Abacus <4>", "processors": 2, "memory": 4_u64 << 30, "load": 1.5}),
        figure("peers", "model", "ours", &[600.0, 300.0, 900.0, 1200.0]),
        figure("peers", "model", "theirs", &[100.0, 100.0, 100.0, 100.0]),
        ratio("ours", "theirs", 3.0),
        ratio("ours", "nobody's", 20.0),
        limited,
        point(2.0, &[10.0, 12.0, 11.0]),
        point(8.0, &[44.0]),
        point(64.0, &[352.0]),
        json!({"type": "verdict", "group": "delete", "subject": "map", "variant": "retain", "text": "held: each once",
            "kept": true}),
        json!({"type": "skipped", "group": "stress", "subject": "map", "variant": "a sanitizer", "why": "not here"}),
        json!({"type": "failed", "producer": "other", "group": "stress", "how": "fell over"}),
        json!({"type": "summary", "ended": "later", "load": 1.75}),
    ]
}

fn lines(values: &[Value]) -> String {
    values.iter().map(|value| format!("{value}\n")).collect()
}

/// A folder with what was kept of measuring.
fn kept() -> TempDir {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("kept.jsonl"), lines(&canned())).unwrap();
    dir
}

fn bench(dir: &Path, args: &[&str]) -> Run {
    Run::of(&mut mapcheck(dir, [&["bench"], args].concat()))
}

/// The page of what was kept.
fn page() -> (TempDir, PathBuf) {
    let dir = kept();
    bench(dir.path(), &["--from", "kept.jsonl", "--html", "page.html"]).code(0);
    let page = dir.path().join("page.html");
    (dir, page)
}

/// Where a text stands in another.
#[track_caller]
fn at(text: &str, what: &str) -> usize {
    text.find(what).unwrap_or_else(|| panic!("no {what:?} in:\n{text}"))
}

#[test]
fn ratios_and_limits_come_before_medians_and_say_reached_or_missed() {
    let dir = kept();
    let text = bench(dir.path(), &["--from", "kept.jsonl"]).code(0).stdout;
    assert_eq!(wide(&text), [""; 0]);
    let line = |start: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(start));
        line.unwrap_or_else(|| panic!("no {start}:\n{text}"))
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    // The ratios are 6, 3, 9 and 12.
    assert_eq!(line("ours to theirs"), "ours to theirs 7.50 times 5.25 … 9.75 at least 3 reached");
    assert_eq!(line("ours to nobody's"), "ours to nobody's - at least 20 not measured");
    assert_eq!(line("plain"), "plain 7.00 ns 6.00 … 8.00 at most 6 missed");
    assert_eq!(line("1 of 3"), "1 of 3 limits reached, 1 missed, 1 not measured");
    assert_eq!(line("ours  "), "ours 750 525 … 975 300 … 1,200");
    assert_eq!(
        line("random: is linear"),
        "random: is linear in threads (exponent 1.00); 32 times the threads, 32.0 times the figure"
    );
    assert!(
        at(&text, "limits reached") < at(&text, "cost: ")
            && at(&text, "cost: ") < at(&text, "peers: ")
    );
    for said in [
        "Abacus <4>",
        "warning: load average 1.50",
        "skipped: map, a sanitizer: not here",
        "fell over",
    ] {
        at(&text, said);
    }
}

#[test]
fn what_is_shown_again_as_json_is_what_was_kept() {
    let dir = kept();
    let again = bench(dir.path(), &["--from", "kept.jsonl", "--format", "json"]).code(0);
    assert_eq!(again.stdout, lines(&canned()));
}

#[test]
fn what_was_not_measured_by_bench_is_refused() {
    let dir = tempdir().unwrap();
    for (text, said) in [
        ("", "has no figures"),
        ("ns 7\n", "is not JSON, line by line: line 1"),
        ("\n{\"type\": \"figure\"}\n", "has a line 2 that is no figure: missing field `group`"),
    ] {
        fs::write(dir.path().join("f"), text).unwrap();
        let run = bench(dir.path(), &["--from", "f", "--html", "page.html"]).code(1);
        at(&run.stderr, said);
        assert!(!dir.path().join("page.html").exists(), "{said}");
    }
    at(&bench(dir.path(), &["--from", "none"]).code(1).stderr, "there is no such file");
}

#[test]
fn a_file_that_is_there_is_not_overwritten_by_a_page() {
    let (dir, page) = page();
    fs::write(&page, "mine").unwrap();
    let refused = bench(dir.path(), &["--from", "kept.jsonl", "--html", "page.html"]).code(1);
    at(&refused.stderr, "page.html exists");
    at(&refused.stderr, "give another name with --html");
    assert_eq!(read(&page), "mine");
}

#[test]
fn a_dash_prints_the_page_and_nothing_else() {
    let (dir, page) = page();
    let printed = bench(dir.path(), &["--from", "kept.jsonl", "--html", "-"]).code(0);
    assert_eq!(printed.stdout, read(&page));
}

#[test]
fn an_unknown_group_is_refused_with_those_that_there_are() {
    let refused = bench(root(), &["speed"]).code(1);
    at(&refused.stderr, "there is no group `speed` of benchmarks");
    at(&refused.stderr, "there are cost, ");
}

/// A workspace in which two benchmarks measure, and need nothing of mapcheck's.
fn workspace() -> TempDir {
    let dir = tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let manifest = r#"
        [package]
        name = "measured"
        edition = "2024"
        [package.metadata.mapcheck]
        targets = []
        bench = { benches = { good = ["cost", "mine"], bad = ["scale"] }, apart = { "beside" = ["maps"] } }
        [[bench]]
        name = "good"
        harness = false
        [[bench]]
        name = "bad"
        harness = false
        [workspace]
        exclude = ["beside"]
    "#;
    write("Cargo.toml", manifest);
    write("src/lib.rs", "");
    // Cargo builds it for the benchmarks too.
    write("src/main.rs", "fn main() { std::process::exit(8) }");
    write("beside/Cargo.toml", "[package]\nname = \"apart\"\nedition = \"2024\"\n[workspace]");
    let tells = r##"
        fn main() {
            let told = |name: &str| std::env::var(name).unwrap_or("none".into());
            let (group, quick) = (told("MAPCHECK_BENCH_GROUPS"), told("MAPCHECK_BENCH_QUICK"));
            let samples = told("MAPCHECK_BENCH_SAMPLES");
            let place = std::env::current_dir().unwrap().file_name().unwrap().to_owned();
            print!(r#"{{"type":"figure","group":"{group}","subject":"quick {quick}","variant":"{samples}","#);
            println!(r#""unit":"ns","samples":[3],"text":{place:?}}}"#);
        }
    "##;
    write("benches/good.rs", tells);
    write("beside/src/main.rs", tells);
    write("benches/bad.rs", "fn main() { println!(\"{{}}\"); std::process::exit(9) }");
    dir
}

#[test]
fn whoever_measures_gets_the_settings_and_who_fails_hides_nobody_else() {
    let dir = workspace();
    let run = bench(
        dir.path(),
        &["--quick", "--samples", "3", "--format", "json", "--html", "page.html"],
    );
    let run = run.code(70);
    at(&run.stderr, "runner `bad` ended with exit status: 9");
    let told = run.json();
    let types: Vec<&str> = told.iter().filter_map(|line| line["type"].as_str()).collect();
    assert_eq!(types, ["machine", "figure", "failed", "figure", "figure", "summary"]);
    let figures = run.of_type("figure");
    let groups: Vec<&str> = figures.iter().filter_map(|figure| figure["group"].as_str()).collect();
    assert_eq!(groups, ["cost", "maps", "mine"], "in their order, strangers last");
    for figure in &figures {
        assert_eq!((&figure["subject"], &figure["variant"]), (&json!("quick 1"), &json!("3")));
    }
    assert_eq!(figures[1]["text"], "beside", "each in its own folder");
    let (failed, summary) = (run.only("failed"), run.only("summary"));
    assert_eq!((&failed["producer"], &failed["group"]), (&json!("bad"), &json!("scale")));
    assert_eq!((&summary["figures"], &summary["failed"]), (&json!(3), &json!(1)));
    assert!(told[0]["processors"].as_u64().unwrap() > 0 && told[0]["quick"] == true, "{}", told[0]);
    at(&read(&dir.path().join("page.html")), "What went wrong");
}

#[test]
fn only_what_is_named_is_built_and_measured() {
    let dir = workspace();
    fs::write(dir.path().join("benches/bad.rs"), "this is no Rust").unwrap();
    let run = bench(dir.path(), &["mine", "--format", "json"]).code(0);
    assert_eq!(run.only("figure")["subject"], "quick none");
    // One that does not build is told like one that fails.
    let run = bench(dir.path(), &["scale", "mine", "--format", "json"]).code(70);
    assert_eq!((run.of_type("failed").len(), run.of_type("figure").len()), (1, 1));
    at(&run.stderr, "benchmark `bad` does not build");
}

#[test]
fn what_the_runner_measures_in_a_hurry_is_a_figure_each() {
    let dir = tempdir().unwrap();
    let page = dir.path().join("page.html");
    let args = ["cost", "--quick", "--samples", "2", "--format", "json", "--html"];
    let run = bench(root(), &[&args[..], &[page.to_str().unwrap()]].concat()).code(0);
    let figures = run.of_type("figure");
    assert!(figures.len() > 5, "{}", run.stdout);
    for figure in &figures {
        let samples = figure["samples"].as_array().unwrap();
        assert_eq!((&figure["group"], samples.len()), (&json!("cost"), 2), "{figure}");
    }
    let summary = run.only("summary");
    assert_eq!((&summary["figures"], &summary["unmeasured"]), (&json!(figures.len()), &json!(0)));
    at(&read(&page), "id=\"cost\"");
}

#[test]
fn the_page_has_the_claims_first_and_needs_nothing_else() {
    let (_dir, page) = page();
    let page = read(&page);
    assert!(at(&page, "1 of 3 limits reached") < at(&page, "7.50×"));
    assert!(
        at(&page, "7.50×") < at(&page, "id=\"cost\"")
            && at(&page, "id=\"cost\"") < at(&page, "id=\"peers\"")
    );
    for said in [
        "Abacus &lt;4&gt;",
        "load average 1.50",
        ">reached<",
        ">missed<",
        ">not measured<",
        "fell over",
    ] {
        at(&page, said);
    }
    let no_names = page.replace("http://www.w3.org/2000/svg", "");
    for word in ["http", "src=", "url(", "<script"] {
        assert!(!no_names.contains(word), "{word}");
    }
}

#[test]
fn the_plots_are_svg_and_those_that_stand_alone_say_what_they_show() {
    let (_dir, page) = page();
    let mut browser = Browser::start();
    browser.open(&page, "", DESK);
    let text = read(&page);
    let plots: Vec<&str> = text
        .match_indices("<svg")
        .map(|(start, _)| &text[start..start + at(&text[start..], "</svg>") + "</svg>".len()])
        .collect();
    assert!(plots.len() >= 6, "{}", plots.len());
    for plot in plots {
        let parsed = format!("new DOMParser().parseFromString({}, 'image/svg+xml')", json!(plot));
        let told =
            browser.eval(&format!("{parsed}.querySelector('parsererror')?.textContent ?? ''"));
        assert_eq!(told, "", "{plot}");
        assert_eq!(
            browser.eval(&format!("{parsed}.documentElement.namespaceURI")),
            "http://www.w3.org/2000/svg"
        );
    }
    let named = "[...document.querySelectorAll('svg[role=img]')].every(plot => ['labelledby', 'describedby'].every(\
        by => document.getElementById(plot.getAttribute('aria-' + by)).textContent.length > 9))";
    assert_eq!(browser.eval(named), true);
    let tables = "[...document.querySelectorAll('svg')].every(plot => plot.closest('.box').querySelector('table'))";
    assert_eq!(browser.eval(tables), true, "each has its table");
}

#[test]
fn the_page_fits_the_window_and_has_nothing_to_complain_of() {
    let (_dir, page) = page();
    let mut browser = Browser::start();
    for dark in [false, true] {
        for looks in [PHONE, DESK, Looks { width: 768, height: 900, dark }] {
            browser.open(&page, "", Looks { dark, ..looks });
            let over = browser.number("document.documentElement.scrollWidth - innerWidth");
            assert!(over <= 0.0, "{looks:?}: {over} pixels too wide");
            assert_eq!(browser.complaints(), [Value::Null; 0]);
        }
    }
}

#[test]
fn a_bar_is_as_long_as_its_median() {
    let (_dir, page) = page();
    let mut browser = Browser::start();
    browser.open(&page, "#peers", DESK);
    let mut width = |row: u32| {
        let bar = format!(
            "document.querySelectorAll('#peers rect.bar')[{row}].getBoundingClientRect().width"
        );
        browser.number(&bar)
    };
    let (ours, theirs) = (width(0), width(1));
    assert!((ours / theirs - 7.5).abs() < 0.05, "{ours} and {theirs} pixels for 750 and 100");
}
