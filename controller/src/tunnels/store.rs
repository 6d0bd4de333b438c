//! Peers, addresses and blocks in the database.

use super::TunnelError;
use super::rules::HOSTS;
use db::{DbError, PlatformTx, TenantTx, on_constraint};
use ipnetwork::{IpNetwork, Ipv4Network};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{HubKeyId, RouterId, Supernet, TunnelBlockId, TunnelPeerId, WgPublicKey};
use sqlx::FromRow;
use std::net::{IpAddr, Ipv4Addr};

pub(super) struct PeerRow {
    pub id: TunnelPeerId,
    pub address: Ipv4Addr,
    pub public_key: WgPublicKey,
    pub preshared_key: Vec<u8>,
    pub endpoint: Option<String>,
}

#[derive(FromRow)]
struct RawPeer {
    id: TunnelPeerId,
    address: IpAddr,
    public_key: Vec<u8>,
    preshared_key: Vec<u8>,
    endpoint: Option<String>,
}

impl From<RawPeer> for PeerRow {
    fn from(raw: RawPeer) -> Self {
        Self {
            id: raw.id,
            address: v4(raw.address),
            public_key: key(&raw.public_key),
            preshared_key: raw.preshared_key,
            endpoint: raw.endpoint,
        }
    }
}

fn v4(address: IpAddr) -> Ipv4Addr {
    match address {
        IpAddr::V4(address) => address,
        IpAddr::V6(_) => unreachable!("the column's CHECK lets only IPv4 in"),
    }
}

fn key(bytes: &[u8]) -> WgPublicKey {
    WgPublicKey::from_bytes(bytes.try_into().expect("the column's CHECK lets only 32 bytes in"))
}

pub(super) async fn hub_key(tx: &mut PlatformTx) -> Result<Option<(HubKeyId, Vec<u8>)>, DbError> {
    Ok(sqlx::query_as("SELECT id, sealed_key FROM hub_key WHERE retired_at IS NULL ORDER BY created_at LIMIT 1")
        .fetch_optional(tx.conn())
        .await?)
}

pub(super) async fn insert_hub_key(
    tx: &mut PlatformTx,
    id: HubKeyId,
    public_key: &WgPublicKey,
    sealed: &[u8],
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query("INSERT INTO hub_key (id, public_key, sealed_key, created_at) VALUES ($1, $2, $3, $4)")
        .bind(id)
        .bind(&public_key.as_bytes()[..])
        .bind(sealed)
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn peer(tx: &mut TenantTx, router: RouterId) -> Result<Option<PeerRow>, DbError> {
    let row: Option<RawPeer> = sqlx::query_as(
        "SELECT id, address, public_key, preshared_key, endpoint FROM tunnel_peer WHERE tenant_id = $1 AND router_id = $2",
    )
    .bind(tx.tenant())
    .bind(router)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(PeerRow::from))
}

pub(super) async fn peers(tx: &mut TenantTx) -> Result<Vec<PeerRow>, DbError> {
    let rows: Vec<RawPeer> =
        sqlx::query_as("SELECT id, address, public_key, preshared_key, endpoint FROM tunnel_peer WHERE tenant_id = $1")
            .bind(tx.tenant())
            .fetch_all(tx.conn())
            .await?;
    Ok(rows.into_iter().map(PeerRow::from).collect())
}

pub(super) async fn insert_peer(tx: &mut TenantTx, router: RouterId, row: PeerRow, now: Timestamp) -> Result<(), TunnelError> {
    sqlx::query(
        "INSERT INTO tunnel_peer (tenant_id, id, router_id, address, public_key, preshared_key, endpoint, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(tx.tenant())
    .bind(row.id)
    .bind(router)
    .bind(IpAddr::V4(row.address))
    .bind(&row.public_key.as_bytes()[..])
    .bind(row.preshared_key)
    .bind(row.endpoint)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await
    .map_err(|error| match on_constraint(&error) {
        Some("tunnel_peer_key_unique") => TunnelError::DuplicateKey,
        _ => DbError::from(error).into(),
    })?;
    Ok(())
}

pub(super) async fn delete_peer(tx: &mut TenantTx, router: RouterId) -> Result<Option<(WgPublicKey, Ipv4Addr)>, DbError> {
    let row: Option<(Vec<u8>, IpAddr)> =
        sqlx::query_as("DELETE FROM tunnel_peer WHERE tenant_id = $1 AND router_id = $2 RETURNING public_key, address")
            .bind(tx.tenant())
            .bind(router)
            .fetch_optional(tx.conn())
            .await?;
    Ok(row.map(|(bytes, address)| (key(&bytes), v4(address))))
}

pub(super) async fn lock_addresses(tx: &mut TenantTx) -> Result<(), DbError> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('tunnel_address:' || $1::text, 0))")
        .bind(tx.tenant())
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn end_quarantine(tx: &mut TenantTx, now: Timestamp) -> Result<(), DbError> {
    sqlx::query("DELETE FROM tunnel_address WHERE tenant_id = $1 AND quarantined_until <= $2")
        .bind(tx.tenant())
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn free_address(tx: &mut TenantTx) -> Result<Option<(TunnelBlockId, Ipv4Addr)>, DbError> {
    let row: Option<(TunnelBlockId, IpAddr)> = sqlx::query_as(
        "SELECT b.id, set_masklen(b.network::inet, 32) + n
           FROM tunnel_block b CROSS JOIN generate_series(1, $2) AS n
          WHERE b.tenant_id = $1 AND set_masklen(b.network::inet, 32) + n NOT IN (SELECT taken_tunnel_addresses())
          ORDER BY b.network, n LIMIT 1",
    )
    .bind(tx.tenant())
    .bind(HOSTS)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|(block, address)| (block, v4(address))))
}

pub(super) async fn allocate_block(
    tx: &mut TenantTx,
    id: TunnelBlockId,
    supernet: Supernet,
    now: Timestamp,
) -> Result<Ipv4Network, TunnelError> {
    let network: IpNetwork = sqlx::query_scalar("SELECT allocate_tunnel_block($1, $2::cidr, $3)")
        .bind(id)
        .bind(IpNetwork::V4(supernet.network()))
        .bind(now.to_sqlx())
        .fetch_one(tx.conn())
        .await
        .map_err(|error| match error.as_database_error().and_then(|error| error.code()).as_deref() {
            Some("MW001") => TunnelError::Exhausted,
            _ => DbError::from(error).into(),
        })?;
    match network {
        IpNetwork::V4(network) => Ok(network),
        IpNetwork::V6(_) => unreachable!("blocks are cut out of an IPv4 network"),
    }
}

pub(super) async fn insert_address(
    tx: &mut TenantTx,
    block: TunnelBlockId,
    address: Ipv4Addr,
    router: RouterId,
) -> Result<(), DbError> {
    sqlx::query("INSERT INTO tunnel_address (tenant_id, address, block_id, router_id) VALUES ($1, $2, $3, $4)")
        .bind(tx.tenant())
        .bind(IpAddr::V4(address))
        .bind(block)
        .bind(router)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn release_address(
    tx: &mut TenantTx,
    router: RouterId,
    quarantined_until: Option<Timestamp>,
) -> Result<Option<Ipv4Addr>, DbError> {
    let statement = if quarantined_until.is_some() {
        sqlx::query_scalar(
            "UPDATE tunnel_address SET router_id = NULL, quarantined_until = $3 WHERE tenant_id = $1 AND router_id = $2 RETURNING address",
        )
        .bind(tx.tenant())
        .bind(router)
        .bind(quarantined_until.map(|until| until.to_sqlx()))
    } else {
        sqlx::query_scalar("DELETE FROM tunnel_address WHERE tenant_id = $1 AND router_id = $2 RETURNING address")
            .bind(tx.tenant())
            .bind(router)
    };
    let address: Option<IpAddr> = statement.fetch_optional(tx.conn()).await?;
    Ok(address.map(v4))
}

pub(super) async fn address(tx: &mut TenantTx, router: RouterId) -> Result<Option<Ipv4Addr>, DbError> {
    let address: Option<IpAddr> =
        sqlx::query_scalar("SELECT address FROM tunnel_address WHERE tenant_id = $1 AND router_id = $2")
            .bind(tx.tenant())
            .bind(router)
            .fetch_optional(tx.conn())
            .await?;
    Ok(address.map(v4))
}
