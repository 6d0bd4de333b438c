//! Backups and exports over HTTP.

use super::{BackupError, BackupView, ExportFormat, Exported, keep, store};
use crate::app::App;
use crate::http::{Id, List, Page, PageItem, Params, Permission, Problem, ProblemKind, TenantScope};
use axum::Json;
use axum::body::Body as HttpBody;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use model::BackupId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::io::AsyncReadExt as _;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// Bytes of a file that are sent at a time.
const PIECE_BYTES: usize = 64 << 10;

impl PageItem for BackupView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

impl From<BackupError> for Problem {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::NotFound(what) => Self::not_found(what),
            BackupError::Field { field, message } => Self::field(field, message),
            BackupError::Busy | BackupError::TooMany(_) => Self::new(ProblemKind::Conflict, error.to_string()),
            BackupError::PartlySeen => Self::new(ProblemKind::Forbidden, error.to_string()),
            BackupError::Vault(error) => error.into(),
            BackupError::Operator(error) => error.into(),
            BackupError::Db(error) => error.into(),
            other => Self::internal(&other),
        }
    }
}

/// Returns the routes of backups and exports.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, begin))
        .routes(routes!(show))
        .routes(routes!(download))
        .routes(routes!(export))
        .routes(routes!(tables))
}

#[derive(Debug, Serialize, ToSchema)]
struct Begun {
    /// The backup.
    id: BackupId,
}

/// Lists the backups of the ISP, newest first. The newest seven are kept.
#[utoipa::path(get, path = "/backups", tag = "backups", extensions(("x-permission" = json!("data.export"))), params(Page), responses((status = 200, body = List<BackupView>)))]
async fn list(State(app): State<Arc<App>>, scope: TenantScope, page: Page) -> Result<Json<List<BackupView>>, Problem> {
    let mut tx = scope.read(&app, Permission::DataExport).await?;
    Ok(Json(page.list(store::list(&mut tx, &page).await?)))
}

/// Begins to take a backup; ask for it until it is `ready`.
#[utoipa::path(post, path = "/backups", tag = "backups", extensions(("x-permission" = json!("data.export"))), responses((status = 202, body = Begun)))]
async fn begin(State(app): State<Arc<App>>, scope: TenantScope) -> Result<(StatusCode, Json<Begun>), Problem> {
    let id = keep::begin(&app, &scope).await?;
    Ok((StatusCode::ACCEPTED, Json(Begun { id })))
}

/// Shows a backup.
#[utoipa::path(get, path = "/backups/{id}", tag = "backups", extensions(("x-permission" = json!("data.export"))), params(("id" = BackupId, Path)), responses((status = 200, body = BackupView)))]
async fn show(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<BackupId>) -> Result<Json<BackupView>, Problem> {
    let mut tx = scope.read(&app, Permission::DataExport).await?;
    let backup = store::find(&mut tx, id).await?;
    backup.map(Json).ok_or_else(|| Problem::not_found("backup"))
}

/// Downloads a backup's file. It is sealed: only an installation with the same master key can restore it.
#[utoipa::path(get, path = "/backups/{id}/file", tag = "backups", extensions(("x-permission" = json!("data.export"))), params(("id" = BackupId, Path)), responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>)))]
async fn download(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<BackupId>) -> Result<Response, Problem> {
    let turn = keep::downloads()?;
    let (backup, file) = keep::open(&app, &scope, id).await?;
    let pieces = stream::try_unfold((file, turn), async |(mut file, turn)| {
        let mut piece = vec![0; PIECE_BYTES];
        let length = file.read(&mut piece).await?;
        piece.truncate(length);
        Ok::<_, std::io::Error>((length > 0).then_some((piece, (file, turn))))
    });
    let name = HeaderValue::from_str(&format!("attachment; filename=\"{id}.mwbackup\"")).expect("an id is plain text");
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_DISPOSITION, name),
        (header::CONTENT_LENGTH, HeaderValue::from(backup.bytes.unwrap_or_default())),
    ];
    Ok((headers, HttpBody::from_stream(pieces)).into_response())
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// The table; all of them, in JSON only, when left out.
    table: Option<String>,
    /// `json`, one object a line, or `csv`.
    format: Option<ExportFormat>,
}

/// Exports the ISP's rows as plain text, from one snapshot, without secrets. Without a table, the first line tells what follows, each line
/// says of which table it is, and the last one is `{"complete": true}`.
#[utoipa::path(get, path = "/export", tag = "backups", extensions(("x-permission" = json!("data.export"))), params(Wanted), responses((status = 200, content_type = "application/jsonl", body = String)))]
async fn export(State(app): State<Arc<App>>, scope: TenantScope, Params(wanted): Params<Wanted>) -> Result<Response, Problem> {
    let format = wanted.format.unwrap_or_default();
    let export = Exported::begin(&app, &scope, wanted.table.as_deref(), format).await?;
    let pieces = stream::try_unfold(export, async |mut export| {
        let piece =
            export.next().await.inspect_err(|error| tracing::warn!(error = %telemetry::chain(error), "an export broke off"))?;
        Ok::<_, BackupError>(piece.map(|piece| (piece, export)))
    });
    let kind = match format {
        ExportFormat::Json => "application/jsonl",
        ExportFormat::Csv => "text/csv; charset=utf-8",
    };
    Ok(([(header::CONTENT_TYPE, kind)], HttpBody::from_stream(pieces)).into_response())
}

#[derive(Debug, Serialize, ToSchema)]
struct Tables {
    /// The tables.
    tables: Vec<super::export::ExportedTable>,
}

/// Lists the tables and columns that an export holds.
#[utoipa::path(get, path = "/export/tables", tag = "backups", extensions(("x-permission" = json!("data.export"))), responses((status = 200, body = Tables)))]
async fn tables(State(app): State<Arc<App>>, scope: TenantScope) -> Result<Json<Tables>, Problem> {
    Ok(Json(Tables { tables: super::exported_tables(&app, &scope).await? }))
}
