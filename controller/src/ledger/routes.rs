//! The ledger over HTTP: to look at only, but for the accounts that a tenant makes for itself.

use super::{AccountChange, AccountView, Balance, JournalView, LedgerError, NewAccount, store};
use crate::app::App;
use crate::http::{Body, Id, List, Page, Permission, Problem, ProblemKind, TenantScope};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use model::AccountId;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Field { field, message } => Self::field(field, message),
            LedgerError::NoAccount => Self::not_found("account"),
            LedgerError::CodeTaken => Self::new(ProblemKind::Exists, error.to_string()),
            LedgerError::System | LedgerError::Wallet { .. } => Self::new(ProblemKind::Conflict, error.to_string()),
            LedgerError::TooManyAccounts => Self::new(ProblemKind::Limit, error.to_string()),
            LedgerError::Operator(error) => error.into(),
            LedgerError::Db(error) => error.into(),
        }
    }
}

/// Returns the routes of the ledger.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(balances))
        .routes(routes!(journals))
        .routes(routes!(accounts, add))
        .routes(routes!(change))
        .routes(routes!(close))
}

#[derive(Debug, Serialize, ToSchema)]
struct Balances {
    /// One for each account and currency that anything was ever booked in.
    items: Vec<Balance>,
}

/// Shows what stands in each account.
#[utoipa::path(get, path = "/ledger/balances", tag = "ledger", extensions(("x-permission" = json!("payments.read"))), responses((status = 200, body = Balances)))]
async fn balances(State(app): State<Arc<App>>, scope: TenantScope) -> Result<Json<Balances>, Problem> {
    let mut tx = scope.read(&app, Permission::PaymentsRead).await?;
    Ok(Json(Balances { items: store::balances(&mut tx).await? }))
}

/// Lists the journals.
#[utoipa::path(get, path = "/ledger/journals", tag = "ledger", extensions(("x-permission" = json!("payments.read"))), params(Page), responses((status = 200, body = List<JournalView>)))]
async fn journals(State(app): State<Arc<App>>, scope: TenantScope, page: Page) -> Result<Json<List<JournalView>>, Problem> {
    let mut tx = scope.read(&app, Permission::PaymentsRead).await?;
    Ok(Json(page.list(store::list(&mut tx, &page).await?)))
}

#[derive(Debug, Serialize, ToSchema)]
struct Accounts {
    /// All accounts, by code.
    items: Vec<AccountView>,
}

/// Lists the accounts.
#[utoipa::path(get, path = "/accounts", tag = "ledger", extensions(("x-permission" = json!("payments.read"))), responses((status = 200, body = Accounts)))]
async fn accounts(State(app): State<Arc<App>>, scope: TenantScope) -> Result<Json<Accounts>, Problem> {
    let mut tx = scope.read(&app, Permission::PaymentsRead).await?;
    Ok(Json(Accounts { items: store::accounts(&mut tx).await? }))
}

#[derive(Debug, Serialize, ToSchema)]
struct AddedAccount {
    /// The account.
    id: AccountId,
}

/// Makes an account, such as one for a kind of expense.
#[utoipa::path(post, path = "/accounts", tag = "ledger", extensions(("x-permission" = json!("expenses.write"))), request_body = NewAccount, responses((status = 201, body = AddedAccount)))]
async fn add(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Body(request): Body<NewAccount>,
) -> Result<(StatusCode, Json<AddedAccount>), Problem> {
    let id = super::add_account(&app, &scope, request).await?;
    Ok((StatusCode::CREATED, Json(AddedAccount { id })))
}

/// Gives an account another name.
#[utoipa::path(patch, path = "/accounts/{id}", tag = "ledger", extensions(("x-permission" = json!("expenses.write"))), params(("id" = AccountId, Path)), request_body = AccountChange, responses((status = 204)))]
async fn change(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<AccountId>,
    Body(request): Body<AccountChange>,
) -> Result<StatusCode, Problem> {
    super::change_account(&app, &scope, id, request).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Closes an account: nothing new is booked in it, and what stands in it stays.
#[utoipa::path(post, path = "/accounts/{id}/close", tag = "ledger", extensions(("x-permission" = json!("expenses.write"))), params(("id" = AccountId, Path)), responses((status = 204)))]
async fn close(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<AccountId>) -> Result<StatusCode, Problem> {
    super::close_account(&app, &scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
