//! Where a tenant's people telephone: it tells what a number without a country means.

use crate::app::App;
use crate::operators::{OperatorError, Permission, TenantScope};
use db::{DbError, TenantTx};
use model::Country;

/// Reads where the transaction's tenant telephones; nothing where its time zone did not tell and nobody has said it.
///
/// # Errors
/// When the database does not answer.
pub async fn country(tx: &mut TenantTx) -> Result<Option<Country>, DbError> {
    let code: Option<String> =
        sqlx::query_scalar("SELECT country FROM tenant WHERE id = $1").bind(tx.tenant()).fetch_one(tx.conn()).await?;
    Ok(code.and_then(|code| code.parse().ok()))
}

/// Says where the tenant's people telephone. Numbers that are stored have their country in front and stay as they are.
///
/// # Errors
/// When the role may not, or the database does not answer.
pub(super) async fn set_country(app: &App, scope: &TenantScope, country: Country) -> Result<(), OperatorError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::SettingsWrite).await?;
    let before = self::country(&mut tx).await?;
    sqlx::query("UPDATE tenant SET country = $2 WHERE id = $1")
        .bind(tx.tenant())
        .bind(country.code())
        .execute(tx.conn())
        .await
        .map_err(DbError::from)?;
    let target = tx.tenant().to_string();
    tx.audit(now, "tenant.country", &target, serde_json::json!({ "before": before, "after": country })).await?;
    Ok(tx.commit().await?)
}
