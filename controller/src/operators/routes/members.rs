//! Who serves the tenant, over HTTP: people, invitations, logins, API tokens, and visits of the platform's support.

use crate::app::App;
use crate::http::{Body, Id, List, Page, Params, Problem};
use crate::operators::api_tokens::{self, NewApiToken, TokenView};
use crate::operators::invitations::{self, InvitationView, NewInvitation};
use crate::operators::members::{self, Change, MemberDetails, OperatorView};
use crate::operators::rules::Grant;
use crate::operators::sessions::{self, SessionView};
use crate::operators::visits::{self, VisitView};
use crate::operators::{Extent, Permission, PermissionSet, Role, TenantScope};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use model::{ApiTokenId, ImpersonationId, InvitationId, LoginSessionId, OperatorId, RouterId, SiteId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_operators))
        .routes(routes!(get_operator, change_operator, remove_operator))
        .routes(routes!(assign))
        .routes(routes!(reset_password))
        .routes(routes!(list_login_sessions))
        .routes(routes!(end_login_session))
        .routes(routes!(list_invitations, invite))
        .routes(routes!(withdraw_invitation))
        .routes(routes!(list_tokens, create_token))
        .routes(routes!(revoke_token))
        .routes(routes!(list_visits))
        .routes(routes!(end_visit))
}

fn set(permissions: Vec<Permission>) -> PermissionSet {
    permissions.into_iter().collect()
}

/// Lists the people who serve the tenant.
#[utoipa::path(get, path = "/operators", tag = "operators", extensions(("x-permission" = json!("operators.read"))), params(Page), responses((status = 200, body = List<OperatorView>)))]
async fn list_operators(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    page: Page,
) -> Result<Json<List<OperatorView>>, Problem> {
    Ok(Json(members::list(&app, &scope, &page).await?))
}

/// Shows one of them: role, what was added and taken away, what it comes to, and what is assigned.
#[utoipa::path(get, path = "/operators/{id}", tag = "operators", extensions(("x-permission" = json!("operators.read"))), params(("id" = OperatorId, Path)), responses((status = 200, body = MemberDetails)))]
async fn get_operator(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<OperatorId>,
) -> Result<Json<MemberDetails>, Problem> {
    Ok(Json(members::get(&app, &scope, id).await?))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeOperator {
    /// The new role.
    role: Option<Role>,
    /// All permissions beside the role's, in place of those before.
    added: Option<Vec<Permission>>,
    /// All permissions that are taken away, in place of those before. They count last.
    removed: Option<Vec<Permission>>,
    /// How much they see.
    reach: Option<Extent>,
}

/// Changes what somebody may do and see; what is left out stays.
#[utoipa::path(patch, path = "/operators/{id}", tag = "operators", extensions(("x-permission" = json!("operators.write"))), params(("id" = OperatorId, Path)), request_body = ChangeOperator, responses((status = 200, body = MemberDetails)))]
async fn change_operator(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<OperatorId>,
    Body(request): Body<ChangeOperator>,
) -> Result<Json<MemberDetails>, Problem> {
    let change =
        Change { role: request.role, added: request.added.map(set), removed: request.removed.map(set), extent: request.reach };
    Ok(Json(members::change(&app, &scope, id, change).await?))
}

/// Ends somebody's service to the tenant, and all their logins to it.
#[utoipa::path(delete, path = "/operators/{id}", tag = "operators", extensions(("x-permission" = json!("operators.write"))), params(("id" = OperatorId, Path)), responses((status = 204)))]
async fn remove_operator(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<OperatorId>) -> Result<StatusCode, Problem> {
    members::remove(&app, &scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Assign {
    /// Routers, one by one.
    routers: Vec<RouterId>,
    /// Sites: all routers there, and at whatever stands below them.
    sites: Vec<SiteId>,
}

/// Says what somebody sees whose reach is `assigned`; all of it, in place of what was assigned before.
#[utoipa::path(put, path = "/operators/{id}/assignments", tag = "operators", extensions(("x-permission" = json!("operators.write"))), params(("id" = OperatorId, Path)), request_body = Assign, responses((status = 200, body = MemberDetails)))]
async fn assign(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<OperatorId>,
    Body(request): Body<Assign>,
) -> Result<Json<MemberDetails>, Problem> {
    Ok(Json(members::assign(&app, &scope, id, request.routers, request.sites).await?))
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ResetLink {
    /// Sets the password once.
    pub(super) setup_token: String,
    /// The page on which it is set.
    pub(super) setup_url: String,
    /// Until when the link is good.
    #[schema(value_type = String, format = DateTime)]
    pub(super) expires_at: Timestamp,
}

/// Makes a one-time link for somebody who lost their password, as long as they serve nobody else.
#[utoipa::path(post, path = "/operators/{id}/reset", tag = "operators", extensions(("x-permission" = json!("operators.write"))), params(("id" = OperatorId, Path)), responses((status = 201, body = ResetLink)))]
async fn reset_password(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<OperatorId>,
) -> Result<(StatusCode, Json<ResetLink>), Problem> {
    let (token, expires_at) = members::reset_link(&app, &scope, id).await?;
    let setup_url = app.config.setup_url(token.expose());
    Ok((StatusCode::CREATED, Json(ResetLink { setup_token: token.expose().clone(), setup_url, expires_at })))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct SessionFilter {
    /// Only those of one person.
    #[param(value_type = Option<String>)]
    operator: Option<OperatorId>,
}

/// Lists the logins to the tenant that are in force.
#[utoipa::path(get, path = "/login-sessions", tag = "operators", extensions(("x-permission" = json!("operators.read"))), params(SessionFilter, Page), responses((status = 200, body = List<SessionView>)))]
async fn list_login_sessions(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Params(filter): Params<SessionFilter>,
    page: Page,
) -> Result<Json<List<SessionView>>, Problem> {
    Ok(Json(sessions::list(&app, &scope, filter.operator, &page).await?))
}

/// Ends somebody's login to the tenant.
#[utoipa::path(delete, path = "/login-sessions/{id}", tag = "operators", extensions(("x-permission" = json!("operators.write"))), params(("id" = LoginSessionId, Path)), responses((status = 204)))]
async fn end_login_session(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<LoginSessionId>,
) -> Result<StatusCode, Problem> {
    sessions::end(&app, &scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the invitations.
#[utoipa::path(get, path = "/invitations", tag = "operators", extensions(("x-permission" = json!("operators.read"))), params(Page), responses((status = 200, body = List<InvitationView>)))]
async fn list_invitations(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    page: Page,
) -> Result<Json<List<InvitationView>>, Problem> {
    Ok(Json(invitations::list(&app, &scope, &page).await?))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Invite {
    /// The name they log in with, or will: 3 to 100 of a-z, 0-9 and . @ _ + -
    #[schema(example = "jane@isp.example")]
    login: String,
    /// The name they will be called by, if they are new; the login name when left out.
    display_name: Option<String>,
    /// What they will be.
    role: Role,
    /// Permissions beside the role's.
    #[serde(default)]
    added: Vec<Permission>,
    /// Permissions taken away. They count last.
    #[serde(default)]
    removed: Vec<Permission>,
    /// How much they will see; everything when left out.
    reach: Option<Extent>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Invited {
    /// The invitation.
    id: InvitationId,
    /// For who is invited: accepts the invitation once.
    token: String,
    /// The page on which it is accepted.
    url: String,
    /// Until when it is good.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Invites somebody to serve the tenant, whether or not they have a login already.
#[utoipa::path(post, path = "/invitations", tag = "operators", extensions(("x-permission" = json!("operators.write"))), request_body = Invite, responses((status = 201, body = Invited)))]
async fn invite(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Body(request): Body<Invite>,
) -> Result<(StatusCode, Json<Invited>), Problem> {
    let grant = Grant {
        role: request.role,
        added: set(request.added),
        removed: set(request.removed),
        extent: request.reach.unwrap_or(Extent::All),
    };
    let display_name = request.display_name.unwrap_or_else(|| request.login.clone());
    let made = invitations::invite(&app, &scope, NewInvitation { login: request.login, display_name, grant }).await?;
    let url = app.config.setup_url(made.token.expose());
    let invited = Invited { id: made.id, token: made.token.expose().clone(), url, expires_at: made.expires_at };
    Ok((StatusCode::CREATED, Json(invited)))
}

/// Withdraws an invitation.
#[utoipa::path(delete, path = "/invitations/{id}", tag = "operators", extensions(("x-permission" = json!("operators.write"))), params(("id" = InvitationId, Path)), responses((status = 204)))]
async fn withdraw_invitation(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<InvitationId>,
) -> Result<StatusCode, Problem> {
    invitations::withdraw(&app, &scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the tenant's API tokens.
#[utoipa::path(get, path = "/tokens", tag = "operators", extensions(("x-permission" = json!("operators.read"))), params(Page), responses((status = 200, body = List<TokenView>)))]
async fn list_tokens(State(app): State<Arc<App>>, scope: TenantScope, page: Page) -> Result<Json<List<TokenView>>, Problem> {
    Ok(Json(api_tokens::list(&app, &scope, &page).await?))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateToken {
    /// What it is for.
    name: String,
    /// What it may do.
    role: Role,
    /// Exactly these permissions instead of the role's.
    permissions: Option<Vec<Permission>>,
    /// When it ends by itself; never when left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

#[derive(Debug, Serialize, ToSchema)]
struct CreatedToken {
    /// The token's id, by which it is revoked.
    id: ApiTokenId,
    /// The token itself, shown this once.
    token: String,
}

/// Makes an API token, which may do no more than its maker.
#[utoipa::path(post, path = "/tokens", tag = "operators", extensions(("x-permission" = json!("operators.write"))), request_body = CreateToken, responses((status = 201, body = CreatedToken)))]
async fn create_token(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Body(request): Body<CreateToken>,
) -> Result<(StatusCode, Json<CreatedToken>), Problem> {
    let new = NewApiToken {
        name: request.name,
        role: request.role,
        permissions: request.permissions.map(set),
        expires_at: request.expires_at,
    };
    let (id, token) = api_tokens::create(&app, &scope, new).await?;
    Ok((StatusCode::CREATED, Json(CreatedToken { id, token: token.expose().clone() })))
}

/// Revokes an API token.
#[utoipa::path(delete, path = "/tokens/{id}", tag = "operators", extensions(("x-permission" = json!("operators.write"))), params(("id" = ApiTokenId, Path)), responses((status = 204)))]
async fn revoke_token(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<ApiTokenId>) -> Result<StatusCode, Problem> {
    api_tokens::revoke(&app, &scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the visits of the platform's support, those that are over too.
#[utoipa::path(get, path = "/impersonations", tag = "operators", extensions(("x-permission" = json!("operators.read"))), params(Page), responses((status = 200, body = List<VisitView>)))]
async fn list_visits(State(app): State<Arc<App>>, scope: TenantScope, page: Page) -> Result<Json<List<VisitView>>, Problem> {
    Ok(Json(visits::list(&app, &scope, &page).await?))
}

/// Ends a visit at once.
#[utoipa::path(delete, path = "/impersonations/{id}", tag = "operators", extensions(("x-permission" = json!("operators.write"))), params(("id" = ImpersonationId, Path)), responses((status = 204)))]
async fn end_visit(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<ImpersonationId>) -> Result<StatusCode, Problem> {
    visits::end(&app, &scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
