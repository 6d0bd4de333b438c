//! The noise protocol behind a thin trait, so that the engine can be swapped and tests can run under virtual time.

use model::{Secret, WgPublicKey};
use std::fmt;
use std::net::IpAddr;
use std::time::Instant;

/// Largest UDP payload that is looked at; larger datagrams are dropped (bytes).
pub const MAX_DATAGRAM: usize = 2048;

/// What a datagram says it is (WireGuard paper §5.4), before anything is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// A handshake initiation.
    Initiation,
    /// The answer to our initiation that carried this index.
    Response(u32),
    /// A cookie for our handshake message that carried this index.
    Cookie(u32),
    /// A transport packet for the session with this index.
    Data(u32),
}

impl Header {
    /// Reads type and receiver index; anything of a wrong length is `None`.
    #[must_use]
    pub fn parse(datagram: &[u8]) -> Option<Self> {
        let word = |at: usize| {
            let bytes = datagram.get(at..at + 4)?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?))
        };
        match (word(0)?, datagram.len()) {
            (1, 148) => Some(Self::Initiation),
            (2, 92) => Some(Self::Response(word(8)?)),
            (3, 64) => Some(Self::Cookie(word(4)?)),
            (4, 32..=MAX_DATAGRAM) => Some(Self::Data(word(4)?)),
            _ => None,
        }
    }
}

/// What the outer check of a handshake message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Its first MAC is not made for this key.
    Foreign,
    /// Too many come at once: these bytes of the buffer are a cookie for the sender.
    Cookie(usize),
    /// It may be looked into.
    Admitted,
}

/// What a tunnel makes of a datagram. Lengths count from the start of the buffer that was handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// An initiation was accepted; the answer is in the buffer.
    Respond(usize),
    /// Our initiation was answered by the holder of both keys; a confirming packet is in the buffer.
    Established(usize),
    /// An authentic transport packet without content.
    Keepalive,
    /// An authentic transport packet; its IPv4 packet is in the buffer.
    Packet(usize),
    /// An authentic transport packet whose content is no IPv4 packet.
    Unusable,
    /// A cookie was kept for the next initiation.
    Cookie,
    /// An initiation that is not newer than the last accepted one.
    Replay,
    /// Not authentic, or not expected.
    Refused,
}

/// What a tunnel's timers ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tick {
    /// Nothing.
    Idle,
    /// These bytes of the buffer must be sent.
    Send(usize),
    /// Neither a session nor a handshake is left; ticking may stop until the next one.
    Expired,
}

/// How a tunnel to one peer is made.
pub struct TunnelSetup<'a> {
    /// The peer's key.
    pub remote: WgPublicKey,
    /// The key that both share beforehand.
    pub preshared_key: Option<&'a Secret<[u8; 32]>>,
    /// Seconds between keepalives that this side sends; `None` for a side that only answers.
    pub keepalive_secs: Option<u16>,
    /// The upper 24 bits of this side's session indexes.
    pub index: u32,
}

impl fmt::Debug for TunnelSetup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TunnelSetup").field("remote", &self.remote).field("index", &self.index).finish_non_exhaustive()
    }
}

/// One local private key: judges handshake messages that are made for it, and makes tunnels.
pub trait Engine: fmt::Debug + Send + 'static {
    /// The tunnel it makes.
    type Tunnel: Tunnel;

    /// Takes a private key; more than `handshakes_per_s` handshake messages in a second need a cookie.
    fn new(private_key: &Secret<[u8; 32]>, handshakes_per_s: u64) -> Self;

    /// Returns the public half.
    fn public_key(&self) -> WgPublicKey;

    /// Checks the MACs of a handshake message; `out` takes a cookie and holds 64 bytes or more.
    fn admit(&self, from: IpAddr, datagram: &[u8], out: &mut [u8]) -> Admission;

    /// Names the key that an initiation claims. Only a claim: anyone can claim anyone's key.
    fn claimed_key(&self, datagram: &[u8]) -> Option<WgPublicKey>;

    /// Makes the state for one peer.
    fn tunnel(&self, setup: &TunnelSetup<'_>) -> Self::Tunnel;

    /// Starts the next second of the handshake limit; call it once a second.
    fn next_second(&self);
}

/// The noise state shared with one peer. Every buffer handed in holds [`MAX_DATAGRAM`] + 32 bytes.
pub trait Tunnel: Send + 'static {
    /// Takes a datagram of at most [`MAX_DATAGRAM`] bytes.
    fn handle(&mut self, datagram: &[u8], out: &mut [u8], now: Instant) -> Outcome;

    /// Encrypts an inner packet (empty: a keepalive); `None` without a session.
    fn send(&mut self, packet: &[u8], out: &mut [u8], now: Instant) -> Option<usize>;

    /// Starts a handshake, unless one is under way.
    fn initiate(&mut self, out: &mut [u8], now: Instant) -> Option<usize>;

    /// Runs the timers; at most 250 ms apart while a session or handshake lives, and just before use after a pause.
    fn tick(&mut self, out: &mut [u8], now: Instant) -> Tick;

    /// Says whether [`Tunnel::send`] would succeed.
    fn has_session(&self) -> bool;
}
