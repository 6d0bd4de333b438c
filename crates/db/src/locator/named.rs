//! Doors to tenants that a person at the machine, or work that was handed over, names.

use super::{Locator, system};
use crate::doors::{DbError, TenantDoor};
use model::{GatewayId, TenantId};

/// A tenant that was named.
#[derive(Debug, Clone)]
pub struct NamedTenant {
    /// The way in.
    pub door: TenantDoor,
    /// Its name.
    pub name: String,
    /// Its status, as stored.
    pub status: String,
    /// Whose shadow it is, if it is one.
    pub shadow_of: Option<TenantId>,
}

impl Locator {
    /// Opens the door to a tenant for a part of the controller; also to a shadow, which nothing else works on.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn door(&self, tenant: TenantId, part: &'static str) -> Result<Option<TenantDoor>, DbError> {
        let known: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM tenant WHERE id = $1 AND status <> 'purged')")
            .bind(tenant)
            .fetch_one(&self.pool)
            .await?;
        Ok(known.then(|| system(tenant, part)))
    }

    /// Finds the gateway that a report is about.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn report_address(&self, key_hash: &[u8; 32]) -> Result<Option<(TenantDoor, GatewayId)>, DbError> {
        let row: Option<(TenantId, GatewayId)> =
            sqlx::query_as("SELECT tenant_id, gateway_id FROM report_address WHERE key_hash = $1")
                .bind(&key_hash[..])
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map(|(tenant, gateway)| (system(tenant, "messages"), gateway)))
    }

    /// Finds a tenant by its id or its name, for a person with a shell on the machine.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tenant_named(&self, text: &str, part: &'static str) -> Result<Option<NamedTenant>, DbError> {
        let id = text.parse::<TenantId>().ok();
        let row: Option<(TenantId, String, String, Option<TenantId>)> =
            sqlx::query_as("SELECT id, name, status, shadow_of FROM tenant WHERE (id = $1 OR name = $2) AND status <> 'purged'")
                .bind(id)
                .bind(text)
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map(|(id, name, status, shadow_of)| NamedTenant { door: system(id, part), name, status, shadow_of }))
    }
}
