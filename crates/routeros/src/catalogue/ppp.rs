//! PPP: profiles, secrets, sessions.

use super::{Arg, Kind, Menu, ROWS_ENABLE_UNSET, ROWS_UNSET, Shape, define};

const ANY: Kind = Kind::Number { min: 0, max: u64::MAX };
const DEFAULT_OR: Kind = Kind::Choice(&["default", "no", "yes"]);
const POOL_OR_ADDRESS: Kind = Kind::Either(&Kind::Address, &Kind::Reference(&["/ip/pool"], &[]));

define! {
    /// What PPP customers get: addresses, speed, DNS.
    ppp_profile = Menu::new("/ppp/profile", Shape::Table, ROWS_UNSET).key(&["name"]) => {
        NAME = "name": Kind::Text, required;
        LOCAL_ADDRESS = "local-address": POOL_OR_ADDRESS, clearable;
        REMOTE_ADDRESS = "remote-address": POOL_OR_ADDRESS, clearable;
        DNS_SERVER = "dns-server": Kind::List(&Kind::Address), clearable;
        RATE_LIMIT = "rate-limit": Kind::RateLimit, clearable;
        SESSION_TIMEOUT = "session-timeout": Kind::Duration, clearable;
        IDLE_TIMEOUT = "idle-timeout": Kind::Duration, clearable;
        ONLY_ONE = "only-one": DEFAULT_OR, default("default");
        CHANGE_TCP_MSS = "change-tcp-mss": DEFAULT_OR, default("default");
        USE_ENCRYPTION = "use-encryption": Kind::Choice(&["default", "no", "required", "yes"]), default("default");
        ADDRESS_LIST = "address-list": Kind::Text, default("");
        PARENT_QUEUE = "parent-queue": Kind::Reference(&["/queue/simple"], &["none"]), clearable;
        QUEUE_TYPE = "queue-type": Kind::Pair(&Kind::Text), clearable;
        INSERT_QUEUE_BEFORE = "insert-queue-before": Kind::Reference(&["/queue/simple"], &["bottom", "first"]), clearable;
        INTERFACE_LIST = "interface-list": Kind::Reference(&["/interface/list"], &[]), clearable;
        ON_UP = "on-up": Kind::Text, default("");
        ON_DOWN = "on-down": Kind::Text, default("");
        COMMENT = "comment": Kind::Text, default("");
        DEFAULT = "default": Kind::Bool, read_only, default("no");
    }

    /// Who may dial in.
    ppp_secret = Menu::new("/ppp/secret", Shape::Table, ROWS_ENABLE_UNSET).key(&["name", "service"]) => {
        NAME = "name": Kind::Text, required;
        PASSWORD = "password": Kind::Text, secret, default("");
        SERVICE = "service": Kind::Choice(&["any", "async", "l2tp", "ovpn", "pppoe", "pptp", "sstp"]), default("any");
        PROFILE = "profile": Kind::Reference(&["/ppp/profile"], &[]), default("default");
        CALLER_ID = "caller-id": Kind::Text, default("");
        LOCAL_ADDRESS = "local-address": POOL_OR_ADDRESS, clearable;
        REMOTE_ADDRESS = "remote-address": POOL_OR_ADDRESS, clearable;
        LIMIT_BYTES_IN = "limit-bytes-in": Kind::Size, default("0");
        LIMIT_BYTES_OUT = "limit-bytes-out": Kind::Size, default("0");
        ROUTES = "routes": Kind::Text, default("");
        COMMENT = "comment": Kind::Text, default("");
        DISABLED = "disabled": Kind::Bool, default("no");
        LAST_LOGGED_OUT = "last-logged-out": Kind::Text, read_only;
        LAST_CALLER_ID = "last-caller-id": Kind::Text, read_only;
        LAST_DISCONNECT_REASON = "last-disconnect-reason": Kind::Text, read_only;
    }

    /// Who is online over PPP; removing a row ends the session.
    ppp_active = Menu::new("/ppp/active", Shape::Table, &["print", "remove"]) => {
        NAME = "name": Kind::Text, read_only;
        SERVICE = "service": Kind::Text, read_only;
        CALLER_ID = "caller-id": Kind::Text, read_only;
        ADDRESS = "address": Kind::Address, read_only;
        UPTIME = "uptime": Kind::Duration, read_only;
        SESSION_ID = "session-id": Kind::Text, read_only;
        ENCODING = "encoding": Kind::Text, read_only, default("");
        LIMIT_BYTES_IN = "limit-bytes-in": ANY, read_only, default("0");
        LIMIT_BYTES_OUT = "limit-bytes-out": ANY, read_only, default("0");
        RADIUS = "radius": Kind::Bool, read_only, default("no");
        COMMENT = "comment": Kind::Text, read_only, default("");
    }

    /// Who judges PPP logins.
    ppp_aaa = Menu::new("/ppp/aaa", Shape::Singleton, &["print", "set"]) => {
        USE_RADIUS = "use-radius": Kind::Bool, default("no");
        ACCOUNTING = "accounting": Kind::Bool, default("yes");
        INTERIM_UPDATE = "interim-update": Kind::Duration, default("0s");
    }
}
