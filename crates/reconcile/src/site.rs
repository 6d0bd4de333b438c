//! What the controller knows about one router and the business on it: the input of the recipes.

use ipnetwork::Ipv4Network;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use model::{BitsPerSec, Bytes, CustomerId, PackageId, RouterosVersion, Secret};
use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;

/// Customers that one router serves at most.
pub const CUSTOMERS_MAX: usize = 20_000;

/// Packages, services, walled-garden hosts and pay hosts that one site has at most, each.
pub const PARTS_MAX: usize = 256;

/// Days that the fuses on a router reach ahead when nothing else is said.
pub const FUSE_DAYS: u16 = 7;

/// Everything that decides what one router should hold.
#[derive(Debug, Clone)]
pub struct Site {
    /// What the router can do, and the time.
    pub facts: Facts,
    /// The hub's address in the tunnel, the only one that may talk to the router's API.
    pub hub: Ipv4Addr,
    /// The name of the tunnel's interface on the router.
    pub wireguard_interface: String,
    /// What the router does not keep to itself.
    pub openings: Openings,
    /// What the router offers its customers.
    pub services: Vec<Service>,
    /// Where expired customers are led; without it they are only held back.
    pub portal: Option<Portal>,
    /// The tariffs in use on this router.
    pub packages: Vec<Package>,
    /// Who is served by this router.
    pub customers: Vec<Customer>,
    /// Days ahead for which the router carries fuses, usually [`FUSE_DAYS`].
    pub fuse_days: u16,
}

/// What an operator opens that a router keeps to itself otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Openings {
    /// Customers reach what manages the router.
    pub customers_manage: bool,
    /// The resolver answers who asks from outside, as far as the operator's own rules let them.
    pub resolve_outside: bool,
}

/// What preflight learnt about the router, and the time.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The RouterOS version.
    pub version: RouterosVersion,
    /// The present.
    pub now: Timestamp,
    /// The router's own zone, in which its scheduler counts.
    pub zone: TimeZone,
    /// Whether the router's clock is right; a fuse is worthless on a router that lives in 1970.
    pub clock_set: bool,
    /// Whether device-mode allows the scheduler.
    pub scheduler_allowed: bool,
    /// Whether a rule of the firewall hands connections to FastTrack.
    pub fasttrack: bool,
    /// The TCP ports by which the router is managed.
    pub management_ports: BTreeSet<u16>,
    /// The interfaces that lead outside and to nobody else.
    pub outside: BTreeSet<String>,
    /// Whether the hotspot is installed and allowed by device-mode.
    pub hotspot: HotspotSupport,
}

/// Whether a router can run a hotspot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HotspotSupport {
    /// Installed and allowed.
    Ready,
    /// Installed, but device-mode forbids it.
    Forbidden,
    /// The package is missing, and its menus with it.
    Missing,
}

/// One thing that a router offers its customers.
#[derive(Debug, Clone)]
pub enum Service {
    /// Customers dial in with a name and a password.
    Pppoe(Pppoe),
    /// Customers log in on a page.
    Hotspot(Hotspot),
    /// Customers' devices are given the addresses that are their customers' own.
    Dhcp(Dhcp),
}

/// A PPPoE service; one router has at most one, on any number of interfaces.
#[derive(Debug, Clone)]
pub struct Pppoe {
    /// Where customers dial in.
    pub interfaces: Vec<String>,
    /// VLANs on these interfaces whose callers are answered too, without an interface for each; from RouterOS 7.18 on.
    pub vlans: Vec<VlanRange>,
    /// The router's end of every session.
    pub local_address: Ipv4Addr,
    /// Addresses for customers without one of their own.
    pub pool: Vec<AddressRange>,
    /// Addresses for expired customers.
    pub expired_pool: Vec<AddressRange>,
    /// Name servers told to customers; none means the router's own end.
    pub dns: Vec<Ipv4Addr>,
}

/// Tags of VLANs from the first to the last, both included, 1 to 4094.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VlanRange {
    /// The first tag.
    pub first: u16,
    /// The last tag, not below the first.
    pub last: u16,
}

impl fmt::Display for VlanRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

/// A hotspot on one interface.
#[derive(Debug, Clone)]
pub struct Hotspot {
    /// Where customers connect.
    pub interface: String,
    /// The router's address and the customers' network, such as 192.168.88.1/24.
    pub gateway: Ipv4Network,
    /// Addresses for customers, inside the gateway's network.
    pub pool: Vec<AddressRange>,
    /// The login page's name, such as `login.isp.example`.
    pub dns_name: Option<String>,
    /// Hosts that are open before login: the portal and the API, never the systems' probe hosts.
    pub walled_garden: Vec<String>,
}

/// A DHCP service on one interface. A static customer whose address lies in its network and whose device is known gets a lease of it.
#[derive(Debug, Clone)]
pub struct Dhcp {
    /// Where customers connect.
    pub interface: String,
    /// The router's address and the customers' network, such as 192.168.50.1/24.
    pub gateway: Ipv4Network,
    /// Addresses for devices that are nobody's, inside the gateway's network; such devices are held like expired customers. Without
    /// any they get no address.
    pub pool: Vec<AddressRange>,
    /// Seconds for which a device has its address; it asks again after half of them.
    pub lease_s: u32,
    /// Name servers told to customers; none means the router itself.
    pub dns: Vec<Ipv4Addr>,
    /// Whether the router learns from its leases alone which device has which address. It holds once the interface's own `arp` is
    /// `reply-only`, which is the operator's to set.
    pub pin: bool,
}

/// Addresses from the first to the last, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRange {
    /// The first address.
    pub first: Ipv4Addr,
    /// The last address, not below the first.
    pub last: Ipv4Addr,
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

/// The page on which expired customers pay.
#[derive(Debug, Clone)]
pub struct Portal {
    /// Where plain web requests of expired customers go.
    pub address: Ipv4Addr,
    /// The TCP port there.
    pub port: u16,
    /// Addresses, ranges or blocks of IPv4 that stay open to expired customers.
    pub hosts: Vec<String>,
}

/// A tariff.
#[derive(Debug, Clone)]
pub struct Package {
    /// Which one.
    pub id: PackageId,
    /// Its name for people; it appears in reasons, never on the router.
    pub name: String,
    /// How its customers connect.
    pub kind: PackageKind,
    /// How fast.
    pub speed: Speed,
    /// What the end of a grant means for a PPPoE or static customer; a hotspot user is always switched off.
    pub on_expiry: OnExpiry,
    /// Devices that may use one hotspot login at a time, at least 1.
    pub shared_users: u16,
}

/// How the customers of a package connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackageKind {
    /// By dialling in.
    Pppoe,
    /// By logging in on a page.
    Hotspot,
    /// By an address of their own.
    Static,
}

/// What happens to a customer whose time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExpiry {
    /// The customer stays connected and reaches only the pay page.
    Redirect,
    /// The customer is switched off.
    Disable,
}

/// Speeds seen from the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speed {
    /// Towards the customer.
    pub down: BitsPerSec,
    /// From the customer.
    pub up: BitsPerSec,
    /// A faster start, if the tariff has one.
    pub burst: Option<Burst>,
}

/// A faster start (RouterOS manual, "Queues", burst).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Burst {
    /// Towards the customer while it lasts.
    pub down: BitsPerSec,
    /// From the customer while it lasts.
    pub up: BitsPerSec,
    /// The average towards the customer above which it ends.
    pub threshold_down: BitsPerSec,
    /// The average from the customer above which it ends.
    pub threshold_up: BitsPerSec,
    /// Seconds over which the average is taken.
    pub time_s: u32,
}

/// A customer of the ISP.
#[derive(Debug, Clone)]
pub struct Customer {
    /// Who.
    pub id: CustomerId,
    /// The name used to dial or log in; a static customer's queue carries it too.
    pub login: String,
    /// The password for it; unused for a static customer.
    pub password: Secret<String>,
    /// The tariff, one of the site's packages.
    pub package: PackageId,
    /// An address of the customer's own; a static customer must have one.
    pub address: Option<Ipv4Addr>,
    /// The only device that may connect, as `AA:BB:CC:DD:EE:FF`; the one that a static customer's lease is for.
    pub mac_lock: Option<String>,
    /// Since when the router counts this customer's online time and volume: the beginning of the last grants without a gap between them,
    /// also of ones that have ended. When it changes, the counters of a hotspot login begin anew.
    pub counted_since: Option<Timestamp>,
    /// What the customer is entitled to now.
    pub state: State,
}

/// What a customer is entitled to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Paid.
    Active(Grant),
    /// The time is up.
    Expired,
    /// Switched off by hand.
    Suspended,
}

/// A grant with its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// The end.
    pub until: Timestamp,
    /// Online time in all since [`Customer::counted_since`], a hotspot login's only.
    pub online_max: Option<SignedDuration>,
    /// Volume in all since [`Customer::counted_since`], a hotspot login's only.
    pub data_max: Option<Bytes>,
}
