//! Customers over HTTP.

use super::{CustomerChange, CustomerError, CustomerView, Imported, NewCustomer, PackageKind, store};
use crate::app::App;
use crate::http::{Body, FieldError, Id, List, Page, Params, Permission, Problem, ProblemKind, TenantScope};
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use model::{CustomerId, RouterId, Secret};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

impl From<CustomerError> for Problem {
    fn from(error: CustomerError) -> Self {
        match error {
            CustomerError::Field { field, message } => Self::field(field, message),
            CustomerError::LoginTaken | CustomerError::AddressTaken => Self::new(ProblemKind::Exists, error.to_string()),
            CustomerError::NotFound => Self::not_found("customer"),
            CustomerError::NoRouter => Self::not_found("router"),
            CustomerError::RouterFull => Self::new(ProblemKind::Limit, error.to_string()),
            CustomerError::Kind { .. } => Self::field("package", error.to_string()),
            CustomerError::File(_) => Self::field("file", error.to_string()),
            CustomerError::Rows(ref rows) => {
                let mut problem = Self::new(ProblemKind::Invalid, error.to_string());
                let errors =
                    rows.iter().map(|row| FieldError { field: format!("line {}", row.line), message: row.message.clone() });
                problem.errors.extend(errors);
                problem
            }
            CustomerError::Terminated => Self::new(ProblemKind::Conflict, error.to_string()),
            CustomerError::Package(error) => error.into(),
            CustomerError::Operator(error) => error.into(),
            CustomerError::Vault(error) => error.into(),
            CustomerError::Db(error) => error.into(),
        }
    }
}

/// The largest file of customers: 10,000 rows of 500 bytes.
const FILE_MAX_BYTES: usize = 5 << 20;

/// Returns the routes of customers.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(import))
        .layer(DefaultBodyLimit::max(FILE_MAX_BYTES))
        .routes(routes!(list, create))
        .routes(routes!(get, update))
        .routes(routes!(suspend))
        .routes(routes!(resume))
        .routes(routes!(terminate))
        .routes(routes!(show_password, reset_password))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only those of one router.
    #[param(value_type = Option<String>)]
    router: Option<RouterId>,
    /// Only those who connect so.
    kind: Option<PackageKind>,
    /// Only those whose login begins so.
    login: Option<String>,
}

/// Lists the customers, those who have left too.
#[utoipa::path(get, path = "/customers", tag = "customers", extensions(("x-permission" = json!("customers.read"))), params(Filter, Page), responses((status = 200, body = List<CustomerView>)))]
async fn list(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Params(filter): Params<Filter>,
    page: Page,
) -> Result<Json<List<CustomerView>>, Problem> {
    let mut tx = scope.read(&app, Permission::CustomersRead).await?;
    let filter = store::Filter { router: filter.router, kind: filter.kind, login: filter.login };
    Ok(Json(page.list(store::list(&mut tx, &filter, &page, app.clock.now()).await?)))
}

#[derive(Debug, Serialize, ToSchema)]
struct CreatedCustomer {
    /// The customer.
    id: CustomerId,
    /// The password, if it was made here.
    password: Option<String>,
}

/// Makes a customer.
#[utoipa::path(post, path = "/customers", tag = "customers", extensions(("x-permission" = json!("customers.write"))), request_body = NewCustomer, responses((status = 201, body = CreatedCustomer)))]
async fn create(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Body(request): Body<NewCustomer>,
) -> Result<(StatusCode, Json<CreatedCustomer>), Problem> {
    let made = super::create(&app, &scope, request).await?;
    let password = made.password.map(|password| password.expose().clone());
    Ok((StatusCode::CREATED, Json(CreatedCustomer { id: made.id, password })))
}

/// Shows a customer.
#[utoipa::path(get, path = "/customers/{id}", tag = "customers", extensions(("x-permission" = json!("customers.read"))), params(("id" = CustomerId, Path)), responses((status = 200, body = CustomerView)))]
async fn get(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<CustomerId>) -> Result<Json<CustomerView>, Problem> {
    let mut tx = scope.read(&app, Permission::CustomersRead).await?;
    Ok(Json(store::get(&mut tx, id, app.clock.now()).await?.ok_or(CustomerError::NotFound)?))
}

/// Changes a customer; the router follows.
#[utoipa::path(patch, path = "/customers/{id}", tag = "customers", extensions(("x-permission" = json!("customers.write"))), params(("id" = CustomerId, Path)), request_body = CustomerChange,
    responses((status = 204)))]
async fn update(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<CustomerId>,
    Body(request): Body<CustomerChange>,
) -> Result<StatusCode, Problem> {
    super::update(&app, &scope, id, request).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Switches a customer off by hand.
#[utoipa::path(post, path = "/customers/{id}/suspend", tag = "customers", extensions(("x-permission" = json!("customers.write"))), params(("id" = CustomerId, Path)), responses((status = 204)))]
async fn suspend(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<CustomerId>) -> Result<StatusCode, Problem> {
    super::suspend(&app, &scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a suspension.
#[utoipa::path(post, path = "/customers/{id}/resume", tag = "customers", extensions(("x-permission" = json!("customers.write"))), params(("id" = CustomerId, Path)), responses((status = 204)))]
async fn resume(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<CustomerId>) -> Result<StatusCode, Problem> {
    super::resume(&app, &scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a customer go; the login may be used anew.
#[utoipa::path(post, path = "/customers/{id}/terminate", tag = "customers", extensions(("x-permission" = json!("customers.write"))), params(("id" = CustomerId, Path)), responses((status = 204)))]
async fn terminate(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<CustomerId>) -> Result<StatusCode, Problem> {
    super::terminate(&app, &scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Serialize, ToSchema)]
struct CustomerPassword {
    /// The password.
    password: String,
}

/// Shows a customer's password; the audit log says who saw it.
#[utoipa::path(get, path = "/customers/{id}/password", tag = "customers", extensions(("x-permission" = json!("customers.secrets"))), params(("id" = CustomerId, Path)),
    responses((status = 200, body = CustomerPassword)))]
async fn show_password(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<CustomerId>,
) -> Result<Json<CustomerPassword>, Problem> {
    let password = super::password(&app, &scope, id).await?;
    Ok(Json(CustomerPassword { password: password.expose().clone() }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResetPassword {
    /// 4 to 64 visible ASCII characters; made when left out.
    #[schema(value_type = Option<String>)]
    password: Option<Secret<String>>,
}

/// Gives a customer a new password.
#[utoipa::path(post, path = "/customers/{id}/password", tag = "customers", extensions(("x-permission" = json!("customers.secrets"))), params(("id" = CustomerId, Path)), request_body = ResetPassword,
    responses((status = 200, body = CustomerPassword)))]
async fn reset_password(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<CustomerId>,
    Body(request): Body<ResetPassword>,
) -> Result<Json<CustomerPassword>, Problem> {
    let password = super::reset_password(&app, &scope, id, request.password).await?;
    Ok(Json(CustomerPassword { password: password.expose().clone() }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Import {
    /// Whether the file is only looked at.
    dry_run: bool,
}

/// Makes customers out of a table in CSV with the columns login, router and package, and if you like password, full_name, phone, kind,
/// address and mac; routers and packages stand there by name. All rows are written, or none.
#[utoipa::path(post, path = "/customers/import", tag = "customers", extensions(("x-permission" = json!("customers.write"))), params(Import), request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = Imported)))]
async fn import(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Params(params): Params<Import>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Imported>, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("text/csv") {
        return Err(Problem::new(ProblemKind::MediaType, "send the file as `Content-Type: text/csv`"));
    }
    let file = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(ProblemKind::TooLarge, "a file has at most 5 MiB: cut it into several"),
        _ => Problem::new(ProblemKind::Invalid, "the file did not arrive whole"),
    })?;
    Ok(Json(super::import(&app, &scope, &file, params.dry_run).await?))
}
