//! What people write to customers, and stop again.

use super::rules::segments::measure;
use super::rules::texts;
use super::store::{self, NewRow};
use super::{Channel, House, MessageError, MessageState, rules};
use crate::app::App;
use crate::customers;
use crate::operators::{Permission, TenantScope};
use crate::tenants;
use model::{CustomerId, MessageId, TemplateId};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

/// A message to one customer: a text, or a template that is for no event.
#[derive(Debug, Clone, Deserialize, serde::Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    /// To whom.
    pub customer: CustomerId,
    /// By what it travels; a text message when left out. A template has its own.
    pub channel: Option<Channel>,
    /// The text, up to 2000 characters and 10 segments; nothing in it is filled in.
    pub text: Option<String>,
    /// Or a template.
    pub template: Option<TemplateId>,
}

/// Writes to a customer, now; it is counted against the month's limit at once.
///
/// # Errors
/// When the role may not, a field is wrong, the customer or template is not there, the customer has no number, or the month's messages are
/// used up.
pub async fn send(app: &App, scope: &TenantScope, new: NewMessage) -> Result<MessageId, MessageError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::MessagesSend).await?;
    let customer = customers::addressee(&mut tx, new.customer).await?.ok_or(MessageError::NotFound("customer"))?;
    let (channel, template, text) = match (new.text, new.template) {
        (Some(text), None) => (new.channel.unwrap_or(Channel::Sms), None, text),
        (None, Some(id)) => {
            let found = store::text_of(&mut tx, id).await?.ok_or(MessageError::NotFound("message template"))?;
            if found.event.is_some() {
                return Err(MessageError::Field {
                    field: "template",
                    message: "this template is for an event: choose one for messages by hand",
                });
            }
            if new.channel.is_some_and(|channel| channel != found.channel) {
                return Err(MessageError::Field {
                    field: "channel",
                    message: "the template is for another channel: leave this out",
                });
            }
            let values = House::read(&mut tx).await?.values(&customer);
            (found.channel, Some((id, found.version)), texts::filled(&found.text, &values))
        }
        _ => return Err(MessageError::Field { field: "text", message: "give a text or a template" }),
    };
    if let Some(fault) = texts::sent_fault(&text) {
        return Err(fault.into());
    }
    if customer.phone.is_empty() {
        return Err(MessageError::NoPhone);
    }
    tenants::spend_messages(&mut tx, 1, now).await?;
    let id = MessageId::generate(now, &*app.entropy);
    let row = NewRow {
        id,
        customer: &customer,
        channel,
        rule: None,
        template,
        segments: measure(&text).segments,
        text,
        not_before: now,
        not_after: now + rules::timing::AGE_MAX,
        about_end: None,
        counted: true,
    };
    store::insert(&mut tx, &[row], now).await?;
    tx.audit(now, "message.send", &id.to_string(), json!({ "customer": customer.id, "channel": channel })).await?;
    tx.commit().await?;
    Ok(id)
}

/// Stops a message that still waits.
///
/// # Errors
/// When the role may not, there is no such message, or it waits no more.
pub async fn cancel(app: &App, scope: &TenantScope, id: MessageId) -> Result<(), MessageError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::MessagesSend).await?;
    let before = store::lock(&mut tx, id).await?.ok_or(MessageError::NotFound("message"))?;
    if before.state != MessageState::Queued {
        return Err(MessageError::NotWaiting(before.state.as_str()));
    }
    store::finish(&mut tx, id, MessageState::Cancelled, "stopped by hand").await?;
    tx.audit(now, "message.cancel", &id.to_string(), json!({})).await?;
    Ok(tx.commit().await?)
}
