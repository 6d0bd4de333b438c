//! Goal: a router's configuration is kept as a history in which another admin's change is seen, and nothing is left on the router.
//! Method: virtual routers with services; lines typed at their terminals as another admin would; configurations taken over the API, at night
//! and before risky changes.

use controller::configurations;
use controller::provisioning::{self, Night};
use controller::testing::{TestApp, TestTenant};
use serde_json::{Value, json};
use system_tests::world::{Router, apply, config, customer, isp, onboard, package, pay, print, serve, type_in, until_in_sync};

async fn tower(test: &TestApp, version: &str) -> (TestTenant, Router) {
    let tenant = isp(test, "Alpha").await;
    let router = onboard(test, &tenant, "tower", config("RB5009UG+S+", version, "HF1234567AB")).await;
    serve(test, &tenant, &router, json!([{ "kind": "pppoe", "interfaces": ["bridge"] }])).await;
    (tenant, router)
}

async fn take(test: &TestApp, tenant: &TestTenant, router: &Router) -> (String, bool) {
    let path = format!("/api/v1/routers/{}/configurations", router.id);
    let taken = test.call("POST", &path, &tenant.token, None).await.expect(200);
    (taken.text("id"), taken.body["new"] == true)
}

async fn history(test: &TestApp, tenant: &TestTenant, router: &Router) -> Vec<Value> {
    let path = format!("/api/v1/routers/{}/configurations", router.id);
    test.call("GET", &path, &tenant.token, None).await.expect(200).body["items"].as_array().expect("a list").clone()
}

async fn diff(test: &TestApp, tenant: &TestTenant, id: &str) -> String {
    test.call("GET", &format!("/api/v1/configurations/{id}/diff"), &tenant.token, None).await.expect(200).text("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn another_admins_change_is_named_and_nothing_else() {
    for version in ["7.20.8", "7.21.5", "7.22.3"] {
        let test = TestApp::running().await;
        let (alpha, router) = tower(&test, version).await;
        let home = package(&test, &alpha, "pppoe", "Home", 150_000).await;
        let asha = customer(&test, &alpha, &router, &home, "asha").await;
        pay(&test, &alpha, &asha, 150_000).await;
        until_in_sync(&test, &alpha, &router).await;
        let (first, new) = take(&test, &alpha, &router).await;
        assert!(new);
        assert_eq!(take(&test, &alpha, &router).await, (first.clone(), false), "{version}: the same is not kept twice");
        type_in(
            &router,
            "/ip/service/set telnet disabled=yes\n/ip/firewall/filter/add chain=forward action=drop src-address=203.0.113.9 comment=spammer",
        )
        .await;
        let (second, new) = take(&test, &alpha, &router).await;
        assert!(new);
        assert_eq!(
            diff(&test, &alpha, &second).await,
            "/ip/firewall/filter\n  + add action=drop chain=forward comment=spammer src-address=203.0.113.9\n/ip/service\n  + set telnet disabled=yes\n",
            "{version}"
        );
        let text =
            test.call("GET", &format!("/api/v1/configurations/{second}"), &alpha.token, None).await.expect(200).text("text");
        assert!(text.contains(&format!("by RouterOS {version}")) && text.contains("name=asha"), "{text}");
        assert!(!text.contains("password=") && !text.contains("private-key="), "no secret is in it: {text}");
        assert_eq!(print(&router, "/file", &[]).await, [] as [Value; 0], "{version}: nothing stays on the router");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_night_takes_one_of_each_router_that_is_there() {
    let test = TestApp::running().await;
    let (alpha, router) = tower(&test, "7.22.3").await;
    let gone = onboard(&test, &alpha, "mast", config("RB5009UG+S+", "7.22.3", "HF7654321AB")).await;
    let before = history(&test, &alpha, &router).await.len();
    let night = provisioning::take_all(&test.app).await.expect("a night");
    assert_eq!((night.taken, night.away, night.failed), (2, 0, 0));
    type_in(&router, "/system/identity/set name=ridge").await;
    let night = provisioning::take_all(&test.app).await.expect("a night");
    assert_eq!(night, Night { taken: 2, new: 1, away: 0, failed: 0 });
    let listed = history(&test, &alpha, &router).await;
    assert!(listed.len() > before && listed[0]["reason"] == "nightly", "{listed:?}");
    let newest = listed[0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(diff(&test, &alpha, &newest).await, "/system/identity\n  + set name=ridge\n");
    drop(gone);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_risky_change_is_preceded_by_a_copy_of_what_was_there() {
    let test = TestApp::running().await;
    let alpha = isp(&test, "Alpha").await;
    let router = onboard(&test, &alpha, "tower", config("RB5009UG+S+", "7.22.3", "HF1234567AB")).await;
    type_in(&router, "/ip/pool/add name=theirs ranges=10.77.0.2-10.77.0.9").await;
    assert_eq!(history(&test, &alpha, &router).await, [] as [Value; 0]);
    // The first plan has changes that may cut the tunnel.
    serve(&test, &alpha, &router, json!([{ "kind": "pppoe", "interfaces": ["bridge"] }])).await;
    let listed = history(&test, &alpha, &router).await;
    assert_eq!((listed.len(), &listed[0]["reason"]), (1, &json!("before_change")), "{listed:?}");
    let copy = listed[0]["id"].as_str().expect("an id").to_owned();
    let text = test.call("GET", &format!("/api/v1/configurations/{copy}"), &alpha.token, None).await.expect(200).text("text");
    assert!(
        text.contains("name=theirs") && !text.contains("/interface pppoe-server server"),
        "it is what was there before: {text}"
    );
    let (after, _) = take(&test, &alpha, &router).await;
    assert!(diff(&test, &alpha, &after).await.contains("/interface/pppoe-server/server\n  + add "));
    assert_eq!(print(&router, "/file", &[]).await, [] as [Value; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_a_controller_left_is_removed_by_the_next_look() {
    let test = TestApp::running().await;
    let (alpha, router) = tower(&test, "7.22.3").await;
    type_in(&router, "/file/add name=mastwire-export.rsc contents=old\n/file/add name=theirs.rsc contents=theirs").await;
    let doors = test.app.db.locator().tenants("test").await.expect("the tenants");
    let door = doors.into_iter().find(|door| door.tenant() == alpha.id).expect("the tenant");
    let id = router.id.parse().expect("an id");
    let mut tx = test.app.db.tenant(&door).await.expect("a transaction");
    configurations::note_file(&mut tx, id, true).await.expect("noted");
    tx.commit().await.expect("committed");
    apply(&test, &alpha, &router).await;
    let files: Vec<Value> = print(&router, "/file", &[]).await.into_iter().map(|file| file["name"].clone()).collect();
    assert_eq!(files, ["theirs.rsc"], "ours went, and theirs stays");
    let mut tx = test.app.db.tenant(&door).await.expect("a transaction");
    assert!(!configurations::file_left(&mut tx, id).await.expect("known"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_that_forbids_it_says_so_and_serves_on() {
    let test = TestApp::running().await;
    let (alpha, router) = tower(&test, "7.22.3").await;
    type_in(&router, "/user/group/set [find name=\"mastwire\"] policy=api,read,policy,test,sensitive").await;
    let path = format!("/api/v1/routers/{}/configurations", router.id);
    let refused = test.call("POST", &path, &alpha.token, None).await.expect(502);
    assert!(refused.text("detail").contains("give its group the policies read and write"), "{}", refused.body);
    let told = test.call("GET", &path, &alpha.token, None).await.expect(200);
    assert!(told.text("failure").contains("not enough permissions"), "{}", told.body);
}
