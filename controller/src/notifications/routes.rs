//! Notifications over HTTP: the caller's own.

use super::{NotificationError, NotificationView, store};
use crate::app::App;
use crate::http::{Id, List, Page, Params, Person, Problem};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use model::NotificationId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

impl From<NotificationError> for Problem {
    fn from(error: NotificationError) -> Self {
        match error {
            NotificationError::NotFound => Self::not_found("notification"),
            NotificationError::Monitoring(error) => error.into(),
            NotificationError::Operator(error) => error.into(),
            NotificationError::Db(error) => error.into(),
        }
    }
}

/// Returns the routes of notifications.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(mark_all_read)).routes(routes!(mark_read))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Unread {
    /// Only those that were not read yet.
    #[param(required = false)]
    #[serde(default)]
    unread: bool,
}

/// Lists the caller's own notifications, newest first.
#[utoipa::path(get, path = "/me/notifications", tag = "notifications", extensions(("x-permission" = json!("login"))), params(Unread, Page), responses((status = 200, body = List<NotificationView>)))]
async fn list(
    State(app): State<Arc<App>>,
    person: Person,
    Params(asked): Params<Unread>,
    page: Page,
) -> Result<Json<List<NotificationView>>, Problem> {
    let Some(scope) = &person.scope else { return Ok(Json(page.list(Vec::new()))) };
    let mut tx = app.db.tenant(scope.door()).await.map_err(NotificationError::from)?;
    let found = store::list(&mut tx, person.operator, asked.unread, &page).await?;
    Ok(Json(page.list(found)))
}

/// Marks one of the caller's own notifications as read.
#[utoipa::path(post, path = "/me/notifications/{id}/read", tag = "notifications", extensions(("x-permission" = json!("login"))), params(("id" = NotificationId, Path)), responses((status = 204)))]
async fn mark_read(State(app): State<Arc<App>>, person: Person, Id(id): Id<NotificationId>) -> Result<StatusCode, Problem> {
    super::mark_read(&app, &person, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Serialize, ToSchema)]
struct MarkedRead {
    /// How many were not read before.
    marked: u64,
}

/// Marks all of the caller's own notifications as read.
#[utoipa::path(post, path = "/me/notifications/read", tag = "notifications", extensions(("x-permission" = json!("login"))), responses((status = 200, body = MarkedRead)))]
async fn mark_all_read(State(app): State<Arc<App>>, person: Person) -> Result<Json<MarkedRead>, Problem> {
    Ok(Json(MarkedRead { marked: super::mark_all_read(&app, &person).await? }))
}
