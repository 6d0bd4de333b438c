//! Devices over HTTP.

use super::store::{self, Among};
use super::{DeviceChange, DeviceError, DeviceView, NewDevice};
use crate::app::App;
use crate::http::{Body, Id, List, Page, Params, Permission, Problem, ProblemKind, Sheet, TenantScope};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use model::{CustomerId, DeviceId, RouterId, SiteId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

impl From<DeviceError> for Problem {
    fn from(error: DeviceError) -> Self {
        match error {
            DeviceError::Field { field, message } => Self::field(field, message),
            DeviceError::MacTaken => Self::new(ProblemKind::Exists, error.to_string()),
            DeviceError::NotFound(what) => Self::not_found(what),
            DeviceError::Cycle | DeviceError::TooDeep => Self::field("parent", error.to_string()),
            DeviceError::TooMany => Self::new(ProblemKind::Limit, error.to_string()),
            DeviceError::HasChildren(_) => Self::new(ProblemKind::Conflict, error.to_string()),
            DeviceError::Operator(error) => error.into(),
            DeviceError::Customer(error) => error.into(),
            DeviceError::Vault(error) => Self::internal(&error),
            DeviceError::Db(error) => error.into(),
        }
    }
}

/// Returns the routes of devices.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(export))
        .routes(routes!(get, change, remove))
        .routes(routes!(credentials))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only those that hang on one device.
    #[param(value_type = Option<String>)]
    parent: Option<DeviceId>,
    /// Only those at one site.
    #[param(value_type = Option<String>)]
    site: Option<SiteId>,
    /// Only those behind one router.
    #[param(value_type = Option<String>)]
    router: Option<RouterId>,
    /// Only those of one customer.
    #[param(value_type = Option<String>)]
    customer: Option<CustomerId>,
}

/// Lists the devices.
#[utoipa::path(get, path = "/devices", tag = "devices", extensions(("x-permission" = json!("sites.read"))), params(Filter, Page), responses((status = 200, body = List<DeviceView>)))]
async fn list(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Params(filter): Params<Filter>,
    page: Page,
) -> Result<Json<List<DeviceView>>, Problem> {
    let among = match (filter.parent, filter.site, filter.router, filter.customer) {
        (None, None, None, None) => Among::All,
        (Some(parent), None, None, None) => Among::Parent(parent),
        (None, Some(site), None, None) => Among::Site(site),
        (None, None, Some(router), None) => Among::Router(router),
        (None, None, None, Some(customer)) => Among::Customer(customer),
        _ => return Err(Problem::field("parent", "ask by one of parent, site, router and customer")),
    };
    let mut tx = scope.read(&app, Permission::SitesRead).await?;
    Ok(Json(page.list(store::list(&mut tx, among, &page).await?)))
}

#[derive(Debug, Serialize, ToSchema)]
struct AddedDevice {
    /// The device.
    id: DeviceId,
}

/// Notes a device.
#[utoipa::path(post, path = "/devices", tag = "devices", extensions(("x-permission" = json!("sites.write"))), request_body = NewDevice, responses((status = 201, body = AddedDevice)))]
async fn add(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Body(request): Body<NewDevice>,
) -> Result<(StatusCode, Json<AddedDevice>), Problem> {
    let id = super::add(&app, &scope, request).await?;
    Ok((StatusCode::CREATED, Json(AddedDevice { id })))
}

/// Returns all devices as CSV, with names instead of ids and without credentials.
#[utoipa::path(get, path = "/devices/export", tag = "devices", extensions(("x-permission" = json!("sites.read"))), responses((status = 200, body = String, content_type = "text/csv")))]
async fn export(State(app): State<Arc<App>>, scope: TenantScope) -> Result<Sheet, Problem> {
    let mut tx = scope.read(&app, Permission::SitesRead).await?;
    let columns =
        ["id", "kind", "name", "parent", "site", "router", "customer", "mac", "address", "serial", "model", "notes", "watched"];
    let mut sheet = Sheet::new("devices", columns);
    for row in super::export(&mut tx).await? {
        let watched = if row.watched { "yes" } else { "no" };
        sheet.row([
            row.id.to_string(),
            row.kind,
            row.name,
            row.parent,
            row.site,
            row.router,
            row.customer,
            row.mac,
            row.address,
            row.serial,
            row.model,
            row.notes,
            watched.to_owned(),
        ]);
    }
    Ok(sheet)
}

/// Shows a device.
#[utoipa::path(get, path = "/devices/{id}", tag = "devices", extensions(("x-permission" = json!("sites.read"))), params(("id" = DeviceId, Path)), responses((status = 200, body = DeviceView)))]
async fn get(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<DeviceId>) -> Result<Json<DeviceView>, Problem> {
    let mut tx = scope.read(&app, Permission::SitesRead).await?;
    Ok(Json(super::get(&mut tx, id).await?))
}

/// Changes what is known of a device, where it stands and what it hangs on.
#[utoipa::path(patch, path = "/devices/{id}", tag = "devices", extensions(("x-permission" = json!("sites.write"))), params(("id" = DeviceId, Path)), request_body = DeviceChange,
    responses((status = 200, body = DeviceView)))]
async fn change(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<DeviceId>,
    Body(request): Body<DeviceChange>,
) -> Result<Json<DeviceView>, Problem> {
    Ok(Json(super::change(&app, &scope, id, request).await?))
}

/// Removes a device on which no other hangs; its credentials are erased.
#[utoipa::path(delete, path = "/devices/{id}", tag = "devices", extensions(("x-permission" = json!("sites.write"))), params(("id" = DeviceId, Path)), responses((status = 204)))]
async fn remove(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<DeviceId>) -> Result<StatusCode, Problem> {
    super::remove(&app, &scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Serialize, ToSchema)]
struct ShownCredentials {
    /// The user's name.
    user: String,
    /// The password.
    password: String,
}

/// Shows how one logs in to a device; the audit log says who saw it.
#[utoipa::path(get, path = "/devices/{id}/credentials", tag = "devices", extensions(("x-permission" = json!("sites.write"))), params(("id" = DeviceId, Path)),
    responses((status = 200, body = ShownCredentials)))]
async fn credentials(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<DeviceId>,
) -> Result<Json<ShownCredentials>, Problem> {
    let shown = super::credentials(&app, &scope, id).await?;
    Ok(Json(ShownCredentials { user: shown.user, password: shown.password.expose().clone() }))
}
