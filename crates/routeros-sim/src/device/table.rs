//! Rows, their ids and their order.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

/// What a row holds, by argument name.
pub type Fields = BTreeMap<&'static str, String>;

/// A row's `.id`: `*` and hexadecimal digits; a number is never given out twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub u32);

impl RowId {
    /// Reads `*1A`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('*').filter(|digits| !digits.is_empty())?;
        u32::from_str_radix(digits, 16).ok().map(Self)
    }
}

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "*{:X}", self.0)
    }
}

/// Where a row comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A person or a program added it.
    Configured,
    /// It came with the system and can be changed, but not removed.
    BuiltIn,
    /// The system made it for as long as its cause lasts; it can be neither changed nor (with few exceptions) removed.
    Dynamic,
}

/// One line of a menu.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its id.
    pub id: RowId,
    /// Where it comes from.
    pub origin: Origin,
    /// What is set; what stands at its default may be absent.
    pub fields: Fields,
}

impl Row {
    /// Returns a field's text, or nothing where it is not set.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// Says whether a field is `true`.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.get(name) == "true"
    }

    /// Returns a field as a number, or zero.
    #[must_use]
    pub fn number(&self, name: &str) -> u64 {
        self.get(name).parse().unwrap_or(0)
    }
}

/// The rows of one menu in their order.
#[derive(Debug, Clone, Default)]
pub struct Table {
    rows: HashMap<RowId, Row>,
    order: Vec<RowId>,
    /// Grows with every change, so that a listener knows when to look again.
    pub version: u64,
}

impl Table {
    /// Returns the rows in order.
    pub fn iter(&self) -> impl Iterator<Item = &Row> {
        self.order.iter().filter_map(|id| self.rows.get(id))
    }

    /// Returns one row.
    #[must_use]
    pub fn get(&self, id: RowId) -> Option<&Row> {
        self.rows.get(&id)
    }

    /// Returns one row to change it.
    pub fn get_mut(&mut self, id: RowId) -> Option<&mut Row> {
        self.version += 1;
        self.rows.get_mut(&id)
    }

    /// Puts a row before another one, or last.
    pub fn insert(&mut self, row: Row, before: Option<RowId>) {
        self.version += 1;
        let at = before.and_then(|before| self.order.iter().position(|id| *id == before)).unwrap_or(self.order.len());
        self.order.insert(at, row.id);
        self.rows.insert(row.id, row);
    }

    /// Takes a row away.
    pub fn remove(&mut self, id: RowId) -> Option<Row> {
        let row = self.rows.remove(&id)?;
        self.version += 1;
        self.order.retain(|other| *other != id);
        Some(row)
    }

    /// Moves a row before another one, or to the end.
    pub fn shift(&mut self, id: RowId, before: Option<RowId>) {
        let Some(row) = self.remove(id) else { return };
        self.insert(row, before);
    }

    /// Returns how many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Says whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u32) -> Row {
        Row { id: RowId(id), origin: Origin::Configured, fields: Fields::new() }
    }

    #[test]
    fn order_follows_moves() {
        let mut table = Table::default();
        for id in [1, 2, 3] {
            table.insert(row(id), None);
        }
        table.insert(row(26), Some(RowId(1)));
        table.shift(RowId(1), None);
        let ids: Vec<String> = table.iter().map(|row| row.id.to_string()).collect();
        assert_eq!(ids, ["*1A", "*2", "*3", "*1"]);
        assert_eq!(RowId::parse("*1a"), Some(RowId(26)));
        assert_eq!(RowId::parse("*"), None);
    }
}
