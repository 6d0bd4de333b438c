//! The shared database at work: what the wall costs, what growth costs, what a large neighbour costs, and how fast customers come in. Both
//! sides of each ratio take turns in one run, so that whatever else the machine does meets both.
#![expect(clippy::disallowed_methods, reason = "a bench looks at the clock")]

mod growth;
mod importing;
mod neighbour;
mod stocks;
mod wall;

use std::time::Duration;
use system_tests::bench::{Figure, print, progress};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut figures = importing::measure().await?;
    let stocks = stocks::open().await?;
    // Before anything else is asked of either: a connection that is new to a statement has to plan it first.
    figures.extend(growth::measure(&stocks).await?);
    figures.extend(wall::measure(&stocks.large).await?);
    figures.extend(neighbour::measure(&stocks.large).await?);
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
