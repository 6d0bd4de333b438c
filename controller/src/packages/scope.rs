//! Where a package is sold: on every router, or only on some and at some places.

use super::{PackageError, rules, store};
use crate::app::App;
use crate::operators::{Permission, TenantScope};
use db::{DbError, Reach, TenantTx};
use model::{PackageId, RouterId, SiteId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a package is sold. Nothing at all means: on every router.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScopeView {
    /// On these routers; up to 500.
    pub routers: Vec<RouterId>,
    /// On all routers at these places and within them; up to 500.
    pub sites: Vec<SiteId>,
}

impl ScopeView {
    const fn is_everywhere(&self) -> bool {
        self.routers.is_empty() && self.sites.is_empty()
    }
}

/// Says whether a package is sold on a router.
///
/// # Errors
/// When the database does not answer.
pub async fn in_scope(tx: &mut TenantTx, package: PackageId, router: RouterId) -> Result<bool, DbError> {
    store::in_scope(tx, package, router).await
}

/// Reads where a package is sold, as far as the caller sees routers.
///
/// # Errors
/// When there is no such package.
pub async fn scope(tx: &mut TenantTx, id: PackageId) -> Result<ScopeView, PackageError> {
    super::get(tx, id).await?;
    Ok(store::scope(tx, id).await?)
}

/// Says where a package is sold from now on. Who has it elsewhere keeps it to the end of what is paid.
///
/// # Errors
/// When the role may not, the caller does not see all routers, or a router or site is not there.
pub async fn set_scope(app: &App, scope: &TenantScope, id: PackageId, mut wanted: ScopeView) -> Result<(), PackageError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::PackagesWrite).await?;
    if scope.door().reach() != Reach::All {
        return Err(PackageError::LimitedReach);
    }
    wanted.routers.sort_unstable();
    wanted.routers.dedup();
    wanted.sites.sort_unstable();
    wanted.sites.dedup();
    for (field, count) in [("routers", wanted.routers.len()), ("sites", wanted.sites.len())] {
        if count > rules::SCOPE_MAX {
            return Err(PackageError::TooMany { field, limit: rules::SCOPE_MAX });
        }
    }
    store::lock(&mut tx, id).await?;
    let before = self::scope(&mut tx, id).await?;
    if !store::routers_stand(&mut tx, &wanted.routers).await? {
        return Err(PackageError::NoPlace("router"));
    }
    if !store::sites_stand(&mut tx, &wanted.sites).await? {
        return Err(PackageError::NoPlace("site"));
    }
    store::set_scope(&mut tx, id, &wanted, wanted.is_everywhere(), now, &*app.entropy).await?;
    let details = serde_json::json!({ "before": before, "after": wanted });
    tx.audit(now, "package.scope", &id.to_string(), details).await?;
    Ok(tx.commit().await?)
}
