//! The customers behind the router: boxes that dial and dial again, phones on the hotspot, hosts with a fixed address.

use crate::device::Limit;
use crate::device::TRAFFIC;
use crate::device::random::Random;
use crate::device::{Device, Dial, Reach, RowId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// The most customers of one router.
const CUSTOMERS_MAX: usize = 20_000;
/// How soon a box dials again after it lost its session.
const REDIAL_FIRST: SignedDuration = SignedDuration::from_millis(100);
/// The longest that a box waits between two attempts.
const REDIAL_LAST: SignedDuration = SignedDuration::from_secs(30);

/// A customer's box, phone or host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Customer {
    /// Dials in and stays.
    Pppoe {
        /// The name it dials with.
        name: String,
        /// The password.
        password: String,
        /// Its MAC address; one is made up where none is given.
        #[serde(default)]
        mac: String,
        /// The port it is on, with the VLAN of its packets behind a colon: `ether2:120`.
        interface: String,
    },
    /// Joins a hotspot's network, and logs in when it has a user.
    Hotspot {
        /// Its MAC address.
        mac: String,
        /// The port or bridge it is on.
        interface: String,
        /// The user it logs in as.
        #[serde(default)]
        user: Option<String>,
        /// The password.
        #[serde(default)]
        password: String,
    },
    /// Has an address of its own.
    Static {
        /// The address.
        address: Ipv4Addr,
    },
    /// Asks for an address by DHCP, again and again.
    Dhcp {
        /// Its MAC address.
        mac: String,
        /// The port or bridge it is on.
        interface: String,
        /// The address that it takes without asking.
        #[serde(default)]
        address: Option<Ipv4Addr>,
    },
}

/// How a customer fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CustomerReport {
    /// Dial-in name, MAC address or address.
    pub name: String,
    /// `pppoe`, `hotspot`, `static` or `dhcp`.
    pub kind: &'static str,
    /// The address it has.
    pub address: Option<Ipv4Addr>,
    /// Whether it has a session; a host with an address always does.
    pub connected: bool,
    /// Whether it reaches the internet.
    pub online: bool,
    /// Whether a connection that it has open goes on.
    pub goes_on: bool,
    /// Where it ends up instead, or why it has no session.
    pub reason: String,
    /// Its speed limits in bits per second, upload and download; zero for none.
    pub limit: (u64, u64),
}

#[derive(Debug)]
struct Seat {
    customer: Customer,
    session: Option<RowId>,
    address: Option<Ipv4Addr>,
    next: Option<Timestamp>,
    wait: SignedDuration,
    reason: String,
    counted: Timestamp,
}

/// All customers of a router.
#[derive(Debug, Default)]
pub(super) struct Customers {
    seats: Vec<Seat>,
}

/// What a customer would send and receive, in bits per second.
const WISH: Limit = Limit { upload: 200_000, download: 2_000_000 };

impl Customer {
    fn key(&self) -> &str {
        match self {
            Self::Pppoe { mac, .. } | Self::Hotspot { mac, .. } | Self::Dhcp { mac, .. } => mac,
            Self::Static { .. } => "",
        }
    }

    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Static { address: a }, Self::Static { address: b }) => a == b,
            (Self::Pppoe { .. }, Self::Pppoe { .. })
            | (Self::Hotspot { .. }, Self::Hotspot { .. })
            | (Self::Dhcp { .. }, Self::Dhcp { .. }) => self.key() == other.key(),
            _ => false,
        }
    }
}

impl super::Router {
    /// Switches a customer on; one that is there already (by MAC address or address) is replaced.
    ///
    /// # Errors
    /// When there are too many.
    pub fn add_customer(&mut self, mut customer: Customer, now: Timestamp) -> Result<CustomerReport, String> {
        if let Customer::Pppoe { name, mac, .. } = &mut customer
            && mac.is_empty()
        {
            *mac = made_up(name);
        }
        if let Customer::Pppoe { mac, .. } | Customer::Hotspot { mac, .. } | Customer::Dhcp { mac, .. } = &mut customer {
            mac.make_ascii_uppercase();
        }
        if let Some(at) = self.customers.seats.iter().position(|seat| seat.customer.is(&customer)) {
            let seat = self.customers.seats.remove(at);
            leave(&mut self.device, &seat, now);
        }
        if self.customers.seats.len() >= CUSTOMERS_MAX {
            return Err(format!("{CUSTOMERS_MAX} customers are there already"));
        }
        let mut seat = Seat {
            customer,
            session: None,
            address: None,
            next: Some(now),
            wait: REDIAL_FIRST,
            reason: String::new(),
            counted: now,
        };
        seat.tick(&mut self.device, now);
        let report = seat.report(&self.device);
        self.customers.seats.push(seat);
        Ok(report)
    }

    /// Switches off every customer of a name, MAC address or address; says how many there were.
    pub fn remove_customer(&mut self, name: &str, now: Timestamp) -> usize {
        let matches = |seat: &Seat| match &seat.customer {
            Customer::Pppoe { name: own, mac, .. } => own == name || mac.eq_ignore_ascii_case(name),
            Customer::Hotspot { mac, user, .. } => mac.eq_ignore_ascii_case(name) || user.as_deref() == Some(name),
            Customer::Static { address } => address.to_string() == name,
            Customer::Dhcp { mac, .. } => mac.eq_ignore_ascii_case(name),
        };
        let (gone, kept): (Vec<Seat>, Vec<Seat>) = self.customers.seats.drain(..).partition(matches);
        self.customers.seats = kept;
        for seat in &gone {
            leave(&mut self.device, seat, now);
        }
        gone.len()
    }

    /// Tells how every customer fares.
    #[must_use]
    pub fn customers(&self) -> Vec<CustomerReport> {
        self.customers.seats.iter().map(|seat| seat.report(&self.device)).collect()
    }
}

/// Makes up a MAC address that stays the same for a name.
fn made_up(name: &str) -> String {
    let seed = name.bytes().fold(0u64, |sum, byte| sum.wrapping_mul(131).wrapping_add(u64::from(byte)));
    let bytes = Random::new(seed).draw().to_be_bytes();
    format!("02:{:02X}:{:02X}:{:02X}:{:02X}:{:02X}", bytes[0], bytes[1], bytes[2], bytes[3], bytes[4])
}

fn leave(device: &mut Device, seat: &Seat, now: Timestamp) {
    match &seat.customer {
        Customer::Pppoe { .. } => {
            if let Some(session) = seat.session {
                device.hang_up(session, now);
            }
        }
        Customer::Hotspot { mac, .. } => device.hotspot_leave(mac, now),
        // A device that is switched off says nothing; its lease ends by itself.
        Customer::Static { .. } | Customer::Dhcp { .. } => {}
    }
}

impl Customers {
    pub(super) fn tick(&mut self, device: &mut Device, now: Timestamp) {
        for seat in &mut self.seats {
            seat.tick(device, now);
        }
    }
}

impl Seat {
    fn tick(&mut self, device: &mut Device, now: Timestamp) {
        if matches!(self.customer, Customer::Static { .. } | Customer::Dhcp { .. }) {
            self.tick_host(device, now);
            return;
        }
        let up = self.session.is_some_and(|session| match self.customer {
            Customer::Pppoe { .. } => device.ppp_is_up(session),
            Customer::Hotspot { .. } | Customer::Static { .. } | Customer::Dhcp { .. } => device.hotspot_is_up(session),
        });
        if up {
            return;
        }
        if self.session.take().is_some() {
            "the session was ended".clone_into(&mut self.reason);
            self.wait = REDIAL_FIRST;
            self.next = now.checked_add(REDIAL_FIRST).ok();
        }
        if self.next.is_none_or(|next| next > now) {
            return;
        }
        self.attempt(device, now);
        self.next = now.checked_add(self.wait).ok();
        self.wait = self.wait.saturating_mul(2).min(REDIAL_LAST);
    }

    /// A host needs no session: it has its address, or asks for one when half of its time is over.
    fn tick_host(&mut self, device: &mut Device, now: Timestamp) {
        match &self.customer {
            Customer::Static { address } | Customer::Dhcp { address: Some(address), .. } => self.address = Some(*address),
            Customer::Dhcp { mac, interface, address: None } if self.next.is_none_or(|next| next <= now) => {
                match device.dhcp_ask(mac, interface, now) {
                    Ok(grant) => {
                        self.address = Some(grant.address);
                        self.reason.clear();
                        self.wait = REDIAL_FIRST;
                        self.next = now.checked_add(grant.lease / 2).ok();
                    }
                    Err(error) => {
                        self.address = None;
                        self.reason = error.to_string();
                        self.next = now.checked_add(self.wait).ok();
                        self.wait = self.wait.saturating_mul(2).min(REDIAL_LAST);
                    }
                }
            }
            _ => {}
        }
        if now.duration_since(self.counted) < TRAFFIC {
            return;
        }
        if let Some(address) = self.address {
            device.static_traffic(address, WISH, self.counted, now);
        }
        self.counted = now;
    }

    fn attempt(&mut self, device: &mut Device, now: Timestamp) {
        let outcome = match &self.customer {
            Customer::Pppoe { name, password, mac, interface } => device
                .dial(Dial { name, password, mac, interface, wish: WISH }, now)
                .map(|grant| (Some(grant.id), grant.address))
                .map_err(|error| error.to_string()),
            Customer::Hotspot { mac, interface, user, password } => match user {
                // A phone that was logged out joins again; only a cookie brings it back by itself.
                Some(user) if self.reason.is_empty() => device.hotspot_login(user, password, mac, interface, WISH, now),
                _ => device.hotspot_join(mac, interface, WISH, now),
            }
            .map(|grant| (grant.id, grant.address))
            .map_err(|error| error.to_string()),
            Customer::Static { .. } | Customer::Dhcp { .. } => return,
        };
        match outcome {
            Ok((session, address)) => {
                self.session = session;
                self.address = Some(address);
                if session.is_some() {
                    self.reason.clear();
                }
            }
            Err(reason) => {
                self.address = None;
                self.reason = reason;
            }
        }
    }

    fn report(&self, device: &Device) -> CustomerReport {
        let (name, kind, link) = match &self.customer {
            Customer::Pppoe { name, .. } => (name.clone(), "pppoe", format!("<pppoe-{name}>")),
            Customer::Hotspot { mac, .. } => (mac.clone(), "hotspot", String::new()),
            Customer::Static { address } => (address.to_string(), "static", String::new()),
            Customer::Dhcp { mac, .. } => (mac.clone(), "dhcp", String::new()),
        };
        let reach = match &self.customer {
            Customer::Pppoe { .. } => self.session.and_then(|session| device.ppp_reach(session)),
            Customer::Hotspot { mac, .. } => self.address.map(|_| device.hotspot_reach(mac, "example.com")),
            Customer::Static { address } => Some(device.web_reach(*address, "")),
            Customer::Dhcp { mac, interface, .. } => self.address.map(|address| device.lan_reach(mac, address, interface)),
        };
        let reason = match &reach {
            Some(Reach::Internet) => String::new(),
            Some(Reach::Redirected(rule)) => format!("redirected: {rule}"),
            Some(Reach::Blocked(rule)) => format!("blocked: {rule}"),
            Some(Reach::NoUplink) => "the uplink does not work".to_owned(),
            None => self.reason.clone(),
        };
        let goes_on = match &self.customer {
            // A session's address is its own, and its connections end with it.
            Customer::Pppoe { .. } if self.session.is_none() => false,
            // The hotspot's own rules stop a guest who is not logged in.
            Customer::Hotspot { .. } if reach != Some(Reach::Internet) => false,
            _ => self.address.is_some_and(|address| device.goes_on(address, &link)),
        };
        let limit = self.address.map(|address| device.limit_for(address, &link).1).unwrap_or_default();
        let host = matches!(self.customer, Customer::Static { .. } | Customer::Dhcp { .. });
        let connected = self.session.is_some() || (host && self.address.is_some());
        let online = reach == Some(Reach::Internet);
        CustomerReport {
            name,
            kind,
            address: self.address,
            connected,
            online,
            goes_on,
            reason,
            limit: (limit.upload, limit.download),
        }
    }
}
