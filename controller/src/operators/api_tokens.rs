//! API tokens: access for programs, which never exceeds that of whoever makes it.

use super::tokens::{self, TokenKind};
use super::{Extent, OperatorError, Permission, PermissionSet, Role, TenantScope, store};
use crate::app::App;
use crate::http::{List, Page};
use crate::tenants::{self, Flag, Limit};
use jiff::Timestamp;
use model::{ApiTokenId, Secret};

pub use store::tokens::TokenView;

/// What a new token is made of.
#[derive(Debug)]
pub struct NewApiToken {
    /// What it is for, 1 to 100 characters.
    pub name: String,
    /// What it may do, in short.
    pub role: Role,
    /// What it may do instead, permission by permission.
    pub permissions: Option<PermissionSet>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

/// Lists the tenant's tokens, newest first.
///
/// # Errors
/// When the caller may not or the database does not answer.
pub async fn list(app: &App, scope: &TenantScope, page: &Page) -> Result<List<TokenView>, OperatorError> {
    let mut tx = scope.read(app, Permission::OperatorsRead).await?;
    Ok(page.list(store::tokens::list(&mut tx, page).await?))
}

/// Makes an API token for the tenant.
///
/// # Errors
/// When the caller may not, or has less than the token would have, a field is wrong, or there are too many.
pub async fn create(app: &App, scope: &TenantScope, new: NewApiToken) -> Result<(ApiTokenId, Secret<String>), OperatorError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::OperatorsWrite).await?;
    if !(1..=100).contains(&new.name.chars().count()) {
        return Err(OperatorError::Field { field: "name", message: "write 1 to 100 characters" });
    }
    if new.expires_at.is_some_and(|end| end <= now) {
        return Err(OperatorError::Field { field: "expires_at", message: "choose a time to come" });
    }
    let rights = new.permissions.unwrap_or_else(|| new.role.permissions());
    // A token sees everything, so whoever sees a part of it makes none.
    if !rights.is_within(scope.rights()) || scope.extent() != Extent::All {
        return Err(OperatorError::Exceeds);
    }
    tenants::expect_on(&mut tx, Flag::ApiTokens).await?;
    tenants::check(&mut tx, Limit::ApiTokens, 1, now).await?;
    let id = ApiTokenId::generate(now, &*app.entropy);
    let token = tokens::generate(TokenKind::Api, &*app.entropy);
    store::tokens::insert(&mut tx, id, &new, &token.hash, now).await?;
    let permissions = new.permissions.map(PermissionSet::names);
    let details =
        serde_json::json!({ "name": new.name, "role": new.role, "permissions": permissions, "expires_at": new.expires_at });
    tx.audit(now, "token.create", &id.to_string(), details).await?;
    tx.commit().await?;
    Ok((id, token.text))
}

/// Ends an API token at once.
///
/// # Errors
/// When there is none, or the caller may not.
pub async fn revoke(app: &App, scope: &TenantScope, id: ApiTokenId) -> Result<(), OperatorError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::OperatorsWrite).await?;
    if !store::tokens::revoke(&mut tx, id, now).await? {
        return Err(OperatorError::NotFound("API token"));
    }
    tx.audit(now, "token.revoke", &id.to_string(), serde_json::json!({})).await?;
    Ok(tx.commit().await?)
}
