//! Packages over HTTP.

use super::{NewPackage, PackageChange, PackageError, PackageView, store};
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
            PackageError::Retired | PackageError::Calendar => Self::new(ProblemKind::Conflict, error.to_string()),
            PackageError::Operator(error) => error.into(),
            PackageError::Db(error) => error.into(),
        }
    }
}

/// Returns the routes of packages.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(get, update)).routes(routes!(retire))
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

/// Changes a package's price or speed; its customers get the speed at once.
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
