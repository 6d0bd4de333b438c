//! What is printed, with the time of each step.

use std::fmt::Display;
use std::io::Write as _;
use std::time::Duration;
use tokio::time::Instant;

/// Prints a line for whoever reads; the demo goes on when nobody does any more.
pub fn say(line: impl Display) {
    let _unread = writeln!(std::io::stdout(), "{line}");
}

/// Prints a line about what went wrong.
pub fn complain(line: impl Display) {
    let _unread = writeln!(std::io::stderr(), "{line}");
}

/// The steps so far.
#[derive(Debug)]
pub struct Timeline {
    began: Instant,
    before: Instant,
    last: String,
}

impl Timeline {
    /// Starts now.
    pub fn start() -> Self {
        let began = Instant::now();
        say("  since start    the step");
        Self { began, before: began, last: "none".to_owned() }
    }

    /// Begins a part of the story.
    pub fn chapter(&self, title: &str) {
        say(format_args!("\n{title}"));
    }

    /// Prints a step that has been done: the time since the start, the time since the step before, and what it was.
    pub fn done(&mut self, what: impl Display) -> Duration {
        let now = Instant::now();
        let own = now - self.before;
        self.last = what.to_string();
        let since = (now - self.began).as_secs_f64();
        say(format_args!("{since:>9.3} s {:>+9.3} s  {}", own.as_secs_f64(), self.last));
        self.before = now;
        own
    }

    /// Prints a remark on the step before.
    pub fn note(&self, text: impl Display) {
        say(format_args!("{:25}{text}", ""));
    }

    /// Returns the last step that was done.
    pub fn last(&self) -> &str {
        &self.last
    }
}

/// Lays rows out in columns as wide as their widest cell; the columns after the first `words` hold numbers.
pub fn table(rows: &[Vec<String>], words: usize) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cell = |(column, cell): (usize, &String)| {
            let width = widths[column];
            if column < words { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        };
        let cells: Vec<String> = row.iter().enumerate().map(cell).collect();
        format!("  {}", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
