//! What is asked of the device, by whom, and what it answers.

use std::collections::BTreeSet;
use std::net::IpAddr;

/// Every policy of RouterOS 7 (manual: User, "Group settings").
pub const POLICIES: &[&str] = &[
    "local",
    "telnet",
    "ssh",
    "ftp",
    "reboot",
    "read",
    "write",
    "policy",
    "test",
    "winbox",
    "password",
    "web",
    "sniff",
    "sensitive",
    "api",
    "romon",
    "rest-api",
];

/// Who is asking.
#[derive(Debug, Clone)]
pub struct Session {
    /// The account's name.
    pub user: String,
    /// What it may do.
    pub policy: BTreeSet<&'static str>,
    /// Where it comes from; nothing for the console and the scheduler.
    pub source: Option<IpAddr>,
    /// By which door: `api`, `console`, `scheduler`, `ssh`.
    pub via: &'static str,
}

impl Session {
    /// Makes a session that may do everything, as the console's user `admin`.
    #[must_use]
    pub fn console() -> Self {
        Self { user: "admin".to_owned(), policy: POLICIES.iter().copied().collect(), source: None, via: "console" }
    }

    /// Says whether a policy is granted.
    #[must_use]
    pub fn may(&self, policy: &str) -> bool {
        self.policy.contains(policy)
    }
}

/// One command.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The menu: `/ppp/secret`, or the command's own path where it is one: `/tool/fetch`.
    pub path: String,
    /// The command: `print`, `add`; empty where the path itself is the command.
    pub command: String,
    /// Arguments in order; an argument that is cleared is written `!name`.
    pub args: Vec<(String, String)>,
    /// Query words without their `?`.
    pub queries: Vec<String>,
    /// What to show; everything when nothing is said.
    pub proplist: Option<Vec<String>>,
}

impl Request {
    /// Splits the first word of an API sentence, such as `/ppp/secret/add`, into menu and command.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        let (path, command) = word.rsplit_once('/').unwrap_or(("", word));
        Self::new(path, command)
    }

    /// Makes a request; a command that is a path of its own (`/tool` + `fetch`) is recognised.
    #[must_use]
    pub fn new(path: &str, command: &str) -> Self {
        let path = path.trim_end_matches('/');
        let joined = format!("{path}/{command}");
        let whole = routeros::catalogue::menu(&joined).is_some_and(|menu| menu.shape == routeros::catalogue::Shape::Command);
        let (path, command) = if whole { (joined, String::new()) } else { (path.to_owned(), command.to_owned()) };
        Self { path, command, ..Self::default() }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, name: &str, value: &str) -> Self {
        self.args.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a query word, written without its `?`.
    #[must_use]
    pub fn query(mut self, word: &str) -> Self {
        self.queries.push(word.to_owned());
        self
    }

    /// Returns an argument's value.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.args.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A row as it is shown: names and values in RouterOS's order.
pub type Shown = Vec<(String, String)>;

/// A command's answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// Rows of a print.
    pub rows: Vec<Shown>,
    /// What `=ret=` carries: the new id of an add.
    pub ret: Option<String>,
}

impl Output {
    /// Answers with a value.
    #[must_use]
    pub fn ret(value: impl Into<String>) -> Self {
        Self { rows: Vec::new(), ret: Some(value.into()) }
    }
}

/// A refusal, worded as RouterOS words it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Trap {
    /// The API's category: 0 missing item or command, 1 argument value, 2 interrupted, 3 scripting, 4 general.
    pub category: Option<u8>,
    /// The text.
    pub message: String,
}

impl Trap {
    /// Refuses with a text and no category, as most RouterOS failures do.
    #[must_use]
    pub fn failure(message: impl Into<String>) -> Self {
        Self { category: None, message: message.into() }
    }

    /// Refuses with a category.
    #[must_use]
    pub fn of(category: u8, message: impl Into<String>) -> Self {
        Self { category: Some(category), message: message.into() }
    }

    /// The item is not there.
    #[must_use]
    pub fn no_such_item() -> Self {
        Self::of(0, "no such item")
    }

    /// The session's group lacks the policy.
    #[must_use]
    pub fn not_enough_permissions() -> Self {
        Self::failure("not enough permissions (9)")
    }

    /// The device-mode forbids it.
    #[must_use]
    pub fn device_mode() -> Self {
        Self::failure("failure: not allowed by device-mode")
    }
}
