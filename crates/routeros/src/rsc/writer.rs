//! Writes an export.

use super::{Command, Export, Section, Target};
use std::fmt::Write as _;

/// How long a line gets before it goes on in the next one.
const WIDTH: usize = 79;

/// How an export is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A line for the menu, then its commands, long ones over several lines.
    Sections,
    /// Each command on a line of its own with its menu before it (`/export terse`).
    Terse,
}

impl Export {
    /// Writes it as a router would; reading that again gives the same, without what was left out.
    #[must_use]
    pub fn write(&self, style: Style) -> String {
        let mut out = self.header();
        for section in &self.sections {
            section.write(style, &mut out);
        }
        out
    }

    fn header(&self) -> String {
        let header = &self.header;
        let mut out = String::new();
        let mut line = |text: std::fmt::Arguments<'_>| {
            let _: std::fmt::Result = writeln!(out, "# {text}");
        };
        match (header.written_at.as_str(), header.version.as_str()) {
            (_, "") => {}
            ("", version) => line(format_args!("by RouterOS {version}")),
            (at, version) => line(format_args!("{at} by RouterOS {version}")),
        }
        let rest = [("software id", &header.software_id), ("model", &header.model), ("serial number", &header.serial_number)];
        for (name, value) in rest.into_iter().filter(|(_, value)| !value.is_empty()) {
            line(format_args!("{name} = {value}"));
        }
        out
    }
}

impl Section {
    fn write(&self, style: Style, out: &mut String) {
        let path = format!("/{}", self.path.trim_start_matches('/').replace('/', " "));
        if style == Style::Sections {
            out.push_str(&path);
            out.push('\n');
        }
        for command in &self.commands {
            match style {
                Style::Sections => wrap(&command.words(), out),
                Style::Terse => {
                    let _: std::fmt::Result = write!(out, "{path} {command}");
                }
            }
            out.push('\n');
        }
    }
}

/// Puts words on lines; RouterOS breaks inside of values too, which reads the same.
fn wrap(words: &[String], out: &mut String) {
    let mut width = 0;
    for word in words {
        if width > 0 && width + 1 + word.len() > WIDTH - 2 {
            out.push_str(" \\\n    ");
            width = 4;
        } else if width > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += word.len();
    }
}

impl Command {
    fn words(&self) -> Vec<String> {
        let mut words = vec![self.verb.word().to_owned()];
        words.extend(self.target.text());
        words.extend(self.values.iter().map(|(name, value)| match value {
            Some(value) => format!("{name}={}", quoted(value)),
            None => format!("!{name}"),
        }));
        words
    }
}

impl Target {
    /// Writes which rows are meant; nothing where it is the menu.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Menu => None,
            Self::Find(wanted) => {
                let pairs: String = wanted.iter().map(|(name, value)| format!(" {name}={}", quoted(value))).collect();
                Some(format!("[ find{pairs} ]"))
            }
            // `!name` clears, so a row of that name stands in quotes.
            Self::Row(name)
                if name.starts_with(b"!") || name.iter().any(|byte| !super::scan::in_name(*byte) && *byte != b'*') =>
            {
                Some(format!("\"{}\"", escaped(name)))
            }
            Self::Row(name) => Some(quoted(name)),
        }
    }
}

impl std::fmt::Display for Command {
    /// Writes it on one line.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.words().join(" "))
    }
}

/// Writes a value, in quotes where it needs them.
pub(super) fn quoted(value: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./:,*+@%!".contains(byte);
    if !value.is_empty() && value.iter().all(plain) {
        return value.iter().map(|byte| char::from(*byte)).collect();
    }
    format!("\"{}\"", escaped(value))
}

fn escaped(value: &[u8]) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value {
        match byte {
            b'"' | b'\\' | b'$' | b'?' => {
                out.push('\\');
                out.push(char::from(*byte));
            }
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b' '..=b'~' => out.push(char::from(*byte)),
            other => {
                let _: std::fmt::Result = write!(out, "\\{other:02X}");
            }
        }
    }
    out
}
