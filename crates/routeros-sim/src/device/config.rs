//! Which router this is: version, board, serial number, device-mode, clock.

use jiff::Timestamp;
use model::RouterosVersion;
use std::str::FromStr;

/// A model of router, with what `/system/resource` and `/system/routerboard` say of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Board {
    /// What `board-name` shows, and what the board is called here.
    pub name: &'static str,
    /// What `/system/routerboard` calls the model; empty for a virtual machine, which has no such menu.
    pub model: &'static str,
    /// The processor architecture as the package files are named after.
    pub architecture: &'static str,
    /// What `cpu` shows.
    pub cpu: &'static str,
    /// Number of processors.
    pub cpu_count: u8,
    /// Memory in MiB.
    pub memory: u64,
    /// Flash in MiB.
    pub flash: u64,
    /// Ethernet ports by name, the uplink first.
    pub ports: &'static [&'static str],
    /// Wireless interfaces by name.
    pub wireless: &'static [&'static str],
    /// The device-mode it leaves the factory with (from RouterOS 7.17).
    pub mode: Mode,
    /// Whether it comes with the default configuration of a home router.
    pub default_configuration: bool,
}

const FIVE_PORTS: &[&str] = &["ether1", "ether2", "ether3", "ether4", "ether5"];

/// Every board that can be simulated.
pub const BOARDS: &[Board] = &[
    Board {
        name: "hEX S",
        model: "RB760iGS",
        architecture: "mmips",
        cpu: "MIPS 1004Kc V2.15",
        cpu_count: 4,
        memory: 256,
        flash: 16,
        ports: &["ether1", "ether2", "ether3", "ether4", "ether5", "sfp1"],
        wireless: &[],
        mode: Mode::Home,
        default_configuration: true,
    },
    Board {
        name: "hAP ax2",
        model: "C52iG-5HaxD2HaxD",
        architecture: "arm64",
        cpu: "ARM64",
        cpu_count: 4,
        memory: 1024,
        flash: 128,
        ports: FIVE_PORTS,
        wireless: &["wifi1", "wifi2"],
        mode: Mode::Home,
        default_configuration: true,
    },
    Board {
        name: "hAP lite",
        model: "RB941-2nD",
        architecture: "smips",
        cpu: "MIPS 24Kc V7.4",
        cpu_count: 1,
        memory: 32,
        flash: 16,
        ports: &["ether1", "ether2", "ether3", "ether4"],
        wireless: &["wlan1"],
        mode: Mode::Home,
        default_configuration: true,
    },
    Board {
        name: "RB5009UG+S+",
        model: "RB5009UG+S+",
        architecture: "arm64",
        cpu: "ARM64",
        cpu_count: 4,
        memory: 1024,
        flash: 1024,
        ports: &["ether1", "ether2", "ether3", "ether4", "ether5", "ether6", "ether7", "ether8", "sfp-sfpplus1"],
        wireless: &[],
        mode: Mode::Advanced,
        default_configuration: true,
    },
    Board {
        name: "CHR",
        model: "",
        architecture: "x86_64",
        cpu: "QEMU",
        cpu_count: 2,
        memory: 1024,
        flash: 128,
        ports: &["ether1", "ether2", "ether3", "ether4"],
        wireless: &[],
        mode: Mode::Advanced,
        default_configuration: false,
    },
];

/// Why a text names no board.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such board; known are hEX S, hAP ax2, hAP lite, RB5009UG+S+ and CHR")]
pub struct UnknownBoard;

impl Board {
    /// Finds a board by its name or model, whatever the case; `RB5009` and `hexs` will do.
    ///
    /// # Errors
    /// When no board begins like that.
    pub fn find(name: &str) -> Result<&'static Self, UnknownBoard> {
        let plain = |text: &str| text.to_ascii_lowercase().replace([' ', '-', '_'], "");
        let wanted = plain(name);
        let exact = BOARDS.iter().find(|board| plain(board.name) == wanted || plain(board.model) == wanted);
        let begins = || BOARDS.iter().find(|board| plain(board.name).starts_with(&wanted));
        exact.or_else(begins).filter(|_| !wanted.is_empty()).ok_or(UnknownBoard)
    }

    /// Says whether this is a virtual machine.
    #[must_use]
    pub const fn is_virtual(&self) -> bool {
        self.model.is_empty()
    }
}

/// What the device-mode allows (RouterOS manual "Device-mode", as of 7.17).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything but container, traffic generator, partitions, other versions.
    Advanced,
    /// Home routers: among others no fetch, scheduler and hotspot.
    Home,
    /// Small routers: among others no hotspot.
    Basic,
    /// Advanced, and containers.
    Rose,
}

/// Every feature that a device-mode may forbid.
pub const FEATURES: &[&str] = &[
    "scheduler",
    "socks",
    "fetch",
    "pptp",
    "l2tp",
    "bandwidth-test",
    "traffic-gen",
    "sniffer",
    "ipsec",
    "romon",
    "proxy",
    "hotspot",
    "smb",
    "email",
    "zerotier",
    "container",
    "install-any-version",
    "partitions",
    "routerboard",
];

impl Mode {
    /// Returns the word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Advanced => "advanced",
            Self::Home => "home",
            Self::Basic => "basic",
            Self::Rose => "rose",
        }
    }

    /// Says whether it allows a feature.
    #[must_use]
    pub fn allows(self, feature: &str) -> bool {
        let forbidden: &[&str] = match self {
            Self::Rose => &["traffic-gen", "install-any-version", "partitions", "routerboard"],
            Self::Advanced => &["traffic-gen", "container", "install-any-version", "partitions", "routerboard"],
            Self::Basic => &[
                "socks",
                "bandwidth-test",
                "traffic-gen",
                "proxy",
                "hotspot",
                "zerotier",
                "container",
                "install-any-version",
                "partitions",
                "routerboard",
            ],
            Self::Home => &[
                "scheduler",
                "socks",
                "fetch",
                "bandwidth-test",
                "traffic-gen",
                "sniffer",
                "romon",
                "proxy",
                "hotspot",
                "email",
                "zerotier",
                "container",
                "install-any-version",
                "partitions",
                "routerboard",
            ],
        };
        !forbidden.contains(&feature)
    }
}

/// Why a text names no device-mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such device-mode; known are home, basic, advanced and rose")]
pub struct UnknownMode;

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        [Self::Advanced, Self::Home, Self::Basic, Self::Rose].into_iter().find(|mode| mode.word() == text).ok_or(UnknownMode)
    }
}

/// Which router to be.
#[derive(Debug, Clone)]
pub struct Config {
    /// The RouterOS version; menus and arguments it does not have are refused.
    pub version: RouterosVersion,
    /// The model.
    pub board: &'static Board,
    /// The serial number, or a virtual machine's system-id.
    pub serial: String,
    /// The device-mode.
    pub mode: Mode,
    /// `/system/identity`.
    pub identity: String,
    /// What the router's clock shows when it starts; nothing for the right time.
    pub clock: Option<Timestamp>,
    /// Whether the uplink works, so that NTP finds a server.
    pub internet: bool,
    /// Makes keys, shuffles and counters repeatable.
    pub seed: u64,
}

impl Config {
    /// Describes a router of a board as it leaves the factory, with a serial number made from the seed.
    #[must_use]
    pub fn new(board: &'static Board, version: RouterosVersion, seed: u64) -> Self {
        let mut random = super::random::Random::new(seed);
        let serial = format!("H{:010X}", random.below(1 << 40));
        let clock = None;
        Self { version, board, serial, mode: board.mode, identity: "MikroTik".to_owned(), clock, internet: true, seed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boards_are_found() {
        for (text, name) in
            [("hex s", "hEX S"), ("RB5009", "RB5009UG+S+"), ("chr", "CHR"), ("hAP ax2", "hAP ax2"), ("RB941-2nD", "hAP lite")]
        {
            assert_eq!(Board::find(text).map(|board| board.name), Ok(name), "{text}");
        }
        assert!(Board::find("").is_err() && Board::find("CRS").is_err());
    }

    #[test]
    fn home_mode_forbids_what_the_road_needs() {
        for feature in ["fetch", "scheduler", "hotspot"] {
            assert!(!Mode::Home.allows(feature) && Mode::Advanced.allows(feature));
        }
        assert!(!Mode::Basic.allows("hotspot") && Mode::Basic.allows("fetch") && Mode::Basic.allows("scheduler"));
        assert_eq!("home".parse(), Ok(Mode::Home));
    }
}
