//! A child process that hosts clients of one kind and speaks JSON lines.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{ChildStdin, Command, Stdio},
    sync::{
        OnceLock,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use serde_json::{Value, json};

use crate::{
    PATIENCE,
    kind::{self, Kind},
};

/// Hands commands to one driver process. Everybody who plays this kind shares it; it ends when
/// this process does.
pub(crate) struct Driver {
    requests: Sender<Message>,
}

enum Message {
    /// Perform this; the answer goes back.
    Perform { command: Value, answer: Sender<Result<Value, String>> },
    /// Events of this client go there.
    Listen { client: String, events: Sender<Value> },
    /// The process wrote a line.
    Line(String),
    /// The process is gone.
    Gone,
}

impl Driver {
    /// The driver of `kind`, started by whoever needs it first.
    pub(crate) fn of(kind: Kind) -> &'static Self {
        static CHROMIUM: OnceLock<Driver> = OnceLock::new();
        static FIREFOX: OnceLock<Driver> = OnceLock::new();
        static GO: OnceLock<Driver> = OnceLock::new();
        static PYTHON: OnceLock<Driver> = OnceLock::new();
        static AIORTC: OnceLock<Driver> = OnceLock::new();
        let driver = match kind {
            Kind::ChromiumV1 | Kind::ChromiumV0 => &CHROMIUM,
            Kind::FirefoxV1 | Kind::FirefoxV0 => &FIREFOX,
            Kind::Go => &GO,
            Kind::Python | Kind::PythonV0 => &PYTHON,
            Kind::Aiortc => &AIORTC,
        };
        driver.get_or_init(|| Self::start(kind.driver()))
    }

    /// The driver of whole call pages, which are no SDK.
    pub(crate) fn of_call_pages() -> &'static Self {
        static CALLERS: OnceLock<Driver> = OnceLock::new();
        CALLERS.get_or_init(|| Self::start(kind::call_page_driver()))
    }

    fn start((program, arguments): (PathBuf, Vec<PathBuf>)) -> Self {
        let mut child = Command::new(&program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{}: {error}; `cargo xtask setup` installs it", program.display())
            });
        let stdin = child.stdin.take().expect("piped");
        let stdout = child.stdout.take().expect("piped");
        let (requests, messages) = channel();
        let lines = requests.clone();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if lines.send(Message::Line(line)).is_err() {
                    return;
                }
            }
            let _ = lines.send(Message::Gone);
            let _ = child.wait();
        });
        let driver = Self { requests };
        let ready = driver.listen("");
        thread::spawn(move || relay(stdin, &messages));
        ready.recv_timeout(4 * PATIENCE).expect("the driver starts");
        driver
    }

    pub(crate) fn perform(&self, command: Value) -> Result<Value, String> {
        let (answer, answered) = channel();
        let what = command.to_string();
        self.requests.send(Message::Perform { command, answer }).expect("the driver runs");
        answered.recv_timeout(2 * PATIENCE).unwrap_or_else(|_| Err(format!("no answer to {what}")))
    }

    pub(crate) fn listen(&self, client: &str) -> Receiver<Value> {
        let (events, received) = channel();
        let message = Message::Listen { client: client.to_owned(), events };
        self.requests.send(message).expect("the driver runs");
        received
    }
}

/// Pairs answers with commands and events with clients, until the process is gone.
fn relay(mut stdin: ChildStdin, messages: &Receiver<Message>) {
    let mut waiting: BTreeMap<u64, Sender<Result<Value, String>>> = BTreeMap::new();
    let mut listeners: BTreeMap<String, Sender<Value>> = BTreeMap::new();
    let mut last = 0;
    for message in messages {
        match message {
            Message::Perform { mut command, answer } => {
                last += 1;
                if let Some(fields) = command.as_object_mut() {
                    fields.insert("id".to_owned(), json!(last));
                }
                waiting.insert(last, answer);
                // A driver that is gone says so on the other pipe.
                let _ = writeln!(stdin, "{command}").and_then(|()| stdin.flush());
            }
            Message::Listen { client, events } => {
                listeners.insert(client, events);
            }
            Message::Line(line) => {
                let value: Value = serde_json::from_str(&line).unwrap_or_default();
                if let Some(answer) = value["id"].as_u64().and_then(|id| waiting.remove(&id)) {
                    let result = match value.get("error") {
                        Some(error) => Err(error.as_str().unwrap_or_default().to_owned()),
                        None => Ok(value["ok"].clone()),
                    };
                    let _ = answer.send(result);
                } else if let Some(listener) =
                    listeners.get(value["client"].as_str().unwrap_or_default())
                {
                    let _ = listener.send(value);
                }
            }
            Message::Gone => {
                for answer in std::mem::take(&mut waiting).into_values() {
                    let _ = answer.send(Err("the driver ended".to_owned()));
                }
            }
        }
    }
}
