//! The undo that a risky change leaves on the router before it is made: a scheduler entry that takes the change back unless the
//! controller, reaching the router over the changed path, removes it first.
//!
//! **The clock is not trusted.** The entry runs at every start of the router and every few seconds from then on
//! (`start-time=startup` with an interval: manual, "Scheduler"), and judges by the uptime alone: it acts once the window has passed since
//! it was armed, or when the router has been up for less long than it was then, which means that it restarted in the middle. So a clock
//! that NTP sets, forward or back, neither fires it early by more than one of its runs nor keeps it from firing.
//! How the phase of the runs behaves at a jump of the clock is an inference, and this is why it does not matter.
//!
//! **What it writes.** Rows are found by their mark wherever they have one, each step stands alone (`:do {} on-error={}`) and may be
//! repeated, variables carry a prefix, the policy is named, and the last step removes the entry itself.
//! That rows without a mark keep their id across a restart is an inference.

use crate::changeset::{Action, Change, Undo};
use crate::menus::DYNAMIC;
use crate::object::{Risk, Value, Values};
use crate::observed::{Observed, Row};
use crate::recipes::COMMENT;
use jiff::SignedDuration;
use model::Tag;
use routeros::catalogue::{Access, Menu, Shape};
use routeros::catalogue::{ID, log_warning, system_resource, system_scheduler as scheduler};
use std::fmt::Write as _;

/// The name of the entry on the router.
pub const NAME: &str = "mw-undo";

/// How often the entry looks whether its time has come; its undo begins so much after the window at the latest.
pub const LOOKS_EVERY: SignedDuration = SignedDuration::from_secs(10);

/// What the entry may do: without this RouterOS gives it every right there is. A script that reads the uptime and writes rows needs no more.
const POLICY: &str = "read,write";

/// The longest script, in bytes: far below what one API word carries, and far above what a handful of rules needs.
const SCRIPT_MAX: usize = 30_000;

/// How long the controller has to confirm a change, from 20 s to 10 min.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window(SignedDuration);

impl Window {
    /// A minute: time for a slow link to be dialled again, and short enough to be waited for.
    pub const DEFAULT: Self = Self(SignedDuration::from_secs(60));

    /// Takes a window; `None` for one that is shorter than 20 s or longer than 10 min.
    #[must_use]
    pub fn new(length: SignedDuration) -> Option<Self> {
        (20..=600).contains(&length.as_secs()).then(|| Self(SignedDuration::from_secs(length.as_secs())))
    }

    /// Returns its length, in whole seconds.
    #[must_use]
    pub const fn length(self) -> SignedDuration {
        self.0
    }
}

/// Why a change cannot be undone by the router itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unguardable {
    /// The row has neither a mark nor an id to be found by.
    #[error("`{0}` makes a row that nothing tells apart")]
    Nameless(String),
    /// The former value is a secret, which must not stand in a script.
    #[error("taking `{0}` back needs a secret, which must not stand in a script")]
    Secret(String),
    /// The former value is no text that a script can carry.
    #[error("a former value of `{0}` cannot be written in a script")]
    Text(String),
    /// Too much changes at once.
    #[error("the undo of {0} changes is too long for a script")]
    TooLong(usize),
}

/// A part of a change set that is applied in one go.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// The changes, in order.
    pub changes: &'a [Change],
    /// Whether one of them may cut the controller's path.
    pub risky: bool,
}

/// Cuts changes into what may cut the path and what may not, in order. One menu's changes stay together.
pub fn parts(changes: &[Change]) -> impl Iterator<Item = Part<'_>> {
    changes
        .chunk_by(|a, b| a.menu.path == b.menu.path)
        .map(|changes| Part { changes, risky: changes.iter().any(|change| change.risk == Risk::Path) })
}

/// Makes the change that arms the undo of all risky ones among `changes`; `observed` is what the router holds before them, and `uptime`
/// what it was just seen to have.
///
/// # Errors
/// When one of them cannot be taken back by a script.
pub fn arm(
    changes: &[Change],
    observed: &Observed,
    mark: Tag,
    uptime: SignedDuration,
    window: Window,
) -> Result<Change, Unguardable> {
    let risky: Vec<&Change> = changes.iter().filter(|change| change.risk == Risk::Path).collect();
    let mut undo = Vec::new();
    for change in risky.iter().rev() {
        undo.append(&mut steps(change)?);
    }
    undo.append(&mut places(&risky, observed)?);
    let script = script(&undo, mark, uptime, window);
    if script.len() > SCRIPT_MAX {
        return Err(Unguardable::TooLong(changes.len()));
    }
    let every = format!("{}s", LOOKS_EVERY.as_secs());
    let values = [
        (scheduler::NAME, NAME),
        (scheduler::START_TIME, "startup"),
        (scheduler::INTERVAL, &every),
        (scheduler::POLICY, POLICY),
        (scheduler::ON_EVENT, &script),
        (scheduler::COMMENT, &mark.to_string()),
    ];
    let values = values.into_iter().map(|(name, text)| (name, Value::Plain(text.to_owned()))).collect();
    let reason = format!("takes the change back unless it is confirmed within {} s", window.length().as_secs());
    Ok(own(Action::Add { before: None }, None, values, reason))
}

/// Makes the change that disarms an undo, given its row's id.
#[must_use]
pub fn disarm(id: &str) -> Change {
    own(Action::Remove, Some(id.to_owned()), Values::new(), "the change is confirmed over the changed path".to_owned())
}

fn own(action: Action, id: Option<String>, values: Values, reason: String) -> Change {
    Change {
        stage: 0,
        menu: &scheduler::MENU,
        action,
        id,
        key: None,
        tag: None,
        label: NAME.to_owned(),
        values,
        before: Values::new(),
        stood_before: None,
        reason,
        risk: Risk::Safe,
    }
}

/// Finds an armed undo among what a router holds. One of that name without our mark is somebody else's.
#[must_use]
pub fn armed(observed: &Observed) -> Option<&Row> {
    let rows = observed.rows(&scheduler::MENU).iter();
    rows.into_iter().find(|row| row.text(scheduler::NAME) == NAME && row.text(COMMENT).parse::<Tag>().is_ok())
}

/// Writes what the entry runs.
fn script(undo: &[String], mark: Tag, uptime: SignedDuration, window: Window) -> String {
    let (armed, over) = (uptime.as_secs(), uptime.as_secs().saturating_add(window.length().as_secs()));
    let up = format!("[{}/get value-name={}]", system_resource::MENU.path, system_resource::UPTIME);
    let mut script = format!(":local mwUp {up}\n:if (($mwUp < {armed}s) || ($mwUp >= {over}s)) do={{\n");
    let told = "mastwire: a change was not confirmed in time and is taken back";
    let last = [
        format!("{} {}=\"{told}\"", log_warning::MENU.path, log_warning::MESSAGE),
        format!("{}/remove [find {COMMENT}=\"{mark}\"]", scheduler::MENU.path),
    ];
    for step in undo.iter().chain(&last) {
        writeln!(script, ":do {{ {step} }} on-error={{}}").expect("a String takes everything");
    }
    script.push('}');
    script
}

/// Puts the rows of ordered menus that were moved, or removed and are added again, to where they stood: from the last to the first, each
/// before the row that followed it, which has its place by then. Rows that did not move keep their order among themselves.
fn places(risky: &[&Change], observed: &Observed) -> Result<Vec<String>, Unguardable> {
    let moved =
        |change: &&&Change| change.menu.shape == Shape::Ordered && matches!(change.action, Action::Move { .. } | Action::Remove);
    let mut steps = Vec::new();
    for (menu, moved) in by_menu(risky.iter().filter(moved).copied()) {
        // The router's own rows are no place to stand before.
        let rows: Vec<&Row> = observed.rows(menu).iter().filter(|row| !row.flag(DYNAMIC)).collect();
        for (at, row) in rows.iter().enumerate().rev() {
            let Some(change) = moved.iter().find(|change| change.id.as_deref() == Some(&row.id)) else { continue };
            let named = if change.action == Action::Remove { marked(change)? } else { by_mark(row) };
            let to = rows.get(at + 1).map(|next| format!(" destination={}", by_mark(next))).unwrap_or_default();
            steps.push(format!("{}/move {named}{to}", menu.path));
        }
    }
    Ok(steps)
}

fn by_menu<'a>(changes: impl Iterator<Item = &'a Change>) -> Vec<(&'static Menu, Vec<&'a Change>)> {
    let mut menus: Vec<(&'static Menu, Vec<&Change>)> = Vec::new();
    for change in changes {
        match menus.iter_mut().find(|(menu, _)| menu.path == change.menu.path) {
            Some((_, changes)) => changes.push(change),
            None => menus.push((change.menu, vec![change])),
        }
    }
    menus
}

/// Names a row of the menu at hand: by its mark, which outlives a removal, where it has one.
fn by_mark(row: &Row) -> String {
    row.text(COMMENT).parse::<Tag>().map_or_else(|_| row.id.clone(), |tag| format!("[find {COMMENT}=\"{tag}\"]"))
}

/// Writes the commands that take one change back.
fn steps(change: &Change) -> Result<Vec<String>, Unguardable> {
    let path = change.menu.path;
    Ok(match change.undo() {
        Undo::Remove => vec![format!("{path}/remove {}", marked(change)?)],
        // Places come last, when every row is there.
        Undo::Move(_) | Undo::Nothing => Vec::new(),
        Undo::Set(values) => {
            let row = row_of(change)?;
            let mut set = String::new();
            let mut steps = Vec::new();
            for (name, value) in &values {
                match former(change, name, value)? {
                    Some(text) => set.push_str(&format!(" {name}={text}")),
                    None => steps.push(format!("{path}/unset {row} value-name={name}")),
                }
            }
            if !set.is_empty() {
                steps.push(format!("{path}/set {row}{set}"));
            }
            steps
        }
        Undo::Add { values, before: _ } => {
            let mut add = format!("{path}/add");
            for (name, value) in values.iter().filter(|(_, value)| !matches!(value.expose(), None | Some(""))) {
                if let Some(text) = former(change, name, value)? {
                    write!(add, " {name}={text}").expect("a String takes everything");
                }
            }
            let missing = format!("[:len {}] = 0", marked(change)?.replacen("[find", &format!("[{path}/find"), 1));
            vec![format!(":if ({missing}) do={{ {add} }}")]
        }
    })
}

/// Names a change's row: by its mark, or by its id where the mark is not there or is what changes.
fn row_of(change: &Change) -> Result<String, Unguardable> {
    match &change.id {
        Some(id) if change.values.contains_key(COMMENT) => Ok(id.clone()),
        Some(id) => Ok(marked(change).unwrap_or_else(|_| id.clone())),
        None => marked(change),
    }
}

/// Names a change's row by its mark.
fn marked(change: &Change) -> Result<String, Unguardable> {
    let commented = change.menu.arg(COMMENT).is_some_and(|arg| arg.access == Access::ReadWrite);
    let tag = change.tag.filter(|_| commented).ok_or_else(|| Unguardable::Nameless(change.to_string()))?;
    Ok(format!("[find {COMMENT}=\"{tag}\"]"))
}

/// Writes a former value for a script; `None` for one that has to be cleared.
fn former(change: &Change, name: &str, value: &Value) -> Result<Option<String>, Unguardable> {
    let arg = change.menu.arg(name).expect("changes are made of the catalogue's arguments");
    match value {
        Value::Secret(_) => Err(Unguardable::Secret(change.to_string())),
        Value::Absent if arg.clearable => Ok(None),
        Value::Absent => Ok(Some(format!("\"{}\"", arg.default.unwrap_or_default()))),
        Value::Plain(text) => quote(text).map(Some).ok_or_else(|| Unguardable::Text(change.to_string())),
    }
}

/// Writes a text as a script's string; `None` for what is not plain ASCII, which scripts carry in the code page of the moment.
pub(crate) fn quote(text: &str) -> Option<String> {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' | '$' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            ' '..='~' => quoted.push(c),
            _ => return None,
        }
    }
    quoted.push('"');
    Some(quoted)
}

/// What is read of the armed entry, and of its menu alone.
#[must_use]
pub fn print() -> crate::Print {
    crate::Print {
        menu: &scheduler::MENU,
        proplist: vec![ID, scheduler::NAME, scheduler::COMMENT],
        any_of: vec![(scheduler::NAME, NAME)],
        except: None,
    }
}

/// Says whether a change set still holds one of `changes`: what was to be done to the same row in the same way.
#[must_use]
pub fn still_wanted<'a>(changes: &'a [Change], again: &[Change]) -> Option<&'a Change> {
    let same = |a: &Change, b: &Change| (a.menu.path, &a.key, a.tag, &a.label) == (b.menu.path, &b.key, b.tag, &b.label);
    changes.iter().find(|change| again.iter().any(|other| same(change, other)))
}
