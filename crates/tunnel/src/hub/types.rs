//! What goes into the hub and what comes out of it.

use crate::limit::Rate;
use model::{Secret, Supernet, WgPublicKey};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// How a hub is set up.
#[derive(Debug, Clone)]
pub struct HubConfig {
    /// The main private key, which all routers know the public half of.
    pub private_key: Secret<[u8; 32]>,
    /// Where the routers' addresses and the hub's own come from.
    pub supernet: Supernet,
    /// Largest inner packet (bytes, 576 to 1500; others are brought into this range).
    pub mtu: usize,
    /// Bounds of everything.
    pub limits: Limits,
}

impl HubConfig {
    /// Takes the defaults for everything but the key: 10.10.0.0/16, MTU 1420.
    #[must_use]
    pub fn new(private_key: Secret<[u8; 32]>) -> Self {
        Self { private_key, supernet: Supernet::default(), mtu: 1420, limits: Limits::default() }
    }
}

/// Bounds of a hub.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Lasting peers.
    pub peers: usize,
    /// Pending enrolments.
    pub pending: usize,
    /// Handshake messages a second from all sources, beyond which a sender must prove its address by a cookie. 10,000
    /// routers need 83/s; a core answers 5,900/s.
    pub handshakes_per_s: u64,
    /// Handshake messages from one source; generous, because behind CGNAT many routers share an address.
    pub per_source: Rate,
    /// Initiations from all sources that may be compared with the pending enrolments' keys (0.24 µs a key each).
    pub scans: Rate,
    /// Handshakes a second that the hub begins by itself (10,000 routers: 33 s after a restart).
    pub calls_per_s: u32,
    /// Time without a first packet after which an enrolment's handshake counts as unproven.
    pub unproven_after: Duration,
    /// TCP connections with one router.
    pub streams_per_peer: usize,
    /// Buffer of a TCP connection in each direction (bytes).
    pub stream_buffer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            peers: 16_384,
            pending: 512,
            handshakes_per_s: 2_000,
            per_source: Rate { per_s: 200, burst: 400 },
            scans: Rate { per_s: 500, burst: 500 },
            calls_per_s: 300,
            unproven_after: Duration::from_secs(10),
            streams_per_peer: 32,
            stream_buffer: 64 * 1024,
        }
    }
}

/// A router's lasting peer.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The router's key, whose private half never leaves it.
    pub public_key: WgPublicKey,
    /// The key that both know beforehand.
    pub preshared_key: Secret<[u8; 32]>,
    /// The one inner address that it may use.
    pub address: Ipv4Addr,
    /// Where it was last seen; with one, the hub calls first.
    pub endpoint: Option<SocketAddr>,
}

/// Names an enrolment to the hub: the bytes of its UUID.
pub type PendingId = [u8; 16];

/// A permission to join, waiting for a router.
#[derive(Debug, Clone)]
pub struct Pending {
    /// Comes back in the events.
    pub id: PendingId,
    /// The hub's key for this enrolment alone.
    pub hub_private_key: Secret<[u8; 32]>,
    /// The one-time key that proves who holds the block.
    pub preshared_key: Secret<[u8; 32]>,
}

/// Why a peer or an enrolment is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// Another key has the address.
    #[error("{address} already belongs to the peer {taken_by}")]
    AddressTaken {
        /// The address asked for.
        address: Ipv4Addr,
        /// Who has it.
        taken_by: WgPublicKey,
    },
    /// The key has another address.
    #[error("the key {public_key} already belongs to the peer {taken_by}")]
    KeyTaken {
        /// The key asked for.
        public_key: WgPublicKey,
        /// Who has it.
        taken_by: Ipv4Addr,
    },
    /// The address cannot be a router's.
    #[error("{0} is not a router's address: it is outside the supernet or reserved")]
    BadAddress(Ipv4Addr),
    /// The hub's own key was given as a peer's.
    #[error("the key is the hub's own")]
    OwnKey,
    /// The hub has as many as it may.
    #[error("the hub's limit of {0} is reached")]
    Full(usize),
}

/// What a hub has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HubEvent {
    /// A peer is there: the first authentic packet after a silence.
    PeerUp {
        /// Whose.
        address: Ipv4Addr,
        /// Its key.
        public_key: WgPublicKey,
        /// Where it is.
        endpoint: SocketAddr,
    },
    /// No authentic packet for 180 s.
    PeerDown {
        /// Whose.
        address: Ipv4Addr,
        /// Its key.
        public_key: WgPublicKey,
    },
    /// A peer that is up sends from elsewhere now.
    EndpointChanged {
        /// Whose.
        address: Ipv4Addr,
        /// Where it was.
        from: SocketAddr,
        /// Where it is.
        to: SocketAddr,
    },
    /// The endpoint jumps between two places: two routers use one key.
    DuplicateKey {
        /// Whose.
        address: Ipv4Addr,
        /// The one place.
        a: SocketAddr,
        /// The other.
        b: SocketAddr,
    },
    /// A router's handshakes are older than its last one: its clock was set back. Its state was renewed.
    ClockBehind {
        /// Whose.
        address: Ipv4Addr,
    },
    /// An unknown key claims to begin a handshake; the claim is not verified.
    UnknownPeer {
        /// The key that is claimed.
        public_key: WgPublicKey,
        /// Where it came from.
        endpoint: SocketAddr,
    },
    /// A router has proven that it holds an enrolment's pre-shared key.
    EnrolmentProven {
        /// Which enrolment.
        id: PendingId,
        /// The router's key.
        public_key: WgPublicKey,
        /// Where it is.
        endpoint: SocketAddr,
    },
    /// A router began an enrolment's handshake and sent nothing more: its pre-shared key is wrong, or our answer is blocked.
    EnrolmentUnproven {
        /// Which enrolment.
        id: PendingId,
        /// The router's key.
        public_key: WgPublicKey,
        /// Where it is.
        endpoint: SocketAddr,
    },
    /// A second router uses an enrolment that another has proven.
    EnrolmentConflict {
        /// Which enrolment.
        id: PendingId,
        /// The second router's key.
        public_key: WgPublicKey,
        /// Where it is.
        endpoint: SocketAddr,
    },
}

/// A lasting peer as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerStatus {
    /// Its inner address.
    pub address: Ipv4Addr,
    /// Its key.
    pub public_key: WgPublicKey,
    /// Where it was last seen.
    pub endpoint: Option<SocketAddr>,
    /// Heard within 180 s.
    pub up: bool,
    /// Time since the last completed handshake.
    pub last_handshake: Option<Duration>,
    /// UDP payload received from it (bytes).
    pub rx_bytes: u64,
    /// UDP payload sent to it (bytes).
    pub tx_bytes: u64,
}

/// Counters since the hub was made, and present sizes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HubStats {
    /// Datagrams that came in.
    pub datagrams_in: u64,
    /// Datagrams that went out.
    pub datagrams_out: u64,
    /// Datagrams that are no WireGuard messages, or are for no session.
    pub garbage: u64,
    /// Datagrams for a session that are not authentic.
    pub refused: u64,
    /// Handshake messages made for none of our keys.
    pub foreign: u64,
    /// Handshake messages answered by a cookie.
    pub cookies: u64,
    /// Handshake messages over a source's limit.
    pub over_source_limit: u64,
    /// Initiations over the budget for pending enrolments.
    pub over_scan_limit: u64,
    /// Initiations that claim an unknown key.
    pub unknown_keys: u64,
    /// Initiations no newer than the last.
    pub replays: u64,
    /// Initiations that were answered.
    pub handshakes_answered: u64,
    /// Initiations that the hub sent.
    pub handshakes_begun: u64,
    /// Inner packets whose source is not the peer's address.
    pub spoofed: u64,
    /// Inner packets to another destination than the hub.
    pub misdirected: u64,
    /// Inner packets on an enrolment peer, which may only send keepalives.
    pub enrolment_packets: u64,
    /// Inner packets that were malformed, and connections and datagrams that found their queue full.
    pub inner_dropped: u64,
    /// Datagrams that found the send queue full.
    pub queue_full: u64,
    /// Events that were dropped because nobody fetched them.
    pub events_dropped: u64,
    /// Lasting peers.
    pub peers: usize,
    /// Lasting peers that are up.
    pub peers_up: usize,
    /// Pending enrolments.
    pub pending: usize,
    /// Routers that are trying to enrol.
    pub candidates: usize,
    /// TCP/IP stacks in use.
    pub stacks: usize,
}
