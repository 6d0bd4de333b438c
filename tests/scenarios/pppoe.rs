//! Goal: a router is onboarded by one paste, and a payment puts its PPPoE customer online; what holds already is not written again.
//! Method: a virtual router dials the hub over loopback; customers dial it; everything goes through the API that people use.

use controller::testing::TestApp;
use routeros_sim::control::Command;
use serde_json::json;
use system_tests::world::{config, customer, fares, onboard, package, pay, serve, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_puts_the_customer_online() {
    let test = TestApp::running().await;
    let alpha = test.tenant("Alpha").await;
    let router = onboard(&test, &alpha, "tower", config("RB5009UG+S+", "7.22.3", "HF1234567AB")).await;
    let preflight = test.call("GET", &format!("/api/v1/routers/{}/preflight", router.id), &alpha.token, None).await.expect(200);
    assert_eq!(preflight.body["serial"], "HF1234567AB");

    let services = json!([{ "kind": "pppoe", "interfaces": ["bridge"] }]);
    let applied = serve(&test, &alpha, &router, services.clone()).await;
    assert!(applied["writes"].as_u64().unwrap() > 0, "{applied}");
    let again = serve(&test, &alpha, &router, services.clone()).await;
    assert_eq!(again["writes"], 0, "the second pass writes nothing");

    let home = package(&test, &alpha, "pppoe", "Home", 150_000).await;
    let jane = customer(&test, &alpha, &router, &home, "jane").await;
    let dial =
        Command::Dial { name: "jane".into(), password: "dial-1234".into(), interface: "ether5".into(), mac: String::new() };
    router.sim.control(dial).await.expect("she dials");
    let payment = pay(&test, &alpha, &jane, 150_000).await;

    until("jane reaches the internet", async || fares(&router, "jane").await["online"] == true).await;
    let path = format!("/api/v1/payments/{payment}");
    until("the payment's timeline is whole", async || {
        !test.call("GET", &path, &alpha.token, None).await.expect(200).body["online_at"].is_null()
    })
    .await;
    assert_eq!(serve(&test, &alpha, &router, services).await["writes"], 0, "with a customer too, the second pass writes nothing");
}
