//! The story: from an empty folder to customers who pay, run out, renew, and are none of the other ISP's business.

use crate::enrol::{self, apply};
use crate::house::{House, ISPS};
use crate::mast::{PATIENCE, SPECS};
use crate::process::until;
use crate::sales::{self, CODES, Sale, millis};
use crate::timeline::Timeline;
use crate::walls::{self, Belongings};
use crate::{record, summary};
use anyhow::{Context as _, ensure};
use controller::serve::SystemClock;
use jiff::Timestamp;
use model::Clock as _;
use routeros_sim::control::{Command, Fault};
use std::time::Duration;
use tokio::time::Instant;

/// How long the expiry of a minute's package may take to be there, the minute included.
const EXPIRY_LIMIT: Duration = Duration::from_secs(100);
/// What the customers with an address of their own have, at both ISPs.
const OFFICE: &str = "192.168.88.20";

/// Tells all of it.
pub async fn tell(house: &mut House, timeline: &mut Timeline) -> anyhow::Result<()> {
    let mut sales = Vec::new();
    found(house, timeline).await?;
    let mut theirs = None;
    for spec in &SPECS {
        enrol::onboard(house, timeline, spec).await?;
        if spec.name == "mast-1" {
            theirs = Some(sell_a_minute(house, timeline, spec.isp, &mut sales).await?);
        }
    }
    timeline.chapter("Customers with the same names at both ISPs");
    for isp in 0..ISPS.len() {
        sell_the_rest(house, timeline, isp, &mut sales).await?;
    }
    count_once(house, timeline).await?;
    timeline.chapter("A router goes away before a payment and comes back after it");
    sales.push(pay_while_away(house, timeline).await?);
    timeline.chapter("What one ISP reaches of the other");
    let theirs = theirs.context("the second ISP sold nothing")?;
    walls::in_the_api(house, timeline, &theirs).await?;
    walls::in_the_database(house, timeline).await?;
    walls::in_the_tunnel(house, timeline).await?;
    timeline.chapter("The paid minute is over");
    for isp in 0..ISPS.len() {
        expire_and_renew(house, timeline, isp, &mut sales).await?;
    }
    timeline.chapter("A second pass over every router");
    let second = second_pass(house, timeline).await?;
    record::keep(house, timeline).await?;
    summary::print(house, &second, &sales);
    Ok(())
}

async fn found(house: &mut House, timeline: &mut Timeline) -> anyhow::Result<()> {
    timeline.chapter("The controller, in an empty folder");
    let setup = house.start_controller().await?;
    timeline.done("the controller is up, with a PostgreSQL and keys of its own");
    house.let_in(&setup).await?;
    timeline.done("the platform's first operator has set a password by the one-time link, and is in");
    for (name, login, _) in ISPS {
        house.found(name, login).await?;
        timeline.done(format_args!("{name} is there; its admin {login} is in"));
    }
    Ok(())
}

fn tell_sale(timeline: &mut Timeline, sale: &Sale) {
    let (shares, what) = (&sale.shares, &sale.what);
    let session = shares.session.map(|session| format!(", session {}", millis(session))).unwrap_or_default();
    timeline.done(format_args!("payment → online: {} ms for {what} at {}", millis(shares.total), sale.place));
    timeline.note(format_args!(
        "wake {}, connect {}, read {}, observe {}, write {}, read back {}{session}",
        millis(shares.wake),
        millis(shares.connect),
        millis(shares.read),
        millis(shares.observe),
        millis(shares.write),
        millis(shares.read_back),
    ));
}

/// Sells a minute to jane, who is told to wait before; both ISPs have a jane on a mast-1.
async fn sell_a_minute(house: &House, timeline: &mut Timeline, isp: usize, sales: &mut Vec<Sale>) -> anyhow::Result<Belongings> {
    let (isp, mast) = house.at(isp, "mast-1");
    sales::packages(isp).await?;
    let customer = sales::subscriber(isp, mast, "jane", "Minute").await?;
    timeline.done("packages are on sale; jane has dialled in, and is held back until she pays");
    let sale = sales::sell(isp, mast, "jane", &["20"]).await?;
    tell_sale(timeline, &sale);
    sales.push(sale);
    let payments = isp.admin.run(&["payment", "list", "--customer", "jane"]).await?;
    let payment = payments["items"][0]["id"].as_str().context("jane's payment is not listed")?.to_owned();
    Ok(Belongings { customer, payment })
}

/// Sells a month of PPPoE, a voucher and an office line on an ISP's other mast.
async fn sell_the_rest(house: &House, timeline: &mut Timeline, isp: usize, sales: &mut Vec<Sale>) -> anyhow::Result<()> {
    let price = ISPS[isp].2;
    let (isp, mast) = house.at(isp, "mast-2");
    let port = mast.spec.hotspot.context("this router has a hotspot")?;
    sales::subscriber(isp, mast, "juma", "Home").await?;
    sales.push(sales::sell(isp, mast, "juma", &[price]).await?);
    tell_sale(timeline, &sales[sales.len() - 1]);

    let codes = house.data().with_file_name(format!("{}-codes.txt", isp.admin.login));
    std::fs::write(&codes, CODES)?;
    let file = codes.to_str().context("the temporary folder's name is not text")?;
    isp.admin.run(&["voucher", "create", "--package", "Day", "--codes", file]).await?;
    sales.push(sales::redeem(isp, mast, port, "KARIBU01").await?);
    tell_sale(timeline, &sales[sales.len() - 1]);
    let again = isp.admin.refused(&["voucher", "redeem", "karibu-01", "--router", mast.spec.name]).await?;
    timeline.done(format_args!("the same voucher again at {}: {again}", isp.name));

    sales::customer(isp, mast, "shop", "Office", &["--address", OFFICE]).await?;
    mast.ask(Command::Static { address: OFFICE.parse()? }).await?;
    sales.push(sales::sell_static(isp, mast, "shop", OFFICE, "5000").await?);
    tell_sale(timeline, &sales[sales.len() - 1]);
    Ok(())
}

/// A second click on Pay is the same payment; the books say so.
async fn count_once(house: &House, timeline: &mut Timeline) -> anyhow::Result<()> {
    let (isp, price) = (&house.isps[0], ISPS[0].2);
    let cash = async || {
        let books = isp.admin.run(&["ledger", "balances"]).await?;
        let accounts = books["items"].as_array().cloned().unwrap_or_default();
        let cash = accounts.iter().find(|account| account["account"] == "cash");
        cash.and_then(|cash| cash["balance"]["minor"].as_i64()).context("the books have no cash")
    };
    let before = cash().await?;
    let words = ["juma", price, "--key", "the-same-click"];
    let (first, second) = (sales::pay(isp, &words).await?, sales::pay(isp, &words).await?);
    let taken = cash().await? - before;
    ensure!(first == second && taken == price.parse::<i64>()? * 100, "two clicks made {first} and {second}, and took {taken}");
    timeline.done(format_args!("juma renews early, and Pay is clicked twice: one payment, {price}.00 in the books"));
    Ok(())
}

/// Takes money for a customer whose router cannot be reached, and waits for its return.
async fn pay_while_away(house: &House, timeline: &mut Timeline) -> anyhow::Result<Sale> {
    let (isp, mast) = house.at(0, "mast-2");
    sales::subscriber(isp, mast, "asha", "Home").await?;
    mast.ask(Command::Fault(Fault::CutLink)).await?;
    timeline.done(format_args!("asha has dialled in at {} {}, and its uplink is cut", isp.name, mast.spec.name));
    let payment = sales::pay(isp, &["asha", ISPS[0].2]).await?;
    let state = isp.admin.run(&["router", "state", mast.spec.name]).await?;
    ensure!(state["in_sync"] == false, "a router that is away holds what was paid a moment ago: {state}");
    timeline.done("asha pays all the same: the money is booked, and what is wanted waits for the router");
    // Long enough for the attempt that is under way to get nowhere.
    tokio::time::sleep(Duration::from_secs(2)).await;
    ensure!(mast.customer("asha").await?["online"] == false, "asha is online although nobody could tell her router");
    mast.ask(Command::Fault(Fault::RestoreLink)).await?;
    let back = Instant::now();
    timeline.done("the uplink works again");
    mast.wait("asha", true).await?;
    timeline.done(format_args!("asha is online {:.1} s after her router's return", back.elapsed().as_secs_f64()));
    sales::measure(isp, mast, "asha (router away)".to_owned(), &payment, true).await
}

/// Waits until jane's minute is over, sees her held back, and sells her a month.
async fn expire_and_renew(house: &House, timeline: &mut Timeline, isp: usize, sales: &mut Vec<Sale>) -> anyhow::Result<()> {
    let price = ISPS[isp].2;
    let (isp, mast) = house.at(isp, "mast-1");
    let payments = isp.admin.run(&["payment", "list", "--customer", "jane"]).await?;
    let payment = payments["items"][0]["id"].as_str().context("jane's payment is not listed")?.to_owned();
    let shown = isp.admin.run(&["payment", "show", &payment]).await?;
    let ends: Timestamp = shown["ends_at"].as_str().context("paid time without an end")?.parse()?;
    let held = until("jane is held back", EXPIRY_LIMIT, async || {
        let seen = mast.customer("jane").await?;
        let held = seen["connected"] == true && seen["online"] == false;
        ensure!(!held || SystemClock.now() >= ends, "jane was cut before her time was up");
        Ok(held.then_some(seen))
    })
    .await?;
    let late = SystemClock.now().duration_since(ends).as_secs_f64();
    timeline.done(format_args!("jane's minute at {} is over: held back {late:.1} s after its end", isp.name));
    timeline.note(format_args!(
        "address {}, {}",
        held["address"].as_str().unwrap_or("-"),
        held["reason"].as_str().unwrap_or("-")
    ));
    let sale = sales::sell(isp, mast, "jane", &[price, "--package", "Home"]).await?;
    tell_sale(timeline, &sale);
    sales.push(sale);
    Ok(())
}

/// Applies again on every router, and wants nothing written.
async fn second_pass(house: &House, timeline: &mut Timeline) -> anyhow::Result<Vec<u64>> {
    let mut second = Vec::new();
    for mast in &house.masts {
        let (isp, name) = (&house.isps[mast.spec.isp], mast.spec.name);
        until("the router holds what is wanted", PATIENCE, async || {
            let state = isp.admin.run(&["router", "state", name]).await?;
            Ok((state["in_sync"] == true).then_some(()))
        })
        .await?;
        let writes = apply(house, mast).await?;
        ensure!(writes == 0, "the second pass sent {writes} writes to {name} of {}", isp.name);
        timeline.done(format_args!("{} {name}: 0 writes", isp.name));
        second.push(writes);
    }
    Ok(second)
}
