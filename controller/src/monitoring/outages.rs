//! Outages of routers, as the hub hears them, and of customers, as their sessions tell.

use super::rules::{self, Evidence, Step};
use super::{MonitoringError, store};
use crate::app::App;
use crate::customers;
use crate::http::{List, Page};
use crate::operators::{Permission, TenantScope};
use crate::routers;
use crate::sessions;
use db::{TenantDoor, TenantTx};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use model::{CustomerId, OutageId, RouterId};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use utoipa::ToSchema;

/// How long the hub hears nothing of a router before it says so; that is the router's debounce.
const SILENCE: SignedDuration = SignedDuration::from_secs(180);
/// How long routers have after the controller's start to shake hands anew, before they count as away.
const GRACE: SignedDuration = SignedDuration::from_secs(300);
/// How long a customer must be away: a device that dials anew, or restarts, is back before.
const CUSTOMER_DEBOUNCE: SignedDuration = SignedDuration::from_secs(300);
/// After so long without a sweep, nobody watched.
const GAP: SignedDuration = SignedDuration::from_secs(300);
/// A session that ended longer ago opens no outage: it is somebody who has gone, not somebody who is missed.
const AGE_MAX: SignedDuration = SignedDuration::from_hours(48);
/// How far beside a router's outage a customer's may begin and still come from it.
const PARENT_SLACK: SignedDuration = SignedDuration::from_secs(300);
/// How long a router has to be silent before anybody is told.
const LONG: SignedDuration = SignedDuration::from_mins(15);
/// Ends of sessions that are judged at once.
const BATCH: i64 = 1_000;

/// Judges every tenant once. `began` is when this process began to watch.
///
/// # Errors
/// When the database does not answer; tenants that were judged before that stay judged.
pub async fn sweep(app: &App, began: Timestamp) -> Result<(), MonitoringError> {
    for door in app.db.locator().tenants("monitoring").await? {
        watch_tenant(app, &door, began).await?;
    }
    Ok(())
}

/// Judges a tenant's routers by what the hub hears of them now, and its customers by the sessions that ended since the last time.
///
/// # Errors
/// When the database or the hub does not answer.
pub async fn watch_tenant(app: &App, door: &TenantDoor, began: Timestamp) -> Result<(), MonitoringError> {
    let mut tx = app.db.tenant(door).await?;
    let serving = routers::serving(&mut tx).await?;
    drop(tx);
    let now = app.clock.now();
    let mut evidence = HashMap::new();
    for router in &serving {
        let status = match router.address {
            Some(address) => app.tunnels.status(address).await?,
            None => None,
        };
        evidence.insert(router.id, heard(status.map(|status| status.up), began, now));
    }
    let mut tx = app.db.tenant(door).await?;
    // Held until the end, so that of two controllers one judges after the other.
    let watched_at = store::hold_watch(&mut tx, now).await?;
    if let Some(last) = watched_at.filter(|last| now.duration_since(*last) > GAP) {
        store::insert_gap(&mut tx, last, now).await?;
    }
    judge_routers(app, &mut tx, &evidence, now).await?;
    judge_breaks(app, &mut tx, watched_at.unwrap_or(now), now).await?;
    judge_open_customers(&mut tx, now).await?;
    store::set_watch(&mut tx, now).await?;
    Ok(tx.commit().await?)
}

/// What the hub's view of a router says.
fn heard(up: Option<bool>, began: Timestamp, now: Timestamp) -> Evidence {
    match up {
        Some(true) => Evidence::There(now),
        Some(false) if now.duration_since(began) >= GRACE => Evidence::Away((now - SILENCE).max(began)),
        Some(false) | None => Evidence::Unknown,
    }
}

async fn judge_routers(
    app: &App,
    tx: &mut TenantTx,
    evidence: &HashMap<RouterId, Evidence>,
    now: Timestamp,
) -> Result<(), MonitoringError> {
    let open = store::open_routers(tx).await?;
    for (router, seen) in evidence {
        let began = open.get(router).map(|(_, began)| *began);
        apply_router(app, tx, *router, rules::step(began, *seen, SignedDuration::ZERO, now), now).await?;
    }
    // One that was taken out is missed no more.
    for router in open.keys().filter(|router| !evidence.contains_key(*router)) {
        let began = open.get(router).map(|(_, began)| *began);
        apply_router(app, tx, *router, rules::step(began, Evidence::NotOwed, SignedDuration::ZERO, now), now).await?;
    }
    Ok(())
}

async fn apply_router(app: &App, tx: &mut TenantTx, router: RouterId, step: Step, now: Timestamp) -> Result<(), MonitoringError> {
    match step {
        Step::Stay => {}
        Step::Open(since) => {
            let id = OutageId::generate(now, &*app.entropy);
            store::open(tx, &[store::NewOutage { id, router, customer: None, started_at: since, ended_at: None, parent: None }])
                .await?;
        }
        Step::Close(at, ending) => store::close_router(tx, router, at, ending).await?,
    }
    Ok(())
}

/// Judges one router by what is known of it now.
///
/// # Errors
/// When the database does not answer.
pub async fn judge_router(app: &App, door: &TenantDoor, router: RouterId, seen: Evidence) -> Result<(), MonitoringError> {
    let now = app.clock.now();
    let mut tx = app.db.tenant(door).await?;
    store::hold_watch(&mut tx, now).await?;
    if !routers::watched(&mut tx, router).await?.is_some_and(|router| router.confirmed) {
        return Ok(());
    }
    let began = store::open_routers(&mut tx).await?.get(&router).map(|(_, began)| *began);
    apply_router(app, &mut tx, router, rules::step(began, seen, SignedDuration::ZERO, now), now).await?;
    Ok(tx.commit().await?)
}

/// The hub has heard a router after a silence.
///
/// # Errors
/// When the database does not answer.
pub async fn router_heard(app: &App, door: &TenantDoor, router: RouterId) -> Result<(), MonitoringError> {
    judge_router(app, door, router, Evidence::There(app.clock.now())).await
}

/// The hub has not heard a router for 180 s.
///
/// # Errors
/// When the database does not answer.
pub async fn router_silent(app: &App, door: &TenantDoor, router: RouterId) -> Result<(), MonitoringError> {
    judge_router(app, door, router, Evidence::Away(app.clock.now() - SILENCE)).await
}

/// Judges the ends of dialled sessions that have become old enough since the last sweep.
async fn judge_breaks(app: &App, tx: &mut TenantTx, watched_at: Timestamp, now: Timestamp) -> Result<(), MonitoringError> {
    let until = now - CUSTOMER_DEBOUNCE;
    let mut after = (watched_at - CUSTOMER_DEBOUNCE, None);
    loop {
        let breaks = sessions::breaks(tx, after, until, BATCH).await?;
        let Some(last) = breaks.last() else { return Ok(()) };
        after = (last.closed_at, Some(last.session));
        let customers: Vec<CustomerId> = breaks.iter().map(|one| one.customer).collect();
        let owed = customers::owed(tx, &customers, now).await?;
        let mut new: BTreeMap<CustomerId, Vec<store::NewOutage>> = BTreeMap::new();
        for one in breaks.iter().filter(|one| now.duration_since(one.ended_at) <= AGE_MAX) {
            let interval = rules::interval(one.ended_at, one.back_at, owed.contains(&one.customer), CUSTOMER_DEBOUNCE, now);
            if let Some((started_at, ended_at)) = interval {
                let parent = store::router_outage_around(tx, one.router, started_at, PARENT_SLACK).await?;
                let id = OutageId::generate(now, &*app.entropy);
                let customer = Some(one.customer);
                let outages = new.entry(one.customer).or_default();
                outages.push(store::NewOutage { id, router: one.router, customer, started_at, ended_at, parent });
            }
        }
        store::open(tx, &new.into_values().flatten().collect::<Vec<_>>()).await?;
        if i64::try_from(breaks.len()).is_ok_and(|count| count < BATCH) {
            return Ok(());
        }
    }
}

/// Closes the outages of customers who are back, or who are owed nothing any more.
async fn judge_open_customers(tx: &mut TenantTx, now: Timestamp) -> Result<(), MonitoringError> {
    let open = store::open_customers(tx).await?;
    if open.is_empty() {
        return Ok(());
    }
    let ids: Vec<CustomerId> = open.iter().map(|(_, customer, _)| *customer).collect();
    let online = sessions::online(tx, &ids).await?;
    let owed = customers::owed(tx, &ids, now).await?;
    let mut closed = Vec::new();
    for (id, customer, began) in open {
        let evidence = match online.get(&customer) {
            Some(online) => Evidence::There(online.since),
            None if !owed.contains(&customer) => Evidence::NotOwed,
            None => Evidence::Unknown,
        };
        if let Step::Close(at, ending) = rules::step(Some(began), evidence, CUSTOMER_DEBOUNCE, now) {
            closed.push((id, at, ending));
        }
    }
    Ok(store::close(tx, &closed).await?)
}

/// A time for which a router was silent that somebody should be told of.
#[derive(Debug, Clone)]
pub struct LongOutage {
    /// The outage.
    pub id: OutageId,
    /// The router.
    pub router: RouterId,
    /// The router's name.
    pub name: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it had lasted long enough to be told of.
    pub long_at: Timestamp,
    /// Whether it is over.
    pub over: bool,
    /// When the router was back; none while it is not, or where it was taken out.
    pub ended_at: Option<Timestamp>,
}

/// Lists the routers' outages that lasted 15 minutes at least and became so long, or ended, after a time.
///
/// # Errors
/// When the database does not answer.
pub async fn long_outages(tx: &mut TenantTx, since: Timestamp, now: Timestamp) -> Result<Vec<LongOutage>, MonitoringError> {
    Ok(store::long_outages(tx, since, now, LONG).await?)
}

/// Lists a router's own outages, newest first.
///
/// # Errors
/// When the role may not, or there is no such router.
pub(super) async fn of_router(
    app: &App,
    scope: &TenantScope,
    router: RouterId,
    page: &Page,
) -> Result<List<store::OutageView>, MonitoringError> {
    let mut tx = scope.read(app, Permission::MonitoringRead).await?;
    routers::watched(&mut tx, router).await?.ok_or(MonitoringError::NotFound("router"))?;
    let filter = store::Filter { router: Some(router), of_routers: Some(true), ..store::Filter::default() };
    Ok(page.list(store::list(&mut tx, filter, page).await?))
}

/// How a router fared in a month.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UptimeView {
    /// The router.
    pub router: RouterId,
    /// The month, as `2026-01`, in the tenant's time zone.
    pub month: String,
    /// Seconds in which it was connected.
    pub up_seconds: u64,
    /// Seconds in which it was silent.
    pub down_seconds: u64,
    /// Seconds of which nothing is known, because the controller did not run.
    pub unknown_seconds: u64,
    /// The connected share of the known time in hundredths of a percent, 0 to 10000; none when nothing is known.
    pub up_per_myriad: Option<u32>,
    /// How many outages there were, those that reach in from before or out too.
    pub outages: usize,
}

/// Says how a router fared in a month of the tenant's time zone, so far if it is not over; this month when left out.
///
/// # Errors
/// When the role may not, there is no such router, or the month is none.
pub(super) async fn uptime(
    app: &App,
    scope: &TenantScope,
    router: RouterId,
    month: Option<&str>,
) -> Result<UptimeView, MonitoringError> {
    let wrong = || MonitoringError::Field { field: "month", message: "write a month that has begun, such as 2026-01" };
    let now = app.clock.now();
    let mut tx = scope.read(app, Permission::MonitoringRead).await?;
    routers::watched(&mut tx, router).await?.ok_or(MonitoringError::NotFound("router"))?;
    let zone = crate::tenants::current(&mut tx).await?.time_zone;
    let zone = TimeZone::get(&zone).unwrap_or(TimeZone::UTC);
    let first: Date = match month {
        Some(text) if text.len() == 7 => format!("{text}-01").parse().map_err(|_| wrong())?,
        Some(_) => return Err(wrong()),
        None => now.to_zoned(zone.clone()).date().first_of_month(),
    };
    let begin = |day: Date| day.to_zoned(zone.clone()).map(|zoned| zoned.timestamp()).map_err(|_| wrong());
    let next = first.checked_add(1.month()).map_err(|_| wrong())?;
    let added = store::router_added(&mut tx, router).await?;
    let whole = (begin(first)?.max(added), begin(next)?.min(now));
    if begin(first)? > now {
        return Err(wrong());
    }
    let outages = store::router_stretches(&mut tx, router, whole, now).await?;
    let gaps = store::gaps(&mut tx, whole).await?;
    let spent = rules::spent(whole, &outages, &gaps);
    Ok(UptimeView {
        router,
        month: first.to_string()[..7].to_owned(),
        up_seconds: spent.up,
        down_seconds: spent.down,
        unknown_seconds: spent.unknown,
        up_per_myriad: spent.per_myriad(),
        outages: outages.len(),
    })
}
