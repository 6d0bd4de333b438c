//! What an ISP sets holds, of two changes at once one is told, and flags stop what they name.

use crate::fixture::{DAY, Isp, Platform, kind, package};
use controller::operators::Role;
use controller::testing::TestApp;
use serde_json::{Value, json};

#[tokio::test]
async fn settings_are_versions_and_a_stale_change_is_refused() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let first = isp.get("/settings").await.expect(200).body;
    assert_eq!((first["version"].as_i64(), &first["settings"]["invoices"]["prefix"]), (Some(0), &json!("INV")));
    let set = |version: i64, prefix: &str| json!({ "version": version, "settings": { "invoices": { "prefix": prefix } } });
    assert_eq!(isp.put("/settings", set(0, "ONE")).await.expect(200).body["version"], 1);
    let stale = isp.put("/settings", set(0, "TWO")).await.expect(409);
    assert!(stale.text("detail").contains("version 1"), "{}", stale.body);
    assert_eq!(isp.put("/settings", set(1, "TWO")).await.expect(200).body["version"], 2);
    assert_eq!(isp.get("/settings").await.expect(200).body["settings"]["invoices"]["prefix"], "TWO");
    let history = isp.get("/settings/history").await.expect(200).body;
    let prefixes: Vec<&Value> =
        history["items"].as_array().unwrap().iter().map(|item| &item["settings"]["invoices"]["prefix"]).collect();
    assert_eq!(prefixes, [&json!("TWO"), &json!("ONE")], "what was set before is kept");
    assert_eq!(isp.audited("settings.change").await, 2);

    let wrong = isp.put("/settings", set(2, "lower")).await.expect(400);
    assert_eq!(wrong.body["errors"][0]["field"], "invoices.prefix");
    let unknown = json!({ "version": 2, "settings": { "colour_of_the_sky": "blue" } });
    assert!(isp.put("/settings", unknown).await.expect(400).text("detail").contains("colour_of_the_sky"));
    let (one, two) = tokio::join!(isp.put("/settings", set(2, "A")), isp.put("/settings", set(2, "B")));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
}

#[tokio::test]
async fn one_isp_sees_and_sets_nothing_of_another() {
    let test = TestApp::new().await;
    let (alpha, beta) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let set = json!({ "version": 0, "settings": { "invoices": { "prefix": "ALPHA" } } });
    let _ = alpha.put("/settings", set).await.expect(200);
    let _ = alpha.put("/flags", json!({ "name": "vouchers", "on": false })).await.expect(200);
    assert_eq!(beta.get("/settings").await.expect(200).body["version"], 0);
    let flags = beta.get("/flags").await.expect(200).body;
    assert!(flags["items"].as_array().unwrap().iter().all(|flag| flag["on"] == true));
    let viewer = test.token(&alpha.tenant, Role::Viewer).await;
    let set = json!({ "version": 1, "settings": {} });
    let _ = test.call("PUT", "/api/v1/settings", &viewer, Some(set)).await.expect(403);
}

#[tokio::test]
async fn a_package_ends_as_the_settings_say_unless_it_says_so_itself() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let made = async |name: &str, body: Value| {
        let id = isp.post("/packages", body).await.expect(201).text("id");
        (name.to_owned(), isp.get(&format!("/packages/{id}")).await.expect(200).text("on_expiry"))
    };
    assert_eq!(made("before", package("A", "pppoe")).await.1, "redirect");
    let set = json!({ "version": 0, "settings": { "on_expiry": { "pppoe": "disable" } } });
    let _ = isp.put("/settings", set).await.expect(200);
    assert_eq!(made("after", package("B", "pppoe")).await.1, "disable");
    let mut own = package("C", "pppoe");
    own["on_expiry"] = json!("redirect");
    assert_eq!(made("its own", own).await.1, "redirect");
}

#[tokio::test]
async fn a_late_renewal_counts_from_where_the_isp_says() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let business = isp.in_business().await;
    let ends = async |customer: &str| {
        let paid = isp.pay(customer).await.expect(201).text("ends_at");
        paid.parse::<jiff::Timestamp>().expect("a time")
    };
    let end: jiff::Timestamp = "2026-02-15T09:00:00Z".parse().expect("a time");
    let month_later: jiff::Timestamp = "2026-03-15T09:00:00Z".parse().expect("a time");
    // Paid on 15 January; two days late.
    let other = isp.customer("other", &business.router, &business.package).await.expect(201).text("id");
    let third = isp.customer("third", &business.router, &business.package).await.expect(201).text("id");
    assert_eq!((ends(&other).await, ends(&third).await), (end, end));
    test.clock.advance(DAY * 33);
    assert_eq!(ends(&business.customer).await, month_later + DAY * 2, "from the moment it is paid, unless they say otherwise");
    let set = json!({ "version": 0, "settings": { "late_renewal": { "from_old_end": { "within_hours": 48 } } } });
    let _ = isp.put("/settings", set).await.expect(200);
    assert_eq!(ends(&other).await, month_later, "from the old end, 48 hours after it");
    test.clock.advance(jiff::SignedDuration::from_secs(1));
    assert!(ends(&third).await > month_later + DAY * 2, "a second later it is too late for that");
}

#[tokio::test]
async fn a_package_that_would_be_over_already_counts_from_now() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let router = isp.router("roof").await.expect(201).text("id");
    let mut hour = package("Hour", "hotspot");
    hour["validity"] = json!({ "seconds": 3600 });
    let hour = isp.post("/packages", hour).await.expect(201).text("id");
    let customer = isp.customer("jane", &router, &hour).await.expect(201).text("id");
    let set = json!({ "version": 0, "settings": { "late_renewal": { "from_old_end": { "within_hours": 48 } } } });
    let _ = isp.put("/settings", set).await.expect(200);
    let _ = isp.pay(&customer).await.expect(201);
    test.clock.advance(jiff::SignedDuration::from_hours(10));
    let ends: jiff::Timestamp = isp.pay(&customer).await.expect(201).text("ends_at").parse().expect("a time");
    assert_eq!(ends, test.app.clock.now() + jiff::SignedDuration::from_hours(1));
}

#[tokio::test]
async fn what_is_turned_off_is_not_made() {
    let test = TestApp::new().await;
    let (isp, platform) = (Isp::new(&test, "Alpha").await, Platform::new(&test).await);
    let id = isp.package("Home").await;
    let turn = async |flag: &str, on: bool| isp.put("/flags", json!({ "name": flag, "on": on })).await;
    for (flag, path, body) in [
        ("pppoe", "/packages", package("A", "pppoe")),
        ("hotspot", "/packages", package("B", "hotspot")),
        ("static_addresses", "/packages", package("C", "static")),
        ("vouchers", "/voucher-batches", json!({ "package": id, "count": 1 })),
    ] {
        let _ = turn(flag, false).await.expect(200);
        let refused = isp.post(path, body.clone()).await.expect(409);
        assert!(refused.text("detail").contains(&format!("`{flag}`")), "{}", refused.body);
        let _ = turn(flag, true).await.expect(200);
        let _ = isp.post(path, body).await.expect(201);
    }
    assert_eq!(isp.audited("flag.turn").await, 8);

    // One flag is the platform's alone.
    let refused = turn("api_tokens", false).await.expect(403);
    assert_eq!(kind(&refused), "forbidden");
    let off = json!({ "name": "api_tokens", "on": false });
    let _ = platform.call("PUT", &isp.path("/flags"), Some(off)).await.expect(200);
    assert!(isp.post("/tokens", json!({ "name": "x", "role": "viewer" })).await.expect(409).text("detail").contains("platform"));
    assert_eq!(isp.audited("flag.turn").await, 9);
    let _ = isp.put("/flags", json!({ "name": "gravity", "on": false })).await.expect(400);
}

#[tokio::test]
async fn the_currency_changes_until_there_is_a_price_and_the_time_zone_always() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let change = async |body: Value| isp.call("PATCH", "/tenant", Some(body)).await;
    assert_eq!(change(json!({ "currency": "UGX" })).await.expect(200).text("currency"), "UGX");
    assert_eq!(change(json!({ "currency": "KES" })).await.expect(200).text("currency"), "KES");
    let _ = isp.package("Home").await;
    assert!(change(json!({ "currency": "UGX" })).await.expect(409).text("detail").contains("currency"));
    let changed = change(json!({ "currency": "KES", "time_zone": "Africa/Kampala" })).await.expect(200);
    assert_eq!(changed.text("time_zone"), "Africa/Kampala");
    assert_eq!(change(json!({ "country": "UG" })).await.expect(200).text("country"), "UG");
    let _ = change(json!({ "country": "Uganda" })).await.expect(400);
    assert_eq!(change(json!({ "time_zone": "Mars/Olympus" })).await.expect(400).body["errors"][0]["field"], "time_zone");
    assert_eq!(isp.audited("tenant.update").await, 4);
}

#[tokio::test]
async fn no_price_slips_in_while_the_currency_changes() {
    let test = TestApp::new().await;
    for round in 0..8 {
        let isp = Isp::new(&test, &format!("Isp{round}")).await;
        let (changed, made) = tokio::join!(
            isp.call("PATCH", "/tenant", Some(json!({ "currency": "UGX" }))),
            isp.post("/packages", package("Home", "pppoe"))
        );
        // Either the package was first and the currency stays, or the currency was and the price in the old one is refused.
        let outcome = (changed.status.as_u16(), made.status.as_u16());
        assert!([(409, 201), (200, 400)].contains(&outcome), "{outcome:?}");
    }
}
