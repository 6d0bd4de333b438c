//! Routers from the day they are added to the day they are taken out: name, stage, serial number, and the texts that let them join.

mod moves;
mod routes;
mod store;
mod watched;

pub use moves::{Moved, RouterMove, relocate};
pub use routes::routes;
pub use store::Stage;
pub use watched::{Watched, serving, watched};

use crate::app::App;
use crate::enrolment::{self, EnrolmentError, EnrolmentView, Texts};
use crate::http::{List, Page};
use crate::operators::{self, OperatorError, Permission, TenantScope};
use crate::provisioning::{self, Turn};
use crate::sites;
use crate::tenants::{self, Limit, LimitError};
use crate::tunnels::{self, TunnelError};
use db::{DbError, TenantDoor, TenantTx};
use jiff::Timestamp;
use model::{Deed, RouterId, SiteId, Standing};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;
use utoipa::ToSchema;

/// How long cleaning a router that leaves may take; what is left on it then is named by its `mw:` comments. With the wait before it,
/// less than a request may take.
const CLEAN_LIMIT: Duration = Duration::from_secs(30);
/// How long a removal waits for whoever writes to the router now.
const TURN_LIMIT: Duration = Duration::from_secs(15);
/// Longest name, in characters.
const NAME_MAX: usize = 60;

/// Why an operation on routers was refused.
#[derive(Debug, thiserror::Error)]
pub enum RouterError {
    /// The name is empty, too long or holds control characters.
    #[error("write 1 to {NAME_MAX} printable characters")]
    Name,
    /// The name is taken.
    #[error("a router with this name exists")]
    NameTaken,
    /// A router of the tenant has the serial number.
    #[error("a router of this ISP has the serial number already: remove it there first")]
    SerialTaken,
    /// There is no such router.
    #[error("there is no such router")]
    NotFound,
    /// The ISP that should get it is not there.
    #[error("there is no such tenant")]
    NoTenant,
    /// It is that ISP's already.
    #[error("the router is this ISP's already")]
    SameTenant,
    /// The ISP that should get it may not grow.
    #[error("the ISP that should get it is {0}, and cannot get a router now")]
    Receiver(Standing),
    /// No reason was given.
    #[error("write 1 to 200 printable characters")]
    Reason,
    /// Customers are on it.
    #[error("{0} customer(s) are on the router: move them to another one first, or say that they stay behind")]
    HasCustomers(i64),
    /// What is on it cannot be taken off.
    #[error("the router could not be cleaned ({0}), so it stays where it is: connect it, or reset it by hand and say so")]
    NotCleaned(String),
    /// The site where it should stand is not there.
    #[error("there is no such site")]
    NoSite,
    /// The router has not joined.
    #[error("the router has not joined yet, so its serial number is not known")]
    NotJoined,
    /// The serial number is another.
    #[error(
        "the router that joined has another serial number: look at the sticker on the box, and if it differs remove this router"
    )]
    OtherSerial,
    /// The caller may not.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The texts could not be made.
    #[error(transparent)]
    Enrolment(#[from] EnrolmentError),
    /// The tenant has as many routers as it may.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The tunnel does not work.
    #[error(transparent)]
    Tunnel(#[from] TunnelError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl RouterError {
    /// Says whether there is no address left to give.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Tunnel(TunnelError::Exhausted))
    }
}

/// How a router's tunnel is now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TunnelView {
    /// Whether it was heard within 180 s.
    pub connected: bool,
    /// Seconds since the last handshake.
    pub last_handshake_s: Option<u64>,
    /// Bytes received from it since the controller started.
    pub rx_bytes: u64,
    /// Bytes sent to it.
    pub tx_bytes: u64,
}

/// A router as its operators see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RouterView {
    /// The router.
    pub id: RouterId,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub stage: Stage,
    /// Where it stands.
    pub site: Option<SiteId>,
    /// Its serial number, once it has joined.
    pub serial: Option<String>,
    /// Its board.
    pub board: Option<String>,
    /// Its RouterOS version.
    pub version: Option<String>,
    /// Its address in the tunnel.
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// Its tunnel; none before it was bound.
    pub tunnel: Option<TunnelView>,
    /// Its latest enrolment.
    pub enrolment: Option<EnrolmentView>,
    /// When it was added.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// A router that was added, or got new texts.
#[derive(Debug)]
pub struct Added {
    /// The router.
    pub id: RouterId,
    /// Its address in the tunnel.
    pub address: IpAddr,
    /// What to paste.
    pub texts: Texts,
}

/// Adds a router: gives it an address, and makes the texts that let it join.
///
/// # Errors
/// When the name is taken, a limit is reached, or the role may not.
pub async fn add(app: &App, scope: &TenantScope, name: &str) -> Result<Added, RouterError> {
    let mut tx = scope.write_to(app, Deed::Grow, Permission::RoutersWrite).await?;
    let added = make(app, &mut tx, name, None, "router.add").await?;
    commit(app, tx, added).await
}

/// Makes a router that waits for its enrolment; `serial` is known beforehand of one that comes from elsewhere. If the transaction is not
/// kept, the hub has to forget the enrolment.
async fn make(
    app: &App,
    tx: &mut TenantTx,
    name: &str,
    serial: Option<&str>,
    action: &'static str,
) -> Result<Added, RouterError> {
    let now = app.clock.now();
    let name = good_name(name)?;
    tenants::check(tx, Limit::Routers, 1, now).await?;
    let id = RouterId::generate(now, &*app.entropy);
    store::insert(tx, id, name, serial, now).await?;
    operators::assign_to_maker(app, tx, id).await?;
    store::insert_state(tx, id).await?;
    let address = tunnels::allocate_address(app, tx, id).await?;
    tx.audit(now, action, &id.to_string(), serde_json::json!({ "name": name })).await?;
    let texts = enrolment::create(app, tx, id).await?;
    Ok(Added { id, address: address.into(), texts })
}

/// Brings a name into its form.
fn good_name(name: &str) -> Result<&str, RouterError> {
    let name = name.trim();
    let good = (1..=NAME_MAX).contains(&name.chars().count()) && !name.contains(char::is_control);
    if good { Ok(name) } else { Err(RouterError::Name) }
}

/// What of a router is to change; what is left out stays, and null takes it off its site. Nothing of it is written to the router.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouterChange {
    /// What people call it, 1 to 60 characters.
    pub name: Option<String>,
    /// Where it stands.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<SiteId>)]
    pub site: Option<Option<SiteId>>,
}

/// Tells a null from a field that was left out.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Renames a router or says where it stands.
///
/// # Errors
/// When the role may not, the name is not good or taken, or the router or the site is not there.
pub async fn change(app: &App, scope: &TenantScope, id: RouterId, change: RouterChange) -> Result<(), RouterError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::RoutersWrite).await?;
    let before = store::lock(&mut tx, id).await?;
    let name = match &change.name {
        Some(name) => good_name(name)?,
        None => &before.name,
    };
    let site = change.site.unwrap_or(before.site);
    if let Some(new) = site.filter(|new| before.site != Some(*new))
        && !sites::hold(&mut tx, new).await?
    {
        return Err(RouterError::NoSite);
    }
    store::update(&mut tx, id, name, site).await?;
    let details = |name: &str, site: Option<SiteId>| serde_json::json!({ "name": name, "site": site });
    tx.audit_change(now, "router.change", &id.to_string(), &details(&before.name, before.site), &details(name, site)).await?;
    Ok(tx.commit().await?)
}

/// Says whether a router is there and not removed.
///
/// # Errors
/// When the database does not answer.
pub async fn stands(tx: &mut TenantTx, id: RouterId) -> Result<bool, DbError> {
    store::stands(tx, id).await
}

/// Reads the routers that are there by their names, for a file that names them.
///
/// # Errors
/// When the database does not answer.
pub async fn by_name(tx: &mut TenantTx) -> Result<HashMap<String, RouterId>, DbError> {
    store::by_name(tx).await
}

/// Makes new texts for a router; the earlier ones are good no more. A tunnel that works stays until the new texts have been used.
///
/// # Errors
/// When there is no such router, a limit is reached, or the role may not.
pub async fn reissue(app: &App, scope: &TenantScope, id: RouterId) -> Result<Added, RouterError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::RoutersWrite).await?;
    let router = store::lock(&mut tx, id).await?;
    let address = match router.address {
        Some(address) => address,
        // It lost its address when its first texts expired.
        None => tunnels::allocate_address(app, &mut tx, id).await?.into(),
    };
    tx.audit(now, "router.reissue", &id.to_string(), serde_json::json!({})).await?;
    let texts = enrolment::create(app, &mut tx, id).await?;
    commit(app, tx, Added { id, address, texts }).await
}

/// The hub knows of the enrolment already, so that a paste cannot come too early; if it was not kept, the hub forgets it.
async fn commit(app: &App, tx: TenantTx, added: Added) -> Result<Added, RouterError> {
    if let Err(error) = tx.commit().await {
        app.tunnels.forget(added.texts.id).await?;
        return Err(error.into());
    }
    Ok(added)
}

/// Lists the tenant's routers, or those at one site, newest first.
///
/// # Errors
/// When the role may not or the database does not answer.
pub async fn list(app: &App, scope: &TenantScope, site: Option<SiteId>, page: &Page) -> Result<List<RouterView>, RouterError> {
    let mut tx = scope.read(app, Permission::RoutersRead).await?;
    let routers = page.list(store::list(&mut tx, site, page).await?);
    let items = views(app, tx, routers.items).await?;
    Ok(List { items, next: routers.next })
}

/// Returns one router.
///
/// # Errors
/// When there is none, or the role may not.
pub async fn get(app: &App, scope: &TenantScope, id: RouterId) -> Result<RouterView, RouterError> {
    let mut tx = scope.read(app, Permission::RoutersRead).await?;
    let router = store::find(&mut tx, id).await?;
    let mut views = views(app, tx, vec![router]).await?;
    views.pop().ok_or(RouterError::NotFound)
}

async fn views(app: &App, mut tx: TenantTx, routers: Vec<store::Router>) -> Result<Vec<RouterView>, RouterError> {
    let ids: Vec<RouterId> = routers.iter().map(|router| router.id).collect();
    let mut enrolments = enrolment::latest(&mut tx, &ids).await?;
    drop(tx);
    let mut views = Vec::with_capacity(routers.len());
    for router in routers {
        let place = enrolments.iter().position(|(id, _)| *id == router.id);
        let enrolment = place.map(|place| enrolments.swap_remove(place).1);
        let status = match router.address {
            Some(IpAddr::V4(address)) => app.tunnels.status(address).await?,
            Some(IpAddr::V6(_)) | None => None,
        };
        views.push(RouterView {
            id: router.id,
            name: router.name,
            stage: router.stage,
            site: router.site,
            serial: router.serial,
            board: router.board,
            version: router.version,
            address: router.address,
            tunnel: status.map(|status| TunnelView {
                connected: status.up,
                last_handshake_s: status.last_handshake.map(|time| time.as_secs()),
                rx_bytes: status.rx_bytes,
                tx_bytes: status.tx_bytes,
            }),
            enrolment,
            created_at: router.created_at,
        });
    }
    Ok(views)
}

/// Takes an operator's word that the router which joined is the one that was meant: the serial number is what stands on its sticker. Only
/// then are services and customers' passwords sent to it.
///
/// # Errors
/// When the router has not joined, the serial number is another, or the role may not.
pub async fn confirm(app: &App, scope: &TenantScope, id: RouterId, serial: &str) -> Result<(), RouterError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::RoutersWrite).await?;
    let router = store::lock(&mut tx, id).await?;
    let known = router.serial.filter(|_| router.stage != Stage::Created).ok_or(RouterError::NotJoined)?;
    if known != serial.trim() {
        return Err(RouterError::OtherSerial);
    }
    if router.stage == Stage::Joined {
        store::confirm(&mut tx, id).await?;
        tx.audit(now, "router.confirm", &id.to_string(), serde_json::json!({ "serial": known })).await?;
        tx.touch_router(id, now).await?;
    }
    Ok(tx.commit().await?)
}

/// How far a router that left could be cleaned.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Removed {
    /// Whether everything of ours was taken off the router.
    pub cleaned: bool,
    /// What is left to do by hand, if anything.
    pub left: Option<String>,
}

/// Cleans a router that leaves, as far as it can be reached. Returns its turn, to be kept until it is gone from the database, and what
/// went wrong.
async fn clean(app: &App, door: &TenantDoor, id: RouterId) -> (Option<Turn>, Option<String>) {
    // One that writes to it now finishes first; one that never does is not waited for.
    let Ok(turn) = tokio::time::timeout(TURN_LIMIT, app.provisioner.turn(id)).await else {
        return (None, Some("somebody else is writing to it and does not finish".to_owned()));
    };
    let fault = match tokio::time::timeout(CLEAN_LIMIT, provisioning::clean(app, door, id, &turn)).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(telemetry::chain(&error).to_string()),
        Err(_) => Some("it did not finish in time".to_owned()),
    };
    (Some(turn), fault)
}

/// Takes a router out: as far as it can be reached, everything of ours is taken off it; its peer is revoked and its address rests.
///
/// # Errors
/// When there is no such router, the role may not, or the database does not answer. A router that cannot be reached is no error.
pub async fn remove(app: &App, scope: &TenantScope, id: RouterId) -> Result<Removed, RouterError> {
    let mut tx = scope.write(app, Permission::RoutersWrite).await?;
    store::find(&mut tx, id).await?;
    drop(tx);
    take_out(app, scope.door(), id, Departure { action: "router.remove", only_cleaned: false }).await
}

/// How a router leaves.
#[derive(Debug, Clone, Copy)]
struct Departure {
    /// What the audit log says of it.
    action: &'static str,
    /// Whether it stays when it cannot be cleaned.
    only_cleaned: bool,
}

async fn take_out(app: &App, door: &TenantDoor, id: RouterId, departure: Departure) -> Result<Removed, RouterError> {
    let (_turn, fault) = clean(app, door, id).await;
    let now = app.clock.now();
    let mut tx = app.db.tenant(door).await?;
    let router = store::lock(&mut tx, id).await?;
    if departure.only_cleaned
        && router.stage != Stage::Created
        && let Some(fault) = fault
    {
        // Some of it may be gone from the router: its worker puts it back.
        tx.touch_router(id, now).await?;
        tx.commit().await?;
        return Err(RouterError::NotCleaned(fault));
    }
    enrolment::cancel(app, &mut tx, id, now).await?;
    let peer = tunnels::unbind_peer(&mut tx, id).await?;
    tunnels::release_address(app, &mut tx, id, peer.is_some()).await?;
    store::remove(&mut tx, id, now).await?;
    tx.audit(now, departure.action, &id.to_string(), serde_json::json!({ "cleaned": fault.is_none() })).await?;
    tx.commit().await?;
    if let Some((_, address)) = peer {
        app.tunnels.remove(address).await?;
    }
    // A router that never came has nothing of ours.
    let left = fault.filter(|_| peer.is_some() || router.stage != Stage::Created).map(|fault| {
        format!("The router could not be cleaned ({fault}). What is ours on it has a comment that begins with mw: and can be removed by hand.")
    });
    Ok(Removed { cleaned: left.is_none(), left })
}
