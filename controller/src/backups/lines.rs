//! What a backup says, line by line: who it is of, the keys, the people, and every row, with counts and hashes that have to be right. Pure.
//!
//! A line is one letter and JSON. Rows stand as PostgreSQL wrote them.

use super::BackupError;
use jiff::Timestamp;
use model::{Secret, TenantId};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use zeroize::Zeroize as _;

/// The longest line that is read; the database lets no row come near.
const LINE_MAX_BYTES: usize = 64 << 20;

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The tenant; none for an instance.
    pub tenant: Option<TenantId>,
    /// The tenant's name when it was taken.
    pub name: String,
    /// The newest migration of the database it was taken from.
    pub schema_version: i64,
    /// The moment whose state it holds.
    pub taken_at: Timestamp,
    /// The version of the program that took it.
    pub program: String,
}

/// A data key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyLine {
    /// Its row's id.
    pub id: Uuid,
    /// What it is for.
    pub purpose: String,
    /// Which one it is.
    pub version: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// The key, in hexadecimal digits.
    pub key: String,
}

impl std::fmt::Debug for KeyLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyLine({} {})", self.purpose, self.version)
    }
}

impl Drop for KeyLine {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

/// A table whose rows follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableLine {
    /// Its name.
    pub table: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// The oldest time by which its rows are cut into months, if they are.
    pub since: Option<Timestamp>,
}

/// The end of a table, or of the whole file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndLine {
    /// The table; at the end of the file, none.
    table: Option<String>,
    rows: u64,
    /// Over the rows, each with a line feed; at the end of the file, over the hashes of the tables.
    sha256: String,
}

/// One line.
#[derive(Debug)]
pub enum Line {
    /// What the file is; always the first.
    Manifest(Manifest),
    /// A data key.
    Key(KeyLine),
    /// The master key of an instance, in hexadecimal digits.
    Master(Secret<String>),
    /// The tenant's own row.
    Tenant(String),
    /// Somebody who serves the tenant.
    Person(String),
    /// A table begins.
    Table(TableLine),
    /// A row of it.
    Row(String),
    /// The table has ended; how many rows it had.
    End(u64),
    /// The file has ended.
    Done,
}

/// Counts and hashes what is written.
#[derive(Debug, Default)]
pub struct Author {
    table: Option<String>,
    rows: u64,
    hash: Sha256,
    total: u64,
    tables: u32,
    hashes: Sha256,
}

impl Author {
    /// Appends a line that is not about rows.
    ///
    /// # Panics
    /// When it is about rows: those have calls of their own.
    pub fn say(&self, line: &Line, out: &mut Vec<u8>) {
        let (letter, json) = match line {
            Line::Manifest(manifest) => (b'M', serde_json::to_string(manifest)),
            Line::Key(key) => (b'K', serde_json::to_string(key)),
            Line::Master(key) => (b'S', serde_json::to_string(key.expose())),
            Line::Tenant(json) => (b'N', Ok(json.clone())),
            Line::Person(json) => (b'P', Ok(json.clone())),
            Line::Table(_) | Line::Row(_) | Line::End(_) | Line::Done => panic!("tables have calls of their own"),
        };
        let mut json = json.expect("plain data");
        put(letter, &json, out);
        json.zeroize();
    }

    /// Begins a table.
    pub fn begin(&mut self, table: &TableLine, out: &mut Vec<u8>) {
        self.table = Some(table.table.clone());
        put(b'T', &serde_json::to_string(table).expect("plain data"), out);
    }

    /// Adds a row.
    pub fn row(&mut self, row: &str, out: &mut Vec<u8>) {
        self.hash.update(row.as_bytes());
        self.hash.update(b"\n");
        self.rows += 1;
        put(b'R', row, out);
    }

    /// Ends the table.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        let digest = self.hash.finalize_reset();
        self.hashes.update(digest);
        self.total += self.rows;
        self.tables += 1;
        let end = EndLine { table: self.table.take(), rows: std::mem::take(&mut self.rows), sha256: hex::encode(digest) };
        put(b'E', &serde_json::to_string(&end).expect("plain data"), out);
    }

    /// Ends the file; returns how many tables and rows it has.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> (u32, u64) {
        let end = EndLine { table: None, rows: self.total, sha256: hex::encode(self.hashes.finalize_reset()) };
        put(b'Z', &serde_json::to_string(&end).expect("plain data"), out);
        (self.tables, self.total)
    }
}

fn put(letter: u8, json: &str, out: &mut Vec<u8>) {
    assert!(!json.contains('\n'), "JSON of one line has no line feed in it");
    out.push(letter);
    out.extend_from_slice(json.as_bytes());
    out.push(b'\n');
}

/// Reads lines out of what is pushed into it, and refuses what does not add up.
#[derive(Debug, Default)]
pub struct Auditor {
    waiting: Vec<u8>,
    read: usize,
    check: Author,
    begun: bool,
    done: bool,
}

impl Auditor {
    /// Takes opened bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.waiting.drain(..self.read);
        self.read = 0;
        self.waiting.extend_from_slice(bytes);
    }

    /// Returns the next line that is there as a whole.
    ///
    /// # Errors
    /// When it is not what belongs there, or a count or hash is not right.
    pub fn next_line(&mut self) -> Result<Option<Line>, BackupError> {
        let rest = &self.waiting[self.read..];
        let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
            return if rest.len() > LINE_MAX_BYTES { Err(BackupError::Damaged) } else { Ok(None) };
        };
        let line = std::str::from_utf8(&rest[..length]).map_err(|_| BackupError::Damaged)?;
        let (letter, json) = line.split_at_checked(1).ok_or(BackupError::Damaged)?;
        let (letter, json) = (letter.as_bytes()[0], json.to_owned());
        self.read += length + 1;
        self.take(letter, json).map(Some)
    }

    /// Says whether the file has ended as it should, with nothing behind the end.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.done && self.read == self.waiting.len()
    }

    fn take(&mut self, letter: u8, json: String) -> Result<Line, BackupError> {
        // The first line says what the file is, and nothing comes behind the last.
        if self.done || (letter == b'M') == self.begun {
            return Err(BackupError::Damaged);
        }
        let in_table = self.check.table.is_some();
        match (letter, in_table) {
            (b'M', false) => {
                self.begun = true;
                Ok(Line::Manifest(parse(&json)?))
            }
            (b'K', false) => Ok(Line::Key(parse(&json)?)),
            (b'S', false) => Ok(Line::Master(Secret::new(parse(&json)?))),
            (b'N', false) => Ok(Line::Tenant(json)),
            (b'P', false) => Ok(Line::Person(json)),
            (b'T', false) => {
                let table: TableLine = parse(&json)?;
                self.check.begin(&table, &mut Vec::new());
                Ok(Line::Table(table))
            }
            (b'R', true) => {
                self.check.hash.update(json.as_bytes());
                self.check.hash.update(b"\n");
                self.check.rows += 1;
                Ok(Line::Row(json))
            }
            (b'E', true) => self.end(&parse(&json)?),
            (b'Z', false) => self.finish(&parse(&json)?),
            _ => Err(BackupError::Damaged),
        }
    }

    fn end(&mut self, said: &EndLine) -> Result<Line, BackupError> {
        let mut found = Vec::new();
        let table = self.check.table.clone().unwrap_or_default();
        self.check.end(&mut found);
        let found: EndLine = parse(std::str::from_utf8(&found[1..]).expect("our own JSON"))?;
        if *said != found {
            return Err(BackupError::DoesNotAddUp { table, said: said.rows, found: found.rows });
        }
        Ok(Line::End(found.rows))
    }

    fn finish(&mut self, said: &EndLine) -> Result<Line, BackupError> {
        let mut found = Vec::new();
        let (_, rows) = self.check.finish(&mut found);
        let found: EndLine = parse(std::str::from_utf8(&found[1..]).expect("our own JSON"))?;
        if *said != found {
            return Err(BackupError::DoesNotAddUp { table: "the whole file".to_owned(), said: said.rows, found: rows });
        }
        self.done = true;
        Ok(Line::Done)
    }
}

fn parse<T: serde::de::DeserializeOwned>(json: &str) -> Result<T, BackupError> {
    serde_json::from_str(json).map_err(|_| BackupError::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let taken_at = "2026-01-15T09:00:00Z".parse().expect("a time");
        Manifest { tenant: None, name: "Mast Net".into(), schema_version: 15, taken_at, program: "0.1.0".into() }
    }

    fn file(rows: &[&str]) -> Vec<u8> {
        let (mut author, mut out) = (Author::default(), Vec::new());
        author.say(&Line::Manifest(manifest()), &mut out);
        author.begin(&TableLine { table: "customer".into(), columns: vec!["id".into()], since: None }, &mut out);
        for row in rows {
            author.row(row, &mut out);
        }
        author.end(&mut out);
        author.finish(&mut out);
        out
    }

    fn read(bytes: &[u8]) -> Result<Vec<Line>, BackupError> {
        let (mut auditor, mut lines) = (Auditor::default(), Vec::new());
        // One byte at a time: a line may come in any number of pieces.
        for byte in bytes {
            auditor.push(std::slice::from_ref(byte));
            while let Some(line) = auditor.next_line()? {
                lines.push(line);
            }
        }
        if auditor.is_done() { Ok(lines) } else { Err(BackupError::Damaged) }
    }

    #[test]
    fn what_was_said_is_read() {
        let lines = read(&file(&[r#"{"id": 1}"#, r#"{"id": 2}"#])).expect("whole");
        assert!(matches!(&lines[0], Line::Manifest(found) if *found == manifest()));
        assert!(matches!(&lines[2], Line::Row(row) if row == r#"{"id": 1}"#));
        assert!(matches!(lines.last(), Some(Line::Done)));
    }

    #[test]
    fn a_row_more_or_less_or_other_does_not_add_up() {
        let good = String::from_utf8(file(&[r#"{"id": 1}"#, r#"{"id": 2}"#])).expect("text");
        for (from, to) in [
            ("R{\"id\": 2}\n", ""),
            ("R{\"id\": 2}\n", "R{\"id\": 2}\nR{\"id\": 3}\n"),
            ("R{\"id\": 2}\n", "R{\"id\": 4}\n"),
            ("\"rows\":2", "\"rows\":3"),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good);
            assert!(matches!(read(bad.as_bytes()), Err(BackupError::DoesNotAddUp { .. })), "{from} to {to}");
        }
    }

    #[test]
    fn lines_stand_in_their_order() {
        let good = String::from_utf8(file(&[r#"{"id": 1}"#])).expect("text");
        let lines: Vec<&str> = good.lines().collect();
        for order in
            [&[1, 0, 2, 3, 4][..], &[0, 2, 1, 3, 4], &[0, 1, 2, 4, 3], &[0, 0, 1, 2, 3, 4], &[0, 1, 2, 3], &[0, 1, 2, 3, 4, 4]]
        {
            let bad: String = order.iter().map(|line| format!("{}\n", lines[*line])).collect();
            assert!(read(bad.as_bytes()).is_err(), "{order:?}");
        }
        assert!(read(good.as_bytes()).is_ok());
    }
}
