//! Goal: one ISP's dead-slow routers delay nobody else's payment.
//! Method: more crawling routers than one ISP may keep busy at once all get something to do; then another ISP's customer pays.

use controller::testing::TestApp;
use routeros_sim::control::Fault;
use serde_json::json;
use system_tests::world::{config, customer, dial, fault, isp, onboard, package, pay, serve, state, until_in_sync, until_online};

/// One more than the places that one ISP has.
const SLOW: usize = 9;

#[tokio::test(flavor = "multi_thread")]
async fn slow_routers_of_one_isp_do_not_delay_another() {
    let test = TestApp::running().await;
    let (alpha, beta) = (isp(&test, "Alpha").await, isp(&test, "Beta").await);
    let services = json!([{ "kind": "pppoe", "interfaces": ["bridge"] }]);
    let home = package(&test, &alpha, "pppoe", "Home", 1_000).await;
    let mut slow = Vec::new();
    for number in 0..SLOW {
        let serial = format!("SLOW-{number}");
        let router = onboard(&test, &alpha, &serial, config("RB5009UG+S+", "7.22.3", &serial)).await;
        serve(&test, &alpha, &router, services.clone()).await;
        let who = customer(&test, &alpha, &router, &home, &format!("customer-{number}")).await;
        until_in_sync(&test, &alpha, &router).await;
        slow.push((router, who));
    }
    let router = onboard(&test, &beta, "tower", config("RB5009UG+S+", "7.22.3", "FAST")).await;
    serve(&test, &beta, &router, services).await;
    let home = package(&test, &beta, "pppoe", "Home", 1_000).await;
    let jane = customer(&test, &beta, &router, &home, "jane").await;
    until_in_sync(&test, &beta, &router).await;

    for (router, who) in &slow {
        fault(router, Fault::Slow { bytes_per_second: Some(1) }).await;
        pay(&test, &alpha, who, 1_000).await;
    }
    pay(&test, &beta, &jane, 1_000).await;
    until_in_sync(&test, &beta, &router).await;
    dial(&router, "jane", "dial-1234").await;
    until_online(&router, "jane", true).await;
    for (router, _) in &slow {
        assert_eq!(state(&test, &alpha, router).await["in_sync"], false, "the others are still stuck");
    }
}
