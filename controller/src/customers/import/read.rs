//! Takes a file of customers apart: each row with the line it begins in, or what is wrong with its shape. Nothing of a row is repeated in a
//! fault, since a password may stand in it. Pure.

use crate::http::harmful_again;
use csv::{ByteRecord, ReaderBuilder, Trim};
use std::collections::BTreeSet;

/// Rows of one file.
pub(super) const ROWS_MAX: usize = 50_000;

/// The columns that may stand in a file, in any order; an export has them in this one.
pub(in crate::customers) const COLUMNS: [&str; 17] = [
    "login",
    "password",
    "full_name",
    "phone",
    "email",
    "language",
    "kind",
    "router",
    "package",
    "site",
    "address",
    "mac",
    "latitude",
    "longitude",
    "notes",
    "status",
    "account_number",
];
/// The columns that must.
const NEEDED: [&str; 3] = ["login", "router", "package"];

/// A column and what is wrong there.
pub(super) type Fault = (&'static str, String);

/// A row as it stands in the file: a cell for each of [`COLUMNS`], empty where the file has no such column.
#[derive(Debug)]
pub(super) struct Row {
    cells: [String; COLUMNS.len()],
}

impl Row {
    /// Reads a cell.
    pub(super) fn get(&self, column: &str) -> &str {
        &self.cells[place(column)]
    }

    /// Takes a cell out.
    pub(super) fn take(&mut self, column: &str) -> String {
        std::mem::take(&mut self.cells[place(column)])
    }

    /// Takes a cell out, if something stands there.
    pub(super) fn filled(&mut self, column: &str) -> Option<String> {
        Some(self.take(column)).filter(|text| !text.is_empty())
    }
}

fn place(column: &str) -> usize {
    COLUMNS.iter().position(|known| *known == column).expect("only known columns are asked for")
}

/// A row with the line it begins in; the names of the columns stand in line 1.
pub(super) type Read = (u64, Result<Row, Fault>);

/// Takes the file apart.
///
/// # Errors
/// When it is no table of customers at all.
pub(super) fn read(file: &[u8]) -> Result<Vec<Read>, String> {
    if file.starts_with(b"\xff\xfe") || file.starts_with(b"\xfe\xff") {
        return Err("the file is in UTF-16: save it as \"CSV UTF-8\"".to_owned());
    }
    // Spreadsheets put a byte order mark in front.
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    // Files of old Macintoshes end their lines with this alone; lines are counted by the other.
    let old: Option<Vec<u8>> = (file.contains(&b'\r') && !file.contains(&b'\n'))
        .then(|| file.iter().map(|byte| if *byte == b'\r' { b'\n' } else { *byte }).collect());
    let file = old.as_deref().unwrap_or(file);
    let mut reader =
        ReaderBuilder::new().delimiter(separator(file)).flexible(true).has_headers(false).trim(Trim::All).from_reader(file);
    let mut record = ByteRecord::new();
    reader.read_byte_record(&mut record).map_err(|_| "this is no CSV".to_owned())?;
    let places = columns(&record)?;
    let mut rows = Vec::new();
    let mut lines = Lines { file, at: 0, line: 1 };
    loop {
        let start = usize::try_from(reader.position().byte()).expect("the file is in memory");
        match reader.read_byte_record(&mut record) {
            Ok(false) => return Ok(rows),
            Ok(true) => {}
            Err(_) => return Err(format!("the file cannot be read from line {} on", lines.of(start))),
        }
        // Spreadsheets keep rows of which nothing is left.
        if record.iter().all(<[u8]>::is_empty) {
            continue;
        }
        if rows.len() == ROWS_MAX {
            return Err(format!("a file has at most {ROWS_MAX} rows: cut it into several"));
        }
        rows.push((lines.of(start), row(&record, &places)));
    }
}

/// Counts lines from one row to the next. The reader's own count stands still between the two characters that end a line on Windows.
struct Lines<'a> {
    file: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// Gives the line of the first character at or behind an offset that ends no line; offsets come in order.
    fn of(&mut self, offset: usize) -> u64 {
        while self.at < self.file.len() && (self.at < offset || matches!(self.file[self.at], b'\r' | b'\n')) {
            self.line += u64::from(self.file[self.at] == b'\n');
            self.at += 1;
        }
        self.line
    }
}

/// Finds by the first line what stands between cells: what occurs there most.
fn separator(file: &[u8]) -> u8 {
    let first = file.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |separator: u8| first.iter().filter(|byte| **byte == separator).count();
    [b',', b';', b'\t'].into_iter().rev().max_by_key(|separator| count(*separator)).unwrap_or(b',')
}

/// Says of each column of the file which of [`COLUMNS`] it is.
fn columns(first: &ByteRecord) -> Result<Vec<usize>, String> {
    let names: Vec<String> = first.iter().map(|name| String::from_utf8_lossy(name).trim().to_lowercase()).collect();
    let known = |name: &String| COLUMNS.iter().position(|known| known == name);
    let unknown: Vec<String> = names.iter().filter(|name| known(name).is_none()).take(10).map(|name| shown(name)).collect();
    let missing: Vec<&str> = NEEDED.into_iter().filter(|needed| !names.iter().any(|name| name == needed)).collect();
    let mut seen = BTreeSet::new();
    let twice: Vec<&str> = names.iter().filter(|name| !seen.insert(*name)).take(10).map(String::as_str).collect();
    let fault = if !unknown.is_empty() {
        format!("these columns are not known: {}", unknown.join(", "))
    } else if !missing.is_empty() {
        format!("these columns are missing: {}", missing.join(", "))
    } else if !twice.is_empty() {
        format!("these columns stand there twice: {}", twice.join(", "))
    } else {
        return Ok(names.iter().filter_map(known).collect());
    };
    Err(format!(
        "{fault}. The first line names the columns, each once: {}, and if you like the others of {}",
        NEEDED.join(","),
        COLUMNS.join(",")
    ))
}

/// A name that somebody else chose, as it may stand in a message.
fn shown(name: &str) -> String {
    let name: String = name.chars().filter(|c| c.is_alphanumeric() || " _-.".contains(*c)).take(30).collect();
    if name.is_empty() { "one without a name".to_owned() } else { format!("\"{name}\"") }
}

fn row(record: &ByteRecord, places: &[usize]) -> Result<Row, Fault> {
    let beyond = record.iter().skip(places.len()).any(|cell| !cell.is_empty());
    if record.len() < places.len() || beyond {
        return Err(("row", format!("it has {} cells, and the first line {}", record.len(), places.len())));
    }
    let mut row = Row { cells: Default::default() };
    for (cell, place) in record.iter().zip(places) {
        let text = std::str::from_utf8(cell)
            .map_err(|_| (COLUMNS[*place], "this is not UTF-8 text: save the file as \"CSV UTF-8\"".to_owned()))?;
        harmful_again(text).clone_into(&mut row.cells[*place]);
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line of a row, with its login and notes.
    type Cells = (u64, Result<(String, String), Fault>);

    fn cells(file: &[u8]) -> Vec<Cells> {
        let rows = read(file).expect("a table").into_iter();
        rows.map(|(line, row)| (line, row.map(|mut row| (row.take("login"), row.take("notes"))))).collect()
    }

    fn good(line: u64, login: &str, notes: &str) -> Cells {
        (line, Ok((login.to_owned(), notes.to_owned())))
    }

    #[test]
    fn files_of_every_spreadsheet_are_read() {
        for file in [
            &b"login,router,package,notes\na,r,p,one\nb,r,p,two\n"[..],
            b"\xef\xbb\xbflogin;router;package;notes\r\na;r;p;one\r\nb;r;p;two\r\n",
            b"login\trouter\tpackage\tnotes\na\tr\tp\tone\nb\tr\tp\ttwo",
            b"login,router,package,notes\ra,r,p,one\rb,r,p,two\r",
            b" Login , ROUTER,package,notes\na,r,p,one,,,\n b ,r,p, two \n",
        ] {
            assert_eq!(cells(file), [good(2, "a", "one"), good(3, "b", "two")], "{}", String::from_utf8_lossy(file));
        }
    }

    #[test]
    fn lines_are_those_of_the_file() {
        let file = b"login,router,package,notes\n\"a\",r,p,\"two\nlines, \"\"quoted\"\"\"\n,,,\n\nb,r,p,\xff\nc,r\nd,r,p,x,y\ne,r,p,=1+1\nf,r,p,'=1+1\n";
        let rows = cells(file);
        assert_eq!(rows[0], good(2, "a", "two\nlines, \"quoted\""));
        let faults: Vec<(u64, &str)> = rows.iter().filter_map(|(line, row)| Some((*line, row.as_ref().err()?.0))).collect();
        assert_eq!(faults, [(6, "notes"), (7, "row"), (8, "row")]);
        assert_eq!(
            rows[4..],
            [good(9, "e", "=1+1"), good(10, "f", "=1+1")],
            "a formula is a text, and an export's apostrophe goes"
        );
    }

    #[test]
    fn what_is_no_table_is_told_why() {
        for (file, why) in [
            (&b""[..], "missing: login, router, package"),
            (b"login,router\nx,y\n", "missing: package"),
            (b"login,router,package,colour\n", "not known: \"colour\""),
            (b"login,router,package,<b>\x1b[31m\n", "not known: \"b31m\""),
            (b"login,router,package,login\n", "twice: login"),
            (b"\xff\xfel\0o\0", "UTF-16"),
            (b"PK\x03\x04zip", "not known"),
        ] {
            let fault = read(file).expect_err("no table");
            assert!(fault.contains(why) && !fault.contains('\u{1b}'), "{fault}");
        }
        let many = format!("login,router,package\n{}", "a,r,p\n".repeat(ROWS_MAX + 1));
        assert!(read(many.as_bytes()).expect_err("too many").contains("50000 rows"));
    }
}
