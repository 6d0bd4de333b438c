//! What an operator has to know, in plain words.

use serde::Serialize;
use std::fmt;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is written to the router until it is gone.
    Blocker,
    /// Something will not work as expected.
    Warning,
    /// Good to know.
    Info,
}

/// Something an operator has to know about a router, with the command that mends it where there is one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// What kind of finding, stable, such as `device-mode-hotspot`.
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What is the matter, a sentence or two.
    pub text: String,
    /// What to type into the router's terminal.
    pub command: Option<String>,
}

impl Finding {
    pub(crate) fn new(severity: Severity, code: &'static str, text: impl Into<String>) -> Self {
        Self { code, severity, text: text.into(), command: None }
    }

    pub(crate) fn command(mut self, command: impl Into<String>) -> Self {
        self.command = Some(command.into());
        self
    }
}

impl fmt::Display for Finding {
    /// Writes one line, the command behind the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Blocker => "blocker",
            Severity::Warning => "warning",
            Severity::Info => "info",
        };
        write!(f, "{severity} {}: {}", self.code, self.text)?;
        self.command.as_ref().map_or(Ok(()), |command| write!(f, " Run: {command}"))
    }
}
