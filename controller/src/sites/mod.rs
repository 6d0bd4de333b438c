//! Places: areas, masts, buildings and the flats in them, as a tree. Routers, devices and customers stand at them.

mod routes;
mod rules;
mod store;

pub use routes::routes;
pub use store::SiteView;

use crate::app::App;
use crate::operators::{OperatorError, Permission, TenantScope};
use db::{DbError, TenantTx};
use model::{RouterId, SiteId};
use rules::{DEPTH_MAX, SITES_MAX};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::HashMap;
use utoipa::ToSchema;

/// Why an operation on sites was refused.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// A field is wrong.
    #[error("{field}: {message}")]
    Field { field: &'static str, message: &'static str },
    /// The name is taken beside it.
    #[error("a site with this name stands in the same place")]
    NameTaken,
    /// There is no such site.
    #[error("there is no such site")]
    NotFound,
    /// The place that it should stand in is not there.
    #[error("there is no such parent site")]
    NoParent,
    /// It would stand within itself.
    #[error("a site cannot stand within itself: choose a parent that is no part of it")]
    Cycle,
    /// The tree would become too deep.
    #[error("sites stand at most {DEPTH_MAX} deep: choose a parent nearer to the top")]
    TooDeep,
    /// The tenant has as many sites as it may.
    #[error("an ISP may have {SITES_MAX} sites; remove some first")]
    TooMany,
    /// Something stands there.
    #[error("{0} here: move or remove them first")]
    Occupied(Standing),
    /// The caller may not.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What a site is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SiteKind {
    /// A part of the country or a town.
    Area,
    /// A mast.
    Tower,
    /// A house.
    Building,
    /// A floor of one.
    Floor,
    /// A flat or an office: what has a door of its own. Its name is the door's label.
    Unit,
    /// Where vouchers are sold.
    Shop,
    /// Anything else.
    Other,
}

impl SiteKind {
    const ALL: [Self; 7] = [Self::Area, Self::Tower, Self::Building, Self::Floor, Self::Unit, Self::Shop, Self::Other];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Area => "area",
            Self::Tower => "tower",
            Self::Building => "building",
            Self::Floor => "floor",
            Self::Unit => "unit",
            Self::Shop => "shop",
            Self::Other => "other",
        }
    }

    fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A point on the earth (WGS 84), in degrees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// North of the equator, -90 to 90.
    pub latitude: f64,
    /// East of Greenwich, -180 to 180.
    pub longitude: f64,
}

/// A site to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSite {
    /// The site it stands in; none at the top.
    pub parent: Option<SiteId>,
    /// What it is.
    pub kind: SiteKind,
    /// Its name or door label, 1 to 100 characters, unique in its place.
    pub name: String,
    /// Where the post brings letters, up to 300 characters.
    #[serde(default)]
    pub address: String,
    /// Where it is.
    pub position: Option<Position>,
    /// Up to 2000 characters.
    #[serde(default)]
    pub notes: String,
}

/// What of a site is to change; what is left out stays, and null takes the position away. Another parent: see `move`.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteChange {
    /// What it is.
    pub kind: Option<SiteKind>,
    /// Its name or door label.
    pub name: Option<String>,
    /// Where the post brings letters.
    pub address: Option<String>,
    /// Where it is.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Position>)]
    pub position: Option<Option<Position>>,
    /// Notes.
    pub notes: Option<String>,
}

/// Tells a null from a field that was left out.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A name with the id behind it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SiteStep {
    /// The site.
    pub id: SiteId,
    /// Its name.
    pub name: String,
}

/// A router that stands at a site.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RouterHere {
    /// The router.
    pub id: RouterId,
    /// Its name.
    pub name: String,
}

/// How much stands at a site itself, not counting its parts'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema, sqlx::FromRow)]
pub struct Standing {
    /// Sites within it.
    pub parts: i64,
    /// Routers, as far as the caller sees them.
    pub routers: i64,
    /// Devices.
    pub devices: i64,
    /// Customers who have not left.
    pub customers: i64,
}

impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { parts, routers, devices, customers } = self;
        write!(f, "{parts} site(s), {routers} router(s), {devices} device(s) and {customers} customer(s) stand")
    }
}

/// A site with its way from the top and what stands there.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SiteDetails {
    /// The site.
    #[serde(flatten)]
    pub site: SiteView,
    /// The sites it stands in, from the top.
    pub path: Vec<SiteStep>,
    /// How much stands there.
    pub here: Standing,
    /// The routers there, by name; at most 200.
    pub routers: Vec<RouterHere>,
}

/// Makes a site.
///
/// # Errors
/// When the role may not, a field is wrong, a limit is reached, the name is taken in its place, or the parent is not there.
pub async fn add(app: &App, scope: &TenantScope, new: NewSite) -> Result<SiteId, SiteError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::SitesWrite).await?;
    let mut site = SiteView {
        id: SiteId::generate(now, &*app.entropy),
        parent: new.parent,
        kind: new.kind,
        name: new.name,
        address: new.address,
        position: new.position,
        notes: new.notes,
        created_at: now,
    };
    rules::settle(&mut site)?;
    store::lock_tree(&mut tx).await?;
    if store::count(&mut tx).await? >= SITES_MAX {
        return Err(SiteError::TooMany);
    }
    if let Some(parent) = site.parent {
        rules::place(site.id, &path_of_parent(&mut tx, parent).await?, 1)?;
    }
    store::insert(&mut tx, &site).await?;
    tx.audit(now, "site.add", &site.id.to_string(), serde_json::json!(site)).await?;
    tx.commit().await?;
    Ok(site.id)
}

/// Changes what a site is called and what is known of it.
///
/// # Errors
/// When the role may not, a field is wrong, the name is taken in its place, or there is no such site.
pub async fn change(app: &App, scope: &TenantScope, id: SiteId, change: SiteChange) -> Result<SiteView, SiteError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::SitesWrite).await?;
    let before = store::lock(&mut tx, id).await?.ok_or(SiteError::NotFound)?;
    let mut after = SiteView {
        kind: change.kind.unwrap_or(before.kind),
        name: change.name.unwrap_or_else(|| before.name.clone()),
        address: change.address.unwrap_or_else(|| before.address.clone()),
        position: change.position.unwrap_or(before.position),
        notes: change.notes.unwrap_or_else(|| before.notes.clone()),
        ..before.clone()
    };
    rules::settle(&mut after)?;
    store::update(&mut tx, &after).await?;
    tx.audit_change(now, "site.change", &id.to_string(), &before, &after).await?;
    tx.commit().await?;
    Ok(after)
}

/// Moves a site, with all that stands in it, into another one or to the top.
///
/// # Errors
/// When the role may not, it would stand within itself or too deep, the name is taken there, or one of the sites is not there.
pub async fn relocate(app: &App, scope: &TenantScope, id: SiteId, parent: Option<SiteId>) -> Result<SiteView, SiteError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::SitesWrite).await?;
    // One change of the tree's shape at a time: two moves that look at once could make a ring of two sites.
    store::lock_tree(&mut tx).await?;
    let before = store::lock(&mut tx, id).await?.ok_or(SiteError::NotFound)?;
    if let Some(parent) = parent {
        let height = store::height(&mut tx, id).await?;
        rules::place(id, &path_of_parent(&mut tx, parent).await?, height)?;
    }
    let after = SiteView { parent, ..before.clone() };
    store::update(&mut tx, &after).await?;
    tx.audit_change(now, "site.move", &id.to_string(), &before, &after).await?;
    tx.commit().await?;
    Ok(after)
}

/// Reads the way to a parent, itself the last; it must be there.
async fn path_of_parent(tx: &mut TenantTx, parent: SiteId) -> Result<Vec<SiteId>, SiteError> {
    store::find(tx, parent).await?.ok_or(SiteError::NoParent)?;
    Ok(store::path(tx, parent).await?.into_iter().map(|step| step.id).collect())
}

/// Removes a site at which nothing stands.
///
/// # Errors
/// When the role may not, something stands there, or there is no such site.
pub async fn remove(app: &App, scope: &TenantScope, id: SiteId) -> Result<(), SiteError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::SitesWrite).await?;
    store::lock_tree(&mut tx).await?;
    store::lock(&mut tx, id).await?.ok_or(SiteError::NotFound)?;
    let here = store::standing(&mut tx, id).await?;
    if here != (Standing { parts: 0, routers: 0, devices: 0, customers: 0 }) {
        return Err(SiteError::Occupied(here));
    }
    store::remove(&mut tx, id, now).await?;
    tx.audit(now, "site.remove", &id.to_string(), serde_json::json!({})).await?;
    Ok(tx.commit().await?)
}

/// Reads a site with what stands there.
///
/// # Errors
/// When there is no such site.
pub async fn details(tx: &mut TenantTx, id: SiteId) -> Result<SiteDetails, SiteError> {
    let site = store::find(tx, id).await?.ok_or(SiteError::NotFound)?;
    let mut path = store::path(tx, id).await?;
    path.pop();
    let here = store::standing(tx, id).await?;
    Ok(SiteDetails { site, path, here, routers: store::routers_at(tx, id).await? })
}

/// Reads the sites by the names on the way to each, from the top, with slashes in between: as a file names them. Where two ways read the same,
/// neither is named.
///
/// # Errors
/// When the database does not answer.
pub async fn by_path(tx: &mut TenantTx) -> Result<HashMap<String, SiteId>, DbError> {
    let mut found: HashMap<String, Option<SiteId>> = HashMap::new();
    for (path, id) in store::paths(tx).await? {
        found.entry(path).and_modify(|same| *same = None).or_insert(Some(id));
    }
    Ok(found.into_iter().filter_map(|(path, id)| Some((path, id?))).collect())
}

/// Says whether a site is there, and keeps it there until the transaction ends: for whoever puts something at it.
///
/// # Errors
/// When the database does not answer.
pub async fn hold(tx: &mut TenantTx, id: SiteId) -> Result<bool, DbError> {
    store::hold(tx, id).await
}
