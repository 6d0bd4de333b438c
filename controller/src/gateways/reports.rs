//! The address at which a gateway's service reports what became of messages.

use super::credentials::REPORTED;
use super::{GatewayError, store};
use crate::app::App;
use crate::operators::tokens::{self, TokenKind};
use crate::operators::{Permission, TenantScope};
use model::{GatewayId, Secret};
use serde_json::json;

/// Makes a gateway a new address for reports; the one before is good no more.
///
/// # Errors
/// When the role may not, there is no such gateway, or its keys do not say how reports are read.
pub(super) async fn new_address(app: &App, scope: &TenantScope, id: GatewayId) -> Result<Secret<String>, GatewayError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::GatewaysWrite).await?;
    let gateway = store::lock(&mut tx, id).await?.ok_or(GatewayError::NotFound)?;
    if !REPORTED.iter().all(|name| gateway.fields.iter().any(|field| field == name)) {
        let message =
            format!("a gateway for messages whose keys have `{}` is reported to: give it those first", REPORTED.join("`, `"));
        return Err(GatewayError::Field { field: "credentials", message });
    }
    let token = tokens::generate(TokenKind::Report, &*app.entropy);
    store::set_report_address(&mut tx, id, token.hash, now).await?;
    tx.audit(now, "gateway.report_address", &id.to_string(), json!({})).await?;
    tx.commit().await?;
    Ok(Secret::new(format!("{}/api/v1/delivery-reports?key={}", app.config.public_url, token.text.expose())))
}
