//! How fast a router far away is brought to what is wanted: the controller's own worker, client and planner, over lines of 1, 100 and
//! 300 ms, on a virtual router that takes 1 ms for each write. librouteros does the same work over the same lines.

mod far;
mod line;
mod planner;

use anyhow::{Context as _, ensure};
use far::{Far, Look, Office, WRITE};
use routeros_sim::control::Command;
use std::path::Path;
use std::time::Duration;
use system_tests::bench::{Figure, print, progress};
use system_tests::judges;

const LIBROUTEROS: &str = "librouteros";
/// Lines by round trip; the first is so short that what is left is work, and targets are for the second.
const LINES: [Duration; 3] = [Duration::from_millis(1), Duration::from_millis(100), Duration::from_millis(300)];
/// Makes everything small, so that a test can see in seconds that it works; its figures mean nothing.
const QUICK: &str = "MASTWIRE_BENCH_QUICK";

/// How much of everything.
struct Sizes {
    /// Secrets of the router that is looked at.
    many: usize,
    /// Secrets that are added at once.
    pushed: usize,
    /// Adds of the peer, by line; the rest of its time is reckoned from them.
    slices: [usize; 3],
    planned: [usize; 3],
    /// Each short thing is done so often; the best one counts, because others only ever make it longer.
    tries: usize,
}

const FULL: Sizes = Sizes { many: 10_000, pushed: 5_000, slices: [500, 50, 20], planned: [1_000, 10_000, 100_000], tries: 3 };
const SMALL: Sizes = Sizes { many: 300, pushed: 150, slices: [20, 4, 2], planned: [100, 1_000, 10_000], tries: 1 };

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, control, serial] = arguments.as_slice()
        && role == "router"
    {
        return far::router(Path::new(control), serial).await;
    }
    let sizes = if std::env::var_os(QUICK).is_some() { SMALL } else { FULL };
    let peer = match judges::librouteros("librouteros_bench.py") {
        Ok(_) => true,
        Err(why) => {
            progress(&format!("without librouteros: {why:#}"));
            false
        }
    };
    let office = Office::open().await?;
    let far = Far::join(&office, "large", LINES[0]).await?;
    // First, before anything else has taken memory and given it back.
    let memory = filling(&far, &sizes).await?;
    let mut figures = pushing(&office, &sizes, peer).await?;
    figures.extend(second_pass(&far, &sizes, peer).await?);
    figures.extend(changing(&far, &sizes, peer).await?);
    drop(far);
    figures.extend(planner::measure(sizes.planned)?);
    figures.push(memory);
    Ok(print(&figures)?)
}

/// Fills a router, and says how much more memory the controller took for it than before.
async fn filling(far: &Far<'_>, sizes: &Sizes) -> anyhow::Result<Figure> {
    let Sizes { many, .. } = sizes;
    far.import(*many).await?;
    let idle = memory("VmRSS:")?;
    forget_peak()?;
    let filled = far.serve().await?;
    let more = memory("VmHWM:")? - idle;
    progress(&format!("{many} secrets written: {}; {more:.1} MiB more than {idle:.1}", filled.parts));
    ensure!(usize::try_from(filled.writes)? > *many, "all of them were written");
    let what = format!("memory above idle while {many} secrets are written, read back and recorded");
    Ok(Figure::new(what, more, "MiB").stays(40.0))
}

/// Returns a size of this program in memory (MiB).
fn memory(which: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(which)).context("Linux tells the memory")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}

/// Has Linux note the largest size anew (proc(5), `clear_refs`).
fn forget_peak() -> anyhow::Result<()> {
    std::fs::write("/proc/self/clear_refs", "5").context("Linux forgets the largest size")
}

/// Adds many secrets to a fresh router at each distance.
async fn pushing(office: &Office, sizes: &Sizes, peer: bool) -> anyhow::Result<Vec<Figure>> {
    let Sizes { pushed, slices, .. } = sizes;
    let mut figures = Vec::new();
    for (line, slice) in LINES.into_iter().zip(slices) {
        let ms = line.as_millis();
        let far = Far::join(office, &format!("fresh{ms}"), line).await?;
        let one_by_one = librouteros(peer, &far, &["add", &slice.to_string()]).await?;
        let theirs = one_by_one.map(|seconds| seconds / *slice as f64 * *pushed as f64);
        far.serve().await?;
        let look = far.import_at_once(*pushed).await?;
        progress(&format!("{pushed} secrets, {ms} ms: {}", look.parts));
        ensure!(look.writes >= *pushed as u64, "all of them were written");
        let what = format!("{pushed} secrets added and read back, {ms} ms");
        let ours = Figure::new(&what, look.all / 1e3, "s").beside(&format!("{LIBROUTEROS}, {slice} of them"), theirs);
        let floor = (WRITE * u32::try_from(*pushed)? + line * 3).as_secs_f64();
        let beside_floor = Figure::new(&what, look.all / 1e3, "s").beside("the router's time and 3 round trips", Some(floor));
        let targeted = line == LINES[1];
        figures.extend(if targeted { [ours.at_most(1.0 / 40.0), beside_floor.at_most(1.5)] } else { [ours, beside_floor] });
    }
    Ok(figures)
}

/// Looks at a router that holds everything, over a new connection and over one that is open.
async fn second_pass(far: &Far<'_>, sizes: &Sizes, peer: bool) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let (mut new, mut open) = (Vec::new(), Vec::new());
    for line in LINES {
        far.line.set_round_trip(line);
        let (mut cold, mut warm) = (f64::MAX, f64::MAX);
        for _ in 0..sizes.tries {
            cold = cold.min(millis(far.second_pass(true).await?));
            warm = warm.min(millis(far.second_pass(false).await?));
        }
        let theirs = librouteros(peer, far, &["print"]).await?.map(|seconds| seconds * 1e3);
        let what = format!("second pass over {} secrets, {} ms", sizes.many, line.as_millis());
        progress(&format!("{what}: {cold:.0} ms, warm {warm:.0} ms"));
        figures.push(Figure::new(what, cold, "ms").beside(&format!("{LIBROUTEROS} prints them"), theirs));
        new.push(cold);
        open.push(warm);
    }
    figures.push(Figure::new("round trips of a second pass, 100 ms", round_trips(&new), "").stays(4.0));
    figures.push(Figure::new("the same over an open connection", round_trips(&open), ""));
    Ok(figures)
}

/// Changes one customer, who is online, over a connection that is open.
async fn changing(far: &Far<'_>, sizes: &Sizes, peer: bool) -> anyhow::Result<Vec<Figure>> {
    let login = far.login(7);
    let customer = far.customer(&login).await?;
    far.pay(&customer).await?;
    let dial =
        Command::Dial { name: login.clone(), password: "dial-1234".into(), interface: "ether3".into(), mac: String::new() };
    far.control(dial).await?;
    let mut figures = Vec::new();
    let (mut applied, mut read_back, mut paid) = (Vec::new(), Vec::new(), Vec::new());
    for line in LINES {
        far.line.set_round_trip(line);
        let (mut best, mut cash) = ([f64::MAX; 2], f64::MAX);
        for number in 0..2 * sizes.tries {
            let Look { applied, all, parts, .. } = far.change(&customer, (number + 1) % 2).await?;
            progress(&format!("a change, {} ms: {parts}", line.as_millis()));
            best = [best[0].min(applied), best[1].min(all)];
            let look = far.pay(&customer).await?;
            progress(&format!("a payment, {} ms: {}", line.as_millis(), look.parts));
            cash = cash.min(look.applied);
        }
        let theirs = librouteros(peer, far, &["change", &login]).await?.map(|seconds| seconds * 1e3);
        let what = format!("one customer's package changed and read back, {} ms", line.as_millis());
        figures.push(Figure::new(what, best[1], "ms").beside(LIBROUTEROS, theirs));
        applied.push(best[0]);
        read_back.push(best[1]);
        paid.push(cash);
    }
    figures.push(Figure::new("round trips of a change until applied, 100 ms", round_trips(&applied), "").stays(2.0));
    figures.push(Figure::new("round trips of a change until read back, 100 ms", round_trips(&read_back), "").stays(3.0));
    figures.push(Figure::new("round trips of a payment until applied, 100 ms", round_trips(&paid), ""));
    Ok(figures)
}

/// Counts the round trips that somebody waited for: how much longer something took over the middle line than over the short one. Whole
/// ones count; the rest is the machine's.
fn round_trips(ms: &[f64]) -> f64 {
    ((ms[1] - ms[0]) / millis(LINES[1] - LINES[0])).round()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Has librouteros do something over the line, if it is here, and returns how many seconds that took.
async fn librouteros(here: bool, far: &Far<'_>, words: &[&str]) -> anyhow::Result<Option<f64>> {
    if !here {
        return Ok(None);
    }
    let address = far.line.address();
    let mut command = judges::librouteros("librouteros_bench.py")?;
    command.args([words[0], &address.ip().to_string(), &address.port().to_string()]).args(&words[1..]);
    let printed = tokio::task::spawn_blocking(move || judges::run(&mut command)).await??;
    let figures: serde_json::Value = serde_json::from_str(&printed)?;
    Ok(Some(figures["seconds"].as_f64().with_context(|| format!("seconds in {printed}"))?))
}
