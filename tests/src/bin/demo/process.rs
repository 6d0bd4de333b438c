//! Programs that the demo starts, and stops again by their process ids. None outlives it.

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{File, OpenOptions};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long a program may take to stop; the controller waits up to 30 s for its PostgreSQL.
const STOP_LIMIT: Duration = Duration::from_secs(40);
/// How often it is looked whether something has happened.
pub const LOOK: Duration = Duration::from_millis(20);
/// What programs see of this environment: a database or an address of the person's own is not the demo's.
const ENVIRONMENT: [&str; 4] = ["PATH", "MASTWIRE_PG_BIN", "RUST_LOG", "TZ"];

/// Prepares a program with an environment of our choice.
pub fn clean(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("NO_COLOR", "1");
    command.envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command
}

/// A program that runs until it is stopped.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts a program whose output goes to a file. The kernel ends it if the demo is killed; it gets no Ctrl-C of its own.
    pub fn start(name: &str, program: &Path, arguments: &[&str], log: PathBuf) -> anyhow::Result<Self> {
        let output: File = OpenOptions::new().create(true).append(true).mode(0o600).open(&log)?;
        let mut command = clean("setpriv");
        command.args(["--pdeathsig", "TERM", "--"]).arg(program).args(arguments).process_group(0);
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().with_context(|| format!("setpriv (package util-linux) could not start {name}"))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// Returns all that it has printed.
    pub fn printed(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Checks that it still runs.
    ///
    /// # Errors
    /// When it has ended, with its last words.
    pub fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended ({status}): {}", self.name, self.printed().trim()),
        }
    }

    /// Asks it to stop and waits until it has.
    ///
    /// # Errors
    /// When it had to be killed, or did not end well.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        self.ask_to_stop();
        let mut look = tokio::time::interval(LOOK);
        let ended = async {
            loop {
                look.tick().await;
                if let Some(status) = self.child.try_wait()? {
                    return Ok::<_, std::io::Error>(status);
                }
            }
        };
        match tokio::time::timeout(STOP_LIMIT, ended).await {
            Ok(status) => {
                let status = status?;
                if status.success() { Ok(()) } else { bail!("{} did not end well ({status})", self.name) }
            }
            Err(_) => {
                self.child.kill()?;
                bail!("{} did not stop within {} s and was killed", self.name, STOP_LIMIT.as_secs())
            }
        }
    }

    fn ask_to_stop(&self) {
        // A process id that has been waited for may be another's by now; std keeps it ours until then.
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _gone: nix::Result<()> = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.ask_to_stop();
            // Nothing more can be done about one that does not go.
            let _ended = self.child.wait();
        }
    }
}

/// Finds a TCP port that is free on loopback.
pub fn free_tcp_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Finds a UDP port that is free on loopback.
pub fn free_udp_port() -> std::io::Result<u16> {
    Ok(UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Looks again until there is something.
///
/// # Errors
/// When there is nothing within the limit, or looking fails.
pub async fn until<R>(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> anyhow::Result<Option<R>>,
) -> anyhow::Result<R> {
    let mut ticks = tokio::time::interval(LOOK);
    let search = async {
        loop {
            ticks.tick().await;
            if let Some(found) = look().await? {
                return Ok(found);
            }
        }
    };
    tokio::time::timeout(limit, search).await.unwrap_or_else(|_| bail!("not within {} s: {what}", limit.as_secs()))
}
