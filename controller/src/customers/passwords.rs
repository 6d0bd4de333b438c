//! Customers' passwords: sealed at rest, shown to who may see them, replaced.

use super::rules;
use super::store;
use super::{CustomerError, CustomerStatus, lock};
use crate::app::App;
use crate::operators::{Permission, TenantScope};
use crate::secrets::Place;
use db::TenantTx;
use model::{CustomerId, Secret};

pub(super) fn place(id: CustomerId) -> Place {
    Place { table: "customer", column: "password", row: id.uuid() }
}

/// Opens a customer's password, for an answer that is given again.
///
/// # Errors
/// When there is no such customer, or the password does not open.
pub(super) async fn open(app: &App, tx: &mut TenantTx, id: CustomerId) -> Result<Secret<String>, CustomerError> {
    let sealed = store::sealed_password(tx, id).await?.ok_or(CustomerError::NotFound)?;
    Ok(app.vault.open_text(tx, place(id), &sealed).await?)
}

/// Shows a customer's password to who may see it, and writes down that it was shown.
///
/// # Errors
/// When the role may not, or there is no such customer.
pub async fn password(app: &App, scope: &TenantScope, id: CustomerId) -> Result<Secret<String>, CustomerError> {
    let now = app.clock.now();
    let mut tx = scope.read(app, Permission::CustomerSecrets).await?;
    let password = open(app, &mut tx, id).await?;
    tx.audit(now, "customer.password.show", &id.to_string(), serde_json::json!({})).await?;
    tx.commit().await?;
    Ok(password)
}

/// Gives a customer a new password, made when none is given; the router gets it.
///
/// # Errors
/// When the role may not, the password is not usable, or the customer is not there or has left.
pub async fn reset_password(
    app: &App,
    scope: &TenantScope,
    id: CustomerId,
    password: Option<Secret<String>>,
) -> Result<Secret<String>, CustomerError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::CustomerSecrets).await?;
    if let Some(fault) = password.as_ref().and_then(|password| rules::password_fault(password.expose())) {
        return Err(fault.into());
    }
    let customer = lock(&mut tx, id).await?;
    if customer.status == CustomerStatus::Terminated {
        return Err(CustomerError::Terminated);
    }
    let password = password.unwrap_or_else(|| rules::new_password(&*app.entropy));
    let sealed = app.vault.seal(&mut tx, place(id), password.expose().as_bytes()).await?;
    store::set_password(&mut tx, id, &sealed).await?;
    tx.touch_router(customer.router, now).await?;
    tx.audit(now, "customer.password.reset", &id.to_string(), serde_json::json!({})).await?;
    tx.commit().await?;
    Ok(password)
}
