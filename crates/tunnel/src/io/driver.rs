//! The one task that owns a node and its socket.

use super::pipe::{CAPACITY, Kick, Shared, TunnelStream};
use crate::engine::MAX_DATAGRAM;
use crate::net::{NetError, NetEvent, PingId, Read, StreamId, StreamState};
use crate::node::Node;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};

/// Datagrams that are taken from the socket before the others get their turn.
const BATCH: usize = 64;
/// Connections that wait to be accepted, and datagrams that wait to be fetched.
const BACKLOG: usize = 64;
const DATAGRAMS_MAX: usize = 1024;
/// Pings that are waited for at once.
const PINGS_MAX: usize = 256;

/// Something to be done by the task that owns the node.
pub(super) type Call<N> = Box<dyn FnOnce(&mut Driver<N>, Instant) + Send>;

/// A datagram from one of our ports to a remote.
pub(super) type Outgoing = (u16, SocketAddrV4, Vec<u8>);
/// A datagram from a remote.
pub(super) type Incoming = (Vec<u8>, SocketAddrV4);
/// A connection from a remote.
pub(super) type Arrival = (TunnelStream, Ipv4Addr);

pub(super) struct Driver<N: Node> {
    pub(super) node: N,
    pub(super) stopping: bool,
    pub(super) kicks: mpsc::UnboundedSender<Kick>,
    pub(super) outgoing: mpsc::Sender<Outgoing>,
    streams: BTreeMap<StreamId, Arc<Shared>>,
    listeners: BTreeMap<u16, mpsc::Sender<Arrival>>,
    datagrams: BTreeMap<u16, mpsc::Sender<Incoming>>,
    pings: BTreeMap<PingId, oneshot::Sender<Duration>>,
    scratch: Vec<u8>,
}

/// What the task listens to beside the socket.
pub(super) struct Inputs<N: Node> {
    pub(super) calls: mpsc::Receiver<Call<N>>,
    kicks: mpsc::UnboundedReceiver<Kick>,
    outgoing: mpsc::Receiver<Outgoing>,
}

/// Reads the clock; the core only knows what it is told.
#[expect(clippy::disallowed_methods, reason = "the shell is where the clock is read")]
pub(super) fn clock() -> Instant {
    Instant::now()
}

impl<N: Node> Driver<N> {
    pub(super) fn new(node: N, calls: mpsc::Receiver<Call<N>>) -> (Self, Inputs<N>) {
        let (kicks, kicked) = mpsc::unbounded_channel();
        let (outgoing, to_send) = mpsc::channel(DATAGRAMS_MAX);
        let driver = Self {
            node,
            stopping: false,
            kicks,
            outgoing,
            streams: BTreeMap::new(),
            listeners: BTreeMap::new(),
            datagrams: BTreeMap::new(),
            pings: BTreeMap::new(),
            scratch: vec![0; CAPACITY],
        };
        (driver, Inputs { calls, kicks: kicked, outgoing: to_send })
    }

    /// Runs until it is told to stop or the last handle is gone.
    pub(super) async fn run(mut self, socket: UdpSocket, mut inputs: Inputs<N>, events: Option<mpsc::Sender<N::Event>>) {
        while !self.stopping {
            self.settle(&socket, events.as_ref()).await;
            let deadline = self.node.poll_timeout().map(|(at, _)| tokio::time::Instant::from_std(at));
            let sleep = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                readable = socket.readable() => match readable {
                    Ok(()) => self.receive(&socket),
                    Err(error) => {
                        tracing::error!(error = &error as &dyn std::error::Error, "the tunnel's socket failed");
                        break;
                    }
                },
                call = inputs.calls.recv() => match call {
                    Some(call) => call(&mut self, clock()),
                    None => break,
                },
                Some(kick) = inputs.kicks.recv() => self.kicked(kick),
                Some((port, to, payload)) = inputs.outgoing.recv() => {
                    if let Err(error) = self.node.send_datagram(port, to, &payload, clock()) {
                        tracing::trace!(%error, "a datagram was lost");
                    }
                }
                () = sleep => {}
            }
            // The time is checked on each round, so that no flood can stop the timers.
            let now = clock();
            if self.node.poll_timeout().is_some_and(|(at, _)| at <= now) {
                self.node.handle_timeout(now);
            }
        }
        for shared in self.streams.into_values() {
            let mut pipe = shared.lock();
            pipe.broken = true;
            pipe.wake_reader();
            pipe.wake_writer();
        }
        // The socket goes before the inputs, whose end tells a shutdown that all is over.
        drop(socket);
    }

    fn receive(&mut self, socket: &UdpSocket) {
        // One byte more than is looked at, so that a longer datagram is seen to be too long.
        let mut buffer = [0; MAX_DATAGRAM + 1];
        for _ in 0..BATCH {
            match socket.try_recv_from(&mut buffer) {
                Ok((len, from)) => self.node.handle_datagram(from, &buffer[..len], clock()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // An ICMP error of an earlier datagram; the next read is fine.
                Err(error) => tracing::trace!(%error, "a datagram could not be received"),
            }
        }
    }

    /// Moves bytes, events and datagrams until nothing more can be moved.
    async fn settle(&mut self, socket: &UdpSocket, events: Option<&mpsc::Sender<N::Event>>) {
        loop {
            let mut moved = false;
            self.node.flush(clock());
            while let Some(event) = self.node.poll_net_event() {
                self.announce(event);
                moved = true;
            }
            while let Some(id) = self.node.poll_woken() {
                self.service(id);
                moved = true;
            }
            while let Some(transmit) = self.node.poll_transmit() {
                if let Err(error) = socket.send_to(&transmit.payload, transmit.to).await {
                    tracing::trace!(%error, "a datagram could not be sent");
                }
            }
            if !moved {
                break;
            }
        }
        let Some(events) = events else { return };
        // When the receiver lags the node keeps a bounded number and counts what it drops.
        while let Ok(permit) = events.try_reserve() {
            let Some(event) = self.node.poll_event() else { break };
            permit.send(event);
        }
    }

    fn kicked(&mut self, kick: Kick) {
        match kick {
            Kick::Stream(id) => self.service(id),
            Kick::Unlisten(port) => {
                if self.listeners.get(&port).is_some_and(mpsc::Sender::is_closed) {
                    self.listeners.remove(&port);
                    self.node.unlisten(port);
                }
            }
            Kick::CloseDatagrams(port) => {
                if self.datagrams.get(&port).is_some_and(mpsc::Sender::is_closed) {
                    self.datagrams.remove(&port);
                    self.node.close_datagrams(port);
                }
            }
        }
    }

    fn announce(&mut self, event: NetEvent) {
        match event {
            NetEvent::Accepted { stream, port, from } => {
                let arrival = self.adopt(stream);
                // With a full backlog the stream is dropped here, which closes it.
                let taken = self.listeners.get(&port).is_some_and(|listener| listener.try_send((arrival, *from.ip())).is_ok());
                self.node.net_mut().dropped += u64::from(!taken);
            }
            NetEvent::Datagram { port, from, payload } => {
                let taken = self.datagrams.get(&port).is_some_and(|socket| socket.try_send((payload, from)).is_ok());
                self.node.net_mut().dropped += u64::from(!taken);
            }
            NetEvent::Pong { ping, round_trip } => {
                // Whoever asked may have given up.
                self.pings.remove(&ping).map(|waiting| waiting.send(round_trip));
            }
        }
    }

    /// Gives a stream its pipe.
    pub(super) fn adopt(&mut self, id: StreamId) -> TunnelStream {
        let (stream, shared) = TunnelStream::new(id, self.kicks.clone());
        self.streams.insert(id, shared);
        stream
    }

    pub(super) fn listen(&mut self, port: u16) -> Result<mpsc::Receiver<Arrival>, NetError> {
        self.kicked(Kick::Unlisten(port));
        self.node.listen(port)?;
        let (sender, receiver) = mpsc::channel(BACKLOG);
        self.listeners.insert(port, sender);
        Ok(receiver)
    }

    pub(super) fn open_datagrams(&mut self, port: u16) -> Result<mpsc::Receiver<Incoming>, NetError> {
        self.kicked(Kick::CloseDatagrams(port));
        self.node.open_datagrams(port)?;
        let (sender, receiver) = mpsc::channel(DATAGRAMS_MAX);
        self.datagrams.insert(port, sender);
        Ok(receiver)
    }

    pub(super) fn ping(&mut self, to: Ipv4Addr, size: usize, now: Instant) -> Result<oneshot::Receiver<Duration>, NetError> {
        let ping = self.node.ping(to, size, now)?;
        self.pings.retain(|_, waiting| !waiting.is_closed());
        if self.pings.len() >= PINGS_MAX {
            self.pings.pop_first();
        }
        let (sender, receiver) = oneshot::channel();
        self.pings.insert(ping, sender);
        Ok(receiver)
    }

    /// Moves bytes between a stream's pipe and the stack.
    fn service(&mut self, id: StreamId) {
        let Some(shared) = self.streams.get(&id).map(Arc::clone) else { return };
        let mut pipe = shared.lock();
        pipe.kicked = false;
        let state = self.node.stream_state(id);
        if state == StreamState::Open && !pipe.opened {
            pipe.opened = true;
            pipe.wake_reader();
        }
        while !pipe.dropped && pipe.incoming.len() < CAPACITY {
            let room = CAPACITY - pipe.incoming.len();
            match self.node.read(id, &mut self.scratch[..room]) {
                Read::Data(count) => pipe.incoming.extend(&self.scratch[..count]),
                Read::Pending => break,
                Read::End => {
                    pipe.ended = true;
                    break;
                }
                Read::Reset => {
                    pipe.broken = true;
                    break;
                }
            }
        }
        if !pipe.incoming.is_empty() || pipe.ended || pipe.broken {
            pipe.wake_reader();
        }
        let before = pipe.outgoing.len();
        while !pipe.outgoing.is_empty() {
            let count = self.node.write(id, pipe.outgoing.as_slices().0);
            if count == 0 {
                break;
            }
            pipe.outgoing.drain(..count);
        }
        pipe.broken |= state == StreamState::Gone;
        if pipe.outgoing.len() < before || state == StreamState::Gone {
            pipe.wake_writer();
        }
        let written = pipe.outgoing.is_empty();
        if (pipe.finishing || pipe.dropped) && written && state == StreamState::Open {
            self.node.finish(id);
        }
        if pipe.dropped {
            self.node.release(id, clock());
            if written || state != StreamState::Open {
                self.streams.remove(&id);
            }
        }
    }
}
