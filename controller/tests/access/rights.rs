//! Permissions beside the role, and that nobody gives what they do not have.

use super::fixture::{call, get, kind, log, log_in, post, texts};
use controller::operators::{Permission, Role};
use controller::testing::TestApp;
use serde_json::json;

#[tokio::test]
async fn what_is_added_and_removed_counts_from_the_next_request_on() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let (id, ben) = test.operator(&alpha, "ben", json!({ "role": "viewer" })).await;
    let path = format!("/operators/{id}");
    let package = json!({
        "name": "Home", "kind": "pppoe", "price": { "minor": 100_000, "currency": "KES" },
        "speed": { "download_bps": 10_000_000, "upload_bps": 5_000_000 }, "validity": { "months": 1 },
    });
    let _ = post(&test, "/packages", &ben, package.clone()).await.expect(403);
    let _ = get(&test, "/routers", &ben).await.expect(200);

    let change = json!({ "added": ["packages.write", "jobs.read"], "removed": ["routers.read"] });
    let changed = call(&test, "PATCH", &path, &alpha.token, Some(change)).await.expect(200);
    let effective = texts(&changed.body["effective"]);
    assert!(effective.contains(&"packages.write") && effective.contains(&"jobs.read"), "{effective:?}");
    assert!(!effective.contains(&"routers.read"));
    let _ = post(&test, "/packages", &ben, package).await.expect(201);
    let _ = get(&test, "/routers", &ben).await.expect(403);

    let me = get(&test, "/me", &ben).await.expect(200);
    assert_eq!(me.body["permissions"], changed.body["effective"]);
    assert_eq!((me.text("role"), me.text("reach")), ("viewer".to_owned(), "all".to_owned()));
    let shown = get(&test, &path, &alpha.token).await.expect(200);
    assert_eq!(
        (texts(&shown.body["added"]), texts(&shown.body["removed"])),
        (vec!["packages.write", "jobs.read"], vec!["routers.read"])
    );
    assert!(log(&test, &alpha.token).await.iter().any(|(action, _)| action == "operator.change"));

    let back = call(&test, "PATCH", &path, &alpha.token, Some(json!({ "added": [], "removed": [] }))).await.expect(200);
    let viewer: Vec<&str> = Role::Viewer.permissions().iter().map(Permission::as_str).collect();
    assert_eq!(texts(&back.body["effective"]), viewer);
}

#[tokio::test]
async fn a_permission_that_does_not_exist_is_refused() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let (id, _) = test.operator(&alpha, "ben", json!({ "role": "viewer" })).await;
    let change = json!({ "added": ["everything"] });
    let refused = call(&test, "PATCH", &format!("/operators/{id}"), &alpha.token, Some(change)).await.expect(400);
    assert!(refused.text("detail").contains("no such permission"), "{}", refused.body);
    let token = json!({ "name": "x", "role": "viewer", "permissions": ["everything"] });
    let _ = post(&test, "/tokens", &alpha.token, token).await.expect(400);
}

#[tokio::test]
async fn nobody_gives_what_they_do_not_have_or_touches_who_has_more() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let may_invite = json!({ "role": "staff", "added": ["operators.read", "operators.write"] });
    let (own, deputy) = test.operator(&alpha, "deputy", may_invite).await;
    let (ben, _) = test.operator(&alpha, "ben", json!({ "role": "viewer" })).await;
    let people = get(&test, "/operators", &deputy).await.expect(200);
    let admin = people.body["items"].as_array().unwrap().iter().find(|item| item["role"] == "admin").expect("one");
    let admin = format!("/operators/{}", admin["id"].as_str().unwrap());
    let before = test.db.rows(None).await;
    for (method, path, body) in [
        ("PATCH", format!("/operators/{ben}"), Some(json!({ "role": "admin" }))),
        ("PATCH", format!("/operators/{ben}"), Some(json!({ "added": ["payments.reverse"] }))),
        ("PATCH", format!("/operators/{own}"), Some(json!({ "role": "admin" }))),
        ("PATCH", format!("/operators/{own}"), Some(json!({ "added": ["operators.read", "operators.write", "data.export"] }))),
        ("PATCH", admin.clone(), Some(json!({ "role": "viewer" }))),
        ("DELETE", admin.clone(), None),
        ("POST", format!("{admin}/reset"), None),
        ("PUT", format!("{admin}/assignments"), Some(json!({ "routers": [], "sites": [] }))),
        ("POST", "/invitations".to_owned(), Some(json!({ "login": "eve", "role": "admin" }))),
        ("POST", "/invitations".to_owned(), Some(json!({ "login": "eve", "role": "viewer", "added": ["data.export"] }))),
        ("POST", "/tokens".to_owned(), Some(json!({ "name": "eve", "role": "admin" }))),
        ("POST", "/tokens".to_owned(), Some(json!({ "name": "eve", "role": "viewer", "permissions": ["data.export"] }))),
    ] {
        let answer = call(&test, method, &path, &deputy, body.clone()).await;
        assert_eq!(
            (answer.status.as_u16(), kind(&answer).as_str()),
            (403, "forbidden"),
            "{method} {path} {body:?}: {}",
            answer.body
        );
    }
    let admins = get(&test, "/login-sessions", &deputy).await.expect(200);
    let theirs = admins.body["items"].as_array().unwrap().iter().find(|item| admin.ends_with(item["operator"].as_str().unwrap()));
    let theirs = format!("/login-sessions/{}", theirs.expect("the admin is logged in")["id"].as_str().unwrap());
    let _ = call(&test, "DELETE", &theirs, &deputy, None).await.expect(403);
    assert!(test.db.rows(None).await == before, "a refused request changed something");

    let _ =
        call(&test, "PATCH", &format!("/operators/{ben}"), &deputy, Some(json!({ "role": "customer_care" }))).await.expect(200);
    let _ = post(&test, "/tokens", &deputy, json!({ "name": "export", "role": "viewer" })).await.expect(201);
}

#[tokio::test]
async fn a_token_may_do_exactly_what_was_said_until_it_ends() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let body =
        json!({ "name": "paywall", "role": "staff", "permissions": ["customers.read"], "expires_at": "2026-01-15T10:00:00Z" });
    let token = post(&test, "/tokens", &alpha.token, body).await.expect(201).text("token");
    let _ = get(&test, "/customers", &token).await.expect(200);
    let _ = get(&test, "/routers", &token).await.expect(403);
    assert_eq!(texts(&get(&test, "/me", &token).await.expect(200).body["permissions"]), ["customers.read"]);
    let tokens = get(&test, "/tokens", &alpha.token).await.expect(200);
    assert_eq!(texts(&tokens.body["items"][0]["permissions"]), ["customers.read"]);
    assert!(tokens.body["items"][0]["created_by"].as_str().unwrap().starts_with("operator:opr_"));
    test.clock.advance(jiff::SignedDuration::from_hours(1));
    let _ = get(&test, "/customers", &token).await.expect(401);
    let past = json!({ "name": "late", "role": "viewer", "expires_at": "2026-01-15T09:30:00Z" });
    let refused = post(&test, "/tokens", &alpha.token, past).await.expect(400);
    assert_eq!(refused.body["errors"][0]["field"], "expires_at");
}

#[tokio::test]
async fn one_admin_of_the_whole_isp_is_always_left() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let own = get(&test, "/operators", &alpha.token).await.expect(200).body["items"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/operators/{own}");
    for change in [json!({ "role": "staff" }), json!({ "removed": ["jobs.read"] }), json!({ "reach": "assigned" })] {
        let refused = call(&test, "PATCH", &path, &alpha.token, Some(change.clone())).await.expect(409);
        assert!(refused.text("detail").contains("last admin"), "{change}");
    }
    let _ = call(&test, "DELETE", &path, &alpha.token, None).await.expect(409);
    // An admin who lacks something is none who could give it back.
    test.operator(&alpha, "half", json!({ "role": "admin", "removed": ["data.export"] })).await;
    let _ = call(&test, "DELETE", &path, &alpha.token, None).await.expect(409);
    let (_, second) = test.operator(&alpha, "second", json!({ "role": "admin" })).await;
    let _ = call(&test, "DELETE", &path, &alpha.token, None).await.expect(204);
    let _ = get(&test, "/operators", &second).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_admins_who_remove_each_other_at_once_leave_one() {
    let test = TestApp::new().await;
    for round in 0..5 {
        let alpha = test.tenant(&format!("Alpha{round}")).await;
        let first = get(&test, "/operators", &alpha.token).await.expect(200).body["items"][0]["id"].as_str().unwrap().to_owned();
        let (second, token) = test.operator(&alpha, &format!("second{round}"), json!({ "role": "admin" })).await;
        let (first, second) = (format!("/operators/{first}"), format!("/operators/{second}"));
        let (one, other) =
            tokio::join!(call(&test, "DELETE", &second, &alpha.token, None), call(&test, "DELETE", &first, &token, None));
        let gone = [&one, &other].into_iter().filter(|answer| answer.status == 204).count();
        assert_eq!(gone, 1, "{} {}", one.body, other.body);
    }
}

#[tokio::test]
async fn who_is_removed_is_out_at_once_and_what_they_offered_is_void() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let (id, ben) = test.operator(&alpha, "ben", json!({ "role": "admin" })).await;
    let invited = post(&test, "/invitations", &ben, json!({ "login": "friend", "role": "admin" })).await.expect(201);
    let _ = call(&test, "DELETE", &format!("/operators/{id}"), &alpha.token, None).await.expect(204);
    let _ = get(&test, "/me", &ben).await.expect(401);
    let _ = log_in(&test, "ben", super::fixture::PASSWORD).await.expect(401);
    let _ = call(&test, "DELETE", &format!("/operators/{id}"), &alpha.token, None).await.expect(404);
    let accept = json!({ "token": invited.text("token"), "password": "a password of a friend" });
    let _ = post(&test, "/invitations/accept", "", accept).await.expect(401);
    // Who comes back later comes back with a new login.
    let invited = post(&test, "/invitations", &alpha.token, json!({ "login": "ben", "role": "viewer" })).await.expect(201);
    let accept = json!({ "token": invited.text("token"), "password": super::fixture::PASSWORD });
    let _ = post(&test, "/invitations/accept", "", accept).await.expect(200);
    let _ = get(&test, "/me", &ben).await.expect(401);
}
