//! Goal: a PPPoE customer's time ends when it is up and not before, comes back by a payment, and what people change by hand is seen by
//! the live session at once.
//! Method: the clock, which virtual routers and controller share, is moved past the ends; five minutes past the hour, so that the
//! controller acts before the router's own fuse.

use controller::testing::{TestApp, TestTenant};
use jiff::SignedDuration;
use serde_json::json;
use system_tests::world::{
    Router, apply, config, customer, dial, fares, five_past, isp, onboard, package, package_with, pay, planned, print, row,
    serve, until, until_in_sync, until_online,
};

async fn tower() -> (TestApp, TestTenant, Router) {
    let test = TestApp::running().await;
    let alpha = isp(&test, "Alpha").await;
    five_past(&test);
    let router = onboard(&test, &alpha, "tower", config("RB5009UG+S+", "7.22.3", "HF1234567AB")).await;
    serve(&test, &alpha, &router, json!([{ "kind": "pppoe", "interfaces": ["bridge"] }])).await;
    (test, alpha, router)
}

#[tokio::test(flavor = "multi_thread")]
async fn time_that_is_up_leads_to_the_pay_page_and_a_payment_leads_back() {
    let (test, alpha, router) = tower().await;
    let home = package(&test, &alpha, "pppoe", "Home", 150_000).await;
    let jane = customer(&test, &alpha, &router, &home, "jane").await;
    pay(&test, &alpha, &jane, 150_000).await;
    until_in_sync(&test, &alpha, &router).await;
    dial(&router, "jane", "dial-1234").await;
    until_online(&router, "jane", true).await;
    let session = row(&router, "/ppp/active", &["name=jane"]).await["session-id"].clone();

    // A renewal an hour later extends what is paid, and she notices nothing.
    test.clock.advance(SignedDuration::from_hours(1));
    pay(&test, &alpha, &jane, 150_000).await;
    until_in_sync(&test, &alpha, &router).await;
    test.clock.advance(SignedDuration::from_hours(24));
    apply(&test, &alpha, &router).await;
    assert_eq!(fares(&router, "jane").await["online"], true, "the first day's end is not the end");
    assert_eq!(row(&router, "/ppp/active", &["name=jane"]).await["session-id"], session, "one session all the time");

    // Two days after the first payment, and not a minute before, she is led to the pay page.
    test.clock.advance(SignedDuration::from_hours(23) - SignedDuration::from_mins(1));
    apply(&test, &alpha, &router).await;
    assert_eq!(fares(&router, "jane").await["online"], true, "a minute is left");
    test.clock.advance(SignedDuration::from_mins(2));
    until_online(&router, "jane", false).await;
    until("she dials in again and is held back", async || {
        let fares = fares(&router, "jane").await;
        fares["connected"] == true && fares["limit"] == json!([256_000, 256_000])
    })
    .await;
    assert_eq!(row(&router, "/ppp/secret", &["name=jane"]).await["profile"], "mw-expired");
    until_in_sync(&test, &alpha, &router).await;
    assert_eq!(print(&router, "/system/scheduler", &[]).await, Vec::<serde_json::Value>::new(), "nothing is left to end");
    assert_eq!(planned(&test, &alpha, &router).await["writes"], 0);

    pay(&test, &alpha, &jane, 150_000).await;
    until_online(&router, "jane", true).await;
    until("with her own speed", async || fares(&router, "jane").await["limit"] == json!([5_000_000, 10_000_000])).await;
    until_in_sync(&test, &alpha, &router).await;
    assert_eq!(planned(&test, &alpha, &router).await["writes"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_change_reaches_the_live_session() {
    let (test, alpha, router) = tower().await;
    let home = package_with(&test, &alpha, "pppoe", "Home", 150_000, json!({ "on_expiry": "disable" })).await;
    let fast = json!({ "speed": { "download_bps": 50_000_000, "upload_bps": 20_000_000 } });
    let fast = package_with(&test, &alpha, "pppoe", "Fast", 400_000, fast).await;
    let jane = customer(&test, &alpha, &router, &home, "jane").await;
    let path = format!("/api/v1/customers/{jane}");
    pay(&test, &alpha, &jane, 150_000).await;
    until_in_sync(&test, &alpha, &router).await;
    dial(&router, "jane", "dial-1234").await;
    until_online(&router, "jane", true).await;

    // Another package.
    let _ = test.call("PATCH", &path, &alpha.token, Some(json!({ "package": fast }))).await.expect(204);
    until("she has the new speed", async || fares(&router, "jane").await["limit"] == json!([20_000_000, 50_000_000])).await;
    let _ = test.call("PATCH", &path, &alpha.token, Some(json!({ "package": home }))).await.expect(204);
    until("and the old one again", async || fares(&router, "jane").await["limit"] == json!([5_000_000, 10_000_000])).await;

    // A new speed for everybody who has the package.
    let speed = json!({ "speed": { "download_bps": 12_000_000, "upload_bps": 6_000_000 } });
    let _ = test.call("PATCH", &format!("/api/v1/packages/{home}"), &alpha.token, Some(speed)).await.expect(200);
    until("she has the package's new speed", async || fares(&router, "jane").await["limit"] == json!([6_000_000, 12_000_000]))
        .await;

    // Switched off by hand, and on again.
    let _ = test.call("POST", &format!("{path}/suspend"), &alpha.token, None).await.expect(204);
    until("she is off", async || fares(&router, "jane").await["connected"] == false).await;
    let _ = test.call("POST", &format!("{path}/resume"), &alpha.token, None).await.expect(204);
    until_in_sync(&test, &alpha, &router).await;
    dial(&router, "jane", "dial-1234").await;
    until_online(&router, "jane", true).await;

    // A new password: the old one opens nothing any more.
    let body = json!({ "password": "another-5678" });
    let _ = test.call("POST", &format!("{path}/password"), &alpha.token, Some(body)).await.expect(200);
    until_in_sync(&test, &alpha, &router).await;
    dial(&router, "jane", "dial-1234").await;
    assert_eq!(fares(&router, "jane").await["reason"], "authentication failed");
    dial(&router, "jane", "another-5678").await;
    until_online(&router, "jane", true).await;

    // The end, where the package says that the login is switched off.
    test.clock.advance(SignedDuration::from_hours(24));
    until("she is off", async || fares(&router, "jane").await["connected"] == false).await;
    assert_eq!(row(&router, "/ppp/secret", &["name=jane"]).await["disabled"], "true");
    until_in_sync(&test, &alpha, &router).await;
    assert_eq!(planned(&test, &alpha, &router).await["writes"], 0);
    pay(&test, &alpha, &jane, 150_000).await;
    until_in_sync(&test, &alpha, &router).await;
    dial(&router, "jane", "another-5678").await;
    until_online(&router, "jane", true).await;
}
