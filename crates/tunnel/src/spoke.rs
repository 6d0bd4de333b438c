//! The spoke: a router's side, with peers as RouterOS configures them.

use crate::TICK;
use crate::boring::BoringEngine;
use crate::engine::{Admission, Engine, Header, MAX_DATAGRAM, Outcome, Tick, Tunnel, TunnelSetup};
use crate::net::{Net, NetConfig, addresses};
use crate::node::Node;
use crate::{Rng, Transmit, clamp_mtu};
use ipnetwork::Ipv4Network;
use model::{Secret, WgPublicKey};
use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// Peers that a spoke may have; more are cut off.
const PEERS_MAX: usize = 64;
const TRANSMITS_MAX: usize = 4096;
/// Handshake messages a second beyond which senders need a cookie.
const HANDSHAKES_PER_S: u64 = 100;

/// How a spoke is set up.
#[derive(Debug, Clone)]
pub struct SpokeConfig {
    /// Its private key.
    pub private_key: Secret<[u8; 32]>,
    /// Its inner address; it may change later.
    pub address: Ipv4Addr,
    /// Largest inner packet (bytes, 576 to 1500; others are brought into this range).
    pub mtu: usize,
    /// TCP connections with one remote address.
    pub streams_per_remote: usize,
    /// Buffer of a TCP connection in each direction (bytes).
    pub stream_buffer: usize,
}

impl SpokeConfig {
    /// Takes the defaults for everything but key and address: MTU 1420.
    #[must_use]
    pub fn new(private_key: Secret<[u8; 32]>, address: Ipv4Addr) -> Self {
        Self { private_key, address, mtu: 1420, streams_per_remote: 64, stream_buffer: 64 * 1024 }
    }
}

/// A peer as a router has it in `/interface/wireguard/peers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpokePeer {
    /// Its key.
    pub public_key: WgPublicKey,
    /// The key that both know beforehand.
    pub preshared_key: Option<Secret<[u8; 32]>>,
    /// Inner addresses that are sent to it and accepted from it.
    pub allowed: Vec<Ipv4Network>,
    /// Where it is.
    pub endpoint: Option<SocketAddr>,
    /// Seconds between keepalives; 0 for none, then the spoke calls only when it has something to say.
    pub keepalive_secs: u16,
}

/// A spoke's peer as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpokePeerStatus {
    /// Its key.
    pub public_key: WgPublicKey,
    /// Where it was last seen.
    pub endpoint: Option<SocketAddr>,
    /// Time since the last completed handshake.
    pub last_handshake: Option<Duration>,
    /// UDP payload received from it (bytes).
    pub rx_bytes: u64,
    /// UDP payload sent to it (bytes).
    pub tx_bytes: u64,
}

#[derive(Debug)]
struct Link<T> {
    peer: SpokePeer,
    index: u32,
    tunnel: T,
    endpoint: Option<SocketAddr>,
    fresh: bool,
    handshake: Option<Instant>,
    rx_bytes: u64,
    tx_bytes: u64,
}

/// One router's WireGuard interface.
#[derive(Debug)]
pub struct Spoke<E: Engine = BoringEngine> {
    engine: E,
    links: Vec<Link<E::Tunnel>>,
    /// Who has which network: the peer that was configured last, until it is gone; it does not fall back.
    routes: BTreeMap<Ipv4Network, WgPublicKey>,
    net: Net,
    next_index: u32,
    next_tick: Instant,
    next_second: Instant,
    scratch: Vec<u8>,
    transmits: VecDeque<Transmit>,
    refused: u64,
}

impl<E: Engine> Spoke<E> {
    /// Makes a spoke without peers. `seed` must be random: session indexes and TCP sequence numbers come from it.
    #[must_use]
    pub fn new(config: &SpokeConfig, seed: u64, now: Instant) -> Self {
        let mut rng = Rng::new(seed);
        let net = NetConfig {
            local: config.address,
            mtu: clamp_mtu(config.mtu),
            stream_buffer: config.stream_buffer,
            streams_per_remote: config.streams_per_remote,
        };
        Self {
            engine: E::new(&config.private_key, HANDSHAKES_PER_S),
            links: Vec::new(),
            routes: BTreeMap::new(),
            net: Net::new(net, rng.next(), now),
            next_index: (rng.next() >> 40) as u32,
            next_tick: now,
            next_second: now,
            scratch: vec![0; MAX_DATAGRAM + 64],
            transmits: VecDeque::new(),
            refused: 0,
        }
    }

    /// Returns the public half of its key.
    #[must_use]
    pub fn public_key(&self) -> WgPublicKey {
        self.engine.public_key()
    }

    /// Changes the inner address; connections of the old one are reset.
    pub fn set_address(&mut self, address: Ipv4Addr) {
        self.net.set_local(address);
    }

    /// Replaces the peers; one that stays as it was keeps its session. At most 64; of two with one key the first counts.
    ///
    /// A network goes to the peer that was added or changed last, as in the kernel: the thief's removal does not give it back.
    pub fn set_peers(&mut self, peers: Vec<SpokePeer>, now: Instant) {
        let mut before = std::mem::take(&mut self.links);
        self.routes.retain(|_, owner| peers.iter().any(|peer| peer.public_key == *owner));
        for peer in peers.into_iter().take(PEERS_MAX) {
            if peer.public_key == self.engine.public_key()
                || self.links.iter().any(|link| link.peer.public_key == peer.public_key)
            {
                continue;
            }
            let known = before.iter().position(|link| link.peer.public_key == peer.public_key).map(|at| before.swap_remove(at));
            if known.as_ref().is_none_or(|link| link.peer.allowed != peer.allowed) {
                self.routes.retain(|_, owner| *owner != peer.public_key);
                self.routes.extend(peer.allowed.iter().map(|network| (*network, peer.public_key)));
            }
            let link = match known {
                Some(link) if link.serves(&peer) => link.update(peer),
                _ => self.make_link(peer),
            };
            self.links.push(link);
            self.begin(self.links.len() - 1, now);
        }
        self.drain(now);
    }

    fn make_link(&mut self, peer: SpokePeer) -> Link<E::Tunnel> {
        self.next_index = self.next_index.wrapping_add(1) & 0x00ff_ffff;
        let index = self.next_index;
        let keepalive_secs = (peer.keepalive_secs > 0).then_some(peer.keepalive_secs);
        let preshared_key = peer.preshared_key.as_ref();
        let tunnel = self.engine.tunnel(&TunnelSetup { remote: peer.public_key, preshared_key, keepalive_secs, index });
        let endpoint = peer.endpoint;
        Link { peer, index, tunnel, endpoint, fresh: false, handshake: None, rx_bytes: 0, tx_bytes: 0 }
    }

    /// Lists the peers in the order they were given.
    #[must_use]
    pub fn peers(&self, now: Instant) -> Vec<SpokePeerStatus> {
        let status = |link: &Link<E::Tunnel>| SpokePeerStatus {
            public_key: link.peer.public_key,
            endpoint: link.endpoint,
            last_handshake: link.handshake.map(|at| now.saturating_duration_since(at)),
            rx_bytes: link.rx_bytes,
            tx_bytes: link.tx_bytes,
        };
        self.links.iter().map(status).collect()
    }

    /// Returns how many datagrams and inner packets were refused.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Starts a handshake with a peer that has keepalive and no session.
    fn begin(&mut self, at: usize, now: Instant) {
        let link = &self.links[at];
        if link.peer.keepalive_secs > 0 && !link.tunnel.has_session() {
            self.initiate(at, now);
        }
    }

    fn initiate(&mut self, at: usize, now: Instant) {
        let link = &mut self.links[at];
        if let Some(to) = link.endpoint
            && let Some(len) = link.tunnel.initiate(&mut self.scratch, now)
        {
            link.tx_bytes += len as u64;
            self.transmit(to, len);
        }
    }

    fn transmit(&mut self, to: SocketAddr, len: usize) {
        if self.transmits.len() < TRANSMITS_MAX {
            self.transmits.push_back(Transmit { to, payload: self.scratch[..len].to_vec() });
        }
    }

    fn addressee(&mut self, from: SocketAddr, datagram: &[u8]) -> Option<usize> {
        let header = Header::parse(datagram)?;
        if matches!(header, Header::Initiation | Header::Response(_)) {
            match self.engine.admit(from.ip(), datagram, &mut self.scratch) {
                Admission::Admitted => {}
                Admission::Foreign => return None,
                Admission::Cookie(len) => {
                    self.transmit(from, len);
                    return None;
                }
            }
        }
        match header {
            Header::Initiation => {
                let claimed = self.engine.claimed_key(datagram)?;
                self.links.iter().position(|link| link.peer.public_key == claimed)
            }
            Header::Response(index) | Header::Cookie(index) | Header::Data(index) => {
                self.links.iter().position(|link| link.index == index >> 8)
            }
        }
    }

    fn handle_link(&mut self, at: usize, from: SocketAddr, datagram: &[u8], now: Instant) {
        let link = &mut self.links[at];
        let outcome = link.tunnel.handle(datagram, &mut self.scratch, now);
        match outcome {
            Outcome::Respond(len) => {
                link.fresh = true;
                link.hear(from, datagram.len());
                link.tx_bytes += len as u64;
                self.transmit(from, len);
            }
            Outcome::Established(len) => {
                link.hear(from, datagram.len());
                link.handshake = Some(now);
                link.tx_bytes += len as u64;
                self.transmit(from, len);
                self.session_begins(at);
            }
            Outcome::Keepalive | Outcome::Packet(_) | Outcome::Unusable => {
                link.hear(from, datagram.len());
                if std::mem::replace(&mut link.fresh, false) {
                    link.handshake = Some(now);
                    self.session_begins(at);
                }
                if let Outcome::Packet(len) = outcome {
                    self.handle_inner(at, len, now);
                }
            }
            Outcome::Cookie => {}
            Outcome::Replay | Outcome::Refused => self.refused += 1,
        }
    }

    /// Lets out what waited for this peer's session.
    fn session_begins(&mut self, at: usize) {
        let key = self.links[at].peer.public_key;
        let waiting: Vec<Ipv4Addr> = self.net.remotes().filter(|remote| route(&self.routes, *remote) == Some(key)).collect();
        for remote in waiting {
            self.net.session_up(remote);
        }
    }

    /// Takes the inner packet at the start of the scratch buffer, if its source belongs to the peer and it is for us.
    fn handle_inner(&mut self, at: usize, len: usize, now: Instant) {
        let packet = &self.scratch[..len];
        let key = self.links[at].peer.public_key;
        match addresses(packet) {
            Some((source, destination)) if destination == self.net.local() && route(&self.routes, source) == Some(key) => {
                self.net.receive(source, packet, now);
            }
            _ => self.refused += 1,
        }
    }

    fn drain(&mut self, now: Instant) {
        while let Some(remote) = self.net.next_dirty() {
            let owner = route(&self.routes, remote);
            match self.links.iter().position(|link| Some(link.peer.public_key) == owner) {
                Some(at) => self.pump(remote, at, now),
                None => self.net.forget(remote),
            }
        }
    }

    fn pump(&mut self, remote: Ipv4Addr, at: usize, now: Instant) {
        let link = &mut self.links[at];
        let endpoint = link.endpoint.filter(|_| link.tunnel.has_session());
        let (transmits, scratch) = (&mut self.transmits, &mut self.scratch);
        let waits = self.net.pump(remote, endpoint.is_some(), now, |packet| {
            let (Some(to), Some(len)) = (endpoint, link.tunnel.send(packet, scratch, now)) else { return };
            link.tx_bytes += len as u64;
            if transmits.len() < TRANSMITS_MAX {
                transmits.push_back(Transmit { to, payload: scratch[..len].to_vec() });
            }
        });
        if waits {
            self.initiate(at, now);
        }
    }

    fn run_timers(&mut self, now: Instant) {
        if now >= self.next_second {
            self.next_second = now + Duration::from_secs(1);
            self.engine.next_second();
        }
        if now >= self.next_tick {
            self.next_tick = now + TICK;
            for at in 0..self.links.len() {
                self.tick(at, now);
            }
        }
    }

    fn tick(&mut self, at: usize, now: Instant) {
        let link = &mut self.links[at];
        match (link.tunnel.tick(&mut self.scratch, now), link.endpoint) {
            (Tick::Send(len), Some(to)) => {
                link.tx_bytes += len as u64;
                self.transmit(to, len);
            }
            // A router with keepalive tries for ever.
            (Tick::Expired, _) => self.begin(at, now),
            (Tick::Send(_), None) | (Tick::Idle, _) => {}
        }
    }
}

impl<E: Engine> Node for Spoke<E> {
    type Event = Infallible;

    fn handle_datagram(&mut self, from: SocketAddr, datagram: &[u8], now: Instant) {
        // After a pause of the whole program, timers must run before sessions are made.
        self.run_timers(now);
        if let Some(at) = self.addressee(from, datagram) {
            self.handle_link(at, from, datagram, now);
        } else {
            self.refused += 1;
        }
        self.drain(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.run_timers(now);
        self.net.handle_timeout(now);
        self.drain(now);
    }

    fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let stack = self.net.poll_timeout().map(|at| (at, "stack"));
        [Some((self.next_tick, "tick")), stack].into_iter().flatten().min()
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    fn poll_event(&mut self) -> Option<Infallible> {
        None
    }

    fn net_mut(&mut self) -> &mut Net {
        &mut self.net
    }

    fn reaches(&self, address: Ipv4Addr) -> bool {
        route(&self.routes, address).is_some()
    }

    fn flush(&mut self, now: Instant) {
        self.drain(now);
    }
}

impl<T> Link<T> {
    /// Says whether the noise state fits this configuration as well.
    fn serves(&self, peer: &SpokePeer) -> bool {
        self.peer.preshared_key == peer.preshared_key && self.peer.keepalive_secs == peer.keepalive_secs
    }

    fn update(mut self, peer: SpokePeer) -> Self {
        if self.peer.endpoint != peer.endpoint {
            self.endpoint = peer.endpoint;
        }
        self.peer = peer;
        self
    }

    fn hear(&mut self, from: SocketAddr, bytes: usize) {
        self.endpoint = Some(from);
        self.rx_bytes += bytes as u64;
    }
}

/// Finds the peer that has the longest matching network.
fn route(routes: &BTreeMap<Ipv4Network, WgPublicKey>, address: Ipv4Addr) -> Option<WgPublicKey> {
    routes
        .iter()
        .filter(|(network, _)| network.contains(address))
        .max_by_key(|(network, _)| network.prefix())
        .map(|(_, key)| *key)
}
