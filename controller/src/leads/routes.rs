//! Leads over HTTP.

use super::{LeadChange, LeadError, LeadView, NewCustomer, NewLead, Stage, store};
use crate::app::App;
use crate::http::{Body, Id, List, Page, Params, Permission, Problem, ProblemKind, TenantScope};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::civil::Date;
use model::{CustomerId, LeadId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

impl From<LeadError> for Problem {
    fn from(error: LeadError) -> Self {
        match error {
            LeadError::Field { field, message } => Self::field(field, message),
            LeadError::NotFound(what) => Self::not_found(what),
            LeadError::Won => Self::new(ProblemKind::Conflict, error.to_string()),
            LeadError::TooMany => Self::new(ProblemKind::Limit, error.to_string()),
            LeadError::Customer(error) => error.into(),
            LeadError::Operator(error) => error.into(),
            LeadError::Db(error) => error.into(),
        }
    }
}

/// Those to be called that are shown at once.
const DUE_MAX: i64 = 200;

/// Returns the routes of leads.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(due)).routes(routes!(get, change)).routes(routes!(convert))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only those that have come so far.
    stage: Option<Stage>,
}

/// Lists the leads, newest first.
#[utoipa::path(get, path = "/leads", tag = "leads", extensions(("x-permission" = json!("tickets.read"))), params(Filter, Page), responses((status = 200, body = List<LeadView>)))]
async fn list(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Params(filter): Params<Filter>,
    page: Page,
) -> Result<Json<List<LeadView>>, Problem> {
    let mut tx = scope.read(&app, Permission::TicketsRead).await?;
    Ok(Json(page.list(store::list(&mut tx, filter.stage, &page).await?)))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Due {
    /// By which day, such as 2026-01-20.
    #[param(value_type = String, format = Date, example = "2026-01-20")]
    by: Date,
}

/// Lists whom to call by a day, the most overdue first; at most 200.
#[utoipa::path(get, path = "/leads/due", tag = "leads", extensions(("x-permission" = json!("tickets.read"))), params(Due), responses((status = 200, body = Vec<LeadView>)))]
async fn due(State(app): State<Arc<App>>, scope: TenantScope, Params(due): Params<Due>) -> Result<Json<Vec<LeadView>>, Problem> {
    let mut tx = scope.read(&app, Permission::TicketsRead).await?;
    Ok(Json(store::due(&mut tx, due.by, DUE_MAX).await?))
}

#[derive(Debug, Serialize, ToSchema)]
struct AddedLead {
    /// The lead.
    id: LeadId,
}

/// Notes somebody who may become a customer.
#[utoipa::path(post, path = "/leads", tag = "leads", extensions(("x-permission" = json!("leads.write"))), request_body = NewLead, responses((status = 201, body = AddedLead)))]
async fn add(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Body(request): Body<NewLead>,
) -> Result<(StatusCode, Json<AddedLead>), Problem> {
    let id = super::add(&app, &scope, request).await?;
    Ok((StatusCode::CREATED, Json(AddedLead { id })))
}

/// Shows a lead.
#[utoipa::path(get, path = "/leads/{id}", tag = "leads", extensions(("x-permission" = json!("tickets.read"))), params(("id" = LeadId, Path)), responses((status = 200, body = LeadView)))]
async fn get(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<LeadId>) -> Result<Json<LeadView>, Problem> {
    let mut tx = scope.read(&app, Permission::TicketsRead).await?;
    Ok(Json(store::get(&mut tx, id).await?.ok_or(LeadError::NotFound("lead"))?))
}

/// Changes a lead.
#[utoipa::path(patch, path = "/leads/{id}", tag = "leads", extensions(("x-permission" = json!("leads.write"))), params(("id" = LeadId, Path)), request_body = LeadChange, responses((status = 200, body = LeadView)))]
async fn change(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<LeadId>,
    Body(request): Body<LeadChange>,
) -> Result<Json<LeadView>, Problem> {
    Ok(Json(super::change(&app, &scope, id, request).await?))
}

#[derive(Debug, Serialize, ToSchema)]
struct ConvertedLead {
    /// The customer that came of it.
    customer: CustomerId,
    /// The customer's password, if it was made here.
    password: Option<String>,
}

/// Makes a customer of a lead.
#[utoipa::path(post, path = "/leads/{id}/convert", tag = "leads", extensions(("x-permission" = json!("customers.write"))), params(("id" = LeadId, Path)), request_body = NewCustomer, responses((status = 201, body = ConvertedLead)))]
async fn convert(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<LeadId>,
    Body(request): Body<NewCustomer>,
) -> Result<(StatusCode, Json<ConvertedLead>), Problem> {
    let (customer, made) = super::convert(&app, &scope, id, request).await?;
    let password = made.password.map(|password| password.expose().clone());
    Ok((StatusCode::CREATED, Json(ConvertedLead { customer, password })))
}
