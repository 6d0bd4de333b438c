//! Goal: a customer who moves is served by the new router and forgotten by the old one; a router that moves to another ISP keeps nothing of
//! the old one, comes in by its new block alone, and leaves no way in behind.
//! Method: virtual routers of two ISPs; what they hold is printed, and what the database says of both ISPs is searched for each other.

use controller::testing::TestApp;
use routeros_sim::control::Command;
use serde_json::{Value, json};
use system_tests::world::{
    Router, config, customer, dial, isp, onboard, package, pay, print, serve, until, until_in_sync, until_online,
};

async fn secrets(router: &Router) -> Vec<Value> {
    print(router, "/ppp/secret", &[]).await.iter().map(|row| row["name"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_moves_from_one_router_to_another() {
    let test = TestApp::running().await;
    let alpha = isp(&test, "Alpha").await;
    let from = onboard(&test, &alpha, "from", config("RB5009UG+S+", "7.22.3", "HF00000FROM")).await;
    let to = onboard(&test, &alpha, "to", config("RB5009UG+S+", "7.22.3", "HF0000000TO")).await;
    for router in [&from, &to] {
        serve(&test, &alpha, router, json!([{ "kind": "pppoe", "interfaces": ["bridge"] }])).await;
    }
    let home = package(&test, &alpha, "pppoe", "Home", 150_000).await;
    let jane = customer(&test, &alpha, &from, &home, "jane").await;
    pay(&test, &alpha, &jane, 150_000).await;
    dial(&from, "jane", "dial-1234").await;
    until_online(&from, "jane", true).await;

    let path = format!("/api/v1/customers/{jane}/move");
    let _ = test.call("POST", &path, &alpha.token, Some(json!({ "router": to.id }))).await.expect(200);
    until_online(&from, "jane", false).await;
    dial(&to, "jane", "dial-1234").await;
    until_online(&to, "jane", true).await;
    for router in [&from, &to] {
        until_in_sync(&test, &alpha, router).await;
    }
    assert_eq!((secrets(&from).await, secrets(&to).await), (vec![], vec![json!("jane")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_moves_from_one_isp_to_another() {
    let test = TestApp::running().await;
    let platform = test.platform().await;
    let (alpha, beta) = (isp(&test, "Alpha").await, isp(&test, "Beta").await);
    let router = onboard(&test, &alpha, "tower of alpha", config("RB5009UG+S+", "7.22.3", "HF1234567AB")).await;
    serve(&test, &alpha, &router, json!([{ "kind": "pppoe", "interfaces": ["bridge"] }])).await;
    let home = package(&test, &alpha, "pppoe", "Home", 150_000).await;
    let jane = customer(&test, &alpha, &router, &home, "jane").await;
    pay(&test, &alpha, &jane, 150_000).await;
    until_in_sync(&test, &alpha, &router).await;
    let old = test.call("GET", &format!("/api/v1/routers/{}", router.id), &alpha.token, None).await.expect(200).text("address");
    let old_keys: Vec<Value> =
        print(&router, "/interface/wireguard", &[]).await.iter().map(|row| row["public-key"].clone()).collect();

    let body = json!({ "to": beta.id, "name": "tower", "reason": "sold", "leave_customers": true });
    let path = format!("/api/v1/platform/routers/{}/move", router.id);
    let moved = test.call("POST", &path, &platform, Some(body)).await.expect(201).body;
    assert_eq!(moved["removed"], json!({ "cleaned": true, "left": null }));
    assert_eq!(secrets(&router).await, [json!(null); 0], "nobody's password goes along");
    assert_eq!(print(&router, "/interface/wireguard/peers", &[]).await, [json!(null); 0]);
    let address = old.parse().expect("an address");
    assert!(test.app.tunnels.status(address).await.expect("the hub answers").is_none(), "the hub knows the old peer no more");

    let text = moved["router"]["block"].as_str().expect("a block").to_owned();
    router.sim.control(Command::Paste { text }).await.expect("the terminal takes it");
    let new = moved["router"]["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/routers/{new}");
    let joined = async || test.call("GET", &path, &beta.token, None).await.expect(200).body["stage"] == "joined";
    until("it joins its new ISP", joined).await;
    let _ =
        test.call("POST", &format!("{path}/confirm"), &beta.token, Some(json!({ "serial": "HF1234567AB" }))).await.expect(204);
    let router = Router { id: new, ..router };
    serve(&test, &beta, &router, json!([{ "kind": "pppoe", "interfaces": ["bridge"] }])).await;
    let theirs = package(&test, &beta, "pppoe", "Theirs", 150_000).await;
    let joe = customer(&test, &beta, &router, &theirs, "joe").await;
    pay(&test, &beta, &joe, 150_000).await;
    dial(&router, "joe", "dial-1234").await;
    until_online(&router, "joe", true).await;
    let keys: Vec<Value> =
        print(&router, "/interface/wireguard", &[]).await.iter().map(|row| row["public-key"].clone()).collect();
    assert_ne!(keys, old_keys, "its key is another");

    // The old address rests, with the old ISP; neither ISP's rows name anything of the other's.
    let rows = test.db.rows(Some(alpha.id)).await;
    let rests = rows.iter().filter(|(table, row)| table == "tunnel_address" && row.contains(&old)).count();
    assert_eq!(rests, 1);
    assert!(rows.iter().any(|(table, _)| table == "change_set"), "the history stays");
    for (mine, other) in [(&alpha, &beta), (&beta, &alpha)] {
        let rows = test.db.rows(Some(mine.id)).await;
        let mark = other.id.uuid().to_string();
        assert!(rows.iter().all(|(_, row)| !row.contains(&mark)));
    }
    assert!(test.db.rows(Some(beta.id)).await.iter().all(|(_, row)| !row.contains(&old) && !row.contains("tower of alpha")));
}
