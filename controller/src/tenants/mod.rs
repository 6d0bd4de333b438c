//! ISPs: made by the platform's operator, each with its own currency, time zone, data key and first admin; how each stands, what it may
//! use and does use, what it set for itself, and how nothing of it is left in the end.

mod country;
mod flags;
mod lifecycle;
mod limits;
mod metering;
mod purge;
mod rates;
mod routes;
mod rules;
mod settings;
mod store;

pub use country::country;
pub use flags::{FlagError, FlagView, expect_on};
pub use lifecycle::{Transition, change_standing, sweep};
pub use limits::{LimitError, LimitView, check, check_across, spend_messages};
pub use metering::{flush_requests, measure};
pub use purge::{Certificate, purge_on, resume_purges};
pub use rates::Rates;
pub use routes::routes;
pub use rules::CustomerPolicy;
pub use rules::limits::{Bounds, Level, Limit};
pub use rules::settings::{Ending, Endings, Flag, LateRenewal, Settings};
pub use settings::in_force as settings_in_force;
pub use store::{TenantView, current, current_held};

use crate::app::App;
use crate::ledger;
use crate::operators::{self, OperatorError, Permission, Role, TenantScope};
use crate::secrets;
use db::{DbError, PlatformActor};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use model::{Country, Currency, Secret, Standing, TenantId};
use serde::Deserialize;
use utoipa::ToSchema;

/// Why an operation on tenants was refused.
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    /// A field is wrong.
    #[error("{field}: {message}")]
    Field { field: &'static str, message: &'static str },
    /// The name is taken.
    #[error("an ISP with this name exists")]
    NameTaken,
    /// There is no such tenant.
    #[error("there is no such tenant")]
    NotFound,
    /// No road leads there.
    #[error("an ISP that is {from} cannot become {to}")]
    Standing { from: Standing, to: Standing },
    /// Purging has its own operation.
    #[error("an ISP is purged by its own operation, which wants its name once more")]
    PurgeInstead,
    /// There are prices already.
    #[error("the currency stays as it is: there are packages or payments in it")]
    CurrencyInUse,
    /// The purge may not begin yet.
    #[error("{0}")]
    NotYet(String),
    /// Nothing was purged here.
    #[error("there is no such certificate")]
    NoCertificate,
    /// Somebody changed the settings in the meantime.
    #[error("the settings are at version {now} by now: read them again, and send your change with that version")]
    Stale { now: i32 },
    /// A limit cannot be so.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// A flag cannot be so.
    #[error(transparent)]
    Flag(#[from] FlagError),
    /// The caller may not, or the first admin could not be made.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The backup files could not be removed.
    #[error("the backup files in the data folder could not be removed")]
    Files(#[from] std::io::Error),
    /// The hub did not do it.
    #[error(transparent)]
    Tunnel(#[from] crate::tunnels::TunnelError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What a new tenant is made of.
#[derive(Debug)]
pub struct NewTenant {
    /// The ISP's name, 1 to 100 characters.
    pub name: String,
    /// The currency it sells in.
    pub currency: Currency,
    /// Its time zone (IANA name), in which days and hours are shown.
    pub time_zone: String,
    /// The first admin's login name.
    pub admin_login: String,
    /// The first admin's name.
    pub admin_name: String,
    /// When its trial ends; without one it is active at once.
    pub trial_ends_at: Option<Timestamp>,
}

fn expect_name(name: &str) -> Result<(), TenantError> {
    if (1..=100).contains(&name.chars().count()) && !name.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(TenantError::Field { field: "name", message: "write 1 to 100 characters" })
    }
}

fn expect_zone(name: &str) -> Result<(), TenantError> {
    if TimeZone::get(name).is_ok() {
        Ok(())
    } else {
        Err(TenantError::Field { field: "time_zone", message: "write an IANA name such as Africa/Nairobi" })
    }
}

fn expect_trial(end: Timestamp, now: Timestamp) -> Result<(), TenantError> {
    if end > now && end.duration_since(now) <= SignedDuration::from_hours(24 * rules::TRIAL_DAYS_MAX) {
        Ok(())
    } else {
        Err(TenantError::Field { field: "trial_ends_at", message: "a trial ends within the next 366 days" })
    }
}

fn expect_reason(reason: &str) -> Result<&str, TenantError> {
    let reason = reason.trim();
    if (3..=300).contains(&reason.chars().count()) && !reason.chars().any(char::is_control) {
        Ok(reason)
    } else {
        Err(TenantError::Field { field: "reason", message: "say why, in 3 to 300 characters" })
    }
}

/// Makes a tenant with its data key and first admin, all or nothing; returns the one-time link's token for a new admin.
///
/// # Errors
/// When a field is wrong or the name is taken.
pub async fn create(app: &App, actor: &PlatformActor, new: NewTenant) -> Result<(TenantId, Option<Secret<String>>), TenantError> {
    let now = app.clock.now();
    expect_name(&new.name)?;
    expect_zone(&new.time_zone)?;
    if let Some(end) = new.trial_ends_at {
        expect_trial(end, now)?;
    }
    let id = TenantId::generate(now, &*app.entropy);
    let mut tx = app.db.platform(actor, "a tenant was created", now).await?;
    store::insert(&mut tx, id, &new, now).await?;
    secrets::make_keys(&app.vault, &mut tx, id, now).await?;
    ledger::open_system_accounts(app, &mut tx, id, now).await?;
    let (_, setup) = operators::add_member(app, &mut tx, id, &new.admin_login, &new.admin_name, Role::Admin).await?;
    tx.commit().await?;
    Ok((id, setup))
}

/// What an ISP changes of itself; what is left out stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnChange {
    /// Another currency, as long as nothing has a price.
    pub currency: Option<Currency>,
    /// Another time zone (IANA name): days and months count in it from now on, and what was sold keeps its end.
    pub time_zone: Option<String>,
    /// Where its people telephone: it tells what a number without a country means. Numbers that are stored stay as they are.
    pub country: Option<Country>,
}

/// Changes the caller's own currency, time zone or country.
///
/// # Errors
/// When the role may not, the zone is none, or something has a price already.
pub async fn set_own(app: &App, scope: &TenantScope, change: OwnChange) -> Result<TenantView, TenantError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::SettingsWrite).await?;
    if let Some(zone) = &change.time_zone {
        expect_zone(zone)?;
    }
    let before = store::current_locked(&mut tx).await?;
    let after = TenantView {
        currency: change.currency.unwrap_or(before.currency),
        time_zone: change.time_zone.unwrap_or_else(|| before.time_zone.clone()),
        country: change.country.or(before.country),
        ..before.clone()
    };
    if after.currency != before.currency && store::has_prices(&mut tx).await? {
        return Err(TenantError::CurrencyInUse);
    }
    store::set_own(&mut tx, &after).await?;
    tx.audit_change(now, "tenant.update", &before.id.to_string(), &before, &after).await?;
    tx.commit().await?;
    Ok(after)
}
