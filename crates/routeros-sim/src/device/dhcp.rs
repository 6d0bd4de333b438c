//! DHCP: devices that ask for an address, leases that are kept for them, and what the router learns from a lease.
//!
//! Where the claims come from: what makes a static lease unique was measured on a virtual router of RouterOS 7.23 (a public record of
//! write probes). That an own lease waits until its device asks again, while the lease that it had goes on, is told by people who
//! run such routers. That `add-arp` writes a dynamic entry for as long as the lease is bound, and that an interface with
//! `arp=reply-only` answers only devices with an entry, is the manual's (DHCP, ARP). That a stranger asks with the same result until the
//! lease ends is RFC 2131.

use super::firewall::Reach;
use super::request::Trap;
use super::table::{Fields, Origin, Row, RowId};
use super::{Device, text};
use jiff::{SignedDuration, Timestamp};
use std::net::Ipv4Addr;

const SERVERS: &str = "/ip/dhcp-server";
const LEASES: &str = "/ip/dhcp-server/lease";
const ARP: &str = "/ip/arp";

/// What a device was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DhcpGrant {
    /// Its row among the leases.
    pub id: RowId,
    /// The address.
    pub address: Ipv4Addr,
    /// For how long.
    pub lease: SignedDuration,
}

/// Why a device gets no address; it hears nothing of the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DhcpError {
    /// No server answers on that port.
    #[error("no DHCP server answers")]
    NoServer,
    /// The server knows only devices that leases are kept for, or has no address left.
    #[error("the DHCP server has no address for this device")]
    NoAddress,
}

impl Device {
    /// Lets a device ask for an address, or for more time with the one it has.
    ///
    /// # Errors
    /// [`DhcpError`].
    pub fn dhcp_ask(&mut self, mac: &str, interface: &str, now: Timestamp) -> Result<DhcpGrant, DhcpError> {
        self.advance(now);
        let server = self.dhcp_server(interface).cloned().ok_or(DhcpError::NoServer)?;
        let (id, address) = match self.kept_lease(&server, mac) {
            Some(kept) => {
                self.forget_strangers_lease(mac);
                kept
            }
            None => self.strangers_lease(&server, mac)?,
        };
        let seconds = text::seconds(server.get("lease-time")).filter(|seconds| *seconds > 0).unwrap_or(1_800);
        let until = u64::try_from(now.as_second()).unwrap_or(0).saturating_add(seconds);
        if let Some(row) = self.row_mut(LEASES, id) {
            let bound = [
                ("status", "bound".to_owned()),
                ("active-address", address.to_string()),
                ("active-mac-address", mac.to_owned()),
                ("active-server", server.get("name").to_owned()),
                ("until", until.to_string()),
            ];
            row.fields.extend(bound);
        }
        self.learn(id, &server, mac, address);
        let lease = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
        Ok(DhcpGrant { id, address, lease })
    }

    /// Finds the server that answers on a port, or on the bridge that the port is in.
    fn dhcp_server(&self, interface: &str) -> Option<&Row> {
        let layer3 = self.layer3(interface);
        self.rows(SERVERS).find(|row| !row.is("disabled") && row.get("interface") == layer3 && !self.is_invalid(SERVERS, row))
    }

    /// Returns the interface that has the addresses: a port's bridge, or the port itself.
    fn layer3<'a>(&'a self, interface: &'a str) -> &'a str {
        let port = self.find("/interface/bridge/port", "interface", interface).filter(|port| !port.is("disabled"));
        port.map_or(interface, |port| port.get("bridge"))
    }

    /// Finds the lease that is kept for a device.
    fn kept_lease(&self, server: &Row, mac: &str) -> Option<(RowId, Ipv4Addr)> {
        let kept = self.rows(LEASES).find(|row| {
            let here = matches!(row.get("server"), "" | "all") || row.get("server") == server.get("name");
            row.origin != Origin::Dynamic && !row.is("disabled") && here && row.get("mac-address").eq_ignore_ascii_case(mac)
        })?;
        Some((kept.id, kept.get("address").parse().ok().filter(|address: &Ipv4Addr| !address.is_unspecified())?))
    }

    /// Finds or makes the lease of a device that none is kept for.
    fn strangers_lease(&mut self, server: &Row, mac: &str) -> Result<(RowId, Ipv4Addr), DhcpError> {
        let name = server.get("name");
        let own = |row: &&Row| row.origin == Origin::Dynamic && row.get("mac-address") == mac && row.get("server") == name;
        if let Some(row) = self.rows(LEASES).find(own) {
            return Ok((row.id, row.get("address").parse().map_err(|_| DhcpError::NoAddress)?));
        }
        let pool = Some(server.get("address-pool")).filter(|pool| *pool != "static-only");
        let address = pool.and_then(|pool| self.give_address(pool)).ok_or(DhcpError::NoAddress)?;
        let fields = [
            ("address", address.to_string()),
            ("mac-address", mac.to_owned()),
            ("server", name.to_owned()),
            ("disabled", "false".to_owned()),
        ];
        Ok((self.insert_dynamic(LEASES, fields), address))
    }

    fn forget_strangers_lease(&mut self, mac: &str) {
        let of = |row: &&Row| row.origin == Origin::Dynamic && row.get("mac-address") == mac;
        let ids: Vec<RowId> = self.rows(LEASES).filter(of).map(|row| row.id).collect();
        for id in ids {
            self.delete(LEASES, id);
            self.unlearn(id);
        }
    }

    /// Writes down which device has an address, where the server does so.
    fn learn(&mut self, lease: RowId, server: &Row, mac: &str, address: Ipv4Addr) {
        self.unlearn(lease);
        if server.is("add-arp") {
            let entry = [
                ("address", address.to_string()),
                ("mac-address", mac.to_owned()),
                ("interface", server.get("interface").to_owned()),
                ("complete", "true".to_owned()),
                ("lease", lease.to_string()),
            ];
            self.insert_dynamic(ARP, entry);
        }
    }

    fn unlearn(&mut self, lease: RowId) {
        if let Some(entry) = self.find(ARP, "lease", &lease.to_string()).map(|row| row.id) {
            self.delete(ARP, entry);
        }
    }

    /// Forgets what was learnt from leases that are gone or switched off.
    pub(super) fn lease_changed(&mut self, id: RowId) {
        if self.row(LEASES, id).is_none_or(|row| row.is("disabled")) {
            self.unlearn(id);
        }
    }

    /// Ends leases that nobody asked for again.
    pub(super) fn tick_dhcp(&mut self) {
        let second = u64::try_from(self.now.as_second()).unwrap_or(0);
        let over = |row: &&Row| row.get("status") == "bound" && row.number("until") <= second;
        let over: Vec<(RowId, Origin)> = self.rows(LEASES).filter(over).map(|row| (row.id, row.origin)).collect();
        for (id, origin) in over {
            self.unlearn(id);
            if origin == Origin::Dynamic {
                self.delete(LEASES, id);
            } else if let Some(row) = self.row_mut(LEASES, id) {
                row.fields.insert("status", "waiting".to_owned());
                row.fields.retain(|name, _| !name.starts_with("active-") && *name != "until");
            }
        }
    }

    pub(super) fn lease_value(&self, row: &Row, name: &str) -> Option<String> {
        match name {
            "status" if row.get("status").is_empty() => Some("waiting".to_owned()),
            "expires-after" => row.fields.get("until").and_then(|until| until.parse().ok()).map(|until| self.left(until)),
            "last-seen" if row.get("status").is_empty() => Some("never".to_owned()),
            _ => None,
        }
    }

    /// Says whether an address is kept for a device, or given to one.
    pub(super) fn lease_holds(&self, address: Ipv4Addr) -> bool {
        self.rows(LEASES).any(|row| row.get("address").parse() == Ok(address) || row.get("active-address").parse() == Ok(address))
    }

    /// Refuses a second lease for an address over all servers, or for a device in one; `all` stands for each.
    pub(super) fn check_lease(&self, fields: &Fields, except: Option<RowId>) -> Result<(), Trap> {
        let field = |name: &str| fields.get(name).map_or("", String::as_str);
        let others = || self.rows(LEASES).filter(|row| row.origin != Origin::Dynamic && Some(row.id) != except);
        let address = field("address");
        if !matches!(address, "" | "0.0.0.0") && others().any(|row| row.get("address") == address) {
            return Err(Trap::failure("failure: already have static lease with this IP address"));
        }
        let all = |server: &str| matches!(server, "" | "all");
        let same = |row: &Row| {
            let server = all(row.get("server")) || all(field("server")) || row.get("server") == field("server");
            server && !row.is("disabled") && row.get("mac-address") == field("mac-address")
        };
        if field("disabled") != "true" && others().any(same) {
            return Err(Trap::failure("failure: already have static lease for this client"));
        }
        Ok(())
    }

    /// Says where a device's web traffic ends up.
    #[must_use]
    pub fn lan_reach(&self, mac: &str, address: Ipv4Addr, interface: &str) -> Reach {
        let layer3 = self.layer3(interface);
        let known = || {
            self.rows(ARP).any(|row| {
                let same = row.get("mac-address").eq_ignore_ascii_case(mac) && row.get("address").parse() == Ok(address);
                same && row.get("interface") == layer3 && !row.is("disabled")
            })
        };
        if self.interface(layer3).is_some_and(|row| row.get("arp") == "reply-only") && !known() {
            return Reach::Blocked("the interface does not know this device".to_owned());
        }
        self.web_reach(address, layer3)
    }
}
