//! The authenticator beside the password.

use super::fixture::{PASSWORD, call, get, kind, log_in, post, texts};
use controller::operators::second_factor::{from_base32, shown};
use controller::testing::TestApp;
use jiff::SignedDuration;
use serde_json::json;

const PATH: &str = "/me/second-factor";

/// Somebody's authenticator.
struct Authenticator(Vec<u8>);

impl Authenticator {
    fn code(&self, test: &TestApp) -> String {
        shown(&self.0, test.app.clock.now().as_second())
    }
}

/// Puts a second factor in force; returns it and the recovery codes.
async fn set_up(test: &TestApp, token: &str) -> (Authenticator, Vec<String>) {
    let begun = post(test, PATH, token, json!({ "password": PASSWORD })).await.expect(201);
    assert!(begun.text("otpauth_url").contains(&begun.text("secret")));
    let authenticator = Authenticator(from_base32(&begun.text("secret")));
    let code = json!({ "code": authenticator.code(test) });
    let confirmed = post(test, &format!("{PATH}/confirm"), token, code).await.expect(200);
    let codes = texts(&confirmed.body["recovery_codes"]).into_iter().map(str::to_owned).collect();
    (authenticator, codes)
}

async fn with_code(test: &TestApp, code: &str) -> controller::testing::Answer {
    post(test, "/login", "", json!({ "login": "alpha", "password": PASSWORD, "code": code })).await
}

#[tokio::test]
async fn a_login_asks_for_a_code_and_takes_each_once() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let begun = post(&test, PATH, &alpha.token, json!({ "password": PASSWORD })).await.expect(201);
    let _ = log_in(&test, "alpha", PASSWORD).await.expect(200);
    let wrong = post(&test, &format!("{PATH}/confirm"), &alpha.token, json!({ "code": "000000" })).await.expect(400);
    assert_eq!(wrong.body["errors"][0]["field"], "code");
    let _ = begun;
    let (authenticator, codes) = set_up(&test, &alpha.token).await;
    assert_eq!(codes.len(), 10);
    assert_eq!(get(&test, PATH, &alpha.token).await.expect(200).body, json!({ "in_force": true, "recovery_codes": 10 }));

    assert_eq!(kind(&log_in(&test, "alpha", PASSWORD).await.expect(401)), "code-wanted");
    assert_eq!(kind(&log_in(&test, "alpha", "not the password").await.expect(401)), "unauthenticated", "nothing is told before");
    assert_eq!(kind(&with_code(&test, &authenticator.code(&test)).await.expect(401)), "code-wanted", "it was used to confirm");
    test.clock.advance(SignedDuration::from_secs(30));
    let code = authenticator.code(&test);
    let _ = with_code(&test, &code).await.expect(200);
    let _ = with_code(&test, &code).await.expect(401);
    test.clock.advance(SignedDuration::from_secs(60));
    let earlier = shown(&authenticator.0, test.app.clock.now().as_second() - 30);
    let _ = with_code(&test, &earlier).await.expect(200);
}

#[tokio::test]
async fn wrong_codes_lock_as_wrong_passwords_do() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let (authenticator, _) = set_up(&test, &alpha.token).await;
    test.clock.advance(SignedDuration::from_secs(30));
    for _ in 0..5 {
        let _ = with_code(&test, "000000").await.expect(401);
    }
    assert_eq!(kind(&with_code(&test, &authenticator.code(&test)).await.expect(429)), "locked");
}

#[tokio::test]
async fn a_recovery_code_logs_in_once() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let (_, codes) = set_up(&test, &alpha.token).await;
    let typed = codes[3].to_lowercase().replace('-', " ");
    let _ = with_code(&test, &typed).await.expect(200);
    let _ = with_code(&test, &codes[3]).await.expect(401);
    let _ = with_code(&test, &codes[4]).await.expect(200);
    assert_eq!(get(&test, PATH, &alpha.token).await.expect(200).body["recovery_codes"], 8);
    let rows = test.db.rows(None).await;
    let kept = rows.iter().filter(|(table, _)| table == "recovery_code").count();
    assert_eq!(kept, 10);
    let plain = codes[0].replace('-', "");
    assert!(!rows.iter().any(|(_, row)| row.contains(&codes[0]) || row.contains(&plain)), "only a hash is kept");
}

#[tokio::test]
async fn it_is_given_up_with_the_password_alone_and_begun_with_it() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let _ = post(&test, PATH, &alpha.token, json!({ "password": "not the password" })).await.expect(400);
    let (_, codes) = set_up(&test, &alpha.token).await;
    let again = post(&test, PATH, &alpha.token, json!({ "password": PASSWORD })).await.expect(409);
    assert!(again.text("detail").contains("disable it first"), "{}", again.body);
    let disable = format!("{PATH}/disable");
    let _ = post(&test, &disable, &alpha.token, json!({ "password": "not the password" })).await.expect(400);
    let _ = post(&test, &disable, &alpha.token, json!({ "password": PASSWORD })).await.expect(204);
    let _ = log_in(&test, "alpha", PASSWORD).await.expect(200);
    let _ = post(&test, &disable, &alpha.token, json!({ "password": PASSWORD })).await.expect(409);
    // The codes of a factor that was given up are not those of the next.
    set_up(&test, &alpha.token).await;
    let _ = with_code(&test, &codes[0]).await.expect(401);
}

#[tokio::test]
async fn who_lost_it_gets_help_from_the_platform() {
    let test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let platform = test.platform().await;
    set_up(&test, &alpha.token).await;
    let found = get(&test, "/platform/operators?login=alpha", &platform).await.expect(200);
    assert_eq!(found.body["items"][0]["second_factor"], true);
    let path = format!("/platform/operators/{}/reset", found.body["items"][0]["id"].as_str().unwrap());
    let keep = post(&test, &path, &platform, json!({})).await.expect(201);
    let _ = post(&test, "/setup", "", json!({ "token": keep.text("setup_token"), "password": PASSWORD })).await.expect(204);
    assert_eq!(kind(&log_in(&test, "alpha", PASSWORD).await.expect(401)), "code-wanted", "a new password is no second factor");
    let _ = post(&test, &path, &platform, json!({ "forget_second_factor": true })).await.expect(201);
    let _ = log_in(&test, "alpha", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn the_platforms_people_can_be_required_to_have_one() {
    let mut test = TestApp::new().await;
    let alpha = test.tenant("Alpha").await;
    let platform = test.platform().await;
    let _ = get(&test, "/platform/tenants", &platform).await.expect(200);
    assert_eq!(get(&test, "/me", &platform).await.expect(200).body["second_factor"], false, "it is recommended");
    test.reconfigure(|config| config.platform_second_factor = true);
    assert_eq!(kind(&get(&test, "/platform/tenants", &platform).await.expect(403)), "second-factor-missing");
    let _ = get(&test, "/routers", &alpha.token).await.expect(200);
    set_up(&test, &platform).await;
    let _ = get(&test, "/platform/tenants", &platform).await.expect(200);
    let _ = call(&test, "POST", "/logout", &platform, None).await.expect(204);
}
