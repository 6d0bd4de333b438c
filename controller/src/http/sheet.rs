//! Tables that go out as CSV (RFC 4180) and end up in a spreadsheet.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

/// What a spreadsheet takes for the beginning of a formula, whoever wrote it into a name.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// A table in CSV. What a spreadsheet would take for a formula gets an apostrophe in front.
#[derive(Debug)]
pub struct Sheet {
    name: &'static str,
    text: String,
}

impl Sheet {
    /// Begins a table. `name` is that of the file, without its ending.
    #[must_use]
    pub fn new<const N: usize>(name: &'static str, columns: [&str; N]) -> Self {
        let mut sheet = Self { name, text: String::new() };
        sheet.row(columns.map(str::to_owned));
        sheet
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        for (at, cell) in cells.iter().enumerate() {
            if at > 0 {
                self.text.push(',');
            }
            self.text.push_str(&quoted(cell));
        }
        self.text.push_str("\r\n");
    }

    /// Takes out what was written so far, for a table that goes out in parts.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Reads a cell that may have been made harmless here: the apostrophe goes that was put in front of what looked like a formula.
#[must_use]
pub fn harmful_again(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if looks_like_formula(rest) => rest,
        Some(_) | None => cell,
    }
}

/// Apostrophes in front do not count: one that was there before gets another, so that reading takes away just what writing put there.
fn looks_like_formula(cell: &str) -> bool {
    cell.trim_start_matches('\'').starts_with(FORMULA)
}

/// Writes one line of a table whose columns are known only when it is written; a number keeps its sign.
pub fn csv_line<T: AsRef<str>>(cells: impl IntoIterator<Item = T>) -> String {
    let cells = cells.into_iter().map(|cell| match cell.as_ref().parse::<f64>() {
        Ok(number) if number.is_finite() && !cell.as_ref().starts_with('+') => cell.as_ref().to_owned(),
        Ok(_) | Err(_) => quoted(cell.as_ref()),
    });
    cells.collect::<Vec<_>>().join(",") + "\r\n"
}

/// Makes a cell harmless.
fn quoted(cell: &str) -> String {
    let harmless = if looks_like_formula(cell) { format!("'{cell}") } else { cell.to_owned() };
    if harmless.contains([',', '"', '\r', '\n']) { format!("\"{}\"", harmless.replace('"', "\"\"")) } else { harmless }
}

impl IntoResponse for Sheet {
    fn into_response(self) -> Response {
        let file = HeaderValue::from_str(&format!("attachment; filename=\"{}.csv\"", self.name));
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
            (header::CONTENT_DISPOSITION, file.expect("names of files are plain words")),
        ];
        (headers, self.text).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_cells_are_read_as_they_were() {
        for cell in ["=1+1", "'=1+1", "''=1", "'", "''", "'tis", "-1.29", "+254712345678", "", "plain", "@x"] {
            let harmless = quoted(cell);
            assert!(!harmless.starts_with(FORMULA), "{cell}");
            assert_eq!(harmful_again(&harmless), cell);
        }
    }

    #[test]
    fn a_line_is_harmless_and_its_numbers_stay_numbers() {
        assert_eq!(csv_line(["-5", "=A1", "a,b", "-5=A1", "inf", "+1"]), "-5,'=A1,\"a,b\",'-5=A1,inf,'+1\r\n");
    }

    #[test]
    fn cells_keep_their_text_and_do_nothing() {
        let mut sheet = Sheet::new("things", ["name", "note"]);
        sheet.row(["=1+1".to_owned(), "a, \"b\"".to_owned()]);
        sheet.row(["@SUM(A1)".to_owned(), "two\nlines".to_owned()]);
        sheet.row(["plain".to_owned(), String::new()]);
        assert_eq!(sheet.as_str(), "name,note\r\n'=1+1,\"a, \"\"b\"\"\"\r\n'@SUM(A1),\"two\nlines\"\r\nplain,\r\n");
    }
}
