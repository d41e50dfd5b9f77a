//! A real browser without a window, for the pages that mapcheck writes: Chromium, told what to do through a pipe in its
//! DevTools protocol.

use std::io::{BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

/// How long the browser may take for an answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Nothing of these is of use here, and some of it asks for a network.
const FLAGS: [&str; 8] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// A browser with one page. No two run at one time, so that what a page takes can be measured.
pub struct Browser {
    process: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    told: Vec<Value>,
    asked: u64,
    session: Option<String>,
    _profile: TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Looks {
    /// The window's width, in pixels.
    pub width: u32,
    /// Its height.
    pub height: u32,
    /// Whether the system asks for dark pages.
    pub dark: bool,
}

/// On a desk, in the light.
pub const DESK: Looks = Looks { width: 1440, height: 900, dark: false };
/// On a phone.
pub const PHONE: Looks = Looks { width: 375, height: 700, dark: false };

/// The browser's program.
fn program() -> PathBuf {
    if let Some(named) = std::env::var_os("CHROME_BIN") {
        return named.into();
    }
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::env::split_paths(&path).flat_map(|dir| names.map(|name| dir.join(name)));
    all.into_iter().find(|program| program.is_file()).unwrap_or_else(|| {
        panic!(
            "there is no {}: install Debian's package `chromium`, or set CHROME_BIN to a browser's path",
            names.join(", ")
        )
    })
}

impl Browser {
    /// Starts a browser.
    ///
    /// # Panics
    /// When there is none, with what to install.
    pub fn start() -> Browser {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let profile = tempdir().expect("there is room for a temporary folder");
        // It reads from descriptor 3 and writes to 4.
        let line = "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1";
        let mut command = Command::new("sh");
        command.args(["-c", line, "sh"]).arg(program()).args(FLAGS);
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        command.args(["--remote-debugging-pipe", "about:blank"]);
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("there is a shell");
        let to = process.stdin.take().expect("it is piped");
        let from = answers(BufReader::new(process.stdout.take().expect("it is piped")));
        let (told, asked, session) = (Vec::new(), 0, None);
        Browser { process, to, from, told, asked, session, _profile: profile, _alone: alone }
    }

    /// Has the browser do something, and returns what it answers.
    ///
    /// # Panics
    /// When it answers with an error, or not in time.
    #[track_caller]
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let mut message = json!({"id": self.asked, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).expect("the browser is there");
        loop {
            let mut answer = self.next();
            if answer["id"] == self.asked {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].take();
            }
            self.told.push(answer);
        }
    }

    #[track_caller]
    fn next(&mut self) -> Value {
        self.from.recv_timeout(PATIENCE).unwrap_or_else(|e| panic!("the browser is silent: {e}"))
    }

    /// Opens a file in a new page, at a place in it such as `#step=3`, and waits until it is drawn.
    #[track_caller]
    pub fn open(&mut self, file: &Path, place: &str, looks: Looks) {
        self.session = None;
        let target =
            self.call("Target.createTarget", json!({"url": "about:blank"}))["targetId"].take();
        let attached =
            self.call("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        self.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            self.call(&format!("{domain}.enable"), json!({}));
        }
        let Looks { width, height, dark } = looks;
        let scheme =
            json!({"name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" }});
        self.call("Emulation.setEmulatedMedia", json!({"features": [scheme]}));
        let screen = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.call("Emulation.setDeviceMetricsOverride", screen);
        self.told.clear();
        self.call("Page.navigate", json!({"url": format!("file://{}{place}", file.display())}));
        while !self.told.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.next();
            self.told.push(event);
        }
        self.settle();
    }

    /// Waits until the page has drawn what was asked of it.
    #[track_caller]
    pub fn settle(&mut self) {
        self.eval("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))");
    }

    /// The value of an expression in the page.
    #[track_caller]
    pub fn eval(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut result = self.call("Runtime.evaluate", params);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {result}");
        result["result"]["value"].take()
    }

    /// The number that an expression has as its value.
    #[track_caller]
    pub fn number(&mut self, expression: &str) -> f64 {
        let value = self.eval(expression);
        value.as_f64().unwrap_or_else(|| panic!("{expression} is {value}"))
    }

    /// Presses a key, as a person does.
    #[track_caller]
    pub fn press(&mut self, key: &str) {
        let text = if key.chars().count() == 1 { key } else { "" };
        let kind = if text.is_empty() { "rawKeyDown" } else { "keyDown" };
        self.call("Input.dispatchKeyEvent", json!({"type": kind, "key": key, "text": text}));
        self.call("Input.dispatchKeyEvent", json!({"type": "keyUp", "key": key}));
        self.settle();
    }

    /// Presses the mouse at a point of the window, moves it to the next ones, and lets go.
    #[track_caller]
    pub fn drag(&mut self, points: &[(f64, f64)]) {
        let (first, last) = (points[0], points[points.len() - 1]);
        self.mouse("mousePressed", first);
        points[1..].iter().for_each(|&point| self.mouse("mouseMoved", point));
        self.mouse("mouseReleased", last);
        self.settle();
    }

    fn mouse(&mut self, kind: &str, (x, y): (f64, f64)) {
        let event =
            json!({"type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1});
        self.call("Input.dispatchMouseEvent", event);
    }

    /// The middle of the first element that a selector finds, scrolled into the window.
    #[track_caller]
    pub fn middle(&mut self, selector: &str) -> (f64, f64) {
        let of = format!("document.querySelector({})", json!(selector));
        self.eval(&format!("{of}.scrollIntoView({{block: 'center'}})"));
        let side = |start: &str, size: &str| {
            format!(
                "{of}.getBoundingClientRect().{start} + {of}.getBoundingClientRect().{size} / 2"
            )
        };
        (self.number(&side("left", "width")), self.number(&side("top", "height")))
    }

    /// Clicks at the middle of the first element that a selector finds.
    #[track_caller]
    pub fn click(&mut self, selector: &str) {
        let middle = self.middle(selector);
        self.drag(&[middle]);
    }

    /// Taps with a finger at the middle of the first element that a selector finds.
    #[track_caller]
    pub fn tap(&mut self, selector: &str) {
        let (x, y) = self.middle(selector);
        self.call("Emulation.setTouchEmulationEnabled", json!({"enabled": true}));
        // The browser makes a click of it, which is no answer to these.
        let click = "new Promise(done => addEventListener('click', () => done(1), true))";
        self.eval(&format!("void (window.tapped = {click})"));
        let finger = json!({"type": "touchStart", "touchPoints": [{"x": x, "y": y}]});
        self.call("Input.dispatchTouchEvent", finger);
        self.call("Input.dispatchTouchEvent", json!({"type": "touchEnd", "touchPoints": []}));
        self.eval("tapped");
        self.settle();
    }

    /// What the page has said on the console, and what went wrong in it, since it was opened.
    pub fn complaints(&mut self) -> Vec<Value> {
        self.settle();
        let kinds = ["Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"];
        let is_one = |event: &&Value| kinds.iter().any(|kind| event["method"] == *kind);
        self.told.iter().filter(is_one).cloned().collect()
    }
}

/// The browser's messages, which end with a zero byte.
fn answers(mut from: impl std::io::BufRead + Send + 'static) -> Receiver<Value> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut message = Vec::new();
        while from.read_until(0, &mut message).is_ok_and(|length| length > 0) {
            message.pop();
            let value = serde_json::from_slice(&message).expect("the browser speaks JSON");
            if sender.send(value).is_err() {
                break;
            }
            message.clear();
        }
    });
    receiver
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
