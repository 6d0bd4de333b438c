//! What is kept of an export, and how a difference reads. Pure.

use routeros::rsc::{self, Changed, ReadError, SectionDiff, Style};
use serde::Serialize;
use utoipa::ToSchema;

/// An export as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The text; as the router wrote it, unless it held secrets.
    pub text: Vec<u8>,
    /// The text without what changes by itself, by which two are compared.
    pub comparable: String,
    /// The version that the text names.
    pub version: String,
    /// How many commands it holds.
    pub commands: usize,
    /// How many commands are no configuration.
    pub left_out: usize,
    /// How many menus the router could not export.
    pub faults: usize,
    /// How many secrets were hidden that the router should not have shown.
    pub hidden: usize,
}

/// Why a text is not kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is no export, or was cut off.
    #[error("the router's export cannot be read: {0}")]
    Unreadable(#[from] ReadError),
    /// It holds nothing.
    #[error("the router's export is empty")]
    Empty,
}

/// The longest version that is kept, in characters.
const VERSION_MAX: usize = 50;

/// Reads an export and makes of it what is kept.
///
/// # Errors
/// When it is none, was cut off, or holds no configuration.
pub fn read(text: &[u8]) -> Result<Taken, Fault> {
    let mut export = rsc::read(text)?;
    if export.is_empty() {
        return Err(Fault::Empty);
    }
    let hidden = export.hide_secrets();
    // What is left out of the text stays in it as long as there is nothing to hide.
    let text = if hidden == 0 { text.to_vec() } else { export.write(Style::Sections).into_bytes() };
    Ok(Taken {
        text,
        version: export.header.version.chars().take(VERSION_MAX).collect(),
        commands: export.commands(),
        left_out: export.left_out.count,
        faults: export.faults.len(),
        hidden,
        comparable: export.comparable().write(Style::Terse),
    })
}

/// What differs in one menu.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SectionDiffView {
    /// The menu: `/ip/address`.
    pub menu: String,
    /// Commands that only the later one has.
    pub added: Vec<String>,
    /// Commands that only the earlier one has.
    pub removed: Vec<String>,
    /// Rows that both have, with other values.
    pub changed: Vec<RowDiffView>,
    /// Whether rows stand in another order, where the order means something.
    pub moved: bool,
}

/// A row with other values than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RowDiffView {
    /// Which row.
    pub row: String,
    /// What differs.
    pub values: Vec<ValueDiffView>,
}

/// A value that differs; nothing where it stands at its default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ValueDiffView {
    /// The argument.
    pub name: String,
    /// What it was.
    pub before: Option<String>,
    /// What it is.
    pub after: Option<String>,
}

impl From<SectionDiff> for SectionDiffView {
    fn from(section: SectionDiff) -> Self {
        let changed = section.changed.into_iter().map(|Changed { row, values }| RowDiffView {
            row,
            values: values
                .into_iter()
                .map(|value| ValueDiffView { name: value.name, before: value.before, after: value.after })
                .collect(),
        });
        Self {
            menu: section.path,
            added: section.added,
            removed: section.removed,
            changed: changed.collect(),
            moved: section.moved,
        }
    }
}

/// Compares two texts that were kept.
pub(super) fn compare(before: &[u8], after: &[u8]) -> Result<Vec<SectionDiffView>, Fault> {
    let (before, after) = (rsc::read(before)?.comparable(), rsc::read(after)?.comparable());
    Ok(rsc::diff(&before, &after).into_iter().map(SectionDiffView::from).collect())
}

/// Writes a difference for people: a line for each menu and each row.
pub(super) fn readable(sections: &[SectionDiffView]) -> String {
    let mut out = String::new();
    for section in sections {
        out.push_str(&section.menu);
        out.push_str(if section.moved { " (in another order)\n" } else { "\n" });
        out.extend(section.removed.iter().map(|line| format!("  - {line}\n")));
        out.extend(section.added.iter().map(|line| format!("  + {line}\n")));
        for RowDiffView { row, values } in &section.changed {
            let values: Vec<String> = values.iter().map(change).collect();
            out.push_str(&format!("  ~ {row}: {}\n", values.join(", ")));
        }
    }
    if out.is_empty() { "nothing differs\n".to_owned() } else { out }
}

fn change(value: &ValueDiffView) -> String {
    let shown = |side: &Option<String>| side.clone().unwrap_or_else(|| "(default)".to_owned());
    format!("{} {} -> {}", value.name, shown(&value.before), shown(&value.after))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "# 2026-01-15 10:00:00 by RouterOS 7.22.3\n/ip pool\nadd name=homes ranges=10.5.0.2-10.5.0.9\n/ip dns\nset servers=1.1.1.1\n";

    #[test]
    fn the_date_alone_makes_no_difference() {
        let later = FIRST.replace("01-15 10:00", "01-16 03:07");
        let (first, second) = (read(FIRST.as_bytes()).expect("an export"), read(later.as_bytes()).expect("an export"));
        assert_eq!(first.comparable, second.comparable);
        assert_ne!(first.text, second.text);
        let upgraded = FIRST.replace("7.22.3", "7.22.4");
        assert_ne!(read(upgraded.as_bytes()).expect("an export").comparable, first.comparable, "an upgrade is a difference");
        assert_eq!((first.version.as_str(), first.commands, first.hidden), ("7.22.3", 2, 0));
    }

    #[test]
    fn what_is_empty_cut_off_or_none_is_not_kept() {
        assert_eq!(read(b""), Err(Fault::Empty));
        assert_eq!(read(b"# 2026-01-15 10:00:00 by RouterOS 7.22.3\n"), Err(Fault::Empty));
        for cut in ["/ip pool\nadd name=homes ran", "/ip pool\nadd comment=\"op\n", "Login failed\n"] {
            assert!(matches!(read(cut.as_bytes()), Err(Fault::Unreadable(_))), "{cut}");
        }
    }

    #[test]
    fn a_secret_that_a_router_shows_is_not_kept() {
        let taken = read(b"/ppp secret\nadd name=asha password=hunter2\n").expect("an export");
        assert_eq!(taken.hidden, 1);
        assert_eq!(String::from_utf8_lossy(&taken.text), "/ppp secret\nadd name=asha password=***\n");
        assert!(!taken.comparable.contains("hunter2"));
    }

    #[test]
    fn a_difference_reads_like_this() {
        let second = FIRST
            .replace("10.5.0.9\n", "10.5.0.200\nadd name=guests ranges=10.6.0.2-10.6.0.9\n")
            .replace("/ip dns\nset servers=1.1.1.1\n", "/ip firewall filter\nadd action=drop chain=input\n");
        let sections = compare(FIRST.as_bytes(), second.as_bytes()).expect("two exports");
        let text = "/ip/pool\n  + add name=guests ranges=10.6.0.2-10.6.0.9\n  ~ add name=homes: ranges 10.5.0.2-10.5.0.9 -> 10.5.0.2-10.5.0.200\n\
                    /ip/firewall/filter\n  + add action=drop chain=input\n/ip/dns\n  - set servers=1.1.1.1\n";
        assert_eq!(readable(&sections), text);
        assert_eq!(readable(&compare(FIRST.as_bytes(), FIRST.as_bytes()).expect("two exports")), "nothing differs\n");
    }
}
