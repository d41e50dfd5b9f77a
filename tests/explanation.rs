//! `explain`: what it writes and refuses, and its page, in a real browser.

use std::fs;
use std::path::{Path, PathBuf};

use mapcheck_tests::browser::{Browser, DESK, Looks, PHONE};
use mapcheck_tests::schema::violations;
use mapcheck_tests::{Run, TempDir, files, mapcheck, mapcheck_in, read, root, subject, tempdir};
use serde_json::{Value, json};

/// The steps of the sample's events.
const FREED: u64 = 88;
const USED: u64 = 96;

fn sample_path(class: &str) -> PathBuf {
    root().join("tests/explanations").join(format!("{class}.json"))
}

fn sample(class: &str) -> Value {
    serde_json::from_str(&read(&sample_path(class))).unwrap()
}

fn schema() -> Value {
    serde_json::from_str(&read(&root().join("docs/explanation.schema.json"))).unwrap()
}

fn explain(dir: &Path, args: &[&str]) -> Run {
    Run::of(&mut mapcheck(dir, [&["explain"], args].concat()))
}

/// The page of an explanation, in a folder of its own.
fn page_of(explanation: &Value) -> (TempDir, PathBuf) {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("kept.json"), explanation.to_string()).unwrap();
    explain(dir.path(), &["kept.json", "-o", "page.html"]).code(0);
    let page = dir.path().join("page.html");
    (dir, page)
}

/// The sample's page in a browser, at a step; none is the one that it begins with.
fn opened(place: &str, looks: Looks) -> (TempDir, Browser) {
    let (dir, page) = page_of(&sample("premature-reclamation"));
    let mut browser = Browser::start();
    browser.open(&page, place, looks);
    (dir, browser)
}

#[track_caller]
fn is_at(browser: &mut Browser, step: u64) {
    browser.settle();
    assert_eq!(browser.eval("document.documentElement.dataset.step"), step.to_string());
}

/// An explanation of 5,000 steps.
fn large() -> Value {
    let mut large = sample("premature-reclamation");
    let threads = 0..8;
    large["threads"] =
        threads.clone().map(|t| json!({"id": t, "name": format!("worker {t}")})).collect();
    large["steps"] = json!(5000);
    let ends = ["preempted", "waits", "yields"];
    let run = |i: u64| json!({"thread": i % 8, "from": i * 5 + 1, "to": i * 5 + 5, "ends": ends[(i % 3) as usize]});
    large["runs"] = (0..1000).map(run).collect();
    let operation = |i: u64| {
        let from = i / 8 * 200 + 1;
        json!({"thread": i % 8, "text": format!("insert {i}"), "from": from, "to": from + 180})
    };
    large["operations"] = (0..200).map(operation).collect();
    let block = |i: u64| {
        let freed = i.is_multiple_of(3).then_some(2000 + i * 50);
        json!({"id": i, "name": format!("node {i}"), "from": "`insert 3` at a/src/map.rs:12", "size": 48,
            "allocated": 1 + i * 20, "freed": freed, "by": i % 8, "freed_by": freed.map(|_| 2)})
    };
    large["blocks"] = (0..40).map(block).collect();
    let pointer = |i: u64| {
        let holder = if i.is_multiple_of(20) { 1000 } else { i * 7 % 40 };
        json!({"holder": holder, "offset": i % 8 * 8, "to": i * 11 % 40, "to_offset": 0, "since": i * 10 + 1,
            "until": i.is_multiple_of(3).then_some(i * 10 + 900), "by": i % 8})
    };
    large["pointers"] = (0..400).map(pointer).collect();
    let steps = [4900, 3100, 200, 3500, 3600, 4000, 61];
    for (event, step) in large["walk"].as_array_mut().unwrap().iter_mut().zip(steps) {
        event["step"] = json!(step);
    }
    large
}

#[test]
fn the_samples_are_as_the_schema_says() {
    let nothing = Vec::<String>::new();
    assert_eq!(violations(&schema(), &large()), nothing);
    let samples = files(&root().join("tests/explanations"), ".json");
    assert_eq!(samples.len(), 2);
    for path in samples {
        let value = serde_json::from_str(&read(&path)).unwrap();
        assert_eq!(violations(&schema(), &value), nothing, "{}", path.display());
    }
}

#[test]
fn what_the_schema_requires_the_command_requires() {
    let dir = tempdir().unwrap();
    let required = schema()["required"].as_array().unwrap().clone();
    for key in required.iter().filter_map(Value::as_str) {
        let mut without = sample("missed-element");
        let old = without.as_object_mut().unwrap().remove(key).unwrap();
        fs::write(dir.path().join("kept.json"), without.to_string()).unwrap();
        // What may be null may be missing.
        let code = if old.is_null() || key == "mutant" { 0 } else { 1 };
        let run = explain(dir.path(), &["kept.json"]).code(code);
        assert!(code == 0 || run.stderr.contains(key), "{key}: {}", run.stderr);
    }
}

#[test]
fn the_file_s_name_says_what_is_written() {
    let dir = tempdir().unwrap();
    let kept = sample_path("premature-reclamation");
    let kept = kept.to_str().unwrap();
    for (name, begins) in [
        ("a.html", "<!DOCTYPE html>"),
        ("a.md", "# premature-reclamation"),
        ("a.json", "{\"type\":"),
    ] {
        let run = explain(dir.path(), &[kept, "-o", name]).code(0);
        let said = format!("explained: {name} (");
        assert!(run.stdout.starts_with(&said) && run.stdout.lines().count() == 1, "{}", run.stdout);
        assert!(read(&dir.path().join(name)).starts_with(begins), "{name}");
    }
    let again: Value = serde_json::from_str(&read(&dir.path().join("a.json"))).unwrap();
    assert_eq!(again, sample("premature-reclamation"));
    let text = explain(dir.path(), &[kept]).code(0).stdout;
    assert_eq!(text, read(&dir.path().join("a.md")), "without -o the text is on stdout");
    explain(dir.path(), &[kept, "-o", "a.txt"]).code(1).says(&[".html, .md or .json"]);
    explain(dir.path(), &[kept, "-o", "gone/a.md"]).code(1).says(&["could not be written"]);
}

#[test]
fn what_is_no_explanation_is_refused_with_the_reason() {
    let dir = tempdir().unwrap();
    let text = read(&sample_path("premature-reclamation"));
    let later = text.replacen("\"format\": 1", "\"format\": 2", 1);
    let cases = [
        (&text[..900], "is only a part of an explanation: it ends in line"),
        (later.as_str(), "has format 2, and this mapcheck reads 1 alone"),
        ("{}", "is not an explanation"),
        ("format = 1", "is not an explanation"),
    ];
    for (text, said) in cases {
        fs::write(dir.path().join("kept.json"), text).unwrap();
        explain(dir.path(), &["kept.json"]).code(1).says(&["kept.json ", said]);
    }
    explain(dir.path(), &["gone.json"]).code(1).says(&["gone.json could not be read"]);
    explain(dir.path(), &["gone.toml"]).code(1).says(&["gone.toml does not exist"]);
}

/// What a runner explains of a mistake in a map of `subjects/broken`, and the page of it.
fn of_broken(target: &str) -> (TempDir, Value) {
    let dir = tempdir().unwrap();
    let in_broken = |args: &[&str]| Run::of(&mut mapcheck_in(&subject("broken"), args));
    let path = |name: &str| dir.path().join(name).display().to_string();
    let found = in_broken(&["check", target, "--format", "json", "--out", &path("out")]).code(2);
    let repro = found.only("finding")["repro"].as_str().unwrap().to_owned();
    for name in ["told.json", "page.html"] {
        in_broken(&["explain", &repro, "-o", &path(name)]).code(2);
    }
    let told = serde_json::from_str(&read(&dir.path().join("told.json"))).unwrap();
    (dir, told)
}

#[test]
fn what_a_runner_explains_is_as_the_schema_says_and_its_page_stands() {
    for target in ["use-after-free", "deadlock"] {
        let (dir, told) = of_broken(target);
        assert_eq!(violations(&schema(), &told), Vec::<String>::new(), "{target}");
        assert_eq!(told["block"].is_null(), target == "deadlock");
        let mut browser = Browser::start();
        browser.open(&dir.path().join("page.html"), "", DESK);
        assert_eq!(browser.eval("document.querySelector('.class').textContent"), told["class"]);
        assert_eq!(browser.complaints(), Vec::<Value>::new());
    }
}

/// A crate without mapcheck that answers as a runner does, or as a test; and a repro of it.
fn answering(package: &str, body: &str, test: &str) -> TempDir {
    let dir = tempdir().unwrap();
    let main = format!(
        "const SAMPLE: &str = include_str!({:?});\nfn main() {{ {body} }}\n\
         #[test]\nfn explored() {{ main() }}\n",
        sample_path("missed-element")
    );
    let manifest = format!(
        "[package]\nname = \"{package}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n\
         [package.metadata.mapcheck]\ntargets = [\"own\"]\n"
    );
    let repro = format!(
        "format = 1\ntarget = \"own\"\nrunner = \"{package}\"\ntest = \"{test}\"\ninstrumented = false\n"
    );
    fs::create_dir(dir.path().join("src")).unwrap();
    for (name, text) in [("Cargo.toml", manifest), ("src/main.rs", main), ("own.toml", repro)] {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

#[test]
fn a_runner_is_asked_to_explain_the_repro() {
    let body = "let words: Vec<String> = std::env::args().collect();
        assert!(words[1] == \"explain\" && words[2].ends_with(\"/own.toml\"), \"{words:?}\");
        let one: String = SAMPLE.lines().collect();
        println!(\"{one}\");
        std::process::exit(2)";
    let dir = answering("explains-itself", body, "");
    let run =
        Run::of(&mut mapcheck_in(dir.path(), ["explain", "own.toml", "-o", "own.html"])).code(2);
    assert!(run.stdout.starts_with("explained: own.html ("), "{}", run.stdout);
    assert!(read(&dir.path().join("own.html")).contains("passed over key 5"));
}

#[test]
fn a_runner_that_finds_nothing_or_explains_nothing_is_told_apart() {
    let dir = answering(
        "finds-nothing",
        "println!(\"{{\\\"type\\\":\\\"nothing\\\"}}\"); let _ = SAMPLE;",
        "",
    );
    let run = Run::of(&mut mapcheck_in(dir.path(), ["explain", "own.toml", "-o", "own.html"]));
    run.code(0).says(&["there is nothing to explain"]);
    assert!(!dir.path().join("own.html").exists());
    let dir = answering("explains-nothing", "let _ = SAMPLE; std::process::exit(2)", "");
    let run = Run::of(&mut mapcheck_in(dir.path(), ["explain", "own.toml"]));
    run.code(70).says(&["found something and explained nothing"]);
}

#[test]
fn a_test_explains_into_a_file_that_it_is_given() {
    let body = "let var = |name: &str| std::env::var(name).expect(name);
        assert!(var(\"MAPCHECK_REPLAY\").ends_with(\"/own.toml\"));
        std::fs::write(var(\"MAPCHECK_EXPLAIN\"), SAMPLE).unwrap();
        println!(\"noise\");
        panic!(\"found\")";
    let dir = answering("explains-in-a-test", body, "explored");
    let run = Run::of(&mut mapcheck_in(dir.path(), ["explain", "own.toml"])).code(2);
    assert!(
        run.stdout.starts_with("# missed-element in hashlane"),
        "only the explanation: {}",
        run.stdout
    );
    assert!(run.stderr.contains("noise"), "what the test says is not lost: {}", run.stderr);
}

#[test]
fn a_page_of_5000_steps_is_small_and_drawn_within_a_second() {
    let (_dir, page) = page_of(&large());
    let size = fs::metadata(&page).unwrap().len();
    assert!(size < 1_000_000, "{size} bytes");
    let mut browser = Browser::start();
    // The machine may be busy with something else at one time, but not each time.
    let drawn = [(); 3].map(|()| {
        browser.open(&page, "", DESK);
        browser.number("Number(document.documentElement.dataset.drawn)")
    });
    let best = drawn.into_iter().fold(f64::INFINITY, f64::min);
    println!("{size} bytes, drawn after {drawn:?} ms");
    assert!(best < 1000.0, "drawn after {drawn:?} ms");
    assert_eq!(browser.number("document.querySelectorAll('#timeline .bar').length"), 200.0);
    is_at(&mut browser, 4900);
    let frames = browser.number(STEPS_BACK);
    println!("{frames} ms a step");
    assert!(frames < 100.0, "{frames} ms a step");
    is_at(&mut browser, 4880);
    assert_eq!(browser.complaints(), Vec::<Value>::new());
}

/// In the page: how long it takes to go a step back, with the frame that shows it, in milliseconds.
const STEPS_BACK: &str = "(async () => {
    const began = performance.now();
    for (let i = 0; i < 20; i++) {
        document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowLeft', bubbles: true }));
        await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    }
    return (performance.now() - began) / 20;
})()";

/// In the page: the contrast of two of its colours.
const CONTRAST: &str = "((text, ground) => {
    const light = name => {
        const probe = document.body.appendChild(document.createElement('i'));
        probe.style.color = `var(--${name})`;
        const rgb = getComputedStyle(probe).color.match(/[\\d.]+/g).slice(0, 3);
        probe.remove();
        const [r, g, b] = rgb.map(c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
    };
    const [a, b] = [light(text), light(ground)];
    return Math.max(a, b) / Math.min(a, b);
})";

#[test]
fn what_is_written_can_be_read_in_the_light_and_in_the_dark() {
    let pairs = [
        ("text", "ground"),
        ("text", "raised"),
        ("text", "sunken"),
        ("text", "bar"),
        ("text", "accent-ground"),
        ("quiet", "ground"),
        ("quiet", "raised"),
        ("quiet", "sunken"),
        ("quiet", "accent-ground"),
        ("accent", "ground"),
        ("accent", "accent-ground"),
        ("on-accent", "accent"),
        ("danger", "ground"),
        ("danger", "danger-ground"),
        ("text", "danger-ground"),
        ("ground", "danger"),
    ];
    for dark in [false, true] {
        let (_dir, mut browser) = opened("", Looks { dark, ..DESK });
        for (text, ground) in pairs {
            let contrast = browser.number(&format!("{CONTRAST}('{text}', '{ground}')"));
            assert!(contrast >= 4.5, "{text} on {ground}, dark {dark}: {contrast}");
        }
        let ground = browser.eval("getComputedStyle(document.documentElement).backgroundColor");
        assert_eq!(ground == "rgb(22, 24, 28)", dark, "{ground}");
        assert_eq!(browser.complaints(), Vec::<Value>::new());
    }
}

#[test]
fn the_theme_can_be_chosen() {
    let (_dir, mut browser) = opened("", DESK);
    let ground = "getComputedStyle(document.documentElement).backgroundColor";
    let light = browser.eval(ground);
    let seen = [(); 3].map(|()| {
        browser.click("#theme");
        browser.eval(ground) == light
    });
    assert_eq!(seen, [true, false, true], "light, dark, and as the system has it");
}

#[test]
fn a_page_fits_a_phone() {
    for width in [320, 375, 768] {
        for class in ["premature-reclamation", "missed-element"] {
            let (_dir, page) = page_of(&sample(class));
            let mut browser = Browser::start();
            browser.open(&page, "", Looks { width, ..PHONE });
            let needed = browser.number("document.documentElement.scrollWidth");
            assert!(needed <= f64::from(width), "{class} needs {needed} of {width}");
        }
    }
}

#[test]
fn keys_choose_the_step() {
    let (_dir, mut browser) = opened("#step=64", DESK);
    is_at(&mut browser, 64);
    let presses = [
        ("ArrowRight", 65),
        ("ArrowLeft", 64),
        ("ArrowLeft", 63),
        ("n", 68),
        ("n", 71),
        ("p", 68),
        ("f", FREED),
        ("u", USED),
    ];
    for (key, step) in presses {
        browser.press(key);
        is_at(&mut browser, step);
    }
    browser.eval("document.querySelector('#timeline .scroll').focus()");
    for (key, step) in
        [("Home", 1), ("ArrowDown", 18), ("End", 112), ("ArrowRight", 112), ("ArrowUp", USED)]
    {
        browser.press(key);
        is_at(&mut browser, step);
        let said = browser
            .eval("document.querySelector('#timeline .scroll').getAttribute('aria-valuenow')");
        assert_eq!(said, step.to_string());
    }
    let width = "document.querySelector('#timeline svg').getBoundingClientRect().width";
    let fit = browser.number(width);
    browser.press("+");
    assert!(browser.number(width) > fit * 1.5);
    browser.press("0");
    assert_eq!(browser.number(width), fit);
    browser.press("?");
    assert_eq!(browser.eval("document.querySelector('#keys').open"), true);
    browser.press("n");
    is_at(&mut browser, USED);
    assert_eq!(browser.complaints(), Vec::<Value>::new());
}

#[test]
fn the_mouse_and_links_choose_the_step() {
    let (_dir, mut browser) = opened("", DESK);
    is_at(&mut browser, USED);
    browser.click("[data-event='2'] .step");
    is_at(&mut browser, 52);
    assert_eq!(browser.eval("location.hash"), "#step=52", "the link can be handed on");
    browser.click("#timeline .mark[data-step='71']");
    is_at(&mut browser, 71);
    let (x, y) = browser.middle("#timeline .mark[data-step='68']");
    let (to, _) = browser.middle("#timeline .mark[data-step='88']");
    browser.drag(&[(x, y), (x + 20.0, y), (to, y)]);
    is_at(&mut browser, FREED);
    browser.click("[data-do='previous']");
    is_at(&mut browser, FREED - 1);
    browser.click("[data-do='to-use']");
    is_at(&mut browser, USED);
}

#[test]
fn a_finger_chooses_a_step_of_the_timeline_and_links_lead_to_it() {
    let (_dir, mut browser) = opened("", PHONE);
    browser.tap("#timeline .mark[data-step='71']");
    is_at(&mut browser, 71);
    browser.tap("[data-event='6'] .step");
    is_at(&mut browser, FREED);
    let top = "document.querySelector('#timeline').getBoundingClientRect().top";
    let seen = format!(
        "new Promise(done => {{ const look = n => n === 0 || ({top} > 0 && {top} < innerHeight) \
         ? done(n > 0) : setTimeout(look, 50, n - 1); look(100); }})"
    );
    assert_eq!(browser.eval(&seen), true, "the timeline comes into the window");
}

#[test]
fn the_chosen_event_shows_its_code() {
    let (_dir, mut browser) = opened(&format!("#step={USED}"), DESK);
    let line =
        "[...document.querySelectorAll('#source .line.chosen .n')].map(n => n.textContent).join()";
    assert_eq!(browser.eval(line), "90");
    assert_eq!(browser.eval("document.querySelector('.walk li.chosen').dataset.event"), "1");
    browser.press("f");
    assert_eq!(browser.eval(line), "77");
    browser.press("ArrowLeft");
    assert_eq!(browser.eval(line), "", "nothing of the walk is at that step");
}

#[test]
fn a_pointer_dangles_from_the_free_on_and_not_before() {
    let (_dir, mut browser) = opened(&format!("#step={}", FREED - 1), DESK);
    let dangling = "document.querySelectorAll('#graph svg .edge.dangling').length";
    let freed = "document.querySelectorAll('#graph svg .node.freed.found').length";
    assert_eq!((browser.number(dangling), browser.number(freed)), (0.0, 0.0), "it is still live");
    browser.press("ArrowRight");
    is_at(&mut browser, FREED);
    assert!(browser.number(dangling) >= 1.0 && browser.number(freed) == 1.0);
    browser.press("u");
    assert!(browser.number(dangling) >= 1.0 && browser.number(freed) == 1.0);
    let title =
        browser.eval("document.querySelector('#graph svg .edge.dangling title').textContent");
    assert!(title.as_str().unwrap().contains("thread 1 (iterator) holds a pointer"), "{title}");
    let said = browser.eval("document.querySelector('#graph svg').getAttribute('aria-label')");
    assert!(said.as_str().unwrap().ends_with("1 dangling pointers"), "{said}");
}

/// Puts markup into every text that is no word of the format.
fn spoil(value: &mut Value) {
    match value {
        Value::String(text) => text.insert_str(0, "<b class=evil>&amp;\"'`"),
        Value::Array(items) => items.iter_mut().for_each(spoil),
        Value::Object(keys) => {
            let words = ["type", "role", "ends"];
            keys.iter_mut()
                .filter(|(key, _)| !words.contains(&key.as_str()))
                .for_each(|(_, v)| spoil(v));
        }
        _ => {}
    }
}

#[test]
fn what_a_map_is_called_and_says_is_text_and_no_markup() {
    let mut spoilt = sample("premature-reclamation");
    spoil(&mut spoilt);
    let (_dir, page) = page_of(&spoilt);
    let mut browser = Browser::start();
    browser.open(&page, "#step=36", DESK);
    for key in ["n", "f", "u"] {
        browser.press(key);
        assert_eq!(browser.number("document.querySelectorAll('.evil').length"), 0.0);
    }
    let title = browser.eval("document.querySelector('h1').textContent");
    assert_eq!(title, spoilt["message"], "and it is shown as it is");
    assert_eq!(browser.complaints(), Vec::<Value>::new());
}

#[test]
fn blocks_stay_where_they_are_from_step_to_step() {
    let (_dir, mut browser) = opened("#step=90", DESK);
    let places = "[...document.querySelectorAll('#graph .node.found > rect:first-of-type')]
        .map(r => [r.getAttribute('x'), r.getAttribute('y')].join()).join(';')";
    let late = browser.eval(places);
    assert_ne!(late, "");
    for key in ["p", "p", "p", "p"] {
        browser.press(key);
        assert_eq!(browser.eval(places), late);
    }
}

#[test]
fn events_of_one_step_have_one_mark() {
    let mut value = sample("premature-reclamation");
    value["walk"][1]["step"] = json!(USED);
    let (_dir, page) = page_of(&value);
    let mut browser = Browser::start();
    browser.open(&page, "", DESK);
    let mark = format!("document.querySelector(\"#timeline .mark[data-step='{USED}']\")");
    assert_eq!(browser.eval(&format!("{mark}.querySelector('text').textContent")), "1,2");
    assert_eq!(browser.number("document.querySelectorAll('.walk li.chosen').length"), 2.0);
}

#[test]
fn a_finding_about_no_block_reads_well() {
    let (_dir, page) = page_of(&sample("missed-element"));
    let mut browser = Browser::start();
    browser.open(&page, "", DESK);
    is_at(&mut browser, 30);
    let headings = "[...document.querySelectorAll('main h1, main h2, main h3')]
        .map(h => h.textContent).join('; ')";
    let wanted = "the iteration passed over key 5, which was in the map from its begin to its end; \
                  The execution; Threads at this step";
    assert_eq!(browser.eval(headings), wanted);
    let empty =
        "[...document.querySelectorAll('main section, main aside, main ol, main .lead > div')]
        .filter(e => e.textContent.trim() === '').length";
    assert_eq!(browser.number(empty), 0.0);
    assert_eq!(browser.complaints(), Vec::<Value>::new());
}
