//! The TCP/IP stack that belongs to one remote address.

use super::{NetConfig, StreamId};
use smoltcp::iface::{Config, Interface, PollResult, SocketHandle, SocketSet};
use smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use smoltcp::socket::tcp;
use smoltcp::time::{Duration as SmolDuration, Instant as SmolInstant};
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};
use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

/// Packets a stack hands out in one round; more wait for the next, so that one router does not hold up the others.
const BURST_PACKETS: usize = 64;
/// Packets without a connection (datagrams, pings) that wait for a session.
const LOOSE_MAX: usize = 16;
/// Time after which a silent remote is asked whether it is still there, and after which the connection is given up.
const KEEP_ALIVE: SmolDuration = SmolDuration::from_secs(20);
const DEAD_AFTER: SmolDuration = SmolDuration::from_secs(60);
/// Time a stream whose owner has gone may take to deliver what it was given.
const LINGER: Duration = Duration::from_secs(30);
/// First port of the range for outgoing connections (RFC 6335 §6).
const EPHEMERAL_FIRST: u16 = 49152;

/// What reading from a stream gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// So many bytes.
    Data(usize),
    /// Nothing yet.
    Pending,
    /// The remote has finished.
    End,
    /// The connection is gone.
    Reset,
}

/// Where a stream is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamState {
    /// The remote has not answered yet.
    Connecting,
    /// Bytes flow, in one direction at least.
    Open,
    /// Closed, reset or never known.
    Gone,
}

#[derive(Debug)]
struct Stream {
    socket: SocketHandle,
    /// The port on which it came in, until it has been announced.
    arriving: Option<u16>,
    /// Its handshake is over.
    opened: bool,
    /// When its owner let go of it.
    released: Option<Instant>,
}

/// Queues between the stack and the tunnel.
#[derive(Debug)]
struct Queues {
    inbound: VecDeque<Vec<u8>>,
    outbound: VecDeque<Vec<u8>>,
    room: usize,
    mtu: usize,
}

struct Inbound(Vec<u8>);
struct Outbound<'a>(&'a mut Queues);

impl phy::RxToken for Inbound {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl phy::TxToken for Outbound<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut packet = vec![0; len];
        let result = f(&mut packet);
        self.0.outbound.push_back(packet);
        self.0.room = self.0.room.saturating_sub(1);
        result
    }
}

impl Device for Queues {
    type RxToken<'a> = Inbound;
    type TxToken<'a> = Outbound<'a>;

    fn receive(&mut self, _now: SmolInstant) -> Option<(Inbound, Outbound<'_>)> {
        let packet = self.inbound.pop_front()?;
        Some((Inbound(packet), Outbound(self)))
    }

    fn transmit(&mut self, _now: SmolInstant) -> Option<Outbound<'_>> {
        (self.room > 0).then_some(Outbound(self))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = self.mtu;
        capabilities
    }
}

/// One remote's TCP connections and waiting packets.
pub(crate) struct Stack {
    iface: Interface,
    sockets: SocketSet<'static>,
    queues: Queues,
    streams: BTreeMap<u64, Stream>,
    remote: Ipv4Addr,
    local: Ipv4Addr,
    epoch: Instant,
    buffer: usize,
    next_port: u16,
    /// When it must be pumped again.
    pub(super) deadline: Option<Instant>,
    /// When it last had anything to do.
    pub(super) used: Instant,
}

impl std::fmt::Debug for Stack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stack").field("remote", &self.remote).field("streams", &self.streams).finish_non_exhaustive()
    }
}

impl Stack {
    pub(super) fn new(config: &NetConfig, remote: Ipv4Addr, seed: u64, epoch: Instant, now: Instant) -> Self {
        let mut queues = Queues { inbound: VecDeque::new(), outbound: VecDeque::new(), room: 0, mtu: config.mtu };
        let mut settings = Config::new(HardwareAddress::Ip);
        settings.random_seed = seed;
        let mut iface = Interface::new(settings, &mut queues, smol(epoch, now));
        iface.update_ip_addrs(|list| {
            list.push(IpCidr::new(IpAddress::Ipv4(config.local), 32)).expect("an empty list has room for one address");
        });
        // On an IP medium the gateway is never asked for; the route only says that everything is sent.
        iface.routes_mut().add_default_ipv4_route(config.local).expect("an empty table has room for one route");
        Self {
            iface,
            sockets: SocketSet::new(Vec::new()),
            queues,
            streams: BTreeMap::new(),
            remote,
            local: config.local,
            epoch,
            buffer: config.stream_buffer,
            next_port: EPHEMERAL_FIRST + (seed >> 50) as u16,
            deadline: None,
            used: now,
        }
    }

    pub(super) fn streams(&self) -> usize {
        self.streams.len()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = StreamId> + '_ {
        let remote = self.remote;
        self.streams.keys().map(move |number| StreamId { remote, number: *number })
    }

    fn make_socket(&self) -> tcp::Socket<'static> {
        let buffer = || tcp::SocketBuffer::new(vec![0; self.buffer]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.set_nagle_enabled(false);
        socket.set_keep_alive(Some(KEEP_ALIVE));
        socket.set_timeout(Some(DEAD_AFTER));
        socket
    }

    fn adopt(&mut self, number: u64, socket: tcp::Socket<'static>, arriving: Option<u16>) {
        let socket = self.sockets.add(socket);
        self.streams.insert(number, Stream { socket, arriving, opened: false, released: None });
    }

    /// Opens a connection to a port of the remote.
    pub(super) fn connect(&mut self, number: u64, port: u16) {
        let taken: Vec<u16> = self.sockets.iter().filter_map(|(_, socket)| local_port(socket)).collect();
        while taken.contains(&self.next_port) {
            self.next_port = self.next_port.checked_add(1).unwrap_or(EPHEMERAL_FIRST);
        }
        let mut socket = self.make_socket();
        let to = (IpAddress::Ipv4(self.remote), port);
        socket
            .connect(self.iface.context(), to, (IpAddress::Ipv4(self.local), self.next_port))
            .expect("the socket is new and the port is not 0");
        self.next_port = self.next_port.checked_add(1).unwrap_or(EPHEMERAL_FIRST);
        self.adopt(number, socket, None);
    }

    /// Makes room for the connection that this opening segment asks for, unless it is a repetition.
    pub(super) fn prepare_accept(&mut self, number: u64, from_port: u16, to_port: u16) {
        let repeated = self.streams.values().any(|stream| {
            let socket = self.sockets.get::<tcp::Socket>(stream.socket);
            let port = |end: Option<smoltcp::wire::IpEndpoint>| end.map(|end| end.port);
            port(socket.remote_endpoint()) == Some(from_port) && port(socket.local_endpoint()) == Some(to_port)
        });
        if repeated {
            return;
        }
        let mut socket = self.make_socket();
        socket.listen((IpAddress::Ipv4(self.local), to_port)).expect("the socket is new and the port is not 0");
        self.adopt(number, socket, Some(to_port));
    }

    pub(super) fn receive(&mut self, packet: &[u8]) {
        self.queues.inbound.push_back(packet.to_vec());
    }

    /// Queues a packet that belongs to no connection; the oldest gives way when too many wait.
    pub(super) fn push(&mut self, packet: Vec<u8>) {
        if self.queues.outbound.len() >= LOOSE_MAX {
            self.queues.outbound.pop_front();
        }
        self.queues.outbound.push_back(packet);
    }

    pub(super) fn waiting(&self) -> bool {
        !self.queues.outbound.is_empty()
    }

    pub(super) fn pop(&mut self) -> Option<Vec<u8>> {
        self.queues.outbound.pop_front()
    }

    /// Runs the stack. `ready` says whether there is a session that can carry what it sends.
    pub(super) fn run(&mut self, ready: bool, now: Instant) {
        self.expire_released(now);
        let time = smol(self.epoch, now);
        self.queues.room = if ready { BURST_PACKETS } else { 0 };
        while let PollResult::SocketStateChanged = self.iface.poll(time, &mut self.queues, &mut self.sockets) {
            if self.queues.room == 0 {
                break;
            }
        }
        let next = self.iface.poll_at(time, &self.sockets);
        let linger = self.streams.values().filter_map(|stream| stream.released).map(|at| at + LINGER).min();
        // Without a session there is nothing to do until one comes.
        let due = next.filter(|_| ready).map(|at| std_time(self.epoch, at).max(now));
        self.deadline = due.into_iter().chain(linger).min();
    }

    fn expire_released(&mut self, now: Instant) {
        for stream in self.streams.values().filter(|stream| stream.released.is_some_and(|at| now >= at + LINGER)) {
            self.sockets.get_mut::<tcp::Socket>(stream.socket).abort();
        }
    }

    /// Takes out streams that are over and returns those that have just been accepted: stream, port, remote.
    pub(super) fn sweep(&mut self) -> Vec<(StreamId, u16, SocketAddrV4)> {
        let mut accepted = Vec::new();
        let mut over = Vec::new();
        for (number, stream) in &mut self.streams {
            let socket = self.sockets.get_mut::<tcp::Socket>(stream.socket);
            let state = socket.state();
            stream.opened |=
                !matches!(state, tcp::State::Listen | tcp::State::SynSent | tcp::State::SynReceived | tcp::State::Closed);
            if stream.released.is_some() {
                // Nobody reads any more, but the remote's end of the stream must still be able to arrive.
                while matches!(socket.recv(|bytes| (bytes.len(), bytes.len())), Ok(count) if count > 0) {}
            }
            let unborn = stream.arriving.is_some() && matches!(state, tcp::State::Listen | tcp::State::Closed);
            let done = stream.released.is_some() && matches!(state, tcp::State::Closed | tcp::State::TimeWait);
            if unborn || done {
                over.push(*number);
            } else if stream.opened
                && let (Some(port), Some(end)) = (stream.arriving, socket.remote_endpoint())
            {
                stream.arriving = None;
                accepted.push((
                    StreamId { remote: self.remote, number: *number },
                    port,
                    SocketAddrV4::new(self.remote, end.port),
                ));
            }
        }
        for number in over {
            let stream = self.streams.remove(&number).expect("it was just seen");
            self.sockets.remove(stream.socket);
        }
        accepted
    }

    fn socket(&mut self, number: u64) -> Option<(&mut tcp::Socket<'static>, bool)> {
        let stream = self.streams.get(&number)?;
        Some((self.sockets.get_mut::<tcp::Socket>(stream.socket), stream.opened))
    }

    pub(super) fn state(&mut self, number: u64) -> StreamState {
        match self.socket(number) {
            Some((socket, true)) if socket.state() != tcp::State::Closed => StreamState::Open,
            Some((socket, false)) if socket.state() != tcp::State::Closed => StreamState::Connecting,
            _ => StreamState::Gone,
        }
    }

    pub(super) fn read(&mut self, number: u64, into: &mut [u8]) -> Read {
        let Some((socket, opened)) = self.socket(number) else { return Read::Reset };
        match socket.recv_slice(into) {
            Ok(0) => Read::Pending,
            Ok(count) => Read::Data(count),
            Err(tcp::RecvError::Finished) => Read::End,
            Err(tcp::RecvError::InvalidState) if !opened && socket.state() != tcp::State::Closed => Read::Pending,
            Err(tcp::RecvError::InvalidState) => Read::Reset,
        }
    }

    /// Takes bytes to send; returns how many, 0 if there is no room now.
    pub(super) fn write(&mut self, number: u64, bytes: &[u8]) -> usize {
        self.socket(number).and_then(|(socket, _)| socket.send_slice(bytes).ok()).unwrap_or(0)
    }

    /// Ends the own direction; returns false if that was done before.
    pub(super) fn finish(&mut self, number: u64) -> bool {
        let Some((socket, _)) = self.socket(number) else { return false };
        let open = socket.may_send();
        if open {
            socket.close();
        }
        open
    }

    /// Lets go of a stream; returns false if that was done before.
    pub(super) fn release(&mut self, number: u64, now: Instant) -> bool {
        let Some(stream) = self.streams.get_mut(&number).filter(|stream| stream.released.is_none()) else { return false };
        stream.released = Some(now);
        if !stream.opened {
            self.sockets.get_mut::<tcp::Socket>(stream.socket).abort();
        }
        true
    }
}

fn local_port(socket: &smoltcp::socket::Socket<'_>) -> Option<u16> {
    tcp_socket(socket).and_then(|tcp| tcp.local_endpoint()).map(|end| end.port)
}

fn tcp_socket<'a, 'b>(socket: &'a smoltcp::socket::Socket<'b>) -> Option<&'a tcp::Socket<'b>> {
    match socket {
        smoltcp::socket::Socket::Tcp(tcp) => Some(tcp),
        smoltcp::socket::Socket::Udp(_) | smoltcp::socket::Socket::Icmp(_) => None,
    }
}

fn smol(epoch: Instant, now: Instant) -> SmolInstant {
    let micros = now.saturating_duration_since(epoch).as_micros();
    SmolInstant::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

fn std_time(epoch: Instant, at: SmolInstant) -> Instant {
    epoch + Duration::from_micros(u64::try_from(at.total_micros()).unwrap_or(0))
}
