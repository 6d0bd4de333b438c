//! What an ISP sells: a kind of connection, its speed, its price, and how long it lasts.

mod routes;
mod rules;
mod scope;
mod store;
mod versions;

pub use routes::routes;
pub use scope::{ScopeView, in_scope, scope, set_scope};
pub use store::{PackageView, by_ids};
pub use versions::{VersionView, in_force, versions};

use crate::app::App;
use crate::operators::{OperatorError, Permission, TenantScope};
use crate::tenants::{self, Ending, Endings, Flag};
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::{BitsPerSec, Bytes, Currency, Money, PackageId, PackageVersionId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why an operation on packages was refused.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// A field is wrong.
    #[error("{field}: {message}")]
    Field { field: &'static str, message: &'static str },
    /// The price is in another currency than the tenant's.
    #[error("prices are in {0}")]
    Currency(Currency),
    /// The name is taken.
    #[error("a package with this name is on sale")]
    NameTaken,
    /// There is no such package.
    #[error("there is no such package")]
    NotFound,
    /// The package is not sold on the router.
    #[error(
        "the package is not sold on this router: choose another one, or add the router or its site to where the package is sold"
    )]
    OutOfScope,
    /// A place where a package is to be sold is not there.
    #[error("there is no such {0}")]
    NoPlace(&'static str),
    /// A list is too long.
    #[error("{field}: at most {limit}")]
    TooMany { field: &'static str, limit: usize },
    /// Whoever sees some routers alone cannot say where a package is sold.
    #[error("you see some of the routers only: who sees all of them says where a package is sold")]
    LimitedReach,
    /// The package is not sold any more.
    #[error("the package is retired: who has it keeps it, and nobody else gets it")]
    Retired,
    /// The end of the validity lies outside the calendar.
    #[error("the package's validity leads out of the calendar")]
    Calendar,
    /// The caller may not.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// How the customers of a package connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PackageKind {
    /// By dialling in.
    Pppoe,
    /// By logging in on a page.
    Hotspot,
    /// By an address of their own.
    Static,
}

impl PackageKind {
    const ALL: [Self; 3] = [Self::Pppoe, Self::Hotspot, Self::Static];

    /// The name as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pppoe => "pppoe",
            Self::Hotspot => "hotspot",
            Self::Static => "static",
        }
    }

    /// Reads the stored name.
    #[must_use]
    pub fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// What has to be on for such packages to be made.
    const fn flag(self) -> Flag {
        match self {
            Self::Pppoe => Flag::Pppoe,
            Self::Hotspot => Flag::Hotspot,
            Self::Static => Flag::StaticAddresses,
        }
    }

    /// What happens at the end where a package does not say it.
    const fn ending(self, endings: Endings) -> OnExpiry {
        let ending = match self {
            Self::Pppoe => endings.pppoe,
            Self::Hotspot => endings.hotspot,
            Self::Static => endings.own_address,
        };
        match ending {
            Ending::Redirect => OnExpiry::Redirect,
            Ending::Disable => OnExpiry::Disable,
        }
    }
}

/// What happens to a customer whose time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnExpiry {
    /// The customer stays connected and reaches only the pay page.
    Redirect,
    /// The customer is switched off.
    Disable,
}

impl OnExpiry {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Redirect => "redirect",
            Self::Disable => "disable",
        }
    }
}

/// How long a package lasts by the calendar, from purchase or renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Validity {
    /// So many seconds, from a minute to three years.
    Seconds(i64),
    /// So many calendar months in the tenant's time zone, 1 to 36: the same day and hour, or the month's last day where it is shorter.
    Months(i32),
}

/// Speeds as the customer sees them, in bits per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Speed {
    /// Towards the customer.
    pub download_bps: BitsPerSec,
    /// From the customer.
    pub upload_bps: BitsPerSec,
    /// A faster start.
    pub burst: Option<Burst>,
}

/// A faster start (RouterOS manual, "Queues", burst).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Burst {
    /// Towards the customer while it lasts.
    pub download_bps: BitsPerSec,
    /// From the customer while it lasts.
    pub upload_bps: BitsPerSec,
    /// The average towards the customer above which it ends.
    pub download_threshold_bps: BitsPerSec,
    /// The average from the customer above which it ends.
    pub upload_threshold_bps: BitsPerSec,
    /// Over how many seconds the average is taken, 1 to 600.
    pub seconds: u32,
}

/// A package to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPackage {
    /// Its name, 1 to 60 characters, unique among what is on sale.
    pub name: String,
    /// How its customers connect.
    pub kind: PackageKind,
    /// What it costs, in the tenant's currency; 0 is allowed.
    pub price: Money,
    /// How fast it is.
    pub speed: Speed,
    /// How long it lasts.
    pub validity: Validity,
    /// Seconds that one may be online in all, for a hotspot package.
    pub online_seconds: Option<i64>,
    /// Bytes that may be carried in all, for a hotspot package.
    pub data_bytes: Option<Bytes>,
    /// Devices at a time on one login, 1 to 100, for a hotspot package; 1 when left out.
    pub shared_users: Option<u16>,
    /// What happens at the end; `disable` for a hotspot package and `redirect` for others when left out.
    pub on_expiry: Option<OnExpiry>,
    /// Whether customers see it where they buy for themselves; they do when left out.
    pub portal: Option<bool>,
}

/// When a new speed reaches those who have the package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Applies {
    /// At once.
    #[default]
    Now,
    /// With what each of them buys next; what was bought before keeps its speed to its end.
    NextRenewal,
}

impl Applies {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::NextRenewal => "next_renewal",
        }
    }
}

/// What of a package may change while it is sold. Another price or speed is a new version; what was sold keeps the version it was sold as.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PackageChange {
    /// The price from now on.
    pub price: Option<Money>,
    /// The speed; a burst that is left out goes.
    pub speed: Option<Speed>,
    /// When the speed reaches those who have the package; at once when left out.
    pub applies: Option<Applies>,
    /// Whether customers see it where they buy for themselves.
    pub portal: Option<bool>,
}

/// Makes a package.
///
/// # Errors
/// When the role may not, a field is wrong, or the name is taken.
pub async fn create(app: &App, scope: &TenantScope, new: NewPackage) -> Result<PackageId, PackageError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::PackagesWrite).await?;
    if let Some((field, message)) = rules::fault(&new) {
        return Err(PackageError::Field { field, message });
    }
    expect_currency(&mut tx, new.price).await?;
    tenants::expect_on(&mut tx, new.kind.flag()).await.map_err(OperatorError::from)?;
    let endings = tenants::settings_in_force(&mut tx).await?.on_expiry;
    let new = NewPackage { on_expiry: Some(new.on_expiry.unwrap_or_else(|| new.kind.ending(endings))), ..new };
    let id = PackageId::generate(now, &*app.entropy);
    let version = PackageVersionId::generate(now, &*app.entropy);
    store::insert(&mut tx, id, &new, version, now).await?;
    versions::first(&mut tx, version, id, &new, now).await?;
    let details = serde_json::json!({ "name": new.name, "kind": new.kind, "price": new.price, "speed": new.speed });
    tx.audit(now, "package.create", &id.to_string(), details).await?;
    tx.commit().await?;
    Ok(id)
}

/// Changes the price from now on, or the speed of those who have the package: at once, and then their routers look again, or with their
/// next purchase. Another price or speed makes a new version.
///
/// # Errors
/// When the role may not, a field is wrong, or there is no such package on sale.
pub async fn update(app: &App, scope: &TenantScope, id: PackageId, change: PackageChange) -> Result<PackageView, PackageError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::PackagesWrite).await?;
    // Locked, so that of two changes at once neither undoes the other, and versions are counted without a gap.
    store::lock(&mut tx, id).await?;
    let before = get(&mut tx, id).await?;
    if before.retired_at.is_some() {
        return Err(PackageError::Retired);
    }
    if let Some((field, message)) = change.speed.as_ref().and_then(rules::speed_fault) {
        return Err(PackageError::Field { field, message });
    }
    if let Some(price) = change.price {
        if let Some((field, message)) = rules::price_fault(price) {
            return Err(PackageError::Field { field, message });
        }
        expect_currency(&mut tx, price).await?;
    }
    let (price, speed) = (change.price.unwrap_or(before.price), change.speed.unwrap_or(before.speed));
    let applies = change.applies.unwrap_or_default();
    let mut after = PackageView { price, speed, portal: change.portal.unwrap_or(before.portal), ..before.clone() };
    if (price, speed) != (before.price, before.speed) {
        (after.version_id, after.version) = versions::next(app, &mut tx, &after, applies, now).await?;
    }
    store::update(&mut tx, &after).await?;
    // With the next purchase, too: who has not paid has nothing to keep, and is to be found with the new terms.
    if speed != before.speed {
        for router in store::routers_with(&mut tx, id).await? {
            tx.touch_router(router, now).await?;
        }
    }
    let details = |package: &PackageView| {
        serde_json::json!({
            "price": package.price, "speed": package.speed, "portal": package.portal, "version": package.version
        })
    };
    let details = serde_json::json!({ "before": details(&before), "after": details(&after), "applies": applies });
    tx.audit(now, "package.update", &id.to_string(), details).await?;
    tx.commit().await?;
    Ok(after)
}

/// Takes a package off sale. Who has it keeps it and may renew it.
///
/// # Errors
/// When the role may not, or there is no such package on sale.
pub async fn retire(app: &App, scope: &TenantScope, id: PackageId) -> Result<(), PackageError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::PackagesWrite).await?;
    if !store::retire(&mut tx, id, now).await? {
        return Err(PackageError::NotFound);
    }
    tx.audit(now, "package.retire", &id.to_string(), serde_json::json!({})).await?;
    Ok(tx.commit().await?)
}

/// Reads a package, retired ones too.
///
/// # Errors
/// When there is no such package.
pub async fn get(tx: &mut TenantTx, id: PackageId) -> Result<PackageView, PackageError> {
    by_ids(tx, &[id]).await?.pop().ok_or(PackageError::NotFound)
}

/// Reads a package that a customer is to get anew.
///
/// # Errors
/// When there is no such package, or it is retired.
pub async fn on_sale(tx: &mut TenantTx, id: PackageId) -> Result<PackageView, PackageError> {
    let package = get(tx, id).await?;
    if package.retired_at.is_some() { Err(PackageError::Retired) } else { Ok(package) }
}

/// Lists every package on sale with its name, for a file that names them.
///
/// # Errors
/// When the database does not answer.
pub async fn all_on_sale(tx: &mut TenantTx) -> Result<Vec<PackageView>, PackageError> {
    Ok(store::all_on_sale(tx).await?)
}

/// Says when a purchase that starts at `start` ends, in the tenant's time zone.
///
/// # Errors
/// When that lies outside the calendar, or the time zone is not known to this machine any more.
pub async fn end_of(tx: &mut TenantTx, package: &PackageView, start: Timestamp) -> Result<Timestamp, PackageError> {
    let tenant = tenants::current(tx).await?;
    let zone = TimeZone::get(&tenant.time_zone).map_err(|_| PackageError::Calendar)?;
    rules::end(package.validity, start, &zone).ok_or(PackageError::Calendar)
}

async fn expect_currency(tx: &mut TenantTx, price: Money) -> Result<(), PackageError> {
    // Held, so that the currency cannot change between this look and the price that is written.
    let currency = tenants::current_held(tx).await?.currency;
    if price.currency == currency { Ok(()) } else { Err(PackageError::Currency(currency)) }
}
