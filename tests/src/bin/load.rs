//! `cargo xtask load`: fills a data folder with ISPs, their customers and twelve months of sessions. A controller can be started on it.

use anyhow::Context as _;
use clap::Parser;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use system_tests::bench::progress;
use system_tests::load::{Size, Stock};

/// Fills a data folder with ISPs, their customers and twelve months of sessions.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many ISPs; the largest gets a tenth of everything.
    #[arg(long, default_value_t = 100)]
    tenants: usize,
    /// How many customers they have together.
    #[arg(long, default_value_t = 20_000)]
    customers: usize,
    /// How many of their sessions have ended, about.
    #[arg(long, default_value_t = 500_000)]
    sessions: usize,
    /// What everything that is chosen follows from.
    #[arg(long, default_value_t = 1)]
    seed: i64,
    /// The data folder; a new one, or one in which no tenant is.
    #[arg(long)]
    data: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress(&format!("the load failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a person waits for it and wants to know how long")]
async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { tenants, customers, sessions, seed, ref data } = *arguments;
    let begun = Instant::now();
    let stock = Stock::open(data).await?;
    let sizes = system_tests::load::load(&stock.test, Size { tenants, customers, sessions, seed }).await?;
    stock.close().await;
    let mut text = String::new();
    for size in sizes.iter().filter(|size| size.rows > 0) {
        text.push_str(&format!("{:<24} {:>10} rows {:>8.1} MiB\n", size.name, size.rows, mib(size.bytes)));
    }
    let (rows, bytes): (i64, i64) = sizes.iter().fold((0, 0), |(rows, bytes), size| (rows + size.rows, bytes + size.bytes));
    let seconds = begun.elapsed().as_secs();
    text.push_str(&format!("{:<24} {rows:>10} rows {:>8.1} MiB in {seconds} s\n", "all", mib(bytes)));
    text.push_str(&format!("it lies in {}: mastwire-controller audit --data {0}\n", data.display()));
    std::io::stdout().write_all(text.as_bytes()).context("nobody reads the summary")
}

#[expect(clippy::cast_precision_loss, reason = "it is shown with one digit")]
fn mib(bytes: i64) -> f64 {
    bytes as f64 / 1_048_576.0
}
