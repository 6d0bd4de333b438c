//! What an ISP stands on: the tenant with its admin, sites, packages, and routers with their addresses, keys and peers.

use super::shape::Isp;
use super::sql::{id, run};
use anyhow::Context as _;
use controller::app::App;
use controller::secrets::Place;
use controller::tenants::{self, NewTenant};
use controller::tunnels;
use db::{PlatformActor, TenantDoor, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{RouterId, WgPublicKey};
use std::net::{IpAddr, SocketAddr};

/// Packages, each with its first version.
const PACKAGES: &str = concat!(
    "INSERT INTO package (tenant_id, id, version_id, name, kind, price_minor, currency, download_bps, upload_bps, validity_seconds, on_expiry,
                          created_at)
     SELECT $1, ",
    id!("$3::timestamptz", "'package' || p.name"),
    ", ",
    id!("$3::timestamptz", "'version' || p.name"),
    ", p.name, p.kind, p.price, t.currency, p.mbit * 1000000, p.mbit * 500000, p.days * 86400, p.on_expiry, $3
       FROM tenant t CROSS JOIN (VALUES ('Home 5', 'pppoe', 150000::bigint, 5::bigint, 30::bigint, 'redirect'), ('Home 10', 'pppoe', 250000, 10, 30, 'redirect'),
                        ('Business 20', 'static', 600000, 20, 30, 'redirect'), ('Week', 'hotspot', 30000, 4, 7, 'disable'),
                        ('Day', 'hotspot', 5000, 4, 1, 'disable'), ('Home 50', 'pppoe', 500000, 50, 30, 'redirect'))
                 AS p (name, kind, price, mbit, days, on_expiry)
      WHERE t.id = $1 AND $2::bigint IS NOT NULL"
);
const VERSIONS: &str = "
    INSERT INTO package_version (tenant_id, id, package_id, number, price_minor, currency, download_bps, upload_bps, applies, valid_from, made_by)
    SELECT $1, version_id, id, 1, price_minor, currency, download_bps, upload_bps, 'now', created_at, 'system:load'
      FROM package WHERE tenant_id = $1 AND $2::bigint IS NOT NULL AND $3::timestamptz IS NOT NULL";
/// An area with a tower for each router; houses come with the customers.
const SITES: &str = concat!(
    "INSERT INTO site (tenant_id, id, parent_id, kind, name, latitude, longitude, created_at)
     SELECT $1, ",
    id!("$3::timestamptz", "'area'"),
    ", NULL::uuid, 'area', 'North', -1.28, 36.82, $3::timestamptz WHERE $2::bigint IS NOT NULL UNION ALL
     SELECT $1, ",
    id!("$3::timestamptz", "'tower' || r.name"),
    ", ",
    id!("$3::timestamptz", "'area'"),
    ", 'tower', 'Tower ' || r.name, NULL, NULL, $3 FROM router r WHERE r.tenant_id = $1"
);
const AT_SITES: &str = "
    UPDATE router r SET site_id = s.id FROM site s
     WHERE r.tenant_id = $1 AND s.tenant_id = $1 AND s.name = 'Tower ' || r.name AND $2::bigint IS NOT NULL AND $3::timestamptz IS NOT NULL";

/// Makes a tenant with everything that customers need.
pub(super) async fn make(app: &App, isp: &Isp, seed: i64) -> anyhow::Result<TenantDoor> {
    let new = NewTenant {
        name: isp.name(),
        currency: isp.currency().parse().context("a currency")?,
        time_zone: isp.zone().to_owned(),
        admin_login: isp.admin(),
        admin_name: format!("Admin of {}", isp.name()),
        trial_ends_at: None,
    };
    let (tenant, _) = tenants::create(app, &PlatformActor::system("load"), new).await?;
    let door = app.db.locator().door(tenant, "load").await?.context("the tenant was just made")?;
    let now = app.clock.now();
    let mut tx = app.db.tenant(&door).await?;
    run(&mut tx, PACKAGES, seed, now).await?;
    run(&mut tx, VERSIONS, seed, now).await?;
    for number in 1..=isp.routers() {
        make_router(app, &mut tx, number, now).await?;
    }
    run(&mut tx, SITES, seed, now).await?;
    run(&mut tx, AT_SITES, seed, now).await?;
    tx.audit(now, "load.begin", &tenant.to_string(), serde_json::json!({ "routers": isp.routers() })).await?;
    tx.commit().await?;
    Ok(door)
}

/// Makes a router that has joined and serves, by the tunnels' own door.
async fn make_router(app: &App, tx: &mut TenantTx, number: usize, now: Timestamp) -> anyhow::Result<()> {
    let id = RouterId::generate(now, &*app.entropy);
    let mut random = [[0; 32]; 3];
    random.iter_mut().for_each(|bytes| app.entropy.fill(bytes));
    let [public_key, preshared_key, password] = random;
    let place = Place { table: "router", column: "api_password", row: id.uuid() };
    let password: String = password.iter().take(20).map(|byte| char::from(b'a' + byte % 26)).collect();
    let sealed = app.vault.seal(tx, place, password.as_bytes()).await?;
    let tenant = tx.tenant();
    sqlx::query(
        "INSERT INTO router (tenant_id, id, name, stage, serial, board, version, api_user, api_password, created_at)
         VALUES ($1, $2, $3, 'confirmed', $4, 'RB5009UG+S+', '7.16.2', 'mastwire', $5, $6)",
    )
    .bind(tenant)
    .bind(id)
    .bind(format!("r{number:03}"))
    .bind(format!("HF0{}", &id.uuid().simple().to_string()[24..]))
    .bind(sealed)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    sqlx::query("INSERT INTO router_state (tenant_id, router_id, desired, applied, attempted_at, applied_at) VALUES ($1, $2, 1, 1, $3, $3)")
        .bind(tenant)
        .bind(id)
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await?;
    tunnels::allocate_address(app, tx, id).await?;
    let endpoint = SocketAddr::new(IpAddr::from([192, 0, 2, 1]), 40_000);
    tunnels::bind_peer(app, tx, id, WgPublicKey::from_bytes(public_key), &preshared_key, endpoint).await?;
    Ok(())
}
