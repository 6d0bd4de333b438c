//! Doors for what the platform's operators move from one tenant to another.

use super::Locator;
use crate::doors::{DbError, PlatformActor, TenantDoor};
use model::{RouterId, Standing, TenantId};

impl Locator {
    /// Finds whose a router is, for the platform's operator who takes it from there; what is done through the door is in their name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn owner_of(&self, actor: &PlatformActor, router: RouterId) -> Result<Option<TenantDoor>, DbError> {
        let tenant: Option<TenantId> = sqlx::query_scalar("SELECT tenant_id FROM router_state WHERE router_id = $1 LIMIT 1")
            .bind(router)
            .fetch_optional(&self.pool)
            .await?;
        Ok(tenant.map(|tenant| actor.door(tenant)))
    }

    /// Opens the door to a tenant that is to get something from another one, and says how it stands.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn receiver(&self, actor: &PlatformActor, tenant: TenantId) -> Result<Option<(TenantDoor, Standing)>, DbError> {
        let status: Option<String> = sqlx::query_scalar("SELECT status FROM tenant WHERE id = $1 AND shadow_of IS NULL")
            .bind(tenant)
            .fetch_optional(&self.pool)
            .await?;
        Ok(status.map(|status| {
            let standing = Standing::from_stored(&status).expect("the column's CHECK lets only these in");
            (actor.door(tenant), standing)
        }))
    }
}
