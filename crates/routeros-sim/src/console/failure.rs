//! Why a script stopped before its end.

use std::fmt;

/// A place in a script; lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The text is not a script, names what the device does not have, or uses what the simulator does not know; nothing of it
    /// was run.
    Syntax,
    /// A command failed; what stood before it was run.
    Runtime,
    /// The script took more than the simulator gives; `on-error` does not catch it.
    Limit,
}

/// Why a script stopped before its end, printed as RouterOS prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// The text, such as `expected end of command` or `no such item`.
    pub message: String,
    /// Where in the text it happened; for a command, where the command begins.
    pub at: Position,
}

impl Failure {
    pub(super) fn syntax(at: Position, message: impl Into<String>) -> Self {
        Self { kind: FailureKind::Syntax, message: message.into(), at }
    }

    pub(super) fn limit(at: Position, what: &str) -> Self {
        Self { kind: FailureKind::Limit, message: format!("limit of the simulator: {what}"), at }
    }
}

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            FailureKind::Syntax => write!(f, "{} (line {} column {})", self.message, self.at.line, self.at.column),
            FailureKind::Runtime | FailureKind::Limit => f.write_str(&self.message),
        }
    }
}
