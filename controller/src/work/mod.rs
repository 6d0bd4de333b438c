//! What technicians did: installs, visits and repairs, with how long, what was used up, and where.

mod routes;
mod rules;
mod store;

pub use routes::routes;
pub use store::WorkView;

use crate::app::App;
use crate::customers;
use crate::operators::{self, OperatorError, Permission, TenantScope};
use crate::{routers, sites, tickets};
use db::{DbError, TenantTx};
use jiff::Timestamp;
use model::{CustomerId, OperatorId, RouterId, SiteId, TicketId, WorkId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why an operation on work entries was refused.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// A field is wrong.
    #[error("{field}: {message}")]
    Field { field: &'static str, message: &'static str },
    /// There is no such thing: the entry, or what it names.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// A token must say whose work it was.
    #[error("operator: an API token did no work itself; name the operator who did")]
    Whose,
    /// The caller may not.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What kind of work it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkKind {
    /// Something new was put up.
    Install,
    /// Somebody was helped.
    Support,
    /// Something was kept in order.
    Maintenance,
    /// It was looked whether and how it can be done.
    Survey,
}

impl WorkKind {
    const ALL: [Self; 4] = [Self::Install, Self::Support, Self::Maintenance, Self::Survey];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Support => "support",
            Self::Maintenance => "maintenance",
            Self::Survey => "survey",
        }
    }

    fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// What was used up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Material {
    /// What, 1 to 100 characters.
    pub name: String,
    /// How much, in thousandths of the unit: 2.5 m is 2500.
    pub milli: u32,
    /// The unit, 1 to 20 characters.
    pub unit: String,
}

/// Where it was noted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WorkPosition)]
pub struct Position {
    /// Degrees north (WGS 84).
    pub latitude: f64,
    /// Degrees east (WGS 84).
    pub longitude: f64,
    /// How far off it may be, in metres.
    pub accuracy_m: Option<u32>,
}

/// Work that was done.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWork {
    /// What kind.
    pub kind: WorkKind,
    /// Who did it; the caller when left out.
    pub operator: Option<OperatorId>,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// How long it took, 1 to 1440 minutes.
    pub minutes: i32,
    /// At which customer.
    pub customer: Option<CustomerId>,
    /// On which router; the customer's or the ticket's when left out.
    pub router: Option<RouterId>,
    /// At which site.
    pub site: Option<SiteId>,
    /// For which ticket.
    pub ticket: Option<TicketId>,
    /// What was used up, at most 50 kinds.
    #[serde(default)]
    pub materials: Vec<Material>,
    /// Where it was noted.
    pub position: Option<Position>,
    /// Up to 2000 characters.
    #[serde(default)]
    pub note: String,
}

fn expect<E>(found: Result<bool, E>, what: &'static str) -> Result<(), WorkError>
where
    WorkError: From<E>,
{
    if found? { Ok(()) } else { Err(WorkError::NotFound(what)) }
}

/// Looks for what it names. What was done for a customer or a ticket was done on their router: who does not see that sees none of this.
async fn expect_named(tx: &mut TenantTx, new: &mut NewWork) -> Result<(), WorkError> {
    if let Some(router) = new.router {
        expect(routers::stands(tx, router).await, "router")?;
    }
    if let Some(site) = new.site {
        expect(sites::hold(tx, site).await, "site")?;
    }
    if let Some(customer) = new.customer {
        let found = customers::addressee(tx, customer).await?.ok_or(WorkError::NotFound("customer"))?;
        new.router = new.router.or(Some(found.router));
    }
    if let Some(ticket) = new.ticket {
        let router = tickets::router_of(tx, ticket).await?.ok_or(WorkError::NotFound("ticket"))?;
        new.router = new.router.or(router);
    }
    Ok(())
}

/// Notes work that was done.
///
/// # Errors
/// When the role may not, a field is wrong, or what it names is not there.
pub async fn add(app: &App, scope: &TenantScope, mut new: NewWork) -> Result<WorkId, WorkError> {
    rules::judge(&new)?;
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::TicketsWrite).await?;
    if new.started_at > now {
        return Err(WorkError::Field { field: "started_at", message: "work is noted when it was done, not before" });
    }
    let operator = new.operator.or_else(|| scope.operator()).ok_or(WorkError::Whose)?;
    expect(operators::serves(&mut tx, operator).await, "operator")?;
    expect_named(&mut tx, &mut new).await?;
    let id = WorkId::generate(now, &*app.entropy);
    store::insert(&mut tx, id, operator, &new, now).await?;
    tx.audit(now, "work.add", &id.to_string(), serde_json::json!({ "kind": new.kind.as_str(), "operator": operator })).await?;
    tx.commit().await?;
    Ok(id)
}

/// Strikes out an entry that was wrong. It stays to be seen.
///
/// # Errors
/// When the role may not, or there is no such entry that still counts.
pub async fn strike(app: &App, scope: &TenantScope, id: WorkId) -> Result<(), WorkError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::TicketsWrite).await?;
    if !store::strike(&mut tx, id, now).await? {
        return Err(WorkError::NotFound("work entry"));
    }
    tx.audit(now, "work.strike", &id.to_string(), serde_json::json!({})).await?;
    Ok(tx.commit().await?)
}
