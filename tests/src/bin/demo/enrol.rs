//! A router joins by what the controller served, and is set up.

use crate::house::House;
use crate::mast::{Mast, PATIENCE, Road, Spec};
use crate::process::until;
use crate::timeline::Timeline;
use anyhow::{Context as _, ensure};
use serde_json::Value;
use tokio::time::Instant;

/// Lines of a plan that are shown.
const PLAN_LINES: usize = 4;
/// Characters of such a line that are shown.
const PLAN_WIDTH: usize = 110;

/// Takes a router from the box to serving customers.
pub async fn onboard(house: &mut House, timeline: &mut Timeline, spec: &'static Spec) -> anyhow::Result<()> {
    let isp = house.isps[spec.isp].name;
    timeline.chapter(&format!("{isp}, {}: {}, RouterOS {}, device-mode {}", spec.name, spec.board, spec.version, spec.mode));
    let mut mast = house.switch_on(spec).await?;
    timeline.done(format_args!("switched on; the label says {}", mast.serial));
    join(house, timeline, &mut mast).await?;
    check(house, timeline, &mast).await?;
    if spec.hotspot.is_none() && spec.mode == "home" {
        refuse_hotspot(house, timeline, &mast).await?;
    }
    offer(house, timeline, &mut mast).await?;
    house.masts.push(mast);
    Ok(())
}

/// Adds the router, pastes the very text that was answered, and waits until it has joined.
async fn join(house: &House, timeline: &mut Timeline, mast: &mut Mast) -> anyhow::Result<()> {
    let admin = &house.isps[mast.spec.isp].admin;
    let texts = admin.run(&["router", "add", mast.spec.name]).await?;
    let field = |name: &str| texts[name].as_str().with_context(|| format!("`router add` answered no {name}"));
    mast.id = field("id")?.to_owned();
    mast.address = field("address")?.parse()?;
    timeline.done(format_args!("added, with the address {}", mast.address));
    let text = field(mast.spec.road.word())?;
    let began = Instant::now();
    let said = mast.paste(text).await?;
    let shown = until("the router has joined", PATIENCE, async || {
        let shown = admin.run(&["router", "show", mast.spec.name]).await?;
        Ok((shown["stage"] == "joined").then_some(shown))
    })
    .await
    .with_context(|| said.clone())?;
    mast.joined = began.elapsed();
    ensure!(shown["serial"] == mast.serial.as_str(), "another router joined: {}", shown["serial"]);
    timeline.done(format_args!("joined by the {}, pasted once", mast.spec.road.word()));
    timeline.note(said.lines().last().unwrap_or_default());
    ensure!(mast.spec.road == Road::Block || field("line")?.contains("fetch"), "the line fetches nothing");
    Ok(())
}

/// Confirms that it is the router that was meant, by its label, and reads what stands in the way.
async fn check(house: &House, timeline: &mut Timeline, mast: &Mast) -> anyhow::Result<()> {
    let admin = &house.isps[mast.spec.isp].admin;
    let early = admin.refused(&["router", "apply", mast.spec.name]).await?;
    ensure!(early.contains("confirm"), "a router was set up before anybody had confirmed it: {early}");
    admin.run(&["router", "confirm", mast.spec.name, &mast.serial]).await?;
    let found = admin.run(&["router", "preflight", mast.spec.name]).await?;
    timeline.done("confirmed by the label; preflight");
    for finding in found["findings"].as_array().into_iter().flatten() {
        let text = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
        timeline.note(format_args!("{}: {}", text("severity"), text("text")));
    }
    Ok(())
}

/// A hotspot on a router whose device-mode forbids it is refused before anything is written.
async fn refuse_hotspot(house: &House, timeline: &mut Timeline, mast: &Mast) -> anyhow::Result<()> {
    let admin = &house.isps[mast.spec.isp].admin;
    admin.run(&["router", "services", mast.spec.name, "--hotspot", "bridge"]).await?;
    let refusal = admin.refused(&["router", "apply", mast.spec.name]).await?;
    ensure!(refusal.contains("device-mode"), "the refusal does not name the device-mode: {refusal}");
    timeline.done("a hotspot is refused here: device-mode forbids it; PPPoE it is");
    Ok(())
}

/// Chooses services, shows the plan and applies it.
async fn offer(house: &House, timeline: &mut Timeline, mast: &mut Mast) -> anyhow::Result<()> {
    let (spec, admin) = (mast.spec, &house.isps[mast.spec.isp].admin);
    mast.paste(spec.prepare).await?;
    let mut words = vec!["router", "services", spec.name, "--pppoe", spec.pppoe];
    words.extend(spec.hotspot.iter().flat_map(|port| ["--hotspot", *port]));
    admin.run(&words).await?;
    let plan = admin.run(&["router", "plan", spec.name]).await?;
    timeline.done(format_args!("{} chosen; the plan has {} writes", words[3..].join(" "), plan["writes"]));
    let lines: Vec<&str> = plan["text"].as_str().unwrap_or_default().lines().collect();
    for line in lines.iter().take(PLAN_LINES) {
        timeline.note(line.chars().take(PLAN_WIDTH).collect::<String>());
    }
    if lines.len() > PLAN_LINES {
        timeline.note(format_args!("… and {} more", lines.len() - PLAN_LINES));
    }
    mast.writes = apply(house, mast).await?;
    // What does not hang on the choice, such as a rule for a way out that was just prepared, its worker may have written meanwhile.
    let planned = plan["writes"].as_u64().context("the plan counts its writes")?;
    ensure!((1..=planned).contains(&mast.writes), "the plan had {planned} writes, but {} were sent", mast.writes);
    timeline.done(format_args!("applied and read back: {} writes", mast.writes));
    Ok(())
}

/// Applies what was chosen; returns the number of writes.
pub async fn apply(house: &House, mast: &Mast) -> anyhow::Result<u64> {
    let applied: Value = house.isps[mast.spec.isp].admin.run(&["router", "apply", mast.spec.name]).await?;
    ensure!(applied["applied"] == true, "{} was not applied: {}", mast.spec.name, applied["detail"]);
    applied["writes"].as_u64().context("an apply without a count")
}
