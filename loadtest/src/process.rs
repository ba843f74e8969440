//! A process under test: started, killed, paused and started again, and its costs counted over
//! all of its lives.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    net::TcpStream,
    process::Child,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use crate::{Error, error::Context, fetch, usage, usage::Usage};

/// How often a living process's costs are read, so at most that much of a killed one is missed.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(50);

/// How often a starting process is asked whether it is ready.
const READY_INTERVAL: Duration = Duration::from_millis(20);

/// How long a dropped process may take to be gone after SIGKILL: longer only if the kernel is stuck.
const DROP_LIMIT: Duration = Duration::from_secs(1);

/// How often that is looked at; the thread is blocked meanwhile, for a drop cannot wait otherwise.
const DROP_INTERVAL: Duration = Duration::from_millis(1);

/// How many characters of a process's last words are repeated.
const LAST_WORDS_MAX: usize = 500;

/// What to run, and where its output goes.
#[derive(Clone, Debug)]
pub struct Command {
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Variables on top of this process's own environment.
    pub environment: Vec<(String, OsString)>,
    /// The file that its output is appended to, over all of its lives.
    pub log: PathBuf,
}

/// How a process shows that it is ready.
#[derive(Clone, Debug)]
pub enum Ready {
    /// It answers a GET at this address and path with 200.
    Http {
        /// Host and port.
        address: String,
        /// The path.
        path: String,
    },
    /// It accepts connections at this host and port.
    Tcp(String),
}

/// A started command. Dropping it kills the process.
pub struct Process {
    command: Command,
    child: Child,
    pid: Pid,
    /// What earlier lives cost.
    past: Usage,
    present: Arc<Mutex<Usage>>,
    sampler: JoinHandle<()>,
}

impl Process {
    /// Starts the command.
    pub fn start(command: Command) -> Result<Self, Error> {
        let (child, pid) = spawn(&command)?;
        let present = Arc::new(Mutex::new(Usage::default()));
        let sampler = tokio::spawn(sample(pid, Arc::clone(&present)));
        Ok(Self {
            command,
            child,
            pid,
            past: Usage::default(),
            present,
            sampler,
        })
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().cast_unsigned()
    }

    /// Waits until the process is ready; an error if it exits first or takes longer.
    pub async fn wait_ready(&mut self, ready: &Ready, limit: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.exited()? {
                return Err(Error::new(format!(
                    "{} ended with {status} before it was ready, its output is in {}, its last \
                     words are: {}",
                    self.command.program.display(),
                    self.command.log.display(),
                    last_words(&self.command.log)
                )));
            }
            let is_ready = match ready {
                Ready::Http { address, path } => fetch::get(address, path)
                    .await
                    .is_ok_and(|(status, _)| status == 200),
                Ready::Tcp(address) => TcpStream::connect(address).await.is_ok(),
            };
            if is_ready {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Error::new(format!(
                    "{} was not ready within {limit:?}, its output is in {}",
                    self.command.program.display(),
                    self.command.log.display()
                )));
            }
            sleep(READY_INTERVAL).await;
        }
    }

    /// How it ended, if it has.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.child
            .try_wait()
            .context(|| "ask whether the process has ended".into())
    }

    /// Ends it without warning (SIGKILL).
    pub async fn kill(&mut self) -> Result<ExitStatus, Error> {
        self.signal(Signal::KILL)?;
        self.reap().await
    }

    /// Asks it to end (SIGTERM); an error if it takes longer than `limit`, and then it still runs.
    pub async fn terminate(&mut self, limit: Duration) -> Result<ExitStatus, Error> {
        self.signal(Signal::TERM)?;
        let pid = self.id();
        timeout(limit, self.reap())
            .await
            .context(|| format!("wait for process {pid} to end after SIGTERM"))?
    }

    /// Stops its clock (SIGSTOP): its sockets stay open and nobody answers. Returns when it has
    /// stopped, for a signal sent before that may overtake.
    pub async fn pause(&self) -> Result<(), Error> {
        self.signal(Signal::STOP)?;
        while usage::state(self.id()).is_some_and(|state| state != 'T') {
            sleep(READY_INTERVAL / 10).await;
        }
        Ok(())
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) -> Result<(), Error> {
        self.signal(Signal::CONT)
    }

    /// Starts it again, after it has ended.
    pub fn restart(&mut self) -> Result<(), Error> {
        if self.exited()?.is_none() {
            return Err(Error::new(format!(
                "process {} is still running",
                self.id()
            )));
        }
        self.past = self.usage();
        (self.child, self.pid) = spawn(&self.command)?;
        self.sampler.abort();
        self.present = Arc::default();
        self.sampler = tokio::spawn(sample(self.pid, Arc::clone(&self.present)));
        Ok(())
    }

    /// What all of its lives have cost so far.
    pub fn usage(&self) -> Usage {
        self.past.followed_by(&self.refresh())
    }

    fn refresh(&self) -> Usage {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        present.update(self.id());
        *present
    }

    fn signal(&self, signal: Signal) -> Result<(), Error> {
        if self.child.id().is_none() {
            return Err(Error::new(format!(
                "process {} has already ended",
                self.id()
            )));
        }
        // The costs of a process that is about to die can be read only now.
        self.refresh();
        kill_process(self.pid, signal).context(|| format!("signal process {}", self.id()))
    }

    async fn reap(&mut self) -> Result<ExitStatus, Error> {
        let status = self
            .child
            .wait()
            .await
            .context(|| "wait for the process to end".into());
        self.sampler.abort();
        status
    }
}

impl Drop for Process {
    /// Kills the process and waits until it is gone, so that its files can be removed.
    fn drop(&mut self) {
        self.sampler.abort();
        let deadline = Instant::now() + DROP_LIMIT;
        // An error means that it has ended before.
        drop(self.child.start_kill());
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(DROP_INTERVAL);
        }
    }
}

fn spawn(command: &Command) -> Result<(Child, Pid), Error> {
    let log = open_log(command)?;
    let both = log
        .try_clone()
        .context(|| format!("open {} twice", command.log.display()))?;
    let child = tokio::process::Command::new(&command.program)
        .args(&command.arguments)
        .envs(
            command
                .environment
                .iter()
                .map(|(name, value)| (name, value)),
        )
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(both)
        .kill_on_drop(true)
        .spawn()
        .context(|| format!("start {}", command.program.display()))?;
    let id = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let pid = id.ok_or_else(|| Error::new("the process ended before it had an id"))?;
    Ok((child, pid))
}

/// The end of what a process has said, of a length that a person reads.
fn last_words(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().rev().find(|line| !line.trim().is_empty());
    line.unwrap_or("nothing")
        .chars()
        .take(LAST_WORDS_MAX)
        .collect()
}

fn open_log(command: &Command) -> Result<File, Error> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(&command.log)
        .context(|| format!("open {}", command.log.display()))
}

async fn sample(pid: Pid, usage: Arc<Mutex<Usage>>) {
    loop {
        usage
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .update(pid.as_raw_nonzero().get().cast_unsigned());
        sleep(SAMPLE_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn shell(script: &str, directory: &tempfile::TempDir) -> Command {
        Command {
            program: "sh".into(),
            arguments: vec!["-c".into(), script.into()],
            environment: vec![("GREETING".into(), "hello".into())],
            log: directory.path().join("log"),
        }
    }

    #[tokio::test]
    async fn a_process_is_killed_and_started_again() {
        let directory = tempfile::tempdir().unwrap();
        let command = shell("echo $GREETING $$; exec sleep 60", &directory);
        let log = command.log.clone();
        let mut process = Process::start(command).unwrap();
        assert!(process.restart().is_err(), "it still runs");
        let first = process.id();
        while std::fs::read_to_string(&log).unwrap().is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(process.kill().await.unwrap().signal(), Some(9));
        assert!(process.kill().await.is_err(), "nothing is left to kill");
        process.restart().unwrap();
        assert_ne!(process.id(), first);
        while std::fs::read_to_string(&log).unwrap().lines().count() < 2 {
            sleep(Duration::from_millis(5)).await;
        }
        let status = process.terminate(Duration::from_secs(5)).await.unwrap();
        assert_eq!(status.signal(), Some(15));
        let text = std::fs::read_to_string(&log).unwrap();
        assert!(text.starts_with(&format!("hello {first}\n")), "{text}");
    }

    #[tokio::test]
    async fn a_paused_process_does_not_end_before_it_is_resumed() {
        let directory = tempfile::tempdir().unwrap();
        let mut process = Process::start(shell("exec sleep 60", &directory)).unwrap();
        process.pause().await.unwrap();
        let early = process.terminate(Duration::from_millis(50)).await;
        assert!(early.is_err(), "{early:?}");
        process.resume().unwrap();
        let status = process.reap().await.unwrap();
        assert_eq!(status.signal(), Some(15));
    }

    #[tokio::test]
    async fn a_dropped_process_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let process = Process::start(shell("exec sleep 60", &directory)).unwrap();
        let pid = process.id();
        assert!(usage::state(pid).is_some());
        drop(process);
        assert_eq!(usage::state(pid), None);
    }

    #[tokio::test]
    async fn costs_are_summed_over_lives() {
        let directory = tempfile::tempdir().unwrap();
        let burn = "while :; do :; done";
        let mut process = Process::start(shell(burn, &directory)).unwrap();
        let mut last = Duration::ZERO;
        for _ in 0..2 {
            let goal = last + Duration::from_millis(40);
            while process.usage().cpu < goal {
                sleep(Duration::from_millis(10)).await;
            }
            last = process.usage().cpu;
            process.kill().await.unwrap();
            assert!(process.usage().cpu >= last);
            process.restart().unwrap();
        }
        assert!(process.usage().cpu >= Duration::from_millis(80));
        assert!(process.usage().resident_peak > 100_000);
    }

    #[tokio::test]
    async fn readiness_is_waited_for_and_early_death_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ready = Ready::Tcp(listener.local_addr().unwrap().to_string());
        let mut process = Process::start(shell("exec sleep 60", &directory)).unwrap();
        process
            .wait_ready(&ready, Duration::from_secs(5))
            .await
            .unwrap();

        let closed = Ready::Tcp(crate::ports::free(1).unwrap()[0].to_string());
        let error = process
            .wait_ready(&closed, Duration::from_millis(50))
            .await
            .unwrap_err();
        assert!(error.to_string().contains("not ready within"), "{error}");

        let mut process = Process::start(shell("echo gone fishing; exit 3", &directory)).unwrap();
        let error = process
            .wait_ready(&closed, Duration::from_secs(5))
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("exit status: 3") && text.ends_with(": gone fishing"),
            "{error}"
        );
    }
}
