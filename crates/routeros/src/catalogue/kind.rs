//! What values an argument takes.

/// What values an argument takes, and with it which texts mean the same; see [`Kind::canonical`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text, compared as it is.
    Text,
    /// `yes` or `no`; routers show `true` and `false`.
    Bool,
    /// A whole number.
    Number {
        /// The smallest value.
        min: u64,
        /// The largest value.
        max: u64,
    },
    /// A time span: `1w2d3h4m5s`, `1d00:00:00`, `86400`.
    Duration,
    /// A speed in bits per second: `10M`, `10000000`.
    Rate,
    /// A volume in bytes: `1G`, `1073741824`.
    Size,
    /// Two values of a kind, `a/b`; one alone means both.
    Pair(&'static Kind),
    /// A PPP or hotspot profile's `rx/tx burst threshold time priority minimum`.
    RateLimit,
    /// An IP address.
    Address,
    /// An address block; a bare address is a block of one, and bits behind the prefix are cut.
    Prefix,
    /// An address of an interface with its prefix; the bits behind the prefix are the host's own.
    InterfaceAddress,
    /// `a-b`, `a/n` or `a` of IPv4, to take addresses from; the canonical text of a block is its range.
    AddressRange,
    /// The same, to compare addresses with; the canonical text of a block is the block.
    AddressMatch,
    /// A MAC address.
    Mac,
    /// A port 0–65535 or a range of ports.
    Ports,
    /// One of some words.
    Choice(&'static [&'static str]),
    /// One of some words, or a value of a kind.
    Or(&'static [&'static str], &'static Kind),
    /// A value of the first kind, or else of the second.
    Either(&'static Kind, &'static Kind),
    /// Values with commas between, whose order means something.
    List(&'static Kind),
    /// Values with commas between, in any order.
    Set(&'static Kind),
    /// Words with commas between; a word with `!` before it is as good as absent.
    Flags(&'static [&'static str]),
    /// A value that may carry `!`, which turns its meaning round.
    Negatable(&'static Kind),
    /// The name of a row in one of some menus (by path), or one of some words.
    Reference(&'static [&'static str], &'static [&'static str]),
    /// A WireGuard key.
    Key,
    /// A day: `2026-01-31`, before 7.10 `jan/31/2026`.
    Date,
    /// A time of the day: `23:59:59`.
    TimeOfDay,
}
