//! A customer moved from one router to another: what is paid goes along, the old router forgets them, the new one learns of them.

use super::{CustomerChange, CustomerError, CustomerStatus, expect_in_scope, follow, ground, lock, present, rules, store};
use crate::app::App;
use crate::operators::{Permission, TenantScope};
use crate::routers;
use model::{CustomerId, RouterId};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use utoipa::ToSchema;

/// Where a customer is to go.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomerMove {
    /// The router that is to serve the customer.
    pub router: RouterId,
    /// The customer's own address there; the same as before when left out, none with null.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, format = Ipv4)]
    pub address: Option<Option<Ipv4Addr>>,
}

/// A customer who was moved; both routers look again.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct CustomerMoved {
    /// The router that served the customer.
    pub from: RouterId,
    /// The router that serves the customer now.
    pub to: RouterId,
}

/// Moves a customer to another router, with what is paid for.
///
/// # Errors
/// When the role may not, the customer or the router is not there or out of the caller's reach, the customer has left or is there already,
/// the package is not sold there, the address is in use there, or the router is full.
pub async fn relocate(
    app: &App,
    scope: &TenantScope,
    id: CustomerId,
    wanted: CustomerMove,
) -> Result<CustomerMoved, CustomerError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::CustomersWrite).await?;
    let before = lock(&mut tx, id).await?;
    if before.status == CustomerStatus::Terminated {
        return Err(CustomerError::Terminated);
    }
    if !routers::stands(&mut tx, wanted.router).await? {
        return Err(CustomerError::NoRouter);
    }
    if wanted.router == before.router {
        return Err(CustomerError::Field { field: "router", message: "the customer is on this router already" });
    }
    let change = CustomerChange { router: Some(wanted.router), address: wanted.address, ..CustomerChange::default() };
    let ground = ground(app, &mut tx).await?;
    let mut after = rules::changed(&before, change, ground)?;
    expect_in_scope(&mut tx, after.package, after.router).await?;
    store::update(&mut tx, &after).await?;
    follow(&mut tx, &before, &after, now).await?;
    after.version += 1;
    tx.audit_change(now, "customer.move", &id.to_string(), &before, &after).await?;
    tx.commit().await?;
    Ok(CustomerMoved { from: before.router, to: after.router })
}
