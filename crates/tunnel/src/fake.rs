//! An engine without cryptography, for tests under virtual time: the same messages, lengths, timers and refusals.

use crate::engine::{Admission, Engine, Header, Outcome, Tick, Tunnel, TunnelSetup};
use model::{Secret, WgPublicKey};
use std::cell::Cell;
use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

const SESSION: Duration = Duration::from_secs(180);
const RETRY: Duration = Duration::from_secs(5);
const GIVE_UP: Duration = Duration::from_secs(90);

/// A fixed point in virtual time, later than any process start needs.
#[expect(clippy::disallowed_methods, reason = "an arbitrary starting point for virtual time")]
pub(crate) fn start() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now)
}

/// The public half of a fake private key.
pub(crate) fn fake_public(private: [u8; 32]) -> WgPublicKey {
    WgPublicKey::from_bytes(private.map(|byte| !byte))
}

/// Builds an initiation: `claimed` is what it says, `genuine` whose private key really made it.
pub(crate) fn initiation(to: WgPublicKey, claimed: WgPublicKey, genuine: WgPublicKey, sender: u32, stamp: u64) -> Vec<u8> {
    let mut bytes = vec![0; 148];
    bytes[0] = 1;
    bytes[4..8].copy_from_slice(&sender.to_le_bytes());
    bytes[8..40].copy_from_slice(to.as_bytes());
    bytes[40..72].copy_from_slice(claimed.as_bytes());
    bytes[72..104].copy_from_slice(genuine.as_bytes());
    bytes[104..112].copy_from_slice(&stamp.to_le_bytes());
    bytes
}

fn stamp(now: Instant) -> u64 {
    // A day after zero, so that a test can be earlier.
    u64::try_from((now.saturating_duration_since(start()) + Duration::from_secs(86_400)).as_nanos())
        .expect("virtual time is short")
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

#[derive(Debug)]
pub(crate) struct FakeEngine {
    public: WgPublicKey,
    limit: u64,
    count: Cell<u64>,
}

impl Engine for FakeEngine {
    type Tunnel = FakeTunnel;

    fn new(private_key: &Secret<[u8; 32]>, handshakes_per_s: u64) -> Self {
        Self { public: fake_public(*private_key.expose()), limit: handshakes_per_s, count: Cell::new(0) }
    }

    fn public_key(&self) -> WgPublicKey {
        self.public
    }

    fn admit(&self, _from: IpAddr, datagram: &[u8], out: &mut [u8]) -> Admission {
        let at = if Header::parse(datagram) == Some(Header::Initiation) { 8 } else { 12 };
        if &datagram[at..at + 32] != self.public.as_bytes() {
            return Admission::Foreign;
        }
        self.count.set(self.count.get() + 1);
        if self.count.get() > self.limit {
            out[..64].fill(0);
            out[0] = 3;
            return Admission::Cookie(64);
        }
        Admission::Admitted
    }

    fn claimed_key(&self, datagram: &[u8]) -> Option<WgPublicKey> {
        Some(WgPublicKey::from_bytes(datagram[40..72].try_into().ok()?))
    }

    fn tunnel(&self, setup: &TunnelSetup<'_>) -> FakeTunnel {
        FakeTunnel {
            local: self.public,
            remote: setup.remote,
            psk: setup.preshared_key.map_or([0; 32], |key| *key.expose()),
            keepalive: setup.keepalive_secs.map(|secs| Duration::from_secs(secs.into())),
            kept_alive: None,
            next: setup.index << 8,
            last_stamp: 0,
            asking: None,
            offered: None,
            session: None,
        }
    }

    fn next_second(&self) {
        self.count.set(0);
    }
}

#[derive(Debug)]
pub(crate) struct FakeTunnel {
    local: WgPublicKey,
    remote: WgPublicKey,
    psk: [u8; 32],
    keepalive: Option<Duration>,
    kept_alive: Option<Instant>,
    next: u32,
    last_stamp: u64,
    /// Our initiation: index, first and last sent.
    asking: Option<(u32, Instant, Instant)>,
    /// A session that we answered and that has carried nothing yet, then the one in use: own index, other's, since.
    offered: Option<(u32, u32, Instant)>,
    session: Option<(u32, u32, Instant)>,
}

impl FakeTunnel {
    fn index(&mut self) -> u32 {
        self.next = (self.next & !0xff) | u32::from((self.next as u8).wrapping_add(1));
        self.next
    }

    fn ask(&mut self, out: &mut [u8], now: Instant) -> usize {
        let index = self.index();
        let first = self.asking.map_or(now, |(_, first, _)| first);
        self.asking = Some((index, first, now));
        let message = initiation(self.remote, self.local, self.local, index, stamp(now));
        out[..148].copy_from_slice(&message);
        148
    }
}

impl Tunnel for FakeTunnel {
    fn handle(&mut self, datagram: &[u8], out: &mut [u8], now: Instant) -> Outcome {
        match Header::parse(datagram) {
            Some(Header::Initiation) => {
                if &datagram[72..104] != self.remote.as_bytes() || &datagram[40..72] != self.remote.as_bytes() {
                    return Outcome::Refused;
                }
                let stamp = u64::from_le_bytes(datagram[104..112].try_into().expect("eight bytes"));
                if stamp <= self.last_stamp {
                    return Outcome::Replay;
                }
                self.last_stamp = stamp;
                let (own, other) = (self.index(), word(datagram, 4));
                self.offered = Some((own, other, now));
                out[..92].fill(0);
                out[0] = 2;
                out[4..8].copy_from_slice(&own.to_le_bytes());
                out[8..12].copy_from_slice(&other.to_le_bytes());
                out[12..44].copy_from_slice(self.remote.as_bytes());
                out[44..76].copy_from_slice(&self.psk);
                Outcome::Respond(92)
            }
            Some(Header::Response(index))
                if self.asking.is_some_and(|(asked, ..)| asked == index) && datagram[44..76] == self.psk =>
            {
                self.asking = None;
                self.session = Some((index, word(datagram, 4), now));
                Outcome::Established(self.send(&[], out, now).expect("there is a session"))
            }
            Some(Header::Data(index)) => {
                if let Some(offered) = self.offered.filter(|(own, ..)| *own == index) {
                    (self.session, self.offered) = (Some(offered), None);
                }
                if self.session.is_none_or(|(own, ..)| own != index) {
                    return Outcome::Refused;
                }
                let packet = &datagram[16..datagram.len() - 16];
                out[..packet.len()].copy_from_slice(packet);
                if packet.is_empty() { Outcome::Keepalive } else { Outcome::Packet(packet.len()) }
            }
            Some(Header::Response(_) | Header::Cookie(_)) | None => Outcome::Refused,
        }
    }

    fn send(&mut self, packet: &[u8], out: &mut [u8], now: Instant) -> Option<usize> {
        let (_, other, _) = self.session?;
        let len = packet.len() + 32;
        out[..len].fill(0);
        out[0] = 4;
        out[4..8].copy_from_slice(&other.to_le_bytes());
        out[16..16 + packet.len()].copy_from_slice(packet);
        self.kept_alive = Some(now);
        Some(len)
    }

    fn initiate(&mut self, out: &mut [u8], now: Instant) -> Option<usize> {
        self.asking.is_none().then(|| self.ask(out, now))
    }

    fn tick(&mut self, out: &mut [u8], now: Instant) -> Tick {
        self.session = self.session.filter(|(.., since)| now < *since + SESSION);
        self.offered = self.offered.filter(|(.., since)| now < *since + SESSION);
        match self.asking {
            Some((_, first, _)) if now >= first + GIVE_UP => {
                self.asking = None;
                return Tick::Expired;
            }
            Some((.., last)) if now >= last + RETRY => return Tick::Send(self.ask(out, now)),
            _ => {}
        }
        let due = self.keepalive.is_some_and(|every| self.kept_alive.is_none_or(|last| now >= last + every));
        match (due, self.session, self.asking) {
            (true, Some(_), _) => Tick::Send(self.send(&[], out, now).expect("there is a session")),
            (true, None, None) => Tick::Send(self.ask(out, now)),
            _ => Tick::Idle,
        }
    }

    fn has_session(&self) -> bool {
        self.session.is_some()
    }
}
