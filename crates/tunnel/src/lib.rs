//! The tunnel between an ISP's routers and their controller: WireGuard in user space, with a small TCP/IP stack for each peer.
//!
//! The core is sans-IO: [`Hub`] (many peers) and [`Spoke`] (a router's side) take datagrams and times and give datagrams
//! and events. Feature `io` adds the tokio shell, [`io`], with streams, listeners and datagrams inside the tunnel.
//!
//! **Invariant:** nothing here forwards a packet. Each router has its own stack, and what a stack sends goes to that router
//! alone.

mod boring;
mod engine;
#[cfg(test)]
mod fake;
mod flap;
mod hub;
#[cfg(feature = "io")]
pub mod io;
mod limit;
mod net;
mod node;
mod slots;
mod spoke;

pub use boring::{BoringEngine, BoringTunnel, public_key};
pub use engine::{Admission, Engine, Header, MAX_DATAGRAM, Outcome, Tick, Tunnel, TunnelSetup};
pub use hub::{Hub, HubConfig, HubEvent, HubStats, Limits, Peer, PeerError, PeerStatus, Pending, PendingId};
pub use limit::Rate;
pub use net::{Net, NetError, NetEvent, PingId, Read, StreamId, StreamState};
pub use node::Node;
pub use spoke::{Spoke, SpokeConfig, SpokePeer, SpokePeerStatus};

use std::net::SocketAddr;
use std::time::Duration;

/// boringtun stamps its timers at each tick; a longer pause would age a fresh session.
const TICK: Duration = Duration::from_millis(250);

/// A datagram that wants to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub to: SocketAddr,
    /// The UDP payload.
    pub payload: Vec<u8>,
}

/// Brings an MTU into the range that IPv4 (RFC 791: 576) and our buffers (1500) allow.
fn clamp_mtu(mtu: usize) -> usize {
    mtu.clamp(576, 1500)
}

/// Repeatable randomness for jitter and first numbers (SplitMix64); no secret depends on it.
#[derive(Debug)]
struct Rng(u64);

impl Rng {
    const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number from 0 up to, not including, 1.
    fn fraction(&mut self) -> f64 {
        f64::from((self.next() >> 32) as u32) / f64::from(u32::MAX).next_up()
    }
}
