//! Pending enrolments: which key of ours an initiation is made for, and who may hold it.

use super::types::{HubEvent, Pending, PendingId};
use super::{Hub, Slot};
use crate::engine::{Admission, Engine, Outcome, Tunnel, TunnelSetup};
use model::{Secret, WgPublicKey};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Routers that may try one enrolment at the same time; a newer one takes the place of the oldest.
const CANDIDATES_MAX: usize = 4;
/// Conflicting keys that are named for one enrolment.
const CONFLICTS_MAX: usize = 4;
/// A candidate that has proven nothing is forgotten after this time without an initiation.
const CANDIDATE_IDLE: Duration = Duration::from_secs(90);

/// An enrolment that waits, and who has tried it.
#[derive(Debug)]
pub(super) struct PendingState<E> {
    engine: E,
    preshared_key: Secret<[u8; 32]>,
    candidates: Vec<usize>,
    proven: Option<WgPublicKey>,
    conflicts: BTreeSet<WgPublicKey>,
}

/// A router that has begun an enrolment's handshake with a key that is its own.
#[derive(Debug)]
pub(super) struct Candidate<T> {
    pub(super) tunnel: T,
    pub(super) pending: PendingId,
    pub(super) public_key: WgPublicKey,
    pub(super) endpoint: SocketAddr,
    first_tried: Instant,
    last_tried: Instant,
    proven: bool,
    reported: bool,
}

impl<E: Engine> PendingState<E> {
    pub(super) fn new(pending: &Pending) -> Self {
        Self {
            engine: E::new(&pending.hub_private_key, u64::MAX),
            preshared_key: pending.preshared_key.clone(),
            candidates: Vec::new(),
            proven: None,
            conflicts: BTreeSet::new(),
        }
    }

    pub(super) fn candidates(&self) -> &[usize] {
        &self.candidates
    }

    pub(super) fn same_as(&self, other: &Self) -> bool {
        self.engine.public_key() == other.engine.public_key() && self.preshared_key == other.preshared_key
    }
}

impl<E: Engine> Hub<E> {
    /// Compares an initiation that is not for the main key with the pending keys.
    pub(super) fn handle_foreign(&mut self, from: SocketAddr, datagram: &[u8], now: Instant) {
        if self.pending.is_empty() {
            self.stats.foreign += 1;
            return;
        }
        if !self.scans.take(self.config.limits.scans, now) {
            self.stats.over_scan_limit += 1;
            return;
        }
        let out = &mut self.scratch;
        let mut keys = self.pending.iter();
        let meant = keys.find(|(_, state)| state.engine.admit(from.ip(), datagram, out) == Admission::Admitted);
        let Some((&id, state)) = meant else {
            self.stats.foreign += 1;
            return;
        };
        let Some(claimed) = state.engine.claimed_key(datagram) else {
            self.stats.refused += 1;
            return;
        };
        let known = state.candidates.iter().copied().find(|place| match self.slots.get(*place) {
            Some(Slot::Candidate(candidate)) => candidate.public_key == claimed,
            Some(Slot::Peer(_)) | None => false,
        });
        match known {
            Some(place) => self.candidate_tries_again(place, from, datagram, now),
            None => self.candidate_appears(id, claimed, from, datagram, now),
        }
    }

    fn candidate_tries_again(&mut self, place: usize, from: SocketAddr, datagram: &[u8], now: Instant) {
        self.tick_slot(place, now);
        let Some(Slot::Candidate(candidate)) = self.slots.get_mut(place) else { return };
        match candidate.tunnel.handle(datagram, &mut self.scratch, now) {
            Outcome::Respond(len) => {
                candidate.last_tried = now;
                if !candidate.proven {
                    candidate.endpoint = from;
                }
                self.stats.handshakes_answered += 1;
                self.transmit(from, len);
            }
            Outcome::Replay => self.stats.replays += 1,
            _ => self.stats.refused += 1,
        }
    }

    /// Verifies a claim on state that is kept only if the claim is true.
    fn candidate_appears(&mut self, id: PendingId, claimed: WgPublicKey, from: SocketAddr, datagram: &[u8], now: Instant) {
        let Some(state) = self.pending.get(&id) else { return };
        let (_, index) = self.slots.vacant();
        let setup = TunnelSetup { remote: claimed, preshared_key: Some(&state.preshared_key), keepalive_secs: None, index };
        let mut tunnel = state.engine.tunnel(&setup);
        // Timers start at the tick before the handshake.
        tunnel.tick(&mut self.scratch, now);
        let Outcome::Respond(len) = tunnel.handle(datagram, &mut self.scratch, now) else {
            self.stats.refused += 1;
            return;
        };
        if state.proven.is_some() {
            // No answer: the enrolment belongs to the router that was first.
            self.conflict(id, claimed, from);
            return;
        }
        self.stats.handshakes_answered += 1;
        self.transmit(from, len);
        let place = self.slots.insert(Slot::Candidate(Box::new(Candidate {
            tunnel,
            pending: id,
            public_key: claimed,
            endpoint: from,
            first_tried: now,
            last_tried: now,
            proven: false,
            reported: false,
        })));
        let candidates = &mut self.pending.get_mut(&id).expect("it was just read").candidates;
        candidates.push(place);
        if candidates.len() > CANDIDATES_MAX {
            self.drop_oldest_candidate(&id);
        }
    }

    fn drop_oldest_candidate(&mut self, id: &PendingId) {
        let Some(state) = self.pending.get_mut(id) else { return };
        let slots = &self.slots;
        let tried = |place: &usize| match slots.get(*place) {
            Some(Slot::Candidate(candidate)) => Some(candidate.last_tried),
            Some(Slot::Peer(_)) | None => None,
        };
        let Some(oldest) = state.candidates.iter().copied().min_by_key(tried) else { return };
        state.candidates.retain(|place| *place != oldest);
        self.slots.remove(oldest);
    }

    fn conflict(&mut self, id: PendingId, public_key: WgPublicKey, endpoint: SocketAddr) {
        let Some(state) = self.pending.get_mut(&id) else { return };
        if state.conflicts.len() < CONFLICTS_MAX && state.conflicts.insert(public_key) {
            self.emit(HubEvent::EnrolmentConflict { id, public_key, endpoint });
        }
    }

    /// Takes an authentic packet of a candidate: the first one proves the pre-shared key.
    pub(super) fn candidate_speaks(&mut self, place: usize, from: SocketAddr, carries_packet: bool) {
        let Some(Slot::Candidate(candidate)) = self.slots.get_mut(place) else { return };
        let (id, public_key) = (candidate.pending, candidate.public_key);
        let Some(state) = self.pending.get_mut(&id) else { return };
        candidate.endpoint = from;
        if carries_packet {
            self.stats.enrolment_packets += 1;
        }
        match state.proven {
            Some(first) if first == public_key => {}
            Some(_) => {
                state.candidates.retain(|other| *other != place);
                self.slots.remove(place);
                self.conflict(id, public_key, from);
            }
            None => {
                candidate.proven = true;
                state.proven = Some(public_key);
                self.emit(HubEvent::EnrolmentProven { id, public_key, endpoint: from });
            }
        }
    }

    /// Reports a candidate that has proven nothing, and forgets it in the end. Returns false if it is gone.
    pub(super) fn judge_candidate(&mut self, place: usize, now: Instant) -> bool {
        let unproven_after = self.config.limits.unproven_after;
        let Some(Slot::Candidate(candidate)) = self.slots.get_mut(place) else { return false };
        if candidate.proven {
            return true;
        }
        if now.saturating_duration_since(candidate.last_tried) >= CANDIDATE_IDLE {
            let id = candidate.pending;
            if let Some(state) = self.pending.get_mut(&id) {
                state.candidates.retain(|other| *other != place);
            }
            self.slots.remove(place);
            return false;
        }
        if !candidate.reported && now.saturating_duration_since(candidate.first_tried) >= unproven_after {
            candidate.reported = true;
            let (id, public_key, endpoint) = (candidate.pending, candidate.public_key, candidate.endpoint);
            // After another has proven itself this one is a conflict, not a failure.
            if self.pending.get(&id).is_some_and(|state| state.proven.is_none()) {
                self.emit(HubEvent::EnrolmentUnproven { id, public_key, endpoint });
            }
        }
        true
    }
}
