//! Tickets over HTTP.

use super::store::{self, Among};
use super::{NewTicket, NoteView, TicketChange, TicketError, TicketStatus, TicketView};
use crate::app::App;
use crate::http::{Body, Id, List, Page, Params, Permission, Problem, ProblemKind, TenantScope};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use model::{CustomerId, DeviceId, OperatorId, RouterId, SiteId, TicketId, TicketNoteId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

impl From<TicketError> for Problem {
    fn from(error: TicketError) -> Self {
        match error {
            TicketError::Field { field, message } => Self::field(field, message),
            TicketError::NotFound(what) => Self::not_found(what),
            TicketError::Status { .. } => Self::new(ProblemKind::Conflict, error.to_string()),
            TicketError::TooMany | TicketError::TooManyNotes => Self::new(ProblemKind::Limit, error.to_string()),
            TicketError::Operator(error) => error.into(),
            TicketError::Device(error) => error.into(),
            TicketError::Monitoring(error) => error.into(),
            TicketError::Db(error) => error.into(),
        }
    }
}

/// Returns the routes of tickets.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, open)).routes(routes!(get, change)).routes(routes!(notes, note))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only those that stand so.
    status: Option<TicketStatus>,
    /// Only those of one operator.
    #[param(value_type = Option<String>)]
    operator: Option<OperatorId>,
    /// Only those about one customer.
    #[param(value_type = Option<String>)]
    customer: Option<CustomerId>,
    /// Only those about one router.
    #[param(value_type = Option<String>)]
    router: Option<RouterId>,
    /// Only those about one site.
    #[param(value_type = Option<String>)]
    site: Option<SiteId>,
    /// Only those about one device.
    #[param(value_type = Option<String>)]
    device: Option<DeviceId>,
}

impl Filter {
    fn among(&self) -> Result<Among, Problem> {
        let wanted = [
            self.status.map(Among::Status),
            self.operator.map(Among::Assignee),
            self.customer.map(Among::Customer),
            self.router.map(Among::Router),
            self.site.map(Among::Site),
            self.device.map(Among::Device),
        ];
        let mut wanted = wanted.into_iter().flatten();
        match (wanted.next(), wanted.next()) {
            (None, _) => Ok(Among::All),
            (Some(one), None) => Ok(one),
            (Some(_), Some(_)) => {
                Err(Problem::field("status", "ask by one of status, operator, customer, router, site and device"))
            }
        }
    }
}

/// Lists the tickets, newest first.
#[utoipa::path(get, path = "/tickets", tag = "tickets", extensions(("x-permission" = json!("tickets.read"))), params(Filter, Page), responses((status = 200, body = List<TicketView>)))]
async fn list(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Params(filter): Params<Filter>,
    page: Page,
) -> Result<Json<List<TicketView>>, Problem> {
    let among = filter.among()?;
    let mut tx = scope.read(&app, Permission::TicketsRead).await?;
    Ok(Json(page.list(store::list(&mut tx, among, &page).await?)))
}

#[derive(Debug, Serialize, ToSchema)]
struct OpenedTicket {
    /// The ticket.
    id: TicketId,
    /// What people say on the phone.
    number: i32,
}

/// Opens a ticket.
#[utoipa::path(post, path = "/tickets", tag = "tickets", extensions(("x-permission" = json!("tickets.write"))), request_body = NewTicket, responses((status = 201, body = OpenedTicket)))]
async fn open(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Body(request): Body<NewTicket>,
) -> Result<(StatusCode, Json<OpenedTicket>), Problem> {
    let (id, number) = super::open(&app, &scope, request).await?;
    Ok((StatusCode::CREATED, Json(OpenedTicket { id, number })))
}

/// Shows a ticket.
#[utoipa::path(get, path = "/tickets/{id}", tag = "tickets", extensions(("x-permission" = json!("tickets.read"))), params(("id" = TicketId, Path)), responses((status = 200, body = TicketView)))]
async fn get(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<TicketId>) -> Result<Json<TicketView>, Problem> {
    let mut tx = scope.read(&app, Permission::TicketsRead).await?;
    Ok(Json(store::get(&mut tx, id).await?.ok_or(TicketError::NotFound("ticket"))?))
}

/// Changes where a ticket stands, whose it is, or how soon it should be done.
#[utoipa::path(patch, path = "/tickets/{id}", tag = "tickets", extensions(("x-permission" = json!("tickets.write"))), params(("id" = TicketId, Path)), request_body = TicketChange, responses((status = 200, body = TicketView)))]
async fn change(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<TicketId>,
    Body(request): Body<TicketChange>,
) -> Result<Json<TicketView>, Problem> {
    Ok(Json(super::change(&app, &scope, id, request).await?))
}

/// Lists what was said on a ticket, newest first.
#[utoipa::path(get, path = "/tickets/{id}/notes", tag = "tickets", extensions(("x-permission" = json!("tickets.read"))), params(("id" = TicketId, Path), Page), responses((status = 200, body = List<NoteView>)))]
async fn notes(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<TicketId>,
    page: Page,
) -> Result<Json<List<NoteView>>, Problem> {
    let mut tx = scope.read(&app, Permission::TicketsRead).await?;
    store::get(&mut tx, id).await?.ok_or(TicketError::NotFound("ticket"))?;
    Ok(Json(page.list(store::notes(&mut tx, id, &page).await?)))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewNote {
    /// What is said, 1 to 4000 characters.
    text: String,
    /// Whether the customer may read it.
    #[serde(default)]
    to_customer: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct AddedNote {
    /// The note.
    id: TicketNoteId,
}

/// Says something on a ticket; it stays.
#[utoipa::path(post, path = "/tickets/{id}/notes", tag = "tickets", extensions(("x-permission" = json!("tickets.write"))), params(("id" = TicketId, Path)), request_body = NewNote, responses((status = 201, body = AddedNote)))]
async fn note(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<TicketId>,
    Body(request): Body<NewNote>,
) -> Result<(StatusCode, Json<AddedNote>), Problem> {
    let id = super::note(&app, &scope, id, &request.text, request.to_customer).await?;
    Ok((StatusCode::CREATED, Json(AddedNote { id })))
}
