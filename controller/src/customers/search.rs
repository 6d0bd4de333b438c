//! Finding customers by what people say: what was typed is brought into the forms that are stored.

use super::store::{self, Filter};
use super::{CustomerError, CustomerStatus, CustomerView, PackageKind, account_number, phones, rules, texts};
use crate::app::App;
use crate::http::{List, Page};
use crate::operators::{Permission, TenantScope};
use crate::tenants;
use model::{RouterId, SiteId};

/// Which customers are asked for, as it was typed; all that is given must fit.
#[derive(Debug, Default)]
pub struct Search {
    /// Their router.
    pub router: Option<RouterId>,
    /// Their house, flat or shop.
    pub site: Option<SiteId>,
    /// How they connect.
    pub kind: Option<PackageKind>,
    /// What the ISP wants with them.
    pub status: Option<CustomerStatus>,
    /// How the login begins.
    pub login: Option<String>,
    /// How the name, or its last word, begins.
    pub name: Option<String>,
    /// How the phone number begins.
    pub phone: Option<String>,
    /// The account number.
    pub account_number: Option<String>,
    /// The device.
    pub mac: Option<String>,
}

/// Lists customers, those who have left too, newest first.
///
/// # Errors
/// When the role may not, or a number or device is written as none can be.
pub async fn list(app: &App, scope: &TenantScope, search: Search, page: &Page) -> Result<List<CustomerView>, CustomerError> {
    let mut tx = scope.read(app, Permission::CustomersRead).await?;
    let phone = match search.phone {
        Some(phone) => Some(phones::beginning(&phone, tenants::country(&mut tx).await?)?),
        None => None,
    };
    let account = |typed: String| {
        account_number(&typed).ok_or(("account_number", "an account number has eight digits; one of these is wrong"))
    };
    let filter = Filter {
        router: search.router,
        site: search.site,
        kind: search.kind,
        status: search.status,
        login: search.login,
        name: search.name.as_deref().map(texts::folded),
        phone,
        account: search.account_number.map(account).transpose()?,
        mac: search.mac.as_deref().map(rules::mac).transpose()?,
    };
    Ok(page.list(store::list(&mut tx, &filter, page, app.clock.now()).await?))
}
