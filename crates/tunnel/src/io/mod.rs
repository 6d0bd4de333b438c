//! The tokio shell: one task for each node, and handles that talk to it.
//!
//! The task owns the node and its UDP socket. Everything that waits is bounded: calls, connections to be accepted,
//! datagrams, events, and the bytes of each stream.

mod driver;
mod pipe;

pub use pipe::TunnelStream;

use crate::hub::{Hub, HubConfig, HubEvent, HubStats, Peer, PeerError, PeerStatus, Pending, PendingId};
use crate::net::NetError;
use crate::node::Node;
use crate::spoke::{Spoke, SpokeConfig, SpokePeer, SpokePeerStatus};
use driver::{Arrival, Call, Driver, Incoming, Outgoing, clock};
use pipe::Kick;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};

/// Calls that wait for the task.
const CALLS_MAX: usize = 256;
/// Events that wait for the program; the hub keeps some more itself.
const EVENTS_MAX: usize = 1024;
/// Socket buffers that are asked for (bytes): a burst of 5,000 full packets.
const SOCKET_BUFFER: usize = 8 << 20;

/// The task has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the tunnel has been shut down")]
pub struct Stopped;

/// Why the hub did not take a peer or an enrolment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HubError {
    /// It was refused.
    #[error(transparent)]
    Refused(#[from] PeerError),
    /// The task has ended.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Talks to a node's task. The task ends with its last handle.
pub struct Handle<N: Node> {
    calls: mpsc::Sender<Call<N>>,
}

/// Talks to a hub.
pub type HubHandle = Handle<Hub>;
/// Talks to a spoke.
pub type SpokeHandle = Handle<Spoke>;

impl<N: Node> Clone for Handle<N> {
    fn clone(&self) -> Self {
        Self { calls: self.calls.clone() }
    }
}

impl<N: Node> fmt::Debug for Handle<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

/// Starts a hub on a bound socket. Must be called within a tokio runtime.
///
/// # Errors
///
/// When the system gives no randomness.
pub fn spawn_hub(socket: UdpSocket, config: HubConfig) -> io::Result<(HubHandle, mpsc::Receiver<HubEvent>)> {
    let (events, receiver) = mpsc::channel(EVENTS_MAX);
    let hub = Hub::new(config, seed()?, clock());
    Ok((spawn(socket, hub, Some(events)), receiver))
}

/// Starts a spoke on a bound socket. Must be called within a tokio runtime.
///
/// # Errors
///
/// When the system gives no randomness.
pub fn spawn_spoke(socket: UdpSocket, config: &SpokeConfig) -> io::Result<SpokeHandle> {
    Ok(spawn(socket, Spoke::new(config, seed()?, clock()), None))
}

#[expect(clippy::disallowed_methods, reason = "the shell is where randomness is drawn")]
fn seed() -> io::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(u64::from_le_bytes(bytes))
}

fn spawn<N>(socket: UdpSocket, node: N, events: Option<mpsc::Sender<N::Event>>) -> Handle<N>
where
    N: Node + Send + 'static,
    N::Event: Send,
{
    enlarge_buffers(&socket);
    let (calls, called) = mpsc::channel(CALLS_MAX);
    let (driver, inputs) = Driver::new(node, called);
    tokio::spawn(driver.run(socket, inputs, events));
    Handle { calls }
}

fn enlarge_buffers(socket: &UdpSocket) {
    let socket = socket2::SockRef::from(socket);
    // The system may grant less without an error; what counts is what it then reports.
    let asked = socket.set_recv_buffer_size(SOCKET_BUFFER).and_then(|()| socket.set_send_buffer_size(SOCKET_BUFFER));
    let granted = (socket.recv_buffer_size().unwrap_or(0), socket.send_buffer_size().unwrap_or(0));
    match asked {
        Ok(()) => tracing::info!(receive_bytes = granted.0, send_bytes = granted.1, "tunnel socket buffers"),
        Err(error) => {
            tracing::warn!(%error, receive_bytes = granted.0, send_bytes = granted.1, "tunnel socket buffers stay small")
        }
    }
}

impl<N: Node + Send + 'static> Handle<N> {
    /// Has the task do something and waits for the result.
    async fn call<R: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Driver<N>, Instant) -> R + Send + 'static,
    ) -> Result<R, Stopped> {
        let (answer, answered) = oneshot::channel();
        let call: Call<N> = Box::new(move |driver, now| {
            // Whoever asked may be gone; then the result is dropped, and with it what it stands for.
            drop(answer.send(act(driver, now)));
        });
        self.calls.send(call).await.map_err(|_| Stopped)?;
        answered.await.map_err(|_| Stopped)
    }

    /// Opens a TCP connection to an inner address and port.
    ///
    /// # Errors
    ///
    /// `ConnectionRefused` when the remote refuses or stays silent for 60 s of an existing session, `HostUnreachable` when
    /// nobody has the address, `NotConnected` after shutdown. Without a session it waits for one: set a timeout.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the connection up and frees it.
    pub async fn connect(&self, address: Ipv4Addr, port: u16) -> io::Result<TunnelStream> {
        let stream = self
            .call(move |driver, now| {
                let id = driver.node.connect(SocketAddrV4::new(address, port), now)?;
                Ok(driver.adopt(id))
            })
            .await
            .map_err(stopped)?
            .map_err(refused)?;
        stream.opened().await?;
        Ok(stream)
    }

    /// Accepts TCP connections from the tunnel on a port.
    ///
    /// # Errors
    ///
    /// `AddrInUse` when somebody listens already, `NotConnected` after shutdown.
    pub async fn listen(&self, port: u16) -> io::Result<TunnelListener> {
        self.call(move |driver, _| {
            let arrivals = driver.listen(port)?;
            Ok(TunnelListener { port, arrivals, kicks: driver.kicks.clone() })
        })
        .await
        .map_err(stopped)?
        .map_err(refused)
    }

    /// Takes datagrams from the tunnel on a port.
    ///
    /// # Errors
    ///
    /// `AddrInUse` when somebody takes them already, `NotConnected` after shutdown.
    pub async fn datagrams(&self, port: u16) -> io::Result<TunnelDatagrams> {
        self.call(move |driver, _| {
            let incoming = driver.open_datagrams(port)?;
            Ok(TunnelDatagrams { port, incoming, outgoing: driver.outgoing.clone(), kicks: driver.kicks.clone() })
        })
        .await
        .map_err(stopped)?
        .map_err(refused)
    }

    /// Sends an echo request with `size` bytes of content and returns the time until its answer. Waits without an end: set a
    /// timeout.
    ///
    /// # Errors
    ///
    /// `HostUnreachable` when nobody has the address, `InvalidInput` when the packet would not fit, `TimedOut` when 256 newer
    /// pings have taken its place, `NotConnected` after shutdown.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future forgets the ping.
    pub async fn ping(&self, address: Ipv4Addr, size: usize) -> io::Result<Duration> {
        let answer = self.call(move |driver, now| driver.ping(address, size, now)).await.map_err(stopped)?.map_err(refused)?;
        answer.await.map_err(|_| io::ErrorKind::TimedOut.into())
    }

    /// Ends the task, breaks all connections, and returns when the socket is free.
    pub async fn shutdown(&self) {
        if self.call(|driver, _| driver.stopping = true).await.is_ok() {
            self.calls.closed().await;
        }
    }
}

impl HubHandle {
    /// Adds or renews a lasting peer; see [`Hub::set_peer`].
    ///
    /// # Errors
    ///
    /// When the peer is refused, or after shutdown.
    pub async fn set_peer(&self, peer: Peer) -> Result<(), HubError> {
        Ok(self.call(move |driver, now| driver.node.set_peer(peer, now)).await??)
    }

    /// Removes a lasting peer and resets its connections. Returns false if there was none.
    ///
    /// # Errors
    ///
    /// After shutdown.
    pub async fn remove_peer(&self, address: Ipv4Addr) -> Result<bool, Stopped> {
        self.call(move |driver, _| driver.node.remove_peer(address)).await
    }

    /// Lets a router enrol; see [`Hub::set_pending`].
    ///
    /// # Errors
    ///
    /// When there are too many, or after shutdown.
    pub async fn set_pending(&self, pending: Pending) -> Result<(), HubError> {
        Ok(self.call(move |driver, _| driver.node.set_pending(&pending)).await??)
    }

    /// Ends an enrolment. Returns false if there was none.
    ///
    /// # Errors
    ///
    /// After shutdown.
    pub async fn remove_pending(&self, id: PendingId) -> Result<bool, Stopped> {
        self.call(move |driver, _| driver.node.remove_pending(id)).await
    }

    /// Begins a handshake with a peer soon; see [`Hub::call`].
    ///
    /// # Errors
    ///
    /// After shutdown.
    pub async fn call_peer(&self, address: Ipv4Addr) -> Result<bool, Stopped> {
        self.call(move |driver, _| driver.node.call(address)).await
    }

    /// Lists the lasting peers by address.
    ///
    /// # Errors
    ///
    /// After shutdown.
    pub async fn peers(&self) -> Result<Vec<PeerStatus>, Stopped> {
        self.call(|driver, now| driver.node.peers(now)).await
    }

    /// Describes one lasting peer.
    ///
    /// # Errors
    ///
    /// After shutdown.
    pub async fn peer(&self, address: Ipv4Addr) -> Result<Option<PeerStatus>, Stopped> {
        self.call(move |driver, now| driver.node.peer(address, now)).await
    }

    /// Returns counters and present sizes.
    ///
    /// # Errors
    ///
    /// After shutdown.
    pub async fn stats(&self) -> Result<HubStats, Stopped> {
        self.call(|driver, _| driver.node.stats()).await
    }
}

impl SpokeHandle {
    /// Replaces the peers; see [`Spoke::set_peers`].
    ///
    /// # Errors
    ///
    /// After shutdown.
    pub async fn set_peers(&self, peers: Vec<SpokePeer>) -> Result<(), Stopped> {
        self.call(move |driver, now| driver.node.set_peers(peers, now)).await
    }

    /// Changes the inner address; connections of the old one are reset.
    ///
    /// # Errors
    ///
    /// After shutdown.
    pub async fn set_address(&self, address: Ipv4Addr) -> Result<(), Stopped> {
        self.call(move |driver, _| driver.node.set_address(address)).await
    }

    /// Lists the peers in the order they were given.
    ///
    /// # Errors
    ///
    /// After shutdown.
    pub async fn peers(&self) -> Result<Vec<SpokePeerStatus>, Stopped> {
        self.call(|driver, now| driver.node.peers(now)).await
    }
}

/// Accepts TCP connections inside the tunnel. Dropping it frees the port.
#[derive(Debug)]
pub struct TunnelListener {
    port: u16,
    arrivals: mpsc::Receiver<Arrival>,
    kicks: mpsc::UnboundedSender<Kick>,
}

impl TunnelListener {
    /// Waits for the next connection and returns it with the inner address it came from.
    ///
    /// # Errors
    ///
    /// `NotConnected` after shutdown.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no connection.
    pub async fn accept(&mut self) -> io::Result<(TunnelStream, Ipv4Addr)> {
        self.arrivals.recv().await.ok_or_else(|| stopped(Stopped))
    }
}

impl Drop for TunnelListener {
    fn drop(&mut self) {
        self.arrivals.close();
        drop(self.kicks.send(Kick::Unlisten(self.port)));
    }
}

/// Takes and sends datagrams inside the tunnel. Dropping it frees the port.
#[derive(Debug)]
pub struct TunnelDatagrams {
    port: u16,
    incoming: mpsc::Receiver<Incoming>,
    outgoing: mpsc::Sender<Outgoing>,
    kicks: mpsc::UnboundedSender<Kick>,
}

impl TunnelDatagrams {
    /// Waits for the next datagram and returns it with its sender; the address is the peer's own, verified by the tunnel.
    ///
    /// # Errors
    ///
    /// `NotConnected` after shutdown.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no datagram.
    pub async fn recv_from(&mut self) -> io::Result<(Vec<u8>, SocketAddrV4)> {
        self.incoming.recv().await.ok_or_else(|| stopped(Stopped))
    }

    /// Sends a datagram from this port. Like any UDP socket it does not tell whether it arrives; one that is larger than the
    /// MTU allows, or for an unknown address, is lost.
    ///
    /// # Errors
    ///
    /// `NotConnected` after shutdown.
    pub async fn send_to(&self, payload: &[u8], to: SocketAddrV4) -> io::Result<()> {
        self.outgoing.send((self.port, to, payload.to_vec())).await.map_err(|_| stopped(Stopped))
    }
}

impl Drop for TunnelDatagrams {
    fn drop(&mut self) {
        self.incoming.close();
        drop(self.kicks.send(Kick::CloseDatagrams(self.port)));
    }
}

fn stopped(error: Stopped) -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, error)
}

fn refused(error: NetError) -> io::Error {
    let kind = match error {
        NetError::NoSuchPeer(_) => io::ErrorKind::HostUnreachable,
        NetError::TooManyStreams(_) => io::ErrorKind::QuotaExceeded,
        NetError::PortTaken(_) => io::ErrorKind::AddrInUse,
        NetError::PortZero | NetError::TooLarge(_) => io::ErrorKind::InvalidInput,
    };
    io::Error::new(kind, error)
}
