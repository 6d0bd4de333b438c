//! Templates and their texts.

use super::CHECKED;
use crate::http::{Page, PageItem};
use crate::messages::rules::texts;
use crate::messages::{Channel, Event, MessageError, NewTemplate};
use db::{DbError, TenantTx, on_constraint};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::TemplateId;
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

/// A template with its newest text.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = MessageTemplateView)]
pub struct TemplateView {
    /// The template.
    pub id: TemplateId,
    /// Its name.
    pub name: String,
    /// By what it travels.
    pub channel: Channel,
    /// What it is written for; none for messages that people send.
    pub event: Option<Event>,
    /// The language; empty where it suits whoever none other suits.
    pub language: String,
    /// Which version of its text is in force.
    pub version: i32,
    /// The text.
    pub text: String,
    /// The variables that it names.
    pub variables: Vec<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was taken out of use.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub removed_at: Option<Timestamp>,
}

impl PageItem for TemplateView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

/// What a template said from when on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MessageTemplateVersionView)]
pub struct VersionView {
    /// Which version.
    pub version: i32,
    /// The text.
    pub text: String,
    /// Who wrote it.
    pub made_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Timestamp,
}

#[derive(FromRow)]
struct Row {
    id: TemplateId,
    name: String,
    channel: String,
    event: Option<String>,
    language: String,
    version: i32,
    text: String,
    created_at: SqlTimestamp,
    removed_at: Option<SqlTimestamp>,
}

impl From<Row> for TemplateView {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            channel: Channel::from_stored(&row.channel).expect(CHECKED),
            event: row.event.map(|event| Event::from_stored(&event).expect(CHECKED)),
            language: row.language,
            version: row.version,
            variables: texts::named(&row.text),
            text: row.text,
            created_at: row.created_at.to_jiff(),
            removed_at: row.removed_at.map(SqlTimestamp::to_jiff),
        }
    }
}

/// Templates of the tenant `$1`.
macro_rules! templates {
    ($rest:literal) => {
        concat!(
            "SELECT t.id, t.name, t.channel, t.event, t.language, t.version, v.text, t.created_at, t.removed_at
               FROM message_template t
               JOIN message_template_version v ON v.tenant_id = t.tenant_id AND v.template_id = t.id AND v.version = t.version
              WHERE t.tenant_id = $1 AND ",
            $rest
        )
    };
}

pub(in crate::messages) async fn insert_template(
    tx: &mut TenantTx,
    id: TemplateId,
    new: &NewTemplate,
    now: Timestamp,
) -> Result<(), MessageError> {
    sqlx::query(
        "INSERT INTO message_template (tenant_id, id, name, channel, event, language, version, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, 1, $7)",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(&new.name)
    .bind(new.channel.as_str())
    .bind(new.event.map(Event::as_str))
    .bind(&new.language)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await
    .map_err(|error| match on_constraint(&error) {
        Some("message_template_name_unique") => MessageError::NameTaken,
        _ => DbError::from(error).into(),
    })?;
    Ok(())
}

pub(in crate::messages) async fn insert_version(
    tx: &mut TenantTx,
    id: TemplateId,
    version: i32,
    text: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    let made_by = tx.actor().as_str().to_owned();
    sqlx::query(
        "INSERT INTO message_template_version (tenant_id, template_id, version, text, made_by, made_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(version)
    .bind(text)
    .bind(made_by)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(in crate::messages) async fn count_templates(tx: &mut TenantTx) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM message_template WHERE tenant_id = $1 AND removed_at IS NULL")
        .bind(tx.tenant())
        .fetch_one(tx.conn())
        .await?)
}

pub(in crate::messages) async fn templates_named(
    tx: &mut TenantTx,
    name: &str,
    channel: Channel,
) -> Result<Vec<TemplateView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(templates!("t.name = $2 AND t.channel = $3 AND t.removed_at IS NULL"))
        .bind(tx.tenant())
        .bind(name)
        .bind(channel.as_str())
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(TemplateView::from).collect())
}

/// Holds a template in use against changes.
pub(in crate::messages) async fn lock_template(tx: &mut TenantTx, id: TemplateId) -> Result<Option<TemplateView>, DbError> {
    let row: Option<Row> = sqlx::query_as(templates!("t.id = $2 AND t.removed_at IS NULL FOR NO KEY UPDATE OF t"))
        .bind(tx.tenant())
        .bind(id)
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.map(TemplateView::from))
}

pub(in crate::messages) async fn template(tx: &mut TenantTx, id: TemplateId) -> Result<Option<TemplateView>, DbError> {
    let row: Option<Row> = sqlx::query_as(templates!("t.id = $2")).bind(tx.tenant()).bind(id).fetch_optional(tx.conn()).await?;
    Ok(row.map(TemplateView::from))
}

pub(in crate::messages) async fn list_templates(tx: &mut TenantTx, page: &Page) -> Result<Vec<TemplateView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(templates!("t.id < $2 ORDER BY t.id DESC LIMIT $3"))
        .bind(tx.tenant())
        .bind(page.before())
        .bind(page.fetch())
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(TemplateView::from).collect())
}

/// Lists what a template said, newest first, up to the last hundred.
pub(in crate::messages) async fn versions(tx: &mut TenantTx, id: TemplateId) -> Result<Vec<VersionView>, DbError> {
    let rows: Vec<(i32, String, String, SqlTimestamp)> = sqlx::query_as(
        "SELECT version, text, made_by, made_at FROM message_template_version WHERE tenant_id = $1 AND template_id = $2
          ORDER BY version DESC LIMIT 100",
    )
    .bind(tx.tenant())
    .bind(id)
    .fetch_all(tx.conn())
    .await?;
    let view = |(version, text, made_by, made_at): (_, _, _, SqlTimestamp)| VersionView {
        version,
        text,
        made_by,
        made_at: made_at.to_jiff(),
    };
    Ok(rows.into_iter().map(view).collect())
}

pub(in crate::messages) async fn set_version(tx: &mut TenantTx, id: TemplateId, version: i32) -> Result<(), DbError> {
    sqlx::query("UPDATE message_template SET version = $3 WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(id)
        .bind(version)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(in crate::messages) async fn remove_template(tx: &mut TenantTx, id: TemplateId, now: Timestamp) -> Result<(), DbError> {
    sqlx::query("UPDATE message_template SET removed_at = $3 WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(id)
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// A text in force.
#[derive(Debug)]
pub(in crate::messages) struct TemplateText {
    pub(in crate::messages) id: TemplateId,
    pub(in crate::messages) version: i32,
    pub(in crate::messages) channel: Channel,
    pub(in crate::messages) event: Option<Event>,
    pub(in crate::messages) language: String,
    pub(in crate::messages) text: String,
}

impl From<TemplateView> for TemplateText {
    fn from(view: TemplateView) -> Self {
        Self {
            id: view.id,
            version: view.version,
            channel: view.channel,
            event: view.event,
            language: view.language,
            text: view.text,
        }
    }
}

/// Reads the text of a template in use.
pub(in crate::messages) async fn text_of(tx: &mut TenantTx, id: TemplateId) -> Result<Option<TemplateText>, DbError> {
    Ok(template(tx, id).await?.filter(|found| found.removed_at.is_none()).map(TemplateText::from))
}

/// Reads the texts in use that say the same as a template in several languages, itself among them.
pub(in crate::messages) async fn texts_like(tx: &mut TenantTx, id: TemplateId) -> Result<Vec<TemplateText>, DbError> {
    let Some(own) = template(tx, id).await? else { return Ok(Vec::new()) };
    let all = templates_named(tx, &own.name, own.channel).await?;
    Ok(all.into_iter().map(TemplateText::from).collect())
}
