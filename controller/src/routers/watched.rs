//! What those who watch the network ask of routers.

use db::{DbError, TenantTx};
use model::RouterId;
use sqlx::FromRow;
use std::net::{IpAddr, Ipv4Addr};

/// A router as it is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// The router.
    pub id: RouterId,
    /// Its name.
    pub name: String,
    /// Whether it has joined the tunnel.
    pub joined: bool,
    /// Whether its serial number was confirmed.
    pub confirmed: bool,
    /// Its serial number.
    pub serial: Option<String>,
    /// Its address in the tunnel.
    pub address: Option<Ipv4Addr>,
}

#[derive(FromRow)]
struct Row {
    id: RouterId,
    name: String,
    stage: String,
    serial: Option<String>,
    address: Option<IpAddr>,
}

impl From<Row> for Watched {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            joined: row.stage != "created",
            confirmed: row.stage == "confirmed",
            serial: row.serial,
            address: row.address.and_then(|address| match address {
                IpAddr::V4(address) => Some(address),
                IpAddr::V6(_) => None,
            }),
        }
    }
}

/// Reads a router that was not removed.
///
/// # Errors
/// When the database does not answer.
pub async fn watched(tx: &mut TenantTx, id: RouterId) -> Result<Option<Watched>, DbError> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT r.id, r.name, r.stage, r.serial, a.address FROM router r
           LEFT JOIN tunnel_address a ON a.tenant_id = r.tenant_id AND a.router_id = r.id
          WHERE r.tenant_id = $1 AND r.id = $2 AND r.removed_at IS NULL",
    )
    .bind(tx.tenant())
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(Watched::from))
}

/// Reads the routers that serve, and so are missed when they are away.
///
/// # Errors
/// When the database does not answer.
pub async fn serving(tx: &mut TenantTx) -> Result<Vec<Watched>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT r.id, r.name, r.stage, r.serial, a.address FROM router r
           LEFT JOIN tunnel_address a ON a.tenant_id = r.tenant_id AND a.router_id = r.id
          WHERE r.tenant_id = $1 AND r.stage = 'confirmed' AND r.removed_at IS NULL",
    )
    .bind(tx.tenant())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Watched::from).collect())
}
