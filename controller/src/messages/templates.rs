//! Texts with holes: made, given new texts, looked at with samples, and taken out of use.

use super::rules::segments::{Size, measure};
use super::rules::{self, texts};
use super::{Channel, Event, MessageError, TEMPLATES_MAX, Variable, store};
use crate::app::App;
use crate::operators::{Permission, TenantScope};
use model::TemplateId;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A template to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewMessageTemplate)]
pub struct NewTemplate {
    /// Its name, 1 to 60 characters. Templates of one name and channel say the same in several languages.
    pub name: String,
    /// By what it travels.
    pub channel: Channel,
    /// What it is written for, and so what it may name; left out, it is for messages that people send.
    pub event: Option<Event>,
    /// The language, such as `sw` or `en-KE`; left out, it suits whoever none other suits.
    #[serde(default)]
    pub language: String,
    /// The text, 1 to 1000 characters, with variables in braces.
    pub text: String,
}

/// Makes a template.
///
/// # Errors
/// When the role may not, a field is wrong, the name is in use, or there are too many.
pub async fn add_template(app: &App, scope: &TenantScope, new: NewTemplate) -> Result<TemplateId, MessageError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::MessagesWrite).await?;
    if let Some(fault) = rules::template_fault(&new) {
        return Err(fault.into());
    }
    if store::count_templates(&mut tx).await? >= TEMPLATES_MAX {
        return Err(MessageError::TooMany);
    }
    let others = store::templates_named(&mut tx, &new.name, new.channel).await?;
    if others.iter().any(|other| other.event != new.event) {
        return Err(MessageError::OtherEvent);
    }
    let id = TemplateId::generate(now, &*app.entropy);
    store::insert_template(&mut tx, id, &new, now).await?;
    store::insert_version(&mut tx, id, 1, &new.text, now).await?;
    let details = json!({ "name": new.name, "channel": new.channel, "event": new.event, "language": new.language });
    tx.audit(now, "message_template.add", &id.to_string(), details).await?;
    tx.commit().await?;
    Ok(id)
}

/// Gives a template a new text; what was sent keeps its own. Returns the new version.
///
/// # Errors
/// When the role may not, the text is wrong, or there is no such template.
pub async fn set_text(app: &App, scope: &TenantScope, id: TemplateId, text: &str) -> Result<i32, MessageError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::MessagesWrite).await?;
    let before = store::lock_template(&mut tx, id).await?.ok_or(MessageError::NotFound("message template"))?;
    if let Some(fault) = texts::fault(before.event, text) {
        return Err(fault.into());
    }
    let version = before.version + 1;
    store::insert_version(&mut tx, id, version, text, now).await?;
    store::set_version(&mut tx, id, version).await?;
    tx.audit(now, "message_template.text", &id.to_string(), json!({ "version": version })).await?;
    tx.commit().await?;
    Ok(version)
}

/// Takes a template out of use; what was written by it stays.
///
/// # Errors
/// When the role may not, rules write by it, or there is no such template.
pub async fn remove_template(app: &App, scope: &TenantScope, id: TemplateId) -> Result<(), MessageError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::MessagesWrite).await?;
    let before = store::lock_template(&mut tx, id).await?.ok_or(MessageError::NotFound("message template"))?;
    if store::has_rules(&mut tx, id).await? {
        return Err(MessageError::InUse);
    }
    store::remove_template(&mut tx, id, now).await?;
    tx.audit(now, "message_template.remove", &id.to_string(), json!({ "name": before.name })).await?;
    Ok(tx.commit().await?)
}

/// A text to be looked at before anybody gets it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MessagePreview)]
pub struct Preview {
    /// What it is written for; left out, it is for messages that people send.
    pub event: Option<Event>,
    /// The text, with variables in braces.
    pub text: String,
    /// What stands for some variables instead of their samples.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
}

/// A text as somebody would get it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MessagePreviewed)]
pub struct Previewed {
    /// The text with its holes filled.
    pub text: String,
    /// The variables that it names.
    pub variables: Vec<String>,
    /// What it takes as a text message.
    #[serde(flatten)]
    pub size: Size,
}

/// Fills a text's holes with samples, or with values of the caller's, and measures it.
///
/// # Errors
/// When the text is wrong or a value is for no variable.
pub fn preview(asked: &Preview) -> Result<Previewed, MessageError> {
    if let Some(fault) = texts::fault(asked.event, &asked.text) {
        return Err(fault.into());
    }
    let mut values = texts::samples(asked.event);
    for (name, value) in &asked.values {
        let known = Variable::from_stored(name).filter(|variable| Variable::of(asked.event).any(|one| one == *variable));
        let variable =
            known.ok_or(MessageError::Field { field: "values", message: "a value is for no variable of this event" })?;
        values.insert(variable.as_str(), value.clone());
    }
    let text = texts::filled(&asked.text, &values);
    Ok(Previewed { variables: texts::named(&asked.text), size: measure(&text), text })
}
