//! The RouterOS codec and client beside librouteros, where Python has it: the same rows, the same virtual router, the same line.

use anyhow::{Context as _, ensure};
use controller::serve::SystemClock;
use model::Secret;
use routeros::Command;
use routeros::catalogue::ppp_secret::{COMMENT, MENU, NAME, PASSWORD, SERVICE};
use routeros::client::{Client, Options};
use routeros::codec::{Decoder, Limits, Reply, Sentence};
use routeros_sim::simulator::{self, Simulator};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use system_tests::bench::{Figure, core_time, print, progress};
use system_tests::judges;
use system_tests::world::config;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, tcp};
use tokio::sync::mpsc;

const LIBROUTEROS: &str = "librouteros";
/// The same row as in `tests/judges/librouteros_bench.py`.
const ROW: [&str; 11] = [
    "!re",
    "=.id=*1A2B",
    "=name=customer-4711",
    "=password=dial-1234",
    "=service=pppoe",
    "=profile=home-10M",
    "=limit-bytes-in=0",
    "=limit-bytes-out=0",
    "=last-logged-out=2026-01-15 09:00:00",
    "=disabled=false",
    "=comment=mw:0123456789ab",
];
const ROUNDS: usize = 100_000;
/// What the peer needs for the same figure in a bearable time.
const PEER_ROUNDS: usize = 20_000;
/// Bytes that come from a socket at once.
const CHUNK: usize = 16 << 10;
/// A router's secrets that are printed.
const SECRETS: usize = 10_000;
const ADDS: usize = 1_000;
/// Adds over the long line, of which each takes a round trip where they go one by one.
const FAR_ADDS: usize = 100;
/// Half a round trip of the long line, as over a good mobile link.
const FAR: Duration = Duration::from_millis(20);
const IN_FLIGHT: usize = 16;
/// Each time over the network is taken so often; the best one counts, because others only ever make it longer.
const TRIES: usize = 3;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let peer = match judges::librouteros("librouteros_bench.py") {
        Ok(_) => true,
        Err(why) => {
            progress(&format!("without librouteros: {why:#}"));
            false
        }
    };
    let mut figures = codec(peer).await?;
    figures.push(printing(peer).await?);
    figures.extend(adding("1,000 adds", ADDS, None, peer).await?);
    figures.extend(adding("100 adds, 40 ms away", FAR_ADDS, Some(FAR), peer).await?);
    Ok(print(&figures)?)
}

/// Has librouteros do something, if it is here, and returns one of its figures.
async fn librouteros(here: bool, words: &[String], figure: &str) -> anyhow::Result<Option<f64>> {
    if !here {
        return Ok(None);
    }
    let mut command = judges::librouteros("librouteros_bench.py")?;
    command.args(words);
    let printed = tokio::task::spawn_blocking(move || judges::run(&mut command)).await??;
    let figures: serde_json::Value = serde_json::from_str(&printed)?;
    Ok(Some(figures[figure].as_f64().with_context(|| format!("{figure} in {printed}"))?))
}

async fn codec(peer: bool) -> anyhow::Result<Vec<Figure>> {
    progress("codec");
    let (bytes, encoding) = core_time(|| {
        let mut bytes = Vec::new();
        for _ in 0..ROUNDS {
            Sentence::new(ROW).encode(&mut bytes);
        }
        bytes
    });
    let (rows, decoding) = core_time(|| {
        let mut decoder = Decoder::new(Limits::DEFAULT);
        let mut rows = 0;
        for chunk in bytes.chunks(CHUNK) {
            decoder.push(chunk);
            while let Some(sentence) = decoder.poll()? {
                let Reply::Row(row) = Reply::try_from(&sentence)? else { continue };
                rows += usize::from(row.text(NAME) == Some("customer-4711"));
            }
        }
        anyhow::Ok(rows)
    });
    let rows = rows?;
    ensure!(rows == ROUNDS, "{rows} of {ROUNDS} rows came back");
    let words = ["codec".to_owned(), PEER_ROUNDS.to_string()];
    let theirs = [librouteros(peer, &words, "encoded").await?, librouteros(peer, &words, "decoded").await?];
    let figure = |what: &str, time: Duration, theirs| {
        let rate = ROUNDS as f64 / time.as_secs_f64();
        Figure::new(what, rate, "per s and core").beside(LIBROUTEROS, theirs).at_least(5.0)
    };
    Ok(vec![figure("rows of 11 words encoded", encoding, theirs[0]), figure("rows of 11 words decoded", decoding, theirs[1])])
}

async fn printing(peer: bool) -> anyhow::Result<Figure> {
    progress("printing 10,000 secrets");
    let (router, address) = router().await?;
    let client = log_in(address).await?;
    let _ = add(&client, SECRETS, IN_FLIGHT).await?;
    let words = ["print".to_owned(), address.ip().to_string(), address.port().to_string()];
    let [mut ours, mut theirs] = [Vec::new(), Vec::new()];
    for _ in 0..TRIES {
        let start = now();
        let rows = client.call(&Command::print(&MENU)).await?.rows.len();
        ours.push(start.elapsed().as_secs_f64());
        ensure!(rows == SECRETS, "{rows} rows");
        theirs.extend(librouteros(peer, &words, "seconds").await?);
    }
    router.stop().await;
    let figure = Figure::new("10,000 secrets printed by a virtual router", best(&ours)? * 1e3, "ms");
    Ok(figure.beside(LIBROUTEROS, best(&theirs).ok().map(|seconds| seconds * 1e3)).at_most(1.0))
}

/// Times adds one by one and with many in flight; librouteros has one in flight at most. Each run has a fresh router.
async fn adding(what: &str, count: usize, far: Option<Duration>, peer: bool) -> anyhow::Result<[Figure; 2]> {
    progress(what);
    let [mut one_by_one, mut pipelined, mut theirs] = [Vec::new(), Vec::new(), Vec::new()];
    let tries = if far.is_some() { 1 } else { TRIES };
    for _ in 0..tries {
        for (in_flight, times) in [(1, &mut one_by_one), (IN_FLIGHT, &mut pipelined)] {
            let (router, address) = router().await?;
            let client = log_in(line(address, far).await?).await?;
            times.push(add(&client, count, in_flight).await?.as_secs_f64());
            router.stop().await;
        }
        let (router, address) = router().await?;
        let address = line(address, far).await?;
        let words = ["add".to_owned(), address.ip().to_string(), address.port().to_string(), count.to_string()];
        theirs.extend(librouteros(peer, &words, "seconds").await?);
        router.stop().await;
    }
    let theirs = best(&theirs).ok().map(|seconds| seconds * 1e3);
    let figure = |how: &str, times: &[f64], most| {
        let figure = Figure::new(format!("{what}, {how}"), best(times)? * 1e3, "ms");
        anyhow::Ok(figure.beside(LIBROUTEROS, theirs).at_most(most))
    };
    // Where the line is long, what is in flight together is what counts.
    let most = if far.is_some() { 0.15 } else { 1.0 };
    Ok([figure("one by one", &one_by_one, 1.1)?, figure("16 in flight", &pipelined, most)?])
}

fn best(seconds: &[f64]) -> anyhow::Result<f64> {
    seconds.iter().copied().reduce(f64::min).context("nothing was timed")
}

async fn router() -> anyhow::Result<(Simulator, SocketAddr)> {
    let api = Some(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0));
    let options = simulator::Options { api, ..simulator::Options::new(config("CHR", "7.22.3", "HF1234567AB")) };
    let router = Simulator::start(options, Arc::new(SystemClock)).await?;
    let address = router.api_address().context("its API listens")?;
    Ok((router, address))
}

async fn log_in(address: SocketAddr) -> anyhow::Result<Client> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(Client::login(stream, "admin", &Secret::new(String::new()), Options::default()).await?)
}

/// Adds secrets and returns how long it took.
async fn add(client: &Client, count: usize, in_flight: usize) -> anyhow::Result<Duration> {
    let command = |number: usize| {
        let secret = Command::add(&MENU).with(NAME, format!("customer-{number}")).with(PASSWORD, "dial-1234");
        secret.with(SERVICE, "pppoe").with(COMMENT, "mw:0123456789ab")
    };
    let commands: Vec<Command> = (0..count).map(command).collect();
    let start = now();
    for result in client.call_all(&commands, in_flight).await {
        ensure!(result?.id().is_some(), "an add gives an id");
    }
    Ok(start.elapsed())
}

#[expect(clippy::disallowed_methods, reason = "the bench is the shell around the client")]
fn now() -> Instant {
    Instant::now()
}

/// Puts a line in front of a router on which everything takes its time, each way; without a delay there is none.
async fn line(to: SocketAddr, delay: Option<Duration>) -> anyhow::Result<SocketAddr> {
    let Some(delay) = delay else { return Ok(to) };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        let (near, _) = listener.accept().await?;
        let far = TcpStream::connect(to).await?;
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;
        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
        tokio::try_join!(carry(near_in, far_out, delay), carry(far_in, near_out, delay))
    });
    Ok(address)
}

/// Hands bytes on after a delay; what comes meanwhile is on the line at the same time.
async fn carry(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf, delay: Duration) -> std::io::Result<()> {
    let (sender, mut under_way) = mpsc::unbounded_channel::<(tokio::time::Instant, Vec<u8>)>();
    let arriving = async move {
        while let Some((at, bytes)) = under_way.recv().await {
            tokio::time::sleep_until(at).await;
            to.write_all(&bytes).await?;
        }
        std::io::Result::Ok(())
    };
    let leaving = async move {
        let mut buffer = vec![0; CHUNK];
        loop {
            let count = from.read(&mut buffer).await?;
            if count == 0 || sender.send((tokio::time::Instant::from_std(now()) + delay, buffer[..count].to_vec())).is_err() {
                return std::io::Result::Ok(());
            }
        }
    };
    tokio::try_join!(arriving, leaving).map(|_| ())
}
