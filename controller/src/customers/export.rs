//! Customers as a table in CSV that [`super::import`] takes again: the same columns, without passwords.

use super::import::COLUMNS;
use super::store;
use super::{Customer, CustomerError};
use crate::app::App;
use crate::http::Sheet;
use crate::operators::{Permission, TenantScope};
use crate::{packages, routers, sites};
use db::TenantTx;
use model::{CustomerId, PackageId, RouterId};
use std::collections::HashMap;

/// Customers that are read at a time: what lies in memory, and how long a transaction lasts, do not depend on how many there are.
const PART: i64 = 2_000;

/// A part of the table.
#[derive(Debug)]
pub(super) struct Part {
    /// Its rows; the first part begins with the names of the columns.
    pub(super) text: String,
    /// Where the next part begins; none behind the last.
    pub(super) next: Option<CustomerId>,
}

/// Writes one part: the first, or the one behind a customer. Whoever takes the first is written down.
///
/// # Errors
/// When the role may not, or the database does not answer.
pub(super) async fn part(app: &App, scope: &TenantScope, after: Option<CustomerId>) -> Result<Part, CustomerError> {
    let mut tx = scope.read(app, Permission::DataExport).await?;
    let mut sheet = Sheet::new("customers", COLUMNS);
    match after {
        None => tx.audit(app.clock.now(), "customer.export", "customers", serde_json::json!({})).await?,
        Some(_) => drop(sheet.take()),
    }
    let customers = store::live_after(&mut tx, after, PART).await?;
    let full = i64::try_from(customers.len()).is_ok_and(|count| count == PART);
    let next = customers.last().filter(|_| full).map(|customer| customer.id);
    let names = Names::read(&mut tx, &customers).await?;
    tx.commit().await?;
    for customer in customers {
        sheet.row(names.row(customer));
    }
    Ok(Part { text: sheet.take(), next })
}

/// What stands for ids in a file.
struct Names {
    routers: HashMap<RouterId, String>,
    packages: HashMap<PackageId, String>,
    sites: HashMap<model::SiteId, String>,
}

impl Names {
    async fn read(tx: &mut TenantTx, customers: &[Customer]) -> Result<Self, CustomerError> {
        let mut ids: Vec<PackageId> = customers.iter().map(|customer| customer.package).collect();
        ids.sort_unstable();
        ids.dedup();
        let packages = packages::by_ids(tx, &ids).await?;
        Ok(Self {
            routers: routers::by_name(tx).await?.into_iter().map(|(name, id)| (id, name)).collect(),
            packages: packages.into_iter().map(|package| (package.id, package.name)).collect(),
            sites: sites::by_path(tx).await?.into_iter().map(|(path, id)| (id, path)).collect(),
        })
    }

    fn row(&self, customer: Customer) -> [String; COLUMNS.len()] {
        let degrees = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        [
            customer.login,
            // Never a password.
            String::new(),
            customer.full_name,
            if customer.phone.is_empty() { String::new() } else { format!("+{}", customer.phone) },
            customer.email,
            customer.language,
            customer.kind.as_str().to_owned(),
            self.routers.get(&customer.router).cloned().unwrap_or_default(),
            self.packages.get(&customer.package).cloned().unwrap_or_default(),
            customer.site.and_then(|site| self.sites.get(&site).cloned()).unwrap_or_default(),
            customer.address.map(|address| address.to_string()).unwrap_or_default(),
            customer.mac.unwrap_or_default(),
            degrees(customer.location.map(|place| place.latitude)),
            degrees(customer.location.map(|place| place.longitude)),
            customer.notes,
            customer.status.as_str().to_owned(),
            customer.account_number,
        ]
    }
}
