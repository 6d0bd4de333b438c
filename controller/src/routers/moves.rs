//! A router moved from one ISP to another, by the platform's operator: in one action it leaves the one, cleaned and with its history left
//! behind, and waits for its enrolment with the other, under a new id, with a new address and new secrets.

use super::{Added, Departure, Removed, RouterError, make, store, take_out};
use crate::app::App;
use db::{PlatformActor, TenantDoor};
use model::{Deed, RouterId, TenantId};
use serde::Deserialize;
use utoipa::ToSchema;

/// Longest reason, in characters.
const REASON_MAX: usize = 200;

/// Where a router is to go, and why.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouterMove {
    /// The ISP that gets it.
    pub to: TenantId,
    /// What it is called there, 1 to 60 characters; its name here stays behind.
    pub name: String,
    /// Why, 1 to 200 characters; only the platform's operators read it.
    pub reason: String,
    /// Move it although customers are still on it; they stay behind, without a router, until they are moved to another one.
    #[serde(default)]
    pub leave_customers: bool,
    /// Move it although it cannot be cleaned now. Say so only when it has been reset by hand: whatever is left on it, customers' passwords
    /// among it, goes to the other ISP.
    #[serde(default)]
    pub uncleaned: bool,
}

/// A router that was moved.
#[derive(Debug)]
pub struct Moved {
    /// The router as the other ISP has it, with what to paste.
    pub added: Added,
    /// How far it was cleaned.
    pub removed: Removed,
}

/// Moves a router to another ISP. The old one keeps its history under the old id; nothing of it is known to the new one but the serial
/// number, which must be free there.
///
/// # Errors
/// When there is no such router or ISP, the name or the serial number is taken there, a limit is reached, customers are on it, or it cannot
/// be cleaned. Nothing is moved then.
pub async fn relocate(app: &App, actor: &PlatformActor, id: RouterId, wanted: RouterMove) -> Result<Moved, RouterError> {
    let reason = wanted.reason.trim();
    if !(1..=REASON_MAX).contains(&reason.chars().count()) || reason.contains(char::is_control) {
        return Err(RouterError::Reason);
    }
    let locator = app.db.locator();
    let from = locator.owner_of(actor, id).await?.ok_or(RouterError::NotFound)?;
    let (to, standing) = locator.receiver(actor, wanted.to).await?.ok_or(RouterError::NoTenant)?;
    if from.tenant() == to.tenant() {
        return Err(RouterError::SameTenant);
    }
    if !standing.allows(Deed::Grow) {
        return Err(RouterError::Receiver(standing));
    }
    let mut tx = app.db.tenant(&from).await?;
    let router = store::find(&mut tx, id).await?;
    let customers = store::customers_on(&mut tx, id).await?;
    drop(tx);
    if customers > 0 && !wanted.leave_customers {
        return Err(RouterError::HasCustomers(customers));
    }
    // What is about to be tried is written down first, so that no step of it can be without a trace.
    let why = format!("router {id} of {} is moved to {}: {reason}", from.tenant(), to.tenant());
    app.db.platform(actor, &why, app.clock.now()).await?.commit().await?;

    // The new one is made before the old one goes: all that can be refused is refused while nothing is lost.
    let mut tx = app.db.tenant(&to).await?;
    let added = make(app, &mut tx, &wanted.name, router.serial.as_deref(), "router.move_in").await?;
    let added = super::commit(app, tx, added).await?;
    let departure = Departure { action: "router.move_out", only_cleaned: !wanted.uncleaned };
    match take_out(app, &from, id, departure).await {
        Ok(removed) => Ok(Moved { added, removed }),
        Err(error) => {
            withdraw(app, &to, added.id).await?;
            Err(error)
        }
    }
}

/// Takes back the router that nobody will get: no box has seen its texts.
async fn withdraw(app: &App, door: &TenantDoor, id: RouterId) -> Result<(), RouterError> {
    take_out(app, door, id, Departure { action: "router.move_withdrawn", only_cleaned: false }).await?;
    Ok(())
}
