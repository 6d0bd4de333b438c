//! Goal: a customer with an address of their own gets a queue with their speed, is led to the pay page when the time is up, or cut off
//! where the package says so, and comes back by a payment.
//! Method: a host with that address behind a virtual router; the clock is moved past the end.

use controller::testing::TestApp;
use jiff::SignedDuration;
use routeros_sim::control::Command;
use serde_json::json;
use system_tests::world::{
    config, customer_with, fares, five_past, isp, onboard, package, package_with, pay, planned, print, row, serve, until_in_sync,
    until_online,
};

const SHOP: &str = "198.51.100.20";
const BANK: &str = "198.51.100.21";

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_with_an_own_address() {
    let test = TestApp::running().await;
    let alpha = isp(&test, "Alpha").await;
    five_past(&test);
    let router = onboard(&test, &alpha, "mast", config("CHR", "7.20.8", "CHR-MAST-1")).await;
    serve(&test, &alpha, &router, json!([])).await;
    let line = package(&test, &alpha, "static", "Line", 500_000).await;
    let strict = package_with(&test, &alpha, "static", "Strict", 500_000, json!({ "on_expiry": "disable" })).await;
    let shop = customer_with(&test, &alpha, &router, &line, "shop", json!({ "address": SHOP })).await;
    let bank = customer_with(&test, &alpha, &router, &strict, "bank", json!({ "address": BANK })).await;
    for address in [SHOP, BANK] {
        router.sim.control(Command::Static { address: address.parse().expect("an address") }).await.expect("a host");
    }
    until_in_sync(&test, &alpha, &router).await;
    let list = async |name: &str| {
        let rows = print(&router, "/ip/firewall/address-list", &[&format!("list={name}")]).await;
        rows.into_iter().map(|row| row["address"].as_str().expect("an address").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((list("mw-expired").await, list("mw-blocked").await), (vec![SHOP.to_owned()], vec![BANK.to_owned()]));
    assert_eq!(fares(&router, SHOP).await["online"], false, "nothing is paid");

    pay(&test, &alpha, &shop, 500_000).await;
    pay(&test, &alpha, &bank, 500_000).await;
    until_in_sync(&test, &alpha, &router).await;
    until_online(&router, SHOP, true).await;
    until_online(&router, BANK, true).await;
    assert_eq!(fares(&router, SHOP).await["limit"], json!([5_000_000, 10_000_000]));
    let queue = row(&router, "/queue/simple", &["name=mw-shop"]).await;
    assert_eq!((&queue["target"], &queue["max-limit"]), (&json!("198.51.100.20/32"), &json!("5000000/10000000")));

    test.clock.advance(SignedDuration::from_hours(24) - SignedDuration::from_mins(1));
    assert_eq!(fares(&router, SHOP).await["online"], true, "a minute is left");
    test.clock.advance(SignedDuration::from_mins(2));
    until_online(&router, SHOP, false).await;
    until_online(&router, BANK, false).await;
    until_in_sync(&test, &alpha, &router).await;
    assert_eq!((list("mw-expired").await, list("mw-blocked").await), (vec![SHOP.to_owned()], vec![BANK.to_owned()]));
    assert_eq!(planned(&test, &alpha, &router).await["writes"], 0);

    pay(&test, &alpha, &shop, 500_000).await;
    until_online(&router, SHOP, true).await;
    assert_eq!(fares(&router, BANK).await["online"], false, "the other one has not paid");
    let _ = test.call("POST", &format!("/api/v1/customers/{shop}/suspend"), &alpha.token, None).await.expect(204);
    until_online(&router, SHOP, false).await;
    until_in_sync(&test, &alpha, &router).await;
    assert_eq!(list("mw-blocked").await.len(), 2, "switched off by hand is cut off");
    assert_eq!(planned(&test, &alpha, &router).await["writes"], 0);
}
