//! Mastwire's controller: one folder per domain, each with its types and front door (`mod.rs`), pure decisions (`rules.rs`), SQL
//! (`store.rs`) and HTTP (`routes.rs`). `app` is built once and passed down; `http` only assembles.

pub mod app;
pub mod audit;
pub mod backups;
pub mod cli;
pub mod config;
pub mod configurations;
pub mod customers;
pub mod devices;
pub mod enrolment;
pub mod expenses;
pub mod gateways;
pub mod health;
pub mod http;
pub mod invoices;
pub mod jobs;
pub mod leads;
pub mod ledger;
pub mod messages;
pub mod monitoring;
pub mod notifications;
pub mod operators;
pub mod packages;
pub mod payments;
pub mod provisioning;
pub mod reports;
pub mod retention;
pub mod routers;
pub mod secrets;
pub mod serve;
pub mod sessions;
pub mod sites;
pub mod tenants;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tickets;
pub mod tunnels;
pub mod vouchers;
pub mod wallets;
pub mod work;
pub mod workers;

use app::App;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;

/// Every domain's routes, below `/api/v1`.
fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .merge(operators::routes())
        .merge(tenants::routes())
        .merge(sites::routes())
        .merge(packages::routes())
        .merge(customers::routes())
        .merge(sessions::routes())
        .merge(monitoring::routes())
        .merge(routers::routes())
        .merge(devices::routes())
        .merge(enrolment::routes())
        .merge(provisioning::routes())
        .merge(configurations::routes())
        .merge(ledger::routes())
        .merge(wallets::routes())
        .merge(gateways::routes())
        .merge(invoices::routes())
        .merge(payments::routes())
        .merge(expenses::routes())
        .merge(reports::routes())
        .merge(vouchers::routes())
        .merge(tickets::routes())
        .merge(leads::routes())
        .merge(work::routes())
        .merge(messages::routes())
        .merge(notifications::routes())
        .merge(backups::routes())
        .merge(audit::routes())
        .merge(retention::routes())
        .merge(health::routes())
        .merge(jobs::routes())
}
