//! What services report of messages that they took, at an address of each gateway's own.

use super::rules::reports;
use super::{MessageError, store};
use crate::app::App;
use crate::gateways;
use crate::operators::tokens::{self, TokenKind};
use serde_json::Value;

/// Takes a report. Said twice it is noted once; what is no word for an end, such as that a network has the message, is passed over.
///
/// # Errors
/// When nobody was given this key, the report does not look as the gateway's keys say, or it is about no message of this gateway.
pub(super) async fn take(app: &App, key: &str, posted: &Value) -> Result<(), MessageError> {
    let Some((TokenKind::Report, hash)) = tokens::recognise(key) else { return Err(MessageError::NotFound("report address")) };
    let found = app.db.locator().report_address(&hash).await?;
    let (door, gateway) = found.ok_or(MessageError::NotFound("report address"))?;
    let now = app.clock.now();
    let mut tx = app.db.tenant(&door).await?;
    let keys = gateways::http_texts(app, &mut tx, gateway).await?;
    let report = reports::read(&keys, posted)?;
    let message = store::reported(&mut tx, gateway, &report.reference).await?.ok_or(MessageError::NotFound("message"))?;
    store::set_reported(&mut tx, message, &report, now).await?;
    Ok(tx.commit().await?)
}
