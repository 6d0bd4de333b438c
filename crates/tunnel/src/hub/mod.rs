//! The hub: many routers dial it, none reaches another.
//!
//! Sans-IO: datagrams, times and calls go in; datagrams, events and the next time come out. After every call the owner
//! drains [`Node::poll_transmit`] and the event queues, and asks [`Node::poll_timeout`] when to call [`Node::handle_timeout`].

mod enrol;
mod path;
#[cfg(test)]
mod tests;
mod timers;
mod types;

pub use types::{HubConfig, HubEvent, HubStats, Limits, Peer, PeerError, PeerStatus, Pending, PendingId};

use crate::boring::BoringEngine;
use crate::engine::{Engine, MAX_DATAGRAM, TunnelSetup};
use crate::flap::FlapGuard;
use crate::limit::{Bucket, SourceBuckets};
use crate::net::{Net, NetConfig};
use crate::node::Node;
use crate::slots::Slots;
use crate::{Rng, Transmit, clamp_mtu};
use enrol::{Candidate, PendingState};
use model::{Secret, WgPublicKey};
use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

/// Events that wait to be fetched; beyond, the oldest is dropped and counted.
const EVENTS_MAX: usize = 4096;
/// Datagrams that wait to be sent; beyond, new ones are dropped and counted, as a full socket would.
const TRANSMITS_MAX: usize = 4096;

#[derive(Debug)]
struct PeerState<T> {
    public_key: WgPublicKey,
    preshared_key: Secret<[u8; 32]>,
    address: Ipv4Addr,
    tunnel: T,
    endpoint: Option<SocketAddr>,
    /// It has, or may have, a session or a handshake: its timers run.
    live: bool,
    /// It waits to be called, in its turn or at once.
    queued: bool,
    urgent: bool,
    up: bool,
    /// Its handshake was answered, and its first packet is awaited.
    fresh: bool,
    heard: Option<Instant>,
    handshake: Option<Instant>,
    replays: u32,
    flap: FlapGuard,
    rx_bytes: u64,
    tx_bytes: u64,
}

#[derive(Debug)]
enum Slot<T> {
    Peer(Box<PeerState<T>>),
    Candidate(Box<Candidate<T>>),
}

/// Many peers behind one UDP endpoint.
#[derive(Debug)]
pub struct Hub<E: Engine = BoringEngine> {
    config: HubConfig,
    main: E,
    slots: Slots<Slot<E::Tunnel>>,
    by_key: BTreeMap<WgPublicKey, usize>,
    by_address: BTreeMap<Ipv4Addr, usize>,
    pending: BTreeMap<PendingId, PendingState<E>>,
    net: Net,
    sources: SourceBuckets,
    scans: Bucket,
    unknown: Bucket,
    calls: VecDeque<Ipv4Addr>,
    next_call: Instant,
    next_tick: Instant,
    next_second: Instant,
    rng: Rng,
    scratch: Vec<u8>,
    transmits: VecDeque<Transmit>,
    events: VecDeque<HubEvent>,
    stats: HubStats,
}

impl<E: Engine> Hub<E> {
    /// Makes a hub without peers. `seed` must be random: session indexes, TCP sequence numbers and jitter come from it.
    #[must_use]
    pub fn new(config: HubConfig, seed: u64, now: Instant) -> Self {
        let mut rng = Rng::new(seed);
        let limits = &config.limits;
        let net = NetConfig {
            local: config.supernet.hub(),
            mtu: clamp_mtu(config.mtu),
            stream_buffer: limits.stream_buffer,
            streams_per_remote: limits.streams_per_peer,
        };
        Self {
            main: E::new(&config.private_key, limits.handshakes_per_s),
            slots: Slots::new(rng.next()),
            by_key: BTreeMap::new(),
            by_address: BTreeMap::new(),
            pending: BTreeMap::new(),
            net: Net::new(net, rng.next(), now),
            sources: SourceBuckets::new(limits.per_source, now),
            scans: Bucket::full(limits.scans, now),
            unknown: Bucket::full(path::UNKNOWN_EVENTS, now),
            calls: VecDeque::new(),
            next_call: now,
            next_tick: now,
            next_second: now,
            rng,
            scratch: vec![0; MAX_DATAGRAM + 64],
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            stats: HubStats::default(),
            config,
        }
    }

    /// Returns the public half of the main key.
    #[must_use]
    pub fn public_key(&self) -> WgPublicKey {
        self.main.public_key()
    }

    /// Adds a lasting peer, or renews it; with an endpoint, the hub calls it. Setting the same again changes nothing, and a peer
    /// that is up keeps the endpoint that it has proven.
    ///
    /// # Errors
    ///
    /// When the address or the key is another peer's, the address cannot be a router's, or the hub is full.
    pub fn set_peer(&mut self, peer: Peer, now: Instant) -> Result<(), PeerError> {
        self.check_peer(&peer)?;
        let place = if let Some(place) = self.by_address.get(&peer.address).copied() {
            let Some(Slot::Peer(state)) = self.slots.get_mut(place) else { return Ok(()) };
            if !state.up && peer.endpoint.is_some() {
                state.endpoint = peer.endpoint;
            }
            if state.preshared_key != peer.preshared_key {
                state.preshared_key = peer.preshared_key;
                self.renew_tunnel(place);
            }
            place
        } else {
            let (_, index) = self.slots.vacant();
            let setup =
                TunnelSetup { remote: peer.public_key, preshared_key: Some(&peer.preshared_key), keepalive_secs: None, index };
            let tunnel = self.main.tunnel(&setup);
            let (public_key, address) = (peer.public_key, peer.address);
            let place = self.slots.insert(Slot::Peer(Box::new(PeerState::new(peer, tunnel))));
            self.by_key.insert(public_key, place);
            self.by_address.insert(address, place);
            place
        };
        self.request_call(place, false);
        self.drain(now);
        Ok(())
    }

    fn check_peer(&self, peer: &Peer) -> Result<(), PeerError> {
        let (address, public_key) = (peer.address, peer.public_key);
        let supernet = &self.config.supernet;
        if !supernet.network().contains(address) || supernet.reserved().contains(address) {
            return Err(PeerError::BadAddress(address));
        }
        if public_key == self.main.public_key() {
            return Err(PeerError::OwnKey);
        }
        let owner = |place: Option<&usize>| match place.and_then(|place| self.slots.get(*place)) {
            Some(Slot::Peer(state)) => Some((state.address, state.public_key)),
            Some(Slot::Candidate(_)) | None => None,
        };
        match (owner(self.by_address.get(&address)), owner(self.by_key.get(&public_key))) {
            (Some((_, taken_by)), _) if taken_by != public_key => Err(PeerError::AddressTaken { address, taken_by }),
            (_, Some((taken_by, _))) if taken_by != address => Err(PeerError::KeyTaken { public_key, taken_by }),
            (None, None) if self.by_address.len() >= self.config.limits.peers => Err(PeerError::Full(self.config.limits.peers)),
            _ => Ok(()),
        }
    }

    /// Removes a lasting peer; its connections are reset. Returns false if there was none.
    pub fn remove_peer(&mut self, address: Ipv4Addr) -> bool {
        let Some(place) = self.by_address.remove(&address) else { return false };
        if let Some(Slot::Peer(state)) = self.slots.remove(place) {
            self.by_key.remove(&state.public_key);
        }
        self.net.forget(address);
        true
    }

    /// Lets a router enrol. Setting the same again changes nothing.
    ///
    /// # Errors
    ///
    /// When the hub has as many pending enrolments as it may.
    pub fn set_pending(&mut self, pending: &Pending) -> Result<(), PeerError> {
        let state = PendingState::new(pending);
        match self.pending.get(&pending.id) {
            Some(known) if known.same_as(&state) => return Ok(()),
            Some(_) => self.remove_pending(pending.id),
            None if self.pending.len() >= self.config.limits.pending => return Err(PeerError::Full(self.config.limits.pending)),
            None => false,
        };
        self.pending.insert(pending.id, state);
        Ok(())
    }

    /// Ends an enrolment. Returns false if there was none.
    pub fn remove_pending(&mut self, id: PendingId) -> bool {
        let Some(state) = self.pending.remove(&id) else { return false };
        for place in state.candidates() {
            self.slots.remove(*place);
        }
        true
    }

    /// Begins a handshake with a peer soon, if it has an endpoint and no session. Returns false if there is no such peer.
    pub fn call(&mut self, address: Ipv4Addr) -> bool {
        let Some(place) = self.by_address.get(&address).copied() else { return false };
        self.request_call(place, true);
        true
    }

    /// Lists the lasting peers by address.
    #[must_use]
    pub fn peers(&self, now: Instant) -> Vec<PeerStatus> {
        self.by_address.keys().filter_map(|address| self.peer(*address, now)).collect()
    }

    /// Describes one lasting peer.
    #[must_use]
    pub fn peer(&self, address: Ipv4Addr, now: Instant) -> Option<PeerStatus> {
        let Some(Slot::Peer(peer)) = self.slots.get(*self.by_address.get(&address)?) else { return None };
        Some(PeerStatus {
            address,
            public_key: peer.public_key,
            endpoint: peer.endpoint,
            up: peer.up,
            last_handshake: peer.handshake.map(|at| now.saturating_duration_since(at)),
            rx_bytes: peer.rx_bytes,
            tx_bytes: peer.tx_bytes,
        })
    }

    /// Returns counters and present sizes.
    #[must_use]
    pub fn stats(&self) -> HubStats {
        let up = |place: &usize| matches!(self.slots.get(*place), Some(Slot::Peer(peer)) if peer.up);
        HubStats {
            inner_dropped: self.net.dropped,
            peers: self.by_address.len(),
            peers_up: self.by_address.values().filter(|place| up(place)).count(),
            pending: self.pending.len(),
            candidates: self.slots.len() - self.by_address.len(),
            stacks: self.net.stacks(),
            ..self.stats
        }
    }

    fn emit(&mut self, event: HubEvent) {
        if self.events.len() >= EVENTS_MAX {
            self.events.pop_front();
            self.stats.events_dropped += 1;
        }
        self.events.push_back(event);
    }

    /// Queues what stands at the start of the scratch buffer.
    fn transmit(&mut self, to: SocketAddr, len: usize) {
        if self.transmits.len() >= TRANSMITS_MAX {
            self.stats.queue_full += 1;
        } else {
            self.transmits.push_back(Transmit { to, payload: self.scratch[..len].to_vec() });
        }
    }
}

impl<E: Engine> Node for Hub<E> {
    type Event = HubEvent;

    fn handle_datagram(&mut self, from: SocketAddr, datagram: &[u8], now: Instant) {
        self.stats.datagrams_in += 1;
        // After a pause of the whole program, timers must run before sessions are made.
        self.run_timers(now);
        self.dispatch(from, datagram, now);
        self.flush(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.run_timers(now);
        self.net.handle_timeout(now);
        self.flush(now);
    }

    fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let tick = Some((self.next_tick, "tick"));
        let call = (!self.calls.is_empty()).then_some((self.next_call, "call"));
        let stack = self.net.poll_timeout().map(|at| (at, "stack"));
        [tick, call, stack].into_iter().flatten().min()
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        let transmit = self.transmits.pop_front();
        self.stats.datagrams_out += u64::from(transmit.is_some());
        transmit
    }

    fn poll_event(&mut self) -> Option<HubEvent> {
        self.events.pop_front()
    }

    fn net_mut(&mut self) -> &mut Net {
        &mut self.net
    }

    fn reaches(&self, address: Ipv4Addr) -> bool {
        self.by_address.contains_key(&address)
    }

    fn flush(&mut self, now: Instant) {
        self.drain(now);
    }
}

impl<T> PeerState<T> {
    fn new(peer: Peer, tunnel: T) -> Self {
        Self {
            public_key: peer.public_key,
            preshared_key: peer.preshared_key,
            address: peer.address,
            tunnel,
            endpoint: peer.endpoint,
            live: false,
            queued: false,
            urgent: false,
            up: false,
            fresh: false,
            heard: None,
            handshake: None,
            replays: 0,
            flap: FlapGuard::default(),
            rx_bytes: 0,
            tx_bytes: 0,
        }
    }
}
