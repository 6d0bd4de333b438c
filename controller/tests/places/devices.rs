//! Devices hang on each other and stand at places; their credentials are sealed and shown by one operation alone.

use crate::fixture::{Isp, names};
use axum::body::Body;
use axum::http::{Request, header};
use controller::operators::Role;
use controller::testing::TestApp;
use serde_json::json;
use tower::ServiceExt as _;

#[tokio::test]
async fn noted_found_changed_and_removed() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let site = isp.site("Ridge", "tower", None).await;
    let router = isp.router("mast-1").await;
    let package = isp.package("Home", "pppoe").await;
    let alice = isp.customer("alice", &router, &package).await;
    let north = json!({
        "name": "north", "kind": "sector", "site": site, "router": router, "mac": "aa-bb-cc-00-11-22", "address": "10.9.0.2",
        "serial": "S1", "model": "LHG", "watched": true,
    });
    let north = isp.post("/devices", north).await.expect(201).text("id");
    let roof = json!({ "name": "roof", "kind": "station", "parent": north, "customer": alice });
    let roof = isp.post("/devices", roof).await.expect(201).text("id");
    let shown = isp.get(&format!("/devices/{north}")).await.expect(200);
    assert_eq!((shown.text("mac").as_str(), shown.text("address").as_str()), ("AA:BB:CC:00:11:22", "10.9.0.2"));

    for (query, found) in [
        (String::new(), vec!["roof", "north"]),
        (format!("?parent={north}"), vec!["roof"]),
        (format!("?site={site}"), vec!["north"]),
        (format!("?router={router}"), vec!["north"]),
        (format!("?customer={alice}"), vec!["roof"]),
    ] {
        assert_eq!(names(&isp.get(&format!("/devices{query}")).await.expect(200)), found, "{query}");
    }
    let _ = isp.get(&format!("/devices?site={site}&router={router}")).await.expect(400);

    let twin = json!({ "name": "twin", "kind": "other", "mac": "AA:BB:CC:00:11:22" });
    let _ = isp.post("/devices", twin.clone()).await.expect(409);
    let unwatched = isp.patch(&format!("/devices/{north}"), json!({ "address": null })).await.expect(400);
    assert_eq!(unwatched.body["errors"][0]["field"], "watched");
    let changed = json!({ "address": null, "watched": false, "router": null, "model": "LHG 5" });
    let changed = isp.patch(&format!("/devices/{north}"), changed).await.expect(200);
    assert_eq!((changed.body["router"].is_null(), changed.text("site")), (true, site), "what is left out stays");

    for parent in [&north, &roof] {
        let ring = isp.patch(&format!("/devices/{north}"), json!({ "parent": parent })).await.expect(400);
        assert!(ring.text("detail").contains("below itself"), "{}", ring.body);
    }
    assert!(isp.delete(&format!("/devices/{north}")).await.expect(409).text("detail").contains("1 device(s)"));
    let _ = isp.delete(&format!("/devices/{roof}")).await.expect(204);
    let _ = isp.delete(&format!("/devices/{north}")).await.expect(204);
    let _ = isp.get(&format!("/devices/{north}")).await.expect(404);
    let _ = isp.post("/devices", twin).await.expect(201);
}

#[tokio::test]
async fn others_things_are_none() {
    let test = TestApp::new().await;
    let (isp, beta) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let site = beta.site("Ridge", "tower", None).await;
    let router = beta.router("mast-1").await;
    let package = beta.package("Home", "pppoe").await;
    let customer = beta.customer("alice", &router, &package).await;
    let device = beta.post("/devices", json!({ "name": "north", "kind": "sector" })).await.expect(201).text("id");
    for (field, theirs) in [("site", &site), ("router", &router), ("customer", &customer), ("parent", &device)] {
        let never = format!("{}_0190163d8694739b8fd74dd02ebd3dc4", &theirs[..3]);
        let mut answers = Vec::new();
        for id in [theirs, &never] {
            let mut body = json!({ "name": "mine", "kind": "other" });
            body[field] = json!(id);
            answers.push(isp.post("/devices", body).await.expect(404).text("detail"));
        }
        assert_eq!(answers[0], answers[1], "{field}");
    }
    let _ = isp.get(&format!("/devices/{device}")).await.expect(404);
}

#[tokio::test]
async fn credentials_are_sealed_and_shown_by_one_operation() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let secret = "hunter2-on-the-mast";
    let body = json!({ "name": "north", "kind": "sector", "credentials": { "user": "ubnt", "password": secret } });
    let device = isp.post("/devices", body).await.expect(201).text("id");
    let path = format!("/devices/{device}");
    let shown = isp.get(&path).await.expect(200).body;
    assert_eq!((shown["has_credentials"] == true, shown.to_string().contains(secret)), (true, false));
    let told = isp.get(&format!("{path}/credentials")).await.expect(200);
    assert_eq!(told.body, json!({ "user": "ubnt", "password": secret }));
    assert_eq!(isp.number("SELECT count(*) FROM audit_log WHERE tenant_id = $1 AND action = 'device.credentials.show'").await, 1);
    let viewer = test.token(&isp.tenant, Role::Viewer).await;
    let _ = test.call("GET", &format!("/api/v1{path}"), &viewer, None).await.expect(200);
    let _ = test.call("GET", &format!("/api/v1{path}/credentials"), &viewer, None).await.expect(403);
    let rows = test.db.rows(None).await;
    assert!(rows.iter().any(|(table, _)| table == "device"));
    let plain = hex::encode(secret);
    assert!(rows.iter().all(|(_, row)| !row.contains(secret) && !row.contains(&plain)), "it rests in no row as it is");

    let other = json!({ "credentials": { "user": "root", "password": "" } });
    let _ = isp.patch(&path, other).await.expect(200);
    assert_eq!(isp.get(&format!("{path}/credentials")).await.expect(200).text("user"), "root");
    let gone = isp.patch(&path, json!({ "credentials": null })).await.expect(200);
    assert_eq!(gone.body["has_credentials"], false);
    let _ = isp.get(&format!("{path}/credentials")).await.expect(404);
    let _ = isp.patch(&path, json!({ "credentials": { "user": "root", "password": "again" } })).await.expect(200);
    let _ = isp.delete(&path).await.expect(204);
    assert_eq!(isp.number("SELECT count(*) FROM device WHERE tenant_id = $1 AND credentials IS NOT NULL").await, 0);
}

#[tokio::test]
async fn a_file_of_all_devices_does_nothing_in_a_spreadsheet() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let site = isp.site("Ridge, north", "tower", None).await;
    let body = json!({
        "name": "=HYPERLINK(1)", "kind": "switch", "site": site, "credentials": { "user": "ubnt", "password": "not in a file" }
    });
    let id = isp.post("/devices", body).await.expect(201).text("id");
    let request = Request::get("/api/v1/devices/export").header(header::AUTHORIZATION, format!("Bearer {}", isp.tenant.token));
    let response = test.service().oneshot(request.body(Body::empty()).expect("a good request")).await.expect("an answer");
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/csv; charset=utf-8");
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("a whole body");
    let text = String::from_utf8(bytes.to_vec()).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "id,kind,name,parent,site,router,customer,mac,address,serial,model,notes,watched");
    assert_eq!(lines[1], format!("{id},switch,'=HYPERLINK(1),,\"Ridge, north\",,,,,,,,no"));
    assert_eq!(lines.len(), 2);
}

#[tokio::test]
async fn a_technician_sees_the_devices_of_their_routers() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let (near, far) = (isp.router("near").await, isp.router("far").await);
    for (name, router) in [("near", Some(&near)), ("far", Some(&far)), ("loose", None)] {
        let _ = isp.post("/devices", json!({ "name": name, "kind": "other", "router": router })).await.expect(201);
    }
    let token = isp.limited_to(&near).await;
    let seen = test.call("GET", "/api/v1/devices", &token, None).await.expect(200);
    let mut seen = names(&seen);
    seen.sort_unstable();
    assert_eq!(seen, ["loose", "near"]);
    let theirs = json!({ "name": "more", "kind": "other", "router": far });
    let _ = test.call("POST", "/api/v1/devices", &token, Some(theirs)).await.expect(404);
}
