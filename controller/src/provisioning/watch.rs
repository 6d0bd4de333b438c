//! Who is online on a router, read from its own lists and written into the ledger of sessions. Reading changes nothing on the router, so
//! it waits for nobody's turn; and it takes places of its own, so that it delays no payment.

use super::facts::{self, FactsError, Preflight};
use super::store::StateView;
use super::{ProvisionError, open, store};
use crate::app::App;
use crate::sessions::{self, Listed, Listing, Recorded, SessionKind};
use db::{DbError, TenantDoor, TenantTx};
use jiff::SignedDuration;
use model::{Bytes, RouterId, TenantId};
use routeros::catalogue::{self as cat, Kind, Menu};
use routeros::client::Client;
use routeros::codec::Row;
use routeros::errors::TrapKind;
use routeros::{Command, Query};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Routers that are watched at once, in all and of one tenant.
const AT_ONCE: usize = 32;
const AT_ONCE_PER_TENANT: usize = 4;
/// How long one router may take to tell.
const LIMIT: Duration = Duration::from_secs(20);
/// Commands in flight.
const IN_FLIGHT: usize = 8;
/// Longest texts that are kept, in characters.
const LOGIN_MAX: usize = 100;
const NAME_MAX: usize = 64;

/// Looks at who is online on all routers, round by round.
#[derive(Debug)]
pub struct Watch {
    places: Arc<Semaphore>,
    busy: Arc<Mutex<HashSet<TenantId>>>,
    rounds: JoinSet<()>,
}

impl Default for Watch {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), busy: Arc::default(), rounds: JoinSet::new() }
    }
}

/// That a tenant's round is under way.
struct Busy {
    busy: Arc<Mutex<HashSet<TenantId>>>,
    tenant: TenantId,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.tenant);
    }
}

impl Watch {
    /// Begins a round of every tenant whose last round is over: a tenant with many slow routers is watched less often, and nobody else is.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin_round(&mut self, app: &Arc<App>) -> Result<(), DbError> {
        while self.rounds.try_join_next().is_some() {}
        for door in app.db.locator().tenants("sessions").await? {
            let tenant = door.tenant();
            if !self.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant) {
                continue;
            }
            let busy = Busy { busy: self.busy.clone(), tenant };
            self.rounds.spawn(round(app.clone(), door, self.places.clone(), busy));
        }
        Ok(())
    }
}

async fn round(app: Arc<App>, door: TenantDoor, places: Arc<Semaphore>, _busy: Busy) {
    let routers = async {
        let mut tx = app.db.tenant(&door).await?;
        store::confirmed(&mut tx).await
    };
    let routers = match routers.await {
        Ok(routers) => routers,
        Err(error) => {
            tracing::warn!(error = %telemetry::chain(&error), "a tenant's routers could not be read to be watched");
            return;
        }
    };
    let mine = Arc::new(Semaphore::new(AT_ONCE_PER_TENANT));
    let mut looks = JoinSet::new();
    for router in routers {
        let (app, door, places) = (app.clone(), door.clone(), places.clone());
        // The tenant's own place first, so that its waiting takes nobody else's.
        let Ok(own) = mine.clone().acquire_owned().await else { return };
        looks.spawn(async move {
            let (_own, Ok(_place)) = (own, places.acquire().await) else { return };
            match tokio::time::timeout(LIMIT, watch(&app, &door, router)).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) if error.is_away() => {}
                Ok(Err(error)) => {
                    tracing::debug!(router.id = %router, error = %telemetry::chain(&error), "a router's sessions could not be read");
                }
                Err(_) => tracing::debug!(router.id = %router, "a router did not list its sessions in time"),
            }
        });
        while looks.try_join_next().is_some() {}
    }
    while looks.join_next().await.is_some() {}
}

/// Reads who is online on a router now and writes it down.
///
/// # Errors
/// When the router is away, another box answers in its place, or the database does not answer.
///
/// # Cancel safety
/// What was not written down is forgotten.
pub async fn watch(app: &App, door: &TenantDoor, router: RouterId) -> Result<Recorded, ProvisionError> {
    let client = open(app, door, router).await?;
    let (serial, listing) = list(app, &client).await?;
    let mut tx = app.db.tenant(door).await?;
    let known = store::router(&mut tx, router).await?.ok_or(ProvisionError::NotFound)?.serial;
    if let Some(known) = known.filter(|known| *known != serial) {
        return Err(ProvisionError::OtherSerial { known, found: serial });
    }
    let recorded = sessions::note_listing(app, &mut tx, router, &listing).await?;
    tx.commit().await?;
    Ok(recorded)
}

/// Writes down who is online, over a connection that a worker has open and whose router it has recognised.
pub(super) async fn note(app: &App, door: &TenantDoor, router: RouterId, client: &Client) -> Result<(), ProvisionError> {
    let (_, listing) = list(app, client).await?;
    let mut tx = app.db.tenant(door).await?;
    sessions::note_listing(app, &mut tx, router, &listing).await?;
    Ok(tx.commit().await?)
}

/// Says how a router stands to what it should hold.
///
/// # Errors
/// When the database does not answer.
pub async fn state_of(tx: &mut TenantTx, router: RouterId) -> Result<Option<StateView>, DbError> {
    store::state(tx, router).await
}

/// Reads a router for a diagnosis: what stands in its way, and which box it is.
///
/// # Errors
/// When it cannot be reached or read; the error says at which step.
pub async fn examine(app: &App, door: &TenantDoor, router: RouterId) -> Result<Preflight, ProvisionError> {
    let client = open(app, door, router).await?;
    let facts = facts::read(app, &client).await?;
    Ok(Preflight::of(&facts))
}

/// Reads the router's serial number and all its sessions, in one pipelined round.
async fn list(app: &App, client: &Client) -> Result<(String, Listing), ProvisionError> {
    use cat::{interface, ip_hotspot_active as hotspot, ppp_active as ppp, system_license, system_resource, system_routerboard};
    let dynamic = Query::Is(interface::DYNAMIC, "true".into());
    let asks: [(&Menu, Command, bool); 6] = [
        (&system_resource::MENU, Command::print(&system_resource::MENU).proplist([system_resource::UPTIME]), false),
        (
            &system_routerboard::MENU,
            Command::print(&system_routerboard::MENU).proplist([system_routerboard::SERIAL_NUMBER]),
            true,
        ),
        (&system_license::MENU, Command::print(&system_license::MENU).proplist([system_license::SYSTEM_ID]), true),
        (
            &ppp::MENU,
            Command::print(&ppp::MENU).proplist([
                ppp::NAME,
                ppp::SERVICE,
                ppp::CALLER_ID,
                ppp::ADDRESS,
                ppp::UPTIME,
                ppp::SESSION_ID,
            ]),
            false,
        ),
        (
            &hotspot::MENU,
            Command::print(&hotspot::MENU).proplist([
                hotspot::USER,
                hotspot::ADDRESS,
                hotspot::MAC_ADDRESS,
                hotspot::UPTIME,
                hotspot::BYTES_IN,
                hotspot::BYTES_OUT,
            ]),
            true,
        ),
        (
            &interface::MENU,
            Command::print(&interface::MENU).proplist([interface::NAME, interface::RX_BYTE, interface::TX_BYTE]).query(&dynamic),
            false,
        ),
    ];
    let commands: Vec<Command> = asks.iter().map(|(_, command, _)| command.clone()).collect();
    let mut answers = Vec::with_capacity(asks.len());
    for ((menu, _, optional), result) in asks.iter().zip(client.call_all(&commands, IN_FLIGHT).await) {
        answers.push(match result {
            Ok(response) => response.rows,
            // A router without the package has no such menu, and nobody on it.
            Err(routeros::client::CallError::Trap(trap)) if *optional && TrapKind::classify(&trap) == TrapKind::NoSuchCommand => {
                Vec::new()
            }
            Err(source) => return Err(FactsError::Call { menu: menu.path, source }.into()),
        });
    }
    let at = app.clock.now();
    let [resource, board, license, ppp_rows, hotspot_rows, links] = answers.try_into().expect("one answer for each question");
    let only =
        |rows: &[Row], name: &str| rows.first().and_then(|row| row.text(name)).filter(|text| !text.is_empty()).map(str::to_owned);
    let serial = only(&board, system_routerboard::SERIAL_NUMBER).or_else(|| only(&license, system_license::SYSTEM_ID));
    let dialled = ppp_rows.iter().filter(|row| matches!(row.text(ppp::SERVICE), Some("pppoe" | "") | None));
    let mut sessions: Vec<Listed> = dialled.filter_map(dialled_session).collect();
    count_links(&mut sessions, &links);
    sessions.extend(hotspot_rows.iter().filter_map(hotspot_session));
    let uptime = only(&resource, system_resource::UPTIME).and_then(|text| seconds(&text));
    Ok((serial.unwrap_or_default(), Listing { at, uptime, sessions }))
}

fn dialled_session(row: &Row) -> Option<Listed> {
    use cat::ppp_active as ppp;
    Some(Listed {
        kind: SessionKind::Pppoe,
        login: short(row.text(ppp::NAME)?, LOGIN_MAX),
        acct_id: short(row.text(ppp::SESSION_ID).unwrap_or_default(), NAME_MAX),
        address: row.text(ppp::ADDRESS).and_then(|text| text.parse().ok()),
        station: short(row.text(ppp::CALLER_ID).unwrap_or_default(), NAME_MAX),
        uptime: row.text(ppp::UPTIME).and_then(seconds)?,
        upload: None,
        download: None,
    })
}

fn hotspot_session(row: &Row) -> Option<Listed> {
    use cat::ip_hotspot_active as hotspot;
    let bytes = |name: &str| row.text(name).and_then(|text| text.parse().ok()).map(Bytes);
    Some(Listed {
        kind: SessionKind::Hotspot,
        login: short(row.text(hotspot::USER)?, LOGIN_MAX),
        acct_id: String::new(),
        address: row.text(hotspot::ADDRESS).and_then(|text| text.parse().ok()),
        station: short(row.text(hotspot::MAC_ADDRESS).unwrap_or_default(), NAME_MAX),
        uptime: row.text(hotspot::UPTIME).and_then(seconds)?,
        upload: bytes(hotspot::BYTES_IN),
        download: bytes(hotspot::BYTES_OUT),
    })
}

/// A dialled session's volume stands at its link, which RouterOS names `<pppoe-LOGIN>` and makes with the session. Where a login dials
/// twice the names of the links do not tell which is whose, so nothing is said.
fn count_links(sessions: &mut [Listed], links: &[Row]) {
    use cat::interface;
    let by_name: HashMap<&str, &Row> = links.iter().filter_map(|row| Some((row.text(interface::NAME)?, row))).collect();
    let mut times: HashMap<String, usize> = HashMap::new();
    for session in sessions.iter() {
        *times.entry(session.login.clone()).or_default() += 1;
    }
    for session in sessions.iter_mut().filter(|session| times[&session.login] == 1) {
        let Some(link) = by_name.get(format!("<pppoe-{}>", session.login).as_str()) else { continue };
        let bytes = |name: &str| link.text(name).and_then(|text| text.parse().ok()).map(Bytes);
        (session.upload, session.download) = (bytes(interface::RX_BYTE), bytes(interface::TX_BYTE));
    }
}

/// Cuts a text that a customer's device chose to what is kept of it.
fn short(text: &str, max: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(max).collect()
}

/// Reads a time span as the router writes it, in whole seconds.
pub(super) fn seconds(text: &str) -> Option<SignedDuration> {
    let canonical = Kind::Duration.canonical(text.as_bytes()).ok()?;
    let mut rest = canonical.as_str();
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let split = rest.find(|c: char| !c.is_ascii_digit())?;
        let value: i64 = rest[..split].parse().ok()?;
        rest = &rest[split..];
        let units = [("w", 604_800), ("d", 86_400), ("h", 3600), ("ms", 0), ("m", 60), ("s", 1)];
        let (unit, factor) = units.into_iter().find(|(unit, _)| rest.starts_with(unit))?;
        total = total.checked_add(value.checked_mul(factor)?)?;
        rest = &rest[unit.len()..];
    }
    Some(SignedDuration::from_secs(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read_as_routers_write_them() {
        let read = |text: &str| seconds(text).map(|span| span.as_secs());
        assert_eq!(read("1w2d3h4m5s"), Some(604_800 + 2 * 86_400 + 3 * 3600 + 4 * 60 + 5));
        assert_eq!(read("00:05:09"), Some(309));
        assert_eq!(read("1m2s500ms"), Some(62));
        assert_eq!(read("soon"), None);
    }

    #[test]
    fn texts_of_customers_devices_are_cut() {
        assert_eq!(short("ja\u{0}ne\n", 100), "jane");
        assert_eq!(short(&"x".repeat(200), LOGIN_MAX).len(), 100);
    }
}
