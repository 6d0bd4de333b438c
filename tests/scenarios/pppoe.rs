//! Goal: a router is onboarded by one paste, and a payment puts its PPPoE customer online; what holds already is not written again.
//! Method: a virtual router dials the hub over loopback; customers dial it; everything goes through the API that people use.

use controller::testing::TestApp;
use routeros_sim::control::{Command, Fault};
use serde_json::json;
use system_tests::world::{
    config, customer, customer_with, dial_on, fares, fault, isp, onboard, package, pay, planned, row, serve, until,
    until_in_sync, until_online,
};

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

#[tokio::test(flavor = "multi_thread")]
async fn callers_in_vlans_are_answered_from_their_own_device_alone() {
    const BOX: &str = "02:00:00:00:00:01";
    let test = TestApp::running().await;
    let alpha = isp(&test, "Alpha").await;
    for version in ["7.20.8", "7.21.5", "7.22.3"] {
        let router = onboard(&test, &alpha, &format!("mast {version}"), config("CHR", version, &format!("CHR-{version}"))).await;
        serve(&test, &alpha, &router, json!([{ "kind": "pppoe", "interfaces": ["ether3"], "vlans": "300,100-199" }])).await;
        let server = row(&router, "/interface/pppoe-server/server", &["interface=ether3"]).await;
        assert_eq!(server["pppoe-over-vlan-range"], "100-199,300", "{version}");
        let home = package(&test, &alpha, "pppoe", &format!("Home {version}"), 150_000).await;
        let login = format!("jane-{version}");
        let jane = customer_with(&test, &alpha, &router, &home, &login, json!({ "mac": BOX })).await;
        pay(&test, &alpha, &jane, 150_000).await;
        until_in_sync(&test, &alpha, &router).await;

        dial_on(&router, "ether3:120", &login, "dial-1234").await;
        assert_eq!(fares(&router, &login).await["reason"], "authentication failed", "{version}: another device than hers");
        router.sim.control(Command::Hangup { name: login.clone() }).await.expect("it is switched off");
        let dial = async |interface: &str| {
            let (name, password) = (login.clone(), "dial-1234".to_owned());
            router
                .sim
                .control(Command::Dial { name, password, interface: interface.to_owned(), mac: BOX.to_owned() })
                .await
                .expect("it dials")
        };
        assert_eq!(dial("ether3:200").await["reason"], "no PPPoE server answers", "{version}");
        dial("ether3:120").await;
        until_online(&router, &login, true).await;
        assert_eq!(fares(&router, &login).await["limit"], json!([5_000_000, 10_000_000]), "{version}");
        until_in_sync(&test, &alpha, &router).await;
        let plan = planned(&test, &alpha, &router).await;
        assert_eq!(plan["writes"], 0, "{version}: {plan}");

        // Taken back, the router is as if there had never been any.
        serve(&test, &alpha, &router, json!([{ "kind": "pppoe", "interfaces": ["ether3"] }])).await;
        let server = row(&router, "/interface/pppoe-server/server", &["interface=ether3"]).await;
        assert_eq!(server["pppoe-over-vlan-range"].as_str().unwrap_or_default(), "", "{version}");
        assert_eq!(planned(&test, &alpha, &router).await["writes"], 0, "{version}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_dials_while_a_payment_is_written_comes_online() {
    let test = TestApp::running().await;
    let alpha = isp(&test, "Alpha").await;
    let router = onboard(&test, &alpha, "tower", config("RB5009UG+S+", "7.22.3", "HF1234567AB")).await;
    serve(&test, &alpha, &router, json!([{ "kind": "pppoe", "interfaces": ["bridge"] }])).await;
    let home = package(&test, &alpha, "pppoe", "Home", 150_000).await;
    let jane = customer(&test, &alpha, &router, &home, "jane").await;
    until_in_sync(&test, &alpha, &router).await;
    // The answers take their time, so that what is written was planned from what was there before.
    fault(&router, Fault::Slow { bytes_per_second: Some(20_000) }).await;
    pay(&test, &alpha, &jane, 150_000).await;
    let written = async || row(&router, "/ppp/secret", &["name=jane"]).await["profile"] != "mw-expired";
    let dials = async || {
        let written = written().await;
        if !written {
            dial_on(&router, "ether5", "jane", "dial-1234").await;
        }
        written
    };
    until("the payment is on the router", dials).await;
    fault(&router, Fault::Slow { bytes_per_second: None }).await;
    until_online(&router, "jane", true).await;
}
