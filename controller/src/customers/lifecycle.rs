//! How customers go and come: switched off by hand, let go, taken back, and forgotten when a voucher made them and nobody came again.

use super::rules::{self, IDLE_VOUCHER, RESTORABLE, Wish};
use super::store;
use super::{CustomerError, CustomerStatus, credentials, expect_room, lock};
use crate::app::App;
use crate::operators::{Permission, TenantScope};
use crate::tenants::{self, Limit};
use db::{DbError, TenantDoor};
use model::{CustomerId, Deed, RouterId};
use std::collections::BTreeSet;

/// Switches a customer off by hand.
///
/// # Errors
/// When the role may not, or the customer is not there or has left.
pub async fn suspend(app: &App, scope: &TenantScope, id: CustomerId) -> Result<(), CustomerError> {
    set_status(app, scope, id, Wish::Suspend).await
}

/// Ends what [`suspend`] began.
///
/// # Errors
/// When the role may not, or the customer is not there or has left.
pub async fn resume(app: &App, scope: &TenantScope, id: CustomerId) -> Result<(), CustomerError> {
    set_status(app, scope, id, Wish::Resume).await
}

/// Lets a customer go: the router forgets them, the login may be used anew, the history stays. For 30 days they can be taken back.
///
/// # Errors
/// When the role may not, or the customer is not there.
pub async fn terminate(app: &App, scope: &TenantScope, id: CustomerId) -> Result<(), CustomerError> {
    set_status(app, scope, id, Wish::Terminate).await
}

async fn set_status(app: &App, scope: &TenantScope, id: CustomerId, wish: Wish) -> Result<(), CustomerError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::CustomersWrite).await?;
    let customer = lock(&mut tx, id).await?;
    let status = rules::next_status(customer.status, wish).ok_or(CustomerError::Terminated)?;
    if status == customer.status {
        return Ok(());
    }
    store::set_status(&mut tx, id, status, now).await?;
    tx.touch_router(customer.router, now).await?;
    let action = match wish {
        Wish::Suspend => "customer.suspend",
        Wish::Resume => "customer.resume",
        Wish::Terminate => "customer.terminate",
    };
    tx.audit(now, action, &id.to_string(), serde_json::json!({})).await?;
    Ok(tx.commit().await?)
}

/// Takes a customer back who was let go within the last 30 days, with the account number, what is still paid, and the login and address if
/// nobody else has them now.
///
/// # Errors
/// When the role may not, the customer is not there, has not left or left too long ago, the router is gone or full, or the login or address
/// is in use.
pub async fn restore(app: &App, scope: &TenantScope, id: CustomerId) -> Result<(), CustomerError> {
    let now = app.clock.now();
    let mut tx = scope.write_to(app, Deed::Grow, Permission::CustomersWrite).await?;
    let mut customer = lock(&mut tx, id).await?;
    let left_at = customer.terminated_at.ok_or(CustomerError::NotTerminated)?;
    if now > left_at + RESTORABLE {
        return Err(CustomerError::LongGone);
    }
    // In between the login and the device may have been somebody else's.
    let held = credentials::held(&customer);
    credentials::remember(app, &mut tx, &customer, &held, left_at).await?;
    customer.since.login = now;
    customer.since.mac = customer.since.mac.map(|_| now);
    customer.since.phone = customer.since.phone.map(|_| now);
    tenants::check(&mut tx, Limit::Customers, 1, now).await?;
    store::set_status(&mut tx, id, CustomerStatus::Active, now).await?;
    store::update(&mut tx, &customer).await?;
    expect_room(&mut tx, customer.router, now).await?;
    tx.audit(now, "customer.restore", &id.to_string(), serde_json::json!({ "left_at": left_at })).await?;
    Ok(tx.commit().await?)
}

/// Lets go, in all tenants, whom a voucher made and whose time ended 30 days ago: they would count against their router's customers for
/// ever. Returns how many.
///
/// # Errors
/// When the database does not answer; who was let go until then stays so.
pub async fn forget_idle(app: &App) -> Result<usize, DbError> {
    let mut gone = 0;
    for door in app.db.locator().tenants("customers").await? {
        gone += forget_idle_of(app, &door).await?;
    }
    Ok(gone)
}

async fn forget_idle_of(app: &App, door: &TenantDoor) -> Result<usize, DbError> {
    let now = app.clock.now();
    let mut tx = app.db.tenant(door).await?;
    let gone = store::terminate_idle(&mut tx, now - IDLE_VOUCHER, now).await?;
    if gone.is_empty() {
        return Ok(0);
    }
    // In one order for everybody, so that two who touch the same routers cannot wait for each other.
    for router in gone.iter().map(|(_, router)| *router).collect::<BTreeSet<RouterId>>() {
        tx.touch_router(router, now).await?;
    }
    for (id, _) in &gone {
        let details =
            serde_json::json!({ "reason": "a voucher made the customer, and the last of their time ended 30 days ago" });
        tx.audit(now, "customer.terminate", &id.to_string(), details).await?;
    }
    tx.commit().await?;
    Ok(gone.len())
}
