//! ISPs: made by the platform's operator, each with its own currency, time zone, data key and first admin.

mod routes;
mod store;

pub use routes::routes;
pub use store::{TenantView, current};

use crate::app::App;
use crate::operators::{self, OperatorError, Role};
use db::{DbError, PlatformActor};
use jiff::tz::TimeZone;
use model::{Currency, DataKeyId, Secret, TenantId};

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
    /// The first admin could not be made.
    #[error(transparent)]
    Operator(#[from] OperatorError),
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
}

/// Makes a tenant with its data key and first admin, all or nothing; returns the one-time link's token for a new admin.
///
/// # Errors
/// When a field is wrong or the name is taken.
pub async fn create(app: &App, actor: &PlatformActor, new: NewTenant) -> Result<(TenantId, Option<Secret<String>>), TenantError> {
    if !(1..=100).contains(&new.name.chars().count()) {
        return Err(TenantError::Field { field: "name", message: "write 1 to 100 characters" });
    }
    if TimeZone::get(&new.time_zone).is_err() {
        return Err(TenantError::Field { field: "time_zone", message: "write an IANA name such as Africa/Nairobi" });
    }
    let now = app.clock.now();
    let id = TenantId::generate(now, &*app.entropy);
    let mut tx = app.db.platform(actor, "a tenant was created", now).await?;
    store::insert(&mut tx, id, &new, now).await?;
    let key = app.vault.new_data_key(id);
    store::insert_data_key(&mut tx, id, DataKeyId::generate(now, &*app.entropy), &key, now).await?;
    let (_, setup) = operators::add_member(app, &mut tx, id, &new.admin_login, &new.admin_name, Role::Admin).await?;
    tx.commit().await?;
    Ok((id, setup))
}

/// Suspends a tenant or makes it active again. Its customers keep what they paid for; its operators may only look.
///
/// # Errors
/// When there is no such tenant.
pub async fn set_status(app: &App, actor: &PlatformActor, id: TenantId, active: bool) -> Result<(), TenantError> {
    let reason = if active { "a tenant was made active" } else { "a tenant was suspended" };
    let mut tx = app.db.platform(actor, reason, app.clock.now()).await?;
    if !store::set_status(&mut tx, id, if active { "active" } else { "suspended" }).await? {
        return Err(TenantError::NotFound);
    }
    Ok(tx.commit().await?)
}
