//! What a package was at each time: every price and speed it ever had, and which of them a customer has.

use super::{Applies, NewPackage, PackageError, PackageView, Speed, rules, store};
use crate::app::App;
use crate::http::PageItem;
use db::{DbError, TenantTx};
use jiff::Timestamp;
use model::{Money, PackageId, PackageVersionId};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use utoipa::ToSchema;
use uuid::Uuid;

/// A package as it was from a time on.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct VersionView {
    /// The version.
    pub id: PackageVersionId,
    /// Which one it is, counted from 1.
    pub number: i32,
    /// What it cost.
    pub price: Money,
    /// How fast it was.
    pub speed: Speed,
    /// When its speed reached those who had the package.
    pub applies: Applies,
    /// From when on it was sold.
    #[schema(value_type = String, format = DateTime)]
    pub valid_from: Timestamp,
    /// Who made it.
    pub made_by: String,
}

impl PageItem for VersionView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

pub use super::store::list_versions as versions;

/// Writes the first version of a package that was made in this transaction.
pub(super) async fn first(
    tx: &mut TenantTx,
    id: PackageVersionId,
    package: PackageId,
    new: &NewPackage,
    now: Timestamp,
) -> Result<(), DbError> {
    write(tx, id, package, 1, (new.price, new.speed), Applies::Now, now).await
}

/// Writes the version that a changed package is from now on; the package was locked by this transaction. Returns it with its number.
pub(super) async fn next(
    app: &App,
    tx: &mut TenantTx,
    after: &PackageView,
    applies: Applies,
    now: Timestamp,
) -> Result<(PackageVersionId, i32), PackageError> {
    let number = after.version + 1;
    if number > rules::VERSIONS_MAX {
        let limit = usize::try_from(rules::VERSIONS_MAX).expect("a small number");
        return Err(PackageError::TooMany { field: "versions of a package", limit });
    }
    let id = PackageVersionId::generate(now, &*app.entropy);
    write(tx, id, after.id, number, (after.price, after.speed), applies, now).await?;
    Ok((id, number))
}

async fn write(
    tx: &mut TenantTx,
    id: PackageVersionId,
    package: PackageId,
    number: i32,
    (price, speed): (Money, Speed),
    applies: Applies,
    now: Timestamp,
) -> Result<(), DbError> {
    let made_by = tx.actor().as_str().to_owned();
    store::insert_version(tx, package, &VersionView { id, number, price, speed, applies, valid_from: now, made_by }).await
}

/// Reads what customers have of their packages now, in the order of asking: for each the package, and the version it was last sold to
/// them as, if that is still paid for. Who has the same terms shares them.
///
/// # Errors
/// When the database does not answer.
///
/// # Panics
/// When a package is not there: the caller has its id from a row that refers to it.
pub async fn in_force(
    tx: &mut TenantTx,
    wanted: &[(PackageId, Option<PackageVersionId>)],
) -> Result<Vec<Arc<PackageView>>, DbError> {
    let ids: BTreeSet<PackageId> = wanted.iter().map(|(package, _)| *package).collect();
    let ids: Vec<PackageId> = ids.into_iter().collect();
    let packages: BTreeMap<PackageId, PackageView> =
        store::by_ids(tx, &ids).await?.into_iter().map(|package| (package.id, package)).collect();
    let mut versions: BTreeMap<PackageId, Vec<VersionView>> = BTreeMap::new();
    for (package, version) in store::all_versions(tx, &ids).await? {
        versions.entry(package).or_default().push(version);
    }
    let mut known: BTreeMap<(PackageId, Option<PackageVersionId>), Arc<PackageView>> = BTreeMap::new();
    let terms = wanted.iter().map(|key @ (package, sold)| {
        let terms = known.entry(*key).or_insert_with(|| Arc::new(terms(&packages[package], &versions[package], *sold)));
        terms.clone()
    });
    Ok(terms.collect())
}

fn terms(package: &PackageView, versions: &[VersionView], sold: Option<PackageVersionId>) -> PackageView {
    let steps: Vec<_> = versions.iter().map(|version| (version.applies, version.speed)).collect();
    let base = sold.and_then(|sold| versions.iter().position(|version| version.id == sold)).unwrap_or(versions.len() - 1);
    let (line, speed) = rules::in_force(&steps, base);
    // Routers have known a package by its own id from the start; only who begins a line of its own later is known by that version.
    let line = if line == 0 { package.id } else { PackageId::from_uuid(versions[line].id.uuid()) };
    PackageView { speed, line, ..package.clone() }
}
