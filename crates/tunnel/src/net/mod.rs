//! The inner network: a small TCP/IP stack for each remote address, ports that take connections and datagrams, and pings.
//!
//! Stacks share nothing, so no packet of one router can reach another: there is no code that would carry it.

mod packet;
mod stack;

pub(crate) use packet::addresses;
pub use stack::{Read, StreamState};

use packet::Content;
use stack::Stack;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

/// A stack without connections is dropped after this time without use.
const STACK_IDLE: Duration = Duration::from_secs(30);
/// Pings that are remembered at once; the oldest is forgotten first.
const PINGS_MAX: usize = 256;
/// Inner events that wait for the shell; datagrams beyond are dropped.
const EVENTS_MAX: usize = 4096;

/// A TCP connection inside the tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    pub(crate) remote: Ipv4Addr,
    pub(crate) number: u64,
}

impl StreamId {
    /// Returns the address at the other end.
    #[must_use]
    pub const fn remote(&self) -> Ipv4Addr {
        self.remote
    }
}

/// Names a ping until its answer.
pub type PingId = (u16, u16);

/// Why something inside the tunnel cannot begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    /// Nobody has this address.
    #[error("no peer has the address {0}")]
    NoSuchPeer(Ipv4Addr),
    /// The address has its share of connections.
    #[error("too many connections with {0}")]
    TooManyStreams(Ipv4Addr),
    /// The port is taken.
    #[error("port {0} is already taken inside the tunnel")]
    PortTaken(u16),
    /// Port 0 is no port.
    #[error("port 0 cannot be used inside the tunnel")]
    PortZero,
    /// The packet would not fit.
    #[error("{0} bytes do not fit into one packet of the tunnel")]
    TooLarge(usize),
}

/// What happened inside the tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetEvent {
    /// A remote has connected to a port that listens.
    Accepted { stream: StreamId, port: u16, from: SocketAddrV4 },
    /// A datagram came to a port that takes them.
    Datagram { port: u16, from: SocketAddrV4, payload: Vec<u8> },
    /// A ping was answered.
    Pong { ping: PingId, round_trip: Duration },
}

/// Measures of the inner network.
#[derive(Debug, Clone)]
pub(crate) struct NetConfig {
    pub(crate) local: Ipv4Addr,
    pub(crate) mtu: usize,
    pub(crate) stream_buffer: usize,
    pub(crate) streams_per_remote: usize,
}

/// Everything above the tunnels. Used through [`Node`](crate::Node).
#[derive(Debug)]
pub struct Net {
    config: NetConfig,
    seed: u64,
    epoch: Instant,
    stacks: BTreeMap<Ipv4Addr, Stack>,
    listening: BTreeSet<u16>,
    datagrams: BTreeSet<u16>,
    pings: VecDeque<(PingId, Ipv4Addr, Instant)>,
    next_stream: u64,
    next_ping: u32,
    events: VecDeque<NetEvent>,
    woken: BTreeSet<StreamId>,
    dirty: BTreeSet<Ipv4Addr>,
    pub(crate) dropped: u64,
}

impl Net {
    pub(crate) fn new(config: NetConfig, seed: u64, now: Instant) -> Self {
        Self {
            config,
            seed,
            epoch: now,
            stacks: BTreeMap::new(),
            listening: BTreeSet::new(),
            datagrams: BTreeSet::new(),
            pings: VecDeque::new(),
            next_stream: 0,
            next_ping: (seed >> 32) as u32,
            events: VecDeque::new(),
            woken: BTreeSet::new(),
            dirty: BTreeSet::new(),
            dropped: 0,
        }
    }

    pub(crate) const fn local(&self) -> Ipv4Addr {
        self.config.local
    }

    /// Changes the own address; connections of the old one are gone.
    pub(crate) fn set_local(&mut self, local: Ipv4Addr) {
        if local != self.config.local {
            self.config.local = local;
            let remotes: Vec<_> = self.stacks.keys().copied().collect();
            for remote in remotes {
                self.forget(remote);
            }
        }
    }

    /// Lists the addresses that have a stack.
    pub(crate) fn remotes(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        self.stacks.keys().copied()
    }

    pub(crate) fn stacks(&self) -> usize {
        self.stacks.len()
    }

    fn stack(&mut self, remote: Ipv4Addr, now: Instant) -> &mut Stack {
        self.dirty.insert(remote);
        // Each stack draws different initial sequence numbers.
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (config, seed, epoch) = (&self.config, self.seed, self.epoch);
        let stack = self.stacks.entry(remote).or_insert_with(|| Stack::new(config, remote, seed, epoch, now));
        stack.used = now;
        stack
    }

    /// Takes a packet whose source has been checked and whose destination is ours.
    pub(crate) fn receive(&mut self, remote: Ipv4Addr, packet: &[u8], now: Instant) {
        match packet::classify(packet) {
            None => self.dropped += 1,
            Some(Content::Udp { from_port, to_port, payload }) if self.datagrams.contains(&to_port) => {
                if self.events.len() >= EVENTS_MAX {
                    self.dropped += 1;
                    return;
                }
                let from = SocketAddrV4::new(remote, from_port);
                self.events.push_back(NetEvent::Datagram { port: to_port, from, payload: payload.to_vec() });
            }
            Some(Content::EchoReply { ident, sequence }) => self.pong((ident, sequence), remote, now),
            Some(content) => {
                if let Content::TcpOpening { from_port, to_port } = content
                    && self.listening.contains(&to_port)
                    && self.stacks.get(&remote).map_or(0, Stack::streams) < self.config.streams_per_remote
                {
                    self.next_stream += 1;
                    let number = self.next_stream;
                    self.stack(remote, now).prepare_accept(number, from_port, to_port);
                }
                self.stack(remote, now).receive(packet);
            }
        }
    }

    fn pong(&mut self, ping: PingId, remote: Ipv4Addr, now: Instant) {
        let Some(at) = self.pings.iter().position(|(id, to, _)| *id == ping && *to == remote) else {
            self.dropped += 1;
            return;
        };
        if let Some((_, _, sent)) = self.pings.remove(at) {
            self.events.push_back(NetEvent::Pong { ping, round_trip: now.saturating_duration_since(sent) });
        }
    }

    pub(crate) fn ping(&mut self, remote: Ipv4Addr, size: usize, now: Instant) -> Result<PingId, NetError> {
        self.next_ping = self.next_ping.wrapping_add(1);
        let ping = ((self.next_ping >> 16) as u16, self.next_ping as u16);
        let packet =
            packet::echo_request(self.config.local, remote, ping, size, self.config.mtu).ok_or(NetError::TooLarge(size))?;
        if self.pings.len() >= PINGS_MAX {
            self.pings.pop_front();
        }
        self.pings.push_back((ping, remote, now));
        self.stack(remote, now).push(packet);
        Ok(ping)
    }

    pub(crate) fn send_datagram(&mut self, port: u16, to: SocketAddrV4, payload: &[u8], now: Instant) -> Result<(), NetError> {
        let from = SocketAddrV4::new(self.config.local, port);
        let packet = packet::udp(from, to, payload, self.config.mtu).ok_or(NetError::TooLarge(payload.len()))?;
        self.stack(*to.ip(), now).push(packet);
        Ok(())
    }

    pub(crate) fn listen(&mut self, port: u16) -> Result<(), NetError> {
        claim(&mut self.listening, port)
    }

    pub(crate) fn unlisten(&mut self, port: u16) {
        self.listening.remove(&port);
    }

    pub(crate) fn open_datagrams(&mut self, port: u16) -> Result<(), NetError> {
        claim(&mut self.datagrams, port)
    }

    pub(crate) fn close_datagrams(&mut self, port: u16) {
        self.datagrams.remove(&port);
    }

    pub(crate) fn connect(&mut self, to: SocketAddrV4, now: Instant) -> Result<StreamId, NetError> {
        let remote = *to.ip();
        if to.port() == 0 {
            return Err(NetError::PortZero);
        }
        let limit = self.config.streams_per_remote;
        self.next_stream += 1;
        let number = self.next_stream;
        let stack = self.stack(remote, now);
        if stack.streams() >= limit {
            return Err(NetError::TooManyStreams(remote));
        }
        stack.connect(number, to.port());
        Ok(StreamId { remote, number })
    }

    pub(crate) fn stream_state(&mut self, id: StreamId) -> StreamState {
        self.stacks.get_mut(&id.remote).map_or(StreamState::Gone, |stack| stack.state(id.number))
    }

    pub(crate) fn read(&mut self, id: StreamId, into: &mut [u8]) -> Read {
        let Some(stack) = self.stacks.get_mut(&id.remote) else { return Read::Reset };
        let read = stack.read(id.number, into);
        if matches!(read, Read::Data(_)) {
            // The window has opened: the remote wants to know.
            self.dirty.insert(id.remote);
        }
        read
    }

    pub(crate) fn write(&mut self, id: StreamId, bytes: &[u8]) -> usize {
        let Some(stack) = self.stacks.get_mut(&id.remote) else { return 0 };
        let count = stack.write(id.number, bytes);
        if count > 0 {
            self.dirty.insert(id.remote);
        }
        count
    }

    pub(crate) fn finish(&mut self, id: StreamId) {
        if self.stacks.get_mut(&id.remote).is_some_and(|stack| stack.finish(id.number)) {
            self.dirty.insert(id.remote);
        }
    }

    pub(crate) fn release(&mut self, id: StreamId, now: Instant) {
        if self.stacks.get_mut(&id.remote).is_some_and(|stack| stack.release(id.number, now)) {
            self.dirty.insert(id.remote);
        }
    }

    /// Drops everything that concerns a remote; its streams are reset.
    pub(crate) fn forget(&mut self, remote: Ipv4Addr) {
        self.dirty.remove(&remote);
        if let Some(stack) = self.stacks.remove(&remote) {
            self.woken.extend(stack.ids());
        }
    }

    /// Marks a remote whose session has come up, so that what waited for it goes out.
    pub(crate) fn session_up(&mut self, remote: Ipv4Addr) {
        if self.stacks.contains_key(&remote) {
            self.dirty.insert(remote);
        }
    }

    /// Returns a remote whose stack must be pumped.
    pub(crate) fn next_dirty(&mut self) -> Option<Ipv4Addr> {
        self.dirty.pop_first()
    }

    /// Runs a remote's stack; `send` takes each packet, and is not called unless `ready`.
    /// Returns true if something waits for a session.
    pub(crate) fn pump(&mut self, remote: Ipv4Addr, ready: bool, now: Instant, mut send: impl FnMut(&[u8])) -> bool {
        let Some(stack) = self.stacks.get_mut(&remote) else { return false };
        stack.run(ready, now);
        while ready && let Some(packet) = stack.pop() {
            send(&packet);
        }
        for (stream, port, from) in stack.sweep() {
            self.events.push_back(NetEvent::Accepted { stream, port, from });
        }
        self.woken.extend(stack.ids());
        let idle = stack.streams() == 0 && !stack.waiting();
        if !idle {
            stack.used = now;
        }
        if idle && now.saturating_duration_since(stack.used) >= STACK_IDLE {
            self.stacks.remove(&remote);
            return false;
        }
        if idle {
            let drop_at = stack.used + STACK_IDLE;
            stack.deadline = Some(stack.deadline.map_or(drop_at, |at| at.min(drop_at)));
        }
        !ready && !idle
    }

    /// Marks the stacks whose time has come.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let due = self.stacks.iter().filter(|(_, stack)| stack.deadline.is_some_and(|at| at <= now));
        self.dirty.extend(due.map(|(remote, _)| *remote));
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.stacks.values().filter_map(|stack| stack.deadline).min()
    }

    pub(crate) fn poll_event(&mut self) -> Option<NetEvent> {
        self.events.pop_front()
    }

    pub(crate) fn poll_woken(&mut self) -> Option<StreamId> {
        self.woken.pop_first()
    }
}

fn claim(ports: &mut BTreeSet<u16>, port: u16) -> Result<(), NetError> {
    if port == 0 {
        return Err(NetError::PortZero);
    }
    if ports.insert(port) { Ok(()) } else { Err(NetError::PortTaken(port)) }
}
