//! Goal: the locator finds exactly what is declared, with the platform role's grants and no more.
//! Method: rows made as the owner, then every one of its questions asked through the real role.

use db::TestDb;
use jiff::{SignedDuration, Timestamp};
use model::{RouterId, TenantId, WgPublicKey};

const TENANT: &str = "00000000-0000-7000-8000-00000000000a";

fn now() -> Timestamp {
    "2026-01-15T09:00:00Z".parse().expect("a time")
}

/// One tenant with one router that has everything a locator can find.
async fn filled() -> TestDb {
    let test = TestDb::new().await;
    let mut owner = test.connect_as("mastwire_owner").await;
    let rows = format!(
        "INSERT INTO tenant (id, name, currency, time_zone, created_at, status_since) VALUES ('{TENANT}', 'Alpha', 'KES', 'Africa/Nairobi', now(), now());
         INSERT INTO router (tenant_id, id, name, created_at) VALUES ('{TENANT}', '{TENANT}', 'tower', now());
         INSERT INTO router_state (tenant_id, router_id, desired) VALUES ('{TENANT}', '{TENANT}', 1);
         INSERT INTO outbox (tenant_id, id, router_id, created_at) SELECT '{TENANT}', gen_random_uuid(), '{TENANT}', now() FROM generate_series(1, 3);
         INSERT INTO operator (id, login, display_name, platform, created_at) VALUES ('{TENANT}', 'jane', 'Jane', true, now());
         INSERT INTO membership (tenant_id, operator_id, role, created_at) VALUES ('{TENANT}', '{TENANT}', 'admin', now());
         INSERT INTO tunnel_block (tenant_id, id, network, created_at) VALUES ('{TENANT}', '{TENANT}', '10.10.1.0/26', now());
         INSERT INTO tunnel_address (tenant_id, address, block_id, router_id) VALUES ('{TENANT}', '10.10.1.1', '{TENANT}', '{TENANT}');
         INSERT INTO tunnel_peer (tenant_id, id, router_id, address, public_key, preshared_key, created_at)
            VALUES ('{TENANT}', '{TENANT}', '{TENANT}', '10.10.1.1', '\\x{}', '\\x00', now());",
        "07".repeat(32)
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(rows)).execute(&mut owner).await.expect("the rows fit");
    test
}

#[tokio::test]
async fn due_work_is_handed_out_once() {
    let test = filled().await;
    let locator = test.db().locator();
    assert_eq!(locator.take_outbox(2).await.unwrap().len(), 2, "so many at a time");
    assert_eq!(locator.take_outbox(2).await.unwrap().len(), 1);
    assert!(locator.take_outbox(2).await.unwrap().is_empty());
}

#[tokio::test]
async fn routers_are_found_by_what_is_due_and_by_their_key() {
    let test = filled().await;
    let locator = test.db().locator();
    let tenant: TenantId = TenantId::from_uuid(TENANT.parse().unwrap());
    let router = RouterId::from_uuid(TENANT.parse().unwrap());
    let behind = locator.routers_behind().await.unwrap();
    assert_eq!(behind.iter().map(|(door, router)| (door.tenant(), *router)).collect::<Vec<_>>(), [(tenant, router)]);
    assert!(locator.routers_with_expiry(now(), now() + SignedDuration::from_hours(1)).await.unwrap().is_empty());
    assert_eq!(locator.pending_enrolments().await.unwrap(), 0);

    let key = WgPublicKey::from_bytes([7; 32]);
    locator.store_endpoints(&[(key, "192.0.2.1:4".to_owned())], now()).await.unwrap();
    let (door, found) = locator.peer(&key).await.unwrap().expect("known");
    assert_eq!((door.tenant(), found), (tenant, router));
    assert!(locator.peer(&WgPublicKey::from_bytes([8; 32])).await.unwrap().is_none());
    let mut tx = test.db().tenant(&door).await.unwrap();
    let endpoint: Option<String> = sqlx::query_scalar("SELECT endpoint FROM tunnel_peer").fetch_one(tx.conn()).await.unwrap();
    assert_eq!(endpoint.as_deref(), Some("192.0.2.1:4"));
}

#[tokio::test]
async fn credentials_that_do_not_exist_lead_nowhere() {
    let test = filled().await;
    let locator = test.db().locator();
    let hash = [0; 32];
    assert!(locator.login(&hash, now()).await.unwrap().is_none());
    assert!(locator.setup_link(&hash, now()).await.unwrap().is_none());
    assert!(locator.api_token(&hash, now()).await.unwrap().is_none());
    assert!(locator.enrolment_line(&hash).await.unwrap().is_none());
    let jane = locator.operator("jane").await.unwrap().expect("she exists");
    assert_eq!((jane.tenants.len(), jane.password_hash, jane.platform), (1, None, true));
    assert!(!locator.has_platform_operator().await.unwrap(), "nobody has a password yet");
}
