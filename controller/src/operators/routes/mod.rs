//! Logins and what belongs to a person, over HTTP; members and the platform's side stand in files of their own.

mod members;
mod platform;

use super::{
    Actor, Asked, Attempt, Extent, OperatorError, Permission, Person, Role, Visit, invitations, second_factor, sessions, visits,
};
use crate::app::App;
use crate::http::{Anybody, Body, Id, List, Page, Problem, ProblemKind};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Html;
use jiff::Timestamp;
use model::{LoginSessionId, OperatorId, Secret, TenantId};
use serde::{Deserialize, Serialize};
use sessions::SessionView;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

impl From<OperatorError> for Problem {
    fn from(error: OperatorError) -> Self {
        let kind = match error {
            OperatorError::Field { field, message } => return Self::field(field, message),
            OperatorError::ChooseTenant(_) => return Self::field("tenant", error.to_string()),
            OperatorError::NotFound(what) => return Self::not_found(what),
            OperatorError::TenantLimit(error) => return error.into(),
            OperatorError::Flag(error) => return error.into(),
            OperatorError::Vault(error) => return error.into(),
            OperatorError::Db(error) => return error.into(),
            OperatorError::Credential => ProblemKind::Unauthenticated,
            OperatorError::Locked(_) => ProblemKind::Locked,
            OperatorError::TooFast | OperatorError::Limit(_) => ProblemKind::Limit,
            OperatorError::CodeWanted | OperatorError::CodeWrong => ProblemKind::CodeWanted,
            OperatorError::CodeMissing => ProblemKind::CodeMissing,
            OperatorError::Forbidden | OperatorError::NotAPerson | OperatorError::Exceeds | OperatorError::VisitLooks => {
                ProblemKind::Forbidden
            }
            OperatorError::Suspended => ProblemKind::Suspended,
            OperatorError::Restricted => ProblemKind::Restricted,
            OperatorError::AlreadyServes => ProblemKind::Exists,
            OperatorError::LastAdmin | OperatorError::ServesElsewhere | OperatorError::Conflict(_) => ProblemKind::Conflict,
        };
        Self::new(kind, error.to_string())
    }
}

/// Returns the routes of logins, operators and tokens.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(log_in))
        .routes(routes!(log_out))
        .routes(routes!(who_am_i))
        .routes(routes!(set_password))
        .routes(routes!(change_password))
        .routes(routes!(show_second_factor, begin_second_factor))
        .routes(routes!(confirm_second_factor))
        .routes(routes!(disable_second_factor))
        .routes(routes!(list_sessions))
        .routes(routes!(end_session))
        .routes(routes!(end_other_sessions))
        .routes(routes!(accept_invitation))
        .merge(members::routes())
        .merge(platform::routes())
}

/// The page behind a one-time link: it sends what is typed to the API, and the token stays in the fragment, which no log sees.
pub(crate) async fn setup_page() -> Html<&'static str> {
    Html(include_str!("../setup.html"))
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
    /// The authenticator's six digits, or a recovery code, for who has a second factor.
    #[schema(value_type = Option<String>)]
    code: Option<Secret<String>>,
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

/// Logs in with a password. A problem of the kind `code-wanted` says that the password was right and a second factor's code belongs to it.
#[utoipa::path(post, path = "/login", tag = "operators", extensions(("x-permission" = json!("open"))), request_body = LoginRequest, security(()),
    responses((status = 200, body = LoginResponse), (status = 401, body = Problem, content_type = "application/problem+json")))]
async fn log_in(
    State(app): State<Arc<App>>,
    asked: Asked,
    Body(request): Body<LoginRequest>,
) -> Result<Json<LoginResponse>, Problem> {
    let code = request.code.as_ref().map(|code| code.expose().as_str());
    let attempt = Attempt { login: &request.login, password: request.password, tenant: request.tenant.as_deref(), code };
    let done = super::log_in(&app, &asked, attempt).await?;
    Ok(Json(LoginResponse { token: done.token.expose().clone(), expires_at: done.expires_at, tenant: done.tenant }))
}

/// Ends the login, or the visit, that is used.
#[utoipa::path(post, path = "/logout", tag = "operators", extensions(("x-permission" = json!("anyone"))), responses((status = 204)))]
async fn log_out(State(app): State<Arc<App>>, Anybody(actor): Anybody) -> Result<StatusCode, Problem> {
    match actor {
        Actor::Platform { session, .. } | Actor::Tenant { session: Some(session), .. } => super::log_out(&app, session).await?,
        Actor::Tenant { scope, session: None } => match scope.visit().cloned() {
            Some(visit) => visits::leave(&app, &scope, &visit).await?,
            None => return Err(Problem::new(ProblemKind::Conflict, "an API token is not a login: revoke it instead")),
        },
    }
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Serialize, ToSchema)]
struct WhoAmI {
    /// `operator:…`, `token:…`, or `support:…` on a visit.
    actor: String,
    /// The tenant; empty for the platform.
    tenant: Option<TenantId>,
    /// The role in the tenant; empty for the platform and on a visit.
    role: Option<Role>,
    /// All that may be done in the tenant.
    permissions: Vec<Permission>,
    /// How much of the tenant is seen.
    reach: Option<Extent>,
    /// The visit, if it is one.
    impersonation: Option<Visit>,
    /// For the platform's operators: whether a second factor is in force, which is recommended.
    second_factor: Option<bool>,
}

/// Says who the credential belongs to, and what it may do.
#[utoipa::path(get, path = "/me", tag = "operators", extensions(("x-permission" = json!("anyone"))), responses((status = 200, body = WhoAmI)))]
async fn who_am_i(Anybody(actor): Anybody) -> Json<WhoAmI> {
    Json(match actor {
        Actor::Platform { actor, second_factor, .. } => WhoAmI {
            actor: actor.label().as_str().to_owned(),
            tenant: None,
            role: None,
            permissions: Vec::new(),
            reach: None,
            impersonation: None,
            second_factor: Some(second_factor),
        },
        Actor::Tenant { scope, .. } => WhoAmI {
            actor: scope.actor().as_str().to_owned(),
            tenant: Some(scope.tenant()),
            role: scope.role(),
            permissions: scope.rights().iter().collect(),
            reach: Some(scope.extent()),
            impersonation: scope.visit().cloned(),
            second_factor: None,
        },
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

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangePassword {
    /// The present password.
    #[schema(value_type = String)]
    old_password: Secret<String>,
    /// The new password, 10 to 200 characters.
    #[schema(value_type = String)]
    new_password: Secret<String>,
}

/// Changes one's own password. All other logins of the same person end, in every ISP.
#[utoipa::path(post, path = "/me/password", tag = "operators", extensions(("x-permission" = json!("login"))), request_body = ChangePassword, responses((status = 204)))]
async fn change_password(
    State(app): State<Arc<App>>,
    asked: Asked,
    person: Person,
    Body(request): Body<ChangePassword>,
) -> Result<StatusCode, Problem> {
    super::change_password(&app, &asked, &person, request.old_password, request.new_password).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Serialize, ToSchema)]
struct SecondFactorView {
    /// Whether it is in force: then a login asks for a code.
    in_force: bool,
    /// Recovery codes that were not used yet.
    recovery_codes: i64,
}

/// Shows whether one has a second factor.
#[utoipa::path(get, path = "/me/second-factor", tag = "operators", extensions(("x-permission" = json!("login"))), responses((status = 200, body = SecondFactorView)))]
async fn show_second_factor(State(app): State<Arc<App>>, person: Person) -> Result<Json<SecondFactorView>, Problem> {
    let now = second_factor::standing(&app, &person).await?;
    Ok(Json(SecondFactorView { in_force: now.in_force, recovery_codes: now.recovery_codes }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OwnPassword {
    /// The present password.
    #[schema(value_type = String)]
    password: Secret<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct BegunSecondFactor {
    /// The secret in base 32, to type into an authenticator; shown this once.
    secret: String,
    /// The same as an address, to show as a QR code.
    otpauth_url: String,
}

/// Begins a second factor; it is not in force until a first code confirms it.
#[utoipa::path(post, path = "/me/second-factor", tag = "operators", extensions(("x-permission" = json!("login"))), request_body = OwnPassword, responses((status = 201, body = BegunSecondFactor)))]
async fn begin_second_factor(
    State(app): State<Arc<App>>,
    asked: Asked,
    person: Person,
    Body(request): Body<OwnPassword>,
) -> Result<(StatusCode, Json<BegunSecondFactor>), Problem> {
    let begun = second_factor::begin(&app, &asked, &person, request.password).await?;
    let (secret, otpauth_url) = (begun.secret.expose().clone(), begun.address.expose().clone());
    Ok((StatusCode::CREATED, Json(BegunSecondFactor { secret, otpauth_url })))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FirstCode {
    /// The six digits that the authenticator shows now.
    #[schema(value_type = String)]
    code: Secret<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct RecoveryCodes {
    /// Each logs in once in place of the authenticator; shown this once.
    recovery_codes: Vec<String>,
}

/// Puts a second factor in force with its first code.
#[utoipa::path(post, path = "/me/second-factor/confirm", tag = "operators", extensions(("x-permission" = json!("login"))), request_body = FirstCode, responses((status = 200, body = RecoveryCodes)))]
async fn confirm_second_factor(
    State(app): State<Arc<App>>,
    person: Person,
    Body(request): Body<FirstCode>,
) -> Result<Json<RecoveryCodes>, Problem> {
    let codes = second_factor::confirm_code(&app, &person, request.code.expose()).await?;
    Ok(Json(RecoveryCodes { recovery_codes: codes.iter().map(|code| code.expose().clone()).collect() }))
}

/// Gives one's second factor up.
#[utoipa::path(post, path = "/me/second-factor/disable", tag = "operators", extensions(("x-permission" = json!("login"))), request_body = OwnPassword, responses((status = 204)))]
async fn disable_second_factor(
    State(app): State<Arc<App>>,
    asked: Asked,
    person: Person,
    Body(request): Body<OwnPassword>,
) -> Result<StatusCode, Problem> {
    second_factor::disable(&app, &asked, &person, request.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists one's own logins to the ISP (or the platform) that this one is for.
#[utoipa::path(get, path = "/me/sessions", tag = "operators", extensions(("x-permission" = json!("login"))), params(Page), responses((status = 200, body = List<SessionView>)))]
async fn list_sessions(State(app): State<Arc<App>>, person: Person, page: Page) -> Result<Json<List<SessionView>>, Problem> {
    Ok(Json(sessions::own(&app, &person, &page).await?))
}

/// Ends one of one's own logins.
#[utoipa::path(delete, path = "/me/sessions/{id}", tag = "operators", extensions(("x-permission" = json!("login"))), params(("id" = LoginSessionId, Path)), responses((status = 204)))]
async fn end_session(State(app): State<Arc<App>>, person: Person, Id(id): Id<LoginSessionId>) -> Result<StatusCode, Problem> {
    sessions::end_own(&app, &person, Some(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Serialize, ToSchema)]
struct Ended {
    /// How many logins ended.
    ended: u64,
}

/// Ends all of one's own logins to the ISP (or the platform) but the one that is used.
#[utoipa::path(post, path = "/me/sessions/end-others", tag = "operators", extensions(("x-permission" = json!("login"))), responses((status = 200, body = Ended)))]
async fn end_other_sessions(State(app): State<Arc<App>>, person: Person) -> Result<Json<Ended>, Problem> {
    Ok(Json(Ended { ended: sessions::end_own(&app, &person, None).await? }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AcceptInvitation {
    /// The invitation's token.
    #[schema(value_type = String)]
    token: Secret<String>,
    /// Who has a login already sends its password; who is new chooses one of 10 to 200 characters.
    #[schema(value_type = String)]
    password: Secret<String>,
    /// The code of a second factor, for who has one.
    #[schema(value_type = Option<String>)]
    code: Option<Secret<String>>,
}

#[derive(Debug, Serialize, ToSchema)]
struct AcceptedInvitation {
    /// The person.
    operator: OperatorId,
    /// The name to log in with.
    login: String,
}

/// Accepts an invitation to serve an ISP.
#[utoipa::path(post, path = "/invitations/accept", tag = "operators", extensions(("x-permission" = json!("open"))), request_body = AcceptInvitation, security(()), responses((status = 200, body = AcceptedInvitation)))]
async fn accept_invitation(
    State(app): State<Arc<App>>,
    asked: Asked,
    Body(request): Body<AcceptInvitation>,
) -> Result<Json<AcceptedInvitation>, Problem> {
    let code = request.code.as_ref().map(|code| code.expose().as_str());
    let done = invitations::accept(&app, &asked, request.token.expose(), request.password, code).await?;
    Ok(Json(AcceptedInvitation { operator: done.operator, login: done.login }))
}
