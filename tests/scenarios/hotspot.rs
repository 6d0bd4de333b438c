//! Goal: a voucher is a hotspot customer's login, speed and time; what is used up ends on the router, and a renewal is worth its time and
//! volume in full.
//! Method: a virtual router with a hotspot; phones log in at its page with the code; the clock is moved past what was bought.

use controller::testing::{TestApp, TestTenant};
use jiff::SignedDuration;
use serde_json::{Value, json};
use system_tests::world::{
    Router, config, customer, fares, five_past, hotspot_login, isp, onboard, package, package_with, pay, planned, print, row,
    serve, until, until_in_sync,
};

const PHONE: &str = "02:00:00:00:00:11";

async fn market() -> (TestApp, TestTenant, Router) {
    let test = TestApp::running().await;
    let alpha = isp(&test, "Alpha").await;
    five_past(&test);
    let router = onboard(&test, &alpha, "market", config("CHR", "7.21.5", "CHR-MARKET-1")).await;
    let services = json!([{ "kind": "hotspot", "interface": "ether2", "walled_garden": ["pay.isp.example"] }]);
    serve(&test, &alpha, &router, services).await;
    (test, alpha, router)
}

async fn redeem(test: &TestApp, tenant: &TestTenant, body: Value) -> String {
    test.call("POST", "/api/v1/vouchers/redeem", &tenant.token, Some(body)).await.expect(201).text("customer")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voucher_is_a_login_until_its_time_is_up() {
    let (test, alpha, router) = market().await;
    let day = package(&test, &alpha, "hotspot", "Day", 5_000).await;
    let batch = json!({ "package": day, "count": 2 });
    let batch = test.call("POST", "/api/v1/voucher-batches", &alpha.token, Some(batch)).await.expect(201).body;
    let code = |at: usize| batch["codes"][at].as_str().expect("a code").to_owned();

    let visitor = redeem(&test, &alpha, json!({ "code": code(0), "router": router.id })).await;
    let login = test.call("GET", &format!("/api/v1/customers/{visitor}"), &alpha.token, None).await.expect(200).text("login");
    until_in_sync(&test, &alpha, &router).await;
    assert_eq!(hotspot_login(&router, PHONE, &login, "wrong").await["online"], false);
    let phone = hotspot_login(&router, PHONE, &login, &login).await;
    assert_eq!((&phone["online"], &phone["limit"]), (&json!(true), &json!([5_000_000, 10_000_000])), "{phone}");
    let sessions = test.call("GET", &format!("/api/v1/routers/{}/sessions", router.id), &alpha.token, None).await.expect(200);
    assert_eq!(
        (&sessions.body["items"][0]["kind"], &sessions.body["items"][0]["login"], &sessions.body["items"][0]["mac"]),
        (&json!("hotspot"), &json!(login), &json!(PHONE))
    );
    assert_eq!(planned(&test, &alpha, &router).await["writes"], 0);

    test.clock.advance(SignedDuration::from_hours(23) + SignedDuration::from_mins(59));
    assert_eq!(fares(&router, PHONE).await["online"], true, "a minute is left");
    test.clock.advance(SignedDuration::from_mins(2));
    until("the login is switched off, and no cookie lets the phone back in", async || {
        let user = row(&router, "/ip/hotspot/user", &[&format!("name={login}")]).await;
        let gone = print(&router, "/ip/hotspot/active", &[]).await.is_empty()
            && print(&router, "/ip/hotspot/cookie", &[]).await.is_empty();
        user["disabled"] == "true" && gone
    })
    .await;
    assert_eq!(hotspot_login(&router, PHONE, &login, &login).await["reason"], "invalid username or password");
    until_in_sync(&test, &alpha, &router).await;
    assert_eq!(planned(&test, &alpha, &router).await["writes"], 0);

    // A second voucher for the same customer: a whole day again, although the router has counted one already.
    redeem(&test, &alpha, json!({ "code": code(1), "router": router.id, "customer": visitor })).await;
    until_in_sync(&test, &alpha, &router).await;
    assert_eq!(hotspot_login(&router, PHONE, &login, &login).await["online"], true);
    test.clock.advance(SignedDuration::from_hours(23));
    until_in_sync(&test, &alpha, &router).await;
    assert_eq!(fares(&router, PHONE).await["online"], true, "the second day is a day long too");
}

#[tokio::test(flavor = "multi_thread")]
async fn volume_and_online_time_are_counted_apart_from_the_calendar() {
    let (test, alpha, router) = market().await;
    let volume = package_with(&test, &alpha, "hotspot", "50 MB", 2_000, json!({ "data_bytes": 50_000_000 })).await;
    let hour = package_with(&test, &alpha, "hotspot", "1 hour", 2_000, json!({ "online_seconds": 3600 })).await;
    let user = async |login: &str| row(&router, "/ip/hotspot/user", &[&format!("name={login}")]).await;

    // The phone carries 275 kB a second: 50 MB are used up after 182 s.
    let asha = customer(&test, &alpha, &router, &volume, "asha").await;
    pay(&test, &alpha, &asha, 2_000).await;
    until_in_sync(&test, &alpha, &router).await;
    assert_eq!(hotspot_login(&router, PHONE, "asha", "dial-1234").await["online"], true);
    test.clock.advance(SignedDuration::from_secs(200));
    until("the volume is used up", async || fares(&router, PHONE).await["online"] == false).await;
    assert_eq!(hotspot_login(&router, PHONE, "asha", "dial-1234").await["reason"], "user has reached traffic limit");
    assert_eq!(user("asha").await["disabled"], "false", "it is the volume that ended, not the day");
    pay(&test, &alpha, &asha, 2_000).await;
    until_in_sync(&test, &alpha, &router).await;
    assert_eq!(user("asha").await["limit-bytes-total"], "100000000", "what was bought twice is twice as much");
    let back = hotspot_login(&router, PHONE, "asha", "dial-1234").await;
    assert_eq!(back["online"], true, "{back} {:?}", user("asha").await);

    let phone = "02:00:00:00:00:12";
    let ben = customer(&test, &alpha, &router, &hour, "ben").await;
    pay(&test, &alpha, &ben, 2_000).await;
    until_in_sync(&test, &alpha, &router).await;
    // Three hours pass before the first login: they are not online time.
    test.clock.advance(SignedDuration::from_hours(3));
    assert_eq!(hotspot_login(&router, phone, "ben", "dial-1234").await["online"], true);
    test.clock.advance(SignedDuration::from_mins(59));
    assert_eq!(fares(&router, phone).await["online"], true, "a minute of the hour is left");
    test.clock.advance(SignedDuration::from_mins(2));
    until("the hour is used up", async || fares(&router, phone).await["online"] == false).await;
    pay(&test, &alpha, &ben, 2_000).await;
    until_in_sync(&test, &alpha, &router).await;
    assert_eq!(user("ben").await["limit-uptime"], "2h");
    assert_eq!(hotspot_login(&router, phone, "ben", "dial-1234").await["online"], true);
    assert_eq!(planned(&test, &alpha, &router).await["writes"], 0);
}
