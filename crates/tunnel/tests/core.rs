//! Goal: hub and spokes with the real noise engine keep their promises against loss, replay, forgery and each other.
//! Method: datagrams are carried in memory, so that a test can drop, reorder, repeat, keep or forge each of them.

use boringtun::noise::{Tunn, TunnResult};
use model::{Secret, WgPublicKey};
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};
use tunnel::{
    Header, Hub, HubConfig, HubEvent, NetEvent, Node, Peer, Pending, Read, Spoke, SpokeConfig, SpokePeer, SpokePeerStatus,
    StreamState, Transmit, public_key,
};
use x25519_dalek::{PublicKey, StaticSecret};

const HUB_KEY: [u8; 32] = [1; 32];
const PSK: [u8; 32] = [9; 32];
const HUB: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 1);
const ROTATION: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 2);
const A: Ipv4Addr = Ipv4Addr::new(10, 10, 4, 7);
const B: Ipv4Addr = Ipv4Addr::new(10, 10, 8, 9);
const HUB_AT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)), 51820);
const ENROLMENT: [u8; 16] = [3; 16];
const ENROLMENT_KEY: [u8; 32] = [4; 32];
const ENROLMENT_PSK: [u8; 32] = [5; 32];

#[expect(clippy::disallowed_methods, reason = "a starting point; the test moves the time")]
fn start() -> Instant {
    Instant::now()
}

fn secret(bytes: [u8; 32]) -> Secret<[u8; 32]> {
    Secret::new(bytes)
}

fn key(private: [u8; 32]) -> WgPublicKey {
    public_key(&secret(private))
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(198, 51, 100, 1), port))
}

fn link(hub_private: [u8; 32], psk: [u8; 32], allowed: Ipv4Addr) -> SpokePeer {
    SpokePeer {
        public_key: key(hub_private),
        preshared_key: Some(secret(psk)),
        allowed: vec![allowed.into()],
        endpoint: Some(HUB_AT),
        keepalive_secs: 25,
    }
}

fn enrolment_link(psk: [u8; 32]) -> SpokePeer {
    link(ENROLMENT_KEY, psk, ROTATION)
}

struct World {
    hub: Hub,
    spokes: BTreeMap<SocketAddr, Spoke>,
    now: Instant,
    events: Vec<HubEvent>,
    net_events: Vec<NetEvent>,
    /// What has arrived at the hub.
    seen: Vec<(SocketAddr, Vec<u8>)>,
    on_the_way: VecDeque<(Option<SocketAddr>, Transmit)>,
    /// Of so many transport packets one is lost and one comes late; 0 for none.
    trouble: u64,
    carried: u64,
}

impl World {
    fn new() -> Self {
        let now = start();
        let hub = Hub::new(HubConfig::new(secret(HUB_KEY)), 7, now);
        let spokes = BTreeMap::new();
        let (events, net_events, seen, on_the_way) = (Vec::new(), Vec::new(), Vec::new(), VecDeque::new());
        Self { hub, spokes, now, events, net_events, seen, on_the_way, trouble: 0, carried: 0 }
    }

    fn add_spoke(&mut self, private: u8, address: Ipv4Addr, peers: Vec<SpokePeer>) -> SocketAddr {
        let at = at(u16::from(private));
        let mut spoke = Spoke::new(&SpokeConfig::new(secret([private; 32]), address), u64::from(private), self.now);
        spoke.set_peers(peers, self.now);
        self.spokes.insert(at, spoke);
        at
    }

    fn set_peer(&mut self, private: u8, address: Ipv4Addr) {
        let peer = Peer { public_key: key([private; 32]), preshared_key: secret(PSK), address, endpoint: None };
        self.hub.set_peer(peer, self.now).expect("a new peer");
    }

    fn set_pending(&mut self) {
        let pending = Pending { id: ENROLMENT, hub_private_key: secret(ENROLMENT_KEY), preshared_key: secret(ENROLMENT_PSK) };
        self.hub.set_pending(&pending).expect("there is room");
    }

    /// A router whose lasting peer is up.
    fn join(&mut self, private: u8, address: Ipv4Addr) -> SocketAddr {
        self.set_peer(private, address);
        let at = self.add_spoke(private, address, vec![link(HUB_KEY, PSK, HUB)]);
        self.settle();
        assert!(matches!(self.take_events()[..], [HubEvent::PeerUp { .. }]));
        at
    }

    fn collect(&mut self) {
        while let Some(transmit) = self.hub.poll_transmit() {
            self.on_the_way.push_back((None, transmit));
        }
        for (at, spoke) in &mut self.spokes {
            while let Some(transmit) = spoke.poll_transmit() {
                self.on_the_way.push_back((Some(*at), transmit));
            }
        }
    }

    /// Carries what is on the way until nothing moves.
    fn settle(&mut self) {
        self.collect();
        while let Some((from, transmit)) = self.on_the_way.pop_front() {
            self.carried += 1;
            let transport = matches!(Header::parse(&transmit.payload), Some(Header::Data(_)));
            match if transport { self.carried.checked_rem(self.trouble) } else { None } {
                Some(0) => continue,
                Some(1) if !self.on_the_way.is_empty() => {
                    self.on_the_way.insert(self.on_the_way.len().min(3), (from, transmit));
                    continue;
                }
                _ => {}
            }
            match from {
                None => {
                    if let Some(spoke) = self.spokes.get_mut(&transmit.to) {
                        spoke.handle_datagram(HUB_AT, &transmit.payload, self.now);
                    }
                }
                Some(from) => {
                    self.hub.handle_datagram(from, &transmit.payload, self.now);
                    self.seen.push((from, transmit.payload));
                }
            }
            self.collect();
        }
        self.events.extend(std::iter::from_fn(|| self.hub.poll_event()));
        self.net_events.extend(std::iter::from_fn(|| self.hub.poll_net_event()));
    }

    /// Moves the time of everything but the noise engine, which reads the clock itself.
    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.hub.handle_timeout(self.now);
        for spoke in self.spokes.values_mut() {
            spoke.handle_timeout(self.now);
        }
        self.settle();
    }

    fn take_events(&mut self) -> Vec<HubEvent> {
        std::mem::take(&mut self.events)
    }

    fn status(&self, at: SocketAddr) -> SpokePeerStatus {
        self.spokes[&at].peers(self.now)[0].clone()
    }

    fn spoke(&mut self, at: SocketAddr) -> &mut Spoke {
        self.spokes.get_mut(&at).expect("it was added")
    }
}

/// Speaks for a router without a spoke, to send what a spoke would not.
struct Rogue {
    tunn: Tunn,
    at: SocketAddr,
}

impl Rogue {
    fn join(world: &mut World, private: u8, address: Ipv4Addr) -> Self {
        world.set_peer(private, address);
        let remote = PublicKey::from(*key(HUB_KEY).as_bytes());
        let mut rogue = Self {
            tunn: Tunn::new(StaticSecret::from([private; 32]), remote, Some(PSK), None, 1, None),
            at: at(u16::from(private)),
        };
        let mut buffer = vec![0; 2048];
        let TunnResult::WriteToNetwork(initiation) = rogue.tunn.format_handshake_initiation(&mut buffer, false) else {
            panic!("an initiation")
        };
        world.hub.handle_datagram(rogue.at, initiation, world.now);
        let answer = world.hub.poll_transmit().expect("a peer is answered");
        // The confirmation is kept back: the first packet that comes is the test's own.
        let confirmation = rogue.tunn.decapsulate(None, &answer.payload, &mut buffer);
        assert!(matches!(confirmation, TunnResult::WriteToNetwork(_)));
        rogue
    }

    fn send(&mut self, world: &mut World, packet: &[u8]) {
        let mut buffer = vec![0; 2048];
        let TunnResult::WriteToNetwork(datagram) = self.tunn.encapsulate(packet, &mut buffer) else { panic!("a session") };
        world.hub.handle_datagram(self.at, datagram, world.now);
    }
}

/// An IPv4 packet with an echo request, whose checksums are right.
fn echo_request(from: Ipv4Addr, to: Ipv4Addr) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 28, 0, 0, 0x40, 0, 64, 1, 0, 0];
    packet.extend(from.octets());
    packet.extend(to.octets());
    packet.extend([8, 0, 0, 0, 0, 1, 0, 1]);
    for (range, place) in [(0..20, 10), (20..28, 22)] {
        let sum: u32 = packet[range].chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
        let folded = !((sum & 0xffff) + (sum >> 16)) as u16;
        packet[place..place + 2].copy_from_slice(&folded.to_be_bytes());
    }
    packet
}

#[test]
fn a_megabyte_survives_loss_and_reordering() {
    let mut world = World::new();
    let router = world.join(2, A);
    world.spoke(router).listen(8728).expect("a free port");
    let stream = world.hub.connect(SocketAddrV4::new(A, 8728), world.now).expect("it is a peer");
    world.settle();
    let accepted = world.spoke(router).poll_net_event();
    let Some(NetEvent::Accepted { stream: served, port: 8728, from }) = accepted else { panic!("{accepted:?}") };
    assert_eq!(*from.ip(), HUB);

    world.trouble = 20;
    let sent: Vec<u8> = (0..1_000_000u32).map(|n| ((n * 7) >> 3) as u8).collect();
    let (mut written, mut echoed, mut back) = (0, VecDeque::new(), Vec::<u8>::new());
    let mut buffer = vec![0; 16 * 1024];
    let mut rounds = 0;
    while back.len() < sent.len() {
        rounds += 1;
        assert!(rounds < 100_000, "{} of {} bytes came back", back.len(), sent.len());
        let now = world.now;
        written += world.hub.write(stream, &sent[written..]);
        while let Read::Data(count) = world.hub.read(stream, &mut buffer) {
            back.extend(&buffer[..count]);
        }
        world.hub.flush(now);
        let spoke = world.spoke(router);
        if echoed.len() < buffer.len()
            && let Read::Data(count) = spoke.read(served, &mut buffer)
        {
            echoed.extend(&buffer[..count]);
        }
        let count = spoke.write(served, echoed.as_slices().0);
        echoed.drain(..count);
        spoke.flush(now);
        world.pass(Duration::from_millis(5));
    }
    assert!(back == sent, "the echo differs");
    world.hub.finish(stream);
    world.hub.flush(world.now);
    world.pass(Duration::from_secs(1));
    world.pass(Duration::from_secs(1));
    assert_eq!(world.spoke(router).read(served, &mut buffer), Read::End);
}

#[test]
fn a_ping_is_answered_in_both_directions() {
    let mut world = World::new();
    let router = world.join(2, A);
    let now = world.now;
    let sent = world.spoke(router).ping(HUB, 56, now).expect("the hub is reachable");
    let asked = world.hub.ping(A, 56, now).expect("it is a peer");
    world.settle();
    let answer = world.spoke(router).poll_net_event();
    assert!(matches!(answer, Some(NetEvent::Pong { ping, .. }) if ping == sent), "{answer:?}");
    assert!(matches!(world.net_events[..], [NetEvent::Pong { ping, .. }] if ping == asked), "{:?}", world.net_events);
}

#[test]
fn the_first_packet_of_a_session_may_carry_something() {
    let mut world = World::new();
    let mut rogue = Rogue::join(&mut world, 2, A);
    rogue.send(&mut world, &echo_request(A, HUB));
    let answers: Vec<usize> = std::iter::from_fn(|| world.hub.poll_transmit()).map(|transmit| transmit.payload.len()).collect();
    assert_eq!(answers, [32, 60], "a keepalive and the echo");
}

#[test]
fn a_spoke_takes_only_sources_that_it_would_send_to() {
    let mut world = World::new();
    world.set_peer(2, A);
    let router = world.add_spoke(2, A, vec![link(HUB_KEY, PSK, ROTATION)]);
    world.settle();
    world.hub.ping(A, 0, world.now).expect("it is a peer");
    world.settle();
    assert_eq!((world.spoke(router).refused(), world.net_events.len()), (1, 0));
}

/// The canary of promise 4: no path between routers.
#[test]
fn one_router_cannot_reach_another() {
    let mut world = World::new();
    let victim = world.join(3, B);
    let mut rogue = Rogue::join(&mut world, 2, A);
    rogue.send(&mut world, &echo_request(A, HUB));
    let answers: Vec<_> = std::iter::from_fn(|| world.hub.poll_transmit()).map(|answer| answer.to).collect();
    assert_eq!(answers, [rogue.at; 2], "the hub itself answers, to the asker alone");

    let before = world.status(victim).rx_bytes;
    for to in
        [B, ROTATION, Ipv4Addr::BROADCAST, Ipv4Addr::new(224, 0, 0, 1), Ipv4Addr::new(10, 10, 255, 255), A, Ipv4Addr::LOCALHOST]
    {
        rogue.send(&mut world, &echo_request(A, to));
    }
    assert_eq!(world.hub.stats().misdirected, 7);
    assert_eq!(world.hub.poll_transmit(), None, "nobody hears of it");
    world.settle();
    assert_eq!(world.status(victim).rx_bytes, before);
}

#[test]
fn a_spoofed_inner_source_is_dropped() {
    let mut world = World::new();
    world.join(3, B);
    let mut rogue = Rogue::join(&mut world, 2, A);
    for from in [B, HUB, Ipv4Addr::new(8, 8, 8, 8), Ipv4Addr::UNSPECIFIED] {
        rogue.send(&mut world, &echo_request(from, HUB));
    }
    assert_eq!(world.hub.stats().spoofed, 4);
    let answers: Vec<usize> = std::iter::from_fn(|| world.hub.poll_transmit()).map(|transmit| transmit.payload.len()).collect();
    assert_eq!(answers, [32], "the keepalive of the new session, and no answer");
    assert_eq!(world.hub.stats().stacks, 0);
}

#[test]
fn hostile_inner_packets_do_not_panic() {
    let mut world = World::new();
    let mut rogue = Rogue::join(&mut world, 2, A);
    world.hub.listen(80).expect("a free port");
    world.hub.open_datagrams(1812).expect("a free port");
    let honest = echo_request(A, HUB);
    for at in 0..honest.len() {
        for value in [0, 1, 0x45, 0x4f, 0x60, 0xff, 6, 17] {
            let mut packet = honest.clone();
            packet[at] = value;
            rogue.send(&mut world, &packet);
            rogue.send(&mut world, &packet[..at]);
        }
    }
    world.settle();
    rogue.send(&mut world, &honest);
    assert!(world.hub.poll_transmit().is_some(), "the hub still answers");
}

#[test]
fn a_replayed_initiation_is_refused() {
    let mut world = World::new();
    world.join(2, A);
    let (from, initiation) = world.seen[0].clone();
    assert_eq!(Header::parse(&initiation), Some(Header::Initiation));
    world.hub.handle_datagram(from, &initiation, world.now);
    assert_eq!(world.hub.poll_transmit(), None);
    assert_eq!(world.hub.stats().replays, 1);
    // From elsewhere as well, and a replayed transport packet does not move the endpoint.
    let packet =
        world.seen.iter().find(|(_, bytes)| matches!(Header::parse(bytes), Some(Header::Data(_)))).expect("one").1.clone();
    world.hub.handle_datagram(at(6666), &initiation, world.now);
    world.hub.handle_datagram(at(6666), &packet, world.now);
    assert_eq!(world.hub.peer(A, world.now).expect("it is a peer").endpoint, Some(from));
}

#[test]
fn two_routers_with_one_block() {
    let mut world = World::new();
    world.set_pending();
    let first = world.add_spoke(2, A, vec![enrolment_link(ENROLMENT_PSK)]);
    world.settle();
    let id = ENROLMENT;
    assert_eq!(world.take_events(), [HubEvent::EnrolmentProven { id, public_key: key([2; 32]), endpoint: first }]);
    let second = world.add_spoke(3, A, vec![enrolment_link(ENROLMENT_PSK)]);
    world.settle();
    assert_eq!(world.take_events(), [HubEvent::EnrolmentConflict { id, public_key: key([3; 32]), endpoint: second }]);
    assert!(world.status(second).last_handshake.is_none(), "the second gets no answer");
    assert_eq!(world.hub.stats().candidates, 1);
}

#[test]
fn a_race_of_two_routers_has_one_winner() {
    let mut world = World::new();
    world.set_pending();
    world.add_spoke(2, A, vec![enrolment_link(ENROLMENT_PSK)]);
    world.add_spoke(3, A, vec![enrolment_link(ENROLMENT_PSK)]);
    // Both initiations arrive, and both are answered, before either proves itself.
    world.settle();
    let events = world.take_events();
    let [HubEvent::EnrolmentProven { public_key: winner, .. }, HubEvent::EnrolmentConflict { public_key: loser, .. }] =
        events[..]
    else {
        panic!("{events:?}")
    };
    assert_ne!(winner, loser);
    assert_eq!(world.hub.stats().candidates, 1);
}

#[test]
fn a_wrong_preshared_key_proves_nothing() {
    let mut world = World::new();
    world.set_pending();
    let router = world.add_spoke(2, A, vec![enrolment_link([66; 32])]);
    world.settle();
    assert_eq!(world.take_events(), []);
    world.pass(Duration::from_secs(11));
    let unproven = HubEvent::EnrolmentUnproven { id: ENROLMENT, public_key: key([2; 32]), endpoint: router };
    assert_eq!(world.take_events(), [unproven]);
}

/// `parse_handshake_anon` believes a forged initiation that names somebody else; only full verification refuses it.
#[test]
fn a_forged_initiation_keeps_no_state() {
    let mut world = World::new();
    world.set_pending();
    world.set_peer(2, A);
    for (target, psk) in [(ENROLMENT_KEY, ENROLMENT_PSK), (HUB_KEY, PSK)] {
        // The victim's initiation, with the timestamp's proof of the private key destroyed and both MACs made anew.
        let remote = PublicKey::from(*key(target).as_bytes());
        let mut victim = Tunn::new(StaticSecret::from([2; 32]), remote, Some(psk), None, 1, None);
        let mut buffer = vec![0; 2048];
        let TunnResult::WriteToNetwork(genuine) = victim.format_handshake_initiation(&mut buffer, false) else { panic!("one") };
        let mut forged = genuine.to_vec();
        forged[100] ^= 1;
        remac(&mut forged, key(target));
        world.hub.handle_datagram(at(666), &forged, world.now);
        assert_eq!(world.hub.poll_transmit(), None);
        // Unharmed, the same initiation is accepted: it was the proof that failed, not the outer check.
        let genuine = genuine.to_vec();
        world.hub.handle_datagram(at(2), &genuine, world.now);
        assert!(world.hub.poll_transmit().is_some());
    }
    assert_eq!((world.hub.stats().refused, world.hub.stats().candidates), (2, 1));
    world.settle();
    assert_eq!(world.take_events(), []);
}

/// Writes the first MAC of a handshake message (WireGuard paper §5.4.4) as anybody who knows the public key can.
fn remac(message: &mut [u8], target: WgPublicKey) {
    use blake2::digest::{KeyInit, Mac, consts::U16};
    use blake2::{Blake2s256, Blake2sMac, Digest};
    let mac_key = Blake2s256::new().chain_update(b"mac1----").chain_update(target.as_bytes()).finalize();
    let mut mac = <Blake2sMac<U16> as KeyInit>::new_from_slice(&mac_key).expect("32 bytes are a key");
    let end = message.len() - 32;
    Mac::update(&mut mac, &message[..end]);
    message[end..end + 16].copy_from_slice(&mac.finalize().into_bytes());
}

#[test]
fn a_thousand_unknown_keys_leave_nothing() {
    let mut world = World::new();
    world.set_pending();
    for number in 0..1000u16 {
        let mut private = [7; 32];
        private[..2].copy_from_slice(&number.to_le_bytes());
        let remote = PublicKey::from(*key(HUB_KEY).as_bytes());
        let mut stranger = Tunn::new(StaticSecret::from(private), remote, None, None, 1, None);
        let mut buffer = vec![0; 2048];
        let TunnResult::WriteToNetwork(initiation) = stranger.format_handshake_initiation(&mut buffer, false) else {
            panic!("one")
        };
        let from = SocketAddr::from((Ipv4Addr::from(0xc612_0000 + u32::from(number)), 1));
        world.hub.handle_datagram(from, initiation, world.now);
    }
    let stats = world.hub.stats();
    assert_eq!((stats.unknown_keys, stats.peers, stats.candidates, stats.stacks), (1000, 0, 0, 0));
    assert_eq!(world.hub.poll_transmit(), None);
}

#[test]
fn an_enrolment_peer_reaches_nothing() {
    let mut world = World::new();
    world.set_pending();
    let mut greedy = enrolment_link(ENROLMENT_PSK);
    greedy.allowed = vec!["10.10.0.0/16".parse().expect("a network")];
    let router = world.add_spoke(2, A, vec![greedy]);
    world.settle();
    let now = world.now;
    for to in [ROTATION, HUB, B] {
        world.spoke(router).ping(to, 0, now).expect("the spoke would send it");
    }
    let stream = world.spoke(router).connect(SocketAddrV4::new(HUB, 80), now).expect("the spoke would send it");
    world.settle();
    assert_eq!(world.hub.stats().enrolment_packets, 4);
    assert_eq!((world.hub.stats().stacks, world.spoke(router).poll_net_event()), (0, None));
    assert_eq!(world.spoke(router).stream_state(stream), StreamState::Connecting);
}

proptest! {
    #[test]
    fn no_datagram_panics(kind in 0u8..6, index in any::<u32>(), bytes in prop::collection::vec(any::<u8>(), 0..2100), length in 0usize..8) {
        let mut world = World::new();
        world.join(2, A);
        world.set_pending();
        let mut datagram = bytes;
        // Random lengths are seldom the lengths that are looked at.
        if let Some(length) = [148usize, 92, 64, 32, 33].get(length) {
            datagram.resize(*length, 0);
        }
        if datagram.len() >= 12 {
            datagram[..4].copy_from_slice(&u32::from(kind).to_le_bytes());
            datagram[4..8].copy_from_slice(&index.to_le_bytes());
        }
        world.hub.handle_datagram(at(1), &datagram, world.now);
        // Once more with the index of a session that lives.
        let known = world.seen.iter().find(|(_, bytes)| matches!(Header::parse(bytes), Some(Header::Data(_)))).expect("one").1.clone();
        if datagram.len() >= 12 {
            datagram[4..8].copy_from_slice(&known[4..8]);
            datagram[8..12].copy_from_slice(&known[4..8]);
        }
        world.hub.handle_datagram(at(1), &datagram, world.now);
        world.spoke(at(2)).handle_datagram(at(1), &datagram, start());
        world.settle();
        prop_assert!(world.hub.peer(A, world.now).expect("it is a peer").endpoint == Some(at(2)));
    }
}
