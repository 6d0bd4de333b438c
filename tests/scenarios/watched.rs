//! Goal: who is online on a real road through the tunnel stands in the ledger with volume and end, use adds up, a router that is away is out,
//! and a diagnosis names what is wrong.
//! Method: a virtual router with PPPoE; a customer dials, is cut off, and the router loses its power; each state is looked at through the API.

use controller::testing::TestApp;
use jiff::SignedDuration;
use model::RouterId;
use serde_json::{Value, json};
use system_tests::world::{config, customer, dial, fares, isp, onboard, package, pay, serve, until, until_in_sync};

#[tokio::test(flavor = "multi_thread")]
async fn a_customers_stay_is_seen_counted_ended_and_explained() {
    let test = TestApp::running().await;
    let alpha = isp(&test, "Alpha").await;
    let router = onboard(&test, &alpha, "mast", config("RB5009UG+S+", "7.22.3", "HF-WATCH-1")).await;
    serve(&test, &alpha, &router, json!([{ "kind": "pppoe", "interfaces": ["bridge"] }])).await;
    let day = package(&test, &alpha, "pppoe", "Day", 5_000).await;
    let jane = customer(&test, &alpha, &router, &day, "jane").await;
    let get = async |path: String| test.call("GET", &format!("/api/v1{path}"), &alpha.token, None).await.expect(200).body;
    let diagnose = async |what: &str| {
        test.call("POST", &format!("/api/v1/{what}/diagnose"), &alpha.token, None).await.expect(201).body["cause"].clone()
    };
    let door = test.app.db.locator().tenants("test").await.expect("tenants").pop().expect("one");
    let id: RouterId = router.id.parse().expect("an id");
    let watch = async || controller::provisioning::watch(&test.app, &door, id).await.expect("the router lists");

    assert_eq!(diagnose(&format!("customers/{jane}")).await, "not_paid");
    pay(&test, &alpha, &jane, 5_000).await;
    until_in_sync(&test, &alpha, &router).await;
    assert_eq!(diagnose(&format!("customers/{jane}")).await, "never_online");
    dial(&router, "jane", "dial-1234").await;
    until("the customer is online", async || fares(&router, "jane").await["online"] == true).await;

    watch().await;
    let first = get(format!("/sessions?customer={jane}")).await["items"][0].clone();
    assert_eq!((&first["kind"], &first["login"], &first["router"]), (&json!("pppoe"), &json!("jane"), &json!(router.id)));
    assert_eq!(diagnose(&format!("customers/{jane}")).await, "none");
    let of_router =
        test.call("POST", &format!("/api/v1/routers/{}/diagnose", router.id), &alpha.token, None).await.expect(201).body;
    let layers = of_router["steps"].as_array().expect("steps");
    // What RouterOS comes with may give a warning; nothing fails, and every layer was looked at.
    assert!(
        layers.len() == 8 && layers.iter().all(|layer| layer["status"] == "passed" || layer["name"] == "obstacles"),
        "{of_router}"
    );
    assert_eq!(layers[7]["details"]["online"], 1, "{of_router}");

    // Ten minutes later the same session has grown, and its volume is the link's.
    test.clock.advance(SignedDuration::from_secs(600));
    let moved = async || {
        watch().await;
        get(format!("/sessions?customer={jane}")).await["items"][0].clone()
    };
    until("the volume of ten minutes is counted", async || {
        moved().await["download_bytes"].as_u64().is_some_and(|bytes| bytes > 0)
    })
    .await;
    let grown = moved().await;
    assert_eq!(grown["id"], first["id"]);
    assert!(grown["online_seconds"].as_u64().expect("a number") >= 600, "{grown}");
    let used = get(format!("/customers/{jane}/usage")).await;
    assert_eq!(used["total"]["download_bytes"], grown["download_bytes"], "what the counters grew is what was used");

    // The router gives up the session; a diagnosis finds the customer offline.
    router.sim.control(routeros_sim::control::Command::Hangup { name: "jane".into() }).await.expect("hung up");
    until("the customer is offline", async || fares(&router, "jane").await["online"] != true).await;
    assert_eq!(diagnose(&format!("customers/{jane}")).await, "offline");
    let over = get(format!("/sessions/history?customer={jane}")).await["items"][0].clone();
    assert_eq!((&over["id"], &over["cause"]), (&first["id"], &json!("unseen")));
    assert_eq!(get(format!("/sessions?customer={jane}")).await["items"], Value::Array(Vec::new()));
}
