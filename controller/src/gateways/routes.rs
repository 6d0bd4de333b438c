//! Gateways over HTTP. No answer has a key in it.

use super::{GatewayChange, GatewayError, GatewayView, Kind, NewCredentials, NewGateway, Purpose, store};
use crate::app::App;
use crate::http::{Body, Id, List, Page, Params, Permission, Problem, ProblemKind, TenantScope};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use model::{GatewayId, RouterId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

impl From<GatewayError> for Problem {
    fn from(error: GatewayError) -> Self {
        match error {
            GatewayError::Field { field, message } => Self::field(field, message),
            GatewayError::NotFound => Self::not_found("gateway"),
            GatewayError::NoRouter => Self::not_found("router"),
            GatewayError::NameTaken => Self::new(ProblemKind::Exists, error.to_string()),
            GatewayError::DefaultTaken => Self::new(ProblemKind::Conflict, error.to_string()),
            GatewayError::TooMany => Self::new(ProblemKind::Limit, error.to_string()),
            GatewayError::Operator(error) => error.into(),
            GatewayError::Vault(error) => error.into(),
            GatewayError::Db(error) => error.into(),
        }
    }
}

/// Returns the routes of gateways.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(order))
        .routes(routes!(get, change, remove))
        .routes(routes!(set_credentials))
        .routes(routes!(new_report_address))
}

/// Lists the gateways, removed ones too.
#[utoipa::path(get, path = "/gateways", tag = "gateways", extensions(("x-permission" = json!("gateways.read"))), params(Page), responses((status = 200, body = List<GatewayView>)))]
async fn list(State(app): State<Arc<App>>, scope: TenantScope, page: Page) -> Result<Json<List<GatewayView>>, Problem> {
    let mut tx = scope.read(&app, Permission::GatewaysRead).await?;
    Ok(Json(page.list(store::list(&mut tx, &page).await?)))
}

#[derive(Debug, Serialize, ToSchema)]
struct AddedGateway {
    /// The gateway.
    id: GatewayId,
}

/// Sets a gateway up.
#[utoipa::path(post, path = "/gateways", tag = "gateways", extensions(("x-permission" = json!("gateways.write"))), request_body = NewGateway, responses((status = 201, body = AddedGateway)))]
async fn add(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Body(request): Body<NewGateway>,
) -> Result<(StatusCode, Json<AddedGateway>), Problem> {
    let id = super::add(&app, &scope, request).await?;
    Ok((StatusCode::CREATED, Json(AddedGateway { id })))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct For {
    /// What is to travel; money when left out.
    kind: Option<Kind>,
    /// Whose matter it is; everybody's when left out.
    purpose: Option<Purpose>,
    /// On which router.
    #[param(value_type = Option<String>)]
    router: Option<RouterId>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Gateways {
    /// The gateways, the first to be tried first.
    items: Vec<GatewayView>,
}

/// Lists the gateways in the order in which they are tried.
#[utoipa::path(get, path = "/gateways/order", tag = "gateways", extensions(("x-permission" = json!("gateways.read"))), params(For), responses((status = 200, body = Gateways)))]
async fn order(State(app): State<Arc<App>>, scope: TenantScope, Params(wanted): Params<For>) -> Result<Json<Gateways>, Problem> {
    let mut tx = scope.read(&app, Permission::GatewaysRead).await?;
    let (kind, purpose) = (wanted.kind.unwrap_or(Kind::Money), wanted.purpose.unwrap_or(Purpose::All));
    Ok(Json(Gateways { items: super::in_order(&mut tx, kind, purpose, wanted.router).await? }))
}

/// Shows a gateway: which of its keys are set, and none of them.
#[utoipa::path(get, path = "/gateways/{id}", tag = "gateways", extensions(("x-permission" = json!("gateways.read"))), params(("id" = GatewayId, Path)), responses((status = 200, body = GatewayView)))]
async fn get(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<GatewayId>) -> Result<Json<GatewayView>, Problem> {
    let mut tx = scope.read(&app, Permission::GatewaysRead).await?;
    Ok(Json(super::get(&mut tx, id).await?))
}

/// Changes a gateway's name, its place in the order, or whether it is used.
#[utoipa::path(patch, path = "/gateways/{id}", tag = "gateways", extensions(("x-permission" = json!("gateways.write"))), params(("id" = GatewayId, Path)), request_body = GatewayChange, responses((status = 204)))]
async fn change(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<GatewayId>,
    Body(request): Body<GatewayChange>,
) -> Result<StatusCode, Problem> {
    super::change(&app, &scope, id, request).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a gateway new keys.
#[utoipa::path(put, path = "/gateways/{id}/credentials", tag = "gateways", extensions(("x-permission" = json!("gateways.write"))), params(("id" = GatewayId, Path)), request_body = NewCredentials, responses((status = 204)))]
async fn set_credentials(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<GatewayId>,
    Body(request): Body<NewCredentials>,
) -> Result<StatusCode, Problem> {
    super::set_credentials(&app, &scope, id, request).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Serialize, ToSchema)]
struct ReportAddress {
    /// Where the service is to send its reports, by POST as JSON or as a form. It is shown once, and whoever knows it may report.
    address: String,
}

/// Makes a gateway a new address for delivery reports; the one before is good no more.
#[utoipa::path(post, path = "/gateways/{id}/report-address", tag = "gateways", extensions(("x-permission" = json!("gateways.write"))), params(("id" = GatewayId, Path)), responses((status = 201, body = ReportAddress)))]
async fn new_report_address(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<GatewayId>,
) -> Result<(StatusCode, Json<ReportAddress>), Problem> {
    let address = super::reports::new_address(&app, &scope, id).await?.expose().clone();
    Ok((StatusCode::CREATED, Json(ReportAddress { address })))
}

/// Takes a gateway out of use for good; its history stays and its keys are forgotten.
#[utoipa::path(delete, path = "/gateways/{id}", tag = "gateways", extensions(("x-permission" = json!("gateways.write"))), params(("id" = GatewayId, Path)), responses((status = 204)))]
async fn remove(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<GatewayId>) -> Result<StatusCode, Problem> {
    super::remove(&app, &scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
