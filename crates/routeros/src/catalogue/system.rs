//! The router itself: identity, clock, accounts, files, log.

use super::{Arg, Kind, Menu, ROWS, ROWS_ENABLE, Shape, define};

const POLICIES: Kind = Kind::Flags(&[
    "api",
    "ftp",
    "local",
    "password",
    "policy",
    "read",
    "reboot",
    "rest-api",
    "romon",
    "sensitive",
    "sniff",
    "ssh",
    "telnet",
    "test",
    "web",
    "winbox",
    "write",
]);
const MODES: Kind = Kind::Choice(&["advanced", "basic", "home", "rose"]);
const ANY: Kind = Kind::Number { min: 0, max: u64::MAX };

define! {
    /// The router's name.
    system_identity = Menu::new("/system/identity", Shape::Singleton, &["print", "set"]) => {
        NAME = "name": Kind::Text, default("MikroTik");
    }

    /// Version, board, memory, load.
    system_resource = Menu::new("/system/resource", Shape::Singleton, &["print"]) => {
        UPTIME = "uptime": Kind::Duration, read_only;
        VERSION = "version": Kind::Text, read_only;
        BUILD_TIME = "build-time": Kind::Text, read_only;
        ARCHITECTURE_NAME = "architecture-name": Kind::Text, read_only;
        BOARD_NAME = "board-name": Kind::Text, read_only;
        PLATFORM = "platform": Kind::Text, read_only;
        CPU = "cpu": Kind::Text, read_only;
        CPU_COUNT = "cpu-count": ANY, read_only;
        CPU_LOAD = "cpu-load": ANY, read_only;
        FREE_MEMORY = "free-memory": ANY, read_only;
        TOTAL_MEMORY = "total-memory": ANY, read_only;
        FREE_HDD_SPACE = "free-hdd-space": ANY, read_only;
        TOTAL_HDD_SPACE = "total-hdd-space": ANY, read_only;
        WRITE_SECT_TOTAL = "write-sect-total": ANY, read_only;
        BAD_BLOCKS = "bad-blocks": Kind::Text, read_only;
    }

    /// Model and serial number of hardware; virtual routers have no such menu, so its arguments are the manual's
    /// (RouterBOARD, "Properties").
    system_routerboard = Menu::new("/system/routerboard", Shape::Singleton, &["print"]).hardware_only() => {
        ROUTERBOARD = "routerboard": Kind::Bool, read_only, default("no");
        MODEL = "model": Kind::Text, read_only;
        SERIAL_NUMBER = "serial-number": Kind::Text, read_only;
        FIRMWARE_TYPE = "firmware-type": Kind::Text, read_only;
        CURRENT_FIRMWARE = "current-firmware": Kind::Text, read_only;
        UPGRADE_FIRMWARE = "upgrade-firmware": Kind::Text, read_only;
    }

    /// The licence; its system id stands for the serial number on virtual routers.
    system_license = Menu::new("/system/license", Shape::Singleton, &["print"]) => {
        SYSTEM_ID = "system-id": Kind::Text, read_only;
        LEVEL = "level": Kind::Text, read_only;
    }

    /// The router's clock.
    system_clock = Menu::new("/system/clock", Shape::Singleton, &["print", "set"]) => {
        TIME = "time": Kind::TimeOfDay;
        DATE = "date": Kind::Date;
        TIME_ZONE_AUTODETECT = "time-zone-autodetect": Kind::Bool, default("yes");
        TIME_ZONE_NAME = "time-zone-name": Kind::Text, default("manual");
        GMT_OFFSET = "gmt-offset": Kind::Text, read_only;
        DST_ACTIVE = "dst-active": Kind::Bool, read_only, default("no");
    }

    /// What the router's owner allows it to do at all; changed only with a button or a power cycle.
    system_device_mode = Menu::new("/system/device-mode", Shape::Singleton, &["print"]) => {
        MODE = "mode": Kind::Text, read_only;
        FETCH = "fetch": Kind::Bool, read_only;
        SCHEDULER = "scheduler": Kind::Bool, read_only;
        HOTSPOT = "hotspot": Kind::Bool, read_only;
        FLAGGED = "flagged": Kind::Bool, read_only;
        ATTEMPT_COUNT = "attempt-count": ANY, read_only;
    }

    /// Asks for another device mode; the router waits for its button.
    system_device_mode_update = Menu::new("/system/device-mode/update", Shape::Command, &[]) => {
        MODE = "mode": MODES;
        FETCH = "fetch": Kind::Bool;
        SCHEDULER = "scheduler": Kind::Bool;
        HOTSPOT = "hotspot": Kind::Bool;
        ACTIVATION_TIMEOUT = "activation-timeout": Kind::Duration;
    }

    /// The installed packages.
    system_package = Menu::new("/system/package", Shape::Table, &["print"]).key(&["name"]) => {
        NAME = "name": Kind::Text, read_only;
        VERSION = "version": Kind::Text, read_only;
        DISABLED = "disabled": Kind::Bool, read_only, default("no");
    }

    /// Where the router gets the time from.
    system_ntp_client = Menu::new("/system/ntp/client", Shape::Singleton, &["print", "set"]) => {
        ENABLED = "enabled": Kind::Bool, default("no");
        MODE = "mode": Kind::Choice(&["broadcast", "manycast", "multicast", "unicast"]), default("unicast");
        SERVERS = "servers": Kind::List(&Kind::Text), default("");
        STATUS = "status": Kind::Text, read_only;
        SYNCED_SERVER = "synced-server": Kind::Text, read_only;
    }

    /// What runs at a time or again and again; without `policy` an entry gets every policy.
    system_scheduler = Menu::new("/system/scheduler", Shape::Table, ROWS_ENABLE).key(&["name"]) => {
        NAME = "name": Kind::Text, required;
        ON_EVENT = "on-event": Kind::Text, default("");
        POLICY = "policy": POLICIES;
        START_DATE = "start-date": Kind::Date;
        START_TIME = "start-time": Kind::Or(&["startup"], &Kind::TimeOfDay);
        INTERVAL = "interval": Kind::Duration, default("0s");
        COMMENT = "comment": Kind::Text, default("");
        DISABLED = "disabled": Kind::Bool, default("no");
        OWNER = "owner": Kind::Text, read_only;
        NEXT_RUN = "next-run": Kind::Text, read_only;
        RUN_COUNT = "run-count": ANY, read_only, default("0");
    }

    /// Restarts the router.
    system_reboot = Menu::new("/system/reboot", Shape::Command, &[]) => {}

    /// The router's own accounts.
    user = Menu::new("/user", Shape::Table, ROWS_ENABLE).key(&["name"]) => {
        NAME = "name": Kind::Text, required;
        PASSWORD = "password": Kind::Text, required, secret;
        GROUP = "group": Kind::Reference(&["/user/group"], &[]), required;
        ADDRESS = "address": Kind::Set(&Kind::Prefix), default("");
        COMMENT = "comment": Kind::Text, default("");
        DISABLED = "disabled": Kind::Bool, default("no");
        LAST_LOGGED_IN = "last-logged-in": Kind::Text, read_only;
        EXPIRED = "expired": Kind::Bool, read_only, default("no");
    }

    /// What the router's accounts may do.
    user_group = Menu::new("/user/group", Shape::Table, ROWS).key(&["name"]) => {
        NAME = "name": Kind::Text, required;
        POLICY = "policy": POLICIES, default("");
        SKIN = "skin": Kind::Text, default("default");
        COMMENT = "comment": Kind::Text, default("");
    }

    /// Who is logged in to the router.
    user_active = Menu::new("/user/active", Shape::Table, &["print"]) => {
        NAME = "name": Kind::Text, read_only;
        ADDRESS = "address": Kind::Text, read_only;
        VIA = "via": Kind::Text, read_only;
        GROUP = "group": Kind::Text, read_only;
        WHEN = "when": Kind::Text, read_only;
    }

    /// The router's log.
    log = Menu::new("/log", Shape::Table, &["print"]) => {
        TIME = "time": Kind::Text, read_only;
        TOPICS = "topics": Kind::List(&Kind::Text), read_only;
        MESSAGE = "message": Kind::Text, read_only;
        BUFFER = "buffer": Kind::Text, read_only;
    }

    /// Writes a line to the log.
    log_info = Menu::new("/log/info", Shape::Command, &[]) => {
        MESSAGE = "message": Kind::Text, required;
    }

    /// Writes a warning to the log.
    log_warning = Menu::new("/log/warning", Shape::Command, &[]) => {
        MESSAGE = "message": Kind::Text, required;
    }

    /// The router's files; contents of up to 60,416 bytes can be written.
    file = Menu::new("/file", Shape::Table, ROWS).key(&["name"]) => {
        NAME = "name": Kind::Text, required, add_only;
        TYPE = "type": Kind::Text, add_only, since(16);
        CONTENTS = "contents": Kind::Text, default("");
        SIZE = "size": Kind::Size, read_only;
    }

    /// Reads a part of a file, of which `print` shows 60 KB at most; the recordings have it from 7.16.2 on. A chunk is 32,768 bytes long
    /// at most (as tikoci/centrs, which runs against virtual routers, has it).
    file_read = Menu::new("/file/read", Shape::Command, &[]).since(16) => {
        FILE = "file": Kind::Text, required;
        OFFSET = "offset": ANY;
        CHUNK_SIZE = "chunk-size": Kind::Number { min: 1, max: 32_768 };
    }

    /// Writes the whole configuration as commands, to the console or to a file, whose name gets `.rsc`. Secrets are hidden from version 7
    /// on unless they are asked for.
    export = Menu::new("/export", Shape::Command, &[]) => {
        FILE = "file": Kind::Text;
        COMPACT = "compact": Kind::Bool;
        TERSE = "terse": Kind::Bool;
        HIDE_SENSITIVE = "hide-sensitive": Kind::Bool;
        SHOW_SENSITIVE = "show-sensitive": Kind::Bool;
    }

    /// Gets a file from a server; the certificate is checked only where this is asked for.
    tool_fetch = Menu::new("/tool/fetch", Shape::Command, &[]) => {
        URL = "url": Kind::Text;
        MODE = "mode": Kind::Choice(&["ftp", "http", "https", "sftp", "tftp"]);
        CHECK_CERTIFICATE = "check-certificate": Kind::Choice(&["no", "yes", "yes-without-crl"]);
        HTTP_METHOD = "http-method": Kind::Choice(&["delete", "get", "head", "patch", "post", "put"]);
        HTTP_HEADER_FIELD = "http-header-field": Kind::Text, secret;
        HTTP_DATA = "http-data": Kind::Text, secret;
        OUTPUT = "output": Kind::Choice(&["file", "none", "user", "user-with-headers"]);
        DST_PATH = "dst-path": Kind::Text;
        KEEP_RESULT = "keep-result": Kind::Bool;
        AS_VALUE = "as-value": Kind::Text;
    }

    /// Runs a file of commands.
    import = Menu::new("/import", Shape::Command, &[]) => {
        FILE_NAME = "file-name": Kind::Text, required;
        FROM_LINE = "from-line": ANY;
        VERBOSE = "verbose": Kind::Choice(&["no", "progress", "yes"]);
        DRY_RUN = "dry-run": Kind::Text, since(16);
    }
}
