//! Goal: a router joins by SSH as by a paste, whoever types learns what the router said, and what is wrong stops it in time.
//! Method: the command line as a process of its own, against OpenSSH's server with a virtual router's console behind it. One server
//! process is started for each connection. It lets in this test's own key; where we are root it has a private mount namespace with an
//! account file of its own, so that passwords are tried as well and no account of this machine is touched.

use anyhow::{Context as _, ensure};
use controller::operators::Role;
use controller::testing::TestApp;
use nix::pty::openpty;
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::{Uid, User};
use routeros_sim::control::{Command as Ask, Fault};
use routeros_sim::simulator::{Options, Simulator};
use serde_json::{Value, json};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use system_tests::judges;
use system_tests::world::{PATIENCE, config, isp, until};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const PROGRAM: &str = env!("CARGO_BIN_EXE_first-contact");
const JUDGE: &str = "OpenSSH's server";
const PASSWORD: &str = "router pass 1";
/// `openssl passwd -6 -salt mastwiretest` of [`PASSWORD`].
const PASSWORD_HASH: &str =
    "$6$mastwiretest$fcsPL0UfLie1ipYaB/95AHycANkyrBNMZC5T5o4XRIaBVjciXsjnPQXGuTWW2MBAmLk9cnpdbm3hP3mOcoMoB.";
/// Makes a namespace's own account file and run folder, and becomes the server.
const IN_A_NAMESPACE: &str =
    r#"mount --bind "$1" /etc/shadow && mount -t tmpfs tmpfs /run && mkdir /run/sshd && exec "$0" -i -f "$2""#;

/// OpenSSH's server in front of a virtual router.
struct Server {
    folder: TempDir,
    address: SocketAddr,
    /// The connections that were made.
    connections: Arc<Mutex<Vec<TcpStream>>>,
}

impl Server {
    /// Starts it; `password` is the account's, as a line of the account file has it.
    ///
    /// # Errors
    /// When this machine has no OpenSSH.
    fn start(control: &Path, account: &str, password: &str) -> anyhow::Result<Self> {
        let sshd = sshd()?;
        let folder = tempfile::tempdir()?;
        let place = |name: &str| folder.path().join(name);
        for key in ["host", "other-host", "own"] {
            let mut keygen = Command::new(judges::program("ssh-keygen")?);
            judges::run(keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(place(key)))?;
        }
        std::fs::copy(place("own.pub"), place("authorized"))?;
        std::fs::write(place("accounts"), format!("{}:{password}:19000:0:99999:7:::\n", us()?))?;
        let (at, control) = (folder.path().display(), control.display());
        let common = format!(
            "AuthorizedKeysFile {at}/authorized\nStrictModes no\nUsePAM no\nPasswordAuthentication yes\nPermitEmptyPasswords yes\n\
             KbdInteractiveAuthentication no\nPermitRootLogin yes\nPidFile none\n"
        );
        let console = format!("ForceCommand {PROGRAM} console {control} {account}\n");
        std::fs::write(place("host.conf"), format!("HostKey {at}/host\n{common}{console}"))?;
        std::fs::write(place("other-host.conf"), format!("HostKey {at}/other-host\n{common}{console}"))?;
        std::fs::write(place("computer.conf"), format!("HostKey {at}/host\n{common}ForceCommand echo Linux\n"))?;
        std::fs::copy(place("host.conf"), place("conf"))?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let connections = Arc::new(Mutex::new(Vec::new()));
        let (kept, at) = (Arc::clone(&connections), folder.path().to_owned());
        std::thread::spawn(move || {
            // Ends with the test's process: nothing else closes the listener.
            for stream in listener.incoming().flatten() {
                let Ok(copy) = stream.try_clone() else { continue };
                kept.lock().expect("nobody panics with it").push(copy);
                // A server that does not start closes its connection, and the scenario tells.
                drop(serve(&sshd, &at, stream));
            }
        });
        Ok(Self { folder, address, connections })
    }

    /// Goes on with another configuration, for the connections to come.
    fn become_another(&self, configuration: &str) {
        let place = |name: &str| self.folder.path().join(name);
        std::fs::copy(place(configuration), place("conf")).expect("it is there");
    }

    fn own_key(&self) -> PathBuf {
        self.folder.path().join("own")
    }

    fn fingerprint(&self, key: &str) -> String {
        let mut keygen = Command::new("ssh-keygen");
        let shown = judges::run(keygen.arg("-l").arg("-f").arg(self.folder.path().join(key))).expect("a key");
        shown.split(' ').nth(1).expect("a fingerprint").to_owned()
    }

    /// Cuts all connections.
    fn cut(&self) {
        for connection in self.connections.lock().expect("nobody panics with it").iter() {
            // It may have ended by itself.
            drop(connection.shutdown(Shutdown::Both));
        }
    }
}

/// Starts a server for one connection.
fn serve(sshd: &Path, folder: &Path, stream: TcpStream) -> anyhow::Result<()> {
    let place = |name: &str| folder.join(name);
    let mut command = if Uid::effective().is_root() {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", IN_A_NAMESPACE]).arg(sshd).arg(place("accounts")).arg(place("conf"));
        command
    } else {
        let mut command = Command::new(sshd);
        command.arg("-i").arg("-f").arg(place("conf"));
        command
    };
    let other = OwnedFd::from(stream.try_clone()?);
    command.stdin(OwnedFd::from(stream)).stdout(other).stderr(Stdio::null());
    let mut child = command.spawn()?;
    drop(command);
    std::thread::spawn(move || child.wait());
    Ok(())
}

fn us() -> anyhow::Result<String> {
    Ok(User::from_uid(Uid::effective())?.context("this account has no name")?.name)
}

/// Finds OpenSSH's server, which lies outside of a person's search path, and what it needs to start here.
fn sshd() -> anyhow::Result<PathBuf> {
    let usual = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"].map(PathBuf::from);
    let sshd = judges::program("sshd").ok().or_else(|| usual.into_iter().find(|sshd| sshd.is_file()));
    if Uid::effective().is_root() {
        judges::run(Command::new("unshare").args(["--mount", "true"])).context("root may not make a namespace here")?;
    }
    sshd.context("sshd is not here; cargo xtask setup installs it")
}

/// A person with a folder of their own, and a token.
struct Person {
    url: String,
    token: String,
    folder: TempDir,
}

#[derive(Debug)]
struct Outcome {
    code: i32,
    out: String,
    err: String,
}

impl Outcome {
    #[track_caller]
    fn ended(self, code: i32, parts: &[&str]) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        for part in parts {
            assert!(self.err.contains(part) || self.out.contains(part), "`{part}` is missing: {self:?}");
        }
        self
    }
}

impl Person {
    fn command(&self, name: &str, server: &Server) -> tokio::process::Command {
        let place = format!("{}@{}", us().expect("a name"), server.address);
        let mut command = tokio::process::Command::new(PROGRAM);
        command.args(["cli", "router", "enrol", name, "--ssh", &place]).env_clear();
        command.env("XDG_CONFIG_HOME", self.folder.path()).env("MASTWIRE_URL", &self.url).env("MASTWIRE_TOKEN", &self.token);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    async fn enrol(&self, name: &str, server: &Server, more: &[&str], input: &str) -> Outcome {
        let mut child = self.command(name, server).args(more).spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("it is piped");
        // One that needs no password may have ended.
        drop(stdin.write_all(input.as_bytes()).await);
        drop(stdin);
        finish(child).await
    }
}

async fn finish(child: tokio::process::Child) -> Outcome {
    let output = tokio::time::timeout(2 * PATIENCE, child.wait_with_output()).await.expect("in time").expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Outcome { code: output.status.code().expect("a code"), out: text(output.stdout), err: text(output.stderr) }
}

/// Reads what a program asks at a terminal, up to these words; returns all of it.
async fn asked(child: &mut tokio::process::Child, words: &str) -> String {
    let stderr = child.stderr.as_mut().expect("it is piped");
    let mut text = Vec::new();
    let read = async {
        while !text.ends_with(words.as_bytes()) {
            text.push(stderr.read_u8().await.expect("it asks before it ends"));
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("it asks in time");
    String::from_utf8(text).expect("text")
}

/// A controller, a person who works at it, and a virtual router with a control socket.
struct World {
    test: TestApp,
    person: Person,
    sim: Simulator,
    folder: TempDir,
}

impl World {
    async fn new(version: &str) -> anyhow::Result<Self> {
        sshd()?;
        let test = TestApp::running().await;
        let tenant = isp(&test, "upepo").await;
        let token = test.token(&tenant, Role::Admin).await;
        let person = Person { url: test.listen().await, token, folder: tempfile::tempdir()? };
        let folder = tempfile::tempdir()?;
        let control = Some(folder.path().join("control"));
        let options = Options { control, ..Options::new(config("hEX S", version, "HCX08SSH001")) };
        let sim = Simulator::start(options, test.clock.clone()).await?;
        Ok(Self { test, person, sim, folder })
    }

    fn server(&self, account: &str, password: &str) -> Server {
        Server::start(&self.folder.path().join("control"), account, password).expect("OpenSSH is here")
    }

    async fn routers(&self) -> Vec<Value> {
        let list = self.test.call("GET", "/api/v1/routers", &self.person.token, None).await.expect(200);
        list.body["items"].as_array().cloned().unwrap_or_default()
    }

    async fn rows(&self, path: &str) -> usize {
        let print = Ask::Print { path: path.to_owned(), queries: Vec::new() };
        self.sim.control(print).await.expect("a menu").as_array().map_or(0, Vec::len)
    }

    async fn type_in(&self, lines: &str) {
        let done = self.sim.control(Ask::Paste { text: format!("{lines}\n") }).await.expect("the terminal takes it");
        assert_eq!(done["failures"], json!([]), "{lines}");
    }
}

/// Makes the world, unless OpenSSH is not here.
async fn world(version: &str) -> Option<World> {
    match World::new(version).await {
        Ok(world) => Some(world),
        Err(error) => {
            judges::skipped(JUDGE, &format!("{error:#}"));
            None
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_joins_by_ssh() {
    let Some(world) = world("7.20.8").await else { return };
    let server = world.server("admin", "*");
    let (own, shown) = (server.own_key(), server.fingerprint("host"));
    let key = ["--identity", own.to_str().expect("a plain path")];
    let person = &world.person;
    // Nobody can be asked whether the key is right, and nothing is sent.
    person.enrol("mast-1", &server, &key, "").await.ended(4, &["is new here", &shown]);
    let wrong = ["--host-key", "SHA256:GaW2ZzZRbOvFz1eMgVhGBwWCQaBKEC7uA54dBHHXIFc"];
    person.enrol("mast-1", &server, &[&key[..], &wrong].concat(), "").await.ended(4, &["nothing was sent"]);
    assert_eq!((world.routers().await.len(), world.rows("/interface/wireguard").await), (0, 0));

    let right = [&key[..], &["--host-key", &shown]].concat();
    let joined = person.enrol("mast-1", &server, &right, "").await;
    let joined = joined.ended(0, &["RouterOS 7.20.8", "router: Mastwire: joined.", "`mast-1` has joined", "HCX08SSH001"]);
    assert!(!joined.out.contains("Mastwire: joined."), "what the router says is told aside: {joined:?}");
    assert_eq!(world.routers().await[0]["stage"], "joined");

    // The key is kept from now on. The name is in use by a router that works.
    person.enrol("mast-1", &server, &key, "").await.ended(1, &["has joined already", "--again"]);
    let again = person.enrol("mast-1", &server, &[&key[..], &["--again", "--json"]].concat(), "").await.ended(0, &[]);
    let told: Value = serde_json::from_str(&again.out).expect("JSON");
    assert_eq!((&told["joined"], &told["host_key"]), (&json!(true), &json!(shown)), "{told}");
    assert_eq!(told["router"]["serial"], "HCX08SSH001");

    server.become_another("other-host.conf");
    let other = server.fingerprint("other-host");
    person.enrol("mast-2", &server, &key, "").await.ended(4, &["HAS CHANGED", &shown, &other]);
    server.become_another("computer.conf");
    person.enrol("mast-2", &server, &key, "").await.ended(6, &["this is no RouterOS", "`Linux`"]);
    assert_eq!(world.routers().await.len(), 1, "the second was never made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_asked_and_may_be_empty() {
    if !Uid::effective().is_root() {
        return judges::skipped(JUDGE, "only root can give it an account file of its own, so no password was tried");
    }
    let Some(world) = world("7.22.3").await else { return };
    let server = world.server("admin", PASSWORD_HASH);
    let shown = server.fingerprint("host");
    let known = ["--host-key", shown.as_str()];
    let enrol = async |input: &str| world.person.enrol("mast-1", &server, &known, input).await;
    enrol("").await.ended(1, &["no password was given"]);
    let refused = enrol("another pass\n").await.ended(5, &["refuses"]);
    assert!(!refused.err.contains("another pass"), "{refused:?}");
    enrol("\n").await.ended(5, &["refuses"]);
    assert_eq!(world.routers().await.len(), 0);
    let joined = enrol(&format!("{PASSWORD}\n")).await.ended(0, &["`mast-1` has joined"]);
    assert!(!joined.err.contains(PASSWORD) && !joined.out.contains(PASSWORD), "{joined:?}");
    let kept = std::fs::read_to_string(world.person.folder.path().join("mastwire/ssh-host-keys.toml")).expect("it is kept");
    assert_eq!(kept, format!("\"{}\" = \"{shown}\"\n", server.address));

    // A router from the factory has no password, and nobody is asked for one.
    let open = world.server("admin", "");
    let shown = open.fingerprint("host");
    world.person.enrol("mast-1", &open, &["--host-key", &shown, "--again"], "").await.ended(0, &["has joined"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_at_a_terminal_is_asked_for_the_key_and_the_password() {
    if !Uid::effective().is_root() {
        return judges::skipped(JUDGE, "only root can give it an account file of its own, so no password was typed");
    }
    let Some(world) = world("7.21.5").await else { return };
    let server = world.server("admin", PASSWORD_HASH);
    let terminal = openpty(None, None).expect("a pseudo-terminal");
    let echoes = || tcgetattr(&terminal.slave).expect("a terminal").local_flags.contains(LocalFlags::ECHO);
    let type_in = |text: &str| nix::unistd::write(&terminal.master, text.as_bytes()).expect("typed");
    let start = || {
        let stdin = terminal.slave.try_clone().expect("a second handle");
        world.person.command("mast-1", &server).stdin(stdin).spawn().expect("the program starts")
    };
    let mut child = start();
    asked(&mut child, "Type yes to go on: ").await;
    type_in("no\n");
    finish(child).await.ended(4, &["was not accepted"]);

    let mut child = start();
    let question = asked(&mut child, "Type yes to go on: ").await;
    assert!(question.contains(&server.fingerprint("host")) && question.contains("Ed25519"), "{question}");
    type_in("yes\n");
    asked(&mut child, "(Enter if it has none): ").await;
    assert!(!echoes());
    type_in(&format!("{PASSWORD}\n"));
    finish(child).await.ended(0, &["has joined"]);
    assert!(echoes(), "the terminal is as it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_is_told() {
    let Some(world) = world("7.21.5").await else { return };
    world.type_in("/user group add name=looks policy=ssh,read\n/user add name=guest group=looks password=guest-1234").await;
    let server = world.server("guest", "*");
    let (own, shown) = (server.own_key(), server.fingerprint("host"));
    let more = ["--identity", own.to_str().expect("a plain path"), "--host-key", &shown];
    world.person.enrol("mast-1", &server, &more, "").await.ended(6, &["not enough permissions", "group full"]);
    assert_eq!(world.rows("/interface/wireguard").await, 0);

    world.type_in("/interface wireguard add name=wg-mastwire").await;
    let server = world.server("admin", "*");
    let (own, shown) = (server.own_key(), server.fingerprint("host"));
    let more = ["--identity", own.to_str().expect("a plain path"), "--host-key", &shown];
    let stopped = world.person.enrol("mast-1", &server, &[&more[..], &["--json"]].concat(), "").await;
    let stopped = stopped.ended(6, &["router: /interface wireguard remove wg-mastwire", "run this again"]);
    let told: Value = serde_json::from_str(&stopped.out).expect("JSON");
    assert_eq!((&told["joined"], &told["router"]["stage"]), (&json!(false), &json!("created")));
    world.type_in("/interface wireguard remove wg-mastwire").await;
    world.person.enrol("mast-1", &server, &more, "").await.ended(0, &["has joined"]);

    // Its uplink carries nothing: the block waits for its minute, and says so.
    world.sim.control(Ask::Fault(Fault::CutLink)).await.expect("it is cut");
    world.type_in("/interface wireguard peers remove [find]\n/ip address remove [find where interface=wg-mastwire]").await;
    let late = [&more[..], &["--again"]].concat();
    let wait = async {
        until("the block waits", async || world.rows("/interface/wireguard/peers").await > 0).await;
        world.sim.control(Ask::Clock { set: None, advance: 70 }).await.expect("time passes");
    };
    let (ended, ()) = tokio::join!(world.person.enrol("mast-1", &server, &late, ""), wait);
    ended.ended(7, &["router: Mastwire: not joined within 60 s", "goes on trying", "the hub has seen nothing of it"]);

    let nowhere = Server { address: ([127, 0, 0, 1], 1).into(), ..server };
    world.person.enrol("mast-2", &nowhere, &more, "").await.ended(3, &["nothing answers"]);
}

/// Enrols a router, lets something happen to it once its block has begun, and returns how that ended.
async fn disturbed(version: &str, disturb: impl AsyncFnOnce(&World, &Server)) -> Option<(World, Outcome)> {
    let world = world(version).await?;
    let server = world.server("admin", "*");
    let (own, shown) = (server.own_key(), server.fingerprint("host"));
    let more = ["--identity", own.to_str().expect("a plain path"), "--host-key", &shown];
    let later = async {
        until("the block begins", async || world.rows("/interface/wireguard").await == 1).await;
        disturb(&world, &server).await;
    };
    let (ended, ()) = tokio::join!(world.person.enrol("mast-1", &server, &more, ""), later);
    Some((world, ended))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cable_that_is_pulled_in_the_middle_is_harmless() {
    let pulled = disturbed("7.20.8", async |_, server| server.cut()).await;
    let Some((world, ended)) = pulled else { return };
    ended.ended(0, &["the connection broke", "harmless to repeat", "has joined"]);
    ensure_no_trace(&world).expect("nothing is left on this machine");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_that_restarts_in_the_middle_joins_with_what_it_has() {
    let restart = async |world: &World, _: &Server| {
        world.sim.control(Ask::Fault(Fault::Reboot)).await.expect("it restarts");
    };
    let Some((_world, ended)) = disturbed("7.22.3", restart).await else { return };
    ended.ended(0, &["without a word", "harmless to repeat", "has joined"]);
}

/// Sees that the block is in no file of the person.
fn ensure_no_trace(world: &World) -> anyhow::Result<()> {
    let folder = world.person.folder.path().join("mastwire");
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let text = std::fs::read_to_string(&path)?;
        ensure!(!text.contains("preshared-key") && !text.contains("password"), "{} holds a secret", path.display());
    }
    Ok(())
}
