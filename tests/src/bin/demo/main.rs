//! `cargo xtask demo`: a controller and four virtual routers as processes of their own, from the paste to a paid customer online.
//!
//! Two ISPs have the same router names, the same logins and the same voucher codes. Everything is done as people do it: by the command
//! line, by the API, at the routers' terminals and on the customers' devices. What it takes is printed as it happens; a wall that does
//! not stand, a write too many or a customer who stays offline is a failure.

mod enrol;
mod house;
mod mast;
mod person;
mod process;
mod record;
mod sales;
mod story;
mod summary;
mod timeline;
mod walls;

use anyhow::bail;
use clap::Parser;
use house::House;
use std::process::ExitCode;
use timeline::{Timeline, complain, say};
use tokio::signal::unix::{SignalKind, signal};

/// Starts a controller and four virtual routers, and takes them from a paste to a paid customer online.
#[derive(Debug, Parser)]
struct Arguments {
    /// Ends after the timeline: with 0 when all went well, else with a clear failure.
    #[arg(long)]
    once: bool,
}

// One thread: the kernel ends the children when the thread that started them ends, and this one ends with the program.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let once = Arguments::parse().once;
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        complain("a TLS provider was chosen already");
    }
    match run(once).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("demo failed: {}", format!("{error:#}").replace('\n', " ")));
            ExitCode::FAILURE
        }
    }
}

async fn run(once: bool) -> anyhow::Result<()> {
    let mut timeline = Timeline::start();
    let mut house = House::build()?;
    let played = tokio::select! {
        played = play(&mut house, &mut timeline, once) => played,
        stopped = told_to_stop() => stopped.and_then(|()| bail!("it was told to stop before its end")),
    };
    if played.is_err() {
        complain(format_args!("{}\nthe last step that was done: {}", house.last_words(), timeline.last()));
    }
    let closed = house.close().await;
    played.and(closed)
}

async fn play(house: &mut House, timeline: &mut Timeline, once: bool) -> anyhow::Result<()> {
    story::tell(house, timeline).await?;
    if once {
        return Ok(());
    }
    house.invite();
    told_to_stop().await?;
    say("\nstopping the routers, then the controller");
    Ok(())
}

/// Waits for Ctrl-C or SIGTERM.
async fn told_to_stop() -> anyhow::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
