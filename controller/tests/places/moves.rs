//! Customers move between routers with what is paid, and routers between ISPs with nothing but themselves.

use crate::fixture::{Isp, router_id};
use controller::testing::{Answer, TestApp};
use futures_util::future::join_all;
use serde_json::{Value, json};

#[tokio::test]
async fn a_customer_moves_with_what_is_paid() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let (from, to) = (isp.router("from").await, isp.router("to").await);
    let home = isp.package("Home", "pppoe").await;
    let jane = isp.customer("jane", &from, &home).await;
    let _ = isp.pay(&jane, 100_000).await.expect(201);
    let before = (isp.generation(&from).await, isp.generation(&to).await);
    let path = format!("/customers/{jane}");
    let paid = isp.get(&path).await.expect(200).text("paid_until");
    let moved = isp.post(&format!("{path}/move"), json!({ "router": to })).await.expect(200);
    assert_eq!(moved.body, json!({ "from": from, "to": to }));
    assert_eq!((isp.generation(&from).await, isp.generation(&to).await), (before.0 + 1, before.1 + 1));
    let shown = isp.get(&path).await.expect(200);
    assert_eq!((shown.text("router"), shown.text("paid_until")), (to.clone(), paid));
    let mut superuser = test.db.connect_as("postgres").await;
    let held: Vec<uuid::Uuid> = sqlx::query_scalar("SELECT router_id FROM entitlement WHERE tenant_id = $1")
        .bind(isp.tenant.id)
        .fetch_all(&mut superuser)
        .await
        .expect("entitlements");
    assert_eq!(held, [router_id(&to).uuid()]);
    assert_eq!(isp.number("SELECT count(*) FROM audit_log WHERE tenant_id = $1 AND action = 'customer.move'").await, 1);

    let again = isp.post(&format!("{path}/move"), json!({ "router": to })).await.expect(400);
    assert_eq!(again.body["errors"][0]["field"], "router");
    let _ = isp.post(&format!("{path}/terminate"), json!({})).await.expect(204);
    let _ = isp.post(&format!("{path}/move"), json!({ "router": from })).await.expect(409);
}

#[tokio::test]
async fn an_address_moves_if_it_is_free_there() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let (from, to) = (isp.router("from").await, isp.router("to").await);
    let office = isp.package("Office", "static").await;
    let shop =
        |login: &str, router: &str| json!({ "login": login, "router": router, "package": office, "address": "192.168.9.20" });
    let here = isp.post("/customers", shop("here", &from)).await.expect(201).text("id");
    let _ = isp.post("/customers", shop("there", &to)).await.expect(201);
    let path = format!("/customers/{here}/move");
    let taken = isp.post(&path, json!({ "router": to })).await.expect(409);
    assert!(taken.text("detail").contains("address"), "{}", taken.body);
    let _ = isp.post(&path, json!({ "router": to, "address": null })).await.expect(400);
    let _ = isp.post(&path, json!({ "router": to, "address": "192.168.9.21" })).await.expect(200);
    let shown = isp.get(&format!("/customers/{here}")).await.expect(200);
    assert_eq!((shown.text("router"), shown.text("address")), (to, "192.168.9.21".to_owned()));
}

#[tokio::test]
async fn nobody_moves_to_another_isps_router() {
    let test = TestApp::new().await;
    let (isp, beta) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let (ours, theirs) = (isp.router("roof").await, beta.router("roof").await);
    let home = isp.package("Home", "pppoe").await;
    let jane = isp.customer("jane", &ours, &home).await;
    let mut answers = Vec::new();
    for router in [theirs.as_str(), "rtr_0190163d8694739b8fd74dd02ebd3dc4"] {
        answers.push(isp.post(&format!("/customers/{jane}/move"), json!({ "router": router })).await.expect(404).text("detail"));
    }
    assert_eq!(answers[0], answers[1]);
    let _ = beta.post(&format!("/customers/{jane}/move"), json!({ "router": theirs })).await.expect(404);
}

/// Customers cross each other's way again and again; every move is made, and nobody waits for ever.
#[tokio::test(flavor = "multi_thread")]
async fn moves_in_opposite_directions_do_not_wait_for_each_other() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let (left, right) = (isp.router("left").await, isp.router("right").await);
    let home = isp.package("Home", "pppoe").await;
    let mut paths = Vec::new();
    for n in 0..8 {
        let router = if n % 2 == 0 { &left } else { &right };
        let customer = isp.customer(&format!("c{n}"), router, &home).await;
        let to = if n % 2 == 0 { &right } else { &left };
        paths.push((format!("/customers/{customer}/move"), json!({ "router": to })));
    }
    let moves = paths.iter().map(|(path, body)| isp.post(path, body.clone()));
    for answer in join_all(moves).await {
        let _ = answer.expect(200);
    }
}

fn wanted(to: &Isp<'_>, name: &str) -> Value {
    json!({ "to": to.tenant.id, "name": name, "reason": "sold on 3 May" })
}

async fn transfer(test: &TestApp, platform: &str, router: &str, body: Value) -> Answer {
    test.call("POST", &format!("/api/v1/platform/routers/{router}/move"), platform, Some(body)).await
}

/// Makes a router look as if it had joined, past all doors: a box of that serial number that cannot be reached now.
async fn joined(test: &TestApp, router: &str, serial: &str) {
    let mut superuser = test.db.connect_as("postgres").await;
    sqlx::query("UPDATE router SET stage = 'joined', serial = $2 WHERE id = $1")
        .bind(router_id(router))
        .bind(serial)
        .execute(&mut superuser)
        .await
        .expect("a router");
}

#[tokio::test]
async fn a_router_goes_to_another_isp_as_a_new_one() {
    let test = TestApp::new().await;
    let platform = test.platform().await;
    let (alpha, beta) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let added = alpha.post("/routers", json!({ "name": "ridge of alpha" })).await.expect(201);
    let (router, address) = (added.text("id"), added.text("address"));
    joined(&test, &router, "HF1234567AB").await;
    // It cannot be reached, so whatever is on it would go along.
    let stays = transfer(&test, &platform, &router, wanted(&beta, "ridge")).await.expect(409);
    assert!(stays.text("detail").contains("could not be cleaned"), "{}", stays.body);
    let _ = alpha.get(&format!("/routers/{router}")).await.expect(200);
    assert_eq!(beta.get("/routers").await.expect(200).body["items"], json!([]), "and nothing waits for it there");

    let mut body = wanted(&beta, "ridge");
    body["uncleaned"] = json!(true);
    let moved = transfer(&test, &platform, &router, body).await.expect(201);
    let new = moved.body["router"]["id"].as_str().expect("an id").to_owned();
    assert!(moved.body["router"]["block"].as_str().is_some_and(|block| block.contains("wireguard")), "what to paste");
    assert_eq!(moved.body["removed"]["cleaned"], false);
    let _ = alpha.get(&format!("/routers/{router}")).await.expect(404);
    let _ = alpha.get(&format!("/routers/{new}")).await.expect(404);
    let shown = beta.get(&format!("/routers/{new}")).await.expect(200);
    assert_eq!((shown.text("stage"), shown.text("serial")), ("created".to_owned(), "HF1234567AB".to_owned()));
    assert_ne!(shown.text("address"), address);

    // Both sides know that it came or went, and neither of the other.
    let moves =
        "SELECT count(*) FROM audit_log WHERE tenant_id = $1 AND action LIKE 'router.move_%' AND action NOT LIKE '%withdrawn'
                    AND actor LIKE 'operator:%'";
    assert_eq!((alpha.number(moves).await, beta.number(moves).await), (1, 2), "the first try is there too");
    for (isp, other, id) in [(&alpha, &beta, &new), (&beta, &alpha, &router)] {
        let marks =
            [other.tenant.id.to_string(), other.tenant.id.uuid().to_string(), id.clone(), router_id(id).uuid().to_string()];
        let rows = test.db.rows(Some(isp.tenant.id)).await;
        let found: Vec<_> = rows.iter().filter(|(_, row)| marks.iter().any(|mark| row.contains(mark.as_str()))).collect();
        assert!(found.is_empty(), "{found:?}");
    }
    let names = test.db.rows(Some(beta.tenant.id)).await;
    assert!(names.iter().all(|(_, row)| !row.contains("ridge of alpha")));
    let mut superuser = test.db.connect_as("postgres").await;
    let why: i64 = sqlx::query_scalar("SELECT count(*) FROM platform_audit WHERE reason LIKE '%' || $1 || '%sold on 3 May'")
        .bind(&router)
        .fetch_one(&mut superuser)
        .await
        .expect("a count");
    assert_eq!(why, 2, "each try is written down with its reason");
}

#[tokio::test]
async fn a_refused_move_changes_nothing() {
    let test = TestApp::new().await;
    let platform = test.platform().await;
    let (alpha, beta) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let router = alpha.router("ridge").await;
    let taken = beta.router("taken").await;
    joined(&test, &taken, "HF1234567AB").await;
    let twin = alpha.router("twin").await;
    joined(&test, &twin, "HF1234567AB").await;
    let home = alpha.package("Home", "pppoe").await;
    let busy = alpha.router("busy").await;
    let _ = alpha.customer("jane", &busy, &home).await;
    let before = (test.db.rows(Some(alpha.tenant.id)).await, test.db.rows(Some(beta.tenant.id)).await);

    let change = |field: &str, value: Value| {
        let mut body = wanted(&beta, "ridge");
        body[field] = value;
        body
    };
    let _ = transfer(&test, &platform, "rtr_0190163d8694739b8fd74dd02ebd3dc4", wanted(&beta, "ridge")).await.expect(404);
    let _ = transfer(&test, &platform, &router, change("to", json!("ten_0190163d8694739b8fd74dd02ebd3dc4"))).await.expect(404);
    for (field, value) in
        [("to", json!(alpha.tenant.id)), ("reason", json!(" ")), ("name", json!("")), ("reason", json!("x".repeat(201)))]
    {
        let refused = transfer(&test, &platform, &router, change(field, value)).await.expect(400);
        assert_eq!(refused.body["errors"][0]["field"], field);
    }
    let _ = transfer(&test, &platform, &router, change("name", json!("taken"))).await.expect(409);
    let same = transfer(&test, &platform, &twin, wanted(&beta, "twin")).await.expect(409);
    assert!(same.text("detail").contains("serial number"), "{}", same.body);
    let full = transfer(&test, &platform, &busy, wanted(&beta, "busy")).await.expect(409);
    assert!(full.text("detail").contains("1 customer(s)"), "{}", full.body);
    for token in [&alpha.tenant.token, &beta.tenant.token] {
        let _ = transfer(&test, token, &router, wanted(&beta, "ridge")).await.expect(403);
    }
    let after = (test.db.rows(Some(alpha.tenant.id)).await, test.db.rows(Some(beta.tenant.id)).await);
    assert_eq!(before, after);

    let path = format!("/api/v1/platform/tenants/{}/suspend", beta.tenant.id);
    let suspended = test.call("POST", &path, &platform, Some(json!({ "reason": "a test" }))).await;
    assert!(suspended.status.is_success(), "{}", suspended.body);
    let refused = transfer(&test, &platform, &router, wanted(&beta, "ridge")).await.expect(409);
    assert!(refused.text("detail").contains("suspended"), "{}", refused.body);
    let _ = transfer(&test, &platform, &busy, change("leave_customers", json!(true))).await.expect(409);
}
