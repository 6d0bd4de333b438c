//! Goal: a router that is told of a hub dials it with real packets, and its API answers inside the tunnel.
//! Method: a hub and a simulator on loopback; every wait is for an event.

use crate::simulator::Now;
use crate::support::config;
use model::{Secret, WgPublicKey};
use routeros::codec::{Decoder, Limits, Sentence};
use routeros_sim::control::{Command, Fault};
use routeros_sim::shell::NoWay;
use routeros_sim::simulator::{Options, Simulator};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tunnel::io::{HubHandle, TunnelStream, spawn_hub};
use tunnel::{HubConfig, HubEvent, Peer, Pending};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 10, 1, 5);

struct Hub {
    handle: HubHandle,
    events: mpsc::Receiver<HubEvent>,
    address: SocketAddr,
    key: WgPublicKey,
}

fn public(private: [u8; 32]) -> WgPublicKey {
    WgPublicKey::from_bytes(*x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(private)).as_bytes())
}

async fn hub() -> Hub {
    let private = [9; 32];
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let address = socket.local_addr().expect("an address");
    let (handle, events) = spawn_hub(socket, HubConfig::new(Secret::new(private))).expect("a hub");
    Hub { handle, events, address, key: public(private) }
}

impl Hub {
    async fn wait<R>(&mut self, mut wanted: impl FnMut(HubEvent) -> Option<R>) -> R {
        let search = async {
            loop {
                let event = self.events.recv().await.expect("the hub runs");
                if let Some(found) = wanted(event) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, search).await.expect("the event")
    }

    async fn connect(&self) -> TunnelStream {
        tokio::time::timeout(PATIENCE, self.handle.connect(ROUTER, 8728)).await.expect("in time").expect("a connection")
    }
}

async fn start() -> Simulator {
    Simulator::start(Options::new(config("hEX S", "7.20.8")), Arc::new(Now)).await.expect("a router")
}

async fn paste(simulator: &Simulator, text: &str) {
    let ended = simulator.shared().paste(text).await.expect("an idle terminal");
    assert_eq!(ended.failures, [], "{:?}", ended.output);
}

fn key_of(simulator: &Simulator) -> WgPublicKey {
    let find = |name: &str| {
        simulator.shared().with(|router, _| {
            router.device().find("/interface/wireguard", "name", "wg-mastwire").map(|row| row.get(name).to_owned())
        })
    };
    find("public-key").expect("an interface").parse().expect("a key")
}

/// What a block sets up beside its peers.
const BASE: &str = "/interface wireguard add name=wg-mastwire\n\
    /ip address add address=10.10.1.5/32 network=10.10.0.1 interface=wg-mastwire\n\
    /ip firewall filter add chain=input in-interface=wg-mastwire src-address=10.10.0.1 action=accept place-before=0\n\
    /user group add name=mastwire policy=api,read,write\n\
    /user add name=mastwire group=mastwire password=pw address=10.10.0.1/32\n";

fn peer(hub: &Hub, key: WgPublicKey, preshared: [u8; 32], allowed: &str) -> String {
    let (ip, port) = (hub.address.ip(), hub.address.port());
    let preshared = WgPublicKey::from_bytes(preshared);
    format!(
        "/interface wireguard peers add interface=wg-mastwire public-key=\"{key}\" preshared-key=\"{preshared}\" \
         endpoint-address={ip} endpoint-port={port} allowed-address={allowed} persistent-keepalive=25s\n"
    )
}

async fn exchange(stream: &mut TunnelStream, words: &[&str]) -> Vec<String> {
    let mut bytes = Vec::new();
    Sentence::new(words.iter().copied()).encode(&mut bytes);
    stream.write_all(&bytes).await.expect("an open stream");
    let mut decoder = Decoder::new(Limits::DEFAULT);
    loop {
        if let Some(sentence) = decoder.poll().expect("well-formed") {
            return sentence.words().iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        }
        let mut buffer = [0; 2048];
        let count = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await.expect("in time").expect("an answer");
        assert!(count > 0, "the router closed");
        decoder.push(&buffer[..count]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_brings_the_router_home() {
    let mut hub = hub().await;
    let (enrolment_key, one_time, lasting) = ([3; 32], [4; 32], [5; 32]);
    let pending = Pending { id: [1; 16], hub_private_key: Secret::new(enrolment_key), preshared_key: Secret::new(one_time) };
    hub.handle.set_pending(pending).await.expect("room");
    let simulator = start().await;
    let block = [
        BASE.to_owned(),
        peer(&hub, public(enrolment_key), one_time, "10.10.0.2/32"),
        peer(&hub, hub.key, lasting, "10.10.0.1/32"),
    ];
    paste(&simulator, &block.concat()).await;
    let (key, endpoint) = hub
        .wait(|event| match event {
            HubEvent::EnrolmentProven { public_key, endpoint, .. } => Some((public_key, endpoint)),
            _ => None,
        })
        .await;
    assert_eq!(key, key_of(&simulator));
    let lasting = Peer { public_key: key, preshared_key: Secret::new(lasting), address: ROUTER, endpoint: Some(endpoint) };
    hub.handle.set_peer(lasting).await.expect("a free address");
    hub.wait(|event| matches!(event, HubEvent::PeerUp { address, .. } if address == ROUTER).then_some(())).await;
    let mut stream = hub.connect().await;
    assert_eq!(exchange(&mut stream, &["/login", "=name=mastwire", "=password=pw"]).await, ["!done"]);
    let row = exchange(&mut stream, &["/system/routerboard/print", "=.proplist=model"]).await;
    assert_eq!(row, ["!re", "=model=RB760iGS"]);
    hub.handle.shutdown().await;
    simulator.stop().await;
}

async fn joined(hub: &mut Hub) -> Simulator {
    let simulator = start().await;
    paste(&simulator, BASE).await;
    let peer_of = Peer { public_key: key_of(&simulator), preshared_key: Secret::new([5; 32]), address: ROUTER, endpoint: None };
    hub.handle.set_peer(peer_of).await.expect("a free address");
    paste(&simulator, &peer(hub, hub.key, [5; 32], "10.10.0.1/32")).await;
    hub.wait(|event| matches!(event, HubEvent::PeerUp { .. }).then_some(())).await;
    simulator
}

#[tokio::test(flavor = "multi_thread")]
async fn the_peers_row_tells_of_the_handshake() {
    let mut hub = hub().await;
    let simulator = joined(&mut hub).await;
    let mut changes = simulator.shared().changes();
    let seen = async {
        loop {
            let row = simulator
                .control(Command::Print { path: "/interface/wireguard/peers".into(), queries: vec![] })
                .await
                .expect("rows");
            if row[0].get("last-handshake").is_some() {
                return row;
            }
            changes.changed().await.expect("the router runs");
        }
    };
    let rows = tokio::time::timeout(PATIENCE, seen).await.expect("a handshake");
    assert_eq!(rows[0]["current-endpoint-port"], hub.address.port().to_string());
    assert_ne!(rows[0]["rx"], "0");
    simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_link_is_silent_and_heals() {
    let mut hub = hub().await;
    let simulator = joined(&mut hub).await;
    let mut stream = hub.connect().await;
    exchange(&mut stream, &["/login", "=name=mastwire", "=password=pw"]).await;
    simulator.control(Command::Fault(Fault::CutLink)).await.expect("a cut");
    let mut changes = simulator.shared().changes();
    let gone = async {
        while simulator.shared().with(|router, _| router.device().rows("/user/active").count()) > 0 {
            changes.changed().await.expect("the router runs");
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("the router loses the connection");
    simulator.control(Command::Fault(Fault::RestoreLink)).await.expect("a mend");
    drop(stream);
    let mut again = hub.connect().await;
    assert_eq!(exchange(&mut again, &["/login", "=name=mastwire", "=password=pw"]).await, ["!done"]);
    simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_firewall_and_the_service_keep_the_hub_out() {
    let mut hub = hub().await;
    let simulator = joined(&mut hub).await;
    for (shut, open, port) in [
        (
            "/ip firewall filter disable [find in-interface=wg-mastwire]",
            "/ip firewall filter enable [find in-interface=wg-mastwire]",
            8728,
        ),
        ("/ip service disable api", "/ip service enable api", 8728),
        ("/ip service set api address=10.10.0.9/32", "/ip service set api address=10.10.0.1/32 port=9999", 9999),
    ] {
        // The listener comes and goes a moment after the change.
        paste(&simulator, &format!("{shut}\n")).await;
        let closed = async {
            while hub.handle.connect(ROUTER, 8728).await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, closed).await.expect("the door closes");
        paste(&simulator, &format!("{open}\n")).await;
        let opened = async {
            while hub.handle.connect(ROUTER, port).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, opened).await.expect("the door opens");
    }
    simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn echoes_come_from_the_hub_and_from_no_other_router() {
    let mut hub = hub().await;
    let simulator = joined(&mut hub).await;
    let (own, other) = (Ipv4Addr::new(10, 10, 0, 1), Ipv4Addr::new(10, 10, 1, 6));
    assert!(simulator.shared().ping(own).await.expect("a peer for it").is_some());
    assert_eq!(simulator.shared().ping(other).await, Err(NoWay(other)), "the peer allows the hub alone");
    paste(&simulator, "/interface wireguard peers set [find] allowed-address=10.10.0.0/16\n").await;
    // The tunnel is told a moment after the change.
    let sent = async {
        loop {
            if let Ok(answer) = simulator.shared().ping(other).await {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, sent).await.expect("the way opens"), None, "the hub forwards nothing");
    simulator.stop().await;
}
