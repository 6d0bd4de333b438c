//! What hub and spoke have in common: datagrams and times in, datagrams and events out, connections inside.

use crate::Transmit;
use crate::net::{Net, NetError, NetEvent, PingId, Read, StreamId, StreamState};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Instant;

/// One end of a tunnel. After every call the owner fetches datagrams, events and woken streams, and asks for the next time.
pub trait Node {
    /// What it tells beside [`NetEvent`].
    type Event;

    /// Takes a datagram from the socket.
    fn handle_datagram(&mut self, from: SocketAddr, datagram: &[u8], now: Instant);

    /// Does what is due.
    fn handle_timeout(&mut self, now: Instant);

    /// Returns when [`Node::handle_timeout`] must be called, and why.
    fn poll_timeout(&self) -> Option<(Instant, &'static str)>;

    /// Returns the next datagram to send.
    fn poll_transmit(&mut self) -> Option<Transmit>;

    /// Returns the next event.
    fn poll_event(&mut self) -> Option<Self::Event>;

    /// Returns the inner network.
    fn net_mut(&mut self) -> &mut Net;

    /// Says whether packets for this inner address have a peer to go to.
    fn reaches(&self, address: Ipv4Addr) -> bool;

    /// Sends what streams have to say; call it after reading, writing, finishing or releasing.
    fn flush(&mut self, now: Instant);

    /// Opens a TCP connection; calls the peer if there is no session.
    ///
    /// # Errors
    ///
    /// When nobody has the address, the port is 0, or the address has its share of connections.
    fn connect(&mut self, to: SocketAddrV4, now: Instant) -> Result<StreamId, NetError> {
        check(self, *to.ip())?;
        let stream = self.net_mut().connect(to, now)?;
        self.flush(now);
        Ok(stream)
    }

    /// Sends a datagram from one of the own ports; it waits for a session if there is none.
    ///
    /// # Errors
    ///
    /// When nobody has the address, or the payload does not fit into a packet.
    fn send_datagram(&mut self, port: u16, to: SocketAddrV4, payload: &[u8], now: Instant) -> Result<(), NetError> {
        check(self, *to.ip())?;
        self.net_mut().send_datagram(port, to, payload, now)?;
        self.flush(now);
        Ok(())
    }

    /// Sends an echo request with `size` bytes of content; [`NetEvent::Pong`] answers.
    ///
    /// # Errors
    ///
    /// When nobody has the address, or the packet would be larger than the MTU.
    fn ping(&mut self, to: Ipv4Addr, size: usize, now: Instant) -> Result<PingId, NetError> {
        check(self, to)?;
        let ping = self.net_mut().ping(to, size, now)?;
        self.flush(now);
        Ok(ping)
    }

    /// Accepts TCP connections on a port.
    ///
    /// # Errors
    ///
    /// When the port is 0 or taken.
    fn listen(&mut self, port: u16) -> Result<(), NetError> {
        self.net_mut().listen(port)
    }

    /// Accepts no more connections on a port.
    fn unlisten(&mut self, port: u16) {
        self.net_mut().unlisten(port);
    }

    /// Takes datagrams on a port.
    ///
    /// # Errors
    ///
    /// When the port is 0 or taken.
    fn open_datagrams(&mut self, port: u16) -> Result<(), NetError> {
        self.net_mut().open_datagrams(port)
    }

    /// Takes no more datagrams on a port.
    fn close_datagrams(&mut self, port: u16) {
        self.net_mut().close_datagrams(port);
    }

    /// Returns the next event inside the tunnel.
    fn poll_net_event(&mut self) -> Option<NetEvent> {
        self.net_mut().poll_event()
    }

    /// Returns a stream that may have become readable, writable or closed.
    fn poll_woken(&mut self) -> Option<StreamId> {
        self.net_mut().poll_woken()
    }

    /// Says where a stream is in its life.
    fn stream_state(&mut self, id: StreamId) -> StreamState {
        self.net_mut().stream_state(id)
    }

    /// Reads what has arrived.
    fn read(&mut self, id: StreamId, into: &mut [u8]) -> Read {
        self.net_mut().read(id, into)
    }

    /// Takes bytes to send and returns how many; 0 when the buffer is full or the stream is not open.
    fn write(&mut self, id: StreamId, bytes: &[u8]) -> usize {
        self.net_mut().write(id, bytes)
    }

    /// Ends the own direction of a stream after what was written.
    fn finish(&mut self, id: StreamId) {
        self.net_mut().finish(id);
    }

    /// Lets go of a stream: it may deliver what was written, for 30 s, then it is gone.
    fn release(&mut self, id: StreamId, now: Instant) {
        self.net_mut().release(id, now);
    }
}

fn check<N: Node + ?Sized>(node: &N, address: Ipv4Addr) -> Result<(), NetError> {
    if node.reaches(address) { Ok(()) } else { Err(NetError::NoSuchPeer(address)) }
}
