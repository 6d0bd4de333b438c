//! Proof that one ISP reaches nothing of the other: in the API, in the database, in the tunnel.

use crate::house::House;
use crate::mast::{Mast, PATIENCE};
use crate::process::until;
use crate::timeline::Timeline;
use anyhow::{Context as _, bail, ensure};
use controller::serve::{SystemEntropy, cluster_folder};
use db::{Db, Source, TenantDoor};
use model::TenantId;
use reqwest::Method;
use routeros_sim::control::{self, Command};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The hub's own address in the tunnel.
const HUB: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 1);

/// What of an ISP the other one tries to reach.
#[derive(Debug)]
pub struct Belongings {
    /// A customer.
    pub customer: String,
    /// Their payment.
    pub payment: String,
}

/// Has the first ISP's admin, with a good login, ask for things of the second.
pub async fn in_the_api(house: &House, timeline: &mut Timeline, theirs: &Belongings) -> anyhow::Result<()> {
    let (admin, other) = (&house.isps[0].admin, &house.isps[1]);
    let (customer, payment, router) = (&theirs.customer, &theirs.payment, &house.mast(1, "mast-1").id);
    let cash = json!({ "amount": { "minor": 2000, "currency": "KES" } });
    let attempts: [(Method, String, Value); 11] = [
        (Method::GET, format!("customers/{customer}"), Value::Null),
        (Method::GET, format!("customers/{customer}/password"), Value::Null),
        (Method::PATCH, format!("customers/{customer}"), json!({ "full_name": "mine now" })),
        (Method::POST, format!("customers/{customer}/payments"), cash),
        (Method::POST, format!("customers/{customer}/suspend"), Value::Null),
        (Method::GET, format!("payments/{payment}"), Value::Null),
        (Method::POST, format!("payments/{payment}/reverse"), json!({ "reason": "mine now" })),
        (Method::GET, format!("routers/{router}"), Value::Null),
        (Method::GET, format!("routers/{router}/plan"), Value::Null),
        (Method::POST, format!("routers/{router}/apply"), Value::Null),
        (Method::DELETE, format!("routers/{router}"), Value::Null),
    ];
    for (method, path, body) in &attempts {
        let (status, answer) = admin.request(method.clone(), path, body).await?;
        ensure!(status == 404, "{method} /{path} with {}'s login got {status}: {answer}", admin.login);
        let (status, _) = other.admin.request(Method::GET, &format!("customers/{customer}"), &Value::Null).await?;
        ensure!(status == 200, "{} does not find its own customer any more: {status}", other.name);
    }
    timeline.done(format_args!("API: {} requests of {} for things of {}: 404 each", attempts.len(), admin.login, other.name));
    Ok(())
}

/// Rows that a tenant sees of its own and of the other, over the tables of the business.
const SEEN: &str = "SELECT count(*) FILTER (WHERE tenant_id <> $1), count(*) FILTER (WHERE tenant_id = $1) FROM (
    SELECT tenant_id FROM router UNION ALL SELECT tenant_id FROM tunnel_peer UNION ALL SELECT tenant_id FROM package
    UNION ALL SELECT tenant_id FROM customer UNION ALL SELECT tenant_id FROM payment UNION ALL SELECT tenant_id FROM entitlement
    UNION ALL SELECT tenant_id FROM voucher UNION ALL SELECT tenant_id FROM ledger_entry UNION ALL SELECT tenant_id FROM data_key) rows";

/// Looks from within each tenant's transaction, with statements that forget to name the tenant: the wall is the database's own.
pub async fn in_the_database(house: &House, timeline: &mut Timeline) -> anyhow::Result<()> {
    let folder = cluster_folder(&house.data());
    let db = db::connect(&Source::Private(&folder), Arc::new(SystemEntropy)).await?;
    let doors = db.locator().tenants("demo").await?;
    let door = |isp: usize| {
        let own = doors.iter().find(|door| door.tenant().to_string() == house.isps[isp].tenant);
        own.with_context(|| format!("{} is not in the database", house.isps[isp].name))
    };
    for (own, other) in [(0, 1), (1, 0)] {
        let (mine, theirs) = seen(&db, door(own)?, door(other)?.tenant()).await?;
        timeline.done(format_args!(
            "database: {} sees {mine} rows of its own and {theirs} of {}, changes none of them and adds none",
            house.isps[own].name, house.isps[other].name
        ));
    }
    db.close().await;
    Ok(())
}

async fn seen(db: &Db, own: &TenantDoor, other: TenantId) -> anyhow::Result<(i64, i64)> {
    let mut tx = db.tenant(own).await?;
    let (mine, theirs): (i64, i64) = sqlx::query_as(SEEN).bind(other).fetch_one(tx.conn()).await?;
    ensure!(mine > 0, "{} sees nothing of its own, so the count proves nothing", own.tenant());
    ensure!(theirs == 0, "{} sees {theirs} rows of {other}", own.tenant());
    let renamed = sqlx::query("UPDATE customer SET full_name = 'mine now' WHERE tenant_id = $1").bind(other);
    let renamed = renamed.execute(tx.conn()).await?.rows_affected();
    ensure!(renamed == 0, "{} changed {renamed} customers of {other}", own.tenant());
    let copied = sqlx::query(
        "INSERT INTO package SELECT (jsonb_populate_record(p, jsonb_build_object('tenant_id', $1::uuid, 'id', gen_random_uuid()))).*
           FROM package p LIMIT 1",
    );
    match copied.bind(other).execute(tx.conn()).await {
        Err(sqlx::Error::Database(error)) if error.message().contains("row-level security") => {}
        Err(error) => return Err(error.into()),
        Ok(_) => bail!("{} added a package to {other}", own.tenant()),
    }
    Ok((mine, theirs))
}

/// Has a router whose owner turns it against the others send into the tunnel what is for them.
pub async fn in_the_tunnel(house: &House, timeline: &mut Timeline) -> anyhow::Result<()> {
    let own = house.mast(0, "mast-1");
    let others = [house.mast(1, "mast-1"), house.mast(1, "mast-2"), house.mast(0, "mast-2")];
    ensure!(answered(own, HUB).await? == Some(true), "the hub does not answer its own router, so silence proves nothing");
    for other in others {
        ensure!(answered(own, other.address).await?.is_none(), "the block lets {} reach for {}", own.spec.name, other.address);
    }
    let allow = |network: &str| format!("/interface wireguard peers set [find interface=wg-mastwire] allowed-address={network}");
    own.paste(&allow("10.10.0.0/16")).await?;
    let attempts = others.map(|other| sent(own, other.address));
    for (other, answered) in others.iter().zip(futures_util::future::join_all(attempts).await) {
        ensure!(!answered?, "{} reaches {} through the tunnel", own.address, other.address);
    }
    // A hub that had died would be silent as well.
    ensure!(sent(own, HUB).await?, "the hub does not answer any more");
    own.paste(&allow("10.10.0.1/32")).await?;
    timeline.done(format_args!(
        "tunnel: {} of {}, told by its owner to use all of 10.10.0.0/16, reaches the hub and none of {} other routers",
        own.spec.name,
        house.isps[0].name,
        others.len()
    ));
    Ok(())
}

/// Says whether an address answers a ping; nothing where the router has no way to send it.
async fn answered(from: &Mast, to: Ipv4Addr) -> anyhow::Result<Option<bool>> {
    let answer = control::ask(&from.socket, &Command::Ping { address: to }).await?;
    Ok(answer.ok().map(|answer| answer["answered"] == true))
}

/// The same, once the router has a way: it follows its configuration a moment later.
async fn sent(from: &Mast, to: Ipv4Addr) -> anyhow::Result<bool> {
    until("the router sends into the tunnel", PATIENCE, async || answered(from, to).await).await
}
