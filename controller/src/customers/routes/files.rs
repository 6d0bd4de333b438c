//! Files of customers over HTTP.

use super::super::{CustomerError, ImportView, Imported, export};
use crate::app::App;
use crate::http::idempotency::{Claim, IdempotencyKey, claim, finish};
use crate::http::{List, Page, Params, Permission, Problem, ProblemKind, TenantScope};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use model::Deed;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The largest file of customers: 50,000 rows of 600 bytes, and some room.
const FILE_MAX_BYTES: usize = 32 << 20;

/// Returns the routes of files.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(import))
        .layer(DefaultBodyLimit::max(FILE_MAX_BYTES))
        .routes(routes!(imports))
        .routes(routes!(export_file))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Import {
    /// Whether the file is only looked at.
    dry_run: bool,
}

/// Makes customers out of a table in CSV with the columns login, router and package, and if you like password, full_name, phone, email,
/// language, kind, site, address, mac, latitude, longitude, notes and status; routers and packages stand there by name, a site by the names on
/// the way to it. All rows are written, or none: at most 50,000 in 32 MiB. Sent again with the same Idempotency-Key, it is done once.
#[utoipa::path(post, path = "/customers/import", tag = "customers", extensions(("x-permission" = json!("customers.import"))), params(Import, ("Idempotency-Key" = Option<String>, Header)), request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = Imported)))]
async fn import(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Params(params): Params<Import>,
    key: Option<IdempotencyKey>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("text/csv") {
        return Err(Problem::new(ProblemKind::MediaType, "send the file as `Content-Type: text/csv`"));
    }
    let file = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(ProblemKind::TooLarge, "a file has at most 32 MiB: cut it into several"),
        _ => Problem::new(ProblemKind::Invalid, "the file did not arrive whole"),
    })?;
    let now = app.clock.now();
    let mut tx = scope.write_to(&app, Deed::Grow, Permission::CustomersImport).await?;
    let mut fresh = None;
    if let Some(key) = key.filter(|_| !params.dry_run) {
        let hash: [u8; 32] = Sha256::digest(&file).into();
        match claim(&app, &mut tx, &key, "customer.import", &hash, now).await? {
            Claim::Fresh(id) => fresh = Some(id),
            Claim::Done(answer) => return Ok(*answer),
        }
    }
    let imported = match super::super::import(&app, &mut tx, file.clone(), params.dry_run, now).await {
        Ok(imported) => imported,
        Err(CustomerError::Rows(wrong)) => {
            // Nothing of the file is kept, not even the key: the mended file may come with the same one.
            drop(tx);
            super::super::note_refusal(&app, &scope, &file, &wrong).await?;
            return Err(CustomerError::Rows(wrong).into());
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(fresh) = fresh {
        finish(&mut tx, fresh, StatusCode::OK, &imported).await?;
    }
    if !params.dry_run {
        tx.commit().await.map_err(CustomerError::from)?;
    }
    Ok(Json(imported).into_response())
}

/// Lists the files of customers that were taken in or refused.
#[utoipa::path(get, path = "/customers/imports", tag = "customers", extensions(("x-permission" = json!("customers.import"))), params(Page), responses((status = 200, body = List<ImportView>)))]
async fn imports(State(app): State<Arc<App>>, scope: TenantScope, page: Page) -> Result<Json<List<ImportView>>, Problem> {
    Ok(Json(super::super::imports(&app, &scope, &page).await?))
}

/// Gives out all customers who have not left as a table in CSV that can be imported again; passwords are not in it.
#[utoipa::path(get, path = "/customers/export", tag = "customers", extensions(("x-permission" = json!("data.export"))), responses((status = 200, body = String, content_type = "text/csv")))]
async fn export_file(State(app): State<Arc<App>>, scope: TenantScope) -> Result<Response, Problem> {
    // The first part before the headers, so that a refusal is a problem and no broken file.
    let (first, rest) = export::begin(&app, &scope).await?;
    let rest = stream::try_unfold(rest, move |rest| {
        let (app, scope) = (app.clone(), scope.clone());
        async move {
            let Some(rest) = rest else { return Ok::<_, std::io::Error>(None) };
            app.rates.let_others(&app, scope.tenant()).await;
            let (text, rest) = rest.go_on(&app, &scope).await.map_err(|error| {
                tracing::warn!(error = %telemetry::chain(&error), "an export broke off");
                std::io::Error::other(error)
            })?;
            Ok(Some((Bytes::from(text), rest)))
        }
    });
    let parts = stream::StreamExt::chain(stream::iter([Ok(Bytes::from(first))]), rest);
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"customers.csv\""),
    ];
    Ok((headers, Body::from_stream(parts)).into_response())
}
