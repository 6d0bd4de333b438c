//! Goal: the tokio shell carries what a controller and a router need, over real loopback sockets.
//! Method: a hub and spokes as separate tasks; each wait is for an event, with one generous limit as a safety net.

use model::{Secret, WgPublicKey};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tunnel::io::{HubError, HubHandle, SpokeHandle, spawn_hub, spawn_spoke};
use tunnel::{HubConfig, HubEvent, Peer, PeerError, Pending, SpokeConfig, SpokePeer, public_key};

const HUB: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 1);
const ROTATION: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 2);
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 10, 4, 7);
const API: u16 = 8728;
const HUB_KEY: [u8; 32] = [1; 32];
const PSK: [u8; 32] = [9; 32];

/// Fails a test that hangs; nothing waits for this time to pass.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what).await.expect("this must not hang")
}

fn secret(bytes: [u8; 32]) -> Secret<[u8; 32]> {
    Secret::new(bytes)
}

fn key(private: [u8; 32]) -> WgPublicKey {
    public_key(&secret(private))
}

async fn socket() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("loopback has free ports");
    let address = socket.local_addr().expect("it is bound");
    (socket, address)
}

async fn hub() -> (HubHandle, mpsc::Receiver<HubEvent>, SocketAddr) {
    let (socket, address) = socket().await;
    let (hub, events) = spawn_hub(socket, HubConfig::new(secret(HUB_KEY))).expect("the system has randomness");
    (hub, events, address)
}

async fn spoke(private: [u8; 32], address: Ipv4Addr) -> (SpokeHandle, SocketAddr) {
    let (socket, at) = socket().await;
    (spawn_spoke(socket, &SpokeConfig::new(secret(private), address)).expect("the system has randomness"), at)
}

fn lasting(hub: SocketAddr) -> SpokePeer {
    SpokePeer {
        public_key: key(HUB_KEY),
        preshared_key: Some(secret(PSK)),
        allowed: vec![HUB.into()],
        endpoint: Some(hub),
        keepalive_secs: 25,
    }
}

fn router(private: [u8; 32], address: Ipv4Addr, endpoint: Option<SocketAddr>) -> Peer {
    Peer { public_key: key(private), preshared_key: secret(PSK), address, endpoint }
}

/// A hub and one router whose tunnel is up.
async fn joined() -> (HubHandle, mpsc::Receiver<HubEvent>, SpokeHandle) {
    let (hub, mut events, at) = hub().await;
    let (spoke, _) = spoke([2; 32], ROUTER).await;
    hub.set_peer(router([2; 32], ROUTER, None)).await.expect("a new peer");
    spoke.set_peers(vec![lasting(at)]).await.expect("it runs");
    let event = soon(events.recv()).await.expect("the hub runs");
    assert!(matches!(event, HubEvent::PeerUp { address: ROUTER, .. }), "{event:?}");
    (hub, events, spoke)
}

#[tokio::test]
async fn a_stream_in_each_direction() {
    let (hub, _events, spoke) = joined().await;
    let mut api = spoke.listen(API).await.expect("a free port");
    let mut web = hub.listen(8080).await.expect("a free port");

    let mut outward = soon(hub.connect(ROUTER, API)).await.expect("the router listens");
    let (mut served, from) = soon(api.accept()).await.expect("the spoke runs");
    assert_eq!(from, HUB);
    outward.write_all(b"/login").await.expect("it is open");
    let mut word = [0; 6];
    soon(served.read_exact(&mut word)).await.expect("six bytes");
    assert_eq!(&word, b"/login");
    served.write_all(b"!done").await.expect("it is open");
    served.shutdown().await.expect("it is open");
    let mut answer = String::new();
    soon(outward.read_to_string(&mut answer)).await.expect("until the router has finished");
    assert_eq!(answer, "!done");

    let mut inward = soon(spoke.connect(HUB, 8080)).await.expect("the hub listens");
    let (mut served, from) = soon(web.accept()).await.expect("the hub runs");
    assert_eq!(from, ROUTER);
    inward.write_all(b"GET /").await.expect("it is open");
    drop(inward);
    let mut request = String::new();
    soon(served.read_to_string(&mut request)).await.expect("dropping delivers what was written");
    assert_eq!(request, "GET /");
}

#[tokio::test]
async fn a_megabyte_there_and_back() {
    let (hub, _events, spoke) = joined().await;
    let mut api = spoke.listen(API).await.expect("a free port");
    tokio::spawn(async move {
        let (stream, _) = api.accept().await.expect("the spoke runs");
        let (mut reader, mut writer) = tokio::io::split(stream);
        tokio::io::copy(&mut reader, &mut writer).await.expect("the echo runs to the end");
        writer.shutdown().await.expect("it is open");
    });
    let stream = soon(hub.connect(ROUTER, API)).await.expect("the router listens");
    let (mut reader, mut writer) = tokio::io::split(stream);
    let sent: Vec<u8> = (0..1_000_000u32).map(|n| ((n * 7) >> 3) as u8).collect();
    let copy = sent.clone();
    tokio::spawn(async move {
        writer.write_all(&copy).await.expect("it is open");
        writer.shutdown().await.expect("it is open");
    });
    let mut back = Vec::new();
    soon(reader.read_to_end(&mut back)).await.expect("until the echo has finished");
    assert!(back == sent, "the echo differs");
    let peer = hub.peer(ROUTER).await.expect("it runs").expect("it is a peer");
    assert!(peer.up && peer.rx_bytes > 1_000_000 && peer.tx_bytes > 1_000_000 && peer.last_handshake.is_some(), "{peer:?}");
}

#[tokio::test]
async fn a_closed_port_refuses_and_a_removed_peer_resets() {
    let (hub, _events, spoke) = joined().await;
    let refused = soon(hub.connect(ROUTER, 23)).await.expect_err("nobody listens");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);

    let mut api = spoke.listen(API).await.expect("a free port");
    let mut stream = soon(hub.connect(ROUTER, API)).await.expect("the router listens");
    let _served = soon(api.accept()).await.expect("the spoke runs");
    assert!(hub.remove_peer(ROUTER).await.expect("it runs"));
    let reset = soon(stream.read_u8()).await.expect_err("the peer is gone");
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
    let unknown = soon(hub.connect(ROUTER, API)).await.expect_err("the peer is gone");
    assert_eq!(unknown.kind(), ErrorKind::HostUnreachable);
}

#[tokio::test]
async fn a_connection_given_up_is_freed() {
    let (hub, _events, _) = hub().await;
    hub.set_peer(router([2; 32], ROUTER, None)).await.expect("a new peer");
    {
        let attempt = hub.connect(ROUTER, API);
        tokio::pin!(attempt);
        // The other branch is ready at once, but the attempt is polled first and reaches the hub.
        tokio::select! { biased; result = &mut attempt => panic!("{result:?}"), stats = hub.stats() => { stats.expect("it runs"); } }
        assert_eq!(hub.stats().await.expect("it runs").stacks, 1);
    }
    // Forty attempts exceed the limit of 32 unless each is freed.
    for _ in 0..40 {
        let attempt = hub.connect(ROUTER, API);
        tokio::pin!(attempt);
        tokio::select! { biased; result = &mut attempt => panic!("{result:?}"), stats = hub.stats() => { stats.expect("it runs"); } }
    }
}

#[tokio::test]
async fn datagrams_both_ways_and_ping() {
    let (hub, _events, spoke) = joined().await;
    let mut radius = hub.datagrams(1812).await.expect("a free port");
    let mut nas = spoke.datagrams(40000).await.expect("a free port");
    nas.send_to(b"Access-Request", SocketAddrV4::new(HUB, 1812)).await.expect("it runs");
    let (request, from) = soon(radius.recv_from()).await.expect("it runs");
    assert_eq!((request.as_slice(), from), (&b"Access-Request"[..], SocketAddrV4::new(ROUTER, 40000)));
    radius.send_to(b"Access-Accept", from).await.expect("it runs");
    let (answer, from) = soon(nas.recv_from()).await.expect("it runs");
    assert_eq!((answer.as_slice(), from), (&b"Access-Accept"[..], SocketAddrV4::new(HUB, 1812)));

    soon(spoke.ping(HUB, 56)).await.expect("the hub answers");
    soon(hub.ping(ROUTER, 1392)).await.expect("a full packet passes");
    assert_eq!(hub.ping(ROUTER, 1393).await.expect_err("28 bytes of headers").kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn ports_are_taken_and_freed() {
    let (hub, _events, _) = hub().await;
    let listener = hub.listen(80).await.expect("a free port");
    assert_eq!(hub.listen(80).await.expect_err("taken").kind(), ErrorKind::AddrInUse);
    drop(listener);
    hub.listen(80).await.expect("free again");
    let socket = hub.datagrams(1812).await.expect("a free port");
    assert_eq!(hub.datagrams(1812).await.expect_err("taken").kind(), ErrorKind::AddrInUse);
    drop(socket);
    hub.datagrams(1812).await.expect("free again");
}

#[tokio::test]
async fn enrolment_then_the_lasting_peer() {
    let (hub, mut events, at) = hub().await;
    let pending = Pending { id: [3; 16], hub_private_key: secret([4; 32]), preshared_key: secret([5; 32]) };
    hub.set_pending(pending).await.expect("there is room");
    let (spoke, _) = spoke([2; 32], ROUTER).await;
    let mut enrolment = lasting(at);
    (enrolment.public_key, enrolment.preshared_key) = (key([4; 32]), Some(secret([5; 32])));
    enrolment.allowed = vec![ROTATION.into()];
    spoke.set_peers(vec![enrolment.clone(), lasting(at)]).await.expect("it runs");

    // The lasting peer knocks too early, and is told apart.
    let proven = loop {
        match soon(events.recv()).await.expect("it runs") {
            HubEvent::UnknownPeer { public_key, .. } => assert_eq!(public_key, key([2; 32])),
            event => break event,
        }
    };
    let HubEvent::EnrolmentProven { id, public_key, endpoint } = proven else { panic!("{proven:?}") };
    assert_eq!((id, public_key), ([3; 16], key([2; 32])));

    hub.set_peer(router([2; 32], ROUTER, Some(endpoint))).await.expect("a new peer");
    let up = soon(events.recv()).await.expect("it runs");
    assert_eq!(up, HubEvent::PeerUp { address: ROUTER, public_key, endpoint });
    soon(spoke.ping(HUB, 0)).await.expect("the lasting peer carries packets");

    // The enrolment peer reaches nothing, not even the hub.
    drop(spoke.ping(ROTATION, 0));
    assert!(hub.remove_pending([3; 16]).await.expect("it runs"));
    spoke.set_peers(vec![lasting(at)]).await.expect("it runs");
    soon(spoke.ping(HUB, 0)).await.expect("the session goes on");
    assert_eq!(hub.stats().await.expect("it runs").candidates, 0);
}

#[tokio::test]
async fn a_restarted_hub_calls_first() {
    let (hub, _events, spoke) = joined().await;
    let endpoint = hub.peer(ROUTER).await.expect("it runs").expect("it is a peer").endpoint;
    hub.shutdown().await;
    assert!(hub.stats().await.is_err());

    // The new hub is on another port: only its own call can find the router.
    let (restarted, mut events, _) = self::hub().await;
    restarted.set_peer(router([2; 32], ROUTER, endpoint)).await.expect("a new peer");
    let event = soon(events.recv()).await.expect("it runs");
    assert!(matches!(event, HubEvent::PeerUp { .. }), "{event:?}");
    soon(restarted.ping(ROUTER, 0)).await.expect("the router answers");
    assert!(spoke.peers().await.expect("it runs")[0].last_handshake.is_some());
}

#[tokio::test]
async fn a_refused_peer_says_why() {
    let (hub, _events, _) = hub().await;
    hub.set_peer(router([2; 32], ROUTER, None)).await.expect("a new peer");
    let other = Ipv4Addr::new(10, 10, 4, 8);
    let taken = hub.set_peer(router([3; 32], ROUTER, None)).await.expect_err("the address is taken");
    assert_eq!(taken, HubError::Refused(PeerError::AddressTaken { address: ROUTER, taken_by: key([2; 32]) }));
    let known = hub.set_peer(router([2; 32], other, None)).await.expect_err("the key is taken");
    assert_eq!(known, HubError::Refused(PeerError::KeyTaken { public_key: key([2; 32]), taken_by: ROUTER }));
    let reserved = hub.set_peer(router([3; 32], HUB, None)).await.expect_err("the hub's own address");
    assert_eq!(reserved, HubError::Refused(PeerError::BadAddress(HUB)));
}

#[tokio::test]
async fn shutdown_breaks_streams_and_ends_waits() {
    let (hub, mut events, spoke) = joined().await;
    let mut api = spoke.listen(API).await.expect("a free port");
    let mut stream = soon(hub.connect(ROUTER, API)).await.expect("the router listens");
    let mut listener = hub.listen(80).await.expect("a free port");
    let _served = soon(api.accept()).await.expect("the spoke runs");
    soon(hub.shutdown()).await;
    assert_eq!(soon(stream.read_u8()).await.expect_err("broken").kind(), ErrorKind::ConnectionReset);
    assert_eq!(soon(listener.accept()).await.expect_err("ended").kind(), ErrorKind::NotConnected);
    while soon(events.recv()).await.is_some() {}
}
