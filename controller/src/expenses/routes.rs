//! Expenses over HTTP.

use super::{ExpenseError, ExpenseView, NewExpense, NewRecurring, RecurringView, store};
use crate::app::App;
use crate::http::idempotency::{Claim, IdempotencyKey, claim, finish};
use crate::http::{Body, Id, List, Page, Params, Permission, Problem, ProblemKind, TenantScope};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use model::{ExpenseId, RecurringExpenseId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

impl From<ExpenseError> for Problem {
    fn from(error: ExpenseError) -> Self {
        match error {
            ExpenseError::Field { field, message } => Self::field(field, message),
            ExpenseError::NotFound(what) => Self::not_found(what),
            ExpenseError::Reversed | ExpenseError::Ended => Self::new(ProblemKind::Conflict, error.to_string()),
            ExpenseError::TooMany => Self::new(ProblemKind::Limit, error.to_string()),
            ExpenseError::Ledger(error) => error.into(),
            ExpenseError::Operator(error) => error.into(),
            ExpenseError::Db(error) => error.into(),
        }
    }
}

/// Returns the routes of expenses.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(get))
        .routes(routes!(reverse))
        .routes(routes!(list_recurring, add_recurring))
        .routes(routes!(get_recurring, end))
        .routes(routes!(pause))
        .routes(routes!(resume))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only those for one account.
    #[param(value_type = Option<String>, example = "rent")]
    account: Option<super::AccountCode>,
}

/// Lists the expenses.
#[utoipa::path(get, path = "/expenses", tag = "expenses", extensions(("x-permission" = json!("expenses.read"))), params(Filter, Page), responses((status = 200, body = List<ExpenseView>)))]
async fn list(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Params(filter): Params<Filter>,
    page: Page,
) -> Result<Json<List<ExpenseView>>, Problem> {
    let mut tx = scope.read(&app, Permission::ExpensesRead).await?;
    Ok(Json(page.list(store::list(&mut tx, filter.account.as_ref(), &page).await?)))
}

#[derive(Debug, Serialize, ToSchema)]
struct AddedExpense {
    /// The expense.
    id: ExpenseId,
}

/// Notes an expense; sent again with the same key, it is done once.
#[utoipa::path(post, path = "/expenses", tag = "expenses", extensions(("x-permission" = json!("expenses.write"))),
    params(("Idempotency-Key" = String, Header)), request_body = NewExpense, responses((status = 201, body = AddedExpense)))]
async fn add(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    key: IdempotencyKey,
    Body(request): Body<NewExpense>,
) -> Result<Response, Problem> {
    let now = app.clock.now();
    let mut tx = scope.write(&app, Permission::ExpensesWrite).await?;
    let claimed = match claim(&app, &mut tx, &key, "expense.add", &request, now).await? {
        Claim::Fresh(id) => id,
        Claim::Done(answer) => return Ok(*answer),
    };
    let added = AddedExpense { id: super::add(&app, &mut tx, request, now).await? };
    finish(&mut tx, claimed, StatusCode::CREATED, &added).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(added)).into_response())
}

/// Shows an expense.
#[utoipa::path(get, path = "/expenses/{id}", tag = "expenses", extensions(("x-permission" = json!("expenses.read"))), params(("id" = ExpenseId, Path)), responses((status = 200, body = ExpenseView)))]
async fn get(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<ExpenseId>) -> Result<Json<ExpenseView>, Problem> {
    let mut tx = scope.read(&app, Permission::ExpensesRead).await?;
    Ok(Json(store::get(&mut tx, id).await?.ok_or_else(|| Problem::not_found("expense"))?))
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReverseExpense {
    /// Why, in 1 to 200 characters.
    reason: String,
}

/// Takes an expense back.
#[utoipa::path(post, path = "/expenses/{id}/reverse", tag = "expenses", extensions(("x-permission" = json!("expenses.write"))), params(("id" = ExpenseId, Path)), request_body = ReverseExpense, responses((status = 204)))]
async fn reverse(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<ExpenseId>,
    Body(request): Body<ReverseExpense>,
) -> Result<StatusCode, Problem> {
    let mut tx = scope.write(&app, Permission::ExpensesWrite).await?;
    super::reverse(&app, &mut tx, id, &request.reason, app.clock.now()).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the expenses that repeat.
#[utoipa::path(get, path = "/recurring-expenses", tag = "expenses", extensions(("x-permission" = json!("expenses.read"))), params(Page), responses((status = 200, body = List<RecurringView>)))]
async fn list_recurring(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    page: Page,
) -> Result<Json<List<RecurringView>>, Problem> {
    let mut tx = scope.read(&app, Permission::ExpensesRead).await?;
    Ok(Json(page.list(store::list_recurring(&mut tx, &page).await?)))
}

#[derive(Debug, Serialize, ToSchema)]
struct AddedRecurring {
    /// The rule.
    id: RecurringExpenseId,
}

/// Makes an expense that repeats; what lies behind today is caught up within a minute.
#[utoipa::path(post, path = "/recurring-expenses", tag = "expenses", extensions(("x-permission" = json!("expenses.write"))), request_body = NewRecurring, responses((status = 201, body = AddedRecurring)))]
async fn add_recurring(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Body(request): Body<NewRecurring>,
) -> Result<(StatusCode, Json<AddedRecurring>), Problem> {
    let id = super::add_recurring(&app, &scope, request).await?;
    Ok((StatusCode::CREATED, Json(AddedRecurring { id })))
}

/// Shows an expense that repeats.
#[utoipa::path(get, path = "/recurring-expenses/{id}", tag = "expenses", extensions(("x-permission" = json!("expenses.read"))), params(("id" = RecurringExpenseId, Path)), responses((status = 200, body = RecurringView)))]
async fn get_recurring(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<RecurringExpenseId>,
) -> Result<Json<RecurringView>, Problem> {
    let mut tx = scope.read(&app, Permission::ExpensesRead).await?;
    Ok(Json(store::get_recurring(&mut tx, id).await?.ok_or_else(|| Problem::not_found("recurring expense"))?))
}

/// Lets an expense that repeats rest; what falls due until it goes on is left out.
#[utoipa::path(post, path = "/recurring-expenses/{id}/pause", tag = "expenses", extensions(("x-permission" = json!("expenses.write"))), params(("id" = RecurringExpenseId, Path)), responses((status = 204)))]
async fn pause(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<RecurringExpenseId>) -> Result<StatusCode, Problem> {
    super::pause(&app, &scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets an expense that repeats go on.
#[utoipa::path(post, path = "/recurring-expenses/{id}/resume", tag = "expenses", extensions(("x-permission" = json!("expenses.write"))), params(("id" = RecurringExpenseId, Path)), responses((status = 204)))]
async fn resume(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<RecurringExpenseId>) -> Result<StatusCode, Problem> {
    super::resume(&app, &scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends an expense that repeats; what was spent by it stays.
#[utoipa::path(delete, path = "/recurring-expenses/{id}", tag = "expenses", extensions(("x-permission" = json!("expenses.write"))), params(("id" = RecurringExpenseId, Path)), responses((status = 204)))]
async fn end(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<RecurringExpenseId>) -> Result<StatusCode, Problem> {
    super::end(&app, &scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
