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

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Makes a cell harmless.
fn quoted(cell: &str) -> String {
    let harmless = if cell.starts_with(FORMULA) { format!("'{cell}") } else { cell.to_owned() };
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
    fn cells_keep_their_text_and_do_nothing() {
        let mut sheet = Sheet::new("things", ["name", "note"]);
        sheet.row(["=1+1".to_owned(), "a, \"b\"".to_owned()]);
        sheet.row(["@SUM(A1)".to_owned(), "two\nlines".to_owned()]);
        sheet.row(["plain".to_owned(), String::new()]);
        assert_eq!(sheet.as_str(), "name,note\r\n'=1+1,\"a, \"\"b\"\"\"\r\n'@SUM(A1),\"two\nlines\"\r\nplain,\r\n");
    }
}
