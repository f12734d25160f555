//! A child process that can be killed, paused and started again.

use std::{
    env, fs,
    fs::{File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{PATIENCE, now, programs};

/// How often a condition is looked at while it isn't true yet.
const POLL: Duration = Duration::from_millis(20);

/// A running program with its log in a file. Killed when dropped, and when this program ends.
pub struct Process {
    name: String,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// Whom it runs as, unless as we do.
    user: Option<String>,
    log: PathBuf,
    running: Option<Running>,
}

struct Running {
    pid: Pid,
    /// Where its end is told, once.
    ended: Receiver<ExitStatus>,
}

impl Process {
    /// Starts `program`, to be called `name`, whose log is added to `log`. None of our environment
    /// variables named `ADDA_…` reach it.
    #[must_use]
    pub fn start<A: Into<String>>(
        name: &str,
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        environment: &[(&str, &str)],
        log: &Path,
    ) -> Self {
        Self::start_as(None, name, program, arguments, environment, log)
    }

    /// The same as another user, which takes root.
    pub(crate) fn start_as<A: Into<String>>(
        user: Option<&str>,
        name: &str,
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        environment: &[(&str, &str)],
        log: &Path,
    ) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut process = Self {
            name: name.to_owned(),
            program: program.to_owned(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            environment: environment.iter().map(own).collect(),
            user: user.map(str::to_owned),
            log: log.to_owned(),
            running: None,
        };
        process.start_again();
        process
    }

    /// Starts it once more, as it was started first. It must have ended.
    pub fn start_again(&mut self) {
        assert!(!self.is_running(), "{} runs already", self.name);
        self.running = Some(self.spawn());
    }

    /// Replaces an argument for the next start.
    pub fn set_arguments<A: Into<String>>(&mut self, arguments: impl IntoIterator<Item = A>) {
        self.arguments = arguments.into_iter().map(Into::into).collect();
    }

    /// Waits until `is_ready`, which fails the test when the process ends first.
    pub fn wait_until(&mut self, what: &str, mut is_ready: impl FnMut() -> bool) {
        let deadline = now() + PATIENCE;
        while !is_ready() {
            assert!(now() < deadline, "{} is not {what}:\n{}", self.name, self.log());
            let ended = self.wait_for_end(POLL);
            assert!(ended.is_none(), "{} ended, {ended:?}:\n{}", self.name, self.log());
        }
    }

    /// Kills it as `kill -9` does, with all it started, and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.ended();
    }

    /// Asks it to end as `kill` does. Returns once it has.
    pub fn stop(&mut self) -> ExitStatus {
        self.terminate();
        self.ended()
    }

    /// Asks it to end as `kill` does.
    pub fn terminate(&self) {
        let running = self.running.as_ref().expect("it runs");
        kill_process(running.pid, Signal::TERM).expect("it runs");
    }

    /// Stops it in its tracks, with all it started: sockets stay open, nothing is answered.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Waits until it has ended by itself.
    pub fn ended(&mut self) -> ExitStatus {
        let ended = self.wait_for_end(PATIENCE);
        ended.unwrap_or_else(|| panic!("{} goes on:\n{}", self.name, self.log()))
    }

    #[must_use]
    pub fn is_running(&mut self) -> bool {
        self.running.is_some() && self.wait_for_end(Duration::ZERO).is_none()
    }

    #[must_use]
    pub fn id(&self) -> u32 {
        let running = self.running.as_ref().expect("it runs");
        running.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// What it has logged so far, over all its lives.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    fn wait_for_end(&mut self, span: Duration) -> Option<ExitStatus> {
        let running = self.running.as_ref().expect("it was started");
        match running.ended.recv_timeout(span) {
            Ok(status) => {
                self.running = None;
                Some(status)
            }
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => panic!("{} can't be waited for", self.name),
        }
    }

    fn signal(&self, signal: Signal) {
        let running = self.running.as_ref().expect("it runs");
        // Its children first: once it is gone they are nobody's.
        for pid in descendants(running.pid).into_iter().rev() {
            // One may have ended meanwhile.
            let _ = kill_process(pid, signal);
        }
    }

    /// Spawns from a thread that lives as long as the child: the kernel ends a child with the
    /// *thread* that started it.
    fn spawn(&self) -> Running {
        let log = || {
            let mut options = OpenOptions::new();
            options.create(true).append(true).open(&self.log).expect("a log")
        };
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(log()).stderr(log());
        let (started, has_started) = channel();
        let (end, ended) = channel();
        thread::spawn(move || match command.spawn() {
            Ok(mut child) => {
                let _ = started.send(Ok(child.id()));
                if let Ok(status) = child.wait() {
                    let _ = end.send(status);
                }
            }
            Err(error) => {
                let _ = started.send(Err(error));
            }
        });
        let id = has_started.recv().expect("a thread starts");
        let id = id.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let pid = i32::try_from(id).ok().and_then(Pid::from_raw).expect("a process id");
        let running = Running { pid, ended };
        self.wait_until_bound(&running);
        running
    }

    /// Waits until `setpriv` has bound its life to ours and become the program.
    fn wait_until_bound(&self, running: &Running) {
        let (link, deadline) = (format!("/proc/{}/exe", running.pid), now() + PATIENCE);
        let ours = env::current_exe().expect("this program");
        let is_on_its_way = || {
            let image = fs::read_link(&link);
            image.is_ok_and(|image| image == ours || image.ends_with("setpriv"))
        };
        while is_on_its_way() {
            assert!(now() < deadline, "{} does not start:\n{}", self.name, self.log());
            thread::yield_now();
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(programs::find("setpriv"));
        command.args(["--pdeathsig", "KILL"]);
        if let Some(user) = &self.user {
            command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
        }
        command.arg(&self.program).args(&self.arguments);
        let ours = env::vars_os().map(|(name, _)| name);
        for name in ours.filter(|name| name.to_string_lossy().starts_with("ADDA_")) {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    fn keep_log(&self) {
        let file = format!("adda-parts-{}-{}.log", std::process::id(), self.name);
        let path = env::temp_dir().join(file);
        let kept = File::create(&path).and_then(|mut file| file.write_all(self.log().as_bytes()));
        if kept.is_ok() {
            let _ = writeln!(std::io::stderr(), "the log of {}: {}", self.name, path.display());
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.running.is_some() {
            self.signal(Signal::KILL);
            self.wait_for_end(PATIENCE);
        }
        if thread::panicking() {
            self.keep_log();
        }
    }
}

/// A process and all that it started, parents before children.
fn descendants(root: Pid) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes: Vec<(Pid, Pid)> = entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw)?;
            Some((pid, parent_of(&fs::read_to_string(entry.path().join("stat")).ok()?)?))
        })
        .collect();
    let mut found = vec![root];
    let mut looked_at = 0;
    while let Some(parent) = found.get(looked_at).copied() {
        found.extend(processes.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        looked_at += 1;
    }
    found
}

/// The fourth field of `/proc/…/stat`; the second is a name that may hold anything.
fn parent_of(stat: &str) -> Option<Pid> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(1)?.parse().ok().and_then(Pid::from_raw)
}
