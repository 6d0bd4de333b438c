//! What is wrong is named by its first layer, kept, and shown to be as it was written.

use crate::fixture::Isp;
use controller::testing::TestApp;
use serde_json::{Value, json};

fn statuses(diagnosis: &Value) -> Vec<&str> {
    diagnosis["steps"].as_array().expect("steps").iter().map(|step| step["status"].as_str().expect("a status")).collect()
}

#[tokio::test]
async fn a_router_that_never_joined_is_told_to_paste_its_block() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let added = isp.post("/routers", json!({ "name": "mast-2" })).await.expect(201).text("id");
    let found = isp.run(&format!("/routers/{added}/diagnose")).await.expect(201).body;
    assert_eq!(found["cause"], "never_joined");
    assert!(found["conclusion"].as_str().is_some_and(|text| text.contains("`mast-2` has never joined")), "{found}");
    assert!(found["remedy"].as_str().is_some_and(|text| text.contains("paste the block")), "{found}");
    assert_eq!(statuses(&found)[..2], ["failed", "skipped"]);
    // One that has joined and of which the hub has no key.
    let found = isp.run(&format!("/routers/{}/diagnose", isp.router)).await.expect(201).body;
    assert_eq!(
        (&found["cause"], &found["run_by"].as_str().is_some_and(|by| by.starts_with("token:"))),
        (&json!("no_tunnel"), &true)
    );
}

#[tokio::test]
async fn a_customers_diagnosis_names_the_first_layer_that_fails() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let cause = async |customer| isp.run(&format!("/customers/{customer}/diagnose")).await.expect(201).text("cause");
    let jane = isp.customer("jane").await;
    assert_eq!(cause(jane).await, "not_paid");
    let ben = isp.paying("ben").await;
    assert_eq!(cause(ben).await, "router_away");
    isp.pass(1);
    let _ = isp.post(&format!("/customers/{ben}/suspend"), json!({})).await.expect(204);
    assert_eq!(cause(ben).await, "suspended");
    let of_ben = isp.items(&format!("/diagnoses?customer={ben}")).await;
    let causes: Vec<&str> = of_ben.iter().map(|one| one["cause"].as_str().expect("a cause")).collect();
    assert_eq!(causes, ["suspended", "router_away"], "newest first");
    assert_eq!(isp.items(&format!("/diagnoses?router={}", isp.router)).await.len(), 3);
}

#[tokio::test]
async fn a_diagnosis_that_was_changed_is_not_genuine() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let changes = [
        "UPDATE diagnosis SET conclusion = 'all was well'",
        "UPDATE diagnosis SET steps = '[]'",
        "UPDATE diagnosis SET finished_at = finished_at + interval '1 second'",
        "UPDATE diagnosis SET customer_id = (SELECT id FROM customer)",
        "UPDATE diagnosis SET seal = set_byte(seal, 40, get_byte(seal, 40) # 1)",
    ];
    isp.customer("jane").await;
    let mut owner = test.db.connect_as("mastwire_owner").await;
    for change in changes {
        let made = isp.run(&format!("/routers/{}/diagnose", isp.router)).await.expect(201).body;
        let path = format!("/diagnoses/{}", made["id"].as_str().expect("an id"));
        assert_eq!(isp.get(&path).await.expect(200).body, made, "what was kept is what was told");
        assert_eq!(made["genuine"], true);
        sqlx::query(change).execute(&mut owner).await.expect("changed past all doors");
        assert_eq!(isp.get(&path).await.expect(200).body["genuine"], false, "{change}");
    }
}

#[tokio::test]
async fn diagnoses_end_at_the_wall() {
    let test = TestApp::new().await;
    let (alpha, beta) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let jane = alpha.customer("jane").await;
    let made = alpha.run(&format!("/routers/{}/diagnose", alpha.router)).await.expect(201).text("id");
    let _ = beta.get(&format!("/diagnoses/{made}")).await.expect(404);
    let _ = beta.run(&format!("/routers/{}/diagnose", alpha.router)).await.expect(404);
    let _ = beta.run(&format!("/customers/{jane}/diagnose")).await.expect(404);
    assert_eq!(beta.items("/diagnoses").await, Vec::<Value>::new());
    assert_eq!(alpha.items("/diagnoses").await.len(), 1);
}
