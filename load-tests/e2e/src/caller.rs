//! Somebody on one of our pages, in a browser of their own.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::{driver::Driver, server::Server, tone};

/// How long a caller waits for a sound, in milliseconds. Most of it is the machine's.
const PATIENCE_MS: u32 = 45_000;

/// What a caller speaks into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Microphone {
    None,
    /// Chromium, with this tone.
    Tone(u32),
    /// Firefox, whose own fake microphone hums.
    Firefox,
}

/// The browser that a page is opened in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Browser {
    Chromium,
    /// Told to let no site keep anything.
    ChromiumThatKeepsNothing,
    Firefox,
}

/// A browser on the call page. Closed when dropped.
pub struct Caller {
    handle: String,
    url: String,
    driver: &'static Driver,
    /// Chromium reads it for as long as it runs.
    _wav: Option<NamedTempFile>,
}

impl Caller {
    /// Opens the page of `room`; nobody has joined yet.
    #[must_use]
    pub fn open(server: &Server, room: &str, microphone: Microphone) -> Self {
        Self::open_at(server.address(), room, microphone)
    }

    /// The same by way of `address`, which may be a proxy's.
    #[must_use]
    pub fn open_at(address: SocketAddr, room: &str, microphone: Microphone) -> Self {
        Self::open_page(address, &format!("call/{room}"), microphone)
    }

    /// Opens any page, such as `notes/demo`.
    #[must_use]
    pub fn open_page(address: SocketAddr, page: &str, microphone: Microphone) -> Self {
        Self::open_losing(address, page, microphone, &[], 0)
    }

    /// The same on a network that loses each of `files` so many times.
    #[must_use]
    pub fn open_losing(
        address: SocketAddr,
        page: &str,
        microphone: Microphone,
        files: &[&str],
        times: u32,
    ) -> Self {
        let browser =
            if microphone == Microphone::Firefox { Browser::Firefox } else { Browser::Chromium };
        let lost = files.iter().map(|file| (*file, times)).collect();
        Self::open_in(browser, &format!("http://{address}/{page}"), microphone, &lost)
    }

    /// Opens the page at `url`, whose certificate may be one that nobody vouches for.
    #[must_use]
    pub fn open_url(url: &str, microphone: Microphone) -> Self {
        Self::open_in(Browser::Chromium, url, microphone, &BTreeMap::new())
    }

    /// The same in a browser that was told to let no site keep anything.
    #[must_use]
    pub fn open_keeping_nothing(address: SocketAddr, page: &str, microphone: Microphone) -> Self {
        let browser = Browser::ChromiumThatKeepsNothing;
        Self::open_in(browser, &format!("http://{address}/{page}"), microphone, &BTreeMap::new())
    }

    fn open_in(
        browser: Browser,
        url: &str,
        microphone: Microphone,
        lost: &BTreeMap<&str, u32>,
    ) -> Self {
        static CALLERS: AtomicU32 = AtomicU32::new(0);
        let handle = format!("caller-{}", CALLERS.fetch_add(1, Ordering::Relaxed));
        let wav = match microphone {
            Microphone::Tone(hz) => Some(tone::write_wav(hz)),
            Microphone::None | Microphone::Firefox => None,
        };
        let driver = Driver::of_call_pages();
        let caller = Self { handle, url: url.to_owned(), driver, _wav: wav };
        let browser = match browser {
            Browser::Chromium => "chromium",
            Browser::ChromiumThatKeepsNothing => "keepsNothing",
            Browser::Firefox => "firefox",
        };
        let path = caller._wav.as_ref().map(NamedTempFile::path);
        let fields = json!({ "url": url, "wav": path, "browser": browser, "lost": lost });
        caller.perform("open", fields);
        caller
    }

    /// Nothing is lost any more.
    pub fn lose_nothing(&self) {
        self.perform("loseNothing", json!({}));
    }

    /// Whether its browser keeps anything for the page.
    #[must_use]
    pub fn keeps(&self) -> bool {
        self.perform("keeps", json!({})) == json!(true)
    }

    /// Submits a form as a browser does, whether the form is seen or not.
    pub fn submit(&self, form: &str) {
        self.perform("submit", json!({ "selector": form }));
    }

    /// Whose place in the call it has.
    #[must_use]
    pub fn sid(&self) -> String {
        self.perform("sid", json!({})).as_str().unwrap_or_default().to_owned()
    }

    /// Where the page is.
    #[must_use]
    pub fn url(&self) -> String {
        self.perform("url", json!({})).as_str().unwrap_or_default().to_owned()
    }

    /// Fills in the name and presses the button that joins with the microphone.
    pub fn join(&self, name: &str) {
        self.perform("enter", json!({ "name": name, "listen": false }));
    }

    /// Joins to listen only.
    pub fn join_to_listen(&self, name: &str) {
        self.perform("enter", json!({ "name": name, "listen": true }));
    }

    /// Gives a name to a page that asks for nothing else.
    pub fn come_in(&self, name: &str) {
        self.perform("comeIn", json!({ "name": name }));
    }

    /// Writes into a field.
    pub fn fill(&self, selector: &str, words: &str) {
        self.perform("fill", json!({ "selector": selector, "words": words }));
    }

    /// Holds what `selector` names with the pointer for so many milliseconds, slides so many
    /// pixels, and releases.
    pub fn hold(&self, selector: &str, millis: u32, slide: (i32, i32)) {
        let fields = json!({ "selector": selector, "millis": millis, "slide": [slide.0, slide.1] });
        self.perform("hold", fields);
    }

    /// Holds a key for so long, with the focus on what `selector` names.
    pub fn hold_key(&self, selector: &str, key: &str, millis: u32) {
        let fields = json!({ "selector": selector, "key": key, "millis": millis });
        self.perform("holdKey", fields);
    }

    /// How many of what `selector` names the page shows.
    #[must_use]
    pub fn count(&self, selector: &str) -> u64 {
        self.perform("count", json!({ "selector": selector })).as_u64().unwrap_or_default()
    }

    /// Waits until the page shows what `selector` names.
    pub fn wait_for(&self, selector: &str) {
        self.perform("waitFor", json!({ "selector": selector }));
    }

    /// Waits until the page shows nothing that `selector` names.
    pub fn wait_for_no(&self, selector: &str) {
        self.perform("waitForNo", json!({ "selector": selector }));
    }

    /// Waits until what `selector` names says `words`.
    pub fn wait_for_text(&self, selector: &str, words: &str) {
        self.perform("waitForText", json!({ "selector": selector, "words": words }));
    }

    /// Waits until what `selector` names says `words`, whatever else it says.
    pub fn wait_for_words(&self, selector: &str, words: &str) {
        self.perform("waitForWords", json!({ "selector": selector, "words": words }));
    }

    /// Strikes a key, or types a text letter by letter.
    pub fn strike(&self, keys: &[&str]) {
        self.perform("strike", json!({ "keys": keys }));
    }

    /// Strikes Tab until the focus is on what `selector` names, and says whether it is visible
    /// there.
    #[must_use]
    pub fn tab_to(&self, selector: &str) -> bool {
        self.perform("tabTo", json!({ "selector": selector })) == json!(true)
    }

    /// Every text that `selector` has shown since the page was entered.
    #[must_use]
    pub fn told(&self, selector: &str) -> Vec<String> {
        let told = self.perform("told", json!({ "selector": selector }));
        let told = told.as_array().cloned().unwrap_or_default();
        told.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// A property of how the page draws what `selector` names.
    #[must_use]
    pub fn drawn(&self, selector: &str, pseudo: Option<&str>, property: &str) -> String {
        let fields = json!({ "selector": selector, "pseudo": pseudo, "property": property });
        self.perform("drawn", fields).as_str().unwrap_or_default().to_owned()
    }

    /// Presses what `selector` names.
    pub fn press(&self, selector: &str) {
        self.perform("press", json!({ "selector": selector }));
    }

    /// Waits for a tone; returns the milliseconds since the last press.
    #[must_use]
    pub fn hear(&self, hz: u32) -> f64 {
        let heard = self.perform("hear", json!({ "hz": hz, "patience": PATIENCE_MS }));
        heard.as_f64().unwrap_or_default()
    }

    /// Waits for any sound at all.
    #[must_use]
    pub fn hear_anything(&self) -> f64 {
        self.hear(0)
    }

    /// Comes to the page anew.
    pub fn reload(&self) {
        self.perform("reload", json!({ "url": self.url }));
    }

    #[must_use]
    pub fn text(&self, selector: &str) -> String {
        let text = self.perform("text", json!({ "selector": selector }));
        text.as_str().unwrap_or_default().to_owned()
    }

    fn perform(&self, what: &str, fields: Value) -> Value {
        self.try_to(what, fields)
            .unwrap_or_else(|error| panic!("{} could not {what}: {error}", self.handle))
    }

    fn try_to(&self, what: &str, mut fields: Value) -> Result<Value, String> {
        if let Some(fields) = fields.as_object_mut() {
            fields.insert("do".to_owned(), json!(what));
            fields.insert("client".to_owned(), json!(self.handle));
        }
        self.driver.perform(fields)
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        // It may never have opened.
        let _ = self.try_to("close", json!({}));
    }
}
