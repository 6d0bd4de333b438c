//! Interfaces: ports, bridges, WireGuard, PPPoE servers, lists.

use super::{Arg, Kind, Menu, ROWS, ROWS_ENABLE, Shape, define};

const ANY: Kind = Kind::Number { min: 0, max: u64::MAX };
const PORT: Kind = Kind::Number { min: 0, max: 65_535 };
const MTUS: Kind = Kind::Or(&["auto"], &Kind::Number { min: 32, max: 65_535 });
const PPPOE_MTU: Kind = Kind::Or(&["auto"], &Kind::Number { min: 512, max: 65_535 });
const ARP_MODES: Kind = Kind::Choice(&["disabled", "enabled", "local-proxy-arp", "proxy-arp", "reply-only"]);
/// The tag of a VLAN, or a range of tags.
const VLANS: Kind = Kind::Set(&Kind::Ports);
const METHODS: Kind = Kind::Set(&Kind::Choice(&["pap", "chap", "mschap1", "mschap2"]));

define! {
    /// Every interface, of whatever type.
    interface = Menu::new("/interface", Shape::Table, &["print", "set", "enable", "disable"]).key(&["name"]) => {
        NAME = "name": Kind::Text;
        TYPE = "type": Kind::Text, read_only;
        DEFAULT_NAME = "default-name": Kind::Text, read_only;
        MAC_ADDRESS = "mac-address": Kind::Mac, read_only;
        ACTUAL_MTU = "actual-mtu": ANY, read_only;
        RUNNING = "running": Kind::Bool, read_only, default("no");
        SLAVE = "slave": Kind::Bool, read_only, default("no");
        DYNAMIC = "dynamic": Kind::Bool, read_only, default("no");
        RX_BYTE = "rx-byte": ANY, read_only;
        TX_BYTE = "tx-byte": ANY, read_only;
        LINK_DOWNS = "link-downs": ANY, read_only;
        LAST_LINK_DOWN_TIME = "last-link-down-time": Kind::Text, read_only;
        LAST_LINK_UP_TIME = "last-link-up-time": Kind::Text, read_only;
        COMMENT = "comment": Kind::Text, default("");
        DISABLED = "disabled": Kind::Bool, default("no");
    }

    /// The router's ports; read only here.
    interface_ethernet = Menu::new("/interface/ethernet", Shape::Table, &["print"]).key(&["name"]) => {
        NAME = "name": Kind::Text, read_only;
        DEFAULT_NAME = "default-name": Kind::Text, read_only;
        MAC_ADDRESS = "mac-address": Kind::Mac, read_only;
        RUNNING = "running": Kind::Bool, read_only, default("no");
        SLAVE = "slave": Kind::Bool, read_only, default("no");
        ARP = "arp": ARP_MODES, read_only, default("enabled");
        COMMENT = "comment": Kind::Text, read_only, default("");
        DISABLED = "disabled": Kind::Bool, read_only, default("no");
    }

    /// VLANs; read only here.
    interface_vlan = Menu::new("/interface/vlan", Shape::Table, &["print"]).key(&["name"]) => {
        NAME = "name": Kind::Text, read_only;
        INTERFACE = "interface": Kind::Text, read_only;
        VLAN_ID = "vlan-id": ANY, read_only;
        ARP = "arp": ARP_MODES, read_only, default("enabled");
        DISABLED = "disabled": Kind::Bool, read_only, default("no");
    }

    /// Bridges.
    interface_bridge = Menu::new("/interface/bridge", Shape::Table, ROWS_ENABLE).key(&["name"]) => {
        NAME = "name": Kind::Text;
        ARP = "arp": ARP_MODES, default("enabled");
        PROTOCOL_MODE = "protocol-mode": Kind::Choice(&["mstp", "none", "rstp", "stp"]), default("rstp");
        COMMENT = "comment": Kind::Text, default("");
        DISABLED = "disabled": Kind::Bool, default("no");
        MAC_ADDRESS = "mac-address": Kind::Mac, read_only;
        RUNNING = "running": Kind::Bool, read_only, default("no");
        DYNAMIC = "dynamic": Kind::Bool, read_only, default("no");
    }

    /// Which ports are in which bridge.
    interface_bridge_port = Menu::new("/interface/bridge/port", Shape::Table, ROWS_ENABLE).key(&["interface"]) => {
        INTERFACE = "interface": Kind::Reference(&["/interface", "/interface/list"], &[]), required;
        BRIDGE = "bridge": Kind::Reference(&["/interface/bridge"], &[]), required;
        COMMENT = "comment": Kind::Text, default("");
        DISABLED = "disabled": Kind::Bool, default("no");
        DYNAMIC = "dynamic": Kind::Bool, read_only, default("no");
        INACTIVE = "inactive": Kind::Bool, read_only, default("no");
    }

    /// The router's ends of WireGuard tunnels.
    interface_wireguard = Menu::new("/interface/wireguard", Shape::Table, ROWS_ENABLE).key(&["name"]) => {
        NAME = "name": Kind::Text;
        LISTEN_PORT = "listen-port": PORT;
        MTU = "mtu": MTUS;
        PRIVATE_KEY = "private-key": Kind::Key, secret;
        PUBLIC_KEY = "public-key": Kind::Key, read_only;
        COMMENT = "comment": Kind::Text, default("");
        DISABLED = "disabled": Kind::Bool, default("no");
        RUNNING = "running": Kind::Bool, read_only, default("no");
    }

    /// The other ends of WireGuard tunnels.
    interface_wireguard_peers = Menu::new("/interface/wireguard/peers", Shape::Table, ROWS_ENABLE)
        .key(&["interface", "public-key"]) => {
        INTERFACE = "interface": Kind::Reference(&["/interface/wireguard"], &[]), required;
        NAME = "name": Kind::Text, since(15);
        PUBLIC_KEY = "public-key": Kind::Key;
        PRESHARED_KEY = "preshared-key": Kind::Or(&["", "auto", "none"], &Kind::Key), secret, default("");
        ALLOWED_ADDRESS = "allowed-address": Kind::Set(&Kind::Prefix), required;
        ENDPOINT_ADDRESS = "endpoint-address": Kind::Text, default("");
        ENDPOINT_PORT = "endpoint-port": PORT, default("0");
        PERSISTENT_KEEPALIVE = "persistent-keepalive": Kind::Duration, default("0s");
        IS_RESPONDER = "is-responder": Kind::Bool, default("no"), since(15), until(17);
        RESPONDER = "responder": Kind::Bool, default("no"), since(17);
        COMMENT = "comment": Kind::Text, default("");
        DISABLED = "disabled": Kind::Bool, default("no");
        DYNAMIC = "dynamic": Kind::Bool, read_only, default("no");
        LAST_HANDSHAKE = "last-handshake": Kind::Or(&["never"], &Kind::Duration), read_only;
        CURRENT_ENDPOINT_ADDRESS = "current-endpoint-address": Kind::Text, read_only;
        CURRENT_ENDPOINT_PORT = "current-endpoint-port": PORT, read_only;
        RX = "rx": ANY, read_only;
        TX = "tx": ANY, read_only;
    }

    /// The interfaces of PPPoE customers who are online; read only here.
    interface_pppoe_server = Menu::new("/interface/pppoe-server", Shape::Table, &["print"]).key(&["name"]) => {
        NAME = "name": Kind::Text, read_only;
        USER = "user": Kind::Text, read_only;
        SERVICE = "service": Kind::Text, read_only;
        INTERFACE = "interface": Kind::Text, read_only;
        REMOTE_ADDRESS = "remote-address": Kind::Text, read_only;
        UPTIME = "uptime": Kind::Duration, read_only;
        MTU = "mtu": ANY, read_only;
        RUNNING = "running": Kind::Bool, read_only, default("no");
        DYNAMIC = "dynamic": Kind::Bool, read_only, default("no");
    }

    /// The PPPoE servers.
    interface_pppoe_server_server = Menu::new("/interface/pppoe-server/server", Shape::Table, ROWS_ENABLE)
        .key(&["service-name", "interface"]) => {
        SERVICE_NAME = "service-name": Kind::Text, default("");
        INTERFACE = "interface": Kind::Reference(&["/interface"], &[]), required;
        DEFAULT_PROFILE = "default-profile": Kind::Reference(&["/ppp/profile"], &[]), default("default");
        AUTHENTICATION = "authentication": METHODS, default("chap,mschap1,mschap2,pap");
        ONE_SESSION_PER_HOST = "one-session-per-host": Kind::Bool, default("no");
        PPPOE_OVER_VLAN_RANGE = "pppoe-over-vlan-range": VLANS, default(""), since(18);
        MAX_MTU = "max-mtu": PPPOE_MTU, default("auto");
        MAX_MRU = "max-mru": PPPOE_MTU, default("auto");
        MAX_SESSIONS = "max-sessions": Kind::Or(&["unlimited"], &ANY), default("unlimited");
        KEEPALIVE_TIMEOUT = "keepalive-timeout": Kind::Or(&["disabled"], &ANY), default("10");
        COMMENT = "comment": Kind::Text, default("");
        DISABLED = "disabled": Kind::Bool, default("yes");
        INVALID = "invalid": Kind::Bool, read_only, default("no");
    }

    /// Names for groups of interfaces.
    interface_list = Menu::new("/interface/list", Shape::Table, ROWS).key(&["name"]) => {
        NAME = "name": Kind::Text, required;
        INCLUDE = "include": Kind::Set(&Kind::Text), default("");
        EXCLUDE = "exclude": Kind::Set(&Kind::Text), default("");
        COMMENT = "comment": Kind::Text, default("");
        BUILTIN = "builtin": Kind::Bool, read_only, default("no");
        DYNAMIC = "dynamic": Kind::Bool, read_only, default("no");
    }

    /// Which interfaces are in which group.
    interface_list_member = Menu::new("/interface/list/member", Shape::Table, ROWS_ENABLE).key(&["list", "interface"]) => {
        LIST = "list": Kind::Reference(&["/interface/list"], &[]), required;
        INTERFACE = "interface": Kind::Reference(&["/interface"], &[]), required;
        COMMENT = "comment": Kind::Text, default("");
        DISABLED = "disabled": Kind::Bool, default("no");
        DYNAMIC = "dynamic": Kind::Bool, read_only, default("no");
    }
}
