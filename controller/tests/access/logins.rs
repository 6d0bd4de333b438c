//! Logins that are seen and ended, passwords that are changed and lost, and floods of attempts.

use super::fixture::{PASSWORD, call, get, ids, kind, log_in, log_in_from, post};
use controller::operators;
use controller::testing::TestApp;
use jiff::SignedDuration;
use serde_json::json;

#[tokio::test]
async fn logins_are_listed_with_where_they_come_from_and_ended_one_by_one() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let body = json!({ "login": "alpha", "password": PASSWORD });
    let later = || test.clock.advance(SignedDuration::from_secs(1));
    later();
    let phone = log_in_from(&test, "192.0.2.7:4711", "a phone", body.clone()).await.expect(200).text("token");
    let long = "x".repeat(300);
    later();
    let laptop = log_in_from(&test, "192.0.2.8:4711", &long, body).await.expect(200).text("token");
    let mine = get(&test, "/me/sessions", &phone).await.expect(200);
    let of = |n: usize, field: &str| mine.body["items"][n][field].clone();
    assert_eq!(ids(&mine).len(), 3, "{}", mine.body);
    assert_eq!((of(0, "address"), of(0, "user_agent")), (json!("192.0.2.8"), json!("x".repeat(200))), "the newest first, cut");
    assert_eq!((of(1, "address"), of(1, "user_agent"), of(1, "current")), (json!("192.0.2.7"), json!("a phone"), json!(true)));
    assert_eq!(of(0, "current"), json!(false));

    let laptop_id = of(0, "id").as_str().unwrap().to_owned();
    let _ = call(&test, "DELETE", &format!("/me/sessions/{laptop_id}"), &phone, None).await.expect(204);
    let _ = get(&test, "/me", &laptop).await.expect(401);
    let _ = call(&test, "DELETE", &format!("/me/sessions/{laptop_id}"), &phone, None).await.expect(404);
    assert_eq!(post(&test, "/me/sessions/end-others", &phone, json!({})).await.expect(200).body["ended"], 1);
    let _ = get(&test, "/me", &alpha.token).await.expect(401);
    let _ = get(&test, "/me", &phone).await.expect(200);
}

#[tokio::test]
async fn an_admin_sees_and_ends_the_logins_to_their_own_isp_alone() {
    let test = TestApp::new().await;
    let (alpha, beta) = (test.tenant("Alpha").await, test.tenant("Beta").await);
    let (ben, token) = test.operator(&alpha, "ben", json!({ "role": "viewer" })).await;
    // Ben serves Beta as well; what he does there is not Alpha's affair.
    let invited = post(&test, "/invitations", &beta.token, json!({ "login": "ben", "role": "viewer" })).await.expect(201);
    let _ =
        post(&test, "/invitations/accept", "", json!({ "token": invited.text("token"), "password": PASSWORD })).await.expect(200);
    let there = json!({ "login": "ben", "password": PASSWORD, "tenant": "Beta" });
    let there = post(&test, "/login", "", there).await.expect(200).text("token");
    let seen = get(&test, &format!("/login-sessions?operator={ben}"), &alpha.token).await.expect(200);
    assert_eq!(ids(&seen).len(), 1, "{}", seen.body);
    assert_eq!(ids(&get(&test, "/me/sessions", &token).await.expect(200)).len(), 1);
    assert_eq!(ids(&get(&test, "/login-sessions", &alpha.token).await.expect(200)).len(), 2, "Ben's and the admin's");

    let at_beta = ids(&get(&test, &format!("/login-sessions?operator={ben}"), &beta.token).await.expect(200));
    let _ = call(&test, "DELETE", &format!("/login-sessions/{}", at_beta[0]), &alpha.token, None).await.expect(404);
    let _ = call(&test, "DELETE", &format!("/login-sessions/{}", ids(&seen)[0]), &alpha.token, None).await.expect(204);
    let _ = get(&test, "/me", &token).await.expect(401);
    let _ = get(&test, "/me", &there).await.expect(200);
    let _ = call(&test, "DELETE", &format!("/operators/{ben}"), &alpha.token, None).await.expect(204);
    let _ = get(&test, "/me", &there).await.expect(200);
}

#[tokio::test]
async fn when_a_login_was_last_used_is_kept_to_the_minute() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let seen = async || {
        get(&test, "/me/sessions", &alpha.token).await.expect(200).body["items"][0]["seen_at"].as_str().unwrap().to_owned()
    };
    assert_eq!(seen().await, "2026-01-15T09:00:00Z");
    test.clock.advance(SignedDuration::from_secs(59));
    assert_eq!(seen().await, "2026-01-15T09:00:00Z", "it is not written with each request");
    test.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(seen().await, "2026-01-15T09:01:00Z");
}

#[tokio::test]
async fn a_password_is_changed_by_who_knows_it_and_other_logins_end() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let other = log_in(&test, "alpha", PASSWORD).await.expect(200).text("token");
    let change = |old: &str, new: &str| json!({ "old_password": old, "new_password": new });
    let wrong = post(&test, "/me/password", &alpha.token, change("not the password", "another good one")).await.expect(400);
    assert_eq!(wrong.body["errors"][0]["field"], "old_password");
    let weak = post(&test, "/me/password", &alpha.token, change(PASSWORD, "short")).await.expect(400);
    assert_eq!(weak.body["errors"][0]["field"], "new_password");
    let _ = get(&test, "/me", &other).await.expect(200);
    let _ = post(&test, "/me/password", &alpha.token, change(PASSWORD, "another good one")).await.expect(204);
    let _ = get(&test, "/me", &other).await.expect(401);
    let _ = get(&test, "/me", &alpha.token).await.expect(200);
    let _ = log_in(&test, "alpha", PASSWORD).await.expect(401);
    let _ = log_in(&test, "alpha", "another good one").await.expect(200);
    let token = test.token(&alpha, operators::Role::Admin).await;
    let refused = post(&test, "/me/password", &token, change("another good one", "a third good one")).await.expect(403);
    assert!(refused.text("detail").contains("own affair"), "{}", refused.body);
}

#[tokio::test]
async fn who_found_a_laptop_does_not_guess_the_password_there() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let guess = json!({ "old_password": "not the password", "new_password": "another good one" });
    for _ in 0..5 {
        let _ = post(&test, "/me/password", &alpha.token, guess.clone()).await.expect(400);
    }
    let right = json!({ "old_password": PASSWORD, "new_password": "another good one" });
    assert_eq!(kind(&post(&test, "/me/password", &alpha.token, right).await.expect(429)), "locked");
}

#[tokio::test]
async fn a_lost_password_is_the_isps_affair_as_long_as_they_serve_nobody_else() {
    let test = TestApp::new().await;
    let (alpha, beta) = (test.tenant("Alpha").await, test.tenant("Beta").await);
    let (ben, old) = test.operator(&alpha, "ben", json!({ "role": "viewer" })).await;
    let link = post(&test, &format!("/operators/{ben}/reset"), &alpha.token, json!({})).await.expect(201);
    assert!(link.text("setup_url").ends_with(&format!("/setup#{}", link.text("setup_token"))));
    let set = json!({ "token": link.text("setup_token"), "password": "remembered this time" });
    let _ = post(&test, "/setup", "", set).await.expect(204);
    let _ = get(&test, "/me", &old).await.expect(401);
    let _ = log_in(&test, "ben", "remembered this time").await.expect(200);

    // A link that lies around when Ben begins to serve Beta would let Alpha's admin in there.
    let link = post(&test, &format!("/operators/{ben}/reset"), &alpha.token, json!({})).await.expect(201);
    let invited = post(&test, "/invitations", &beta.token, json!({ "login": "ben", "role": "admin" })).await.expect(201);
    let accept = json!({ "token": invited.text("token"), "password": "remembered this time" });
    let _ = post(&test, "/invitations/accept", "", accept).await.expect(200);
    let set = json!({ "token": link.text("setup_token"), "password": "chosen by Alpha's admin" });
    let _ = post(&test, "/setup", "", set).await.expect(401);
    let refused = post(&test, &format!("/operators/{ben}/reset"), &alpha.token, json!({})).await.expect(409);
    assert!(refused.text("detail").contains("platform's operator"), "{}", refused.body);
    let _ = post(&test, &format!("/operators/{ben}/reset"), &beta.token, json!({})).await.expect(409);

    let platform = test.platform().await;
    let found = get(&test, "/platform/operators?login=ben", &platform).await.expect(200);
    assert_eq!(ids(&found), std::slice::from_ref(&ben));
    assert_eq!(found.body["items"][0]["tenants"].as_array().map(Vec::len), Some(2));
    let link = post(&test, &format!("/platform/operators/{ben}/reset"), &platform, json!({})).await.expect(201);
    let set = json!({ "token": link.text("setup_token"), "password": "chosen with help" });
    let _ = post(&test, "/setup", "", set).await.expect(204);
}

#[tokio::test]
async fn attempts_from_one_place_are_limited_and_others_are_not() {
    let test = TestApp::new().await;
    test.tenant("Alpha").await;
    let wrong = |n: u32| json!({ "login": format!("nobody-{n}"), "password": "a password for tests" });
    let mut statuses = Vec::new();
    for n in 0..22 {
        statuses.push(log_in_from(&test, "198.51.100.9:1000", "a robot", wrong(n)).await.status.as_u16());
    }
    assert_eq!((&statuses[..20], &statuses[20..]), (&[401; 20][..], &[429; 2][..]));
    let right = json!({ "login": "alpha", "password": PASSWORD });
    let refused = log_in_from(&test, "198.51.100.9:2000", "a robot", right.clone()).await.expect(429);
    assert_eq!(kind(&refused), "limit-reached");
    let _ = log_in_from(&test, "198.51.100.10:1000", "a neighbour", right.clone()).await.expect(200);
    test.clock.advance(SignedDuration::from_secs(3));
    let _ = log_in_from(&test, "198.51.100.9:1000", "a robot", right).await.expect(200);
}

#[tokio::test]
async fn logins_that_ended_long_ago_are_cleared_away() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    test.clock.advance(SignedDuration::from_hours(30 * 24));
    assert_eq!(operators::clear_logins(&test.app).await.unwrap(), 0);
    let fresh = log_in(&test, "alpha", PASSWORD).await.expect(200).text("token");
    test.clock.advance(SignedDuration::from_hours(25));
    // The login and the link with which the tenant began.
    assert_eq!(operators::clear_logins(&test.app).await.unwrap(), 2);
    let _ = log_in(&test, "alpha", PASSWORD).await.expect(200);
    let _ = (get(&test, "/me", &fresh).await.expect(401), get(&test, "/me", &alpha.token).await.expect(401));
}
