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
use crate::object::{Risk, Value, Values};
use crate::observed::{Observed, Row};
use crate::recipes::COMMENT;
use jiff::SignedDuration;
use model::Tag;
use routeros::catalogue::{ID, ip_firewall_filter::PLACE_BEFORE, log_warning, system_resource, system_scheduler as scheduler};
use routeros::catalogue::{Access, Shape};
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

/// Makes the change that arms the undo of all risky ones among `changes`; `uptime` is what the router was just seen to have.
///
/// # Errors
/// When one of them cannot be taken back by a script.
pub fn arm(changes: &[Change], mark: Tag, uptime: SignedDuration, window: Window) -> Result<Change, Unguardable> {
    let script = script(changes, mark, uptime, window)?;
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
fn script(changes: &[Change], mark: Tag, uptime: SignedDuration, window: Window) -> Result<String, Unguardable> {
    let (armed, over) = (uptime.as_secs(), uptime.as_secs().saturating_add(window.length().as_secs()));
    let up = format!("[{}/get value-name={}]", system_resource::MENU.path, system_resource::UPTIME);
    let mut script = format!(":local mwUp {up}\n:if (($mwUp < {armed}s) || ($mwUp >= {over}s)) do={{\n");
    for change in changes.iter().filter(|change| change.risk == Risk::Path).rev() {
        for step in steps(change, changes)? {
            writeln!(script, ":do {{ {step} }} on-error={{}}").expect("a String takes everything");
        }
    }
    let (log, path) = (log_warning::MENU.path, scheduler::MENU.path);
    let told = "mastwire: a change was not confirmed in time and is taken back";
    write!(
        script,
        ":do {{ {log} {}=\"{told}\" }} on-error={{}}\n:do {{ {path}/remove [find {COMMENT}=\"{mark}\"] }} on-error={{}}\n}}",
        log_warning::MESSAGE
    )
    .expect("a String takes everything");
    Ok(script)
}

/// Writes the commands that take one change back.
fn steps(change: &Change, all: &[Change]) -> Result<Vec<String>, Unguardable> {
    let path = change.menu.path;
    Ok(match change.undo() {
        Undo::Remove => vec![format!("{path}/remove {}", marked(change)?)],
        Undo::Move(before) => {
            let to = before.map(|id| format!(" destination={}", row_with(&id, all))).unwrap_or_default();
            vec![format!("{path}/move {}{to}", row_of(change)?)]
        }
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
        Undo::Add(values) => {
            let mut add = format!("{path}/add");
            for (name, value) in values.iter().filter(|(_, value)| !matches!(value.expose(), None | Some(""))) {
                if let Some(text) = former(change, name, value)? {
                    write!(add, " {name}={text}").expect("a String takes everything");
                }
            }
            let missing = format!("[:len {}] = 0", marked(change)?.replacen("[find", &format!("[{path}/find"), 1));
            let mut steps = Vec::new();
            if let Some(id) = change.stood_before.as_deref().filter(|_| change.menu.shape == Shape::Ordered) {
                // Where it stood; if the row behind it is gone, the next step puts it at the end.
                steps.push(format!(":if ({missing}) do={{ {add} {PLACE_BEFORE}={} }}", row_with(id, all)));
            }
            steps.push(format!(":if ({missing}) do={{ {add} }}"));
            steps
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

/// Names another row of the same menu: by its mark where it was removed too, and so has another id when it is back.
fn row_with(id: &str, all: &[Change]) -> String {
    let removed = all.iter().find(|change| change.action == Action::Remove && change.id.as_deref() == Some(id));
    let in_menu = |change: &Change| marked(change).ok().map(|row| row.replacen("[find", &format!("[{}/find", change.menu.path), 1));
    removed.and_then(in_menu).unwrap_or_else(|| id.to_owned())
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
fn quote(text: &str) -> Option<String> {
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
    crate::Print { menu: &scheduler::MENU, proplist: vec![ID, scheduler::NAME, scheduler::COMMENT], any_of: vec![(scheduler::NAME, NAME)] }
}

/// Says whether a change set still holds one of `changes`: what was to be done to the same row in the same way.
#[must_use]
pub fn still_wanted<'a>(changes: &'a [Change], again: &[Change]) -> Option<&'a Change> {
    let same =
        |a: &Change, b: &Change| (a.menu.path, &a.key, a.tag, &a.label) == (b.menu.path, &b.key, b.tag, &b.label);
    changes.iter().find(|change| again.iter().any(|other| same(change, other)))
}
