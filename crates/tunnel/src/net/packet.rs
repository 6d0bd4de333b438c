//! Inner packets: what one is, and how UDP datagrams and echo requests are built (RFC 791, 768, 792).

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{Icmpv4Packet, Icmpv4Repr, IpProtocol, Ipv4Packet, Ipv4Repr, TcpPacket, UdpPacket, UdpRepr};
use std::net::{Ipv4Addr, SocketAddrV4};

/// Length of an IPv4 header without options (bytes).
const IPV4_HEADER: usize = 20;
/// Length of a UDP header, and of an ICMP echo header (bytes).
const SHORT_HEADER: usize = 8;
const HOP_LIMIT: u8 = 64;

/// What an inner packet is to us.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content<'a> {
    /// A UDP datagram.
    Udp { from_port: u16, to_port: u16, payload: &'a [u8] },
    /// An answer to an echo request.
    EchoReply { ident: u16, sequence: u16 },
    /// A TCP segment that opens a connection.
    TcpOpening { from_port: u16, to_port: u16 },
    /// Something that the TCP/IP stack judges.
    Other,
}

/// Reads source and destination of an IPv4 packet whose header is sound.
pub(crate) fn addresses(packet: &[u8]) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let packet = Ipv4Packet::new_checked(packet).ok()?;
    (packet.version() == 4).then(|| (packet.src_addr(), packet.dst_addr()))
}

/// Classifies an IPv4 packet; `None` if it is malformed, a fragment, or fails a checksum.
pub(crate) fn classify(packet: &[u8]) -> Option<Content<'_>> {
    let checks = ChecksumCapabilities::default();
    let outer = Ipv4Packet::new_checked(packet).ok()?;
    let header = Ipv4Repr::parse(&outer, &checks).ok()?;
    match header.next_header {
        IpProtocol::Udp => {
            let inner = UdpPacket::new_checked(outer.payload()).ok()?;
            let ports = UdpRepr::parse(&inner, &header.src_addr.into(), &header.dst_addr.into(), &checks).ok()?;
            Some(Content::Udp { from_port: ports.src_port, to_port: ports.dst_port, payload: inner.payload() })
        }
        IpProtocol::Icmp => {
            let inner = Icmpv4Packet::new_checked(outer.payload()).ok()?;
            match Icmpv4Repr::parse(&inner, &checks).ok()? {
                Icmpv4Repr::EchoReply { ident, seq_no, .. } => Some(Content::EchoReply { ident, sequence: seq_no }),
                _ => Some(Content::Other),
            }
        }
        IpProtocol::Tcp => {
            let inner = TcpPacket::new_checked(outer.payload()).ok()?;
            let opening = inner.syn() && !inner.ack() && !inner.rst();
            let ports = Content::TcpOpening { from_port: inner.src_port(), to_port: inner.dst_port() };
            Some(if opening { ports } else { Content::Other })
        }
        _ => Some(Content::Other),
    }
}

fn ipv4(from: Ipv4Addr, to: Ipv4Addr, protocol: IpProtocol, payload_len: usize) -> Vec<u8> {
    let mut packet = vec![0; IPV4_HEADER + payload_len];
    let header = Ipv4Repr { src_addr: from, dst_addr: to, next_header: protocol, payload_len, hop_limit: HOP_LIMIT };
    header.emit(&mut Ipv4Packet::new_unchecked(&mut packet[..]), &ChecksumCapabilities::default());
    packet
}

/// Builds a UDP datagram; `None` if it does not fit the MTU.
pub(crate) fn udp(from: SocketAddrV4, to: SocketAddrV4, payload: &[u8], mtu: usize) -> Option<Vec<u8>> {
    if IPV4_HEADER + SHORT_HEADER + payload.len() > mtu {
        return None;
    }
    let mut packet = ipv4(*from.ip(), *to.ip(), IpProtocol::Udp, SHORT_HEADER + payload.len());
    UdpRepr { src_port: from.port(), dst_port: to.port() }.emit(
        &mut UdpPacket::new_unchecked(&mut packet[IPV4_HEADER..]),
        &(*from.ip()).into(),
        &(*to.ip()).into(),
        payload.len(),
        |room| room.copy_from_slice(payload),
        &ChecksumCapabilities::default(),
    );
    Some(packet)
}

/// Builds an echo request with `size` bytes of zeros; `None` if it does not fit the MTU.
pub(crate) fn echo_request(
    from: Ipv4Addr,
    to: Ipv4Addr,
    (ident, sequence): (u16, u16),
    size: usize,
    mtu: usize,
) -> Option<Vec<u8>> {
    if IPV4_HEADER + SHORT_HEADER + size > mtu {
        return None;
    }
    let mut packet = ipv4(from, to, IpProtocol::Icmp, SHORT_HEADER + size);
    let data = vec![0; size];
    Icmpv4Repr::EchoRequest { ident, seq_no: sequence, data: &data }
        .emit(&mut Icmpv4Packet::new_unchecked(&mut packet[IPV4_HEADER..]), &ChecksumCapabilities::default());
    Some(packet)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Ipv4Addr = Ipv4Addr::new(10, 10, 1, 2);
    const B: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 1);

    #[test]
    fn a_datagram_is_read_back() {
        let packet = udp(SocketAddrV4::new(A, 5000), SocketAddrV4::new(B, 1812), b"hello", 1420).expect("it fits");
        assert_eq!(addresses(&packet), Some((A, B)));
        assert_eq!(classify(&packet), Some(Content::Udp { from_port: 5000, to_port: 1812, payload: b"hello" }));
    }

    #[test]
    fn a_damaged_datagram_is_refused() {
        let packet = udp(SocketAddrV4::new(A, 5000), SocketAddrV4::new(B, 1812), b"hello", 1420).expect("it fits");
        for at in 0..packet.len() {
            let mut damaged = packet.clone();
            damaged[at] ^= 0x55;
            assert_ne!(classify(&damaged), classify(&packet), "byte {at}");
        }
    }

    #[test]
    fn the_mtu_is_a_limit() {
        let (from, to) = (SocketAddrV4::new(A, 1), SocketAddrV4::new(B, 2));
        assert_eq!(udp(from, to, &[0; 1392], 1420).expect("28 bytes of headers").len(), 1420);
        assert!(udp(from, to, &[0; 1393], 1420).is_none());
        assert!(echo_request(A, B, (1, 1), 1393, 1420).is_none());
    }
}
