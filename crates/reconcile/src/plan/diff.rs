//! What differs between an object and its row.

use super::Policy;
use crate::object::{Object, Value};
use crate::observed::Row;
use routeros::catalogue::{Access, Arg};

/// An argument that is not what it should be.
pub struct Difference {
    pub arg: &'static Arg,
    pub before: Value,
    /// What to set; `None` to clear it with `unset`.
    pub after: Option<Value>,
}

pub fn of(object: &Object, row: &Row, policy: &Policy) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (name, wanted) in &object.values {
        let arg = object.menu.arg(name).expect("objects are made of the catalogue's arguments");
        let unknown = arg.access == Access::Secret && !policy.secrets_shown;
        if unknown && !policy.rewrite.contains(&object.key) {
            continue;
        }
        let shown = shown(arg, row);
        if !unknown && same(arg, wanted, shown.as_deref()) {
            continue;
        }
        let after = match wanted {
            Value::Absent if arg.clearable => None,
            // What cannot be cleared is set to what it is without being set.
            Value::Absent => Some(Value::Plain(arg.default.unwrap_or_default().to_owned())),
            Value::Plain(_) | Value::Secret(_) => Some(wanted.clone()),
        };
        let before = shown.map_or(Value::Absent, |text| Value::wrap(arg.access, text));
        differences.push(Difference { arg, before, after });
    }
    differences
}

/// Reads an argument of a row in its canonical form, or its default. A text that is no value of its kind stays as it is.
pub fn shown(arg: &Arg, row: &Row) -> Option<String> {
    let raw = row.raw(arg.name);
    arg.canonical(raw).unwrap_or_else(|_| raw.map(|raw| String::from_utf8_lossy(raw).into_owned()))
}

fn same(arg: &Arg, wanted: &Value, shown: Option<&str>) -> bool {
    let default = arg.default.unwrap_or_default();
    wanted.expose().unwrap_or(default) == shown.unwrap_or(default)
        // Some menus show what is not set as an empty text.
        || (*wanted == Value::Absent && shown == Some(""))
}
