//! Goal: what a person types does what the help says, and what goes wrong is said so that they know what to do.
//! Method: the program itself, as a process of its own, against the whole HTTP service on a real socket and a real database.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::IntoResponse as _;
use controller::operators;
use controller::testing::TestApp;
use nix::pty::openpty;
use nix::sys::termios::{LocalFlags, tcgetattr};
use serde_json::Value;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_mastwire-controller");
/// A net for what hangs; nothing waits for it.
const LIMIT: Duration = Duration::from_secs(120);
const PASSWORD: &str = "a password for tests\n";

/// A person at a terminal, with a folder for their login.
struct Person {
    url: String,
    folder: tempfile::TempDir,
}

#[derive(Debug)]
struct Outcome {
    code: i32,
    out: String,
    err: String,
}

impl Outcome {
    #[track_caller]
    fn good(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.out
    }

    /// The text of a refusal.
    #[track_caller]
    fn refused(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        assert_eq!(self.out, "");
        self.err
    }
}

impl Person {
    fn new(url: &str) -> Self {
        Self { url: url.to_owned(), folder: tempfile::tempdir().expect("a folder") }
    }

    fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(line)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TZ", "UTC")
            .kill_on_drop(true);
        command.env("XDG_CONFIG_HOME", self.folder.path()).env("MASTWIRE_URL", &self.url);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    async fn run(&self, line: &[&str]) -> Outcome {
        finish(self.command(line), "").await
    }

    async fn type_in(&self, line: &[&str], input: &str) -> Outcome {
        finish(self.command(line), input).await
    }

    /// Runs a command with a token instead of a login.
    async fn run_as(&self, token: &str, line: &[&str]) -> Outcome {
        let mut command = self.command(line);
        command.env("MASTWIRE_TOKEN", token);
        finish(command, "").await
    }

    async fn json(&self, line: &[&str]) -> Value {
        let line: Vec<&str> = line.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&self.run(&line).await.good()).expect("JSON")
    }
}

async fn finish(mut command: Command, input: &str) -> Outcome {
    let run = async {
        let mut child = command.stdin(Stdio::piped()).spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("it is piped");
        // A command that reads nothing may have ended by now.
        let _: std::io::Result<()> = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        child.wait_with_output().await.expect("it ends")
    };
    let output = tokio::time::timeout(LIMIT, run).await.expect("it ends in time");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Outcome { code: output.status.code().expect("it was not killed"), out: text(output.stdout), err: text(output.stderr) }
}

/// A controller on a socket, whose answers to money writes can be made to get lost.
struct Controller {
    test: TestApp,
    url: String,
    lose: Arc<AtomicBool>,
}

async fn controller() -> Controller {
    let test = TestApp::new().await;
    let lose = Arc::new(AtomicBool::new(false));
    let losing = lose.clone();
    let service = test.service().layer(middleware::from_fn(move |request: Request, next: Next| {
        let money = request.headers().contains_key("idempotency-key") && losing.load(Ordering::Relaxed);
        async move {
            let response = next.run(request).await;
            if money { StatusCode::BAD_GATEWAY.into_response() } else { response }
        }
    }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, service).await });
    Controller { test, url, lose }
}

/// Makes an ISP with the program, and its admin who is logged in.
async fn isp(controller: &Controller) -> Person {
    let app = &controller.test.app;
    let setup = operators::recover(&app.db, &*app.entropy, app.clock.now(), "root", true).await.expect("made");
    let root = Person::new(&controller.url);
    root.type_in(&["setup", setup.expose()], PASSWORD).await.good();
    root.type_in(&["login", "root"], PASSWORD).await.good();
    let made = root.json(&["tenant", "create", "Mast Net", "--admin", "ann"]).await;
    let ann = Person::new(&controller.url);
    ann.type_in(&["setup", made["setup_token"].as_str().expect("a new person")], PASSWORD).await.good();
    ann.type_in(&["login", "ann"], PASSWORD).await.good();
    ann
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is missing in:\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_log_in_and_out() {
    let controller = controller().await;
    let ann = isp(&controller).await;
    has(&ann.run(&["whoami"]).await.good(), &["Mast Net", "admin", "KES", "Africa/Nairobi"]);
    let kept = ann.folder.path().join("mastwire/login.toml");
    assert_eq!(std::fs::metadata(&kept).expect("it is kept").permissions().mode() & 0o777, 0o600);
    has(&ann.run(&["tenant", "list"]).await.refused(1), &["error: ", "platform", "request req_"]);
    has(&ann.type_in(&["login", "ann"], "a wrong password\n").await.refused(1), &["not valid"]);
    has(&ann.type_in(&["login", "ann"], "").await.refused(1), &["no password was given"]);
    ann.run(&["whoami"]).await.good();
    let token = std::fs::read_to_string(&kept).expect("it is kept").parse::<toml::Table>().expect("TOML")["token"].to_string();
    ann.run(&["logout"]).await.good();
    assert!(!kept.exists());
    let again = ann.run_as(token.trim_matches('"'), &["whoami"]).await;
    has(&again.refused(1), &["log in with: mastwire-controller login NAME"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_not_shown_at_a_terminal() {
    let controller = controller().await;
    let ann = isp(&controller).await;
    let terminal = openpty(None, None).expect("a pseudo-terminal");
    let echoes = || tcgetattr(&terminal.slave).expect("a terminal").local_flags.contains(LocalFlags::ECHO);
    assert!(echoes());
    let stdin = terminal.slave.try_clone().expect("a second handle");
    let mut child = ann.command(&["login", "ann"]).stdin(stdin).spawn().expect("the program starts");
    let mut prompt = [0; 10];
    let asked = child.stderr.as_mut().expect("it is piped").read_exact(&mut prompt);
    tokio::time::timeout(LIMIT, asked).await.expect("it asks in time").expect("it asks");
    assert_eq!(&prompt, b"Password: ");
    assert!(!echoes());
    nix::unistd::write(&terminal.master, PASSWORD.as_bytes()).expect("typed");
    let output = tokio::time::timeout(LIMIT, child.wait_with_output()).await.expect("it ends in time").expect("it ends");
    assert!(output.status.success(), "{output:?}");
    assert!(echoes(), "the terminal is as it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_and_operators_are_made_and_suspended() {
    let controller = controller().await;
    let ann = isp(&controller).await;
    let root = Person::new(&controller.url);
    root.type_in(&["login", "root"], PASSWORD).await.good();
    has(&root.run(&["whoami"]).await.good(), &["the platform"]);
    has(&root.run(&["tenant", "list"]).await.good(), &["NAME", "Mast Net", "active", "KES"]);
    let invited = ann.run(&["operator", "invite", "ben", "--name", "Ben O.", "--role", "viewer"]).await.good();
    has(&invited, &["accept mw_invite_"]);
    let token = invited.split_whitespace().find(|word| word.starts_with("mw_invite_")).expect("a token").to_owned();
    has(&ann.run(&["operator", "invitations"]).await.good(), &["ben", "viewer", "open"]);
    has(&ann.type_in(&["accept", &token], PASSWORD).await.good(), &["login ben"]);
    has(&ann.run(&["operator", "list"]).await.good(), &["Ben O.", "viewer", "ann", "admin"]);
    root.run(&["tenant", "suspend", "Mast Net"]).await.good();
    has(&ann.run(&["token", "create", "x", "--role", "viewer"]).await.refused(1), &["suspended"]);
    root.run(&["tenant", "activate", "Mast Net"]).await.good();
    has(&root.run(&["tenant", "suspend", "Other"]).await.refused(1), &["no tenant named `Other`"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_use_tokens() {
    let controller = controller().await;
    let ann = isp(&controller).await;
    let made = ann.json(&["token", "create", "export", "--role", "viewer"]).await;
    let token = made["token"].as_str().expect("a token");
    let program = Person::new(&controller.url);
    has(&program.run_as(token, &["whoami"]).await.good(), &["viewer"]);
    program.run_as(token, &["package", "list"]).await.good();
    let add = ["package", "add", "P", "--kind", "pppoe", "--price", "1", "--speed", "1M/1M", "--validity", "1d"];
    has(&program.run_as(token, &add).await.refused(1), &["your role may not do this"]);
    has(&ann.run(&["token", "list"]).await.good(), &["export", "viewer"]);
    ann.run(&["token", "revoke", "export"]).await.good();
    has(&program.run_as(token, &["whoami"]).await.refused(1), &["log in with"]);
    has(&ann.run(&["token", "revoke", "export"]).await.refused(1), &["no token named `export`"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn packages_are_sold_as_written() {
    let controller = controller().await;
    let ann = isp(&controller).await;
    let line = "package add Day --kind hotspot --price 50.50 --speed 5M/2M --burst 10M/4M --burst-threshold 4M/1M --validity 24h --data 2G --online 1h30m --devices 2";
    has(&ann.run(&line.split(' ').collect::<Vec<_>>()).await.good(), &["on sale for KES 50.50"]);
    let shown = ann.run(&["package", "show", "Day"]).await.good();
    has(&shown, &["hotspot", "KES 50.50", "5M/2M", "10M/4M", "4M/1M", "16s", "1d\n", "1h30m", "2G", "disable"]);
    has(&ann.run(&["package", "list"]).await.good(), &["NAME  KIND", "Day   hotspot  KES 50.50    5M/2M     1d"]);
    has(&ann.run(&["package", "change", "Day", "--price", "60", "--speed", "6M/3M"]).await.good(), &["KES 60.00", "6M/3M"]);
    has(&ann.run(&["package", "change", "Day", "--price", "USD 60"]).await.refused(1), &["price", "request req_"]);
    ann.run(&["package", "retire", "Day"]).await.good();
    has(&ann.run(&["package", "show", "Day"]).await.refused(1), &["no package named `Day`"]);
}

/// Makes a router, a package and the customer alice.
async fn shop(ann: &Person) {
    let text = ann.run(&["router", "add", "mast-1"]).await.good();
    has(&text, &["`mast-1` is rtr_", "---------- from here ----------\n", "\n# ---------- to here", "router show mast-1"]);
    let add = ["package", "add", "Home", "--kind", "pppoe", "--price", "1500", "--speed", "10M/5M", "--validity", "1mo"];
    ann.run(&add).await.good();
    let add =
        ["customer", "add", "alice", "--router", "mast-1", "--package", "Home", "--name", "Alice W.", "--phone", "0712345678"];
    has(&ann.run(&add).await.good(), &["alice", "password", "cus_"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn routers_are_added_and_shown() {
    let controller = controller().await;
    let ann = isp(&controller).await;
    shop(&ann).await;
    has(&ann.run(&["router", "list"]).await.good(), &["mast-1", "created"]);
    has(&ann.run(&["router", "show", "mast-1"]).await.good(), &["created", "pending"]);
    let block = ann.run(&["router", "reissue", "mast-1", "--block-only"]).await.good();
    let whole = ann.json(&["router", "add", "mast-2"]).await;
    let lines = |text: &str| text.lines().count();
    assert!(block.starts_with("# Mastwire enr_"), "nothing stands before the block: {block}");
    assert_eq!(Some(lines(&block)), whole["block"].as_str().map(lines), "and nothing behind it");
    has(&ann.run(&["router", "add", "mast-1"]).await.refused(1), &["That exists already"]);
    has(&ann.run(&["router", "confirm", "mast-1", "S1"]).await.refused(1), &["error: "]);
    ann.run(&["router", "services", "mast-1", "--pppoe", "ether2,ether3", "--hotspot", "bridge=192.168.88.1/24"]).await.good();
    let overlapping = ["router", "services", "mast-1", "--pppoe", "ether2", "--pool", "10.10.0.1-10.10.0.9"];
    has(&ann.run(&overlapping).await.refused(1), &["pool"]);
    has(&ann.run(&["router", "state", "mast-1"]).await.good(), &["holds what is wanted"]);
    has(&ann.run(&["router", "changes", "mast-1"]).await.good(), &["GENERATION"]);
    ann.run(&["router", "plan", "mast-1"]).await.refused(1);
    has(&ann.run(&["router", "remove", "mast-2"]).await.good(), &["removed"]);
    has(&ann.run(&["router", "show", "mast-2"]).await.refused(1), &["no router named `mast-2`"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn customers_are_kept_by_name() {
    let controller = controller().await;
    let ann = isp(&controller).await;
    shop(&ann).await;
    has(
        &ann.run(&["customer", "list", "--router", "mast-1", "--login", "al"]).await.good(),
        &["alice", "254712345678", "mast-1", "Home", "active"],
    );
    let change = ["customer", "change", "alice", "--mac", "aa:bb:cc:dd:ee:ff", "--address", "100.64.1.9", "--name", "Alice"];
    ann.run(&change).await.good();
    has(&ann.run(&["customer", "show", "alice"]).await.good(), &["mast-1", "Home", "AA:BB:CC:DD:EE:FF", "100.64.1.9"]);
    ann.run(&["customer", "change", "alice", "--no-mac"]).await.good();
    let shown = ann.json(&["customer", "show", "alice"]).await;
    assert_eq!((&shown["mac"], &shown["address"], &shown["full_name"]), (&Value::Null, &"100.64.1.9".into(), &"Alice".into()));
    ann.type_in(&["customer", "reset-password", "alice", "--ask"], "hers alone\r\n").await.refused(1);
    assert_eq!(ann.type_in(&["customer", "reset-password", "alice", "--ask"], "hers-alone\r\n").await.good(), "hers-alone\n");
    assert_eq!(ann.run(&["customer", "password", "alice"]).await.good(), "hers-alone\n");
    ann.run(&["customer", "suspend", "alice"]).await.good();
    has(&ann.run(&["customer", "show", "alice"]).await.good(), &["suspended"]);
    ann.run(&["customer", "resume", "alice"]).await.good();
    ann.run(&["customer", "terminate", "alice"]).await.good();
    has(&ann.run(&["customer", "show", "alice"]).await.refused(1), &["no customer named `alice`"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn customers_are_imported_all_or_none() {
    let controller = controller().await;
    let ann = isp(&controller).await;
    shop(&ann).await;
    let file = ann.folder.path().join("customers.csv");
    let path = file.to_str().expect("a path");
    std::fs::write(&file, "login,router,package\nbob,mast-1,Home\nalice,mast-1,Home\ncarl,mast-9,Home\n").expect("written");
    let looked = ann.run(&["customer", "import", path, "--dry-run"]).await.good();
    has(&looked, &["LINE", "router", "no router with this name", "new 1, there already 1, wrong 1: nothing was written yet"]);
    has(&ann.run(&["customer", "import", path]).await.refused(1), &["line 4: router", "nothing was written", "request req_"]);
    ann.run(&["customer", "show", "bob"]).await.refused(1);
    std::fs::write(&file, "login,router,package\nbob,mast-1,Home\nalice,mast-1,Home\n").expect("written");
    has(&ann.run(&["customer", "import", path]).await.good(), &["new 1, there already 1, wrong 0: all new ones were written"]);
    has(&ann.run(&["customer", "show", "bob"]).await.good(), &["mast-1", "Home"]);
    has(&ann.run(&["customer", "import", path]).await.good(), &["new 0, there already 2", "taken in before"]);
    has(&ann.run(&["customer", "imports"]).await.good(), &["written", "refused"]);
    let out = ann.folder.path().join("out.csv");
    has(&ann.run(&["customer", "export", out.to_str().expect("a path")]).await.good(), &["bytes were written"]);
    has(
        &std::fs::read_to_string(&out).expect("written"),
        &["login,password,full_name", "bob,,", "alice,,Alice W.,'+254712345678"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn customers_are_found_and_come_back() {
    let controller = controller().await;
    let ann = isp(&controller).await;
    shop(&ann).await;
    let shown = ann.json(&["customer", "show", "alice"]).await;
    let number = shown["account_number"].as_str().expect("a number");
    for found in [["--name", "ali"], ["--name", "w."], ["--phone", "0712"], ["--account", number], ["--status", "active"]] {
        has(&ann.run(&["customer", "list", found[0], found[1]]).await.good(), &["alice"]);
    }
    let change = [
        "customer",
        "change",
        "alice",
        "--login",
        "alice.w",
        "--mac",
        "da:a1:19:00:00:01",
        "--location",
        "-1.29,36.82",
        "--if-version",
        "1",
    ];
    ann.run(&change).await.good();
    has(&ann.run(&change).await.refused(1), &["no customer named `alice`"]);
    has(&ann.run(&["customer", "change", "alice.w", "--name", "A", "--if-version", "1"]).await.refused(1), &["now it is 2"]);
    has(&ann.run(&["customer", "history", "alice.w"]).await.good(), &["alice", "made up by the device", "254712345678"]);
    has(&ann.run(&["customer", "whose", "--mac", "DAA119000001"]).await.good(), &["alice.w"]);
    ann.run(&["customer", "whose"]).await.refused(2);
    ann.run(&["customer", "terminate", "alice.w"]).await.good();
    has(&ann.run(&["customer", "restore", "nobody"]).await.refused(1), &["nobody named `nobody` has left"]);
    ann.run(&["customer", "restore", "alice.w"]).await.good();
    has(&ann.run(&["customer", "show", "alice.w"]).await.good(), &["active", number]);
}

#[tokio::test(flavor = "multi_thread")]
async fn cash_is_taken_once_though_the_answer_is_lost() {
    let controller = controller().await;
    let ann = isp(&controller).await;
    shop(&ann).await;
    has(&ann.run(&["pay", "alice", "15"]).await.refused(1), &["amount", "1500"]);
    let paid = ann.run(&["pay", "alice", "1500", "--receipt", "A-1"]).await.good();
    has(&paid, &["KES 1500.00", "A-1", "2026-01-15 09:00", "2026-02-15 09:00"]);
    controller.lose.store(true, Ordering::Relaxed);
    let lost = ann.run(&["pay", "alice", "1500"]).await.refused(1);
    controller.lose.store(false, Ordering::Relaxed);
    let key = lost.split_once("--key ").and_then(|(_, rest)| rest.split_once(':')).expect(&lost).0;
    has(&ann.run(&["pay", "alice", "1500", "--key", key]).await.good(), &["2026-03-15 09:00"]);
    let payments = ann.json(&["payment", "list", "--customer", "alice"]).await;
    assert_eq!(payments["items"].as_array().map(Vec::len), Some(2));
    let balances = ann.run(&["ledger", "balances"]).await.good();
    has(&balances, &["KES 3000.00", "KES -3000.00"]);
    ann.run(&["payment", "reverse", "A-1", "--reason", "a mistake"]).await.good();
    has(&ann.run(&["payment", "show", "A-1"]).await.good(), &["reversed", "a mistake"]);
    has(&ann.run(&["payment", "list", "--limit", "1"]).await.good(), &["alice", "  ann  ", "there are more; add: --cursor "]);
    has(&ann.run(&["ledger", "journals"]).await.good(), &["sale", "reversal", "cash KES"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn vouchers_are_printed_and_redeemed_once() {
    let controller = controller().await;
    let ann = isp(&controller).await;
    shop(&ann).await;
    let add = ["package", "add", "Day", "--kind", "hotspot", "--price", "50", "--speed", "5M/2M", "--validity", "1d"];
    ann.run(&add).await.good();
    let create = ["voucher", "create", "--package", "Day", "--count", "3", "--router", "mast-1", "--expires", "2026-02-01"];
    let codes = ann.run(&create).await.good();
    assert_eq!(codes.lines().count(), 3, "{codes}");
    let batches = ann.json(&["voucher", "list"]).await;
    has(&ann.run(&["voucher", "list"]).await.good(), &["Day", "mast-1", "2026-02-01 00:00"]);
    let code = codes.lines().next().expect("a code");
    let redeemed = ann.run(&["voucher", "redeem", code, "--router", "mast-1"]).await.good();
    has(&redeemed, &[&code.to_lowercase(), "2026-01-16 09:00"]);
    has(&ann.run(&["voucher", "redeem", code, "--router", "mast-1"]).await.refused(1), &["not valid here"]);
    let left = ann.run(&["voucher", "print", batches["items"][0]["id"].as_str().expect("an id")]).await.good();
    assert_eq!(left.lines().collect::<BTreeSet<_>>(), codes.lines().skip(1).collect::<BTreeSet<_>>());
    let printed = ann.folder.path().join("printed.txt");
    std::fs::write(&printed, "ABCD-2345\n\n WXYZ-6789 \n").expect("written");
    let create = ["voucher", "create", "--package", "Day", "--codes", printed.to_str().expect("a path")];
    ann.run(&create).await.good();
    has(&ann.run(&["voucher", "redeem", "abcd2345", "--router", "mast-1", "--customer", "alice"]).await.refused(1), &["package"]);
    ann.run(&["voucher", "redeem", "abcd2345", "--router", "mast-1"]).await.good();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_for_how_long_is_shown_and_set() {
    let controller = controller().await;
    let ann = isp(&controller).await;
    has(&ann.run(&["settings", "keep"]).await.good(), &["sessions", "396", "audit log", "732"]);
    has(&ann.run(&["settings", "keep", "--sessions", "90", "--audit", "1100"]).await.good(), &["90", "1100", "396"]);
    has(&ann.run(&["settings", "keep", "--audit", "30"]).await.refused(1), &["audit_days", "366 to 3660"]);
    has(&ann.run(&["settings", "keep"]).await.good(), &["90", "1100"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told() {
    let nobody = Person::new("http://127.0.0.1:1");
    for line in [&["pay", "alice", "5.5"][..], &["router", "services", "mast-1"], &["package", "add", "P"], &["sell"]] {
        nobody.run(line).await.refused(2);
    }
    has(&nobody.run(&["whoami"]).await.refused(1), &["http://127.0.0.1:1/ cannot be reached", "because: "]);
    let far = nobody.run(&["--url", "http://192.0.2.1", "whoami"]).await.refused(1);
    has(&far, &["not encrypted", "--insecure-http"]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = nobody.command(&["config", "check", "--data", "/nowhere"]);
    let status = command.stdout(writer).status().await.expect("it ends");
    assert!(status.success(), "a reader that has gone is no error");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_checked_and_shown_without_secrets() {
    let person = Person::new("");
    let data = person.folder.path().to_str().expect("a path");
    std::fs::write(person.folder.path().join("mastwire.toml"), "endpoint = 'vpn.isp.example:51820'\n").expect("written");
    let mut command = person.command(&["config", "check", "--data", data]);
    command.env("MASTWIRE_DATABASE_URL", "postgres://:geheim@db.example/m").env("MASTWIRE_HTTP", "127.0.0.1:9000");
    let shown = finish(command, "").await.good();
    has(&shown, &["vpn.isp.example:51820\n", "127.0.0.1:9000", "set, not shown"]);
    assert!(!shown.contains("geheim"));
    std::fs::write(person.folder.path().join("mastwire.toml"), "endpoint = 'nowhere'\nsupernet = '8.8.8.0/24'\n")
        .expect("written");
    has(&person.run(&["config", "check", "--data", data]).await.refused(1), &["endpoint", "supernet"]);
}

/// Reads what a starting controller says until it has said the command that sets the first password.
async fn first_words(child: &mut tokio::process::Child) -> String {
    let mut lines = BufReader::new(child.stdout.as_mut().expect("it is piped")).lines();
    let mut said = String::new();
    let read = async {
        while let Some(line) = lines.next_line().await.expect("text") {
            said.push_str(&line);
            said.push('\n');
            if line.contains("mastwire-controller setup mw_setup_") {
                return true;
            }
        }
        false
    };
    let found = tokio::time::timeout(LIMIT, read).await.expect("it starts in time");
    if !found {
        let mut err = String::new();
        child.stderr.as_mut().expect("it is piped").read_to_string(&mut err).await.expect("text");
        panic!("it did not start: {said}{err}");
    }
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_password_is_replaced_on_the_machine() {
    let person = Person::new("");
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_str().expect("a path");
    let recover = |data| ["operator", "recover", "admin", "--data", data];
    let mut child = person
        .command(&["serve", "--data", data, "--http", "127.0.0.1:0", "--hub", "127.0.0.1:0", "--endpoint", "127.0.0.1:51820"])
        .spawn()
        .expect("it starts");
    has(&first_words(&mut child).await, &["master.key", "Keep a copy", "HTTP     127.0.0.1:"]);
    let elsewhere = ["operator", "recover", "admin", "--data", data, "--public-url", "https://isp.example"];
    let said = person.run(&elsewhere).await.good();
    has(&said, &["Set the password of `admin`", "https://isp.example/setup#mw_setup_", " --url https://isp.example\n"]);
    let second = person.run(&["serve", "--data", data, "--http", "127.0.0.1:0"]).await;
    assert!(second.code == 1 && second.err.contains("another controller runs"), "{second:?}");
    terminate(&child);
    let ended = tokio::time::timeout(LIMIT, child.wait_with_output()).await.expect("it ends in time").expect("it ends");
    assert!(ended.status.success(), "{ended:?}");
    assert!(!Path::new(data).join("postgres/data/postmaster.pid").exists(), "its PostgreSQL has ended with it");
    person.run(&["migrate", "--data", data]).await.good();
    let said = person.run(&recover(data)).await.good();
    assert!(said.contains("setup mw_setup_") && !said.contains("--url"), "the default address need not be said: {said}");
    let unknown = person.run(&["operator", "recover", "nobody", "--data", data]).await;
    has(&unknown.refused(1), &["no such operator"]);
}

fn terminate(child: &tokio::process::Child) {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).expect("it runs");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM).expect("it is ours");
}
