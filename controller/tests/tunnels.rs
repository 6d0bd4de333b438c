//! Goal: no two routers ever hold one address, and none is lost, whoever asks at the same time.
//! Method: many allocations at once in two tenants of a real database, through the tunnels' front door.

use controller::app::App;
use controller::testing::TestApp;
use controller::tunnels::{self, TunnelError};
use db::TenantDoor;
use jiff::SignedDuration;
use model::{RouterId, WgPublicKey};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Inserts routers past all doors; what is tested here is what follows.
async fn routers(test: &TestApp, door: &TenantDoor, count: usize) -> Vec<RouterId> {
    let mut owner = test.db.connect_as("mastwire_owner").await;
    let mut ids = Vec::new();
    for number in 0..count {
        let id = RouterId::generate(test.app.clock.now(), &*test.app.entropy);
        sqlx::query("INSERT INTO router (tenant_id, id, name, created_at) VALUES ($1, $2, $3, now())")
            .bind(door.tenant())
            .bind(id)
            .bind(format!("r{number}-{id}"))
            .execute(&mut owner)
            .await
            .expect("a router");
        ids.push(id);
    }
    ids
}

async fn doors(test: &TestApp) -> Vec<TenantDoor> {
    test.tenant("Alpha").await;
    test.tenant("Beta").await;
    test.app.db.locator().tenants("test").await.expect("two tenants")
}

async fn allocate(app: &App, door: &TenantDoor, router: RouterId) -> Ipv4Addr {
    let mut tx = app.db.tenant(door).await.expect("a transaction");
    let address = tunnels::allocate_address(app, &mut tx, router).await.expect("an address");
    tx.commit().await.expect("committed");
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_at_once_in_two_tenants_share_nothing_and_leave_no_gap() {
    let test = TestApp::new().await;
    let mut tasks = Vec::new();
    for door in doors(&test).await {
        for router in routers(&test, &door, 100).await {
            let (app, door) = (test.app.clone(), door.clone());
            tasks.push(tokio::spawn(async move { (door.tenant(), allocate(&app, &door, router).await) }));
        }
    }
    let mut all = Vec::new();
    for task in tasks {
        all.push(task.await.unwrap());
    }
    let addresses: BTreeSet<Ipv4Addr> = all.iter().map(|(_, address)| *address).collect();
    assert_eq!(addresses.len(), 200, "no address twice");
    for tenant in all.iter().map(|(tenant, _)| *tenant).collect::<BTreeSet<_>>() {
        // Within each block the addresses run from 1 without a gap: block one is full (62), block two holds the other 38.
        let mut hosts: Vec<(u32, u32)> = all
            .iter()
            .filter(|(owner, _)| *owner == tenant)
            .map(|(_, address)| (u32::from(*address) >> 6, u32::from(*address) & 63))
            .collect();
        hosts.sort_unstable();
        let blocks: BTreeSet<u32> = hosts.iter().map(|(block, _)| *block).collect();
        assert_eq!(blocks.len(), 2);
        for block in blocks {
            let in_block: Vec<u32> = hosts.iter().filter(|(of, _)| *of == block).map(|(_, host)| *host).collect();
            let expected: Vec<u32> = (1..=u32::try_from(in_block.len()).unwrap()).collect();
            assert_eq!(in_block, expected);
        }
    }
    assert!(addresses.iter().all(|address| address.octets()[2] > 0), "10.10.0.0/24 is reserved");
}

#[tokio::test]
async fn a_used_address_rests_thirty_days_and_an_unused_one_returns_at_once() {
    let test = TestApp::new().await;
    let door = doors(&test).await.remove(0);
    let ids = routers(&test, &door, 4).await;
    let first = allocate(&test.app, &door, ids[0]).await;

    let mut tx = test.app.db.tenant(&door).await.unwrap();
    assert_eq!(tunnels::release_address(&test.app, &mut tx, ids[0], false).await.unwrap(), Some(first));
    tx.commit().await.unwrap();
    assert_eq!(allocate(&test.app, &door, ids[1]).await, first, "it was never used");

    let mut tx = test.app.db.tenant(&door).await.unwrap();
    tunnels::release_address(&test.app, &mut tx, ids[1], true).await.unwrap();
    tx.commit().await.unwrap();
    assert_ne!(allocate(&test.app, &door, ids[2]).await, first, "it rests");
    test.clock.advance(SignedDuration::from_hours(30 * 24));
    assert_eq!(allocate(&test.app, &door, ids[3]).await, first, "it has rested");
}

#[tokio::test]
async fn a_key_belongs_to_one_router_in_all_tenants() {
    let test = TestApp::new().await;
    let all = doors(&test).await;
    let key = WgPublicKey::from_bytes([9; 32]);
    let endpoint = "127.0.0.1:9".parse().unwrap();
    let mut routers_of = Vec::new();
    for door in &all {
        let router = routers(&test, door, 1).await[0];
        allocate(&test.app, door, router).await;
        routers_of.push(router);
    }
    let mut tx = test.app.db.tenant(&all[0]).await.unwrap();
    tunnels::bind_peer(&test.app, &mut tx, routers_of[0], key, &[1; 32], endpoint).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = test.app.db.tenant(&all[1]).await.unwrap();
    let error = tunnels::bind_peer(&test.app, &mut tx, routers_of[1], key, &[1; 32], endpoint).await.expect_err("taken");
    assert!(matches!(error, TunnelError::DuplicateKey), "{error}");
    drop(tx);
    let app: Arc<App> = test.app.clone();
    app.tunnels.install(&app, &all[0], routers_of[0]).await.unwrap();
    assert_eq!(tunnels::install_all(&app).await.unwrap(), 1, "the hub's table is made from the database");
    let found = app.db.locator().peer(&key).await.unwrap().expect("found by its key");
    assert_eq!((found.0.tenant(), found.1), (all[0].tenant(), routers_of[0]));
}
