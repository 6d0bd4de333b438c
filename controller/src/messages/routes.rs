//! Messages, their templates and rules over HTTP.

use super::store::{self, Among};
use super::{
    Event, MessageError, MessageState, MessageView, NewMessage, NewRule, NewTemplate, Preview, Previewed, RuleChange, RuleView,
    TemplateView, Variable, VersionView,
};
use crate::app::App;
use crate::http::{Body, Id, List, Page, Params, Permission, Problem, ProblemKind, TenantScope};
use axum::extract::{FromRequest, Request, State};
use axum::http::{StatusCode, header};
use axum::{Form, Json};
use model::{CustomerId, MessageId, MessageRuleId, TemplateId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

impl From<MessageError> for Problem {
    fn from(error: MessageError) -> Self {
        match error {
            MessageError::Field { field, message } => Self::field(field, message),
            MessageError::NotFound(what) => Self::not_found(what),
            MessageError::NameTaken => Self::new(ProblemKind::Exists, error.to_string()),
            MessageError::OtherEvent
            | MessageError::InUse
            | MessageError::WrongTemplate
            | MessageError::NoPhone
            | MessageError::NotWaiting(_) => Self::new(ProblemKind::Conflict, error.to_string()),
            MessageError::TooMany => Self::new(ProblemKind::Limit, error.to_string()),
            MessageError::Limit(error) => error.into(),
            MessageError::Operator(error) => error.into(),
            MessageError::Customer(error) => error.into(),
            MessageError::Gateway(error) => error.into(),
            MessageError::Monitoring(error) => (*error).into(),
            MessageError::Client(error) => Self::internal(&error),
            MessageError::Db(error) => error.into(),
        }
    }
}

/// Returns the routes of messages.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, send))
        .routes(routes!(get))
        .routes(routes!(cancel))
        .routes(routes!(report))
        .routes(routes!(variables))
        .routes(routes!(list_templates, add_template))
        .routes(routes!(preview))
        .routes(routes!(get_template, remove_template))
        .routes(routes!(versions, set_text))
        .routes(routes!(list_rules, add_rule))
        .routes(routes!(get_rule, change_rule, remove_rule))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only those that stand so.
    state: Option<MessageState>,
    /// Only those to one customer.
    #[param(value_type = Option<String>)]
    customer: Option<CustomerId>,
    /// Only those that one rule wrote.
    #[param(value_type = Option<String>)]
    message_rule: Option<MessageRuleId>,
}

impl Filter {
    fn among(&self) -> Result<Among, Problem> {
        match (self.state, self.customer, self.message_rule) {
            (None, None, None) => Ok(Among::All),
            (Some(state), None, None) => Ok(Among::State(state)),
            (None, Some(customer), None) => Ok(Among::Customer(customer)),
            (None, None, Some(rule)) => Ok(Among::Rule(rule)),
            _ => Err(Problem::field("state", "ask by one of state, customer and message_rule")),
        }
    }
}

/// Lists what was written to customers, newest first.
#[utoipa::path(get, path = "/messages", tag = "messages", extensions(("x-permission" = json!("messages.read"))), params(Filter, Page), responses((status = 200, body = List<MessageView>)))]
async fn list(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Params(filter): Params<Filter>,
    page: Page,
) -> Result<Json<List<MessageView>>, Problem> {
    let among = filter.among()?;
    let mut tx = scope.read(&app, Permission::MessagesRead).await?;
    Ok(Json(page.list(store::list(&mut tx, among, &page).await?)))
}

#[derive(Debug, Serialize, ToSchema)]
struct WrittenMessage {
    /// The message.
    id: MessageId,
}

/// Writes to a customer.
#[utoipa::path(post, path = "/messages", tag = "messages", extensions(("x-permission" = json!("messages.send"))), request_body = NewMessage, responses((status = 201, body = WrittenMessage)))]
async fn send(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Body(request): Body<NewMessage>,
) -> Result<(StatusCode, Json<WrittenMessage>), Problem> {
    let id = super::send(&app, &scope, request).await?;
    Ok((StatusCode::CREATED, Json(WrittenMessage { id })))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ReportKey {
    /// From the address that was made for the gateway.
    key: String,
}

/// Takes what a gateway's service says of a message that it took: an object in JSON, or a form.
#[utoipa::path(post, path = "/delivery-reports", tag = "messages", extensions(("x-permission" = json!("open"))), params(ReportKey), security(()),
    request_body(content((Object = "application/json"), (Object = "application/x-www-form-urlencoded"))),
    responses((status = 204), (status = 404, body = Problem, content_type = "application/problem+json")))]
async fn report(
    State(app): State<Arc<App>>,
    Params(ReportKey { key }): Params<ReportKey>,
    Posted(posted): Posted,
) -> Result<StatusCode, Problem> {
    super::reports::take(&app, &key, &posted).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a service of somebody else's posts.
struct Posted(Value);

impl<S: Send + Sync> FromRequest<S> for Posted {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if kind.starts_with("application/x-www-form-urlencoded") {
            let form = Form::<BTreeMap<String, String>>::from_request(request, state).await;
            let Form(fields) = form.map_err(|rejection| Problem::new(ProblemKind::Invalid, rejection.body_text()))?;
            return Ok(Self(json!(fields)));
        }
        let Body(fields) = Body::<BTreeMap<String, Value>>::from_request(request, state).await?;
        Ok(Self(json!(fields)))
    }
}

/// Shows a message and what became of it.
#[utoipa::path(get, path = "/messages/{id}", tag = "messages", extensions(("x-permission" = json!("messages.read"))), params(("id" = MessageId, Path)), responses((status = 200, body = MessageView)))]
async fn get(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<MessageId>) -> Result<Json<MessageView>, Problem> {
    let mut tx = scope.read(&app, Permission::MessagesRead).await?;
    Ok(Json(store::get(&mut tx, id).await?.ok_or(MessageError::NotFound("message"))?))
}

/// Stops a message that still waits.
#[utoipa::path(post, path = "/messages/{id}/cancel", tag = "messages", extensions(("x-permission" = json!("messages.send"))), params(("id" = MessageId, Path)), responses((status = 204)))]
async fn cancel(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<MessageId>) -> Result<StatusCode, Problem> {
    super::cancel(&app, &scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ForEvent {
    /// What the text is written for; left out, it is for messages that people send.
    event: Option<Event>,
}

#[derive(Debug, Serialize, ToSchema)]
struct MessageVariableView {
    /// Its name, as it stands in braces.
    name: Variable,
    /// What stands for it in a preview.
    sample: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
struct MessageVariables {
    /// The variables.
    items: Vec<MessageVariableView>,
}

/// Lists what a text may name.
#[utoipa::path(get, path = "/message-variables", tag = "messages", extensions(("x-permission" = json!("messages.read"))), params(ForEvent), responses((status = 200, body = MessageVariables)))]
async fn variables(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Params(asked): Params<ForEvent>,
) -> Result<Json<MessageVariables>, Problem> {
    drop(scope.read(&app, Permission::MessagesRead).await?);
    let view = |name: Variable| MessageVariableView { name, sample: name.sample() };
    Ok(Json(MessageVariables { items: Variable::of(asked.event).map(view).collect() }))
}

/// Lists the templates, removed ones too.
#[utoipa::path(get, path = "/message-templates", tag = "messages", extensions(("x-permission" = json!("messages.read"))), params(Page), responses((status = 200, body = List<TemplateView>)))]
async fn list_templates(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    page: Page,
) -> Result<Json<List<TemplateView>>, Problem> {
    let mut tx = scope.read(&app, Permission::MessagesRead).await?;
    Ok(Json(page.list(store::list_templates(&mut tx, &page).await?)))
}

#[derive(Debug, Serialize, ToSchema)]
struct AddedMessageTemplate {
    /// The template.
    id: TemplateId,
}

/// Makes a template.
#[utoipa::path(post, path = "/message-templates", tag = "messages", extensions(("x-permission" = json!("messages.write"))), request_body = NewTemplate, responses((status = 201, body = AddedMessageTemplate)))]
async fn add_template(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Body(request): Body<NewTemplate>,
) -> Result<(StatusCode, Json<AddedMessageTemplate>), Problem> {
    let id = super::add_template(&app, &scope, request).await?;
    Ok((StatusCode::CREATED, Json(AddedMessageTemplate { id })))
}

/// Shows a text as somebody would get it, and what it takes as a text message. Nothing is kept.
#[utoipa::path(post, path = "/message-templates/preview", tag = "messages", extensions(("x-permission" = json!("messages.write"))), request_body = Preview, responses((status = 200, body = Previewed)))]
async fn preview(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Body(request): Body<Preview>,
) -> Result<Json<Previewed>, Problem> {
    drop(scope.write(&app, Permission::MessagesWrite).await?);
    Ok(Json(super::preview(&request)?))
}

/// Shows a template with its newest text.
#[utoipa::path(get, path = "/message-templates/{id}", tag = "messages", extensions(("x-permission" = json!("messages.read"))), params(("id" = TemplateId, Path)), responses((status = 200, body = TemplateView)))]
async fn get_template(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<TemplateId>,
) -> Result<Json<TemplateView>, Problem> {
    let mut tx = scope.read(&app, Permission::MessagesRead).await?;
    Ok(Json(store::template(&mut tx, id).await?.ok_or(MessageError::NotFound("message template"))?))
}

/// Takes a template out of use.
#[utoipa::path(delete, path = "/message-templates/{id}", tag = "messages", extensions(("x-permission" = json!("messages.write"))), params(("id" = TemplateId, Path)), responses((status = 204)))]
async fn remove_template(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<TemplateId>) -> Result<StatusCode, Problem> {
    super::remove_template(&app, &scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Serialize, ToSchema)]
struct MessageTemplateVersions {
    /// The texts, newest first, up to a hundred.
    items: Vec<VersionView>,
}

/// Lists what a template said.
#[utoipa::path(get, path = "/message-templates/{id}/versions", tag = "messages", extensions(("x-permission" = json!("messages.read"))), params(("id" = TemplateId, Path)), responses((status = 200, body = MessageTemplateVersions)))]
async fn versions(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<TemplateId>,
) -> Result<Json<MessageTemplateVersions>, Problem> {
    let mut tx = scope.read(&app, Permission::MessagesRead).await?;
    store::template(&mut tx, id).await?.ok_or(MessageError::NotFound("message template"))?;
    Ok(Json(MessageTemplateVersions { items: store::versions(&mut tx, id).await? }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MessageTemplateText {
    /// The text, 1 to 1000 characters, with variables in braces.
    text: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct MessageTemplateVersion {
    /// Which version is in force now.
    version: i32,
}

/// Gives a template a new text; what was sent keeps its own.
#[utoipa::path(post, path = "/message-templates/{id}/versions", tag = "messages", extensions(("x-permission" = json!("messages.write"))), params(("id" = TemplateId, Path)), request_body = MessageTemplateText, responses((status = 201, body = MessageTemplateVersion)))]
async fn set_text(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<TemplateId>,
    Body(request): Body<MessageTemplateText>,
) -> Result<(StatusCode, Json<MessageTemplateVersion>), Problem> {
    let version = super::set_text(&app, &scope, id, &request.text).await?;
    Ok((StatusCode::CREATED, Json(MessageTemplateVersion { version })))
}

/// Lists the rules by which messages are written, removed ones too.
#[utoipa::path(get, path = "/message-rules", tag = "messages", extensions(("x-permission" = json!("messages.read"))), params(Page), responses((status = 200, body = List<RuleView>)))]
async fn list_rules(State(app): State<Arc<App>>, scope: TenantScope, page: Page) -> Result<Json<List<RuleView>>, Problem> {
    let mut tx = scope.read(&app, Permission::MessagesRead).await?;
    Ok(Json(page.list(store::list_rules(&mut tx, &page).await?)))
}

#[derive(Debug, Serialize, ToSchema)]
struct AddedMessageRule {
    /// The rule.
    id: MessageRuleId,
}

/// Makes a rule; it writes about nothing that was before.
#[utoipa::path(post, path = "/message-rules", tag = "messages", extensions(("x-permission" = json!("messages.write"))), request_body = NewRule, responses((status = 201, body = AddedMessageRule)))]
async fn add_rule(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Body(request): Body<NewRule>,
) -> Result<(StatusCode, Json<AddedMessageRule>), Problem> {
    let id = super::add_rule(&app, &scope, request).await?;
    Ok((StatusCode::CREATED, Json(AddedMessageRule { id })))
}

/// Shows a rule.
#[utoipa::path(get, path = "/message-rules/{id}", tag = "messages", extensions(("x-permission" = json!("messages.read"))), params(("id" = MessageRuleId, Path)), responses((status = 200, body = RuleView)))]
async fn get_rule(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<MessageRuleId>) -> Result<Json<RuleView>, Problem> {
    let mut tx = scope.read(&app, Permission::MessagesRead).await?;
    Ok(Json(store::rule(&mut tx, id).await?.ok_or(MessageError::NotFound("message rule"))?))
}

/// Changes a rule.
#[utoipa::path(patch, path = "/message-rules/{id}", tag = "messages", extensions(("x-permission" = json!("messages.write"))), params(("id" = MessageRuleId, Path)), request_body = RuleChange, responses((status = 200, body = RuleView)))]
async fn change_rule(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<MessageRuleId>,
    Body(request): Body<RuleChange>,
) -> Result<Json<RuleView>, Problem> {
    Ok(Json(super::change_rule(&app, &scope, id, request).await?))
}

/// Takes a rule out of use.
#[utoipa::path(delete, path = "/message-rules/{id}", tag = "messages", extensions(("x-permission" = json!("messages.write"))), params(("id" = MessageRuleId, Path)), responses((status = 204)))]
async fn remove_rule(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<MessageRuleId>) -> Result<StatusCode, Problem> {
    super::remove_rule(&app, &scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
