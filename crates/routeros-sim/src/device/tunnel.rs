//! WireGuard as the menus describe it: what the tunnel has to be, and what it reports back.

use super::table::{Row, RowId};
use super::{Device, text};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use model::{Secret, WgPublicKey};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// One WireGuard interface that is on and has an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunnelConfig {
    /// The interface's row.
    pub id: RowId,
    /// Its name.
    pub name: String,
    /// Its private key.
    pub private_key: Secret<[u8; 32]>,
    /// The router's address inside.
    pub address: Ipv4Addr,
    /// The largest packet inside, in bytes.
    pub mtu: u16,
    /// The UDP port outside.
    pub listen_port: u16,
    /// The peers that are on.
    pub peers: Vec<TunnelPeer>,
}

/// One peer of a WireGuard interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunnelPeer {
    /// The peer's row.
    pub id: RowId,
    /// Its public key.
    pub public_key: WgPublicKey,
    /// The pre-shared key; zeros for none.
    pub preshared_key: Secret<[u8; 32]>,
    /// What is sent to it and accepted from it.
    pub allowed: Vec<ipnetwork::Ipv4Network>,
    /// Where it is: a name or address, and a port.
    pub endpoint: Option<(String, u16)>,
    /// Seconds between keepalives; zero for none.
    pub keepalive: u16,
}

/// What a tunnel reports about a peer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TunnelPeerStatus {
    /// When the last handshake was, on the true clock.
    pub last_handshake: Option<Timestamp>,
    /// Where its packets come from.
    pub endpoint: Option<SocketAddr>,
    /// Bytes received.
    pub received: u64,
    /// Bytes sent.
    pub sent: u64,
}

impl Device {
    /// Returns every tunnel as it is configured.
    #[must_use]
    pub fn tunnels(&self) -> Vec<TunnelConfig> {
        self.rows("/interface/wireguard").filter(|row| !row.is("disabled")).filter_map(|row| self.tunnel(row)).collect()
    }

    fn tunnel(&self, row: &Row) -> Option<TunnelConfig> {
        let name = row.get("name");
        let address = self.rows("/ip/address").find(|address| address.get("interface") == name && !address.is("disabled"))?;
        let address = address.get("address").split('/').next()?.parse().ok()?;
        let peers = self.rows("/interface/wireguard/peers").filter(|peer| peer.get("interface") == name && !peer.is("disabled"));
        Some(TunnelConfig {
            id: row.id,
            name: name.to_owned(),
            private_key: Secret::new(key(row.get("private-key"))?),
            address,
            mtu: row.get("mtu").parse().unwrap_or(1420),
            listen_port: row.get("listen-port").parse().unwrap_or(0),
            peers: peers.filter_map(peer).collect(),
        })
    }

    /// Takes what a tunnel reports about a peer.
    pub fn report_peer(&mut self, id: RowId, status: TunnelPeerStatus) {
        if self.row("/interface/wireguard/peers", id).is_none() {
            self.peers.remove(&id);
            return;
        }
        let news = (status.endpoint, status.last_handshake.is_some());
        let before = self.peers.insert(id, status);
        if before.map(|status| (status.endpoint, status.last_handshake.is_some())) != Some(news) {
            self.touch();
        }
    }

    /// Returns what a tunnel reported about a peer.
    #[must_use]
    pub fn peer_status(&self, id: RowId) -> Option<&TunnelPeerStatus> {
        self.peers.get(&id)
    }

    pub(super) fn peer_value(&self, row: &Row, name: &str) -> Option<String> {
        let status = self.peers.get(&row.id);
        match name {
            "rx" => Some(status.map_or(0, |status| status.received).to_string()),
            "tx" => Some(status.map_or(0, |status| status.sent).to_string()),
            "last-handshake" => status?.last_handshake.map(|last| self.since(last)),
            "current-endpoint-address" => status?.endpoint.map(|endpoint| endpoint.ip().to_string()),
            "current-endpoint-port" => status?.endpoint.map(|endpoint| endpoint.port().to_string()),
            _ => None,
        }
    }

    /// Says whether the router's API takes a connection that comes out of a tunnel.
    #[must_use]
    pub fn api_open_inside(&self, tunnel: &str, own: Ipv4Addr, source: Ipv4Addr, port: u16) -> bool {
        port == self.api_port() && self.api_open(IpAddr::V4(source)) && self.carries(tunnel, own, source, port, "new")
    }

    /// Says whether the input chain lets a packet out of a tunnel pass to a port of the router. Every packet is judged, not the first of
    /// a connection alone (manual, "Filter"): a rule that drops what is established stops a connection in the middle, without a word.
    #[must_use]
    pub fn carries(&self, tunnel: &str, own: Ipv4Addr, source: Ipv4Addr, port: u16, state: &'static str) -> bool {
        self.accepts(super::Packet { source, destination: own, protocol: "tcp", port, interface: tunnel, state })
    }
}

fn key(text: &str) -> Option<[u8; 32]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

fn peer(row: &Row) -> Option<TunnelPeer> {
    let port: u16 = row.get("endpoint-port").parse().unwrap_or(0);
    let host = row.get("endpoint-address");
    Some(TunnelPeer {
        id: row.id,
        public_key: row.get("public-key").parse().ok()?,
        preshared_key: Secret::new(key(row.get("preshared-key")).unwrap_or([0; 32])),
        allowed: row.get("allowed-address").split(',').filter_map(|item| item.parse().ok()).collect(),
        endpoint: (port > 0 && !host.is_empty()).then(|| (host.to_owned(), port)),
        keepalive: u16::try_from(text::seconds(row.get("persistent-keepalive")).unwrap_or(0)).unwrap_or(u16::MAX),
    })
}
