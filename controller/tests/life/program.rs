//! The real program, started and stopped.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

const BINARY: &str = env!("CARGO_BIN_EXE_mastwire-controller");
/// How long a start or a stop may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(90);

/// A running controller.
pub struct Program {
    child: Child,
    folder: TempDir,
    greeting: String,
    ports: (u16, u16),
    pub url: String,
}

/// Ports that are free now; the program gets them by number, because its own choice could not be told in advance.
pub fn free_ports() -> (u16, u16) {
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").expect("a free TCP port");
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free UDP port");
    (tcp.local_addr().expect("bound").port(), udp.local_addr().expect("bound").port())
}

/// A folder that PostgreSQL's unprivileged user can reach when the tests run as root.
pub fn folder() -> TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::Builder::new().prefix("mw-life-").tempdir().expect("a folder");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).expect("our folder");
    folder
}

/// Prepares the program on a data folder, without settings of whoever runs the tests.
pub fn command(data: &Path) -> Command {
    let mut command = Command::new(BINARY);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MASTWIRE_") && name != "MASTWIRE_PG_BIN") {
        command.env_remove(name);
    }
    command
        .env("XDG_CONFIG_HOME", data.join("config"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Waits until a process is gone, at most 5 s: that is the promise.
pub async fn gone(pid: i32) -> bool {
    let mut look = tokio::time::interval(Duration::from_millis(20));
    let gone = async {
        while Path::new(&format!("/proc/{pid}")).exists() {
            look.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), gone).await.is_ok()
}

impl Program {
    /// Starts with an empty folder and waits until it serves.
    pub async fn start(extra: &[&str]) -> Self {
        Self::start_in(folder(), free_ports(), extra).await
    }

    /// Starts with an empty folder, telling routers to dial it on loopback.
    pub async fn start_for_routers() -> Self {
        let ports = free_ports();
        Self::start_in(folder(), ports, &["--endpoint", &format!("127.0.0.1:{}", ports.1)]).await
    }

    /// Starts anew on the same folder and ports.
    pub async fn restart(self, extra: &[&str]) -> Self {
        Self::start_in(self.folder, self.ports, extra).await
    }

    /// Starts in a folder with ports of the test's.
    pub async fn start_in(folder: TempDir, ports: (u16, u16), extra: &[&str]) -> Self {
        let (http, hub) = ports;
        let data = folder.path().join("data");
        let mut command = command(&data);
        command.args(["serve", "--data"]).arg(&data).args([
            "--http",
            &format!("127.0.0.1:{http}"),
            "--hub",
            &format!("127.0.0.1:{hub}"),
        ]);
        let mut child = command.args(extra).spawn().expect("the program starts");
        let (greeting, ready) = read_until_up(&mut child).await;
        assert!(ready, "it ended before it served:\n{greeting}");
        Self { child, folder, greeting, ports, url: format!("http://127.0.0.1:{http}") }
    }

    /// What it said at the start.
    pub fn greeting(&self) -> String {
        self.greeting.clone()
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The process id of its PostgreSQL.
    pub fn postmaster(&self) -> i32 {
        let text = std::fs::read_to_string(self.data().join("postgres/data/postmaster.pid")).expect("a running PostgreSQL");
        text.lines().next().expect("a process id").trim().parse().expect("a number")
    }

    /// Runs another command of the program beside it.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        let data = self.data();
        command(&data).args(arguments).arg("--data").arg(&data).output().await.expect("the program runs")
    }

    /// Uses the first one-time link; returns the platform operator's token.
    pub async fn first_operator(&mut self) -> String {
        let setup =
            self.greeting.split_whitespace().find(|word| word.starts_with("mw_setup_")).expect("a one-time token").to_owned();
        self.log_in_with(&setup, "a long first password").await
    }

    pub async fn log_in_with(&self, setup: &str, password: &str) -> String {
        self.log_in_as("admin", setup, password).await
    }

    /// Sets a password by one-time token and logs in.
    pub async fn log_in_as(&self, login: &str, setup: &str, password: &str) -> String {
        let body = json!({ "token": setup, "password": password });
        assert_eq!(self.call("POST", "/api/v1/setup", "", Some(body)).await.0, 204);
        let (status, body) = self.call("POST", "/api/v1/login", "", Some(json!({ "login": login, "password": password }))).await;
        assert_eq!(status, 200, "{body}");
        body["token"].as_str().expect("a token").to_owned()
    }

    /// Sends a request.
    pub async fn call(&self, method: &str, path: &str, token: &str, body: Option<Value>) -> (u16, Value) {
        // The same request again is the same again.
        let key = format!("{method}{}", path.replace('/', "-"));
        self.call_with_key(method, path, token, body, &key).await
    }

    /// Sends a request with an idempotency key of the caller's.
    pub async fn call_with_key(&self, method: &str, path: &str, token: &str, body: Option<Value>, key: &str) -> (u16, Value) {
        // Another test of this program may have chosen the provider already; there is only the one.
        let _chosen: Result<(), _> = rustls::crypto::ring::default_provider().install_default();
        let method = method.parse().expect("a method");
        let mut request = reqwest::Client::new()
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(token)
            .header("idempotency-key", key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.expect("an answer");
        (response.status().as_u16(), response.json().await.unwrap_or(Value::Null))
    }

    /// Asks it to stop and waits.
    pub async fn terminate(&mut self) -> ExitStatus {
        let pid = i32::try_from(self.child.id().expect("it runs")).expect("process ids are small");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM).expect("it is ours");
        tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it stops").expect("it is ours")
    }

    /// Kills it without a word.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("it is ours");
    }
}

/// Reads what it says until it serves or ends; what comes later is read and dropped, so that it never blocks on a full pipe.
async fn read_until_up(child: &mut Child) -> (String, bool) {
    let mut out = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut log = BufReader::new(child.stderr.take().expect("piped")).lines();
    let mut text = String::new();
    let reading = async {
        loop {
            let (line, last) = tokio::select! {
                // What it prints comes before what it logs last, and is read before it.
                biased;
                line = out.next_line() => (line, false),
                line = log.next_line() => {
                    let line = line.ok().flatten();
                    let last = line.as_ref().is_none_or(|line| line.contains("the hub is up"));
                    (Ok(line), last)
                }
            };
            match line {
                Ok(Some(line)) => {
                    text.push_str(&line);
                    text.push('\n');
                    if last {
                        return true;
                    }
                }
                _ => return false,
            }
        }
    };
    let up = tokio::time::timeout(PATIENCE, reading).await.unwrap_or(false);
    tokio::spawn(async move { while let Ok(Some(_)) = out.next_line().await {} });
    tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
    (text, up)
}
