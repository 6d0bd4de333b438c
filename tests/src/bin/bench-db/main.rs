//! The shared database at work: what the wall costs, what growth costs, what a large neighbour costs, and how fast customers come in. Both
//! sides of each ratio take turns in one run, so that whatever else the machine does meets both.
#![expect(clippy::disallowed_methods, reason = "a bench looks at the clock")]

mod growth;
mod importing;
mod neighbour;
mod stocks;
mod wall;

use anyhow::bail;
use std::time::Duration;
use system_tests::bench::{Figure, print, progress};

/// Measures one part alone.
const PART: &str = "MASTWIRE_BENCH_PART";
const PARTS: [&str; 4] = ["import", "growth", "wall", "neighbour"];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let part = std::env::var(PART).ok();
    if let Some(part) = part.as_deref().filter(|part| !PARTS.contains(part)) {
        bail!("{PART}={part}: there are {}", PARTS.join(", "));
    }
    let wanted = |name: &str| part.as_deref().is_none_or(|part| part == name);
    let mut figures = if wanted("import") { importing::measure().await? } else { Vec::new() };
    let stocks = stocks::open().await?;
    // Before anything else is asked of either: a connection that is new to a statement has to plan it first.
    if wanted("growth") {
        figures.extend(growth::measure(&stocks).await?);
    }
    if wanted("wall") {
        figures.extend(wall::measure(&stocks.large).await?);
    }
    if wanted("neighbour") {
        figures.extend(neighbour::measure(&stocks.large).await?);
    }
    stocks.close().await;
    Ok(print(&figures)?)
}

/// The value in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The value below which so many of a hundred lie.
fn percentile(values: &mut [f64], of_hundred: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * of_hundred / 100).min(values.len() - 1)]
}

/// Milliseconds.
fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Shows a figure that has no peer and a least value.
fn at_least(what: &str, value: f64, unit: &'static str, least: f64) -> Figure {
    progress(&format!("{what}: {value:.0} {unit}"));
    Figure::new(what, value, unit).reaches(least)
}
