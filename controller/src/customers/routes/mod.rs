//! Customers over HTTP.

mod files;

use super::{
    CredentialView, Credentials, CustomerChange, CustomerError, CustomerMove, CustomerMoved, CustomerStatus, CustomerView,
    NewCustomer, PackageKind, Search, Wanted, passwords, store,
};
use crate::app::App;
use crate::http::idempotency::{Found, IdempotencyKey, finish, look};
use crate::http::{Body, FieldError, Id, List, Page, Params, Permission, Problem, ProblemKind, TenantScope};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use db::TenantTx;
use jiff::Timestamp;
use model::{CustomerId, Deed, RouterId, Secret, SiteId};
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
            CustomerError::NoSite => Self::not_found("site"),
            CustomerError::RouterFull | CustomerError::NoAccount => Self::new(ProblemKind::Limit, error.to_string()),
            CustomerError::Kind { .. } => Self::field("package", error.to_string()),
            CustomerError::File(_) => Self::field("file", error.to_string()),
            CustomerError::Rows(ref wrong) => {
                let mut problem = Self::new(ProblemKind::Invalid, error.to_string());
                let line = |fault: &super::ImportProblem| FieldError {
                    field: format!("line {}: {}", fault.line, fault.field),
                    message: fault.message.clone(),
                };
                problem.errors.extend(wrong.first.iter().map(line));
                problem
            }
            CustomerError::Terminated | CustomerError::NotTerminated | CustomerError::LongGone | CustomerError::Stale { .. } => {
                Self::new(ProblemKind::Conflict, error.to_string())
            }
            CustomerError::Limit(error) => error.into(),
            CustomerError::Package(error) => error.into(),
            CustomerError::Operator(error) => error.into(),
            CustomerError::Vault(error) => error.into(),
            CustomerError::Db(error) => error.into(),
        }
    }
}

/// Returns the routes of customers.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    files::routes()
        .routes(routes!(list, create))
        .routes(routes!(get, update))
        .routes(routes!(relocate))
        .routes(routes!(suspend))
        .routes(routes!(resume))
        .routes(routes!(terminate))
        .routes(routes!(restore))
        .routes(routes!(credentials))
        .routes(routes!(whose))
        .routes(routes!(show_password, reset_password))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only those of one router.
    #[param(value_type = Option<String>)]
    router: Option<RouterId>,
    /// Only those at one site.
    #[param(value_type = Option<String>)]
    site: Option<SiteId>,
    /// Only those who connect so.
    kind: Option<PackageKind>,
    /// Only those with whom the ISP wants this.
    status: Option<CustomerStatus>,
    /// Only those whose login begins so.
    login: Option<String>,
    /// Only those whose name, or its last word, begins so; capitals and accents do not matter.
    name: Option<String>,
    /// Only those whose phone number begins so, written in any usual form.
    phone: Option<String>,
    /// Only the one with this account number.
    account_number: Option<String>,
    /// Only those with this device.
    mac: Option<String>,
}

impl From<Filter> for Search {
    fn from(filter: Filter) -> Self {
        let Filter { router, site, kind, status, login, name, phone, account_number, mac } = filter;
        Self { router, site, kind, status, login, name, phone, account_number, mac }
    }
}

/// Lists the customers, those who have left too.
#[utoipa::path(get, path = "/customers", tag = "customers", extensions(("x-permission" = json!("customers.read"))), params(Filter, Page), responses((status = 200, body = List<CustomerView>)))]
async fn list(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Params(filter): Params<Filter>,
    page: Page,
) -> Result<Json<List<CustomerView>>, Problem> {
    Ok(Json(super::list(&app, &scope, filter.into(), &page).await?))
}

#[derive(Debug, Serialize, ToSchema)]
struct CreatedCustomer {
    /// The customer.
    id: CustomerId,
    /// The password, if it was made here.
    password: Option<String>,
}

/// What is kept of an answer that may be given again: no password.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    id: CustomerId,
}

/// Makes a customer; sent again with the same Idempotency-Key, it is done once.
#[utoipa::path(post, path = "/customers", tag = "customers", extensions(("x-permission" = json!("customers.write"))), params(("Idempotency-Key" = Option<String>, Header)), request_body = NewCustomer, responses((status = 201, body = CreatedCustomer)))]
async fn create(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    key: Option<IdempotencyKey>,
    Body(request): Body<NewCustomer>,
) -> Result<(StatusCode, Json<CreatedCustomer>), Problem> {
    let now = app.clock.now();
    let mut tx = scope.write_to(&app, Deed::Grow, Permission::CustomersWrite).await?;
    let given = request.password.is_some();
    let mut fresh = None;
    if let Some(key) = &key {
        let same = same(&app, &mut tx, &request).await?;
        match look(&app, &mut tx, key, "customer.create", &same, now).await? {
            Found::Fresh(id) => fresh = Some(id),
            Found::Done(_, answer) => {
                let Kept { id } = serde_json::from_value(answer).map_err(|error| Problem::internal(&error))?;
                let password = if given { None } else { Some(passwords::open(&app, &mut tx, id).await?.expose().clone()) };
                return Ok((StatusCode::CREATED, Json(CreatedCustomer { id, password })));
            }
        }
    }
    let made = super::create(&app, &mut tx, request, now).await?;
    if let Some(fresh) = fresh {
        finish(&mut tx, fresh, StatusCode::CREATED, &Kept { id: made.id }).await?;
    }
    tx.commit().await.map_err(CustomerError::from)?;
    let password = made.password.map(|password| password.expose().clone());
    Ok((StatusCode::CREATED, Json(CreatedCustomer { id: made.id, password })))
}

/// What makes two requests the same: every field, and the password's fingerprint, so that what is kept lets nobody try passwords out.
async fn same(app: &App, tx: &mut TenantTx, new: &NewCustomer) -> Result<serde_json::Value, Problem> {
    let NewCustomer { login, password, full_name, phone, email, language, notes, location, router, site, package, address, mac } =
        new;
    let password = match password {
        Some(password) => Some(app.vault.fingerprint(tx, "customer", password.expose()).await?),
        None => None,
    };
    Ok(serde_json::json!([
        login, password, full_name, phone, email, language, notes, location, router, site, package, address, mac
    ]))
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

/// Lets a customer go; the login may be used anew. For 30 days the customer can be taken back.
#[utoipa::path(post, path = "/customers/{id}/terminate", tag = "customers", extensions(("x-permission" = json!("customers.write"))), params(("id" = CustomerId, Path)), responses((status = 204)))]
async fn terminate(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<CustomerId>) -> Result<StatusCode, Problem> {
    super::terminate(&app, &scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a customer back who was let go within the last 30 days, if the login and address are still free.
#[utoipa::path(post, path = "/customers/{id}/restore", tag = "customers", extensions(("x-permission" = json!("customers.write"))), params(("id" = CustomerId, Path)), responses((status = 204)))]
async fn restore(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<CustomerId>) -> Result<StatusCode, Problem> {
    super::restore(&app, &scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists by which logins, devices and telephones a customer is and was recognised.
#[utoipa::path(get, path = "/customers/{id}/credentials", tag = "customers", extensions(("x-permission" = json!("customers.read"))), params(("id" = CustomerId, Path), Page),
    responses((status = 200, body = Credentials)))]
async fn credentials(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<CustomerId>,
    page: Page,
) -> Result<Json<Credentials>, Problem> {
    Ok(Json(super::credentials(&app, &scope, id, &page).await?))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Whose {
    /// A login; exactly one of the three is asked for.
    login: Option<String>,
    /// A device.
    mac: Option<String>,
    /// A telephone, written in any usual form.
    phone: Option<String>,
    /// At which time; ever, when left out.
    #[param(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Holders {
    /// Whose it is and was, the newest first; at most 200.
    items: Vec<CredentialView>,
}

/// Says whose a login, a device or a telephone is, was, or was at a time.
#[utoipa::path(get, path = "/credentials", tag = "customers", extensions(("x-permission" = json!("customers.read"))), params(Whose), responses((status = 200, body = Holders)))]
async fn whose(State(app): State<Arc<App>>, scope: TenantScope, Params(asked): Params<Whose>) -> Result<Json<Holders>, Problem> {
    let wanted = Wanted { login: asked.login, mac: asked.mac, phone: asked.phone, at: asked.at };
    Ok(Json(Holders { items: super::whose(&app, &scope, wanted).await? }))
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

/// Moves a customer to another router, with what is paid for; both routers follow.
#[utoipa::path(post, path = "/customers/{id}/move", tag = "customers", extensions(("x-permission" = json!("customers.write"))), params(("id" = CustomerId, Path)), request_body = CustomerMove,
    responses((status = 200, body = CustomerMoved)))]
async fn relocate(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<CustomerId>,
    Body(request): Body<CustomerMove>,
) -> Result<Json<CustomerMoved>, Problem> {
    Ok(Json(super::relocate(&app, &scope, id, request).await?))
}
