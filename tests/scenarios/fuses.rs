//! Goal: with the controller gone, the router itself ends what is not paid any further, at the next full hour and not before; nobody is
//! cut early; and when the controller is back, there is nothing for it to set right.
//! Method: the controller with its hub is switched off while the clock moves past the ends of four customers, one of each sort.

use controller::testing::{TestApp, TestTenant};
use jiff::SignedDuration;
use routeros_sim::control::Command;
use serde_json::json;
use system_tests::world::{
    Router, apply, change_sets, config, customer, customer_with, dial_on, fares, five_past, hotspot_login, isp, onboard, package,
    package_with, pay, planned, print, row, serve, until, until_in_sync, until_online,
};

const PHONE: &str = "02:00:00:00:00:11";
const SHOP: &str = "198.51.100.20";

#[tokio::test(flavor = "multi_thread")]
async fn the_router_ends_grants_by_itself() {
    let mut test = TestApp::running().await;
    let alpha = isp(&test, "Alpha").await;
    five_past(&test);
    let router = onboard(&test, &alpha, "tower", config("CHR", "7.22.3", "CHR-TOWER-1")).await;
    let services = json!([{ "kind": "pppoe", "interfaces": ["ether3"] }, { "kind": "hotspot", "interface": "ether2" }]);
    serve(&test, &alpha, &router, services).await;
    let home = package(&test, &alpha, "pppoe", "Home", 150_000).await;
    let strict = package_with(&test, &alpha, "pppoe", "Strict", 150_000, json!({ "on_expiry": "disable" })).await;
    let line = package(&test, &alpha, "static", "Line", 150_000).await;
    let day = package(&test, &alpha, "hotspot", "Day", 150_000).await;
    let jane = customer(&test, &alpha, &router, &home, "jane").await;
    let joe = customer(&test, &alpha, &router, &strict, "joe").await;
    let late = customer(&test, &alpha, &router, &home, "late").await;
    let visitor = customer(&test, &alpha, &router, &day, "visitor").await;
    let guest = customer(&test, &alpha, &router, &day, "guest").await;
    let shop = customer_with(&test, &alpha, &router, &line, "shop", json!({ "address": SHOP })).await;
    for who in [&jane, &joe, &late, &late, &visitor, &guest, &shop] {
        pay(&test, &alpha, who, 150_000).await;
    }
    until_in_sync(&test, &alpha, &router).await;
    for name in ["jane", "joe", "late"] {
        dial_on(&router, "ether3", name, "dial-1234").await;
        until_online(&router, name, true).await;
    }
    router.sim.control(Command::Static { address: SHOP.parse().expect("an address") }).await.expect("a host");
    assert_eq!(hotspot_login(&router, PHONE, "visitor", "dial-1234").await["online"], true);
    let before = change_sets(&test, &alpha, &router).await.len();

    test.power_off().await;
    test.clock.advance(SignedDuration::from_hours(24) - SignedDuration::from_mins(1));
    for name in ["jane", "joe", "late", PHONE, SHOP] {
        assert_eq!(fares(&router, name).await["online"], true, "{name} has a minute left");
    }
    // The end is at about five past; fuses wait for the full hour, a hotspot's own limit does not.
    test.clock.advance(SignedDuration::from_mins(2));
    until_online(&router, PHONE, false).await;
    test.clock.advance(SignedDuration::from_mins(50));
    for name in ["jane", "joe", "late", SHOP] {
        assert_eq!(fares(&router, name).await["online"], true, "{name} is cut at the full hour and not before");
    }
    assert_eq!(row(&router, "/ip/hotspot/user", &["name=guest"]).await["disabled"], "false");
    test.clock.advance(SignedDuration::from_mins(5));
    for name in ["jane", "joe", SHOP] {
        until_online(&router, name, false).await;
    }
    assert_eq!(row(&router, "/ppp/secret", &["name=jane"]).await["profile"], "mw-expired");
    assert_eq!(row(&router, "/ppp/secret", &["name=joe"]).await["disabled"], "true");
    until("the guest, who never came, is off too", async || {
        row(&router, "/ip/hotspot/user", &["name=guest"]).await["disabled"] == "true"
    })
    .await;
    assert_eq!(fares(&router, "late").await["online"], true, "who has paid two days is left alone");

    test.power_on().await;
    let path = format!("/api/v1/routers/{}", router.id);
    let connected = async || test.call("GET", &path, &alpha.token, None).await.expect(200).body["tunnel"]["connected"] == true;
    until("the router has found the hub again", connected).await;
    nothing_is_set_right(&test, &alpha, &router, before).await;
    assert_eq!(print(&router, "/system/scheduler", &[]).await.len(), 1, "one fuse is left, of the one who has paid");
    assert_eq!(planned(&test, &alpha, &router).await["writes"], 0);
    assert_eq!(fares(&router, "late").await["online"], true);
}

/// Has the controller look, and checks that since there were `before` plans nothing was written but that burnt fuses were cleared away.
async fn nothing_is_set_right(test: &TestApp, tenant: &TestTenant, router: &Router, before: usize) {
    apply(test, tenant, router).await;
    let sets = change_sets(test, tenant, router).await;
    for set in &sets[..sets.len() - before] {
        for change in set["changes"]["changes"].as_array().into_iter().flatten() {
            let (menu, what) = (&change["menu"], &change["action"]["what"]);
            assert_eq!((menu, what), (&json!("/system/scheduler"), &json!("remove")), "{change}");
        }
        assert_eq!(set["changes"]["kicks"], json!([]), "nobody is kicked");
    }
}
