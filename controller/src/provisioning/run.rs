//! One look at a router: read the business, observe, plan, apply, read back.

use super::facts::{self, RouterFacts, TUNNEL_INTERFACE};
use super::rules::{self, ServiceChoice};
use super::store::{self, NewChangeSet, Timing};
use super::{ProvisionError, apply, export, guarded, open};
use crate::app::App;
use crate::configurations::Reason;
use crate::customers::{self, CustomerOnRouter, CustomerStatus};
use crate::packages::{OnExpiry, PackageKind, PackageView};
use crate::tenants;
use db::{TenantDoor, TenantTx};
use jiff::{SignedDuration, Timestamp};
use model::{ChangeSetId, CustomerId, PackageId, RouterId, RouterosVersion, Tag};
use reconcile::{
    ChangeSet, Desired, FUSE_DAYS, Finding, Kick, ObjectKey, Observed, Openings, Policy, Print, Risk, Row, Severity, Site, guard,
};
use routeros::catalogue::{self as cat, Access, Menu};
use routeros::client::Client;
use routeros::{Command, Query};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// Commands in flight while observing: all that a look asks, in one round trip. A virtual router hung at 25 of some commands.
const IN_FLIGHT: usize = 24;
/// How long a connection is kept at most where looks follow each other closely: what was learnt of the router when it was opened, such as
/// its ways out and whether it has FastTrack, is as old as it.
const KEPT_FOR: Duration = Duration::from_secs(300);
/// Keys that enrolment made and looks after.
pub(super) const TUNNEL_KEYS: &str = "tunnel:";
/// The menus of sessions' terms.
const TERMS: [&Menu; 4] =
    [&cat::ppp_secret::MENU, &cat::ppp_profile::MENU, &cat::ip_hotspot_user::MENU, &cat::ip_hotspot_user_profile::MENU];
/// The menus of sessions, and of what the router makes for each by its terms; together they tell under which terms a session began.
const SESSIONS: [&Menu; 5] = [
    &cat::ppp_active::MENU,
    &cat::ip_hotspot_active::MENU,
    &cat::ip_hotspot_cookie::MENU,
    &cat::queue_simple::MENU,
    &cat::ip_firewall_address_list::MENU,
];
/// From this version on a print hides secrets unless it is asked to show them.
const SECRETS_HIDDEN_SINCE: RouterosVersion = RouterosVersion::new(7, 21, 0);

/// A connection that is kept between looks, with what was learnt when it was opened.
#[derive(Debug, Clone)]
pub(super) struct Session {
    client: Client,
    facts: RouterFacts,
    opened: Instant,
}

impl Session {
    pub(super) async fn open(app: &App, door: &TenantDoor, router: RouterId) -> Result<Self, ProvisionError> {
        let opened = Instant::now();
        let client = open(app, door, router).await?;
        let facts = facts::read(app, &client).await?;
        let mut tx = app.db.tenant(door).await?;
        let known = store::router(&mut tx, router).await?.ok_or(ProvisionError::NotFound)?.serial;
        drop(tx);
        match known.filter(|known| *known != facts.serial) {
            Some(known) => Err(ProvisionError::OtherSerial { known, found: facts.serial }),
            None => Ok(Self { client, facts, opened }),
        }
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    pub(super) const fn router_facts(&self) -> &RouterFacts {
        &self.facts
    }

    pub(super) fn facts(&self, now: Timestamp) -> reconcile::Facts {
        self.facts.for_site(now)
    }

    /// Says whether another one has to be opened.
    fn is_over(&self) -> bool {
        self.client.lost().is_some() || self.opened.elapsed() > KEPT_FOR
    }
}

/// What one look did.
#[derive(Debug)]
pub(super) struct Looked {
    pub generation: i64,
    pub writes: usize,
}

/// What the database says a router should hold.
pub(super) struct Wanted {
    generation: i64,
    pub site: Site,
    pub desired: Desired,
    pub policy: Policy,
    /// Tags of objects that are wanted no more; forgotten once the objects are gone.
    stale: Vec<String>,
}

/// Plans what the chosen services would change now, without writing anything.
pub(super) async fn plan(app: &App, door: &TenantDoor, router: RouterId) -> Result<ChangeSet, ProvisionError> {
    let session = Session::open(app, door, router).await?;
    let wanted = want(app, door, router, &session.facts, Services::Chosen).await?;
    let observed = observe(&session.client, &reconcile::observe_list(&wanted.site), &session.facts).await?;
    let mut set = reconcile::plan(&wanted.desired, &observed, &wanted.policy);
    set.findings.splice(0..0, session.facts.misfits(&wanted.site.services));
    Ok(set)
}

/// Brings a router to what is wanted, using a kept connection or opening one; the connection is handed back for the next time.
pub(super) async fn look(
    app: &App,
    door: &TenantDoor,
    router: RouterId,
    kept: &mut Option<Session>,
) -> Result<Looked, ProvisionError> {
    let began = app.clock.now();
    let mut timing = Timing::default();
    let started = Instant::now();
    let mut tx = app.db.tenant(door).await?;
    let row = store::router(&mut tx, router).await?.ok_or(ProvisionError::NotFound)?;
    drop(tx);
    if !row.confirmed {
        return Err(ProvisionError::NotConfirmed);
    }
    if kept.as_ref().is_none_or(Session::is_over) {
        *kept = Some(Session::open(app, door, router).await?);
    }
    let mut session = kept.clone().expect("just opened");
    timing.connect_us = micros(started);
    export::sweep(app, door, router, &session).await?;

    let started = Instant::now();
    #[cfg_attr(not(feature = "testing"), expect(unused_mut, reason = "only tests of cut paths wish for what no recipe does"))]
    let mut wanted = want(app, door, router, &session.facts, Services::Approved).await?;
    #[cfg(feature = "testing")]
    app.provisioner.distort(router, &mut wanted.desired, &mut wanted.policy);
    timing.read_us = micros(started);
    let mut set = ChangeSet::default();
    // Whoever proves a changed path needs this connection to be the only one, and gives back the one that proved it.
    *kept = None;
    let road = Road { app, door, router };
    let result = bring(&road, &mut session, &wanted, &mut set, &mut timing).await;
    // Of a router whose clock is wrong nothing is remembered: NTP sets it at any moment, and then grants end on the router itself again.
    if result.is_ok() && session.facts.observed.clock_set() {
        *kept = Some(session);
    }
    let writes = set.changes.len() + set.kicks.len();
    record(app, door, router, &wanted, &set, timing, began, result.as_ref().err()).await?;
    result.map(|()| Looked { generation: wanted.generation, writes })
}

/// Which router, and how it is reached anew.
pub(super) struct Road<'a> {
    pub app: &'a App,
    pub door: &'a TenantDoor,
    pub router: RouterId,
}

impl Road<'_> {
    /// Opens a connection of its own.
    pub async fn open(&self) -> Result<Session, ProvisionError> {
        Session::open(self.app, self.door, self.router).await
    }
}

async fn bring(
    road: &Road<'_>,
    session: &mut Session,
    wanted: &Wanted,
    set: &mut ChangeSet,
    timing: &mut Timing,
) -> Result<(), ProvisionError> {
    let prints = reconcile::observe_list(&wanted.site);
    let started = Instant::now();
    let mut observed = observe(&session.client, &prints, &session.facts).await?;
    if guard::armed(&observed).is_some() {
        observed = guarded::decide(road, session, wanted).await?;
    }
    timing.observe_us = micros(started);
    let started = Instant::now();
    *set = reconcile::plan(&wanted.desired, &observed, &wanted.policy);
    timing.plan_us = micros(started);
    if set.is_empty() {
        return Ok(());
    }
    if set.risk() == Risk::Path {
        copy_first(road, session, set).await?;
    }
    let started = Instant::now();
    guarded::write(road, session, wanted, &observed, set).await?;
    timing.apply_us = micros(started);
    // Only what was written can have changed; the rest was read a moment ago. It is on the router before a session ends, which begins
    // again at once, and whether it is there does not depend on that: both share a round trip.
    let started = Instant::now();
    let mut touched: BTreeSet<&str> = set.changes.iter().map(|change| change.menu.path).collect();
    if TERMS.iter().chain(&SESSIONS).any(|menu| touched.contains(menu.path)) {
        touched.extend(SESSIONS.map(|menu| menu.path));
    }
    let again: Vec<Print> = prints.into_iter().filter(|print| touched.contains(print.menu.path)).collect();
    let (ended, fresh) = tokio::join!(apply::end(&session.client, &set.kicks), observe(&session.client, &again, &session.facts));
    ended?;
    let fresh = fresh?;
    for print in &again {
        observed.insert(print.menu, fresh.rows(print.menu).to_vec());
    }
    let rest = reconcile::plan(&wanted.desired, &observed, &wanted.policy);
    timing.read_back_us = micros(started);
    if let Some(change) = rest.changes.first() {
        return Err(ProvisionError::StillDiffers(change.to_string()));
    }
    // Who came in between the first print and the writing did so under the old terms, and would keep them.
    let ended = |kick: &Kick| set.kicks.iter().any(|known| known.menu.path == kick.menu.path && known.id == kick.id);
    let late: Vec<Kick> = rest.kicks.into_iter().filter(|kick| !ended(kick)).collect();
    apply::end(&session.client, &late).await?;
    set.kicks.extend(late);
    Ok(())
}

/// Takes the router's configuration before a risky change. Without one the change is made all the same, and says so: who waits for it
/// should not wait for a copy.
async fn copy_first(road: &Road<'_>, session: &Session, set: &mut ChangeSet) -> Result<(), ProvisionError> {
    match export::take_in_turn(road.app, road.door, road.router, session, Reason::BeforeChange).await {
        Ok(_) => Ok(()),
        Err(ProvisionError::Export(error)) => {
            let text = format!("The router's configuration was not copied before the change: {}.", telemetry::chain(&error));
            set.findings.push(Finding { code: "no-copy", severity: Severity::Warning, text, command: None });
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Stores what a look did, in a transaction that began after the router was talked to.
#[expect(clippy::too_many_arguments, reason = "the parts of one record, used once")]
async fn record(
    app: &App,
    door: &TenantDoor,
    router: RouterId,
    wanted: &Wanted,
    set: &ChangeSet,
    timing: Timing,
    began: Timestamp,
    error: Option<&ProvisionError>,
) -> Result<(), ProvisionError> {
    let now = app.clock.now();
    let mut tx = app.db.tenant(door).await?;
    if error.is_none() {
        store::succeeded(&mut tx, router, wanted.generation, now).await?;
        customers::mark_applied(&mut tx, router, wanted.generation, now).await?;
        store::delete_tags(&mut tx, router, &wanted.stale).await?;
    }
    // A look that found nothing to do leaves no trace but the generation.
    if !set.is_empty() {
        let new = NewChangeSet {
            id: ChangeSetId::generate(now, &*app.entropy),
            generation: wanted.generation,
            started_at: began,
            error: error.map(|error| clip(&telemetry::chain(error))),
            set,
            timing,
        };
        store::insert_change_set(&mut tx, router, new).await?;
    }
    Ok(tx.commit().await?)
}

/// Cuts an error to what its column takes.
pub(super) fn clip(text: &str) -> String {
    text.chars().take(500).collect()
}

#[derive(Clone, Copy)]
enum Services {
    Chosen,
    Approved,
}

async fn want(
    app: &App,
    door: &TenantDoor,
    router: RouterId,
    facts: &RouterFacts,
    which: Services,
) -> Result<Wanted, ProvisionError> {
    let now = app.clock.now();
    let mut tx = app.db.tenant(door).await?;
    let row = store::router(&mut tx, router).await?.ok_or(ProvisionError::NotFound)?;
    let choices = match which {
        Services::Chosen => &row.chosen,
        Services::Approved => &row.approved,
    };
    let customers = customers::on_router(app, &mut tx, router, now).await?;
    let openings = tenants::settings_in_force(&mut tx).await?.routers;
    let openings = Openings { customers_manage: openings.customers_manage, resolve_outside: openings.resolve_outside };
    let site = Site { openings, ..site(app, facts, choices, customers, now)? };
    let keys = reconcile::keys(&site)?;
    let tags = tags_for(app, &mut tx, router, &keys).await?;
    tx.commit().await?;
    let desired = reconcile::desired(&site, &|key| tags.get(key.as_str()).copied())?;
    let known: BTreeSet<&str> = keys.iter().map(ObjectKey::as_str).collect();
    let ours_to_forget = |key: &&String| !known.contains(key.as_str()) && !key.starts_with(TUNNEL_KEYS);
    let stale = tags.keys().filter(ours_to_forget).cloned().collect();
    let keep = tags.iter().filter(|(key, _)| key.starts_with(TUNNEL_KEYS)).map(|(_, tag)| *tag).collect();
    Ok(Wanted { generation: row.desired, site, desired, policy: Policy { keep, ..Policy::default() }, stale })
}

/// Returns all tags of a router, with new ones for the keys that have none yet.
async fn tags_for(
    app: &App,
    tx: &mut TenantTx,
    router: RouterId,
    keys: &[ObjectKey],
) -> Result<BTreeMap<String, Tag>, ProvisionError> {
    let mut tags: BTreeMap<String, Tag> = store::tags(tx, router).await?.into_iter().collect();
    let missing: Vec<(String, Tag)> = keys
        .iter()
        .filter(|key| !tags.contains_key(key.as_str()))
        .map(|key| (key.as_str().to_owned(), Tag::generate(&*app.entropy)))
        .collect();
    if !missing.is_empty() {
        store::insert_tags(tx, router, &missing).await?;
        tags = store::tags(tx, router).await?.into_iter().collect();
    }
    Ok(tags)
}

fn site(
    app: &App,
    facts: &RouterFacts,
    choices: &[ServiceChoice],
    customers: Vec<CustomerOnRouter>,
    now: Timestamp,
) -> Result<Site, ProvisionError> {
    let mut packages: BTreeMap<PackageId, reconcile::Package> = BTreeMap::new();
    for customer in &customers {
        packages.entry(customer.package.line).or_insert_with(|| package(&customer.package));
    }
    Ok(Site {
        facts: facts.for_site(now),
        hub: app.config.supernet.hub(),
        wireguard_interface: TUNNEL_INTERFACE.to_owned(),
        openings: Openings::default(),
        services: rules::resolve(choices)?,
        portal: rules::PORTAL,
        packages: packages.into_values().collect(),
        customers: customers.into_iter().map(customer).collect(),
        fuse_days: FUSE_DAYS,
    })
}

fn package(terms: &PackageView) -> reconcile::Package {
    reconcile::Package {
        id: terms.line,
        name: terms.name.clone(),
        kind: match terms.kind {
            PackageKind::Pppoe => reconcile::PackageKind::Pppoe,
            PackageKind::Hotspot => reconcile::PackageKind::Hotspot,
            PackageKind::Static => reconcile::PackageKind::Static,
        },
        speed: reconcile::Speed {
            down: terms.speed.download_bps,
            up: terms.speed.upload_bps,
            burst: terms.speed.burst.map(|burst| reconcile::Burst {
                down: burst.download_bps,
                up: burst.upload_bps,
                threshold_down: burst.download_threshold_bps,
                threshold_up: burst.upload_threshold_bps,
                time_s: burst.seconds,
            }),
        },
        on_expiry: match terms.on_expiry {
            OnExpiry::Redirect => reconcile::OnExpiry::Redirect,
            OnExpiry::Disable => reconcile::OnExpiry::Disable,
        },
        shared_users: terms.shared_users,
    }
}

fn customer(customer: CustomerOnRouter) -> reconcile::Customer {
    let state = match (customer.status, customer.paid) {
        (CustomerStatus::Active, Some(paid)) => reconcile::State::Active(reconcile::Grant {
            until: paid.until,
            online_max: paid.online_seconds.map(SignedDuration::from_secs),
            data_max: paid.data,
        }),
        (CustomerStatus::Active, None) => reconcile::State::Expired,
        (CustomerStatus::Suspended | CustomerStatus::Terminated, _) => reconcile::State::Suspended,
    };
    reconcile::Customer {
        id: customer.id,
        login: customer.login,
        password: customer.password,
        package: customer.package.line,
        address: customer.address,
        mac_lock: customer.mac,
        counted_since: customer.counted_since,
        state,
    }
}

/// Prints what the list asks for, pipelined.
pub(super) async fn observe(client: &Client, prints: &[Print], facts: &RouterFacts) -> Result<Observed, ProvisionError> {
    let commands: Vec<Command> = prints.iter().map(|print| command(print, facts.observed.version)).collect();
    let mut observed = Observed::default();
    for (print, result) in prints.iter().zip(client.call_all(&commands, IN_FLIGHT).await) {
        let response = result.map_err(|source| facts::FactsError::Call { menu: print.menu.path, source })?;
        let row = |row: routeros::codec::Row| Row::new(row.id().unwrap_or_default(), row.iter());
        observed.insert(print.menu, response.rows.into_iter().map(row).collect());
    }
    Ok(observed)
}

fn command(print: &Print, version: RouterosVersion) -> Command {
    let mut command = Command::print(print.menu).proplist(print.proplist.iter().copied());
    if !print.any_of.is_empty() {
        let conditions = print.any_of.iter().map(|(name, value)| Query::Is(name, (*value).into())).collect();
        command = command.query(&Query::Any(conditions));
    }
    if let Some((name, value)) = print.except {
        command = command.query(&Query::Not(Box::new(Query::Is(name, value.into()))));
    }
    let has_secrets = print.menu.args.iter().any(|arg| arg.access == Access::Secret && print.proplist.contains(&arg.name));
    if has_secrets && version >= SECRETS_HIDDEN_SINCE { command.show_sensitive() } else { command }
}

/// A customer's live session on a router.
#[derive(Debug, Clone)]
pub(super) struct LiveSession {
    pub kind: &'static str,
    pub login: String,
    pub address: String,
    pub mac: String,
    pub uptime: String,
}

/// Lists the live sessions of a router.
pub(super) async fn sessions(session: &Session) -> Result<Vec<LiveSession>, ProvisionError> {
    use cat::{ip_hotspot_active as hotspot, ppp_active as ppp};
    let ppp_names = [ppp::NAME, ppp::ADDRESS, ppp::CALLER_ID, ppp::UPTIME];
    let mut commands = vec![Command::print(&ppp::MENU).proplist(ppp_names)];
    let hotspot_names = [hotspot::USER, hotspot::ADDRESS, hotspot::MAC_ADDRESS, hotspot::UPTIME];
    if session.facts.observed.hotspot() == reconcile::HotspotSupport::Ready {
        commands.push(Command::print(&hotspot::MENU).proplist(hotspot_names));
    }
    let mut live = Vec::new();
    let kinds = [("pppoe", ppp::MENU.path, ppp_names), ("hotspot", hotspot::MENU.path, hotspot_names)];
    for ((kind, menu, names), result) in kinds.into_iter().zip(session.client.call_all(&commands, IN_FLIGHT).await) {
        let response = result.map_err(|source| facts::FactsError::Call { menu, source })?;
        live.extend(response.rows.iter().map(|row| {
            let [login, address, mac, uptime] = names.map(|name| row.text(name).unwrap_or_default().to_owned());
            LiveSession { kind, login, address, mac, uptime }
        }));
    }
    Ok(live)
}

/// Notes which of the customers who wait to come online the router lists now; returns who still waits.
pub(super) async fn note_online(
    app: &App,
    door: &TenantDoor,
    session: &Session,
    waiting: Vec<(CustomerId, String)>,
) -> Result<Vec<(CustomerId, String)>, ProvisionError> {
    let logins: BTreeSet<String> = sessions(session).await?.into_iter().map(|live| live.login).collect();
    let (online, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(_, login)| logins.contains(login));
    if !online.is_empty() {
        let now = app.clock.now();
        let mut tx = app.db.tenant(door).await?;
        for (customer, _) in &online {
            customers::mark_online(&mut tx, *customer, now).await?;
        }
        tx.commit().await?;
    }
    Ok(rest)
}
