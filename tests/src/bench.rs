//! What the bench programs share: figures, as `cargo xtask bench` reads them, and the time of one core.

use nix::time::ClockId;
use serde_json::{Value, json};
use std::io::Write as _;
use std::time::Duration;

/// One measured figure.
#[derive(Debug)]
pub struct Figure {
    what: String,
    value: f64,
    unit: &'static str,
    peer: Option<(String, f64)>,
    target: Option<(String, bool)>,
}

impl Figure {
    /// Says what was measured.
    #[must_use]
    pub fn new(what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { what: what.into(), value, unit, peer: None, target: None }
    }

    /// Adds the figure of somebody else who did the same work, if there was anybody.
    #[must_use]
    pub fn beside(mut self, peer: &str, value: Option<f64>) -> Self {
        self.peer = value.map(|value| (peer.to_owned(), value));
        self
    }

    /// Sets the least that the ratio to the peer's figure may be. Without a peer there is nothing to hold.
    #[must_use]
    pub fn at_least(mut self, least: f64) -> Self {
        self.target = self.ratio().map(|ratio| (format!("ratio at least {least}"), ratio >= least));
        self
    }

    /// Sets the most that the ratio to the peer's figure may be. Without a peer there is nothing to hold.
    #[must_use]
    pub fn at_most(mut self, most: f64) -> Self {
        self.target = self.ratio().map(|ratio| (format!("ratio at most {most}"), ratio <= most));
        self
    }

    /// Sets the least that the value itself may be.
    #[must_use]
    pub fn reaches(mut self, least: f64) -> Self {
        self.target = Some((format!("at least {least}"), self.value >= least));
        self
    }

    /// Sets the most that the value itself may be.
    #[must_use]
    pub fn stays(mut self, most: f64) -> Self {
        self.target = Some((format!("at most {most}"), self.value <= most));
        self
    }

    fn ratio(&self) -> Option<f64> {
        self.peer.as_ref().map(|(_, value)| self.value / value)
    }

    fn json(&self) -> Value {
        let (peer, target) = (self.peer.as_ref(), self.target.as_ref());
        json!({
            "what": self.what, "value": self.value, "unit": self.unit,
            "peer": peer.map(|peer| &peer.0), "peer_value": peer.map(|peer| peer.1), "ratio": self.ratio(),
            "target": target.map(|target| &target.0), "holds": target.map(|target| target.1),
        })
    }
}

/// Prints the figures.
///
/// # Errors
/// When nobody reads them.
pub fn print(figures: &[Figure]) -> std::io::Result<()> {
    let list: Vec<Value> = figures.iter().map(Figure::json).collect();
    say(&Value::from(list).to_string())
}

/// Prints a line for whoever started this program.
///
/// # Errors
/// When nobody reads it.
pub fn say(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{line}")
}

/// Says to the person who waits what is going on.
pub fn progress(text: &str) {
    // A closed terminal must not end a bench.
    drop(writeln!(std::io::stderr(), "{text}"));
}

/// Runs something and returns how long this thread had a core for it: what other programs do meanwhile does not count.
///
/// # Panics
/// When the system does not count a thread's time.
pub fn core_time<R>(work: impl FnOnce() -> R) -> (R, Duration) {
    let clock = || Duration::from(ClockId::CLOCK_THREAD_CPUTIME_ID.now().expect("Linux counts a thread's time"));
    let before = clock();
    let result = work();
    (result, clock() - before)
}
