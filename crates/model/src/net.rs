//! Addresses and keys of the tunnel.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnetwork::Ipv4Network;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// Why a text is no WireGuard public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a WireGuard public key: 44 base64 characters belong here, the 32 bytes that `/interface/wireguard/print` shows")]
pub struct KeyError;

/// A WireGuard public key (Curve25519, 32 bytes; base64 in text).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String, example = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="))]
pub struct WgPublicKey([u8; 32]);

impl WgPublicKey {
    /// Takes 32 bytes as a key.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for WgPublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = STANDARD.decode(text).map_err(|_| KeyError)?;
        bytes.try_into().map(Self).map_err(|_| KeyError)
    }
}

impl fmt::Display for WgPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for WgPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for WgPublicKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for WgPublicKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Host number of the hub's second address, which appears only on an enrolment or rotation peer.
pub const HUB_ROTATION_HOST: u32 = 2;

/// Why a network cannot be the tunnel's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SupernetError {
    /// The text is no network.
    #[error("`{0}` is not an IPv4 network such as 10.10.0.0/16")]
    Malformed(String),
    /// The network has host bits set.
    #[error("{0} has host bits set: write {1}")]
    HostBits(Ipv4Network, Ipv4Network),
    /// The network is too small or too large.
    #[error("{0} must be from /8 to /20: tenants get blocks of 64 addresses out of it")]
    Size(Ipv4Network),
    /// The network is not private.
    #[error("{0} is not a private or shared range (10/8, 172.16/12, 192.168/16, 100.64/10)")]
    NotPrivate(Ipv4Network),
}

/// The network that all routers' tunnel addresses come from; its first 256 addresses are reserved for the hub itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Supernet(Ipv4Network);

impl Supernet {
    /// Returns the network.
    #[must_use]
    pub const fn network(&self) -> Ipv4Network {
        self.0
    }

    /// Returns the hub's address, which every router may reach: 10.10.0.1.
    #[must_use]
    pub fn hub(&self) -> Ipv4Addr {
        self.host(1)
    }

    /// Returns the hub's second address, for enrolment and rotation peers: 10.10.0.2.
    #[must_use]
    pub fn hub_rotation(&self) -> Ipv4Addr {
        self.host(HUB_ROTATION_HOST)
    }

    /// Returns the reserved /24 that no tenant gets.
    #[must_use]
    pub fn reserved(&self) -> Ipv4Network {
        Ipv4Network::new(self.0.network(), 24).expect("24 is a prefix length")
    }

    /// Says whether two networks share an address.
    #[must_use]
    pub fn overlaps(&self, other: Ipv4Network) -> bool {
        self.0.overlaps(other)
    }

    fn host(&self, number: u32) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.0.network()) + number)
    }
}

impl Default for Supernet {
    fn default() -> Self {
        Self(Ipv4Network::new(Ipv4Addr::new(10, 10, 0, 0), 16).expect("16 is a prefix length"))
    }
}

impl FromStr for Supernet {
    type Err = SupernetError;

    fn from_str(text: &str) -> Result<Self, SupernetError> {
        let network: Ipv4Network = text.parse().map_err(|_| SupernetError::Malformed(text.to_owned()))?;
        let cut = Ipv4Network::new(network.network(), network.prefix()).map_err(|_| SupernetError::Malformed(text.to_owned()))?;
        if cut != network {
            return Err(SupernetError::HostBits(network, cut));
        }
        if !(8..=20).contains(&network.prefix()) {
            return Err(SupernetError::Size(network));
        }
        let [a, b, ..] = network.network().octets();
        let shared = a == 100 && (64..128).contains(&b);
        if !network.network().is_private() && !shared {
            return Err(SupernetError::NotPrivate(network));
        }
        Ok(Self(network))
    }
}

impl fmt::Display for Supernet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_44_characters() {
        let key = WgPublicKey::from_bytes([7; 32]);
        assert_eq!(key.to_string().parse(), Ok(key));
        assert!("short".parse::<WgPublicKey>().is_err());
    }

    #[test]
    fn supernet_is_checked() {
        let net: Supernet = "10.10.0.0/16".parse().expect("the default");
        assert_eq!(net, Supernet::default());
        assert_eq!((net.hub(), net.hub_rotation()), (Ipv4Addr::new(10, 10, 0, 1), Ipv4Addr::new(10, 10, 0, 2)));
        assert_eq!(net.reserved().to_string(), "10.10.0.0/24");
        assert!(matches!("10.10.1.0/16".parse::<Supernet>(), Err(SupernetError::HostBits(..))));
        assert!(matches!("10.10.0.0/24".parse::<Supernet>(), Err(SupernetError::Size(_))));
        assert!(matches!("8.8.0.0/16".parse::<Supernet>(), Err(SupernetError::NotPrivate(_))));
        assert!("100.64.0.0/16".parse::<Supernet>().is_ok());
    }
}
