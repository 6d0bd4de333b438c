//! Logins, operators and API tokens over HTTP.

use super::{Actor, OperatorError, OperatorView, Permission, Role, TenantScope, TokenView, store};
use crate::app::App;
use crate::http::{Body, Id, List, Page, Problem, ProblemKind};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Html;
use jiff::Timestamp;
use model::{ApiTokenId, OperatorId, Secret, TenantId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

impl From<OperatorError> for Problem {
    fn from(error: OperatorError) -> Self {
        match error {
            OperatorError::Credential => Self::new(ProblemKind::Unauthenticated, error.to_string()),
            OperatorError::Locked(_) => Self::new(ProblemKind::Locked, error.to_string()),
            OperatorError::ChooseTenant(_) => Self::field("tenant", error.to_string()),
            OperatorError::Forbidden => Self::new(ProblemKind::Forbidden, error.to_string()),
            OperatorError::Suspended => Self::new(ProblemKind::Suspended, error.to_string()),
            OperatorError::Restricted => Self::new(ProblemKind::Restricted, error.to_string()),
            OperatorError::Field { field, message } => Self::field(field, message),
            OperatorError::LoginTaken => Self::new(ProblemKind::Exists, error.to_string()),
            OperatorError::NotFound(what) => Self::not_found(what),
            OperatorError::TooManyTokens => Self::new(ProblemKind::Limit, error.to_string()),
            OperatorError::Db(error) => error.into(),
        }
    }
}

/// Returns the routes of logins, operators and tokens.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(log_in))
        .routes(routes!(log_out))
        .routes(routes!(who_am_i))
        .routes(routes!(set_password))
        .routes(routes!(list_operators, add_operator))
        .routes(routes!(list_tokens, create_token))
        .routes(routes!(revoke_token))
}

/// The page behind a one-time link: it sends what is typed to the API, and the token stays in the fragment, which no log sees.
pub(crate) async fn setup_page() -> Html<&'static str> {
    Html(include_str!("setup.html"))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LoginRequest {
    /// The login name.
    login: String,
    /// The password.
    #[schema(value_type = String)]
    password: Secret<String>,
    /// The ISP's name, for who serves several.
    tenant: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct LoginResponse {
    /// Send it as `Authorization: Bearer …`.
    token: String,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// The ISP it belongs to; empty for the platform.
    tenant: Option<String>,
}

/// Logs in with a password.
#[utoipa::path(post, path = "/login", tag = "operators", extensions(("x-permission" = json!("open"))), request_body = LoginRequest, security(()),
    responses((status = 200, body = LoginResponse), (status = 401, body = Problem, content_type = "application/problem+json")))]
async fn log_in(State(app): State<Arc<App>>, Body(request): Body<LoginRequest>) -> Result<Json<LoginResponse>, Problem> {
    let done = super::log_in(&app, &request.login, request.password, request.tenant.as_deref()).await?;
    Ok(Json(LoginResponse { token: done.token.expose().clone(), expires_at: done.expires_at, tenant: done.tenant }))
}

/// Ends the login that is used.
#[utoipa::path(post, path = "/logout", tag = "operators", extensions(("x-permission" = json!("anyone"))), responses((status = 204)))]
async fn log_out(State(app): State<Arc<App>>, actor: Actor) -> Result<StatusCode, Problem> {
    let (Actor::Platform { session, .. } | Actor::Tenant { session: Some(session), .. }) = actor else {
        return Err(Problem::new(ProblemKind::Conflict, "an API token is not a login: revoke it instead"));
    };
    super::log_out(&app, session).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Serialize, ToSchema)]
struct WhoAmI {
    /// `operator:…`, `token:…`.
    actor: String,
    /// The tenant; empty for the platform.
    tenant: Option<TenantId>,
    /// The role in the tenant.
    role: Option<Role>,
}

/// Says who the credential belongs to.
#[utoipa::path(get, path = "/me", tag = "operators", extensions(("x-permission" = json!("anyone"))), responses((status = 200, body = WhoAmI)))]
async fn who_am_i(actor: Actor) -> Json<WhoAmI> {
    Json(match actor {
        Actor::Platform { actor, .. } => WhoAmI { actor: actor.label().as_str().to_owned(), tenant: None, role: None },
        Actor::Tenant { scope, .. } => {
            WhoAmI { actor: scope.actor().as_str().to_owned(), tenant: Some(scope.tenant()), role: Some(scope.role()) }
        }
    })
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetPassword {
    /// The token of the one-time link.
    #[schema(value_type = String)]
    token: Secret<String>,
    /// The new password, 10 to 200 characters.
    #[schema(value_type = String)]
    password: Secret<String>,
}

/// Sets a password by one-time link.
#[utoipa::path(post, path = "/setup", tag = "operators", extensions(("x-permission" = json!("open"))), request_body = SetPassword, security(()), responses((status = 204)))]
async fn set_password(State(app): State<Arc<App>>, Body(request): Body<SetPassword>) -> Result<StatusCode, Problem> {
    super::set_password(&app, request.token.expose(), request.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the people who serve the tenant.
#[utoipa::path(get, path = "/operators", tag = "operators", extensions(("x-permission" = json!("operators.read"))), params(Page), responses((status = 200, body = List<OperatorView>)))]
async fn list_operators(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    page: Page,
) -> Result<Json<List<OperatorView>>, Problem> {
    let mut tx = scope.read(&app, Permission::OperatorsRead).await?;
    Ok(Json(page.list(store::list_operators(&mut tx, &page).await?)))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddOperator {
    /// The name they log in with.
    login: String,
    /// The name they are called by.
    display_name: String,
    /// What they are in this tenant.
    role: Role,
}

#[derive(Debug, Serialize, ToSchema)]
struct AddedOperator {
    /// The person.
    id: OperatorId,
    /// Sets a new person's password once, within 24 hours; empty for somebody who has one already.
    setup_token: Option<String>,
}

/// Gives a person a role in the tenant.
#[utoipa::path(post, path = "/operators", tag = "operators", extensions(("x-permission" = json!("operators.write"))), request_body = AddOperator, responses((status = 201, body = AddedOperator)))]
async fn add_operator(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Body(request): Body<AddOperator>,
) -> Result<(StatusCode, Json<AddedOperator>), Problem> {
    let (id, setup) = super::invite(&app, &scope, &request.login, &request.display_name, request.role).await?;
    Ok((StatusCode::CREATED, Json(AddedOperator { id, setup_token: setup.map(|token| token.expose().clone()) })))
}

/// Lists the tenant's API tokens.
#[utoipa::path(get, path = "/tokens", tag = "operators", extensions(("x-permission" = json!("operators.read"))), params(Page), responses((status = 200, body = List<TokenView>)))]
async fn list_tokens(State(app): State<Arc<App>>, scope: TenantScope, page: Page) -> Result<Json<List<TokenView>>, Problem> {
    let mut tx = scope.read(&app, Permission::OperatorsRead).await?;
    Ok(Json(page.list(store::list_tokens(&mut tx, &page).await?)))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateToken {
    /// What it is for.
    name: String,
    /// What it may do.
    role: Role,
}

#[derive(Debug, Serialize, ToSchema)]
struct CreatedToken {
    /// The token's id, by which it is revoked.
    id: ApiTokenId,
    /// The token itself, shown this once.
    token: String,
}

/// Makes an API token.
#[utoipa::path(post, path = "/tokens", tag = "operators", extensions(("x-permission" = json!("operators.write"))), request_body = CreateToken, responses((status = 201, body = CreatedToken)))]
async fn create_token(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Body(request): Body<CreateToken>,
) -> Result<(StatusCode, Json<CreatedToken>), Problem> {
    let (id, token) = super::create_token(&app, &scope, &request.name, request.role).await?;
    Ok((StatusCode::CREATED, Json(CreatedToken { id, token: token.expose().clone() })))
}

/// Revokes an API token.
#[utoipa::path(delete, path = "/tokens/{id}", tag = "operators", extensions(("x-permission" = json!("operators.write"))), params(("id" = ApiTokenId, Path)), responses((status = 204)))]
async fn revoke_token(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<ApiTokenId>) -> Result<StatusCode, Problem> {
    super::revoke_token(&app, &scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
