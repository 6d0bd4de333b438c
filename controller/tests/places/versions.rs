//! What was sold stays what it was: a change of price or speed is a new version, and a new speed reaches everybody or buyers alone.

use crate::fixture::{Isp, router_id, speed};
use controller::customers;
use controller::testing::TestApp;
use db::OldDb;
use jiff::SignedDuration;
use serde_json::{Value, json};

/// What each customer of a router has now: login, megabit down, and what the router knows the terms by.
async fn served(isp: &Isp<'_>, router: &str) -> Vec<(String, u64, String)> {
    let app = &isp.test.app;
    let door = app.db.locator().tenants("test").await.expect("tenants").into_iter().find(|door| door.tenant() == isp.tenant.id);
    let mut tx = app.db.tenant(&door.expect("the tenant")).await.expect("a transaction");
    let served = customers::on_router(app, &mut tx, router_id(router), app.clock.now()).await.expect("customers");
    let terms = |customer: &customers::CustomerOnRouter| {
        let down = customer.package.speed.download_bps.0 / 1_000_000;
        (customer.login.clone(), down, customer.package.line.to_string())
    };
    served.iter().map(terms).collect()
}

async fn listed(isp: &Isp<'_>, package: &str) -> Vec<(i64, i64, Value)> {
    let list = isp.get(&format!("/packages/{package}/versions")).await.expect(200);
    let items = list.body["items"].as_array().expect("a list").clone();
    let number = |value: &Value| value.as_i64().expect("a number");
    let row = |item: &Value| (number(&item["number"]), number(&item["price"]["minor"]), item["applies"].clone());
    items.iter().map(row).collect()
}

#[tokio::test]
async fn each_sale_names_the_version_it_sold() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let router = isp.router("roof").await;
    let home = isp.package("Home", "pppoe").await;
    let jane = isp.customer("jane", &router, &home).await;
    let path = format!("/packages/{home}");
    let first = isp.pay(&jane, 100_000).await.expect(201).text("payment");
    let _ = isp.patch(&path, json!({ "price": { "minor": 120_000, "currency": "KES" } })).await.expect(200);
    let _ = isp.patch(&path, json!({ "portal": false })).await.expect(200);
    let _ = isp.patch(&path, json!({ "price": { "minor": 120_000, "currency": "KES" } })).await.expect(200);
    let second = isp.pay(&jane, 120_000).await.expect(201).text("payment");
    let shown = isp.get(&path).await.expect(200);
    assert_eq!((&shown.body["version"], &shown.body["portal"]), (&json!(2), &json!(false)), "only what changed is a version");
    let versions = isp.get(&format!("{path}/versions")).await.expect(200);
    let id = |at: usize| versions.body["items"][at]["id"].clone();
    assert_eq!(listed(&isp, &home).await, [(2, 120_000, json!("now")), (1, 100_000, json!("now"))]);
    for (payment, version) in [(first, id(1)), (second, id(0))] {
        assert_eq!(isp.get(&format!("/payments/{payment}")).await.expect(200).body["package_version"], version);
    }
    let sold = "SELECT count(DISTINCT package_version_id) FROM entitlement WHERE tenant_id = $1";
    assert_eq!(isp.number(sold).await, 2);
    let same = "SELECT count(*) FROM package p JOIN package_version v ON v.tenant_id = p.tenant_id AND v.id = p.version_id
                 WHERE p.tenant_id = $1 AND (p.price_minor, p.download_bps, p.upload_bps) = (v.price_minor, v.download_bps, v.upload_bps)";
    assert_eq!(isp.number(same).await, 1, "the package says what its version says");
    for change in ["UPDATE package_version SET price_minor = 1", "DELETE FROM package_version"] {
        assert!(test.db.try_as_app(isp.tenant.id, change).await.expect_err("refused").contains("permission denied"));
    }
}

#[tokio::test]
async fn a_speed_for_buyers_reaches_each_with_their_next_purchase() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let router = isp.router("roof").await;
    let home = isp.package("Home", "pppoe").await;
    let mut who = Vec::new();
    for login in ["early", "late", "never"] {
        who.push(isp.customer(login, &router, &home).await);
    }
    let _ = isp.pay(&who[0], 100_000).await.expect(201);
    test.clock.advance(SignedDuration::from_hours(1));
    let path = format!("/packages/{home}");
    let faster = json!({ "speed": speed(20), "applies": "next_renewal" });
    let _ = isp.patch(&path, faster).await.expect(200);
    let _ = isp.pay(&who[1], 100_000).await.expect(201);
    let now = served(&isp, &router).await;
    let speeds: Vec<u64> = now.iter().map(|(_, speed, _)| *speed).collect();
    assert_eq!(speeds, [10, 20, 20], "{now:?}");
    assert_eq!(now[0].2, home, "who keeps the old speed keeps the profile on the router");
    assert_ne!(now[1].2, home);
    assert_eq!(now[1].2, now[2].2);

    // Renewed before the end: the old speed to the end of the old time, the new one from then on.
    let _ = isp.pay(&who[0], 100_000).await.expect(201);
    assert_eq!(served(&isp, &router).await[0].1, 10);
    test.clock.advance(SignedDuration::from_hours(23));
    assert_eq!(served(&isp, &router).await[0].1, 20);
}

#[tokio::test]
async fn a_speed_for_everybody_reaches_old_and_new() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let router = isp.router("roof").await;
    let home = isp.package("Home", "pppoe").await;
    let early = isp.customer("early", &router, &home).await;
    let _ = isp.pay(&early, 100_000).await.expect(201);
    let path = format!("/packages/{home}");
    let _ = isp.patch(&path, json!({ "speed": speed(20), "applies": "next_renewal" })).await.expect(200);
    let late = isp.customer("late", &router, &home).await;
    let _ = isp.pay(&late, 100_000).await.expect(201);
    let before = isp.generation(&router).await;
    let _ = isp.patch(&path, json!({ "speed": speed(30) })).await.expect(200);
    assert_eq!(isp.generation(&router).await, before + 1);
    let now = served(&isp, &router).await;
    assert_eq!(now.iter().map(|(_, speed, _)| *speed).collect::<Vec<_>>(), [30, 30]);
    assert_eq!(now[0].2, home, "and nobody's profile is another one for it");
    let applies: Vec<Value> = listed(&isp, &home).await.into_iter().map(|(_, _, applies)| applies).collect();
    assert_eq!(applies, [json!("now"), json!("next_renewal"), json!("now")]);
}

/// What was sold before there were versions is the first one.
#[tokio::test]
async fn earlier_sales_get_the_first_version() {
    const ROWS: [&str; 6] = [
        "INSERT INTO tenant (id, name, currency, time_zone, created_at, status_since)
         VALUES (md5('t')::uuid, 'Alpha', 'KES', 'Africa/Nairobi', now(), now())",
        "INSERT INTO router (tenant_id, id, name, created_at) VALUES (md5('t')::uuid, md5('r')::uuid, 'roof', now())",
        "INSERT INTO package (tenant_id, id, name, kind, price_minor, currency, download_bps, upload_bps, validity_months, on_expiry, created_at)
         SELECT md5('t')::uuid, md5('p' || n)::uuid, 'Home ' || n, 'pppoe', n * 100, 'KES', n * 1000000, 1000000, 1, 'redirect', '2026-01-01Z'
           FROM generate_series(1, 3) n",
        "INSERT INTO customer (tenant_id, id, login, kind, password, router_id, package_id, created_at)
         VALUES (md5('t')::uuid, md5('c')::uuid, 'jane', 'pppoe', 'x', md5('r')::uuid, md5('p1')::uuid, now())",
        "INSERT INTO payment (tenant_id, id, customer_id, package_id, method, receipt, amount_minor, currency, taken_by, received_at)
         SELECT md5('t')::uuid, md5('m' || n)::uuid, md5('c')::uuid, md5('p' || n)::uuid, 'cash', 'R' || n, n * 100, 'KES', 'operator:x', now()
           FROM generate_series(1, 3) n",
        "INSERT INTO entitlement (tenant_id, id, customer_id, package_id, router_id, payment_id, starts_at, ends_at, unbroken_since, generation)
         SELECT md5('t')::uuid, md5('e' || n)::uuid, md5('c')::uuid, md5('p' || n)::uuid, md5('r')::uuid, md5('m' || n)::uuid, now(),
                now() + interval '1 day', now(), 1 FROM generate_series(1, 3) n",
    ];
    let old = OldDb::before(10).await;
    let mut superuser = old.connect_as("postgres").await;
    for statement in ROWS {
        sqlx::query(statement).execute(&mut superuser).await.expect("a row of an old database");
    }
    drop(superuser);
    let test = old.migrate().await;
    let mut superuser = test.connect_as("postgres").await;
    let sold: Vec<(String, i32, i64, i64, String)> = sqlx::query_as(
        "SELECT p.name, v.number, v.price_minor, v.download_bps, v.applies FROM entitlement e
           JOIN payment m ON m.tenant_id = e.tenant_id AND m.id = e.payment_id AND m.package_version_id = e.package_version_id
           JOIN package_version v ON v.tenant_id = e.tenant_id AND v.id = e.package_version_id AND v.valid_from = '2026-01-01Z'
           JOIN package p ON p.tenant_id = e.tenant_id AND p.id = e.package_id AND p.version_id = v.id AND p.everywhere AND p.portal
          ORDER BY p.name",
    )
    .fetch_all(&mut superuser)
    .await
    .expect("sales");
    let wanted = (1..=3).map(|n: i64| (format!("Home {n}"), 1, n * 100, n * 1_000_000, "now".to_owned()));
    assert_eq!(sold, wanted.collect::<Vec<_>>());
}
