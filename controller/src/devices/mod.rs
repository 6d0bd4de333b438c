//! Things behind and beside routers: access points, sectors, stations, customers' boxes and switches, as a tree.

mod routes;
mod rules;
mod store;

pub use routes::routes;
pub use store::{DeviceView, ExportRow};

use crate::app::App;
use crate::customers::{self, CustomerError};
use crate::operators::{OperatorError, Permission, TenantScope};
use crate::secrets::{Place, VaultError};
use crate::{routers, sites};
use db::{DbError, TenantTx};
use model::{CustomerId, DeviceId, RouterId, Secret, SiteId};
use rules::{DEPTH_MAX, DEVICES_MAX};
use serde::{Deserialize, Deserializer, Serialize};
use std::net::IpAddr;
use utoipa::ToSchema;

/// Why an operation on devices was refused.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// A field is wrong.
    #[error("{field}: {message}")]
    Field { field: &'static str, message: &'static str },
    /// Another device has the MAC address.
    #[error("another device has this MAC address")]
    MacTaken,
    /// There is no such thing: the device, or what it should hang on or stand at.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// It would hang below itself.
    #[error("a device cannot hang below itself: choose a parent that does not hang on it")]
    Cycle,
    /// The tree would become too deep.
    #[error("devices hang at most {DEPTH_MAX} deep: choose a parent nearer to the router")]
    TooDeep,
    /// The tenant has as many devices as it may.
    #[error("an ISP may have {DEVICES_MAX} devices; remove some first")]
    TooMany,
    /// Other devices hang on it.
    #[error("{0} device(s) hang on it: move or remove them first")]
    HasChildren(i64),
    /// The caller may not.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The customer could not be read.
    #[error(transparent)]
    Customer(#[from] CustomerError),
    /// The credentials could not be sealed or opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// Sends to many stations.
    AccessPoint,
    /// An access point that sends into one direction.
    Sector,
    /// The far end of a radio link.
    Station,
    /// The box at a customer's.
    Cpe,
    /// A switch.
    Switch,
    /// Anything else.
    Other,
}

impl DeviceKind {
    const ALL: [Self; 6] = [Self::AccessPoint, Self::Sector, Self::Station, Self::Cpe, Self::Switch, Self::Other];

    const fn as_str(self) -> &'static str {
        match self {
            Self::AccessPoint => "access_point",
            Self::Sector => "sector",
            Self::Station => "station",
            Self::Cpe => "cpe",
            Self::Switch => "switch",
            Self::Other => "other",
        }
    }

    fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// How one logs in to a device. Sealed where it rests, and shown by one operation alone.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DeviceCredentials)]
pub struct Credentials {
    /// The user's name, up to 100 characters.
    pub user: String,
    /// The password, up to 200 characters.
    #[schema(value_type = String)]
    pub password: Secret<String>,
}

/// A device to be noted.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDevice {
    /// What it is.
    pub kind: DeviceKind,
    /// Its name, 1 to 100 characters.
    pub name: String,
    /// The device it hangs on.
    pub parent: Option<DeviceId>,
    /// Where it stands.
    pub site: Option<SiteId>,
    /// The router it is behind.
    pub router: Option<RouterId>,
    /// The customer whose it is.
    pub customer: Option<CustomerId>,
    /// Its MAC address; no two devices have one.
    pub mac: Option<String>,
    /// Its IP address.
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// Its serial number, up to 64 characters.
    #[serde(default)]
    pub serial: String,
    /// Its model, up to 100 characters.
    #[serde(default)]
    pub model: String,
    /// Up to 2000 characters.
    #[serde(default)]
    pub notes: String,
    /// Whether its router should watch over it.
    #[serde(default)]
    pub watched: bool,
    /// How one logs in to it.
    pub credentials: Option<Credentials>,
}

/// What of a device is to change; what is left out stays, and null takes it away.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceChange {
    /// What it is.
    pub kind: Option<DeviceKind>,
    /// Its name.
    pub name: Option<String>,
    /// The device it hangs on.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<DeviceId>)]
    pub parent: Option<Option<DeviceId>>,
    /// Where it stands.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<SiteId>)]
    pub site: Option<Option<SiteId>>,
    /// The router it is behind.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<RouterId>)]
    pub router: Option<Option<RouterId>>,
    /// The customer whose it is.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<CustomerId>)]
    pub customer: Option<Option<CustomerId>>,
    /// Its MAC address.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub mac: Option<Option<String>>,
    /// Its IP address.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub address: Option<Option<IpAddr>>,
    /// Its serial number.
    pub serial: Option<String>,
    /// Its model.
    pub model: Option<String>,
    /// Notes.
    pub notes: Option<String>,
    /// Whether its router should watch over it.
    pub watched: Option<bool>,
    /// How one logs in to it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Credentials>)]
    pub credentials: Option<Option<Credentials>>,
}

/// Tells a null from a field that was left out.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

fn credentials_place(id: DeviceId) -> Place {
    Place { table: "device", column: "credentials", row: id.uuid() }
}

async fn seal(app: &App, tx: &mut TenantTx, id: DeviceId, given: &Credentials) -> Result<Vec<u8>, DeviceError> {
    rules::judge_credentials(given)?;
    let plain = rules::packed(given);
    Ok(app.vault.seal(tx, credentials_place(id), plain.expose()).await?)
}

/// Notes a device.
///
/// # Errors
/// When the role may not, a field is wrong, a limit is reached, or what it should hang on or stand at is not there.
pub async fn add(app: &App, scope: &TenantScope, new: NewDevice) -> Result<DeviceId, DeviceError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::SitesWrite).await?;
    let mut device = DeviceView {
        id: DeviceId::generate(now, &*app.entropy),
        kind: new.kind,
        name: new.name,
        parent: new.parent,
        site: new.site,
        router: new.router,
        customer: new.customer,
        mac: new.mac,
        address: new.address,
        serial: new.serial,
        model: new.model,
        notes: new.notes,
        watched: new.watched,
        has_credentials: new.credentials.is_some(),
        created_at: now,
    };
    rules::settle(&mut device)?;
    store::lock_tree(&mut tx).await?;
    if store::count(&mut tx).await? >= DEVICES_MAX {
        return Err(DeviceError::TooMany);
    }
    expect_neighbours(&mut tx, None, &device).await?;
    let sealed = match &new.credentials {
        Some(given) => Some(seal(app, &mut tx, device.id, given).await?),
        None => None,
    };
    store::insert(&mut tx, &device, sealed.as_deref()).await?;
    tx.audit(now, "device.add", &device.id.to_string(), serde_json::json!(device)).await?;
    tx.commit().await?;
    Ok(device.id)
}

/// Changes what is known of a device, where it stands and what it hangs on.
///
/// # Errors
/// As [`add`], or when there is no such device.
pub async fn change(app: &App, scope: &TenantScope, id: DeviceId, change: DeviceChange) -> Result<DeviceView, DeviceError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::SitesWrite).await?;
    if change.parent.is_some() {
        // One change of the tree's shape at a time: two that look at once could hang two devices on each other.
        store::lock_tree(&mut tx).await?;
    }
    let before = store::lock(&mut tx, id).await?.ok_or(DeviceError::NotFound("device"))?;
    let mut after = rules::changed(&before, &change);
    rules::settle(&mut after)?;
    expect_neighbours(&mut tx, Some(&before), &after).await?;
    store::update(&mut tx, &after).await?;
    match &change.credentials {
        Some(Some(given)) => {
            let sealed = seal(app, &mut tx, id, given).await?;
            store::set_credentials(&mut tx, id, Some(&sealed)).await?;
        }
        Some(None) => store::set_credentials(&mut tx, id, None).await?,
        None => {}
    }
    tx.audit_change(now, "device.change", &id.to_string(), &before, &after).await?;
    if change.credentials.is_some() {
        tx.audit(now, "device.credentials.set", &id.to_string(), serde_json::json!({})).await?;
    }
    tx.commit().await?;
    Ok(after)
}

/// Checks that what a device hangs on and stands at is there, as far as it is new.
async fn expect_neighbours(tx: &mut TenantTx, before: Option<&DeviceView>, after: &DeviceView) -> Result<(), DeviceError> {
    if let Some(parent) = after.parent.filter(|parent| before.is_none_or(|before| before.parent != Some(*parent))) {
        store::find(tx, parent).await?.ok_or(DeviceError::NotFound("parent device"))?;
        let path = store::path(tx, parent).await?;
        let height = if before.is_some() { store::height(tx, after.id).await? } else { 1 };
        rules::place(after.id, &path, height)?;
    }
    if let Some(site) = after.site.filter(|site| before.is_none_or(|before| before.site != Some(*site)))
        && !sites::hold(tx, site).await?
    {
        return Err(DeviceError::NotFound("site"));
    }
    if let Some(router) = after.router.filter(|router| before.is_none_or(|before| before.router != Some(*router)))
        && !routers::stands(tx, router).await?
    {
        return Err(DeviceError::NotFound("router"));
    }
    if let Some(customer) = after.customer.filter(|customer| before.is_none_or(|before| before.customer != Some(*customer))) {
        customers::lock(tx, customer).await?;
    }
    Ok(())
}

/// Removes a device on which no other hangs; its credentials are erased.
///
/// # Errors
/// When the role may not, others hang on it, or there is no such device.
pub async fn remove(app: &App, scope: &TenantScope, id: DeviceId) -> Result<(), DeviceError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::SitesWrite).await?;
    store::lock_tree(&mut tx).await?;
    store::lock(&mut tx, id).await?.ok_or(DeviceError::NotFound("device"))?;
    let children = store::children(&mut tx, id).await?;
    if children > 0 {
        return Err(DeviceError::HasChildren(children));
    }
    store::remove(&mut tx, id, now).await?;
    tx.audit(now, "device.remove", &id.to_string(), serde_json::json!({})).await?;
    Ok(tx.commit().await?)
}

/// Reads a device.
///
/// # Errors
/// When there is no such device.
pub async fn get(tx: &mut TenantTx, id: DeviceId) -> Result<DeviceView, DeviceError> {
    store::find(tx, id).await?.ok_or(DeviceError::NotFound("device"))
}

/// Shows how one logs in to a device to who may change it, and writes down that it was shown.
///
/// # Errors
/// When the role may not, there is no such device, or none are known.
pub async fn credentials(app: &App, scope: &TenantScope, id: DeviceId) -> Result<Credentials, DeviceError> {
    let now = app.clock.now();
    let mut tx = scope.read(app, Permission::SitesWrite).await?;
    get(&mut tx, id).await?;
    let sealed = store::sealed_credentials(&mut tx, id).await?.ok_or(DeviceError::NotFound("login for this device"))?;
    let opened = app.vault.open(&mut tx, credentials_place(id), &sealed).await?;
    let shown = rules::unpacked(opened.expose()).ok_or(VaultError::DoesNotOpen { table: "device", column: "credentials" })?;
    tx.audit(now, "device.credentials.show", &id.to_string(), serde_json::json!({})).await?;
    tx.commit().await?;
    Ok(shown)
}

/// Reads all devices, for a file; never their credentials.
///
/// # Errors
/// When the database does not answer.
pub async fn export(tx: &mut TenantTx) -> Result<Vec<ExportRow>, DeviceError> {
    Ok(store::export(tx).await?)
}
