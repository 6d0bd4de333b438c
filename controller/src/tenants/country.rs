//! Where a tenant's people telephone: it tells what a number without a country means.

use db::{DbError, TenantTx};
use model::Country;

/// Reads where the transaction's tenant telephones; nothing where its time zone did not tell and nobody has said it.
///
/// # Errors
/// When the database does not answer.
pub async fn country(tx: &mut TenantTx) -> Result<Option<Country>, DbError> {
    Ok(super::current(tx).await?.country)
}
