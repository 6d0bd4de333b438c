//! Whoever has no credential, a wrong one, or one for something else.

use super::operations::{Access, Document};
use super::world::World;
use axum::body::Body;
use axum::http::Request;
use controller::operators;
use serde_json::json;
use tower::ServiceExt as _;

#[tokio::test]
async fn without_a_credential_in_force_nothing_happens() {
    let world = World::new().await;
    let credentials = worthless(&world).await;
    let before = world.test.db.fingerprint().await;
    for operation in world.document.operations() {
        if operation.access == Access::Open {
            continue;
        }
        for (what, token) in &credentials {
            let body = world.body(&world.beta, &operation, &world.beta.ids);
            let answer = world.call(&operation, &world.beta.ids, token, body).await;
            assert_eq!(answer.status.as_u16(), 401, "{} with {what}: {}", operation.name(), answer.body);
            assert_eq!(answer.text("type"), "urn:mastwire:problem:unauthenticated");
            assert_eq!(world.beta.traces(&answer.body.to_string()), [""; 0], "{} with {what}", operation.name());
        }
        assert!(world.test.db.fingerprint().await == before, "{} changed something for who has no credential", operation.name());
    }
}

/// Credentials that open nothing, each with what it is.
async fn worthless(world: &World) -> Vec<(&'static str, String)> {
    let (test, beta) = (&world.test, &world.beta);
    let made = json!({ "name": "short-lived", "role": "admin" });
    let made = test.call("POST", "/api/v1/tokens", &beta.token, Some(made)).await.expect(201);
    let _ = test.call("DELETE", &format!("/api/v1/tokens/{}", made.text("id")), &beta.token, None).await.expect(204);
    let login = json!({ "login": "betelgeuse", "password": "a password for tests" });
    let ended = test.call("POST", "/api/v1/login", "", Some(login)).await.expect(200).text("token");
    let _ = test.call("POST", "/api/v1/logout", &ended, None).await.expect(204);
    let invited = json!({ "login": "rigel", "display_name": "Rigel", "role": "admin" });
    let invited = test.call("POST", "/api/v1/invitations", &beta.token, Some(invited)).await.expect(201).text("token");
    let setup = operators::recover(&test.app.db, &*test.app.entropy, test.app.clock.now(), "betelgeuse", false).await;
    let setup = setup.expect("made").expose().clone();
    let path = format!("/api/v1/platform/tenants/{}/impersonations", beta.tenant.id);
    let visit = test.call("POST", &path, &world.platform, Some(json!({ "reason": "tests" }))).await.expect(201);
    let path = format!("/api/v1/impersonations/{}", visit.text("id"));
    let _ = test.call("DELETE", &path, &beta.token, None).await.expect(204);
    let added = test.call("POST", "/api/v1/routers", &beta.token, Some(json!({ "name": "line" }))).await.expect(201);
    let line =
        added.text("line").split("x-mastwire-token:").nth(1).and_then(|rest| rest.split('"').next()).expect("a token").to_owned();
    let mut unknown = beta.token.clone();
    let last = unknown.pop().expect("not empty");
    unknown.push(if last == 'A' { 'B' } else { 'A' });
    vec![
        ("no credential", String::new()),
        ("garbage", "garbage".to_owned()),
        ("SQL", "mw_api_' OR true --".to_owned()),
        ("an unknown token", unknown),
        ("a token that was revoked", made.text("token")),
        ("a login that was ended", ended),
        ("an invitation's token", invited),
        ("a visit that was ended", visit.text("token")),
        ("a one-time link's token", setup),
        ("a line's token", line),
        ("an id", beta.tenant.id.to_string()),
    ]
}

#[tokio::test]
async fn logins_end_by_themselves() {
    let world = World::new().await;
    let login = &world.beta.tenant.token;
    let _ = world.test.call("GET", "/api/v1/me", login, None).await.expect(200);
    world.test.clock.advance(jiff::SignedDuration::from_hours(12));
    let _ = world.test.call("GET", "/api/v1/me", login, None).await.expect(401);
    let _ = world.test.call("GET", "/api/v1/me", &world.platform, None).await.expect(401);
}

#[tokio::test]
async fn logins_end_with_what_they_stand_on() {
    let world = World::new().await;
    let test = &world.test;
    let mut owner = test.db.connect_as("mastwire_owner").await;
    let logins = [&world.alpha.tenant.token, &world.beta.tenant.token, &world.platform];
    for (change, who, path) in [
        ("UPDATE operator SET status = 'suspended' WHERE login = 'aldebaran'", 0, "/api/v1/routers"),
        ("DELETE FROM membership WHERE operator_id = (SELECT id FROM operator WHERE login = 'betelgeuse')", 1, "/api/v1/routers"),
        ("UPDATE operator SET platform = false WHERE platform", 2, "/api/v1/platform/tenants"),
    ] {
        let _ = test.call("GET", path, logins[who], None).await.expect(200);
        sqlx::query(change).execute(&mut owner).await.expect("the owner may");
        let _ = test.call("GET", path, logins[who], None).await.expect(401);
    }
    for login in ["aldebaran", "betelgeuse", "admin"] {
        let body = json!({ "login": login, "password": "a password for tests" });
        let _ = test.call("POST", "/api/v1/login", "", Some(body)).await.expect(401);
    }
}

/// The few operations that need no credential want something else instead, and work.
#[tokio::test]
async fn open_operations_work_without_a_credential() {
    let world = World::new().await;
    let (test, beta) = (&world.test, &world.beta);
    let open = Document::new().operations().into_iter().filter(|operation| operation.open).map(|operation| operation.name());
    assert_eq!(
        open.collect::<Vec<_>>(),
        ["POST /delivery-reports", "GET /enrolment/block", "POST /invitations/accept", "POST /login", "POST /setup"],
        "try each of them here"
    );
    reports(&world).await;
    let login = json!({ "login": "betelgeuse", "password": "a password for tests" });
    let _ = test.call("POST", "/api/v1/login", "", Some(login)).await.expect(200);
    test.operator(&beta.tenant, "rigel", json!({ "role": "viewer" })).await;
    let setup =
        operators::recover(&test.app.db, &*test.app.entropy, test.app.clock.now(), "betelgeuse", false).await.expect("made");
    let body = json!({ "token": setup.expose(), "password": "another password" });
    let _ = test.call("POST", "/api/v1/setup", "", Some(body)).await.expect(204);
    let added = test.call("POST", "/api/v1/routers", &beta.token, Some(json!({ "name": "line" }))).await.expect(201);
    let line = added.text("line");
    let token = line.split("x-mastwire-token:").nth(1).and_then(|rest| rest.split('"').next()).expect("a token");
    let request = Request::get("/api/v1/enrolment/block").header("x-mastwire-token", token).body(Body::empty()).expect("good");
    assert_eq!(test.service().oneshot(request).await.expect("infallible").status(), 200);
}

/// A report is let in by its address alone, which opens nothing else.
async fn reports(world: &World) {
    let (test, beta) = (&world.test, &world.beta.tenant.token);
    let keys = json!({
        "url": "https://sms.example/send", "body": "{phone} {text}",
        "report_id": "/id", "report_status": "/status", "report_delivered": "OK"
    });
    let gateway =
        json!({ "name": "Reports", "provider": "http_sms", "purpose": "all", "environment": "production", "credentials": keys });
    let gateway = test.call("POST", "/api/v1/gateways", beta, Some(gateway)).await.expect(201).text("id");
    let address =
        test.call("POST", &format!("/api/v1/gateways/{gateway}/report-address"), beta, None).await.expect(201).text("address");
    let (_, key) = address.split_once("?key=").expect("a key in it");
    for (key, missing) in [(key, "message"), ("mw_report_none", "report address"), (beta, "report address")] {
        let said = Some(json!({ "id": "AT-1", "status": "OK" }));
        let answer = test.call("POST", &format!("/api/v1/delivery-reports?key={key}"), "", said).await.expect(404);
        assert_eq!(answer.body["detail"], format!("there is no such {missing}"));
    }
    let _ = test.call("GET", "/api/v1/me", key, None).await.expect(401);
}
