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

/// Customers that are read at a time: what lies in memory, how long a transaction lasts, and for how long nobody else comes in between do not
/// depend on how many there are.
const PART: i64 = 250;

/// What is still to be written.
#[derive(Debug)]
pub(super) struct Rest {
    /// The last customer that was written.
    after: CustomerId,
    names: Names,
}

/// Begins the table, and writes down who took it. Returns its head with the first rows, and what is left.
///
/// # Errors
/// When the role may not, or the database does not answer.
pub(super) async fn begin(app: &App, scope: &TenantScope) -> Result<(String, Option<Rest>), CustomerError> {
    let mut tx = scope.read(app, Permission::DataExport).await?;
    tx.audit(app.clock.now(), "customer.export", "customers", serde_json::json!({})).await?;
    let names = Names::read(&mut tx).await?;
    part(tx, Sheet::new("customers", COLUMNS), None, names).await
}

impl Rest {
    /// Writes the next rows. Returns what is left then.
    ///
    /// # Errors
    /// When the role may not any more, or the database does not answer.
    pub(super) async fn go_on(self, app: &App, scope: &TenantScope) -> Result<(String, Option<Self>), CustomerError> {
        let tx = scope.read(app, Permission::DataExport).await?;
        let mut sheet = Sheet::new("customers", COLUMNS);
        drop(sheet.take());
        part(tx, sheet, Some(self.after), self.names).await
    }
}

async fn part(
    mut tx: TenantTx,
    mut sheet: Sheet,
    after: Option<CustomerId>,
    mut names: Names,
) -> Result<(String, Option<Rest>), CustomerError> {
    let customers = store::live_after(&mut tx, after, PART).await?;
    names.learn_packages(&mut tx, &customers).await?;
    tx.commit().await?;
    let full = i64::try_from(customers.len()).is_ok_and(|count| count == PART);
    let next = customers.last().filter(|_| full).map(|customer| customer.id);
    for customer in customers {
        sheet.row(names.row(customer));
    }
    Ok((sheet.take(), next.map(|after| Rest { after, names })))
}

/// What stands for ids in a file.
#[derive(Debug)]
struct Names {
    routers: HashMap<RouterId, String>,
    packages: HashMap<PackageId, String>,
    sites: HashMap<model::SiteId, String>,
}

impl Names {
    async fn read(tx: &mut TenantTx) -> Result<Self, CustomerError> {
        Ok(Self {
            routers: routers::by_name(tx).await?.into_iter().map(|(name, id)| (id, name)).collect(),
            packages: HashMap::new(),
            sites: sites::by_path(tx).await?.into_iter().map(|(path, id)| (id, path)).collect(),
        })
    }

    /// Reads packages as they are met: some are long out of sale, and there may be many.
    async fn learn_packages(&mut self, tx: &mut TenantTx, customers: &[Customer]) -> Result<(), CustomerError> {
        let mut ids: Vec<PackageId> = customers.iter().map(|customer| customer.package).collect();
        ids.retain(|id| !self.packages.contains_key(id));
        ids.sort_unstable();
        ids.dedup();
        if !ids.is_empty() {
            self.packages.extend(packages::by_ids(tx, &ids).await?.into_iter().map(|package| (package.id, package.name)));
        }
        Ok(())
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
