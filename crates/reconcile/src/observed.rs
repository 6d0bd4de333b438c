//! What a router holds, as it printed it.

use routeros::catalogue::Menu;
use routeros::codec;
use std::collections::BTreeMap;
use std::fmt;

/// One row of a print.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    /// The row's id on the router, such as `*1A`.
    pub id: String,
    /// By name.
    values: codec::Row,
}

impl Row {
    /// Takes a row's id and its properties as the router printed them.
    pub fn new<N: AsRef<[u8]>, V: AsRef<[u8]>>(id: impl Into<String>, values: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut values: Vec<(N, V)> = values.into_iter().collect();
        values.sort_by(|(one, _), (other, _)| one.as_ref().cmp(other.as_ref()));
        Self { id: id.into(), values: values.into_iter().collect() }
    }

    /// Returns a property as it was printed.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&[u8]> {
        self.values.get(name)
    }

    /// Returns a property as text, empty where it is missing or no text.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.raw(name).and_then(|raw| str::from_utf8(raw).ok()).unwrap_or_default()
    }

    /// Says whether a flag such as `dynamic` is set.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.raw(name), Some(b"true" | b"yes"))
    }

    /// Lists the properties as texts.
    #[cfg(test)]
    pub(crate) fn texts(&self) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.values.iter().map(|(name, value)| (text(name), text(value))).collect()
    }

    /// Sets a property, or takes it away.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn set(&mut self, name: &str, value: Option<&str>) {
        let others = self.values.iter().filter(|(other, _)| *other != name.as_bytes());
        let values: Vec<_> = others.chain(value.map(|value| (name.as_bytes(), value.as_bytes()))).collect();
        *self = Self::new(self.id.clone(), values);
    }
}

impl fmt::Debug for Row {
    /// Shows names alone: values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.values.iter().map(|(name, _)| String::from_utf8_lossy(name)).collect();
        f.debug_struct("Row").field("id", &self.id).field("names", &names).finish()
    }
}

/// Every row that was printed, by menu, in the router's order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed(BTreeMap<&'static str, Vec<Row>>);

impl Observed {
    /// Records what a menu printed.
    pub fn insert(&mut self, menu: &'static Menu, rows: Vec<Row>) {
        self.0.insert(menu.path, rows);
    }

    /// Returns a menu's rows; none for a menu that was not printed.
    #[must_use]
    pub fn rows(&self, menu: &Menu) -> &[Row] {
        self.0.get(menu.path).map_or(&[], Vec::as_slice)
    }

    /// Says whether a menu was printed.
    pub(crate) fn printed(&self, menu: &Menu) -> bool {
        self.0.contains_key(menu.path)
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn rows_mut(&mut self, menu: &Menu) -> &mut Vec<Row> {
        self.0.entry(menu.path).or_default()
    }
}

/// A print that planning needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Print {
    /// Of which menu.
    pub menu: &'static Menu,
    /// The properties to ask for; without them a big table takes many seconds.
    pub proplist: Vec<&'static str>,
    /// Rows to ask for: those for which any of these pairs holds, or all where there are none.
    pub any_of: Vec<(&'static str, &'static str)>,
    /// Rows to leave out: those for which this pair holds; one that lacks the property is asked for.
    pub except: Option<(&'static str, &'static str)>,
}
