//! Goal: a WireGuard that others wrote joins by the block's keys, keeps its tunnel with the hub, and reaches 10.10.0.1 through it.
//! Method: wireguard-go and the kernel's TCP/IP in a network namespace stand for the router; a pair of virtual Ethernet ports is the
//! internet between it and the hub. Needs root; everything it makes on the machine goes away with it.

use anyhow::{Context as _, ensure};
use controller::testing::TestApp;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use serde_json::json;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use system_tests::judges;
use system_tests::world::until;

/// Where both ends of the virtual cable get their addresses from: the network for measurements (RFC 2544), which no internet has.
const CABLES: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);

/// A network namespace with one cable to this machine. Names and addresses hold the number of this process, so that two runs at once
/// do not meet.
struct Namespace {
    name: String,
    cable: String,
    near: Ipv4Addr,
    far: Ipv4Addr,
}

impl Namespace {
    /// Makes it.
    ///
    /// # Errors
    /// When this machine or this account does not let us; what was made by then is gone again.
    fn make() -> anyhow::Result<Self> {
        ensure!(Uid::effective().is_root(), "only root can make a network namespace");
        for program in ["ip", "ping", "wg", "wireguard-go"] {
            judges::program(program)?;
        }
        ensure!(Path::new("/dev/net/tun").exists(), "there is no /dev/net/tun");
        let id = std::process::id();
        // A cable takes four of the network's 2^17 addresses.
        let near = u32::from(CABLES) + 4 * (id % (1 << 15)) + 1;
        let made = Self { name: format!("mw-judge-{id}"), cable: format!("mwj{id}"), near: near.into(), far: (near + 1).into() };
        let Self { name, cable, near, far } = &made;
        ip(&format!("netns add {name}"))?;
        ip(&format!("link add {cable} type veth peer name uplink netns {name}"))?;
        ip(&format!("addr add {near}/30 dev {cable}"))?;
        ip(&format!("link set {cable} up"))?;
        ip(&format!("-n {name} addr add {far}/30 dev uplink"))?;
        ip(&format!("-n {name} link set uplink up"))?;
        Ok(made)
    }

    /// Prepares a program that runs inside.
    fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // What a failed start did not make cannot be taken away. The cable's other end goes with this one.
        drop(ip(&format!("link del {}", self.cable)));
        drop(ip(&format!("netns del {}", self.name)));
    }
}

fn ip(words: &str) -> anyhow::Result<String> {
    judges::run(Command::new("ip").args(words.split(' ')))
}

/// A WireGuard interface of wireguard-go in the namespace.
struct Interface<'a> {
    namespace: &'a Namespace,
    name: String,
    process: Child,
}

impl<'a> Interface<'a> {
    fn start(namespace: &'a Namespace) -> anyhow::Result<Self> {
        // Its control socket lies in the file system, which the namespace shares with everybody.
        let name = format!("mwg{}", std::process::id());
        let mut program = namespace.inside("wireguard-go");
        program.args(["--foreground", &name]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = program.spawn().context("wireguard-go cannot be started")?;
        Ok(Self { namespace, name, process })
    }

    fn wg(&self, words: &[&str]) -> anyhow::Result<String> {
        judges::run(self.namespace.inside("wg").args(words))
    }

    fn show(&self, what: &str) -> String {
        self.wg(&["show", &self.name, what]).expect("the interface is there")
    }

    /// Says what `wg show` tells about one peer.
    fn peer(&self, what: &str, key: &str) -> String {
        let all = self.show(what);
        let line = all.lines().find_map(|line| line.strip_prefix(key)).expect("the peer is configured");
        line.trim().to_owned()
    }

    /// Sets keys and peers, and then address and route, as the router would.
    fn configure(&self, private_key: &str, address: &str, hub: &str, peers: &[BlockPeer]) -> anyhow::Result<()> {
        let mut text = format!("[Interface]\nPrivateKey = {private_key}\n");
        for peer in peers {
            text += &format!(
                "[Peer]\nPublicKey = {}\nPresharedKey = {}\nEndpoint = {}\nAllowedIPs = {}\nPersistentKeepalive = 25\n",
                peer.public_key, peer.preshared_key, peer.endpoint, peer.allowed
            );
        }
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), text)?;
        let (namespace, name) = (&self.namespace.name, &self.name);
        ip(&format!("-n {namespace} addr add {address} peer {hub} dev {name}"))?;
        self.wg(&["setconf", name, file.path().to_str().context("a readable path")?])?;
        ip(&format!("-n {namespace} link set {name} up"))?;
        Ok(())
    }

    fn ping(&self, to: &str, size: &str) -> anyhow::Result<String> {
        let words = ["-c", "3", "-i", "0.2", "-W", "20", "-M", "do", "-s", size, to];
        judges::run(self.namespace.inside("ping").args(words))
    }
}

impl Drop for Interface<'_> {
    fn drop(&mut self) {
        // Asked to end, it takes its interface and its control socket away; `ip netns exec` has become wireguard-go itself.
        let pid = Pid::from_raw(i32::try_from(self.process.id()).expect("a process number is small"));
        let _ended_by_itself = kill(pid, Signal::SIGTERM);
        drop(self.process.wait());
    }
}

/// A peer as the block sets it.
struct BlockPeer {
    public_key: String,
    preshared_key: String,
    endpoint: String,
    allowed: String,
}

/// Reads the peers of a block, in the order in which it adds them: the lasting one, then the enrolment's.
fn peers(block: &str) -> Vec<BlockPeer> {
    let joined = block.replace("\\\n", " ");
    let adds = joined.lines().filter(|line| line.contains("/interface wireguard peers add "));
    let words = |line: &str, name: &str| {
        let word = line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        word.unwrap_or_else(|| panic!("{name} in {line}")).trim_matches('"').to_owned()
    };
    adds.map(|line| BlockPeer {
        public_key: words(line, "public-key"),
        preshared_key: words(line, "preshared-key"),
        endpoint: format!("{}:{}", words(line, "endpoint-address"), words(line, "endpoint-port")),
        allowed: words(line, "allowed-address"),
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wireguard_go_joins_by_the_blocks_keys() {
    let namespace = match Namespace::make() {
        Ok(namespace) => namespace,
        Err(why) => return judges::skipped("wireguard-go", &format!("{why:#}")),
    };
    let test = TestApp::running_at(namespace.near).await;
    let isp = test.tenant("Savanna").await;
    let added = test.call("POST", "/api/v1/routers", &isp.token, Some(json!({ "name": "Mast 7" }))).await.expect(201);
    let (id, address) = (added.text("id"), added.text("address"));
    let peers = peers(&added.text("block"));
    let [lasting, enrolment] = peers.as_slice() else { panic!("a block has two peers") };
    assert_eq!((lasting.allowed.as_str(), enrolment.allowed.as_str()), ("10.10.0.1/32", "10.10.0.2/32"));

    let interface = Interface::start(&namespace).expect("wireguard-go starts");
    until("wireguard-go makes its interface", async || interface.wg(&["show", &interface.name, "private-key"]).is_ok()).await;
    let private_key = interface.wg(&["genkey"]).expect("a new key");
    interface.configure(private_key.trim(), &address, "10.10.0.1", &peers).expect("it takes the block's peers");
    let own_key = interface.show("public-key").trim().to_owned();

    // The enrolment's handshake proves the pre-shared key, and the key is bound in the database.
    let path = format!("/api/v1/routers/{id}");
    let state = async || test.call("GET", &path, &isp.token, None).await.expect(200).body["enrolment"]["state"].clone();
    until("the enrolment is bound", async || state().await == "bound").await;
    assert_ne!(interface.peer("latest-handshakes", &enrolment.public_key), "0");

    // The hub calls by its main key, and the lasting peer is up at both ends.
    let overlay: Ipv4Addr = address.parse().expect("an address");
    let status = async || test.app.tunnels.status(overlay).await.expect("the hub runs");
    until("the lasting peer is up", async || status().await.is_some_and(|peer| peer.up)).await;
    let peer = status().await.expect("it was there");
    assert_eq!(peer.public_key.to_string(), own_key);
    assert_eq!(peer.endpoint.map(|endpoint| endpoint.ip()), Some(namespace.far.into()));
    assert_ne!(interface.peer("latest-handshakes", &lasting.public_key), "0");

    // 1392 bytes and their headers fill the tunnel's MTU.
    for size in ["56", "1392"] {
        let answers = interface.ping("10.10.0.1", size).expect("the hub answers");
        assert!(answers.contains(" 0% packet loss"), "{answers}");
    }
    assert_eq!(state().await, "bound", "without an API behind it the enrolment stays open");
}
