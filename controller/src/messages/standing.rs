//! Standing rules: when a message is written by itself.

use super::store::{self, RuleView};
use super::{Event, MessageError, RULES_MAX, rules};
use crate::app::App;
use crate::operators::{Permission, TenantScope};
use crate::packages::PackageKind;
use db::TenantTx;
use model::{MessageRuleId, TemplateId};
use serde::{Deserialize, Deserializer};
use serde_json::json;
use utoipa::ToSchema;

/// A rule to be made; it holds from now on and writes about nothing that was before.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewMessageRule)]
pub struct NewRule {
    /// What it writes about.
    pub event: Event,
    /// What it writes: a template for that event, or for none. A customer gets the template of the same name in their language, if there is one.
    pub template: TemplateId,
    /// Of reminders: minutes after the end of what is paid; before it, below zero.
    pub offset_minutes: Option<i32>,
    /// Only to customers who connect so.
    pub kind: Option<PackageKind>,
    /// Whether it waits for the end of quiet hours; left out, all wait but receipts.
    pub waits: Option<bool>,
}

/// What of a rule is to change; what is left out stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MessageRuleChange)]
pub struct RuleChange {
    /// What it writes: a template for the same event, or for none.
    pub template: Option<TemplateId>,
    /// Only to customers who connect so; null for all.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<PackageKind>)]
    pub kind: Option<Option<PackageKind>>,
    /// Whether it waits for the end of quiet hours.
    pub waits: Option<bool>,
    /// Whether it writes at all. Turned on again, it writes about nothing that was in between.
    pub enabled: Option<bool>,
}

/// Tells a null from a field that was left out.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

async fn expect_template(tx: &mut TenantTx, id: TemplateId, event: Event) -> Result<(), MessageError> {
    let template = store::lock_template(tx, id).await?.ok_or(MessageError::NotFound("message template"))?;
    if template.event.is_none_or(|own| own == event) { Ok(()) } else { Err(MessageError::WrongTemplate) }
}

/// Makes a rule.
///
/// # Errors
/// When the role may not, a field is wrong, the template is not there or for something else, or there are too many.
pub async fn add_rule(app: &App, scope: &TenantScope, new: NewRule) -> Result<MessageRuleId, MessageError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::MessagesWrite).await?;
    if let Some(fault) = rules::rule_fault(&new) {
        return Err(fault.into());
    }
    expect_template(&mut tx, new.template, new.event).await?;
    if store::count_rules(&mut tx).await? >= RULES_MAX {
        return Err(MessageError::TooMany);
    }
    let id = MessageRuleId::generate(now, &*app.entropy);
    store::insert_rule(&mut tx, id, &new, new.waits.unwrap_or(new.event.waits()), now).await?;
    let details = json!({ "event": new.event, "template": new.template, "offset_minutes": new.offset_minutes, "kind": new.kind });
    tx.audit(now, "message_rule.add", &id.to_string(), details).await?;
    tx.commit().await?;
    Ok(id)
}

/// Changes a rule.
///
/// # Errors
/// When the role may not, there is no such rule, or the template is not there or for something else.
pub async fn change_rule(
    app: &App,
    scope: &TenantScope,
    id: MessageRuleId,
    change: RuleChange,
) -> Result<RuleView, MessageError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::MessagesWrite).await?;
    let before = store::lock_rule(&mut tx, id).await?.ok_or(MessageError::NotFound("message rule"))?;
    let mut after = before.clone();
    if let Some(template) = change.template {
        expect_template(&mut tx, template, before.event).await?;
        after.template = template;
    }
    after.kind = change.kind.unwrap_or(before.kind);
    after.waits = change.waits.unwrap_or(before.waits);
    after.enabled = change.enabled.unwrap_or(before.enabled);
    if after.enabled && !before.enabled {
        after.holds_since = now;
    }
    store::update_rule(&mut tx, &after).await?;
    tx.audit_change(now, "message_rule.change", &id.to_string(), &before, &after).await?;
    tx.commit().await?;
    Ok(after)
}

/// Takes a rule out of use; what it wrote stays.
///
/// # Errors
/// When the role may not, or there is no such rule.
pub async fn remove_rule(app: &App, scope: &TenantScope, id: MessageRuleId) -> Result<(), MessageError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::MessagesWrite).await?;
    let before = store::lock_rule(&mut tx, id).await?.ok_or(MessageError::NotFound("message rule"))?;
    store::remove_rule(&mut tx, id, now).await?;
    tx.audit(now, "message_rule.remove", &id.to_string(), json!({ "event": before.event, "template": before.template })).await?;
    Ok(tx.commit().await?)
}
