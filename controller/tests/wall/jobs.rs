//! Goal: recurring work is done once, at its hour, by one controller, and what fails is seen.
//! Method: several controllers' names on one database, under a clock that the test moves.

use super::ROLES;
use super::world::World;
use controller::app::App;
use controller::jobs::{self, Cadence, DEFINITIONS, Definition, Outcome, Run};
use controller::testing::TestApp;
use db::TestDb;
use jiff::SignedDuration;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

static HOURLY: AtomicU32 = AtomicU32::new(0);

async fn count(_app: Arc<App>) -> Outcome {
    HOURLY.fetch_add(1, Ordering::Relaxed);
    Ok("counted".to_owned())
}

async fn succeed(_app: Arc<App>) -> Outcome {
    Ok("it works again".to_owned())
}

async fn fail(_app: Arc<App>) -> Outcome {
    Err("the disk is full".to_owned())
}

async fn panic(_app: Arc<App>) -> Outcome {
    panic!("it broke")
}

const fn job(name: &'static str, run: fn(Arc<App>) -> Run) -> Definition {
    Definition {
        name,
        about: "is a test",
        cadence: Cadence::Every(SignedDuration::from_hours(1)),
        limit: SignedDuration::from_mins(5),
        run,
    }
}

#[tokio::test]
async fn work_that_was_missed_is_made_up_for_once_and_by_one() {
    let _roles = ROLES.read().await;
    let test = TestApp::new().await;
    let list = [job("count", |app| Box::pin(count(app)))];
    jobs::plan(&test.app, &list).await.expect("planned");
    let (one, two) = tokio::join!(jobs::run_due(&test.app, "one", &list), jobs::run_due(&test.app, "two", &list));
    assert_eq!(one.expect("it answers").len() + two.expect("it answers").len(), 1);
    assert_eq!(HOURLY.load(Ordering::Relaxed), 1);
    assert!(jobs::run_due(&test.app, "one", &list).await.expect("it answers").is_empty(), "not due");
    test.clock.advance(SignedDuration::from_hours(24 * 30));
    // Planning again, as each start does, changes nothing.
    jobs::plan(&test.app, &list).await.expect("planned");
    assert_eq!(jobs::run_due(&test.app, "three", &list).await.expect("it answers"), ["count"]);
    assert!(jobs::run_due(&test.app, "three", &list).await.expect("it answers").is_empty());
    assert_eq!(HOURLY.load(Ordering::Relaxed), 2, "720 times were missed and made up for by one");
}

#[tokio::test]
async fn a_lease_keeps_others_away_until_it_ends() {
    let _roles = ROLES.read().await;
    let test = TestApp::new().await;
    let (locator, now) = (test.app.db.locator(), test.app.clock.now());
    let lease = SignedDuration::from_mins(5);
    locator.plan_work("held", now).await.expect("planned");
    assert!(locator.claim_work("held", "one", lease, now).await.expect("it answers"));
    assert!(!locator.claim_work("held", "two", lease, now).await.expect("it answers"));
    let later = now + lease;
    assert!(locator.claim_work("held", "two", lease, later).await.expect("it answers"), "the first is thought dead");
    assert!(!locator.finish_work("held", "one", Ok(""), later + lease, later).await.expect("it answers"), "it is another's now");
    assert!(locator.finish_work("held", "two", Ok(""), later + lease, later).await.expect("it answers"));
}

#[tokio::test]
async fn what_fails_is_tried_again_sooner_and_told() {
    let _roles = ROLES.read().await;
    let test = TestApp::new().await;
    let platform = test.platform().await;
    let (bad, broken, good) = (
        [job("flaky", |app| Box::pin(fail(app)))],
        [job("flaky", |app| Box::pin(panic(app)))],
        [job("flaky", |app| Box::pin(succeed(app)))],
    );
    jobs::plan(&test.app, &bad).await.expect("planned");
    jobs::run_due(&test.app, "one", &bad).await.expect("it answers");
    let health = test.call("GET", "/api/v1/platform/health", &platform, None).await.expect(200);
    assert_eq!(health.body["worst"], "warning");
    let condition = &health.body["conditions"][0];
    assert_eq!(condition["code"], "job.flaky");
    assert!(condition["text"].as_str().is_some_and(|text| text.contains("the disk is full")), "{condition}");
    let since = condition["since"].clone();

    test.clock.advance(SignedDuration::from_mins(15));
    assert_eq!(jobs::run_due(&test.app, "one", &broken).await.expect("a panic is no error of ours"), ["flaky"]);
    let health = test.call("GET", "/api/v1/platform/health", &platform, None).await.expect(200);
    assert_eq!(health.body["conditions"][0]["since"], since, "it began with the first failure");
    assert_ne!(health.body["conditions"][0]["seen_at"], since);

    test.clock.advance(SignedDuration::from_mins(15));
    jobs::run_due(&test.app, "one", &good).await.expect("it answers");
    let health = test.call("GET", "/api/v1/platform/health", &platform, None).await.expect(200);
    assert_eq!(health.body, serde_json::json!({ "worst": null, "conditions": [] }));
}

#[tokio::test]
async fn the_nightly_audit_makes_its_findings_a_condition() {
    let _roles = ROLES.read().await;
    let world = World::new().await;
    let _setup = world.test.platform().await;
    let app = &world.test.app;
    jobs::plan(app, DEFINITIONS).await.expect("planned");
    let done = jobs::run_due(app, "one", DEFINITIONS).await.expect("it answers");
    assert!(done.contains(&"months") && !done.contains(&"audit"), "that is for the night: {done:?}");
    world.test.clock.advance(SignedDuration::from_hours(24));
    let done = jobs::run_due(app, "one", DEFINITIONS).await.expect("it answers");
    assert!(done.contains(&"audit") && done.contains(&"retention"), "{done:?}");
    // The login has ended since.
    let platform = world
        .test
        .call("POST", "/api/v1/login", "", Some(serde_json::json!({ "login": "admin", "password": "a password for tests" })))
        .await;
    let platform = platform.expect(200).text("token");
    let list = world.test.call("GET", "/api/v1/platform/jobs", &platform, None).await.expect(200);
    let audit =
        list.body["items"].as_array().expect("a list").iter().find(|job| job["name"] == "audit").expect("it is there").clone();
    assert_eq!(audit["succeeded"], true);
    assert!(audit["report"].as_str().is_some_and(|text| text.ends_with("rules over 2 tenants found nothing")), "{audit}");

    let mut vandal = world.vandal().await;
    TestDb::run(&mut vandal, "UPDATE audit_log SET target = 'nothing' WHERE seq = 1; DROP INDEX outbox_router").await;
    let _asked = world.test.call("POST", "/api/v1/platform/jobs/audit/run", &platform, None).await.expect(204);
    assert_eq!(jobs::run_due(app, "one", DEFINITIONS).await.expect("it answers"), ["audit"], "it was asked for");
    let health = world.test.call("GET", "/api/v1/platform/health", &platform, None).await.expect(200);
    let condition = &health.body["conditions"][0];
    assert_eq!((condition["code"].as_str(), condition["severity"].as_str()), (Some("audit.findings"), Some("critical")));
    let text = condition["text"].as_str().expect("text");
    assert!(text.contains("foreign-key-indexes, audit-chain"), "{text}");
    let _unknown = world.test.call("POST", "/api/v1/platform/jobs/nothing/run", &platform, None).await.expect(404);
}
