//! Packages over HTTP.

use super::{NewPackage, PackageChange, PackageError, PackageView, ScopeView, VersionView, store};
use crate::app::App;
use crate::http::{Body, Id, List, Page, Permission, Problem, ProblemKind, TenantScope};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use model::PackageId;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

impl From<PackageError> for Problem {
    fn from(error: PackageError) -> Self {
        match error {
            PackageError::Field { field, message } => Self::field(field, message),
            PackageError::Currency(_) => Self::field("price", error.to_string()),
            PackageError::NameTaken => Self::new(ProblemKind::Exists, error.to_string()),
            PackageError::NotFound => Self::not_found("package"),
            PackageError::NoPlace(what) => Self::not_found(what),
            PackageError::OutOfScope => Self::field("package", error.to_string()),
            PackageError::TooMany { .. } => Self::new(ProblemKind::Limit, error.to_string()),
            PackageError::LimitedReach => Self::new(ProblemKind::Forbidden, error.to_string()),
            PackageError::Retired | PackageError::Calendar => Self::new(ProblemKind::Conflict, error.to_string()),
            PackageError::Operator(error) => error.into(),
            PackageError::Db(error) => error.into(),
        }
    }
}

/// Returns the routes of packages.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update))
        .routes(routes!(retire))
        .routes(routes!(versions))
        .routes(routes!(scope, set_scope))
}

/// Lists the packages, those off sale too.
#[utoipa::path(get, path = "/packages", tag = "packages", extensions(("x-permission" = json!("packages.read"))), params(Page), responses((status = 200, body = List<PackageView>)))]
async fn list(State(app): State<Arc<App>>, scope: TenantScope, page: Page) -> Result<Json<List<PackageView>>, Problem> {
    let mut tx = scope.read(&app, Permission::PackagesRead).await?;
    Ok(Json(page.list(store::list(&mut tx, &page).await?)))
}

#[derive(Debug, Serialize, ToSchema)]
struct CreatedPackage {
    /// The package.
    id: PackageId,
}

/// Makes a package.
#[utoipa::path(post, path = "/packages", tag = "packages", extensions(("x-permission" = json!("packages.write"))), request_body = NewPackage, responses((status = 201, body = CreatedPackage)))]
async fn create(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Body(request): Body<NewPackage>,
) -> Result<(StatusCode, Json<CreatedPackage>), Problem> {
    let id = super::create(&app, &scope, request).await?;
    Ok((StatusCode::CREATED, Json(CreatedPackage { id })))
}

/// Shows a package.
#[utoipa::path(get, path = "/packages/{id}", tag = "packages", extensions(("x-permission" = json!("packages.read"))), params(("id" = PackageId, Path)), responses((status = 200, body = PackageView)))]
async fn get(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<PackageId>) -> Result<Json<PackageView>, Problem> {
    let mut tx = scope.read(&app, Permission::PackagesRead).await?;
    Ok(Json(super::get(&mut tx, id).await?))
}

/// Changes a package's price or speed: a new version. Its customers get the speed at once, or with their next purchase.
#[utoipa::path(patch, path = "/packages/{id}", tag = "packages", extensions(("x-permission" = json!("packages.write"))), params(("id" = PackageId, Path)), request_body = PackageChange,
    responses((status = 200, body = PackageView)))]
async fn update(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<PackageId>,
    Body(request): Body<PackageChange>,
) -> Result<Json<PackageView>, Problem> {
    Ok(Json(super::update(&app, &scope, id, request).await?))
}

/// Takes a package off sale; who has it keeps it.
#[utoipa::path(post, path = "/packages/{id}/retire", tag = "packages", extensions(("x-permission" = json!("packages.write"))), params(("id" = PackageId, Path)), responses((status = 204)))]
async fn retire(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<PackageId>) -> Result<StatusCode, Problem> {
    super::retire(&app, &scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists what a package was at each time, newest first.
#[utoipa::path(get, path = "/packages/{id}/versions", tag = "packages", extensions(("x-permission" = json!("packages.read"))), params(("id" = PackageId, Path), Page),
    responses((status = 200, body = List<VersionView>)))]
async fn versions(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<PackageId>,
    page: Page,
) -> Result<Json<List<VersionView>>, Problem> {
    let mut tx = scope.read(&app, Permission::PackagesRead).await?;
    super::get(&mut tx, id).await?;
    Ok(Json(page.list(super::versions(&mut tx, id, &page).await?)))
}

/// Shows where a package is sold; nothing at all means: on every router.
#[utoipa::path(get, path = "/packages/{id}/scope", tag = "packages", extensions(("x-permission" = json!("packages.read"))), params(("id" = PackageId, Path)),
    responses((status = 200, body = ScopeView)))]
async fn scope(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<PackageId>) -> Result<Json<ScopeView>, Problem> {
    let mut tx = scope.read(&app, Permission::PackagesRead).await?;
    Ok(Json(super::scope(&mut tx, id).await?))
}

/// Says where a package is sold from now on; who has it elsewhere keeps it to the end of what is paid.
#[utoipa::path(put, path = "/packages/{id}/scope", tag = "packages", extensions(("x-permission" = json!("packages.write"))), params(("id" = PackageId, Path)),
    request_body = ScopeView, responses((status = 204)))]
async fn set_scope(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<PackageId>,
    Body(request): Body<ScopeView>,
) -> Result<StatusCode, Problem> {
    super::set_scope(&app, &scope, id, request).await?;
    Ok(StatusCode::NO_CONTENT)
}
