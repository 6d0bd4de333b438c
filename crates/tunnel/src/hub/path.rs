//! The way of a datagram through the hub, and of inner packets back out.

use super::types::HubEvent;
use super::{Hub, Slot};
use crate::Transmit;
use crate::engine::{Admission, Engine, Header, Outcome, Tunnel, TunnelSetup};
use crate::limit::Rate;
use crate::net::addresses;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// A peer that sends nothing authentic for this time is down: as long as a session may live (WireGuard: 180 s).
pub(super) const SILENCE: Duration = Duration::from_secs(180);
/// Claims of unknown keys that are reported.
pub(super) const UNKNOWN_EVENTS: Rate = Rate { per_s: 5, burst: 20 };
/// Refused replays after which a silent peer's clock is taken for set back.
const REPLAYS_MAX: u32 = 3;

impl<E: Engine> Hub<E> {
    pub(super) fn dispatch(&mut self, from: SocketAddr, datagram: &[u8], now: Instant) {
        match Header::parse(datagram) {
            None => self.stats.garbage += 1,
            Some(Header::Initiation) => match self.admit(from, datagram, now) {
                Some(Admission::Admitted) => self.handle_initiation(from, datagram, now),
                Some(Admission::Foreign) => self.handle_foreign(from, datagram, now),
                Some(Admission::Cookie(_)) | None => {}
            },
            Some(Header::Response(index)) => {
                let Some(place) = self.slots.place_of(index) else {
                    self.stats.garbage += 1;
                    return;
                };
                match self.admit(from, datagram, now) {
                    Some(Admission::Admitted) => self.handle_session(place, from, datagram, now),
                    Some(Admission::Foreign) => self.stats.foreign += 1,
                    Some(Admission::Cookie(_)) | None => {}
                }
            }
            Some(Header::Cookie(index) | Header::Data(index)) => match self.slots.place_of(index) {
                Some(place) => self.handle_session(place, from, datagram, now),
                None => self.stats.garbage += 1,
            },
        }
    }

    /// Checks the MAC against the main key, then the source's share; sends the cookie if one is due.
    fn admit(&mut self, from: SocketAddr, datagram: &[u8], now: Instant) -> Option<Admission> {
        let admission = self.main.admit(from.ip(), datagram, &mut self.scratch);
        if let Admission::Cookie(len) = admission {
            self.stats.cookies += 1;
            self.transmit(from, len);
            return Some(admission);
        }
        if self.sources.take(from.ip(), now) {
            return Some(admission);
        }
        self.stats.over_source_limit += 1;
        None
    }

    fn handle_initiation(&mut self, from: SocketAddr, datagram: &[u8], now: Instant) {
        let Some(claimed) = self.main.claimed_key(datagram) else {
            self.stats.refused += 1;
            return;
        };
        let Some(place) = self.by_key.get(&claimed).copied() else {
            self.stats.unknown_keys += 1;
            if self.unknown.take(UNKNOWN_EVENTS, now) {
                self.emit(HubEvent::UnknownPeer { public_key: claimed, endpoint: from });
            }
            return;
        };
        let mut outcome = self.feed(place, datagram, now);
        if outcome == Outcome::Replay {
            self.stats.replays += 1;
            if self.clock_is_behind(place, now) {
                self.renew_tunnel(place);
                outcome = self.feed(place, datagram, now);
            }
        }
        match outcome {
            Outcome::Respond(len) => {
                self.stats.handshakes_answered += 1;
                self.transmit(from, len);
                if let Some(Slot::Peer(peer)) = self.slots.get_mut(place) {
                    peer.fresh = true;
                    peer.rx_bytes += datagram.len() as u64;
                    peer.tx_bytes += len as u64;
                }
            }
            Outcome::Replay => {}
            _ => self.stats.refused += 1,
        }
    }

    /// Hands a datagram to a tunnel whose timers have run.
    fn feed(&mut self, place: usize, datagram: &[u8], now: Instant) -> Outcome {
        self.tick_slot(place, now);
        match self.slots.get_mut(place) {
            Some(Slot::Peer(peer)) => peer.tunnel.handle(datagram, &mut self.scratch, now),
            Some(Slot::Candidate(candidate)) => candidate.tunnel.handle(datagram, &mut self.scratch, now),
            None => Outcome::Refused,
        }
    }

    /// Counts a replay. A router that was silent for long and keeps sending "replays" has lost its clock.
    fn clock_is_behind(&mut self, place: usize, now: Instant) -> bool {
        let Some(Slot::Peer(peer)) = self.slots.get_mut(place) else { return false };
        peer.replays += 1;
        let silent = peer.heard.is_none_or(|at| now.saturating_duration_since(at) > SILENCE);
        let behind = silent && peer.replays >= REPLAYS_MAX;
        if behind {
            let address = peer.address;
            self.emit(HubEvent::ClockBehind { address });
        }
        behind
    }

    /// Starts a peer's noise state anew, which forgets the time of its last handshake.
    pub(super) fn renew_tunnel(&mut self, place: usize) {
        let index = self.slots.index_of(place);
        let Some(Slot::Peer(peer)) = self.slots.get_mut(place) else { return };
        let preshared_key = Some(&peer.preshared_key);
        peer.tunnel = self.main.tunnel(&TunnelSetup { remote: peer.public_key, preshared_key, keepalive_secs: None, index });
        peer.replays = 0;
        peer.live = false;
        peer.fresh = false;
    }

    fn handle_session(&mut self, place: usize, from: SocketAddr, datagram: &[u8], now: Instant) {
        let outcome = self.feed(place, datagram, now);
        if matches!(self.slots.get(place), Some(Slot::Candidate(_))) {
            match outcome {
                Outcome::Keepalive => self.candidate_speaks(place, from, false),
                Outcome::Packet(_) | Outcome::Unusable => self.candidate_speaks(place, from, true),
                _ => self.stats.refused += 1,
            }
            return;
        }
        match outcome {
            Outcome::Established(len) => {
                self.transmit(from, len);
                self.peer_speaks(place, from, datagram.len(), now);
                self.session_begins(place, now);
            }
            Outcome::Keepalive => self.peer_speaks(place, from, datagram.len(), now),
            Outcome::Unusable => {
                self.peer_speaks(place, from, datagram.len(), now);
                self.stats.misdirected += 1;
            }
            Outcome::Packet(len) => {
                // First, because what follows may write to the scratch buffer.
                self.handle_inner(place, len, now);
                self.peer_speaks(place, from, datagram.len(), now);
            }
            Outcome::Cookie => {}
            Outcome::Respond(_) | Outcome::Replay | Outcome::Refused => self.stats.refused += 1,
        }
    }

    /// Notes an authentic packet: only now the endpoint may move.
    fn peer_speaks(&mut self, place: usize, from: SocketAddr, bytes: usize, now: Instant) {
        let Some(Slot::Peer(peer)) = self.slots.get_mut(place) else { return };
        peer.rx_bytes += bytes as u64;
        peer.heard = Some(now);
        peer.replays = 0;
        let (address, public_key) = (peer.address, peer.public_key);
        let was = peer.endpoint.replace(from);
        let was_up = std::mem::replace(&mut peer.up, true);
        let fresh = std::mem::replace(&mut peer.fresh, false);
        let moved = was.filter(|was| was_up && *was != from);
        let flaps = moved.is_some_and(|was| peer.flap.moved(was, from, now));
        if let Some(was) = moved {
            self.emit(HubEvent::EndpointChanged { address, from: was, to: from });
            if flaps {
                self.emit(HubEvent::DuplicateKey { address, a: was, b: from });
            }
        }
        if !was_up {
            self.emit(HubEvent::PeerUp { address, public_key, endpoint: from });
        }
        if fresh {
            self.session_begins(place, now);
            // A second packet towards the router makes its flow a stream, which firewalls keep longer.
            self.send_keepalive(place, now);
        }
    }

    fn session_begins(&mut self, place: usize, now: Instant) {
        let Some(Slot::Peer(peer)) = self.slots.get_mut(place) else { return };
        peer.handshake = Some(now);
        self.net.session_up(peer.address);
    }

    fn send_keepalive(&mut self, place: usize, now: Instant) {
        let Some(Slot::Peer(peer)) = self.slots.get_mut(place) else { return };
        if let (Some(len), Some(to)) = (peer.tunnel.send(&[], &mut self.scratch, now), peer.endpoint) {
            peer.tx_bytes += len as u64;
            self.transmit(to, len);
        }
    }

    /// Takes the inner packet at the start of the scratch buffer if it goes from the peer's address to ours.
    fn handle_inner(&mut self, place: usize, len: usize, now: Instant) {
        let Some(Slot::Peer(peer)) = self.slots.get(place) else { return };
        let packet = &self.scratch[..len];
        match addresses(packet) {
            None => self.stats.misdirected += 1,
            Some((source, _)) if source != peer.address => self.stats.spoofed += 1,
            Some((_, destination)) if destination != self.net.local() => self.stats.misdirected += 1,
            Some(_) => self.net.receive(peer.address, packet, now),
        }
    }

    /// Runs the stacks that have something to do and sends what they say, each to its own router only.
    pub(super) fn drain(&mut self, now: Instant) {
        while let Some(remote) = self.net.next_dirty() {
            match self.by_address.get(&remote).copied() {
                Some(place) => self.pump(remote, place, now),
                None => self.net.forget(remote),
            }
        }
    }

    fn pump(&mut self, remote: Ipv4Addr, place: usize, now: Instant) {
        self.tick_slot(place, now);
        let Some(Slot::Peer(peer)) = self.slots.get_mut(place) else { return };
        let endpoint = peer.endpoint.filter(|_| peer.tunnel.has_session());
        let (transmits, scratch, stats) = (&mut self.transmits, &mut self.scratch, &mut self.stats);
        let waits = self.net.pump(remote, endpoint.is_some(), now, |packet| {
            let (Some(to), Some(len)) = (endpoint, peer.tunnel.send(packet, scratch, now)) else { return };
            peer.tx_bytes += len as u64;
            if transmits.len() >= super::TRANSMITS_MAX {
                stats.queue_full += 1;
            } else {
                transmits.push_back(Transmit { to, payload: scratch[..len].to_vec() });
            }
        });
        if waits {
            self.request_call(place, true);
        }
    }
}
