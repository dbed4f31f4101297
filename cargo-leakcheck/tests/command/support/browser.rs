//! Headless Chromium, controlled over a pair of pipes.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::Folder;

/// An open page.
pub(crate) struct Browser {
    chromium: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    session: Option<String>,
    number: u64,
    /// Errors of the page.
    pub(crate) complaints: Vec<String>,
    _profile: Folder,
}

/// Starts Chromium if it is installed. Otherwise says that the test is skipped.
pub(crate) fn chromium() -> Option<&'static str> {
    let installed = |name: &&str| {
        let mut command = Command::new(name);
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let found =
        ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|n| installed(n));
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "CI has to install Chromium");
        eprintln!("skipped: Chromium is not installed, so the page was not looked at");
    }
    found
}

impl Browser {
    /// Opens a file in a window of this size.
    pub(crate) fn open(chromium: &str, page: &Path, size: (u32, u32)) -> Self {
        Self::start(chromium, page, size, &["--disable-gpu"])
    }

    /// The same for a page that draws with WebGL, on any machine.
    pub(crate) fn open_drawing(chromium: &str, page: &Path, size: (u32, u32)) -> Self {
        Self::start(
            chromium,
            page,
            size,
            &["--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
        )
    }

    fn start(chromium: &str, page: &Path, (width, height): (u32, u32), more: &[&str]) -> Self {
        let profile = Folder::new();
        let mut command = Command::new("sh");
        // Chromium reads commands from file descriptor 3 and writes replies to 4.
        let script = format!("exec {chromium} \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1");
        command.args(["-c", &script, "sh"]);
        command.args(["--headless", "--no-sandbox", "--disable-quic", "--no-first-run"]);
        command.args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ]);
        command.args(["--remote-debugging-pipe", "--force-color-profile=srgb"]);
        command.args(more);
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        let mut chromium = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell can be run");
        let to = chromium.stdin.take().unwrap();
        let from = BufReader::new(chromium.stdout.take().unwrap());
        let complaints = Vec::new();
        let mut browser =
            Self { chromium, to, from, session: None, number: 0, complaints, _profile: profile };
        let target = browser.order("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.order("Target.attachToTarget", attach);
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.order(&format!("{domain}.enable"), json!({}));
        }
        browser.resize(width, height);
        browser.order("Page.navigate", json!({ "url": format!("file://{}", page.display()) }));
        browser.wait("document.readyState === 'complete'");
        browser
    }

    pub(crate) fn resize(&mut self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.order("Emulation.setDeviceMetricsOverride", size);
    }

    /// Emulates a system that prefers dark pages.
    pub(crate) fn prefer(&mut self, scheme: &str) {
        let feature = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.order("Emulation.setEmulatedMedia", feature);
    }

    /// The value of an expression.
    #[track_caller]
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let order =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.order("Runtime.evaluate", order);
        assert!(answer.get("exceptionDetails").is_none(), "`{expression}`: {answer:#}");
        answer["result"]["value"].clone()
    }

    #[track_caller]
    pub(crate) fn text(&mut self, selector: &str) -> String {
        let of = self.value(&format!("document.querySelector({}).innerText", json!(selector)));
        of.as_str().unwrap_or_else(|| panic!("`{selector}` has no text")).to_owned()
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub(crate) fn wait(&mut self, expression: &str) {
        let frames = "new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))";
        for _ in 0..600 {
            if self.value(&format!("!!({expression})")) == true {
                return;
            }
            self.value(&format!("{frames}.then(() => true)"));
        }
        panic!("`{expression}` does not come true; the page says {:?}", self.complaints);
    }

    /// Clicks in the middle of the visible part of an element.
    #[track_caller]
    pub(crate) fn click(&mut self, selector: &str) {
        let place = self.value(&format!(
            "(() => {{ const e = document.querySelector({}); e.scrollIntoView({{ block: 'center' }}); \
             const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()",
            json!(selector)
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
            self.order("Input.dispatchMouseEvent", event);
        }
    }

    /// Chooses a file where the page asks for one.
    #[track_caller]
    pub(crate) fn choose(&mut self, selector: &str, file: &Path) {
        let expression = format!("document.querySelector({})", json!(selector));
        let input = self.order("Runtime.evaluate", json!({ "expression": expression }));
        let input = &input["result"]["objectId"];
        assert!(input.is_string(), "no `{selector}`");
        self.order("DOM.setFileInputFiles", json!({ "objectId": input, "files": [file] }));
    }

    /// Types text where the focus is.
    pub(crate) fn write(&mut self, text: &str) {
        self.order("Input.insertText", json!({ "text": text }));
    }

    /// Presses a key.
    pub(crate) fn press(&mut self, key: &str) {
        let code = match key {
            "Enter" => 13,
            "Tab" => 9,
            "Escape" => 27,
            "ArrowDown" => 40,
            "End" => 35,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            _ => 0,
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event =
                json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            if key == "Enter" {
                event["text"] = json!("\r");
            } else if key.len() == 1 {
                event["text"] = json!(key);
            }
            self.order("Input.dispatchKeyEvent", event);
        }
    }

    /// Saves a screenshot if `PICTURES` is set.
    pub(crate) fn picture(&mut self, name: &str) {
        let Some(directory) = std::env::var_os("PICTURES") else { return };
        let shot = self.order("Page.captureScreenshot", json!({ "format": "png" }));
        let path = Path::new(&directory).join(format!("{name}.png"));
        std::fs::write(path, base64(shot["data"].as_str().unwrap())).unwrap();
    }

    #[track_caller]
    fn order(&mut self, method: &str, params: Value) -> Value {
        self.number += 1;
        let mut order = json!({ "id": self.number, "method": method, "params": params });
        if let Some(session) = &self.session {
            order["sessionId"] = json!(session);
        }
        self.to.write_all(order.to_string().as_bytes()).expect("Chromium listens");
        self.to.write_all(b"\0").expect("Chromium listens");
        loop {
            let mut answer = Vec::new();
            self.from.read_until(0, &mut answer).expect("Chromium answers");
            answer.pop();
            let answer: Value = serde_json::from_slice(&answer).expect("Chromium answers in JSON");
            if answer["id"] == self.number {
                assert!(answer.get("error").is_none(), "{method}: {answer:#}");
                return answer["result"].clone();
            }
            self.note(&answer);
        }
    }

    fn note(&mut self, event: &Value) {
        let params = &event["params"];
        match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => self.complaints.push(params.to_string()),
            Some("Log.entryAdded") => self.complaints.push(params["entry"].to_string()),
            Some("Network.requestWillBeSent") => {
                let url = params["request"]["url"].as_str().unwrap_or_default();
                if !url.starts_with("file:")
                    && !url.starts_with("data:")
                    && !url.starts_with("about:")
                {
                    self.complaints.push(format!("asks for {url}"));
                }
            }
            _ => {}
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        _ = self.chromium.kill();
        _ = self.chromium.wait();
    }
}

fn base64(text: &str) -> Vec<u8> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|c| *c != b'=').map(digit).collect();
    let group = |group: &[u8]| {
        let bits = group.iter().fold(0_u32, |bits, digit| bits << 6 | u32::from(*digit));
        let bits = bits << (6 * (4 - group.len()));
        bits.to_be_bytes()[1..group.len()].to_vec()
    };
    digits.chunks(4).flat_map(group).collect()
}
