//! Goal: a router has one writer at a time: who takes it out and the worker that serves it never write at once.
//! Method: the test itself holds the router's turn while a payment comes in and the router is taken out; nothing may reach the virtual
//! router meanwhile, and afterwards both are done, one after the other.

use controller::testing::TestApp;
use model::RouterId;
use routeros_sim::control::Command;
use serde_json::{Value, json};
use std::sync::Arc;
use system_tests::world::{Router, config, customer, isp, onboard, package, pay, print, serve, until, until_in_sync};

/// Returns the writes that a virtual router was sent. Reads are left out: who is online is looked up after a look, in nobody's turn.
async fn writes(router: &Router) -> Vec<Value> {
    let mut sentences = router.sim.control(Command::Transcript).await.expect("a running router tells");
    let sentences = std::mem::take(sentences.as_array_mut().expect("a list"));
    sentences.into_iter().filter(|sentence| !is_read(sentence[0].as_str().expect("a command"))).collect()
}

fn is_read(command: &str) -> bool {
    command == "/login" || ["/print", "/getall", "/listen", "/cancel"].iter().any(|verb| command.ends_with(verb))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_a_router_out_waits_for_who_writes_to_it() {
    let test = Arc::new(TestApp::running().await);
    let alpha = isp(&test, "Alpha").await;
    let router = onboard(&test, &alpha, "tower", config("RB5009UG+S+", "7.22.3", "HF1234567AC")).await;
    serve(&test, &alpha, &router, json!([{ "kind": "pppoe", "interfaces": ["bridge"] }])).await;
    let home = package(&test, &alpha, "pppoe", "Home", 150_000).await;
    let jane = customer(&test, &alpha, &router, &home, "jane").await;
    until_in_sync(&test, &alpha, &router).await;

    let id: RouterId = router.id.parse().expect("a router's id");
    let provisioner = &test.app.provisioner;
    let turn = provisioner.turn(id).await;
    let before = writes(&router).await;
    assert_ne!(before, [json!(null); 0], "the transcript tells writes");
    pay(&test, &alpha, &jane, 150_000).await;
    until("the worker waits for its turn", async || provisioner.writers(id) == 2).await;
    let path = format!("/api/v1/routers/{}", router.id);
    let removal = tokio::spawn({
        let (test, token, path) = (test.clone(), alpha.token.clone(), path.clone());
        async move { test.call("DELETE", &path, &token, None).await }
    });
    until("the removal waits for its turn", async || provisioner.writers(id) == 3).await;
    assert_eq!(writes(&router).await, before, "nobody writes out of turn");

    drop(turn);
    let removed = removal.await.expect("the request is answered").expect(200);
    assert_eq!(removed.body["cleaned"], true, "{}", removed.body);
    until("nobody writes to it any more", async || provisioner.writers(id) == 0).await;
    assert_eq!(print(&router, "/ppp/secret", &[]).await, [json!(null); 0], "the worker came first and the removal last");
    let _ = test.call("GET", &path, &alpha.token, None).await.expect(404);
}
