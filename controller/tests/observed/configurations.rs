//! A router's configuration is kept when it differs and only then, whole and sealed, and what differs is named.

use crate::fixture::Isp;
use controller::configurations::{self, Kept, PER_ROUTER_MAX, Reason};
use controller::health;
use controller::operators::Role;
use controller::retention;
use controller::testing::TestApp;
use db::PlatformActor;
use jiff::SignedDuration;
use serde_json::{Value, json};

const HEAD: &str = "# 2026-01-15 10:00:00 by RouterOS 7.22.3\n";

/// Keeps an export as if it had been taken of the ISP's router.
async fn keep(isp: &Isp<'_>, text: &str) -> Kept {
    isp.pass(60);
    let taken = configurations::read(text.as_bytes()).expect("an export");
    let mut tx = isp.test.app.db.tenant(&isp.door).await.expect("a transaction");
    let kept = configurations::keep(&isp.test.app, &mut tx, isp.router, &taken, Reason::Nightly).await.expect("kept");
    tx.commit().await.expect("committed");
    kept
}

fn pool(last: u8) -> String {
    format!("{HEAD}/ip pool\nadd name=homes ranges=10.5.0.2-10.5.0.{last}\n")
}

async fn history(isp: &Isp<'_>) -> Vec<Value> {
    isp.items(&format!("/routers/{}/configurations", isp.router)).await
}

#[tokio::test]
async fn only_what_differs_is_kept_again() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let first = keep(&isp, &pool(9)).await;
    let again = keep(&isp, &pool(9).replace("10:00:00", "11:00:00")).await;
    assert_eq!((first.new, again), (true, Kept { id: first.id, new: false }), "the date in the header is no difference");
    let second = keep(&isp, &pool(10)).await;
    let third = keep(&isp, &pool(9)).await;
    assert!(second.new && third.new && third.id != first.id, "what comes back is a change too");
    let listed = history(&isp).await;
    let ids: Vec<&str> = listed.iter().filter_map(|item| item["id"].as_str()).collect();
    assert_eq!(ids, [third.id.to_string(), second.id.to_string(), first.id.to_string()]);
    assert_eq!(
        (&listed[2]["taken_at"], &listed[2]["seen_until"]),
        (&json!("2026-01-15T09:01:00Z"), &json!("2026-01-15T09:02:00Z"))
    );
    assert_eq!(
        (&listed[0]["version"], &listed[0]["commands"], &listed[0]["reason"]),
        (&json!("7.22.3"), &json!(1), &json!("nightly"))
    );
}

#[tokio::test]
async fn a_difference_names_the_menu_the_row_and_the_value() {
    let test = TestApp::new().await;
    let (isp, other) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let first = keep(&isp, &pool(9)).await.id;
    let second = keep(&isp, &format!("{}/ip service\nset telnet disabled=yes\n", pool(200))).await.id;
    let diff = isp.get(&format!("/configurations/{second}/diff")).await.expect(200);
    assert_eq!(
        diff.text("text"),
        "/ip/pool\n  ~ add name=homes: ranges 10.5.0.2-10.5.0.9 -> 10.5.0.2-10.5.0.200\n/ip/service\n  + set telnet disabled=yes\n"
    );
    assert_eq!(
        (diff.body["before"]["id"].as_str(), diff.body["sections"].as_array().map(Vec::len)),
        (Some(&*first.to_string()), Some(2))
    );
    let same = isp.get(&format!("/configurations/{second}/diff?with={second}")).await.expect(200);
    assert_eq!(same.text("text"), "nothing differs\n");
    let _ = isp.get(&format!("/configurations/{first}/diff")).await.expect(409);
    let theirs = keep(&other, &pool(9)).await.id;
    let _ = isp.get(&format!("/configurations/{second}/diff?with={theirs}")).await.expect(404);
    let _ = isp.get(&format!("/configurations/{theirs}")).await.expect(404);
    let roof = isp.post("/routers", json!({ "name": "mast" })).await.expect(201).text("id");
    let mast = Isp { test: &test, tenant: other.tenant, router: roof.parse().expect("an id"), door: isp.door.clone() };
    let third = keep(&mast, &pool(9)).await.id;
    let wrong = isp.get(&format!("/configurations/{second}/diff?with={third}")).await.expect(400);
    assert!(wrong.body.to_string().contains("same router"), "{}", wrong.body);
}

#[tokio::test]
async fn texts_are_sealed_and_read_by_who_may_write_to_routers() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let text = format!(
        "{}/system script\nadd name=night source=\"/tool fetch password=hunter2\"\n/ppp secret\nadd name=asha password=s3cret\n",
        pool(9)
    );
    let kept = keep(&isp, &text).await.id;
    let shown = isp.get(&format!("/configurations/{kept}")).await.expect(200);
    assert!(shown.text("text").contains("hunter2"), "what a script holds cannot be told from other text");
    assert!(!shown.text("text").contains("s3cret") && shown.body["hidden"] == 1, "{}", shown.body);
    let mut owner = test.db.connect_as("mastwire_owner").await;
    let stored: String = sqlx::query_scalar(
        "SELECT encode(sealed_text, 'escape') || encode(fingerprint, 'escape') FROM configuration WHERE tenant_id = $1",
    )
    .bind(isp.tenant.id)
    .fetch_one(&mut owner)
    .await
    .expect("a row");
    assert!(!stored.contains("homes") && !stored.contains("hunter2"), "it is sealed");
    let viewer = test.token(&isp.tenant, Role::Viewer).await;
    let list = format!("/api/v1/routers/{}/configurations", isp.router);
    let _ = test.call("GET", &list, &viewer, None).await.expect(200);
    for path in [format!("/api/v1/configurations/{kept}"), format!("/api/v1/configurations/{kept}/diff")] {
        let _ = test.call("GET", &path, &viewer, None).await.expect(403);
    }
    let _ = test.call("POST", &list, &viewer, None).await.expect(403);
}

#[tokio::test]
async fn ninety_of_a_router_are_kept_and_the_one_it_holds_for_ever() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    for last in 10..=105 {
        keep(&isp, &pool(last)).await;
    }
    let kept = usize::try_from(test.db.count(isp.tenant.id).await["configuration"]).expect("few");
    assert_eq!(kept, usize::try_from(PER_ROUTER_MAX).expect("few"));
    let newest = history(&isp).await[0]["id"].clone();
    isp.test.clock.advance(SignedDuration::from_hours(24 * 400));
    // The database's own clock has its say about what is old, so it is as if all had been taken long ago.
    let mut owner = test.db.connect_as("mastwire_owner").await;
    let age = "UPDATE configuration SET taken_at = taken_at - interval '3 years', seen_until = seen_until - interval '3 years'";
    sqlx::query(age).execute(&mut owner).await.expect("aged");
    retention::forget_old(&test.app).await.expect("forgotten");
    let left: Vec<Value> = history(&isp).await.into_iter().map(|item| item["id"].clone()).collect();
    assert_eq!(left, [newest]);
}

#[tokio::test]
async fn failures_are_told_and_become_a_condition_after_three_days() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let failing = async |hours: i64| {
        test.clock.advance(SignedDuration::from_hours(hours));
        let now = test.app.clock.now();
        let mut tx = test.app.db.tenant(&isp.door).await.expect("a transaction");
        configurations::failed(&mut tx, isp.router, "the router's export is empty", now).await.expect("noted");
        let count = configurations::failing_long(&mut tx, now).await.expect("counted");
        tx.commit().await.expect("committed");
        configurations::tell(&test.app, count).await.expect("told");
        count
    };
    let conditions = async || {
        let found = health::conditions(&test.app, &PlatformActor::system("test")).await.expect("the conditions");
        found.iter().any(|condition| condition.code == "configurations.failing")
    };
    assert_eq!(failing(0).await, 0);
    assert_eq!((failing(72).await, conditions().await), (0, false), "three days and no longer");
    assert_eq!((failing(1).await, conditions().await), (1, true));
    let told = isp.get(&format!("/routers/{}/configurations", isp.router)).await.expect(200);
    assert_eq!(
        (told.text("failing_since"), told.text("failure")),
        ("2026-01-15T09:00:00Z".to_owned(), "the router's export is empty".to_owned())
    );
    keep(&isp, &pool(9)).await;
    let told = isp.get(&format!("/routers/{}/configurations", isp.router)).await.expect(200);
    assert_eq!(told.body["failure"], Value::Null);
    let mut tx = test.app.db.tenant(&isp.door).await.expect("a transaction");
    let count = configurations::failing_long(&mut tx, test.app.clock.now()).await.expect("counted");
    drop(tx);
    configurations::tell(&test.app, count).await.expect("told");
    assert!(!conditions().await, "and is over");
}
