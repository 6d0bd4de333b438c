//! Export text (`.rsc`): what `/export` prints, read into sections and commands, written again, and compared.
//!
//! Nothing here runs anything. What an export does not hold (`:foreach`, `{ … }`, values that are computed) is left out and named in
//! [`Export::left_out`]; what no router prints is an error with its line and column. The form follows the manual ("Configuration
//! Management", "Console") and exports that people published; no recording holds one.

mod diff;
mod reader;
mod scan;
mod writer;

pub use diff::{Changed, SectionDiff, ValueChange, diff};
use model::RouterosVersion;
pub use reader::read;
pub use writer::Style;

use crate::catalogue;

/// The longest text that is read, in bytes; a router with 10,000 secrets exports 1.5 MB.
pub const BYTES_MAX: usize = 10 << 20;
/// The most commands of one text.
pub const COMMANDS_MAX: usize = 300_000;
/// The most arguments of one text.
pub const VALUES_MAX: usize = 1_000_000;
/// How deep brackets may stand in each other in what is left out.
pub const DEPTH_MAX: usize = 48;
/// How many words a section's path may have.
pub const PATH_MAX: usize = 8;
/// How many places of what was left out are named; the rest is counted.
pub const LEFT_OUT_MAX: usize = 100;

/// What an export says of itself in its first lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// The router's date and time as it wrote them: `2026-01-15 10:00:00`, on 6.49 `jan/15/2026 10:00:00`.
    pub written_at: String,
    /// The version's text: `7.22.3`, `6.49.10`.
    pub version: String,
    /// The software id of the licence.
    pub software_id: String,
    /// The board's model; a virtual router has none.
    pub model: String,
    /// The serial number; a virtual router has none.
    pub serial_number: String,
}

impl Header {
    /// Returns the version, where the header names one.
    #[must_use]
    pub fn routeros(&self) -> Option<RouterosVersion> {
        self.version.parse().ok()
    }
}

/// A configuration as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Export {
    /// The first lines.
    pub header: Header,
    /// The menus in the order of the text; none is empty.
    pub sections: Vec<Section>,
    /// What is no configuration.
    pub left_out: LeftOut,
    /// Menus that the router says it could not export (`#error exporting …`).
    pub faults: Vec<String>,
}

/// What was left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// How many commands.
    pub count: usize,
    /// The first of them: the line and what it is.
    pub places: Vec<(u32, &'static str)>,
}

/// The commands of one menu that stand together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The menu as the API spells it: `/ip/address`.
    pub path: String,
    /// The commands in their order.
    pub commands: Vec<Command>,
}

/// What a command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Adds a row.
    Add,
    /// Changes a row, or a menu that has none.
    Set,
    /// Removes rows.
    Remove,
    /// Takes a property away.
    Unset,
    /// Switches rows on.
    Enable,
    /// Switches rows off.
    Disable,
}

impl Verb {
    const ALL: [Self; 6] = [Self::Add, Self::Set, Self::Remove, Self::Unset, Self::Enable, Self::Disable];

    /// Returns the word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Set => "set",
            Self::Remove => "remove",
            Self::Unset => "unset",
            Self::Enable => "enable",
            Self::Disable => "disable",
        }
    }

    fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.word() == word)
    }
}

/// Which rows a command is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// None: a new row, or a menu that has none.
    Menu,
    /// The rows in which these properties have these values: `[ find default-name=ether1 ]`.
    Find(Vec<(String, Vec<u8>)>),
    /// A row by its name, number or id: `telnet`, `0`, `*1`.
    Row(Vec<u8>),
}

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What it does.
    pub verb: Verb,
    /// To what.
    pub target: Target,
    /// The arguments in their order; one without a value is cleared (`!name`). RouterOS keeps bytes, so values are bytes.
    pub values: Vec<(String, Option<Vec<u8>>)>,
}

impl Command {
    /// Returns an argument's value.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        self.values.iter().find(|(own, _)| own == name).and_then(|(_, value)| value.as_deref())
    }
}

/// Arguments that change by themselves, and so say nothing about who changed the configuration.
const VOLATILE: &[&str] = &["creation-time", "last-logged-in", "last-seen", "last-started", "next-run", "run-count"];

/// Arguments that hold a secret and that the catalogue does not have, as the product never writes them.
const SECRETS: &[&str] = &[
    "authentication-password",
    "auth-key",
    "bgp-password",
    "encryption-password",
    "http-password",
    "ipsec-secret",
    "l2tp-secret",
    "passphrase",
    "pin",
    "pre-shared-key",
    "preshared-key",
    "private-pre-shared-key",
    "security.passphrase",
    "tcp-md5-key",
    "wpa-pre-shared-key",
    "wpa2-pre-shared-key",
];

/// What stands in the place of a secret.
pub const HIDDEN: &str = "***";

impl Export {
    /// Says whether it holds no configuration at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sections.is_empty()
    }

    /// Counts the commands.
    #[must_use]
    pub fn commands(&self) -> usize {
        self.sections.iter().map(|section| section.commands.len()).sum()
    }

    /// Hides the value of every argument that holds a secret, for a router that showed them although it was not asked to. Returns how
    /// many there were.
    pub fn hide_secrets(&mut self) -> usize {
        let mut hidden = 0;
        for (name, value) in
            self.sections.iter_mut().flat_map(|section| &mut section.commands).flat_map(|command| &mut command.values)
        {
            let secret = catalogue::is_secret(name.as_bytes()) || SECRETS.contains(&name.as_str());
            if let Some(value) = value.as_mut().filter(|value| secret && !value.is_empty() && *value != HIDDEN.as_bytes()) {
                HIDDEN.as_bytes().clone_into(value);
                hidden += 1;
            }
        }
        hidden
    }

    /// Leaves out what changes by itself: the date in the header, counters. Two exports of one configuration are equal then.
    #[must_use]
    pub fn comparable(mut self) -> Self {
        self.header.written_at.clear();
        for command in self.sections.iter_mut().flat_map(|section| &mut section.commands) {
            command.values.retain(|(name, _)| !VOLATILE.contains(&name.as_str()));
        }
        self
    }
}

/// Why a text is no export.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {fault}")]
pub struct ReadError {
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1, in bytes.
    pub column: u32,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Too many bytes.
    #[error("the text is longer than {} MB", BYTES_MAX >> 20)]
    TooLong,
    /// Too many commands.
    #[error("there are more than {COMMANDS_MAX} commands")]
    TooManyCommands,
    /// Too many arguments.
    #[error("there are more than {VALUES_MAX} arguments")]
    TooManyValues,
    /// Brackets or paths too deep.
    #[error("brackets stand more than {DEPTH_MAX} deep in each other, or a path has more than {PATH_MAX} words")]
    TooDeep,
    /// A binary backup.
    #[error("this is a binary backup; an export is text, written with /export file=name")]
    Backup,
    /// Bytes that no text has.
    #[error("a byte that no text holds")]
    NotText,
    /// Something else than an export.
    #[error("no RouterOS export: a menu such as /ip address is expected, or a command such as add or set below one")]
    NotAnExport,
    /// The text ends too early.
    #[error("the text ends in the middle of a line, of quotes or of brackets: it was cut off")]
    Truncated,
    /// An escape that does not exist.
    #[error("an escape that RouterOS does not have")]
    Escape,
    /// Something that cannot stand here.
    #[error("a blank is expected behind quotes, and a bracket only where one is open")]
    Unexpected,
}
