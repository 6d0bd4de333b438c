//! What runs beside the HTTP server: the hub's events, the outbox, and the sweeps. Each loop only finds out that something is due and
//! calls the domain that knows what to do; each survives the database being away.

use crate::app::App;
use crate::{
    customers, enrolment, expenses, http, jobs, messages, monitoring, notifications, operators, payments, provisioning, tenants,
    tunnels,
};
use db::DbError;
use jiff::Timestamp;
use model::{EnrolmentId, WgPublicKey};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tunnel::HubEvent;
use uuid::Uuid;

/// How often the outbox is read in case a wake was lost.
const OUTBOX_POLL: Duration = Duration::from_secs(1);
/// Outbox entries taken at once.
const OUTBOX_BATCH: i64 = 200;
/// How often it is looked whether something has ended; the router's own fuse ends it when nobody looks.
const EXPIRY_EVERY: Duration = Duration::from_secs(1);
/// How often enrolments and old idempotency keys are swept.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How often every router is looked at although nothing has changed: its fuses reach a week ahead and have to be renewed.
const LOOK_EVERY: Duration = Duration::from_secs(6 * 3600);
/// How often it is looked whether a job is due.
const JOBS_EVERY: Duration = Duration::from_secs(20);
/// How often it is looked who is online, and judged who is away.
const WATCH_EVERY: Duration = Duration::from_secs(60);
/// How often it is looked whether a message is due.
const MESSAGES_EVERY: Duration = Duration::from_secs(2);
/// How often the peers' endpoints are stored.
const ENDPOINTS_EVERY: Duration = Duration::from_secs(5);

/// Starts everything. Dropping the set stops it.
#[must_use]
pub fn start(app: &Arc<App>, events: mpsc::Receiver<HubEvent>) -> JoinSet<()> {
    let mut set = JoinSet::new();
    set.spawn(hub_events(app.clone(), events));
    set.spawn(outbox(app.clone()));
    set.spawn(expiry(app.clone()));
    set.spawn(sweeps(app.clone()));
    set.spawn(looks(app.clone()));
    set.spawn(watch(app.clone()));
    set.spawn(scheduled(app.clone()));
    set.spawn(sends(app.clone()));
    set
}

/// Logs what a loop could not do; it will try again.
fn report<T, E: std::error::Error + 'static>(what: &'static str, result: Result<T, E>) -> Option<T> {
    result
        .map_err(
            |error| tracing::warn!(what, error = %telemetry::chain(&error), "background work failed and will be tried again"),
        )
        .ok()
}

async fn outbox(app: Arc<App>) {
    // What was not applied when the controller stopped is due now.
    let mut behind = false;
    loop {
        if !behind {
            behind = report("finding routers that are behind", wake_behind(&app).await).is_some();
        }
        let taken = report("reading the outbox", app.db.locator().take_outbox(OUTBOX_BATCH).await).unwrap_or_default();
        let full = i64::try_from(taken.len()).is_ok_and(|taken| taken == OUTBOX_BATCH);
        for (door, router) in taken {
            app.provisioner.wake(&app, &door, router);
        }
        if !full {
            // Either there is news or it is time to look whether some was missed.
            let _: Result<(), _> = tokio::time::timeout(OUTBOX_POLL, app.db.woken()).await;
        }
    }
}

async fn wake_behind(app: &Arc<App>) -> Result<(), DbError> {
    for (door, router) in app.db.locator().routers_behind().await? {
        app.provisioner.wake(app, &door, router);
    }
    Ok(())
}

async fn expiry(app: Arc<App>) {
    let mut since = app.clock.now();
    loop {
        tokio::time::sleep(EXPIRY_EVERY).await;
        let now = app.clock.now();
        if report("finding what has ended", touch_expired(&app, since, now).await).is_some() {
            since = now;
        }
    }
}

/// Makes the routers look on which something ended in between. Ends that were missed while the controller was down are found by the look
/// that every router gets at start.
///
/// # Errors
/// When the database does not answer; then nothing is lost, as the caller asks again for the same time.
pub async fn touch_expired(app: &App, since: Timestamp, until: Timestamp) -> Result<(), DbError> {
    for (door, router) in app.db.locator().routers_with_expiry(since, until).await? {
        provisioning::touch(app, &door, router).await?;
    }
    Ok(())
}

async fn scheduled(app: Arc<App>) {
    let mut random = [0; 8];
    app.entropy.fill(&mut random);
    // Of several controllers each has its own, and a restarted one another: it cannot take its former self's lease for its own.
    let owner = format!("controller-{:016x}", u64::from_be_bytes(random));
    let mut planned = false;
    loop {
        if !planned {
            planned = report("planning jobs", jobs::plan(&app, jobs::DEFINITIONS).await).is_some();
        }
        report("doing what is due", jobs::run_due(&app, &owner, jobs::DEFINITIONS).await);
        tokio::time::sleep(JOBS_EVERY).await;
    }
}

async fn looks(app: Arc<App>) {
    loop {
        report("waking all routers", provisioning::wake_all(&app).await);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn watch(app: Arc<App>) {
    let began = app.clock.now();
    let mut online = provisioning::Watch::default();
    loop {
        report("judging who is away", monitoring::sweep(&app, began).await);
        tokio::time::sleep(WATCH_EVERY).await;
        report("looking who is online", online.begin_round(&app).await);
    }
}

async fn sweeps(app: Arc<App>) {
    loop {
        report("ending enrolments", enrolment::expire(&app).await);
        report("finishing enrolments", enrolment::finish_bound(&app).await);
        report("letting idle voucher customers go", customers::forget_idle(&app).await);
        report("ending attempts to collect money", payments::attempts::expire(&app).await);
        report("noting what the ISPs spend again and again", expenses::run_due(&app).await);
        report("writing to customers", messages::run_due(&app).await);
        report("telling of silent routers", notifications::tell_of_outages(&app).await);
        report("forgetting old idempotency keys", http::idempotency::forget_old(&app).await);
        report("telling who asks for what is not theirs", operators::tell_of_strangers(&app).await);
        report("counting requests", tenants::flush_requests(&app).await);
        report("going on with purges", tenants::resume_purges(&app).await);
        tokio::time::sleep(SWEEP_EVERY).await;
    }
}

async fn sends(app: Arc<App>) {
    loop {
        report("sending messages", messages::send_due(&app).await);
        tokio::time::sleep(MESSAGES_EVERY).await;
    }
}

async fn hub_events(app: Arc<App>, mut events: mpsc::Receiver<HubEvent>) {
    let mut seen: BTreeMap<WgPublicKey, String> = BTreeMap::new();
    let mut keys: BTreeMap<Ipv4Addr, WgPublicKey> = BTreeMap::new();
    let mut flush = tokio::time::interval(ENDPOINTS_EVERY);
    loop {
        tokio::select! {
            event = events.recv() => {
                let Some(event) = event else { return };
                match &event {
                    HubEvent::PeerUp { address, public_key, endpoint } => {
                        keys.insert(*address, *public_key);
                        seen.insert(*public_key, endpoint.to_string());
                    }
                    HubEvent::EndpointChanged { address, to, .. } => {
                        if let Some(key) = keys.get(address) {
                            seen.insert(*key, to.to_string());
                        }
                    }
                    _ => {}
                }
                // On a task of its own: what follows may talk to a router, and the next event must not wait for it.
                tokio::spawn(handle(app.clone(), event));
            }
            _ = flush.tick(), if !seen.is_empty() => {
                let batch: Vec<_> = seen.iter().map(|(key, endpoint)| (*key, endpoint.clone())).collect();
                if report("storing endpoints", app.db.locator().store_endpoints(&batch, app.clock.now()).await).is_some() {
                    seen.clear();
                }
            }
        }
    }
}

/// Does what a hub event calls for. Errors are logged where they are understood.
async fn handle(app: Arc<App>, event: HubEvent) {
    let enrolment = |id: [u8; 16]| EnrolmentId::from_uuid(Uuid::from_bytes(id));
    match event {
        HubEvent::PeerUp { address, public_key, endpoint } => {
            tracing::info!(tunnel.address = %address, "a router connected");
            tracing::debug!(tunnel.address = %address, endpoint = %endpoint, "from here");
            report("greeting a router", peer_up(&app, &public_key).await);
        }
        HubEvent::PeerDown { address, public_key } => {
            tracing::info!(tunnel.address = %address, "a router has been silent for 180 s");
            report("noting that a router is silent", peer_down(&app, &public_key).await);
        }
        HubEvent::EndpointChanged { address, from, to } => {
            tracing::debug!(tunnel.address = %address, %from, %to, "a router moved")
        }
        HubEvent::DuplicateKey { address, a, b } => {
            tracing::error!(tunnel.address = %address, %a, %b, "two routers use one WireGuard key: one was restored from the other's backup; re-issue one");
        }
        HubEvent::ClockBehind { address } => {
            tracing::warn!(tunnel.address = %address, "a router's clock went back, so its handshakes were refused; it needs a working NTP server");
        }
        HubEvent::UnknownPeer { public_key, endpoint } => tracing::debug!(key = %public_key, %endpoint, "an unknown key knocks"),
        HubEvent::EnrolmentProven { id, public_key, endpoint } => {
            report("binding a router", enrolment::proven(&app, enrolment(id), public_key, endpoint).await);
        }
        HubEvent::EnrolmentUnproven { id, endpoint, .. } => {
            let what = format!(
                "a router at {endpoint} began and sent nothing more: its block is not the newest one, or our answers do not reach it"
            );
            report("noting an attempt", enrolment::attempted(&app, enrolment(id), &what).await);
        }
        HubEvent::EnrolmentConflict { id, public_key, endpoint } => {
            let what =
                format!("a second router ({public_key} at {endpoint}) used the block of one that had joined; it was refused");
            report("noting an attempt", enrolment::attempted(&app, enrolment(id), &what).await);
        }
    }
}

/// A router is there: finish its enrolment if that is open, and look at it.
async fn peer_up(app: &Arc<App>, key: &WgPublicKey) -> Result<(), tunnels::TunnelError> {
    let Some((door, router)) = app.db.locator().peer(key).await? else { return Ok(()) };
    report("finishing an enrolment", enrolment::complete(app, &door, router).await);
    app.provisioner.wake(app, &door, router);
    report("noting that a router is there", monitoring::router_heard(app, &door, router).await);
    Ok(())
}

async fn peer_down(app: &Arc<App>, key: &WgPublicKey) -> Result<(), monitoring::MonitoringError> {
    let Some((door, router)) = app.db.locator().peer(key).await? else { return Ok(()) };
    monitoring::router_silent(app, &door, router).await
}
