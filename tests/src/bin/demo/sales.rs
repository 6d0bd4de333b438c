//! Packages, customers and money; and how long a payment takes to bring somebody online.

use crate::house::{ISPS, Isp};
use crate::mast::{Mast, PATIENCE};
use crate::process::until;
use anyhow::Context as _;
use jiff::Timestamp;
use routeros_sim::control::Command;
use serde_json::Value;

/// The voucher codes that both ISPs have printed.
pub const CODES: &str = "KARIBU01\nKARIBU02\n";
/// The device that uses the hotspots.
pub const PHONE: &str = "AA:BB:CC:DD:EE:01";

/// A payment with what became of it.
#[derive(Debug)]
pub struct Sale {
    /// Where the customer is.
    pub place: String,
    /// Who paid for what.
    pub what: String,
    /// Parts of the time in microseconds.
    pub shares: Shares,
}

/// Where the time from the payment's request to the customer's session went, in microseconds.
#[derive(Debug)]
pub struct Shares {
    /// From the request's arrival until the router's worker began: the payment's transaction, the outbox, the wake.
    pub wake: i64,
    /// Connecting and logging in; near nothing when a connection was kept.
    pub connect: i64,
    /// Reading the business from the database.
    pub read: i64,
    /// Printing what the router holds, and planning.
    pub observe: i64,
    /// Writing.
    pub write: i64,
    /// Printing again and comparing.
    pub read_back: i64,
    /// From the router's proof until the customer's session was seen in its list; nothing for a customer without one.
    pub session: Option<i64>,
    /// All of it.
    pub total: i64,
}

/// Puts the same packages on sale as everybody does.
pub async fn packages(isp: &Isp) -> anyhow::Result<()> {
    let month = ISPS.iter().find(|(name, ..)| *name == isp.name).map_or("1500", |(.., price)| *price);
    let all: [&[&str]; 4] = [
        &["Home", "--kind", "pppoe", "--price", month, "--speed", "10M/5M", "--validity", "1mo"],
        &["Minute", "--kind", "pppoe", "--price", "20", "--speed", "4M/2M", "--validity", "60s"],
        &["Day", "--kind", "hotspot", "--price", "50", "--speed", "5M/2M", "--validity", "24h", "--data", "2G"],
        &["Office", "--kind", "static", "--price", "5000", "--speed", "20M/20M", "--validity", "30d"],
    ];
    for words in all {
        let words: Vec<&str> = ["package", "add"].into_iter().chain(words.iter().copied()).collect();
        isp.admin.run(&words).await?;
    }
    Ok(())
}

/// Returns the password that customers of an ISP dial with: the logins are the same at both, the passwords are not.
pub fn secret(mast: &Mast) -> String {
    format!("dial-{}-secret", mast.spec.isp + 1)
}

/// Adds a customer with the ISP's password; returns the id.
pub async fn customer(isp: &Isp, mast: &Mast, login: &str, package: &str, more: &[&str]) -> anyhow::Result<String> {
    let mut words = vec!["customer", "add", login, "--router", mast.spec.name, "--package", package, "--ask"];
    words.extend(more);
    let added = isp.admin.type_in(&words, &format!("{}\n", secret(mast))).await?;
    Ok(added["id"].as_str().context("a customer without an id")?.to_owned())
}

/// Adds a PPPoE customer, whose box dials at once and is held back; returns the id.
pub async fn subscriber(isp: &Isp, mast: &Mast, login: &str, package: &str) -> anyhow::Result<String> {
    let id = customer(isp, mast, login, package, &[]).await?;
    mast.dial(login, &secret(mast)).await?;
    until("the box is let in, and held back", PATIENCE, async || {
        let seen = mast.customer(login).await?;
        Ok((seen["connected"] == true && seen["online"] == false).then_some(()))
    })
    .await?;
    Ok(id)
}

/// Takes cash; returns the payment's id.
pub async fn pay(isp: &Isp, words: &[&str]) -> anyhow::Result<String> {
    let words: Vec<&str> = ["pay"].into_iter().chain(words.iter().copied()).collect();
    payment(&isp.admin.run(&words).await?)
}

/// Takes cash from a customer with a box, and waits until it is online.
pub async fn sell(isp: &Isp, mast: &Mast, login: &str, words: &[&str]) -> anyhow::Result<Sale> {
    let words: Vec<&str> = [login].into_iter().chain(words.iter().copied()).collect();
    let id = pay(isp, &words).await?;
    mast.wait(login, true).await?;
    measure(isp, mast, format!("{login} (PPPoE)"), &id, true).await
}

/// Uses a voucher up for the phone at the hotspot, which then logs in.
pub async fn redeem(isp: &Isp, mast: &Mast, port: &str, code: &str) -> anyhow::Result<Sale> {
    let at = |user: Option<String>| Command::HotspotLogin {
        mac: PHONE.to_owned(),
        interface: port.to_owned(),
        password: user.clone().unwrap_or_default(),
        user,
    };
    mast.ask(at(None)).await?;
    mast.wait(PHONE, false).await?;
    let id = payment(&isp.admin.run(&["voucher", "redeem", code, "--router", mast.spec.name]).await?)?;
    let login = code.to_lowercase();
    until("the phone is online", PATIENCE, async || {
        let report = mast.ask(at(Some(login.clone()))).await?;
        Ok((report["online"] == true).then_some(()))
    })
    .await?;
    measure(isp, mast, format!("voucher {code} (hotspot)"), &id, true).await
}

/// Takes cash from a customer with an address of its own, and waits until it is let through.
pub async fn sell_static(isp: &Isp, mast: &Mast, login: &str, address: &str, amount: &str) -> anyhow::Result<Sale> {
    mast.wait(address, false).await?;
    let id = pay(isp, &[login, amount]).await?;
    mast.wait(address, true).await?;
    measure(isp, mast, format!("{login} (static)"), &id, false).await
}

fn payment(answer: &Value) -> anyhow::Result<String> {
    Ok(answer["payment"].as_str().context("a payment without an id")?.to_owned())
}

/// Reads how long a payment took, from the payment itself and from the plan that it caused.
pub async fn measure(isp: &Isp, mast: &Mast, what: String, id: &str, session: bool) -> anyhow::Result<Sale> {
    let last = if session { "online_at" } else { "applied_at" };
    let payment = until("the payment's timeline is whole", PATIENCE, async || {
        let shown = isp.admin.run(&["payment", "show", id]).await?;
        Ok(shown[last].is_string().then_some(shown))
    })
    .await?;
    let changes = isp.admin.run(&["router", "changes", mast.spec.name]).await?;
    let generation = payment["generation"].as_i64().context("a payment without a generation")?;
    // The newest come first: the first plan that carried the payment is the last of those that could.
    let carried = |set: &&Value| set["generation"].as_i64() >= Some(generation) && set["outcome"] == "applied";
    let set = changes["items"].as_array().into_iter().flatten().rfind(carried);
    let set = set.with_context(|| format!("no plan carried the payment of {what}"))?;
    let place = format!("{} {}", isp.name, mast.spec.name);
    Ok(Sale { place, what, shares: shares(&payment, set)? })
}

fn shares(payment: &Value, set: &Value) -> anyhow::Result<Shares> {
    let at = |value: &Value| -> anyhow::Result<i64> {
        let text = value.as_str().context("a time that is not there")?;
        Ok(text.parse::<Timestamp>()?.as_microsecond())
    };
    let part = |name: &str| set["timing"][name].as_i64().with_context(|| format!("a plan without {name}"));
    let (received, applied) = (at(&payment["received_at"])?, at(&payment["applied_at"])?);
    let online = if payment["online_at"].is_string() { Some(at(&payment["online_at"])?) } else { None };
    Ok(Shares {
        wake: at(&set["started_at"])? - received,
        connect: part("connect_us")?,
        read: part("read_us")?,
        observe: part("observe_us")? + part("plan_us")?,
        write: part("apply_us")?,
        read_back: part("read_back_us")?,
        session: online.map(|online| online - applied),
        total: online.unwrap_or(applied) - received,
    })
}

/// Writes microseconds as milliseconds.
pub fn millis(micros: i64) -> String {
    format!("{}.{}", micros / 1_000, micros % 1_000 / 100)
}
