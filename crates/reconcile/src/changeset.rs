//! What has to be done: data that is shown, stored and applied, the same in each case.

use crate::{Finding, ObjectKey, Risk, Value, object::Values};
use model::Tag;
use routeros::catalogue::Menu;
use serde::{Serialize, Serializer};
use std::fmt;

/// The command that a menu has if rows can be put into it.
const ADD: &str = "add";

/// What a change does to its row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "what")]
pub enum Action {
    /// Adds a row with the change's values; in an ordered menu before the row with this id.
    Add {
        /// The row to stand before; at the end without it.
        before: Option<String>,
    },
    /// Sets the change's values.
    Set,
    /// Clears one argument.
    Unset {
        /// Which.
        name: &'static str,
    },
    /// Moves the row before the row with this id.
    Move {
        /// The row to stand before.
        before: String,
    },
    /// Removes the row.
    Remove,
}

/// How to take a change back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undo {
    /// Remove the row that was added.
    Remove,
    /// Set these values; [`Value::Absent`] means clear.
    Set(Values),
    /// Move the row back to before the row with this id, or to the end.
    Move(Option<String>),
    /// Add the row again.
    Add {
        /// With these values.
        values: Values,
        /// In an ordered menu before the row with this id, or at the end.
        before: Option<String>,
    },
    /// Nothing can be done: a session that was ended begins again by itself, or not.
    Nothing,
}

/// One command to a router.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Changes of one stage do not depend on each other; the next stage begins when all replies of this one are in.
    pub stage: u32,
    /// Where.
    #[serde(serialize_with = "path")]
    pub menu: &'static Menu,
    /// What.
    pub action: Action,
    /// The row's id on the router; `None` for an add.
    pub id: Option<String>,
    /// The object; `None` for the removal of one that nobody knows any more.
    pub key: Option<ObjectKey>,
    /// The object's mark; `None` where the menu has no comment and the object is not wanted any more.
    pub tag: Option<Tag>,
    /// The row's name for people, such as `alice`.
    pub label: String,
    /// What is written.
    pub values: Values,
    /// What the same arguments were.
    pub before: Values,
    /// Where the row of an ordered menu stood, for [`Action::Move`] and [`Action::Remove`]: before the row with this id.
    pub stood_before: Option<String>,
    /// Why.
    pub reason: String,
    /// What it may do to people.
    pub risk: Risk,
}

impl Change {
    /// Tells how to take the change back once every later one of its set has been: ids that it names are of rows that are there then, or
    /// whose removal was taken back.
    #[must_use]
    pub fn undo(&self) -> Undo {
        match &self.action {
            Action::Add { .. } => Undo::Remove,
            Action::Set | Action::Unset { .. } => Undo::Set(self.before.clone()),
            Action::Move { .. } => Undo::Move(self.stood_before.clone()),
            Action::Remove if self.menu.commands.contains(&ADD) => {
                Undo::Add { values: self.before.clone(), before: self.stood_before.clone() }
            }
            Action::Remove => Undo::Nothing,
        }
    }
}

impl fmt::Display for Change {
    /// Writes one line without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, verb) = match &self.action {
            Action::Add { .. } => ('+', "add"),
            Action::Set => ('~', "set"),
            Action::Unset { .. } => ('~', "unset"),
            Action::Move { .. } => ('^', "move"),
            Action::Remove => ('-', "remove"),
        };
        write!(f, "{sign} {} {verb} {}", self.menu.path, self.label)?;
        match &self.action {
            Action::Add { before } => {
                for (name, value) in &self.values {
                    write!(f, " {name}={value}")?;
                }
                before.as_ref().map_or(Ok(()), |id| write!(f, " before {id}"))?;
            }
            Action::Set => {
                for (name, value) in &self.values {
                    write!(f, " {name}: {} -> {value}", self.before.get(name).unwrap_or(&Value::Absent))?;
                }
            }
            Action::Unset { name } => write!(f, " {name}: {} -> (none)", self.before.get(name).unwrap_or(&Value::Absent))?,
            Action::Move { before } => write!(f, " before {before}")?,
            Action::Remove => {}
        }
        write!(f, " # {}", self.reason)?;
        match self.risk {
            Risk::Safe => Ok(()),
            Risk::Kicks => f.write_str(" [may end sessions]"),
            Risk::Path => f.write_str(" [management path]"),
        }
    }
}

/// A live session that has to end; it has ended when its menu lists no row with its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kick {
    /// Where the session is listed: `/ppp/active`, `/ip/hotspot/active`, or `/ip/hotspot/cookie`, which would begin it again.
    #[serde(serialize_with = "path")]
    pub menu: &'static Menu,
    /// The row's id on the router, never used again for another session.
    pub id: String,
    /// The login.
    pub login: String,
    /// Why.
    pub reason: String,
}

impl fmt::Display for Kick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "! {} remove {} # {}", self.menu.path, self.login, self.reason)
    }
}

/// Everything that has to be done on a router, in order: the changes by stage, then the kicks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ChangeSet {
    /// What is written.
    pub changes: Vec<Change>,
    /// Which sessions end once everything is written.
    pub kicks: Vec<Kick>,
    /// What was left alone, and why.
    pub findings: Vec<Finding>,
}

impl ChangeSet {
    /// Says whether there is nothing to do.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.kicks.is_empty()
    }

    /// Returns the greatest risk of any change.
    #[must_use]
    pub fn risk(&self) -> Risk {
        self.changes.iter().map(|change| change.risk).max().unwrap_or(Risk::Safe)
    }
}

impl fmt::Display for ChangeSet {
    /// Writes one line for each change, kick and finding.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            writeln!(f, "nothing to do")?;
        }
        self.changes.iter().try_for_each(|change| writeln!(f, "{change}"))?;
        self.kicks.iter().try_for_each(|kick| writeln!(f, "{kick}"))?;
        self.findings.iter().try_for_each(|finding| writeln!(f, "? {finding}"))
    }
}

fn path<S: Serializer>(menu: &&'static Menu, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(menu.path)
}
