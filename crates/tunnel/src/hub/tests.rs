//! Goal: the hub's own logic, under virtual time and without cryptography.
//! Method: a fake engine on both sides, and a world that carries datagrams between addresses and moves the clock.

use super::*;
use crate::engine::Header;
use crate::fake::{FakeEngine, fake_public, initiation, start};
use crate::net::NetEvent;
use crate::spoke::{Spoke, SpokeConfig, SpokePeer};
use ipnetwork::Ipv4Network;
use std::net::SocketAddrV4;
use std::time::Duration;

const HUB_KEY: [u8; 32] = [1; 32];
const PSK: [u8; 32] = [9; 32];
const HUB_AT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)), 51820);
const HUB_INSIDE: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 1);

fn router_key(number: u16) -> [u8; 32] {
    let mut key = [7; 32];
    key[..2].copy_from_slice(&number.to_le_bytes());
    key
}

fn inside(number: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 10, 1, 0)) + u32::from(number))
}

fn outside(number: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 18, 0, 0)) + u32::from(number)), 40000))
}

fn peer(number: u16, endpoint: Option<SocketAddr>) -> Peer {
    Peer { public_key: fake_public(router_key(number)), preshared_key: Secret::new(PSK), address: inside(number), endpoint }
}

fn pending(number: u8) -> Pending {
    Pending { id: [number; 16], hub_private_key: Secret::new([100 + number; 32]), preshared_key: Secret::new([number; 32]) }
}

fn link(hub_private: [u8; 32], psk: [u8; 32], allowed: Ipv4Addr) -> SpokePeer {
    SpokePeer {
        public_key: fake_public(hub_private),
        preshared_key: Some(Secret::new(psk)),
        allowed: vec![Ipv4Network::from(allowed)],
        endpoint: Some(HUB_AT),
        keepalive_secs: 25,
    }
}

struct World {
    hub: Hub<FakeEngine>,
    spokes: BTreeMap<SocketAddr, Spoke<FakeEngine>>,
    now: Instant,
    events: Vec<HubEvent>,
    inner: Vec<NetEvent>,
    /// Initiations that the hub sent: when and where to.
    calls: Vec<(Instant, SocketAddr)>,
}

impl World {
    fn new() -> Self {
        Self::with(HubConfig::new(Secret::new(HUB_KEY)))
    }

    fn with(config: HubConfig) -> Self {
        let now = start();
        let hub = Hub::new(config, 42, now);
        Self { hub, spokes: BTreeMap::new(), now, events: Vec::new(), inner: Vec::new(), calls: Vec::new() }
    }

    fn add_spoke(&mut self, number: u16, peers: Vec<SpokePeer>) {
        let config = SpokeConfig::new(Secret::new(router_key(number)), inside(number));
        let mut spoke = Spoke::new(&config, u64::from(number), self.now);
        spoke.set_peers(peers, self.now);
        self.spokes.insert(outside(number), spoke);
    }

    /// A router whose lasting peer is up.
    fn join(&mut self, number: u16) {
        self.hub.set_peer(peer(number, None), self.now).expect("a new peer");
        self.add_spoke(number, vec![link(HUB_KEY, PSK, HUB_INSIDE)]);
        self.settle();
        assert_eq!(self.take_events().len(), 1);
    }

    /// Carries datagrams until none is left, without time passing.
    fn settle(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(transmit) = self.hub.poll_transmit() {
                quiet = false;
                if Header::parse(&transmit.payload) == Some(Header::Initiation) {
                    self.calls.push((self.now, transmit.to));
                }
                if let Some(spoke) = self.spokes.get_mut(&transmit.to) {
                    spoke.handle_datagram(HUB_AT, &transmit.payload, self.now);
                }
            }
            for (at, spoke) in &mut self.spokes {
                while let Some(transmit) = spoke.poll_transmit() {
                    quiet = false;
                    self.hub.handle_datagram(*at, &transmit.payload, self.now);
                }
            }
            if quiet {
                break;
            }
        }
        self.events.extend(std::iter::from_fn(|| self.hub.poll_event()));
        self.inner.extend(std::iter::from_fn(|| self.hub.poll_net_event()));
        while self.hub.poll_woken().is_some() {}
    }

    /// Lets time pass, from one due time to the next.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.settle();
        loop {
            let spokes = self.spokes.values().filter_map(|spoke| spoke.poll_timeout());
            let (next, _) = spokes.chain(self.hub.poll_timeout()).min().expect("the hub always ticks");
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            self.hub.handle_timeout(self.now);
            for spoke in self.spokes.values_mut() {
                spoke.handle_timeout(self.now);
            }
            self.settle();
        }
        self.now = end;
    }

    fn take_events(&mut self) -> Vec<HubEvent> {
        std::mem::take(&mut self.events)
    }
}

const fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn after_a_restart_calls_are_paced_and_nobody_without_endpoint_is_called() {
    let mut world = World::new();
    for number in 0..1000 {
        let endpoint = (number % 10 != 0).then(|| outside(number));
        world.hub.set_peer(peer(number, endpoint), world.now).expect("a new peer");
    }
    let began = world.now;
    world.pass(secs(4));
    let within =
        |from: u64, to: u64| world.calls.iter().filter(|(at, _)| *at >= began + secs(from) && *at < began + secs(to)).count();
    assert!((200..=500).contains(&within(0, 1)), "{}", within(0, 1));
    assert!((200..=500).contains(&within(1, 2)), "{}", within(1, 2));
    let called: std::collections::BTreeSet<_> = world.calls.iter().map(|(_, to)| *to).collect();
    assert_eq!(called.len(), 900);
    assert!(!called.contains(&outside(10)));
}

#[test]
fn a_call_is_repeated_for_90_seconds_and_then_given_up() {
    let mut world = World::new();
    world.hub.set_peer(peer(1, Some(outside(1))), world.now).expect("a new peer");
    world.pass(secs(600));
    assert_eq!(world.calls.len(), 18);
    assert!(world.calls[17].0 - world.calls[0].0 <= secs(90));
}

#[test]
fn who_is_waited_for_is_called_before_the_queue() {
    let mut world = World::new();
    for number in 0..1000 {
        world.hub.set_peer(peer(number, Some(outside(number))), world.now).expect("a new peer");
    }
    // The last in the queue would have its turn after three seconds.
    world.hub.connect(SocketAddrV4::new(inside(999), 8728), world.now).expect("it is a peer");
    world.hub.set_peer(peer(2000, None), world.now).expect("a new peer");
    world.hub.connect(SocketAddrV4::new(inside(2000), 8728), world.now).expect("it is a peer");
    world.pass(Duration::from_millis(100));
    assert!(world.calls.len() < 100 && world.calls.iter().any(|(_, to)| *to == outside(999)));
    world.pass(secs(4));
    assert!(!world.calls.iter().any(|(_, to)| *to == outside(2000)), "nobody knows where it is");
    let again = world.calls.iter().filter(|(_, to)| *to == outside(999)).count();
    assert_eq!(again, 1, "its place in the queue is void");
}

#[test]
fn up_and_down() {
    let mut world = World::new();
    world.join(1);
    world.pass(secs(600));
    assert_eq!(world.take_events(), []);
    let mut spoke = world.spokes.remove(&outside(1)).expect("it was added");
    world.pass(secs(181));
    assert_eq!(world.take_events(), [HubEvent::PeerDown { address: inside(1), public_key: fake_public(router_key(1)) }]);
    spoke.handle_timeout(world.now);
    world.spokes.insert(outside(1), spoke);
    world.pass(secs(30));
    assert!(matches!(world.take_events()[..], [HubEvent::PeerUp { .. }]));
}

#[test]
fn an_endpoint_moves_with_data_only() {
    let mut world = World::new();
    world.join(1);
    // Anyone can repeat or forge an initiation from elsewhere.
    let key = fake_public(router_key(1));
    world.hub.handle_datagram(outside(99), &initiation(fake_public(HUB_KEY), key, key, 77, u64::MAX), world.now);
    world.settle();
    assert_eq!(world.hub.peer(inside(1), world.now).expect("it is a peer").endpoint, Some(outside(1)));
    assert_eq!(world.take_events(), []);
    // The router itself moves: its next keepalive tells.
    let spoke = world.spokes.remove(&outside(1)).expect("it was added");
    world.spokes.insert(outside(2), spoke);
    world.pass(secs(26));
    assert_eq!(world.take_events(), [HubEvent::EndpointChanged { address: inside(1), from: outside(1), to: outside(2) }]);
}

#[test]
fn two_routers_with_one_key_are_an_alarm() {
    let mut world = World::new();
    world.join(1);
    for turn in 1..8u16 {
        let (from, to) = (outside(2 - turn % 2), outside(1 + turn % 2));
        let spoke = world.spokes.remove(&from).expect("it is there");
        world.spokes.insert(to, spoke);
        world.spokes.get_mut(&to).expect("it is there").ping(HUB_INSIDE, 0, world.now).expect("the hub is reachable");
        world.pass(secs(1));
    }
    let alarms = world.take_events().into_iter().filter(|event| matches!(event, HubEvent::DuplicateKey { .. })).count();
    assert_eq!(alarms, 1);
}

#[test]
fn a_clock_that_was_set_back_is_named_and_forgiven_after_silence() {
    let mut world = World::new();
    world.join(1);
    let key = fake_public(router_key(1));
    world.spokes.clear();
    let knock = |world: &mut World, stamp: u64| {
        let message = initiation(fake_public(HUB_KEY), key, key, 5, stamp);
        world.hub.handle_datagram(outside(1), &message, world.now);
        world.settle();
        world.take_events().contains(&HubEvent::ClockBehind { address: inside(1) })
    };
    for stamp in 1..10 {
        assert!(!knock(&mut world, stamp), "a session may still live");
    }
    world.pass(secs(181));
    assert!(knock(&mut world, 10));
    assert!(!knock(&mut world, 11), "its clock is accepted now");
    assert_eq!(world.hub.stats().replays, 10);
}

#[test]
fn a_stack_is_made_when_needed_and_dropped_when_idle() {
    let mut world = World::new();
    world.join(1);
    assert_eq!(world.hub.stats().stacks, 0);
    let spoke = world.spokes.get_mut(&outside(1)).expect("it was added");
    spoke.listen(8728).expect("a free port");
    let stream = world.hub.connect(SocketAddrV4::new(inside(1), 8728), world.now).expect("it is a peer");
    world.settle();
    assert_eq!(world.hub.stream_state(stream), crate::StreamState::Open);
    world.pass(secs(120));
    assert_eq!(world.hub.stats().stacks, 1);
    world.hub.finish(stream);
    world.hub.release(stream, world.now);
    world.hub.flush(world.now);
    world.pass(secs(62));
    assert_eq!(world.hub.stats().stacks, 0);
}

#[test]
fn a_source_has_its_share_and_all_together_a_limit() {
    let mut world = World::new();
    let unknown = fake_public(router_key(5000));
    let message = initiation(fake_public(HUB_KEY), unknown, unknown, 1, 1);
    for _ in 0..1000 {
        world.hub.handle_datagram(outside(1), &message, world.now);
    }
    let stats = world.hub.stats();
    assert_eq!((stats.unknown_keys, stats.over_source_limit), (400, 600));
    for number in 0..3000 {
        world.hub.handle_datagram(outside(number), &message, world.now);
    }
    assert_eq!(world.hub.stats().cookies, 2000);
    assert_eq!(std::iter::from_fn(|| world.hub.poll_transmit()).count(), 2000);
    world.pass(secs(1));
    world.hub.handle_datagram(outside(9), &message, world.now);
    assert_eq!(world.hub.stats().cookies, 2000, "the next second is a new one");
}

#[test]
fn pending_keys_are_compared_within_a_budget() {
    let mut world = World::new();
    for number in 0..100 {
        world.hub.set_pending(&pending(number)).expect("there is room");
    }
    let nobody = fake_public([200; 32]);
    for number in 0..3000 {
        world.hub.handle_datagram(outside(number), &initiation(nobody, nobody, nobody, 1, 1), world.now);
    }
    let stats = world.hub.stats();
    assert_eq!((stats.foreign, stats.over_scan_limit, stats.candidates), (500, 2500, 0));
}

#[test]
fn a_thousand_unknown_keys_leave_nothing() {
    let mut world = World::new();
    for number in 0..1000 {
        let key = fake_public(router_key(number));
        world.hub.handle_datagram(outside(number), &initiation(fake_public(HUB_KEY), key, key, 1, 1), world.now);
    }
    world.settle();
    let stats = world.hub.stats();
    assert_eq!((stats.unknown_keys, stats.peers, stats.candidates, stats.stacks), (1000, 0, 0, 0));
    assert_eq!(world.take_events().len(), 20, "reports are limited");
    assert_eq!(world.hub.slots.places(), 0);
}

#[test]
fn the_life_of_an_enrolment() {
    let mut world = World::new();
    world.hub.set_pending(&pending(3)).expect("there is room");
    world.add_spoke(1, vec![link([103; 32], [3; 32], Ipv4Addr::new(10, 10, 0, 2))]);
    world.settle();
    let (id, public_key) = ([3; 16], fake_public(router_key(1)));
    assert_eq!(world.take_events(), [HubEvent::EnrolmentProven { id, public_key, endpoint: outside(1) }]);

    // Another router with the same block comes second, and is named once.
    world.add_spoke(2, vec![link([103; 32], [3; 32], Ipv4Addr::new(10, 10, 0, 2))]);
    world.pass(secs(30));
    let second = fake_public(router_key(2));
    assert_eq!(world.take_events(), [HubEvent::EnrolmentConflict { id, public_key: second, endpoint: outside(2) }]);

    // The hub calls the router by the lasting peer; afterwards the enrolment is gone without a trace.
    world.spokes.remove(&outside(2));
    let both = vec![link([103; 32], [3; 32], Ipv4Addr::new(10, 10, 0, 2)), link(HUB_KEY, PSK, HUB_INSIDE)];
    let now = world.now;
    world.spokes.get_mut(&outside(1)).expect("it was added").set_peers(both, now);
    world.hub.set_peer(peer(1, Some(outside(1))), now).expect("a new peer");
    world.pass(secs(1));
    assert!(world.take_events().iter().any(|event| matches!(event, HubEvent::PeerUp { .. })));
    assert!(world.hub.remove_pending(id));
    assert_eq!((world.hub.stats().candidates, world.hub.stats().pending), (0, 0));
    assert!(!world.hub.remove_pending(id));
}

#[test]
fn a_wrong_preshared_key_is_unproven_and_forgotten() {
    let mut world = World::new();
    world.hub.set_pending(&pending(3)).expect("there is room");
    world.add_spoke(1, vec![link([103; 32], [99; 32], Ipv4Addr::new(10, 10, 0, 2))]);
    world.pass(secs(9));
    assert_eq!(world.take_events(), []);
    world.pass(secs(2));
    let (id, public_key) = ([3; 16], fake_public(router_key(1)));
    assert_eq!(world.take_events(), [HubEvent::EnrolmentUnproven { id, public_key, endpoint: outside(1) }]);
    world.spokes.clear();
    world.pass(secs(100));
    assert_eq!((world.take_events().len(), world.hub.stats().candidates), (0, 0));
}

#[test]
fn a_forged_claim_keeps_no_state_and_candidates_are_few() {
    let mut world = World::new();
    world.hub.set_pending(&pending(3)).expect("there is room");
    let hub_key = fake_public([103; 32]);
    let (victim, forger) = (fake_public(router_key(1)), fake_public(router_key(2)));
    world.hub.handle_datagram(outside(2), &initiation(hub_key, victim, forger, 1, 1), world.now);
    assert_eq!((world.hub.stats().candidates, world.hub.stats().refused), (0, 1));
    assert_eq!(world.hub.poll_transmit(), None);
    for number in 0..20 {
        let key = fake_public(router_key(number));
        world.hub.handle_datagram(outside(number), &initiation(hub_key, key, key, 1, 1), world.now);
        world.pass(Duration::from_millis(10));
    }
    assert_eq!(world.hub.stats().candidates, 4);
    assert!(world.hub.slots.places() <= 5);
}

#[test]
fn events_nobody_fetches_are_bounded() {
    let mut world = World::new();
    for number in 0..5000u32 {
        let endpoint = SocketAddr::from((Ipv4Addr::from(number), 1));
        world.hub.emit(HubEvent::UnknownPeer { public_key: fake_public([5; 32]), endpoint });
    }
    assert_eq!(world.hub.stats().events_dropped, 5000 - EVENTS_MAX as u64);
    assert_eq!(std::iter::from_fn(|| world.hub.poll_event()).count(), EVENTS_MAX);
}

#[test]
fn a_spoke_routes_by_the_peer_that_was_set_last() {
    let now = start();
    let mut spoke: Spoke<FakeEngine> = Spoke::new(&SpokeConfig::new(Secret::new(router_key(1)), inside(1)), 1, now);
    let (first, thief) = (link(HUB_KEY, PSK, HUB_INSIDE), link([50; 32], PSK, HUB_INSIDE));
    spoke.set_peers(vec![first.clone()], now);
    assert!(spoke.reaches(HUB_INSIDE) && !spoke.reaches(inside(2)));
    spoke.set_peers(vec![first.clone(), thief], now);
    assert!(spoke.reaches(HUB_INSIDE));
    spoke.set_peers(vec![first], now);
    assert!(!spoke.reaches(HUB_INSIDE), "the thief's removal does not give the address back");
}

#[test]
fn the_limits_of_peers_and_enrolments_hold() {
    let mut config = HubConfig::new(Secret::new(HUB_KEY));
    (config.limits.peers, config.limits.pending) = (2, 2);
    let mut world = World::with(config);
    for number in 0..2 {
        world.hub.set_peer(peer(number, None), world.now).expect("there is room");
        world.hub.set_pending(&pending(number as u8)).expect("there is room");
    }
    assert_eq!(world.hub.set_peer(peer(3, None), world.now), Err(PeerError::Full(2)));
    assert_eq!(world.hub.set_pending(&pending(3)), Err(PeerError::Full(2)));
    world.hub.set_peer(peer(1, None), world.now).expect("the same peer again");
    world.hub.set_pending(&pending(1)).expect("the same enrolment again");
    assert!(world.hub.remove_peer(inside(1)) && !world.hub.remove_peer(inside(1)));
    world.hub.set_peer(peer(3, None), world.now).expect("there is room again");
}
