//! Finding customers: each way has an index of its own.

use super::super::CustomerStatus;
use super::{CustomerView, PaidRow, paid_columns, paid_joins};
use crate::http::Page;
use crate::packages::PackageKind;
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{RouterId, SiteId};
use sqlx::postgres::PgArguments;
use sqlx::{Arguments as _, Postgres, QueryBuilder};

/// Which customers are asked for; all that is given must fit.
#[derive(Debug, Default)]
pub(in crate::customers) struct Filter {
    pub(in crate::customers) router: Option<RouterId>,
    pub(in crate::customers) site: Option<SiteId>,
    pub(in crate::customers) kind: Option<PackageKind>,
    pub(in crate::customers) status: Option<CustomerStatus>,
    /// How the login begins.
    pub(in crate::customers) login: Option<String>,
    /// How the folded name, or its last word, begins.
    pub(in crate::customers) name: Option<String>,
    /// How the telephone's digits begin.
    pub(in crate::customers) phone: Option<String>,
    /// The whole account number.
    pub(in crate::customers) account: Option<String>,
    /// The whole device's address.
    pub(in crate::customers) mac: Option<String>,
}

/// Lists customers, newest first. The statement holds only the conditions that are asked for, so that it is planned with their indexes; the
/// page is cut before anything is joined to it.
pub(in crate::customers) async fn list(
    tx: &mut TenantTx,
    filter: &Filter,
    page: &Page,
    now: Timestamp,
) -> Result<Vec<CustomerView>, DbError> {
    let mut arguments = PgArguments::default();
    arguments.add(tx.tenant()).expect("an id is encoded");
    arguments.add(now.to_sqlx()).expect("a time is encoded");
    let start = concat!(paid_columns!(), "(SELECT * FROM customer c WHERE c.tenant_id = $1 AND c.id < ");
    let mut query = QueryBuilder::<Postgres>::with_arguments(start, arguments);
    query.push_bind(page.before());
    if let Some(router) = filter.router {
        query.push(" AND c.router_id = ").push_bind(router);
    }
    if let Some(site) = filter.site {
        query.push(" AND c.site_id = ").push_bind(site);
    }
    if let Some(kind) = filter.kind {
        query.push(" AND c.kind = ").push_bind(kind.as_str());
    }
    if let Some(status) = filter.status {
        query.push(" AND c.status = ").push_bind(status.as_str());
    }
    if let Some(login) = &filter.login {
        query.push(" AND ");
        begins(&mut query, "c.login COLLATE \"C\"", login);
    }
    if let Some(name) = &filter.name {
        query.push(" AND (");
        begins(&mut query, "c.search_name", name);
        query.push(" OR ");
        begins(&mut query, "c.search_last", name);
        query.push(")");
    }
    if let Some(phone) = &filter.phone {
        query.push(" AND ");
        begins(&mut query, "c.phone COLLATE \"C\"", phone);
    }
    if let Some(account) = &filter.account {
        query.push(" AND c.account_number = ").push_bind(account);
    }
    if let Some(mac) = &filter.mac {
        query.push(" AND c.mac = ").push_bind(mac);
    }
    query.push(" ORDER BY c.id DESC LIMIT ").push_bind(page.fetch());
    query.push(concat!(") c", paid_joins!(), "ORDER BY c.id DESC"));
    let rows: Vec<PaidRow> = query.build_query_as().fetch_all(tx.conn()).await?;
    Ok(rows.into_iter().map(CustomerView::from).collect())
}

/// Writes the condition that a column in collation "C" begins with a text: a range, whose size the planner can guess under row-level
/// security, where it knows nothing of `^@`. No stored text holds the last of all characters.
fn begins(query: &mut QueryBuilder<Postgres>, column: &'static str, text: &str) {
    query.push("(").push(column).push(" >= ").push_bind(text.to_owned()).push(" AND ").push(column).push(" < ");
    query.push_bind(format!("{text}\u{10FFFF}")).push(")");
}
