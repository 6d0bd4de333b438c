//! HTTP: the assembly of all domains' routes, the extractors they share, limits, errors and the OpenAPI document. No decisions.

mod extract;
pub mod idempotency;
mod limit;
mod page;
mod problem;
mod server;
mod sheet;

pub use crate::operators::{Actor, Permission, Person, TenantScope};
pub use extract::{Anybody, Body, Caller, Id, Params, Platform};
pub use page::{List, Page, PageItem};
pub use problem::{FieldError, Problem, ProblemKind};
pub use server::{Peer, ServeError, Server, TlsFiles};
pub use sheet::{Sheet, csv_line, harmful_again};

use crate::app::App;
use crate::operators::Asker;
use axum::Router as AxumRouter;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use db::Origin;
use std::sync::Arc;
use std::time::Duration;
use tower_http::timeout::TimeoutLayer;
use tracing::Instrument as _;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;

/// The largest body of an ordinary request; a route that takes files says its own.
const BODY_MAX_BYTES: usize = 256 * 1024;
/// The longest a request may take; work on a router goes on without it.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);
/// Names a request in answers and in the log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

#[derive(OpenApi)]
#[openapi(
    info(title = "Mastwire", description = "Runs an ISP's MikroTik routers. Errors are problem+json; lists are paged by cursor; money writes need an Idempotency-Key."),
    modifiers(&Bearer),
    security(("bearer" = []))
)]
struct ApiDoc;

struct Bearer;

impl utoipa::Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        openapi.components.get_or_insert_default().add_security_scheme("bearer", scheme);
    }
}

fn api() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(ApiDoc::openapi()).nest("/api/v1", crate::routes())
}

/// Returns the OpenAPI 3.1 document of everything that is served.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    api().split_for_parts().1
}

/// Returns the whole service.
pub fn service(app: Arc<App>) -> AxumRouter {
    let (router, document) = api().split_for_parts();
    let document = Arc::new(serde_json::to_string(&document).expect("the document is plain data"));
    router
        .route(
            "/api/v1/openapi.json",
            get(move || async move { ([(header::CONTENT_TYPE, "application/json")], document.as_str().to_owned()) }),
        )
        .route("/setup", get(crate::operators::setup_page))
        .route("/healthz", get(|| async { "ok\n" }))
        .fallback(|| async { Problem::not_found("path") })
        .method_not_allowed_fallback(|| async {
            Problem::new(ProblemKind::MethodNotAllowed, "see /api/v1/openapi.json for what is offered")
        })
        .layer(TimeoutLayer::with_status_code(axum::http::StatusCode::SERVICE_UNAVAILABLE, REQUEST_LIMIT))
        .layer(DefaultBodyLimit::max(BODY_MAX_BYTES))
        .layer(middleware::from_fn_with_state(app.clone(), name_request))
        .with_state(app)
}

/// Gives each request an id, puts it into the log, the answer and the problem, and sets the headers that every answer has.
async fn name_request(axum::extract::State(app): axum::extract::State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let mut random = [0; 8];
    app.entropy.fill(&mut random);
    let id = format!("req_{}", hex::encode(random));
    let span = tracing::info_span!("request", request.id = %id, method = %request.method(), path = %request.uri().path());
    // Only the connection says where a request came from: a header could say anything.
    let source = request.extensions().get::<ConnectInfo<Peer>>().map(|info| info.0.0.ip().to_canonical());
    request.extensions_mut().insert(Origin { request_id: id.clone(), source });
    let (asker, path) = (Arc::new(Asker::default()), request.uri().path().to_owned());
    request.extensions_mut().insert(asker.clone());
    let mut response = next.run(request).instrument(span.clone()).await;
    if response.status() == axum::http::StatusCode::NOT_FOUND {
        app.strangers.note(&asker, &path, app.clock.now());
    }
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        tracing::debug!(parent: &span, kind = problem.kind, detail = problem.detail, "refused");
        let mut again = Problem { instance: Some(id.clone()), ..problem }.into_response();
        again.extensions_mut().remove::<Problem>();
        response = again;
    }
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, HeaderValue::from_str(&id).expect("hex digits are a header value"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
