//! Bills over HTTP.

use super::{InvoiceDetails, InvoiceError, InvoiceState, InvoiceView, NewInvoice, store};
use crate::app::App;
use crate::http::idempotency::{Claim, IdempotencyKey, claim, finish};
use crate::http::{Body, Id, List, Page, Params, Permission, Problem, ProblemKind, Sheet, TenantScope};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use model::{CustomerId, InvoiceId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// Bills of one table; who has more narrows it down.
const EXPORT_MAX: i64 = 50_000;

impl From<InvoiceError> for Problem {
    fn from(error: InvoiceError) -> Self {
        match error {
            InvoiceError::Field { field, message } => Self::field(field, message),
            InvoiceError::NotFound => Self::not_found("invoice"),
            InvoiceError::TooMuch { .. } => Self::field("amount", error.to_string()),
            InvoiceError::State { .. } => Self::new(ProblemKind::Conflict, error.to_string()),
            InvoiceError::Customer(error) => error.into(),
            InvoiceError::Package(error) => error.into(),
            InvoiceError::Ledger(error) => error.into(),
            InvoiceError::Operator(error) => error.into(),
            InvoiceError::Db(error) => error.into(),
        }
    }
}

/// Returns the routes of bills.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, make))
        .routes(routes!(export))
        .routes(routes!(get))
        .routes(routes!(issue))
        .routes(routes!(void))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only those of one customer.
    #[param(value_type = Option<String>)]
    customer: Option<CustomerId>,
    /// Only those that stand there.
    state: Option<InvoiceState>,
}

impl From<Filter> for store::Filter {
    fn from(filter: Filter) -> Self {
        Self { customer: filter.customer, state: filter.state }
    }
}

/// Lists the bills.
#[utoipa::path(get, path = "/invoices", tag = "invoices", extensions(("x-permission" = json!("invoices.read"))), params(Filter, Page), responses((status = 200, body = List<InvoiceView>)))]
async fn list(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Params(filter): Params<Filter>,
    page: Page,
) -> Result<Json<List<InvoiceView>>, Problem> {
    let mut tx = scope.read(&app, Permission::InvoicesRead).await?;
    Ok(Json(page.list(store::page(&mut tx, filter.into(), &page).await?)))
}

/// Exports the bills as a table in CSV, at most 50,000 of them, the newest first.
#[utoipa::path(get, path = "/invoices/export", tag = "invoices", extensions(("x-permission" = json!("invoices.read"))), params(Filter), responses((status = 200, body = String, content_type = "text/csv")))]
async fn export(State(app): State<Arc<App>>, scope: TenantScope, Params(filter): Params<Filter>) -> Result<Sheet, Problem> {
    let mut tx = scope.read(&app, Permission::InvoicesRead).await?;
    let invoices = store::list(&mut tx, filter.into(), Uuid::max(), EXPORT_MAX).await?;
    let mut sheet = Sheet::new(
        "invoices",
        [
            "number",
            "state",
            "customer",
            "name",
            "currency",
            "total_minor",
            "tax_minor",
            "paid_minor",
            "due_on",
            "issued_at",
            "id",
        ],
    );
    for invoice in invoices {
        sheet.row([
            invoice.number.unwrap_or_default(),
            invoice.state.as_str().to_owned(),
            invoice.customer.to_string(),
            invoice.customer_name.unwrap_or_default(),
            invoice.total.currency.to_string(),
            invoice.total.minor.to_string(),
            invoice.tax.minor.to_string(),
            invoice.paid.minor.to_string(),
            invoice.due_on.to_string(),
            invoice.issued_at.map(|at| at.to_string()).unwrap_or_default(),
            invoice.id.to_string(),
        ]);
    }
    Ok(sheet)
}

#[derive(Debug, Serialize, ToSchema)]
struct MadeInvoice {
    /// The bill.
    id: InvoiceId,
}

/// Writes a bill, not yet issued.
#[utoipa::path(post, path = "/invoices", tag = "invoices", extensions(("x-permission" = json!("invoices.write"))), request_body = NewInvoice, responses((status = 201, body = MadeInvoice)))]
async fn make(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Body(request): Body<NewInvoice>,
) -> Result<(StatusCode, Json<MadeInvoice>), Problem> {
    let id = super::make(&app, &scope, request).await?;
    Ok((StatusCode::CREATED, Json(MadeInvoice { id })))
}

/// Shows a bill with its lines.
#[utoipa::path(get, path = "/invoices/{id}", tag = "invoices", extensions(("x-permission" = json!("invoices.read"))), params(("id" = InvoiceId, Path)), responses((status = 200, body = InvoiceDetails)))]
async fn get(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<InvoiceId>) -> Result<Json<InvoiceDetails>, Problem> {
    let mut tx = scope.read(&app, Permission::InvoicesRead).await?;
    Ok(Json(super::details(&mut tx, id).await?))
}

/// Issues a bill: it gets the next number and is owed from then on; sent again with the same key, it is done once.
#[utoipa::path(post, path = "/invoices/{id}/issue", tag = "invoices", extensions(("x-permission" = json!("invoices.write"))),
    params(("id" = InvoiceId, Path), ("Idempotency-Key" = String, Header)), responses((status = 200, body = InvoiceView)))]
async fn issue(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    key: IdempotencyKey,
    Id(invoice): Id<InvoiceId>,
) -> Result<Response, Problem> {
    let now = app.clock.now();
    let mut tx = scope.write(&app, Permission::InvoicesWrite).await?;
    let id = match claim(&app, &mut tx, &key, "invoice.issue", &invoice, now).await? {
        Claim::Fresh(id) => id,
        Claim::Done(answer) => return Ok(*answer),
    };
    let issued = super::issue(&app, &mut tx, invoice, now).await?;
    finish(&mut tx, id, StatusCode::OK, &issued).await?;
    tx.commit().await?;
    Ok((StatusCode::OK, Json(issued)).into_response())
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct VoidInvoice {
    /// Why, in 1 to 200 characters.
    reason: String,
}

/// Takes a bill back; its number stays used.
#[utoipa::path(post, path = "/invoices/{id}/void", tag = "invoices", extensions(("x-permission" = json!("invoices.write"))), params(("id" = InvoiceId, Path)), request_body = VoidInvoice, responses((status = 204)))]
async fn void(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(invoice): Id<InvoiceId>,
    Body(request): Body<VoidInvoice>,
) -> Result<StatusCode, Problem> {
    let mut tx = scope.write(&app, Permission::InvoicesWrite).await?;
    super::void(&app, &mut tx, invoice, &request.reason, app.clock.now()).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
