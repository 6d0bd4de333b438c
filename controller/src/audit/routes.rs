//! The audit logs over HTTP.

use super::{AuditError, AuditView, EXPORT_BATCH, EXPORT_MAX, Filter, PlatformAuditView, rules};
use crate::app::App;
use crate::http::{List, Page, Params, Platform, Problem, TenantScope, csv_line};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Field { field, message } => Self::field(field, message),
            AuditError::Operator(error) => error.into(),
            AuditError::Db(error) => error.into(),
        }
    }
}

/// Returns the routes of the audit logs.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(export)).routes(routes!(list_platform))
}

/// Lists what was done in the tenant.
#[utoipa::path(get, path = "/audit", tag = "audit", extensions(("x-permission" = json!("audit.read"))), params(Filter, Page), responses((status = 200, body = List<AuditView>)))]
async fn list(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Params(filter): Params<Filter>,
    page: Page,
) -> Result<Json<List<AuditView>>, Problem> {
    let lines = super::list(&app, &scope, &filter, &page).await?;
    Ok(Json(page.list(lines)))
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    /// A table for a spreadsheet.
    #[default]
    Csv,
    /// One JSON object a line.
    Jsonl,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// How the lines are written; CSV when left out.
    format: Option<Format>,
}

impl Format {
    const fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Jsonl => "application/x-ndjson",
        }
    }

    fn head(self) -> String {
        match self {
            Self::Csv => csv_line(rules::HEADINGS),
            Self::Jsonl => String::new(),
        }
    }

    fn line(self, line: &AuditView) -> String {
        match self {
            Self::Csv => csv_line(rules::cells(line)),
            Self::Jsonl => serde_json::to_string(line).expect("a line is plain data") + "\n",
        }
    }
}

/// Exports what was done in the tenant, newest first, at most a million lines.
#[utoipa::path(get, path = "/audit/export", tag = "audit", extensions(("x-permission" = json!("audit.read"))), params(Filter, Wanted),
    responses((status = 200, content((String = "text/csv"), (String = "application/x-ndjson")))))]
async fn export(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Params(filter): Params<Filter>,
    Params(wanted): Params<Wanted>,
) -> Result<Response, Problem> {
    let format = wanted.format.unwrap_or_default();
    // The first lines are read before anything is sent: a refusal is then a problem, and not a file that breaks off.
    let first = super::export_some(&app, &scope, &filter, Uuid::max()).await?;
    let text = format.head() + &first.iter().map(|line| format.line(line)).collect::<String>();
    let ended = first.len() < usize::from(EXPORT_BATCH);
    let state = (first.last().filter(|_| !ended).map(|line| line.id.uuid()), first.len());
    let rest = stream::try_unfold(state, move |(before, sent)| {
        let (app, scope, filter) = (app.clone(), scope.clone(), filter.clone());
        async move {
            let Some(before) = before.filter(|_| sent < EXPORT_MAX) else { return Ok(None) };
            app.rates.let_others(&app, scope.tenant()).await;
            // A transaction for each batch: none waits for a slow reader. An error breaks the file off, which the reader sees.
            let lines = super::export_some(&app, &scope, &filter, before).await?;
            let text: String = lines.iter().map(|line| format.line(line)).collect();
            let ended = lines.len() < usize::from(EXPORT_BATCH);
            let next = lines.last().filter(|_| !ended).map(|line| line.id.uuid());
            Ok::<_, AuditError>(Some((text, (next, sent + lines.len()))))
        }
    });
    let body = stream::StreamExt::chain(stream::iter([Ok(text)]), rest);
    let name = match format {
        Format::Csv => "attachment; filename=\"audit.csv\"",
        Format::Jsonl => "attachment; filename=\"audit.jsonl\"",
    };
    let headers = [(header::CONTENT_TYPE, format.content_type()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, Body::from_stream(body)).into_response())
}

/// Lists what was done across tenants, and why.
#[utoipa::path(get, path = "/platform/audit", tag = "platform", extensions(("x-permission" = json!("platform"))), params(Page), responses((status = 200, body = List<PlatformAuditView>)))]
async fn list_platform(
    State(app): State<Arc<App>>,
    Platform(actor): Platform,
    page: Page,
) -> Result<Json<List<PlatformAuditView>>, Problem> {
    let lines = super::list_platform(&app, &actor, &page).await?;
    Ok(Json(page.list(lines)))
}
