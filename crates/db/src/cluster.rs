//! A private PostgreSQL: the real engine, in a folder of ours, reachable through a unix socket alone.
//!
//! It ends with the controller, however the controller ends: `setpriv --pdeathsig` makes the kernel send the postmaster a fast shutdown
//! when the thread that started it dies, so a thread of its own starts it and then waits for it. As root it runs as an unprivileged user,
//! because PostgreSQL refuses to run as root.

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Pid, Uid, User, chown};
use sqlx::postgres::PgConnectOptions;
use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

/// The oldest PostgreSQL whose row-level security and grants are known to behave as this crate needs.
const OLDEST_MAJOR: u32 = 15;
/// A socket's path must fit `sockaddr_un` (108 bytes with its end).
const SOCKET_PATH_MAX: usize = 107;
/// How long a start may take before it counts as failed; crash recovery of a large folder takes a while.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long a stop may take; a fast shutdown waits for a checkpoint.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// The name of the superuser inside, used only to make roles and databases.
pub(crate) const SUPERUSER: &str = "postgres";

/// Why the private PostgreSQL is not there.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No server binaries were found.
    #[error(
        "PostgreSQL {OLDEST_MAJOR} or newer was not found. Install it (on Debian or Ubuntu: apt-get install postgresql), or name its folder in MASTWIRE_PG_BIN"
    )]
    NotInstalled,
    /// A folder on the way cannot be entered by the user that PostgreSQL runs as.
    #[error(
        "PostgreSQL runs as the user `{user}`, who may not enter {folder}. Choose a data folder elsewhere (for example /var/lib/mastwire), or run: chmod o+x {folder}"
    )]
    Unreachable { user: String, folder: PathBuf },
    /// The folder was made by another major version.
    #[error(
        "{folder} was made by PostgreSQL {found}, but the binaries in {bin} are {have}. Install PostgreSQL {found} beside it and run: mastwire-controller upgrade-postgres"
    )]
    OtherMajor { folder: PathBuf, found: u32, have: u32, bin: PathBuf },
    /// The socket's path is too long for the operating system.
    #[error("the path {0} is too long for a unix socket ({SOCKET_PATH_MAX} bytes): choose a shorter data folder")]
    PathTooLong(PathBuf),
    /// Somebody else's postmaster serves the folder.
    #[error("another process (id {pid}) serves {folder}. Stop the other controller first")]
    InUse { folder: PathBuf, pid: i32 },
    /// PostgreSQL ended while starting; its own last words are given.
    #[error("PostgreSQL did not start: {0}")]
    Refused(String),
    /// PostgreSQL took longer than a minute.
    #[error("PostgreSQL did not answer within {} s; its log is {log}", START_LIMIT.as_secs())]
    Slow { log: PathBuf },
    /// A file or process could not be handled.
    #[error("{what} failed")]
    Io {
        what: String,
        #[source]
        source: std::io::Error,
    },
}

fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> ClusterError {
    let what = what.into();
    move |source| ClusterError::Io { what, source }
}

/// The folder of PostgreSQL's server programs.
#[derive(Debug, Clone)]
pub struct Binaries {
    folder: PathBuf,
    major: u32,
}

impl Binaries {
    /// Looks where `MASTWIRE_PG_BIN` says, else in Debian's folders (newest first), else in `PATH`.
    ///
    /// # Errors
    /// When there are none, or only old ones.
    pub fn find() -> Result<Self, ClusterError> {
        if let Some(folder) = std::env::var_os("MASTWIRE_PG_BIN") {
            return Self::probe(Path::new(&folder)).ok_or(ClusterError::NotInstalled);
        }
        let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut found: Vec<Self> = debian.chain(std::env::split_paths(&path)).filter_map(|folder| Self::probe(&folder)).collect();
        // The sort is stable: of equal majors the one found first is used.
        found.sort_by_key(|binaries| std::cmp::Reverse(binaries.major));
        found.into_iter().next().ok_or(ClusterError::NotInstalled)
    }

    fn probe(folder: &Path) -> Option<Self> {
        if !folder.join("initdb").is_file() {
            return None;
        }
        let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let number = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
        let major = number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
        (major >= OLDEST_MAJOR).then(|| Self { folder: folder.to_owned(), major })
    }

    /// Takes the programs in a folder, if they are there and not too old.
    #[must_use]
    pub fn at(folder: &Path) -> Option<Self> {
        Self::probe(folder)
    }

    /// Returns the major version.
    #[must_use]
    pub const fn major(&self) -> u32 {
        self.major
    }

    /// Returns the folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// How a private PostgreSQL is set up.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// The folder that holds the cluster, its socket and its log; made when missing.
    pub folder: PathBuf,
    /// Whether commits reach the disk. Only tests, whose data nobody will miss, turn it off.
    pub durable: bool,
}

/// A running private PostgreSQL. Dropping it stops it.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    pid: Pid,
    // In a lock only because a receiver alone cannot be shared.
    ended: Mutex<mpsc::Receiver<()>>,
}

/// The user that the server runs as, when that is not ourselves.
struct Unprivileged {
    name: String,
    uid: Uid,
    gid: Gid,
}

impl Unprivileged {
    /// As root: `postgres` where the packages made it, else `nobody`.
    fn choose() -> Option<Self> {
        if !Uid::effective().is_root() {
            return None;
        }
        ["postgres", "nobody"].iter().find_map(|name| {
            let user = User::from_name(name).ok().flatten()?;
            Some(Self { name: user.name, uid: user.uid, gid: user.gid })
        })
    }
}

impl Cluster {
    /// Starts the cluster in a folder, making it first when it is not there, and waits until it answers.
    ///
    /// # Errors
    /// When PostgreSQL is missing, refuses, or the folder cannot be used; each says what to do.
    pub async fn start(options: &ClusterOptions, binaries: &Binaries) -> Result<Self, ClusterError> {
        let user = Unprivileged::choose();
        let folder = prepare_folder(&options.folder, user.as_ref())?;
        let data = folder.join("data");
        wait_for_former(&data).await?;
        match fs::read_to_string(data.join("PG_VERSION")) {
            Ok(text) => {
                let found = text.trim().parse().unwrap_or(0);
                if found != binaries.major {
                    return Err(ClusterError::OtherMajor {
                        folder: data,
                        found,
                        have: binaries.major,
                        bin: binaries.folder.clone(),
                    });
                }
            }
            Err(_) => init(&data, binaries, user.as_ref())?,
        }
        let cluster = spawn(folder, &data, options, binaries, user.as_ref())?;
        cluster.wait_until_ready().await?;
        Ok(cluster)
    }

    /// Returns how to connect as a role to a database of the cluster in a folder.
    #[must_use]
    pub fn connect_options(folder: &Path, role: &str, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass().socket(folder).username(role).database(database).application_name("mastwire")
    }

    /// Returns the folder that [`crate::Source`] takes.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Says whether a postmaster serves the folder now.
    #[must_use]
    pub fn is_running(folder: &Path) -> bool {
        former(&folder.join("data")).is_some_and(|pid| kill(Pid::from_raw(pid), None).is_ok())
    }

    /// Returns the postmaster's process id.
    #[must_use]
    pub const fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Stops it: sessions are ended, what was committed stays. Waits up to 30 s.
    pub fn stop(self) {
        drop(self);
    }

    fn has_ended(&self, within: Duration) -> bool {
        self.ended.lock().expect("nobody panics while waiting").recv_timeout(within).is_ok()
    }

    async fn wait_until_ready(&self) -> Result<(), ClusterError> {
        let options = Self::connect_options(&self.folder, SUPERUSER, "postgres");
        let log = self.folder.join("postgres.log");
        let attempts = START_LIMIT.as_millis() / 50;
        for _ in 0..attempts {
            if let Ok(connection) = sqlx::ConnectOptions::connect(&options).await {
                drop(sqlx::Connection::close(connection).await);
                return Ok(());
            }
            if self.has_ended(Duration::ZERO) {
                return Err(ClusterError::Refused(last_words(&log)));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(ClusterError::Slow { log })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SIGINT is PostgreSQL's fast shutdown. If it has ended already there is nobody to signal.
        if kill(self.pid, Signal::SIGINT).is_ok() {
            self.has_ended(STOP_LIMIT);
        }
    }
}

fn prepare_folder(folder: &Path, user: Option<&Unprivileged>) -> Result<PathBuf, ClusterError> {
    fs::create_dir_all(folder).map_err(io(format!("making {}", folder.display())))?;
    let folder = fs::canonicalize(folder).map_err(io(format!("reading {}", folder.display())))?;
    if folder.as_os_str().len() + "/.s.PGSQL.5432".len() > SOCKET_PATH_MAX {
        return Err(ClusterError::PathTooLong(folder));
    }
    if let Some(user) = user {
        for ancestor in folder.ancestors().skip(1) {
            let meta = fs::metadata(ancestor).map_err(io(format!("reading {}", ancestor.display())))?;
            if meta.mode() & 0o001 == 0 && meta.uid() != user.uid.as_raw() {
                return Err(ClusterError::Unreachable { user: user.name.clone(), folder: ancestor.to_owned() });
            }
        }
        chown(&folder, Some(user.uid), Some(user.gid))
            .map_err(|error| io("giving the folder to PostgreSQL's user")(error.into()))?;
    }
    // The socket lies in here and anybody who can reach it is trusted, so nobody else may enter.
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).map_err(io("closing the folder"))?;
    Ok(folder)
}

/// Reads the process id that a postmaster left in its folder.
fn former(data: &Path) -> Option<i32> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    text.lines().next()?.trim().parse().ok()
}

/// Waits for the postmaster of a killed controller, which the kernel has told to stop.
async fn wait_for_former(data: &Path) -> Result<(), ClusterError> {
    let Some(pid) = former(data) else { return Ok(()) };
    for _ in 0..100 {
        let alive = kill(Pid::from_raw(pid), None).is_ok();
        if !alive || !data.join("postmaster.pid").exists() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(ClusterError::InUse { folder: data.to_owned(), pid })
}

/// A command that runs as the unprivileged user, in a folder that every user can enter, and not in our locale.
fn command_as(user: Option<&Unprivileged>, pdeathsig: bool, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if pdeathsig {
        command.args(["--pdeathsig", "INT"]);
    }
    if let Some(user) = user {
        command.arg(format!("--reuid={}", user.uid)).arg(format!("--regid={}", user.gid)).arg("--clear-groups");
    }
    command.arg("--").arg(program).current_dir("/").env_remove("PGDATA").env("LC_ALL", "C").stdin(Stdio::null());
    command
}

fn init(data: &Path, binaries: &Binaries, user: Option<&Unprivileged>) -> Result<(), ClusterError> {
    let output = command_as(user, false, &binaries.folder.join("initdb"))
        .arg("-D")
        .arg(data)
        .args(["-U", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-instructions"])
        .output()
        .map_err(io("running setpriv (package util-linux) and initdb"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let words: Vec<&str> =
        text.lines().filter(|line| line.contains("error") || line.contains("fatal") || line.contains("could not")).collect();
    Err(ClusterError::Refused(if words.is_empty() { text.trim().to_owned() } else { words.join("; ") }))
}

fn spawn(
    folder: PathBuf,
    data: &Path,
    options: &ClusterOptions,
    binaries: &Binaries,
    user: Option<&Unprivileged>,
) -> Result<Cluster, ClusterError> {
    let log_path = folder.join("postgres.log");
    let log = fs::File::create(&log_path).map_err(io(format!("writing {}", log_path.display())))?;
    let errors = log.try_clone().map_err(io("sharing the log"))?;
    let mut command = command_as(user, true, &binaries.folder.join("postgres"));
    let mut socket = OsString::from("unix_socket_directories=");
    socket.push(&folder);
    command.arg("-D").arg(data).arg("-c").arg(socket).args(["-c", "listen_addresses=", "-c", "unix_socket_permissions=0700"]);
    command.args(["-c", "max_connections=60", "-c", "log_min_messages=warning"]);
    if !options.durable {
        command.args(["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off"]);
    }
    command.stdout(Stdio::from(log)).stderr(Stdio::from(errors));
    let (started, start) = mpsc::channel();
    let (finished, ended) = mpsc::channel();
    // The kernel's signal follows this thread, so it lives as long as the server does.
    std::thread::Builder::new()
        .name("postgres".to_owned())
        .spawn(move || match command.spawn() {
            Ok(mut child) => {
                drop(started.send(Ok(child.id())));
                drop(child.wait());
                let _: Result<(), _> = finished.send(());
            }
            Err(error) => drop(started.send(Err(error))),
        })
        .map_err(io("starting a thread"))?;
    let pid = start
        .recv()
        .expect("the thread answers before it ends")
        .map_err(io("running setpriv (package util-linux) and postgres"))?;
    let pid = Pid::from_raw(i32::try_from(pid).expect("process ids are small"));
    Ok(Cluster { folder, pid, ended: Mutex::new(ended) })
}

fn last_words(log: &Path) -> String {
    let mut text = String::new();
    if let Ok(mut file) = fs::File::open(log) {
        drop(file.read_to_string(&mut text));
    }
    let words: Vec<&str> =
        text.lines().filter(|line| line.contains("FATAL") || line.contains("ERROR") || line.contains("HINT")).collect();
    if words.is_empty() { format!("see {}", log.display()) } else { words.join("; ") }
}
