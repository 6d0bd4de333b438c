//! Hotspot: servers, profiles, users, sessions, walled garden.

use super::{Arg, Kind, Menu, ROWS, ROWS_ENABLE, ROWS_UNSET, RULES, Shape, define};

const ANY: Kind = Kind::Number { min: 0, max: u64::MAX };
const NONE_OR_TIME: Kind = Kind::Or(&["none"], &Kind::Duration);
const SERVERS: Kind = Kind::Reference(&["/ip/hotspot"], &["all"]);
const LOGINS: Kind = Kind::Set(&Kind::Choice(&["cookie", "http-chap", "http-pap", "https", "mac", "mac-cookie", "trial"]));
const MATCH: Kind = Kind::Negatable(&Kind::Text);

define! {
    /// The hotspot servers.
    ip_hotspot = Menu::new("/ip/hotspot", Shape::Table, ROWS_ENABLE).key(&["name"]) => {
        NAME = "name": Kind::Text;
        INTERFACE = "interface": Kind::Reference(&["/interface"], &[]), required;
        ADDRESS_POOL = "address-pool": Kind::Reference(&["/ip/pool"], &["none"]), default("none");
        PROFILE = "profile": Kind::Reference(&["/ip/hotspot/profile"], &[]), default("default");
        IDLE_TIMEOUT = "idle-timeout": NONE_OR_TIME, default("5m");
        KEEPALIVE_TIMEOUT = "keepalive-timeout": NONE_OR_TIME, default("none");
        LOGIN_TIMEOUT = "login-timeout": NONE_OR_TIME, default("none");
        ADDRESSES_PER_MAC = "addresses-per-mac": Kind::Or(&["unlimited"], &ANY), default("2");
        DISABLED = "disabled": Kind::Bool, default("yes");
        INVALID = "invalid": Kind::Bool, read_only, default("no");
    }

    /// How hotspot servers greet and judge their customers.
    ip_hotspot_profile = Menu::new("/ip/hotspot/profile", Shape::Table, ROWS).key(&["name"]) => {
        NAME = "name": Kind::Text;
        HOTSPOT_ADDRESS = "hotspot-address": Kind::Address, default("0.0.0.0");
        DNS_NAME = "dns-name": Kind::Text, default("");
        HTML_DIRECTORY = "html-directory": Kind::Text, default("hotspot");
        LOGIN_BY = "login-by": LOGINS, default("cookie,http-chap");
        HTTP_COOKIE_LIFETIME = "http-cookie-lifetime": Kind::Duration, default("3d");
        RATE_LIMIT = "rate-limit": Kind::RateLimit, default("");
        USE_RADIUS = "use-radius": Kind::Bool, default("no");
        SSL_CERTIFICATE = "ssl-certificate": Kind::Text, default("none");
        DEFAULT = "default": Kind::Bool, read_only, default("no");
    }

    /// Who may log in; the limits end a customer's time even while the controller is away.
    ip_hotspot_user = Menu::new(
        "/ip/hotspot/user",
        Shape::Table,
        &["print", "add", "set", "remove", "enable", "disable", "reset-counters"],
    )
    .key(&["name", "server"]) => {
        NAME = "name": Kind::Text, required;
        SERVER = "server": SERVERS, default("all");
        PASSWORD = "password": Kind::Text, secret, default("");
        PROFILE = "profile": Kind::Reference(&["/ip/hotspot/user/profile"], &[]), default("default");
        ADDRESS = "address": Kind::Address, default("0.0.0.0");
        MAC_ADDRESS = "mac-address": Kind::Mac, default("00:00:00:00:00:00");
        LIMIT_UPTIME = "limit-uptime": Kind::Duration, default("0s");
        LIMIT_BYTES_IN = "limit-bytes-in": Kind::Size, default("0");
        LIMIT_BYTES_OUT = "limit-bytes-out": Kind::Size, default("0");
        LIMIT_BYTES_TOTAL = "limit-bytes-total": Kind::Size, default("0");
        EMAIL = "email": Kind::Text, default("");
        COMMENT = "comment": Kind::Text, default("");
        DISABLED = "disabled": Kind::Bool, default("no");
        UPTIME = "uptime": Kind::Duration, read_only, default("0s");
        BYTES_IN = "bytes-in": ANY, read_only, default("0");
        BYTES_OUT = "bytes-out": ANY, read_only, default("0");
        DYNAMIC = "dynamic": Kind::Bool, read_only, default("no");
        DEFAULT = "default": Kind::Bool, read_only, default("no");
    }

    /// What hotspot users get: speed, timeouts, number of devices.
    ip_hotspot_user_profile = Menu::new("/ip/hotspot/user/profile", Shape::Table, ROWS_UNSET).key(&["name"]) => {
        NAME = "name": Kind::Text;
        ADDRESS_POOL = "address-pool": Kind::Reference(&["/ip/pool"], &["none"]), default("none");
        ADDRESS_LIST = "address-list": Kind::Text, default("");
        RATE_LIMIT = "rate-limit": Kind::RateLimit, default("");
        SHARED_USERS = "shared-users": Kind::Or(&["unlimited"], &Kind::Number { min: 1, max: 4_294_967_295 }), default("1");
        SESSION_TIMEOUT = "session-timeout": Kind::Duration, default("0s");
        IDLE_TIMEOUT = "idle-timeout": NONE_OR_TIME, default("none"), clearable;
        KEEPALIVE_TIMEOUT = "keepalive-timeout": NONE_OR_TIME, default("2m"), clearable;
        STATUS_AUTOREFRESH = "status-autorefresh": NONE_OR_TIME, default("1m");
        ADD_MAC_COOKIE = "add-mac-cookie": Kind::Bool, default("yes");
        MAC_COOKIE_TIMEOUT = "mac-cookie-timeout": Kind::Duration, default("3d"), clearable;
        TRANSPARENT_PROXY = "transparent-proxy": Kind::Bool, default("no");
        OPEN_STATUS_PAGE = "open-status-page": Kind::Choice(&["http-login", "always"]), default("always");
        PARENT_QUEUE = "parent-queue": Kind::Reference(&["/queue/simple"], &["none"]), clearable;
        ON_LOGIN = "on-login": Kind::Text, default("");
        ON_LOGOUT = "on-logout": Kind::Text, default("");
        DEFAULT = "default": Kind::Bool, read_only, default("no");
    }

    /// Who is online through a hotspot; removing a row ends the session.
    ip_hotspot_active = Menu::new("/ip/hotspot/active", Shape::Table, &["print", "remove"]) => {
        SERVER = "server": Kind::Text, read_only;
        USER = "user": Kind::Text, read_only;
        DOMAIN = "domain": Kind::Text, read_only, default("");
        ADDRESS = "address": Kind::Address, read_only;
        MAC_ADDRESS = "mac-address": Kind::Mac, read_only;
        LOGIN_BY = "login-by": Kind::Text, read_only;
        UPTIME = "uptime": Kind::Duration, read_only;
        IDLE_TIME = "idle-time": Kind::Duration, read_only;
        SESSION_TIME_LEFT = "session-time-left": Kind::Duration, read_only;
        KEEPALIVE_TIMEOUT = "keepalive-timeout": NONE_OR_TIME, read_only;
        BYTES_IN = "bytes-in": ANY, read_only, default("0");
        BYTES_OUT = "bytes-out": ANY, read_only, default("0");
        LIMIT_BYTES_TOTAL = "limit-bytes-total": ANY, read_only, default("0");
        RADIUS = "radius": Kind::Bool, read_only, default("no");
        COMMENT = "comment": Kind::Text, read_only, default("");
    }

    /// Logs a customer's device in without the customer typing anything.
    ip_hotspot_active_login = Menu::new("/ip/hotspot/active/login", Shape::Command, &[]) => {
        USER = "user": Kind::Text, required;
        PASSWORD = "password": Kind::Text, secret;
        IP = "ip": Kind::Address, required;
        MAC_ADDRESS = "mac-address": Kind::Mac;
        DOMAIN = "domain": Kind::Text;
    }

    /// Which devices a hotspot sees, logged in or not; removing a row forgets the device.
    ip_hotspot_host = Menu::new("/ip/hotspot/host", Shape::Table, &["print", "remove"]) => {
        MAC_ADDRESS = "mac-address": Kind::Mac, read_only;
        ADDRESS = "address": Kind::Address, read_only;
        TO_ADDRESS = "to-address": Kind::Address, read_only;
        SERVER = "server": Kind::Text, read_only;
        AUTHORIZED = "authorized": Kind::Bool, read_only, default("no");
        BYPASSED = "bypassed": Kind::Bool, read_only, default("no");
        UPTIME = "uptime": Kind::Duration, read_only;
        IDLE_TIME = "idle-time": Kind::Duration, read_only;
    }

    /// Which devices come back without logging in again; removing a row makes them log in.
    ip_hotspot_cookie = Menu::new("/ip/hotspot/cookie", Shape::Table, &["print", "remove"]) => {
        USER = "user": Kind::Text, read_only;
        MAC_ADDRESS = "mac-address": Kind::Mac, read_only;
        EXPIRES_IN = "expires-in": Kind::Duration, read_only;
        MAC_COOKIE = "mac-cookie": Kind::Bool, read_only, default("no");
    }

    /// Devices that need no login, or get none.
    ip_hotspot_ip_binding = Menu::new(
        "/ip/hotspot/ip-binding",
        Shape::Ordered,
        &["print", "add", "set", "remove", "enable", "disable", "move"],
    ) => {
        MAC_ADDRESS = "mac-address": Kind::Mac, default("00:00:00:00:00:00");
        ADDRESS = "address": Kind::AddressMatch, default("0.0.0.0");
        TO_ADDRESS = "to-address": Kind::Address, default("0.0.0.0");
        SERVER = "server": SERVERS, default("all");
        TYPE = "type": Kind::Choice(&["blocked", "bypassed", "regular"]), default("regular");
        COMMENT = "comment": Kind::Text, default("");
        DISABLED = "disabled": Kind::Bool, default("no");
        PLACE_BEFORE = "place-before": Kind::Text, add_only;
    }

    /// Which web hosts are open without login.
    ip_hotspot_walled_garden = Menu::new("/ip/hotspot/walled-garden", Shape::Ordered, RULES) => {
        ACTION = "action": Kind::Choice(&["allow", "deny"]), default("allow");
        DST_HOST = "dst-host": MATCH, clearable;
        DST_PORT = "dst-port": MATCH, clearable;
        SERVER = "server": MATCH, clearable;
        COMMENT = "comment": Kind::Text, default("");
        DISABLED = "disabled": Kind::Bool, default("no");
        PLACE_BEFORE = "place-before": Kind::Text, add_only;
        DYNAMIC = "dynamic": Kind::Bool, read_only, default("no");
        HITS = "hits": ANY, read_only, default("0");
    }

    /// Which addresses are open without login.
    ip_hotspot_walled_garden_ip = Menu::new("/ip/hotspot/walled-garden/ip", Shape::Ordered, RULES) => {
        ACTION = "action": Kind::Choice(&["accept", "drop", "reject"]), default("accept");
        DST_ADDRESS = "dst-address": Kind::Negatable(&Kind::AddressMatch), clearable;
        DST_ADDRESS_LIST = "dst-address-list": MATCH, clearable;
        DST_HOST = "dst-host": Kind::Text, default("");
        DST_PORT = "dst-port": Kind::Negatable(&Kind::Set(&Kind::Ports)), clearable;
        PROTOCOL = "protocol": MATCH, clearable;
        SERVER = "server": MATCH, clearable;
        COMMENT = "comment": Kind::Text, default("");
        DISABLED = "disabled": Kind::Bool, default("no");
        PLACE_BEFORE = "place-before": Kind::Text, add_only;
        INVALID = "invalid": Kind::Bool, read_only, default("no");
    }
}
