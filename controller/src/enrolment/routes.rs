//! The line's other end: the block, handed out once to whoever holds the token.

use super::{EnrolmentError, LINE_HEADER};
use crate::app::App;
use crate::http::{Problem, ProblemKind};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

impl From<EnrolmentError> for Problem {
    fn from(error: EnrolmentError) -> Self {
        match error {
            EnrolmentError::TenantLimit | EnrolmentError::HubLimit => Self::new(ProblemKind::Limit, error.to_string()),
            EnrolmentError::Line => Self::new(ProblemKind::NotFound, error.to_string()),
            EnrolmentError::Open(_)
            | EnrolmentError::Call { .. }
            | EnrolmentError::Missing(_)
            | EnrolmentError::OtherSerial { .. }
            | EnrolmentError::SerialTaken(_) => Self::new(ProblemKind::Router, telemetry::chain(&error).to_string()),
            EnrolmentError::Vault(error) => error.into(),
            EnrolmentError::Db(error) => error.into(),
            EnrolmentError::Unfit(_) | EnrolmentError::Tunnel(_) => Self::internal(&error),
        }
    }
}

/// Returns the route that routers fetch their block from.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(fetch))
}

/// Hands out a router's block, once, for the token of its line.
#[utoipa::path(get, path = "/enrolment/block", tag = "routers", extensions(("x-permission" = json!("open"))), security(()),
    params(("x-mastwire-token" = String, Header, description = "the token in the line; `Authorization: Bearer` does as well")),
    responses((status = 200, body = String, content_type = "text/plain"), (status = 404, body = Problem, content_type = "application/problem+json")))]
async fn fetch(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<impl IntoResponse, Problem> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = || text(header::AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
    let token = text(LINE_HEADER).or_else(bearer).ok_or(EnrolmentError::Line)?;
    let block = super::fetch_block(&app, token.trim()).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=us-ascii")], block.expose().clone()))
}
