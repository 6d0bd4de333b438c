//! boringtun's `noise` part as the [`Engine`].

use crate::engine::{Admission, Engine, Header, MAX_DATAGRAM, Outcome, Tick, Tunnel, TunnelSetup};
use boringtun::noise::errors::WireGuardError;
use boringtun::noise::handshake::parse_handshake_anon;
use boringtun::noise::rate_limiter::RateLimiter;
use boringtun::noise::{Packet, Tunn, TunnResult};
use model::{Secret, WgPublicKey};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;
use x25519_dalek::{PublicKey, StaticSecret};

/// Returns the public key that belongs to a private key.
#[must_use]
pub fn public_key(private_key: &Secret<[u8; 32]>) -> WgPublicKey {
    WgPublicKey::from_bytes(PublicKey::from(&StaticSecret::from(*private_key.expose())).to_bytes())
}

/// A local key on boringtun. It reads the system's clock and randomness by itself.
pub struct BoringEngine {
    private: StaticSecret,
    public: PublicKey,
    outer: RateLimiter,
    /// boringtun counts each handshake once more inside `decapsulate`; that count must never bite.
    inner: Arc<RateLimiter>,
}

impl fmt::Debug for BoringEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoringEngine").field("public", &self.public_key()).finish_non_exhaustive()
    }
}

impl Engine for BoringEngine {
    type Tunnel = BoringTunnel;

    fn new(private_key: &Secret<[u8; 32]>, handshakes_per_s: u64) -> Self {
        let private = StaticSecret::from(*private_key.expose());
        let public = PublicKey::from(&private);
        let outer = RateLimiter::new(&public, handshakes_per_s);
        let inner = Arc::new(RateLimiter::new(&public, u64::MAX));
        Self { private, public, outer, inner }
    }

    fn public_key(&self) -> WgPublicKey {
        WgPublicKey::from_bytes(self.public.to_bytes())
    }

    fn admit(&self, from: IpAddr, datagram: &[u8], out: &mut [u8]) -> Admission {
        match self.outer.verify_packet(Some(from), datagram, out) {
            Ok(_) => Admission::Admitted,
            Err(TunnResult::WriteToNetwork(cookie)) => Admission::Cookie(cookie.len()),
            Err(_) => Admission::Foreign,
        }
    }

    fn claimed_key(&self, datagram: &[u8]) -> Option<WgPublicKey> {
        let Ok(Packet::HandshakeInit(initiation)) = Tunn::parse_incoming_packet(datagram) else { return None };
        let half = parse_handshake_anon(&self.private, &self.public, &initiation).ok()?;
        Some(WgPublicKey::from_bytes(half.peer_static_public))
    }

    fn tunnel(&self, setup: &TunnelSetup<'_>) -> BoringTunnel {
        BoringTunnel {
            tunn: Tunn::new(
                self.private.clone(),
                PublicKey::from(*setup.remote.as_bytes()),
                setup.preshared_key.map(|key| *key.expose()),
                setup.keepalive_secs,
                setup.index,
                Some(Arc::clone(&self.inner)),
            ),
        }
    }

    fn next_second(&self) {
        self.outer.reset_count();
    }
}

/// A peer's state on boringtun.
pub struct BoringTunnel {
    tunn: Tunn,
}

impl fmt::Debug for BoringTunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoringTunnel").finish_non_exhaustive()
    }
}

impl Tunnel for BoringTunnel {
    fn handle(&mut self, datagram: &[u8], out: &mut [u8], _now: Instant) -> Outcome {
        let Some(header) = Header::parse(datagram) else { return Outcome::Refused };
        match (header, self.tunn.decapsulate(None, datagram, out)) {
            (Header::Initiation, TunnResult::WriteToNetwork(answer)) => Outcome::Respond(answer.len()),
            (_, TunnResult::WriteToNetwork(packet)) => Outcome::Established(packet.len()),
            (Header::Data(_), TunnResult::Done) => Outcome::Keepalive,
            (_, TunnResult::Done) => Outcome::Cookie,
            (_, TunnResult::WriteToTunnelV4(packet, _)) => Outcome::Packet(packet.len()),
            (_, TunnResult::WriteToTunnelV6(..)) | (_, TunnResult::Err(WireGuardError::InvalidPacket)) => Outcome::Unusable,
            (Header::Initiation, TunnResult::Err(WireGuardError::WrongTai64nTimestamp)) => Outcome::Replay,
            (_, TunnResult::Err(_)) => Outcome::Refused,
        }
    }

    fn send(&mut self, packet: &[u8], out: &mut [u8], _now: Instant) -> Option<usize> {
        // Without a session boringtun would keep up to 256 packets; the stack above sends again by itself.
        if !self.has_session() || packet.len() > MAX_DATAGRAM {
            return None;
        }
        match self.tunn.encapsulate(packet, out) {
            TunnResult::WriteToNetwork(datagram) => Some(datagram.len()),
            _ => None,
        }
    }

    fn initiate(&mut self, out: &mut [u8], _now: Instant) -> Option<usize> {
        match self.tunn.format_handshake_initiation(out, false) {
            TunnResult::WriteToNetwork(datagram) => Some(datagram.len()),
            _ => None,
        }
    }

    fn tick(&mut self, out: &mut [u8], _now: Instant) -> Tick {
        match self.tunn.update_timers(out) {
            TunnResult::WriteToNetwork(datagram) => Tick::Send(datagram.len()),
            TunnResult::Err(WireGuardError::ConnectionExpired) => Tick::Expired,
            _ => Tick::Idle,
        }
    }

    fn has_session(&self) -> bool {
        self.tunn.time_since_last_handshake().is_some()
    }
}
