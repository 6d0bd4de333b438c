//! Technicians' work over HTTP.

use super::store::{self, Among};
use super::{NewWork, WorkError, WorkView};
use crate::app::App;
use crate::http::{Body, Id, List, Page, Params, Permission, Problem, TenantScope};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use model::{CustomerId, OperatorId, RouterId, SiteId, TicketId, WorkId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

impl From<WorkError> for Problem {
    fn from(error: WorkError) -> Self {
        match error {
            WorkError::Field { field, message } => Self::field(field, message),
            WorkError::Whose => Self::field("operator", error.to_string()),
            WorkError::NotFound(what) => Self::not_found(what),
            WorkError::Operator(error) => error.into(),
            WorkError::Db(error) => error.into(),
        }
    }
}

/// Returns the routes of technicians' work.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(strike))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only that of one operator.
    #[param(value_type = Option<String>)]
    operator: Option<OperatorId>,
    /// Only at one customer.
    #[param(value_type = Option<String>)]
    customer: Option<CustomerId>,
    /// Only on one router.
    #[param(value_type = Option<String>)]
    router: Option<RouterId>,
    /// Only at one site.
    #[param(value_type = Option<String>)]
    site: Option<SiteId>,
    /// Only for one ticket.
    #[param(value_type = Option<String>)]
    ticket: Option<TicketId>,
}

impl Filter {
    fn among(&self) -> Result<Among, Problem> {
        let wanted = [
            self.operator.map(Among::Operator),
            self.customer.map(Among::Customer),
            self.router.map(Among::Router),
            self.site.map(Among::Site),
            self.ticket.map(Among::Ticket),
        ];
        let mut wanted = wanted.into_iter().flatten();
        match (wanted.next(), wanted.next()) {
            (None, _) => Ok(Among::All),
            (Some(one), None) => Ok(one),
            (Some(_), Some(_)) => Err(Problem::field("operator", "ask by one of operator, customer, router, site and ticket")),
        }
    }
}

/// Lists what technicians did, newest first.
#[utoipa::path(get, path = "/work-entries", tag = "work", extensions(("x-permission" = json!("tickets.read"))), params(Filter, Page), responses((status = 200, body = List<WorkView>)))]
async fn list(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Params(filter): Params<Filter>,
    page: Page,
) -> Result<Json<List<WorkView>>, Problem> {
    let among = filter.among()?;
    let mut tx = scope.read(&app, Permission::TicketsRead).await?;
    Ok(Json(page.list(store::list(&mut tx, among, &page).await?)))
}

#[derive(Debug, Serialize, ToSchema)]
struct AddedWork {
    /// The entry.
    id: WorkId,
}

/// Notes work that was done.
#[utoipa::path(post, path = "/work-entries", tag = "work", extensions(("x-permission" = json!("tickets.write"))), request_body = NewWork, responses((status = 201, body = AddedWork)))]
async fn add(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Body(request): Body<NewWork>,
) -> Result<(StatusCode, Json<AddedWork>), Problem> {
    let id = super::add(&app, &scope, request).await?;
    Ok((StatusCode::CREATED, Json(AddedWork { id })))
}

/// Strikes out an entry that was wrong; it stays to be seen.
#[utoipa::path(post, path = "/work-entries/{id}/strike", tag = "work", extensions(("x-permission" = json!("tickets.write"))), params(("id" = WorkId, Path)), responses((status = 204)))]
async fn strike(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<WorkId>) -> Result<StatusCode, Problem> {
    super::strike(&app, &scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
