//! What the hub does because time has passed: ticks, silence, and calls at a steady pace.

use super::path::SILENCE;
use super::types::HubEvent;
use super::{Hub, Slot};
use crate::TICK;
use crate::engine::{Engine, Header, Tick, Tunnel};
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

impl<E: Engine> Hub<E> {
    pub(super) fn run_timers(&mut self, now: Instant) {
        self.each_second(now);
        if now >= self.next_tick {
            self.next_tick = now + TICK;
            for place in 0..self.slots.places() {
                self.tick_due(place, now);
            }
        }
        while now >= self.next_call && !self.calls.is_empty() {
            self.call_next(now);
        }
    }

    fn each_second(&mut self, now: Instant) {
        if now >= self.next_second {
            self.next_second = now + SECOND;
            self.main.next_second();
            self.sources.forget_full(now);
        }
    }

    fn tick_due(&mut self, place: usize, now: Instant) {
        match self.slots.get(place) {
            Some(Slot::Peer(peer)) if peer.live || peer.up => {
                self.run_tick(place, now);
                self.judge_silence(place, now);
            }
            Some(Slot::Candidate(_)) => {
                if self.judge_candidate(place, now) {
                    self.run_tick(place, now);
                }
            }
            Some(Slot::Peer(_)) | None => {}
        }
    }

    /// Ticks a peer that has not been ticked for a while, because it is about to be used.
    pub(super) fn tick_slot(&mut self, place: usize, now: Instant) {
        if let Some(Slot::Peer(peer)) = self.slots.get_mut(place)
            && !peer.live
        {
            self.run_tick(place, now);
            if let Some(Slot::Peer(peer)) = self.slots.get_mut(place) {
                peer.live = true;
            }
        }
    }

    fn run_tick(&mut self, place: usize, now: Instant) {
        let (tick, to) = match self.slots.get_mut(place) {
            Some(Slot::Peer(peer)) => (peer.tunnel.tick(&mut self.scratch, now), peer.endpoint),
            Some(Slot::Candidate(candidate)) => (candidate.tunnel.tick(&mut self.scratch, now), Some(candidate.endpoint)),
            None => return,
        };
        match (tick, self.slots.get_mut(place)) {
            (Tick::Send(len), Some(slot)) => {
                let Some(to) = to else { return };
                if let Slot::Peer(peer) = slot {
                    peer.tx_bytes += len as u64;
                }
                self.stats.handshakes_begun += u64::from(Header::parse(&self.scratch[..len]) == Some(Header::Initiation));
                self.transmit(to, len);
            }
            (Tick::Expired, Some(Slot::Peer(peer))) => {
                peer.live = false;
                // Whoever still waits for this router wants another attempt.
                self.net.session_up(peer.address);
            }
            _ => {}
        }
    }

    fn judge_silence(&mut self, place: usize, now: Instant) {
        let Some(Slot::Peer(peer)) = self.slots.get_mut(place) else { return };
        let silent = peer.heard.is_none_or(|at| now.saturating_duration_since(at) >= SILENCE);
        if peer.up && silent {
            peer.up = false;
            let (address, public_key) = (peer.address, peer.public_key);
            self.emit(HubEvent::PeerDown { address, public_key });
        }
    }

    /// Puts a peer into the queue of calls: in front if somebody waits for it.
    pub(super) fn request_call(&mut self, place: usize, urgent: bool) {
        let Some(Slot::Peer(peer)) = self.slots.get_mut(place) else { return };
        if peer.endpoint.is_none() || peer.tunnel.has_session() {
            return;
        }
        if urgent && !peer.urgent {
            peer.urgent = true;
            self.calls.push_front(peer.address);
        } else if !urgent && !peer.queued {
            peer.queued = true;
            self.calls.push_back(peer.address);
        }
    }

    fn call_next(&mut self, now: Instant) {
        let Some(address) = self.calls.pop_front() else { return };
        let Some(place) = self.by_address.get(&address).copied() else { return };
        let Some(Slot::Peer(peer)) = self.slots.get_mut(place) else { return };
        // Who was called at once stands in the queue a second time, for nothing.
        if !std::mem::take(&mut peer.queued) & !std::mem::take(&mut peer.urgent) {
            return;
        }
        let pause = SECOND / self.config.limits.calls_per_s.max(1);
        self.next_call = now + pause.mul_f64(0.5 + self.rng.fraction());
        self.tick_slot(place, now);
        let Some(Slot::Peer(peer)) = self.slots.get_mut(place) else { return };
        let Some(to) = peer.endpoint.filter(|_| !peer.tunnel.has_session()) else { return };
        // While a handshake is under way the tunnel repeats it by itself.
        if let Some(len) = peer.tunnel.initiate(&mut self.scratch, now) {
            peer.tx_bytes += len as u64;
            self.stats.handshakes_begun += 1;
            self.transmit(to, len);
        }
    }
}
