//! Addresses, pools, routes, services, DNS and DHCP.

use super::{Arg, Kind, Menu, ROWS, ROWS_ENABLE, ROWS_UNSET, Shape, define};

const ANY: Kind = Kind::Number { min: 0, max: u64::MAX };

define! {
    /// The services through which the router is managed.
    ip_service = Menu::new("/ip/service", Shape::Table, &["print", "set", "enable", "disable"]).key(&["name"]) => {
        NAME = "name": Kind::Text, read_only;
        PORT = "port": Kind::Number { min: 1, max: 65_535 };
        ADDRESS = "address": Kind::Set(&Kind::Prefix), default("");
        AVAILABLE_FROM = "available-from": Kind::Set(&Kind::Prefix), default(""), since(24);
        DISABLED = "disabled": Kind::Bool, default("no");
        CERTIFICATE = "certificate": Kind::Text, default("none");
        TLS_VERSION = "tls-version": Kind::Choice(&["any", "only-1.2"]), default("any");
        MAX_SESSIONS = "max-sessions": Kind::Number { min: 1, max: 1000 }, default("20"), since(16);
        VRF = "vrf": Kind::Text, default("main");
        INVALID = "invalid": Kind::Bool, read_only, default("no");
        DYNAMIC = "dynamic": Kind::Bool, read_only, default("no"), since(18);
    }

    /// The addresses of the router's interfaces.
    ip_address = Menu::new("/ip/address", Shape::Table, ROWS_ENABLE).key(&["address", "interface"]) => {
        ADDRESS = "address": Kind::InterfaceAddress, required;
        INTERFACE = "interface": Kind::Reference(&["/interface"], &[]), required;
        NETWORK = "network": Kind::Address;
        COMMENT = "comment": Kind::Text, default("");
        DISABLED = "disabled": Kind::Bool, default("no");
        ACTUAL_INTERFACE = "actual-interface": Kind::Text, read_only;
        DYNAMIC = "dynamic": Kind::Bool, read_only, default("no");
        INVALID = "invalid": Kind::Bool, read_only, default("no");
    }

    /// Ranges of addresses that PPP, hotspot and DHCP give out.
    ip_pool = Menu::new("/ip/pool", Shape::Table, ROWS).key(&["name"]) => {
        NAME = "name": Kind::Text;
        RANGES = "ranges": Kind::List(&Kind::AddressRange), required;
        NEXT_POOL = "next-pool": Kind::Reference(&["/ip/pool"], &["none"]), default("none");
        COMMENT = "comment": Kind::Text, default("");
        TOTAL = "total": ANY, read_only;
        USED = "used": ANY, read_only;
        AVAILABLE = "available": ANY, read_only;
    }

    /// Which addresses of the pools are in use.
    ip_pool_used = Menu::new("/ip/pool/used", Shape::Table, &["print"]) => {
        POOL = "pool": Kind::Text, read_only;
        ADDRESS = "address": Kind::Address, read_only;
        OWNER = "owner": Kind::Text, read_only;
        INFO = "info": Kind::Text, read_only;
    }

    /// The routing table; read only here.
    ip_route = Menu::new("/ip/route", Shape::Table, &["print"]) => {
        DST_ADDRESS = "dst-address": Kind::Prefix, read_only;
        GATEWAY = "gateway": Kind::Text, read_only;
        IMMEDIATE_GW = "immediate-gw": Kind::Text, read_only;
        DISTANCE = "distance": ANY, read_only;
        ROUTING_TABLE = "routing-table": Kind::Text, read_only;
        PREF_SRC = "pref-src": Kind::Text, read_only;
        COMMENT = "comment": Kind::Text, read_only, default("");
        ACTIVE = "active": Kind::Bool, read_only, default("no");
        DYNAMIC = "dynamic": Kind::Bool, read_only, default("no");
        DISABLED = "disabled": Kind::Bool, read_only, default("no");
    }

    /// The router's resolver.
    ip_dns = Menu::new("/ip/dns", Shape::Singleton, &["print", "set"]) => {
        SERVERS = "servers": Kind::List(&Kind::Text), default("");
        DYNAMIC_SERVERS = "dynamic-servers": Kind::List(&Kind::Text), read_only, default("");
        ALLOW_REMOTE_REQUESTS = "allow-remote-requests": Kind::Bool, default("no");
        USE_DOH_SERVER = "use-doh-server": Kind::Text, default("");
    }

    /// The DHCP servers.
    ip_dhcp_server = Menu::new("/ip/dhcp-server", Shape::Table, ROWS_ENABLE).key(&["name"]) => {
        NAME = "name": Kind::Text;
        INTERFACE = "interface": Kind::Reference(&["/interface"], &[]), required;
        ADDRESS_POOL = "address-pool": Kind::Reference(&["/ip/pool"], &["static-only"]), default("static-only");
        LEASE_TIME = "lease-time": Kind::Duration, default("30m");
        ADD_ARP = "add-arp": Kind::Bool, default("no");
        COMMENT = "comment": Kind::Text, default("");
        DISABLED = "disabled": Kind::Bool, default("no");
        DYNAMIC = "dynamic": Kind::Bool, read_only, default("no");
        INVALID = "invalid": Kind::Bool, read_only, default("no");
    }

    /// What the DHCP servers tell their clients.
    ip_dhcp_server_network = Menu::new("/ip/dhcp-server/network", Shape::Table, ROWS_UNSET).key(&["address"]) => {
        ADDRESS = "address": Kind::Prefix;
        GATEWAY = "gateway": Kind::List(&Kind::Address), default("");
        DNS_SERVER = "dns-server": Kind::List(&Kind::Address), default("");
        COMMENT = "comment": Kind::Text, default("");
        DYNAMIC = "dynamic": Kind::Bool, read_only, default("no");
    }

    /// What the DHCP servers gave out, and what they keep for single devices. A router has an address once over all servers, and a
    /// device once in each server; `all` stands for each (write probes on a 7.23 virtual router, a public record).
    ip_dhcp_server_lease = Menu::new("/ip/dhcp-server/lease", Shape::Table, ROWS_ENABLE).key(&["address"]) => {
        ADDRESS = "address": Kind::Address, default("0.0.0.0");
        MAC_ADDRESS = "mac-address": Kind::Mac, required;
        SERVER = "server": Kind::Reference(&["/ip/dhcp-server"], &["all"]), default("all");
        COMMENT = "comment": Kind::Text, default("");
        DISABLED = "disabled": Kind::Bool, default("no");
        HOST_NAME = "host-name": Kind::Text, read_only;
        STATUS = "status": Kind::Text, read_only;
        ACTIVE_ADDRESS = "active-address": Kind::Address, read_only;
        ACTIVE_MAC_ADDRESS = "active-mac-address": Kind::Mac, read_only;
        ACTIVE_SERVER = "active-server": Kind::Text, read_only;
        EXPIRES_AFTER = "expires-after": Kind::Duration, read_only;
        LAST_SEEN = "last-seen": Kind::Or(&["never"], &Kind::Duration), read_only;
        DYNAMIC = "dynamic": Kind::Bool, read_only, default("no");
    }

    /// Which MAC address answers for which address; read only here.
    ip_arp = Menu::new("/ip/arp", Shape::Table, &["print"]) => {
        ADDRESS = "address": Kind::Address, read_only;
        MAC_ADDRESS = "mac-address": Kind::Mac, read_only;
        INTERFACE = "interface": Kind::Text, read_only;
        COMPLETE = "complete": Kind::Bool, read_only, default("no");
        DYNAMIC = "dynamic": Kind::Bool, read_only, default("no");
        DISABLED = "disabled": Kind::Bool, read_only, default("no");
    }
}
