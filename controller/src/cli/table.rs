//! Tables and lists of fields for a terminal.

use serde_json::Value;
use std::fmt::Write as _;

/// Where a column's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    /// For amounts, so that their digits stand below each other.
    Right,
}

/// One column: its heading, and how to get its text out of an item.
pub(super) struct Column {
    head: &'static str,
    align: Align,
    cell: fn(&Value) -> String,
}

/// A column of words.
pub(super) const fn words(head: &'static str, cell: fn(&Value) -> String) -> Column {
    Column { head, align: Align::Left, cell }
}

/// A column of numbers.
pub(super) const fn numbers(head: &'static str, cell: fn(&Value) -> String) -> Column {
    Column { head, align: Align::Right, cell }
}

/// Writes items as a table with headings. Columns stand two spaces apart.
pub(super) fn table(columns: &[Column], items: &[Value]) -> String {
    let heads = columns.iter().map(|column| column.head.to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(heads)
        .chain(items.iter().map(|item| columns.iter().map(|column| one_line(&(column.cell)(item))).collect()))
        .collect();
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<String> = row
            .iter()
            .zip(columns.iter().zip(&widths))
            .map(|(cell, (column, width))| match column.align {
                Align::Left => format!("{cell:<width$}"),
                Align::Right => format!("{cell:>width$}"),
            })
            .collect();
        line(&mut text, cells.join("  ").trim_end());
    }
    text
}

/// Writes named values below each other; those without a value are left out.
pub(super) fn fields(rows: &[(&str, String)]) -> String {
    let shown: Vec<_> = rows.iter().filter(|(_, value)| !value.is_empty()).collect();
    let width = shown.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in shown {
        line(&mut text, &format!("{name:<width$}  {}", one_line(value)));
    }
    text
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a string takes everything");
}

/// Makes a text fit to stand on one line. Names come from people and routers, and may hold what a terminal obeys.
pub(super) fn one_line(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// Writes a name as a shell takes it.
pub(super) fn typed(name: &str) -> String {
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.@+".contains(&byte));
    if plain { name.to_owned() } else { format!("'{}'", one_line(name).replace('\'', r"'\''")) }
}

/// Makes a text of several lines fit for a terminal.
pub(super) fn several_lines(text: &str) -> String {
    text.replace(|c: char| c.is_control() && c != '\n', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn columns_stand_below_each_other() {
        let columns = [
            words("NAME", |item| item["name"].as_str().unwrap_or_default().to_owned()),
            numbers("COUNT", |item| item["count"].to_string()),
            words("NOTE", |item| item["note"].as_str().unwrap_or_default().to_owned()),
        ];
        let items = [
            json!({ "name": "mast-one", "count": 5, "note": "" }),
            json!({ "name": "ö", "count": 12_000, "note": "a\u{1b}[31mb\nc" }),
        ];
        expect![[r#"
            NAME      COUNT  NOTE
            mast-one      5
            ö         12000  a�[31mb�c
        "#]]
        .assert_eq(&table(&columns, &items));
        expect![[r#"
            NAME  COUNT  NOTE
        "#]]
        .assert_eq(&table(&columns, &[]));
    }

    #[test]
    fn fields_without_a_value_are_left_out() {
        expect![[r#"
            name     mast-one
            address  10.10.1.1
        "#]]
        .assert_eq(&fields(&[("name", "mast-one".into()), ("serial", String::new()), ("address", "10.10.1.1".into())]));
    }

    #[test]
    fn names_can_be_typed() {
        assert_eq!(typed("mast-1"), "mast-1");
        assert_eq!(typed("the mast; it's"), r"'the mast; it'\''s'");
    }

    #[test]
    fn several_lines_stay_lines() {
        assert_eq!(several_lines("a\nb\u{7}"), "a\nb\u{fffd}");
    }
}
