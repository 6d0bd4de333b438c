//! Nothing of a purged ISP is left, nobody else is touched, and a purge that is broken off goes on.

use crate::fixture::{DAY, Isp, Platform};
use controller::operators::Role;
use controller::testing::TestApp;
use controller::{backups, tenants, tunnels};
use model::{Secret, TenantId};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Fills an ISP over the API with many kinds of things.
async fn fill(isp: &Isp<'_>) {
    let business = isp.in_business().await;
    for number in 0..5 {
        let customer = isp.customer(&format!("c{number}"), &business.router, &business.package).await.expect(201).text("id");
        let payment = isp.pay(&customer).await.expect(201).text("payment");
        if number == 0 {
            let _ = isp.post(&format!("/payments/{payment}/reverse"), json!({ "reason": "typed twice" })).await.expect(200);
        }
    }
    let _ = isp.router("mast").await.expect(201);
    let batch = json!({ "package": business.package, "count": 5 });
    let _ = isp.post("/voucher-batches", batch).await.expect(201);
    let _ = isp.put("/settings", json!({ "version": 0, "settings": { "branding": { "name": "We" } } })).await.expect(200);
    let _ = isp.put("/flags", json!({ "name": "hotspot", "on": false })).await.expect(200);
    let _ = isp.test.token(&isp.tenant, Role::Viewer).await;
    // A tree, whose lower rows refer to the upper ones.
    let mut owner = isp.test.db.connect_as("postgres").await;
    sqlx::query(
        "INSERT INTO site (tenant_id, id, parent_id, kind, name, created_at)
         SELECT $1, md5($1::text || n)::uuid, CASE WHEN n > 1 THEN md5($1::text || (n - 1))::uuid END, 'area', 'site ' || n, now()
           FROM generate_series(1, 5) AS n",
    )
    .bind(isp.tenant.id)
    .execute(&mut owner)
    .await
    .expect("a tree of sites");
    tenants::measure(&isp.test.app).await.expect("measured");
}

/// Counts what is there of a tenant but the certificate that it is not.
async fn rows_of(test: &TestApp, tenant: TenantId) -> BTreeMap<String, i64> {
    let mut counts = test.db.count(tenant).await;
    counts.remove("purge_certificate");
    counts
}

/// Finds the tables in whose rows a tenant's id stands anywhere.
async fn mentions(test: &TestApp, tenant: TenantId) -> Vec<String> {
    let id = tenant.uuid().to_string();
    let text = tenant.to_string();
    let rows = test.db.rows(None).await;
    let mut tables: Vec<String> =
        rows.into_iter().filter(|(_, row)| row.contains(&id) || row.contains(&text)).map(|(table, _)| table).collect();
    tables.dedup();
    tables
}

/// Gives the ISP's first router a place on the hub, as if it had joined.
async fn peer(isp: &Isp<'_>) -> std::net::Ipv4Addr {
    let test = isp.test;
    let router = isp.get("/routers").await.expect(200).body["items"][0]["id"].as_str().expect("an id").parse().expect("an id");
    let doors = test.app.db.locator().tenants("test").await.expect("the tenants");
    let door = doors.iter().find(|door| door.tenant() == isp.tenant.id).expect("it is there");
    let mut tx = test.app.db.tenant(door).await.expect("a transaction");
    let key = tunnels::public_key(&Secret::new([7; 32]));
    let endpoint = "192.0.2.7:13231".parse().expect("an address");
    let address = tunnels::bind_peer(&test.app, &mut tx, router, key, &[8; 32], endpoint).await.expect("bound");
    tx.commit().await.expect("committed");
    test.app.tunnels.install(&test.app, door, router).await.expect("installed");
    address
}

fn backup_file(test: &TestApp, tenant: TenantId) -> std::path::PathBuf {
    let folder = backups::folder(&test.app.config.data, tenant);
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("bak_1.mwbackup");
    std::fs::write(&file, "sealed").expect("a file");
    file
}

fn removed(certificate: &Value) -> BTreeMap<String, i64> {
    let tables = certificate["tables"].as_object().expect("tables");
    tables.iter().map(|(name, removed)| (name.clone(), removed["rows"].as_i64().expect("a number"))).collect()
}

fn body(name: &str, now: bool) -> Value {
    json!({ "name": name, "reason": "left on 1 May", "now": now })
}

#[tokio::test]
async fn nothing_is_left_of_the_purged_and_all_of_everybody_else() {
    let test = TestApp::new().await;
    let (alpha, beta) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let platform = Platform::new(&test).await;
    fill(&alpha).await;
    fill(&beta).await;
    // Somebody who serves both stays.
    let mut superuser = test.db.connect_as("postgres").await;
    sqlx::query(
        "INSERT INTO membership (tenant_id, operator_id, role, created_at) SELECT $1, id, 'viewer', now() FROM operator WHERE login = 'beta'",
    )
    .bind(alpha.tenant.id)
    .execute(&mut superuser)
    .await
    .expect("a second membership");
    let address = peer(&alpha).await;
    assert!(test.app.tunnels.status(address).await.expect("the hub").is_some());
    let (file, others) = (backup_file(&test, alpha.tenant.id), backup_file(&test, beta.tenant.id));
    let _ = platform.stand(&alpha, "suspended").await.expect(200);
    let (there, theirs) = (rows_of(&test, alpha.tenant.id).await, test.db.rows(Some(beta.tenant.id)).await);
    assert!(there.len() > 20, "the ISP is full of things: {there:?}");
    let networks = "SELECT network::text FROM tunnel_block WHERE tenant_id = $1";
    let blocks: Vec<String> =
        sqlx::query_scalar(networks).bind(alpha.tenant.id).fetch_all(&mut superuser).await.expect("its blocks");

    let certificate = platform.call("POST", &alpha.path("/purge"), Some(body("Alpha", true))).await.expect(202).body;
    assert!(certificate["finished_at"].is_string(), "{certificate}");
    assert!(test.app.tunnels.status(address).await.expect("the hub").is_none(), "its router reaches the hub no more");
    assert_eq!((file.exists(), others.exists(), certificate["backups_removed"].as_i64()), (false, true, Some(1)));
    assert_eq!(rows_of(&test, alpha.tenant.id).await, BTreeMap::new());
    assert_eq!(removed(&certificate), there, "the certificate counts what was there");
    assert_eq!(test.db.rows(Some(beta.tenant.id)).await, theirs, "Beta's rows are what they were");
    // What still names it: the tombstone, the certificate, and the platform's own log of having done it.
    assert_eq!(mentions(&test, alpha.tenant.id).await, ["platform_audit", "purge_certificate", "tenant"]);
    let tombstone = platform.get(&alpha.path("")).await.expect(200);
    assert_eq!((tombstone.text("status"), tombstone.text("name")), ("purged".to_owned(), format!("purged {}", alpha.tenant.id)));
    let people: Vec<String> = sqlx::query_scalar("SELECT login FROM operator WHERE NOT platform ORDER BY 1")
        .fetch_all(&mut superuser)
        .await
        .expect("people");
    assert_eq!((people, certificate["people_removed"].as_i64()), (vec!["beta".to_owned()], Some(1)));
    let _ = alpha.get("/tenant").await.expect(401);
    let login = json!({ "login": "alpha", "password": "a password for tests" });
    let _ = test.call("POST", "/api/v1/login", "", Some(login)).await.expect(401);
    let _ = beta.get("/customers").await.expect(200);

    // Its addresses rest: whoever comes next gets others, until 30 days have passed.
    let block_of = async |name: &str| {
        let isp = Isp::new(&test, name).await;
        let _ = isp.router("first").await.expect(201);
        let mut superuser = test.db.connect_as("postgres").await;
        sqlx::query_scalar::<_, String>(networks).bind(isp.tenant.id).fetch_one(&mut superuser).await.expect("its block")
    };
    assert!(!blocks.contains(&block_of("Gamma").await));
    test.clock.advance(DAY * 30);
    assert!(blocks.contains(&block_of("Delta").await), "rested, they are given again");
    // The name is free again, and the certificate can be read.
    let _ = Isp::new(&test, "Alpha2").await;
    let mut platform = platform;
    platform.again().await;
    let shown = platform.get(&alpha.path("/certificate")).await.expect(200).body;
    assert_eq!((&shown["intact"], &shown["name"], &shown["sha256"]), (&json!(true), &json!("Alpha"), &certificate["sha256"]));
    let listed = platform.get("/platform/certificates").await.expect(200).body;
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
    // A changed certificate shows.
    sqlx::query("UPDATE purge_certificate SET people_removed = 7").execute(&mut superuser).await.expect("a superuser may");
    assert_eq!(platform.get(&alpha.path("/certificate")).await.expect(200).body["intact"], false);
}

#[tokio::test]
async fn a_purge_wants_a_suspension_rest_and_the_name() {
    let test = TestApp::new().await;
    let (isp, mut platform) = (Isp::new(&test, "Alpha").await, Platform::new(&test).await);
    let purge = isp.path("/purge");
    let before = test.db.rows(Some(isp.tenant.id)).await;
    assert!(
        platform
            .call("POST", &purge, Some(body("Alpha", true)))
            .await
            .expect(409)
            .text("detail")
            .contains("active cannot become")
    );
    assert_eq!(test.db.rows(Some(isp.tenant.id)).await, before);
    let _ = platform.stand(&isp, "suspended").await.expect(200);
    let before = test.db.rows(Some(isp.tenant.id)).await;
    assert!(platform.call("POST", &purge, Some(body("Alpha", false))).await.expect(409).text("detail").contains("30 days"));
    for name in ["alpha", "Alph", "", "Alpha "] {
        assert_eq!(platform.call("POST", &purge, Some(body(name, true))).await.expect(400).body["errors"][0]["field"], "name");
    }
    let no_reason = json!({ "name": "Alpha", "reason": "", "now": true });
    assert_eq!(platform.call("POST", &purge, Some(no_reason)).await.expect(400).body["errors"][0]["field"], "reason");
    assert_eq!(test.db.rows(Some(isp.tenant.id)).await, before, "a refused purge takes nothing");
    let _ = platform.get(&isp.path("/certificate")).await.expect(404);
    test.clock.advance(DAY * 30);
    platform.again().await;
    let _ = platform.call("POST", &purge, Some(body("Alpha", false))).await.expect(202);
    let _ = platform.call("POST", &purge, Some(body("Alpha", false))).await.expect(404);
}

#[tokio::test]
async fn no_copy_is_forgotten_and_none_comes_to_life() {
    let test = TestApp::new().await;
    let (isp, shadow) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Alpha-in-May").await);
    let platform = Platform::new(&test).await;
    for tenant in [&isp, &shadow] {
        let _ = platform.stand(tenant, "suspended").await.expect(200);
    }
    let mut superuser = test.db.connect_as("postgres").await;
    sqlx::query("UPDATE tenant SET shadow_of = $1 WHERE id = $2")
        .bind(isp.tenant.id)
        .bind(shadow.tenant.id)
        .execute(&mut superuser)
        .await
        .expect("a shadow");
    let _ = platform.stand(&shadow, "active").await.expect(409);
    let refused = platform.call("POST", &isp.path("/purge"), Some(body("Alpha", true))).await.expect(409);
    assert!(refused.text("detail").contains("shadow"), "{}", refused.body);
    let _ = platform.call("POST", &shadow.path("/purge"), Some(body("Alpha-in-May", true))).await.expect(202);
    let _ = platform.call("POST", &isp.path("/purge"), Some(body("Alpha", true))).await.expect(202);
}

#[tokio::test]
async fn a_purge_that_is_broken_off_goes_on_and_counts_every_row_once() {
    let mut test = TestApp::new().await;
    let (id, there, certificate) = {
        let (isp, platform) = (Isp::new(&test, "Alpha").await, Platform::new(&test).await);
        fill(&isp).await;
        // More than one transaction takes at a time.
        let mut superuser = test.db.connect_as("postgres").await;
        sqlx::query(
            "INSERT INTO idempotency_key (tenant_id, id, key, operation, request_hash, created_at)
             SELECT $1, gen_random_uuid(), 'idempotent-' || n, 'x', sha256(n::text::bytea), now() FROM generate_series(1, 50000) AS n",
        )
        .bind(isp.tenant.id)
        .execute(&mut superuser)
        .await
        .expect("many rows");
        let _ = platform.stand(&isp, "suspended").await.expect(200);
        let there = rows_of(&test, isp.tenant.id).await;
        let path = isp.path("/purge");
        let purge = platform.call("POST", &path, Some(body("Alpha", true)));
        let mut cut = Box::pin(purge);
        let began = async {
            let mut look = test.db.connect_as("postgres").await;
            loop {
                let begun: i64 =
                    sqlx::query_scalar("SELECT count(*) FROM purge_certificate").fetch_one(&mut look).await.expect("a count");
                if begun > 0 {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            // Dropping the request is what a killed controller does to it: its transaction rolls back.
            () = began => {}
            answer = &mut cut => panic!("too early: {}", answer.body),
        }
        drop(cut);
        (isp.tenant.id, there, platform)
    };
    drop(certificate);
    let left = rows_of(&test, id).await;
    assert!(!left.is_empty() && !left.contains_key("data_key"), "broken off, with the keys gone first: {left:?}");
    // Another process goes on with it.
    test.power_off().await;
    test.power_on().await;
    test.stop().await;
    let mut steps = 0;
    while !tenants::purge_on(&test.app, id).await.expect("it goes on") {
        steps += 1;
        assert!(steps < 1000, "a purge ends");
    }
    assert!(tenants::purge_on(&test.app, id).await.expect("it is finished"), "and stays so");
    assert_eq!(rows_of(&test, id).await, BTreeMap::new());
    let platform = Platform::new(&test).await;
    let certificate = platform.get(&format!("/platform/tenants/{id}/certificate")).await.expect(200).body;
    assert_eq!((removed(&certificate), &certificate["intact"]), (there, &json!(true)));
}

#[tokio::test]
async fn the_sweep_finishes_what_was_left() {
    let test = TestApp::new().await;
    let (isp, platform) = (Isp::new(&test, "Alpha").await, Platform::new(&test).await);
    fill(&isp).await;
    let _ = platform.stand(&isp, "suspended").await.expect(200);
    // As a purge looks that was begun and did nothing more.
    let mut superuser = test.db.connect_as("postgres").await;
    sqlx::query("UPDATE tenant SET status = 'purging' WHERE id = $1")
        .bind(isp.tenant.id)
        .execute(&mut superuser)
        .await
        .expect("set");
    sqlx::query(
        "INSERT INTO purge_certificate (id, tenant_id, tenant_name, requested_by, reason, requested_at, people)
         VALUES (gen_random_uuid(), $1, 'Alpha', 'operator:x', 'left', now(), '{}')",
    )
    .bind(isp.tenant.id)
    .execute(&mut superuser)
    .await
    .expect("begun");
    let there = rows_of(&test, isp.tenant.id).await;
    tenants::resume_purges(&test.app).await.expect("the sweep runs");
    assert_eq!(rows_of(&test, isp.tenant.id).await, BTreeMap::new());
    let certificate = platform.get(&isp.path("/certificate")).await.expect(200).body;
    assert_eq!(removed(&certificate), there);
}

#[tokio::test]
async fn nobody_but_a_purge_can_delete_a_tenants_rows() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let _ = isp.in_business().await;
    let before = test.db.rows(None).await;
    for role in ["mastwire_platform", "mastwire_app"] {
        let mut connection = test.db.connect_as(role).await;
        for statement in [
            // Nothing refers to these, so that no reference keeps them.
            "SELECT * FROM purge_tenant_rows('{idempotency_key}'::name[], $1, 10)",
            "SELECT * FROM purge_tenant_rows('{audit_log}'::name[], $1, 10)",
            "SELECT * FROM retire_tunnel_blocks($1, now())",
            "SELECT * FROM tenant_has_rows('{customer}'::name[], $1)",
        ] {
            let refused = sqlx::query(statement).bind(isp.tenant.id).execute(&mut connection).await;
            assert!(refused.is_err(), "{role}: {statement}");
        }
    }
    let mut platform = test.db.connect_as("mastwire_platform").await;
    let people = "SELECT purge_people(ARRAY(SELECT id FROM operator))";
    let gone = sqlx::query(people).fetch_all(&mut platform).await.expect("it may ask");
    assert!(gone.is_empty(), "whoever serves somebody stays");
    assert!(test.db.rows(None).await == before);
}
