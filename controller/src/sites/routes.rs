//! Sites over HTTP.

use super::store::{self, Within};
use super::{NewSite, SiteChange, SiteDetails, SiteError, SiteView};
use crate::app::App;
use crate::http::{Body, Id, List, Page, Params, Permission, Problem, ProblemKind, TenantScope};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use model::SiteId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

impl From<SiteError> for Problem {
    fn from(error: SiteError) -> Self {
        match error {
            SiteError::Field { field, message } => Self::field(field, message),
            SiteError::NameTaken => Self::new(ProblemKind::Exists, error.to_string()),
            SiteError::NotFound => Self::not_found("site"),
            SiteError::NoParent => Self::not_found("parent site"),
            SiteError::Cycle | SiteError::TooDeep => Self::field("parent", error.to_string()),
            SiteError::TooMany => Self::new(ProblemKind::Limit, error.to_string()),
            SiteError::Occupied(_) => Self::new(ProblemKind::Conflict, error.to_string()),
            SiteError::Operator(error) => error.into(),
            SiteError::Db(error) => error.into(),
        }
    }
}

/// Returns the routes of sites.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(get, change, remove)).routes(routes!(relocate))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only the parts of one site.
    #[param(value_type = Option<String>)]
    parent: Option<SiteId>,
    /// Only those at the top.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    top: bool,
}

/// Lists the sites.
#[utoipa::path(get, path = "/sites", tag = "sites", extensions(("x-permission" = json!("sites.read"))), params(Filter, Page), responses((status = 200, body = List<SiteView>)))]
async fn list(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Params(filter): Params<Filter>,
    page: Page,
) -> Result<Json<List<SiteView>>, Problem> {
    let within = match (filter.parent, filter.top) {
        (Some(_), true) => return Err(Problem::field("top", "ask for the top or for the parts of a site, not for both")),
        (Some(parent), false) => Within::Site(parent),
        (None, true) => Within::Top,
        (None, false) => Within::Anywhere,
    };
    let mut tx = scope.read(&app, Permission::SitesRead).await?;
    Ok(Json(page.list(store::list(&mut tx, within, &page).await?)))
}

#[derive(Debug, Serialize, ToSchema)]
struct AddedSite {
    /// The site.
    id: SiteId,
}

/// Makes a site.
#[utoipa::path(post, path = "/sites", tag = "sites", extensions(("x-permission" = json!("sites.write"))), request_body = NewSite, responses((status = 201, body = AddedSite)))]
async fn add(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Body(request): Body<NewSite>,
) -> Result<(StatusCode, Json<AddedSite>), Problem> {
    let id = super::add(&app, &scope, request).await?;
    Ok((StatusCode::CREATED, Json(AddedSite { id })))
}

/// Shows a site: the way to it, and what stands there.
#[utoipa::path(get, path = "/sites/{id}", tag = "sites", extensions(("x-permission" = json!("sites.read"))), params(("id" = SiteId, Path)), responses((status = 200, body = SiteDetails)))]
async fn get(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<SiteId>) -> Result<Json<SiteDetails>, Problem> {
    let mut tx = scope.read(&app, Permission::SitesRead).await?;
    Ok(Json(super::details(&mut tx, id).await?))
}

/// Changes what a site is called and what is known of it.
#[utoipa::path(patch, path = "/sites/{id}", tag = "sites", extensions(("x-permission" = json!("sites.write"))), params(("id" = SiteId, Path)), request_body = SiteChange,
    responses((status = 200, body = SiteView)))]
async fn change(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<SiteId>,
    Body(request): Body<SiteChange>,
) -> Result<Json<SiteView>, Problem> {
    Ok(Json(super::change(&app, &scope, id, request).await?))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MoveSite {
    /// The site it shall stand in; null for the top.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required)]
    parent: Option<SiteId>,
}

/// Moves a site with all that stands in it.
#[utoipa::path(post, path = "/sites/{id}/move", tag = "sites", extensions(("x-permission" = json!("sites.write"))), params(("id" = SiteId, Path)), request_body = MoveSite,
    responses((status = 200, body = SiteView)))]
async fn relocate(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<SiteId>,
    Body(request): Body<MoveSite>,
) -> Result<Json<SiteView>, Problem> {
    Ok(Json(super::relocate(&app, &scope, id, request.parent).await?))
}

/// Removes a site at which nothing stands.
#[utoipa::path(delete, path = "/sites/{id}", tag = "sites", extensions(("x-permission" = json!("sites.write"))), params(("id" = SiteId, Path)), responses((status = 204)))]
async fn remove(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<SiteId>) -> Result<StatusCode, Problem> {
    super::remove(&app, &scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
