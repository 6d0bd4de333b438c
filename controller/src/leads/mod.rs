//! People who may become customers: where they came from, when to call again, and the customer that came of it.

mod routes;
mod rules;
mod store;

pub use routes::routes;
pub use store::LeadView;

use crate::app::App;
use crate::customers::{self, CustomerError, NewCustomer, NewlyMade};
use crate::operators::{self, OperatorError, Permission, TenantScope};
use crate::sites;
use db::{DbError, TenantTx};
use jiff::civil::Date;
use model::{CustomerId, LeadId, OperatorId, SiteId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Leads that a tenant may keep.
const LEADS_MAX: i64 = 100_000;
/// Characters of a name or a source.
const LINE_MAX: usize = 100;
/// Characters of notes.
const NOTES_MAX: usize = 2000;

/// Why an operation on leads was refused.
#[derive(Debug, thiserror::Error)]
pub enum LeadError {
    /// A field is wrong.
    #[error("{field}: {message}")]
    Field { field: &'static str, message: &'static str },
    /// There is no such thing: the lead, or what it names.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// A lead is won by making a customer of it, and once.
    #[error("a lead is won by making a customer of it, once; it is a customer's record from then on")]
    Won,
    /// The tenant keeps as many as it may.
    #[error("an ISP may keep {LEADS_MAX} leads")]
    TooMany,
    /// The customer could not be made.
    #[error(transparent)]
    Customer(#[from] CustomerError),
    /// The caller may not.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// How far a lead has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LeadStage)]
pub enum Stage {
    /// Nobody called yet.
    New,
    /// Somebody did.
    Contacted,
    /// Somebody looks whether it can be done.
    Survey,
    /// A customer came of it.
    Won,
    /// Nothing came of it.
    Lost,
}

impl Stage {
    const ALL: [Self; 5] = [Self::New, Self::Contacted, Self::Survey, Self::Won, Self::Lost];

    const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Contacted => "contacted",
            Self::Survey => "survey",
            Self::Won => "won",
            Self::Lost => "lost",
        }
    }

    fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == name)
    }
}

/// Somebody who may become a customer.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLead {
    /// Their name, 1 to 100 characters.
    pub name: String,
    /// Their phone number in any usual form.
    pub phone: Option<String>,
    /// Where they came from, up to 100 characters.
    #[serde(default)]
    pub source: String,
    /// When to call again.
    #[schema(value_type = Option<String>, format = Date)]
    pub follow_up_on: Option<Date>,
    /// Where they want it.
    pub site: Option<SiteId>,
    /// Who calls.
    pub assignee: Option<OperatorId>,
    /// Up to 2000 characters.
    #[serde(default)]
    pub notes: String,
}

/// What of a lead is to change; what is left out stays.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LeadChange {
    /// How far it has come; not `won`, which comes by making a customer of it.
    pub stage: Option<Stage>,
    /// When to call again.
    #[schema(value_type = Option<String>, format = Date)]
    pub follow_up_on: Option<Date>,
    /// Who calls.
    pub assignee: Option<OperatorId>,
    /// Notes, instead of those that are there.
    pub notes: Option<String>,
}

async fn expect_named(tx: &mut TenantTx, site: Option<SiteId>, assignee: Option<OperatorId>) -> Result<(), LeadError> {
    if let Some(site) = site
        && !sites::hold(tx, site).await?
    {
        return Err(LeadError::NotFound("site"));
    }
    if let Some(assignee) = assignee
        && !operators::serves(tx, assignee).await?
    {
        return Err(LeadError::NotFound("operator"));
    }
    Ok(())
}

/// Notes somebody who may become a customer.
///
/// # Errors
/// When the role may not, a field is wrong, or what it names is not there.
pub async fn add(app: &App, scope: &TenantScope, new: NewLead) -> Result<LeadId, LeadError> {
    rules::judge("name", &new.name, 1, LINE_MAX, false)?;
    rules::judge("source", &new.source, 0, LINE_MAX, false)?;
    rules::judge("notes", &new.notes, 0, NOTES_MAX, true)?;
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::LeadsWrite).await?;
    let phone = match &new.phone {
        Some(text) => customers::phone_of(&mut tx, text).await?,
        None => String::new(),
    };
    expect_named(&mut tx, new.site, new.assignee).await?;
    if store::count(&mut tx).await? >= LEADS_MAX {
        return Err(LeadError::TooMany);
    }
    let id = LeadId::generate(now, &*app.entropy);
    store::insert(&mut tx, id, &new, &phone, now).await?;
    tx.audit(now, "lead.add", &id.to_string(), serde_json::json!({ "source": new.source })).await?;
    tx.commit().await?;
    Ok(id)
}

/// Changes a lead.
///
/// # Errors
/// When the role may not, the stage does not follow, or there is no such lead.
pub async fn change(app: &App, scope: &TenantScope, id: LeadId, change: LeadChange) -> Result<LeadView, LeadError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::LeadsWrite).await?;
    let before = store::lock(&mut tx, id).await?.ok_or(LeadError::NotFound("lead"))?;
    let mut after = before.clone();
    if let Some(stage) = change.stage.filter(|stage| *stage != before.stage) {
        if !before.stage.may_become(stage) {
            return Err(LeadError::Won);
        }
        after.stage = stage;
    }
    if let Some(notes) = change.notes {
        rules::judge("notes", &notes, 0, NOTES_MAX, true)?;
        after.notes = notes;
    }
    expect_named(&mut tx, None, change.assignee).await?;
    after.assignee = change.assignee.or(before.assignee);
    after.follow_up_on = change.follow_up_on.or(before.follow_up_on);
    store::update(&mut tx, &after).await?;
    tx.audit_change(now, "lead.change", &id.to_string(), &before, &after).await?;
    tx.commit().await?;
    Ok(after)
}

/// Makes a customer of a lead, both or neither.
///
/// # Errors
/// When the role may not make customers, the lead is one already, or the customer cannot be made.
pub async fn convert(app: &App, scope: &TenantScope, id: LeadId, new: NewCustomer) -> Result<(CustomerId, NewlyMade), LeadError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::CustomersWrite).await?;
    let mut lead = store::lock(&mut tx, id).await?.ok_or(LeadError::NotFound("lead"))?;
    if lead.stage == Stage::Won {
        return Err(LeadError::Won);
    }
    let made = customers::create(app, &mut tx, new, now).await?;
    (lead.stage, lead.customer) = (Stage::Won, Some(made.id));
    store::update(&mut tx, &lead).await?;
    tx.audit(now, "lead.convert", &id.to_string(), serde_json::json!({ "customer": made.id })).await?;
    tx.commit().await?;
    Ok((made.id, made))
}
