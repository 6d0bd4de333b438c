//! An object before its values are checked.

use crate::object::{Object, ObjectKey, Position, Risk, SiteError, Value};
use model::{RouterosVersion, Secret, Tag};
use routeros::catalogue::{Access, Menu};

/// The argument that carries the tag; spelled alike in every menu that has it.
pub const COMMENT: &str = routeros::catalogue::ppp_secret::COMMENT;

pub struct Draft {
    pub key: ObjectKey,
    menu: &'static Menu,
    values: Vec<(&'static str, Option<Secret<String>>)>,
    reason: String,
    risk: Risk,
    position: Option<Position>,
}

impl Draft {
    pub fn new(menu: &'static Menu, key: ObjectKey, reason: impl Into<String>) -> Self {
        Self { key, menu, values: Vec::new(), reason: reason.into(), risk: Risk::Safe, position: None }
    }

    pub fn set(self, name: &'static str, value: impl ToString) -> Self {
        self.maybe(name, Some(value))
    }

    pub fn clear(self, name: &'static str) -> Self {
        self.maybe(name, None::<String>)
    }

    pub fn maybe(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.values.push((name, value.map(|value| Secret::new(value.to_string()))));
        self
    }

    pub fn risk(self, risk: Risk) -> Self {
        Self { risk, ..self }
    }

    pub fn at(self, position: Position) -> Self {
        Self { position: Some(position), ..self }
    }

    /// Brings every value into its canonical form and adds the mark; arguments that the version does not have fall away.
    pub fn finish(self, tag: Tag, version: RouterosVersion) -> Result<Object, SiteError> {
        let mut object = Object {
            menu: self.menu,
            key: self.key,
            tag,
            values: [].into(),
            reason: self.reason,
            risk: self.risk,
            position: self.position,
        };
        for (name, value) in self.values {
            let arg = self.menu.arg(name).expect("recipes use the catalogue's own names");
            if !arg.versions.contain(version) {
                continue;
            }
            let value = match value {
                Some(text) => {
                    let refused = |source| SiteError::Value { key: object.key.clone(), arg: name, source };
                    Value::wrap(arg.access, arg.kind.canonical(text.expose().as_bytes()).map_err(refused)?)
                }
                None => Value::Absent,
            };
            object.values.insert(name, value);
        }
        if let Some(comment) = self.menu.arg(COMMENT).filter(|arg| arg.access == Access::ReadWrite) {
            object.values.insert(comment.name, Value::Plain(tag.to_string()));
        }
        Ok(object)
    }
}
