//! Lines of a tenant's audit log on their way into the database.

use crate::doors::{ActorLabel, DbError, Origin};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AuditId, TenantId};
use serde_json::{Value, json};
use sqlx::PgConnection;

/// The most that the details of one line hold, in bytes of JSON. What is larger is replaced by its size.
const DETAILS_MAX_BYTES: usize = 64 << 10;

/// A line that waits for its transaction's commit.
#[derive(Debug)]
pub(crate) struct Line {
    id: AuditId,
    at: Timestamp,
    action: String,
    target: String,
    details: Value,
}

impl Line {
    pub(crate) fn new(id: AuditId, at: Timestamp, action: &str, target: &str, details: Value) -> Self {
        let bytes = details.to_string().len();
        let details = if bytes > DETAILS_MAX_BYTES { json!({ "too_large_bytes": bytes }) } else { details };
        Self { id, at, action: action.to_owned(), target: target.to_owned(), details }
    }
}

/// Writes lines in their order. The database gives each its number and its hash.
pub(crate) async fn write(
    connection: &mut PgConnection,
    tenant: TenantId,
    actor: &ActorLabel,
    origin: Option<&Origin>,
    lines: &[Line],
) -> Result<(), DbError> {
    for line in lines {
        sqlx::query(
            "INSERT INTO audit_log (tenant_id, id, at, actor, action, target, details, request_id, source)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(tenant)
        .bind(line.id)
        .bind(line.at.to_sqlx())
        .bind(actor.as_str())
        .bind(&line.action)
        .bind(&line.target)
        .bind(&line.details)
        .bind(origin.map(|origin| origin.request_id.as_str()))
        .bind(origin.and_then(|origin| origin.source))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Keeps the fields that differ, from both sides.
pub(crate) fn difference(before: Value, after: Value) -> Value {
    match (before, after) {
        (Value::Object(mut before), Value::Object(mut after)) => {
            let same = |name: &String, value: &Value, other: &serde_json::Map<String, Value>| other.get(name) == Some(value);
            let kept: Vec<String> =
                before.iter().filter(|(name, value)| same(name, value, &after)).map(|(name, _)| name.clone()).collect();
            for name in kept {
                before.remove(&name);
                after.remove(&name);
            }
            json!({ "before": before, "after": after })
        }
        (before, after) => json!({ "before": before, "after": after }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_kept() {
        let before = json!({ "name": "Home", "price": 100, "note": null });
        let after = json!({ "name": "Home", "price": 120, "new": true });
        let kept = json!({ "before": { "price": 100, "note": null }, "after": { "price": 120, "new": true } });
        assert_eq!(difference(before, after), kept);
        assert_eq!(difference(json!(1), json!(2)), json!({ "before": 1, "after": 2 }));
    }

    #[test]
    fn what_is_too_large_is_replaced_by_its_size() {
        let id = AuditId::from_uuid(uuid::Uuid::nil());
        let line = Line::new(id, Timestamp::UNIX_EPOCH, "a", "b", json!("x".repeat(DETAILS_MAX_BYTES)));
        assert_eq!(line.details, json!({ "too_large_bytes": DETAILS_MAX_BYTES + 2 }));
    }
}
