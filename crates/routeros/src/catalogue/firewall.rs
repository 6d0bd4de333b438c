//! Firewall rules, address lists and queues.

use super::{Arg, Kind, Menu, ROWS_ENABLE, RULES, Shape, define};

const ANY: Kind = Kind::Number { min: 0, max: u64::MAX };
const WORD: Kind = Kind::Negatable(&Kind::Text);
const MATCH: Kind = Kind::Negatable(&Kind::AddressMatch);
const PORTS: Kind = Kind::Negatable(&Kind::Set(&Kind::Ports));
const INTERFACES: Kind =
    Kind::Negatable(&Kind::Reference(&["/interface"], &["all-ethernet", "all-ppp", "all-vlan", "all-wireless"]));
const LISTS: Kind = Kind::Negatable(&Kind::Reference(&["/interface/list"], &["all", "dynamic", "none", "static"]));
const STATES: Kind = Kind::Negatable(&Kind::Set(&Kind::Choice(&["established", "invalid", "new", "related", "untracked"])));
const HOTSPOT_STATES: Kind =
    Kind::Negatable(&Kind::Set(&Kind::Choice(&["auth", "from-client", "http", "local-dst", "to-client"])));
const TARGET_OR_INTERFACE: Kind = Kind::Either(&Kind::Prefix, &Kind::Reference(&["/interface"], &[]));
const RATES: Kind = Kind::Pair(&Kind::Rate);
const FILTER_ACTIONS: Kind = Kind::Choice(&[
    "accept",
    "add-dst-to-address-list",
    "add-src-to-address-list",
    "drop",
    "fasttrack-connection",
    "jump",
    "log",
    "passthrough",
    "reject",
    "return",
    "tarpit",
]);
const NAT_ACTIONS: Kind = Kind::Choice(&[
    "accept",
    "add-dst-to-address-list",
    "add-src-to-address-list",
    "dst-nat",
    "endpoint-independent-nat",
    "jump",
    "log",
    "masquerade",
    "netmap",
    "passthrough",
    "redirect",
    "return",
    "same",
    "socksify",
    "src-nat",
]);

define! {
    /// Which packets pass.
    ip_firewall_filter = Menu::new("/ip/firewall/filter", Shape::Ordered, RULES) => {
        CHAIN = "chain": Kind::Text, required;
        ACTION = "action": FILTER_ACTIONS, default("accept");
        SRC_ADDRESS = "src-address": MATCH, clearable;
        DST_ADDRESS = "dst-address": MATCH, clearable;
        SRC_ADDRESS_LIST = "src-address-list": WORD, clearable;
        DST_ADDRESS_LIST = "dst-address-list": WORD, clearable;
        IN_INTERFACE = "in-interface": INTERFACES, clearable;
        OUT_INTERFACE = "out-interface": INTERFACES, clearable;
        IN_INTERFACE_LIST = "in-interface-list": LISTS, clearable;
        OUT_INTERFACE_LIST = "out-interface-list": LISTS, clearable;
        PROTOCOL = "protocol": WORD, clearable;
        SRC_PORT = "src-port": PORTS, clearable;
        DST_PORT = "dst-port": PORTS, clearable;
        CONNECTION_STATE = "connection-state": STATES, clearable;
        HOTSPOT = "hotspot": HOTSPOT_STATES, clearable;
        REJECT_WITH = "reject-with": Kind::Text;
        JUMP_TARGET = "jump-target": Kind::Text;
        LOG = "log": Kind::Bool, default("no");
        LOG_PREFIX = "log-prefix": Kind::Text, default("");
        COMMENT = "comment": Kind::Text, default("");
        DISABLED = "disabled": Kind::Bool, default("no");
        PLACE_BEFORE = "place-before": Kind::Text, add_only;
        DYNAMIC = "dynamic": Kind::Bool, read_only, default("no");
        INVALID = "invalid": Kind::Bool, read_only, default("no");
        BYTES = "bytes": ANY, read_only, default("0");
        PACKETS = "packets": ANY, read_only, default("0");
    }

    /// Which packets get other addresses.
    ip_firewall_nat = Menu::new("/ip/firewall/nat", Shape::Ordered, RULES) => {
        CHAIN = "chain": Kind::Text, required;
        ACTION = "action": NAT_ACTIONS, default("accept");
        SRC_ADDRESS = "src-address": MATCH, clearable;
        DST_ADDRESS = "dst-address": MATCH, clearable;
        SRC_ADDRESS_LIST = "src-address-list": WORD, clearable;
        DST_ADDRESS_LIST = "dst-address-list": WORD, clearable;
        DST_ADDRESS_TYPE = "dst-address-type": WORD, clearable;
        IN_INTERFACE = "in-interface": INTERFACES, clearable;
        OUT_INTERFACE = "out-interface": INTERFACES, clearable;
        IN_INTERFACE_LIST = "in-interface-list": LISTS, clearable;
        OUT_INTERFACE_LIST = "out-interface-list": LISTS, clearable;
        PROTOCOL = "protocol": WORD, clearable;
        SRC_PORT = "src-port": PORTS, clearable;
        DST_PORT = "dst-port": PORTS, clearable;
        HOTSPOT = "hotspot": HOTSPOT_STATES, clearable;
        TO_ADDRESSES = "to-addresses": Kind::AddressRange, clearable;
        TO_PORTS = "to-ports": Kind::Ports, clearable;
        JUMP_TARGET = "jump-target": Kind::Text;
        COMMENT = "comment": Kind::Text, default("");
        DISABLED = "disabled": Kind::Bool, default("no");
        PLACE_BEFORE = "place-before": Kind::Text, add_only;
        DYNAMIC = "dynamic": Kind::Bool, read_only, default("no");
        INVALID = "invalid": Kind::Bool, read_only, default("no");
        BYTES = "bytes": ANY, read_only, default("0");
        PACKETS = "packets": ANY, read_only, default("0");
    }

    /// Named sets of addresses that rules refer to; a row with a timeout goes away by itself.
    ip_firewall_address_list = Menu::new("/ip/firewall/address-list", Shape::Table, ROWS_ENABLE).key(&["list", "address"]) => {
        LIST = "list": Kind::Text, required;
        ADDRESS = "address": Kind::AddressMatch;
        TIMEOUT = "timeout": Kind::Duration;
        COMMENT = "comment": Kind::Text, default("");
        DISABLED = "disabled": Kind::Bool, default("no");
        DYNAMIC = "dynamic": Kind::Bool, default("no");
        CREATION_TIME = "creation-time": Kind::Text, read_only;
    }

    /// Speed limits of single customers; rates and counters are upload/download as the customer sees them.
    queue_simple = Menu::new(
        "/queue/simple",
        Shape::Ordered,
        &["print", "add", "set", "remove", "enable", "disable", "unset", "move", "reset-counters"],
    )
    .key(&["name"]) => {
        NAME = "name": Kind::Text;
        TARGET = "target": Kind::Set(&TARGET_OR_INTERFACE), required, clearable;
        DST = "dst": TARGET_OR_INTERFACE, clearable;
        PARENT = "parent": Kind::Reference(&["/queue/simple"], &["none"]), default("none");
        MAX_LIMIT = "max-limit": RATES, default("0/0");
        LIMIT_AT = "limit-at": RATES, default("0/0");
        BURST_LIMIT = "burst-limit": RATES, default("0/0");
        BURST_THRESHOLD = "burst-threshold": RATES, default("0/0");
        BURST_TIME = "burst-time": Kind::Pair(&Kind::Duration), default("0s/0s");
        PRIORITY = "priority": Kind::Pair(&Kind::Number { min: 1, max: 8 }), default("8/8");
        QUEUE = "queue": Kind::Pair(&Kind::Text), default("default-small/default-small");
        COMMENT = "comment": Kind::Text, default("");
        DISABLED = "disabled": Kind::Bool, default("no");
        PLACE_BEFORE = "place-before": Kind::Text, add_only;
        DYNAMIC = "dynamic": Kind::Bool, read_only, default("no");
        INVALID = "invalid": Kind::Bool, read_only, default("no");
        BYTES = "bytes": Kind::Pair(&ANY), read_only, default("0/0");
        PACKETS = "packets": Kind::Pair(&ANY), read_only, default("0/0");
        RATE = "rate": RATES, read_only, default("0/0");
        DROPPED = "dropped": Kind::Pair(&ANY), read_only, default("0/0");
    }
}
