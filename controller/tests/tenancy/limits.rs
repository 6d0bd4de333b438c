//! Limits are met exactly, by one and by many at once.

use crate::fixture::{Isp, Platform, kind};
use controller::tenants::{self, Rates};
use controller::testing::TestApp;
use serde_json::{Value, json};

fn limit<'a>(list: &'a Value, name: &str) -> &'a Value {
    list["items"].as_array().expect("a list").iter().find(|item| item["name"] == name).expect("the limit")
}

#[tokio::test]
async fn each_limit_is_met_exactly_and_says_what_to_do() {
    let test = TestApp::new().await;
    let (isp, platform) = (Isp::new(&test, "Alpha").await, Platform::new(&test).await);
    for (name, hard) in [("routers", 2), ("customers", 2), ("api_tokens", 2), ("operators", 1)] {
        let _ = platform.limit(&isp, name, 1, hard).await.expect(200);
    }
    let router = isp.router("one").await.expect(201).text("id");
    let package = isp.package("Home").await;
    let _ = isp.router("two").await.expect(201);
    let _ = isp.customer("a", &router, &package).await.expect(201);
    let gone = isp.customer("b", &router, &package).await.expect(201).text("id");
    let _ = isp.post("/tokens", json!({ "name": "second", "role": "viewer" })).await.expect(201);
    let refused = [
        ("routers", isp.router("three").await),
        ("customers", isp.customer("c", &router, &package).await),
        ("API tokens", isp.post("/tokens", json!({ "name": "third", "role": "viewer" })).await),
    ];
    for (noun, answer) in refused {
        assert_eq!((answer.status.as_u16(), kind(&answer).as_str()), (409, "tenant-limit-reached"), "{noun}: {}", answer.body);
        assert!(answer.text("detail").contains(noun) && answer.text("detail").contains("has 2"), "{}", answer.body);
    }
    // Room is made by letting somebody go.
    let _ = isp.post(&format!("/customers/{gone}/terminate"), json!({})).await.expect(204);
    let _ = isp.customer("c", &router, &package).await.expect(201);

    let shown = isp.get("/limits").await.expect(200).body;
    for (name, used, level) in
        [("routers", 2, "full"), ("customers", 2, "full"), ("operators", 1, "full"), ("messages", 0, "room")]
    {
        assert_eq!((limit(&shown, name)["used"].as_i64(), &limit(&shown, name)["level"]), (Some(used), &json!(level)), "{name}");
    }
    assert_eq!(limit(&shown, "routers")["reason"], "because of the test");
    let seen = platform.get(&isp.path("/limits")).await.expect(200).body;
    assert_eq!(limit(&seen, "customers"), limit(&shown, "customers"));
}

#[tokio::test]
async fn of_many_who_take_the_last_places_at_once_no_more_get_one_than_there_are() {
    let test = TestApp::new().await;
    let (isp, platform) = (Isp::new(&test, "Alpha").await, Platform::new(&test).await);
    let router = isp.router("one").await.expect(201).text("id");
    let package = isp.package("Home").await;
    let _ = platform.limit(&isp, "customers", 1, 5).await.expect(200);
    let _ = platform.limit(&isp, "routers", 1, 3).await.expect(200);
    let logins: Vec<String> = (0..12).map(|number| format!("c{number}")).collect();
    let customers = futures_util::future::join_all(logins.iter().map(|login| isp.customer(login, &router, &package))).await;
    let routers = futures_util::future::join_all(logins.iter().map(|name| isp.router(name))).await;
    let made = |answers: &[controller::testing::Answer]| answers.iter().filter(|answer| answer.status.as_u16() == 201).count();
    assert_eq!((made(&customers), made(&routers)), (5, 2));
    assert!(customers.iter().chain(&routers).all(|answer| [201, 409].contains(&answer.status.as_u16())));
    let mut owner = test.db.connect_as("postgres").await;
    let there: (i64, i64) = sqlx::query_as("SELECT (SELECT count(*) FROM customer), (SELECT count(*) FROM router)")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    assert_eq!(there, (5, 3));
}

#[tokio::test]
async fn a_lower_limit_shows_what_is_over_it_and_takes_nothing_away() {
    let test = TestApp::new().await;
    let (isp, platform) = (Isp::new(&test, "Alpha").await, Platform::new(&test).await);
    for name in ["one", "two", "three"] {
        let _ = isp.router(name).await.expect(201);
    }
    let before = test.db.rows(None).await;
    let look = json!({ "name": "routers", "bounds": { "soft": 1, "hard": 1 }, "reason": "plan C", "dry_run": true });
    let look = platform.call("PUT", &isp.path("/limits"), Some(look)).await.expect(200);
    assert_eq!((look.body["over_by"].as_i64(), look.body["done"].as_bool()), (Some(2), Some(false)));
    assert_eq!(test.db.rows(None).await, before, "it was only looked at");
    let set = platform.limit(&isp, "routers", 1, 1).await.expect(200);
    assert_eq!((set.body["over_by"].as_i64(), &set.body["limit"]["level"]), (Some(2), &json!("over")));
    assert_eq!(isp.get("/routers").await.expect(200).body["items"].as_array().map(Vec::len), Some(3), "all are still there");
    let _ = isp.router("four").await.expect(409);
    assert_eq!(isp.audited("tenant.limit").await, 1);
    let back = json!({ "name": "routers", "reason": "plan B again" });
    let _ = platform.call("PUT", &isp.path("/limits"), Some(back)).await.expect(200);
    let _ = isp.router("four").await.expect(201);
    for (soft, hard, field) in [(2, 1, "soft"), (-1, 1, "hard")] {
        assert_eq!(platform.limit(&isp, "routers", soft, hard).await.expect(400).body["errors"][0]["field"], field);
    }
}

#[tokio::test]
async fn who_asks_too_often_waits_and_nobody_else_does() {
    let test = TestApp::new().await;
    let (isp, other) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let platform = Platform::new(&test).await;
    let _ = platform.limit(&isp, "api_requests", 3, 6).await.expect(200);
    for _ in 0..6 {
        let _ = isp.get("/tenant").await.expect(200);
    }
    let refused = isp.get("/tenant").await.expect(429);
    assert_eq!(kind(&refused), "rate-limited");
    let wait = refused.body["retry_after_s"].as_u64().expect("seconds");
    assert!((1..=10).contains(&wait), "six a minute is one in ten seconds: {wait}");
    let request = axum::http::Request::get("/api/v1/tenant").header("authorization", format!("Bearer {}", isp.tenant.token));
    let response = tower::ServiceExt::oneshot(test.service(), request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
    assert!(response.headers()["retry-after"].to_str().unwrap().parse::<u64>().is_ok_and(|seconds| seconds <= 10));
    let _ = other.get("/tenant").await.expect(200);
    // A higher limit counts at once on the controller that set it.
    let _ = platform.limit(&isp, "api_requests", 3, 600).await.expect(200);
    let _ = isp.get("/tenant").await.expect(200);
}

#[tokio::test]
async fn what_nobody_set_is_the_default() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let rates = Rates::new(2);
    for _ in 0..2 {
        assert_eq!(rates.take(&test.app, isp.tenant.id, "").await.expect("read"), Ok(()));
    }
    assert!(rates.take(&test.app, isp.tenant.id, "").await.expect("read").is_err());
}

#[tokio::test]
async fn messages_are_counted_by_the_month_of_the_isps_calendar() {
    let test = TestApp::new().await;
    let (isp, platform) = (Isp::new(&test, "Alpha").await, Platform::new(&test).await);
    let _ = platform.limit(&isp, "messages", 5, 10).await.expect(200);
    let spend = async |count: i64| {
        let doors = test.app.db.locator().tenants("test").await.expect("the tenants");
        let mut tx = test.app.db.tenant(&doors[0]).await.expect("a transaction");
        let spent = tenants::spend_messages(&mut tx, count, test.app.clock.now()).await;
        tx.commit().await.expect("committed");
        spent.is_ok()
    };
    assert!(spend(7).await && !spend(4).await && spend(3).await && !spend(1).await);
    let shown = isp.get("/limits").await.expect(200).body;
    assert_eq!((limit(&shown, "messages")["used"].as_i64(), &limit(&shown, "messages")["level"]), (Some(10), &json!("full")));
    // It is 2026-01-15 09:00 UTC; at 21:00 UTC on the 31st February has begun in Nairobi.
    test.clock.advance(jiff::SignedDuration::from_hours(16 * 24 + 11));
    assert!(!spend(1).await, "20:00 UTC on the 31st is 23:00 in Nairobi");
    test.clock.advance(jiff::SignedDuration::from_hours(1));
    assert!(spend(10).await && !spend(1).await);
    // Many at once get no more than there is.
    test.clock.advance(jiff::SignedDuration::from_hours(31 * 24));
    let spent = futures_util::future::join_all((0..16).map(|_| spend(1))).await;
    assert_eq!(spent.into_iter().filter(|spent| *spent).count(), 10);
}

#[tokio::test]
async fn a_trial_has_smaller_limits() {
    let test = TestApp::new().await;
    let (isp, platform) = (Isp::new(&test, "Alpha").await, Platform::new(&test).await);
    let body = json!({ "name": "Try Net", "admin_login": "tryer", "trial_days": 14 });
    let trial = platform.call("POST", "/platform/tenants", Some(body)).await.expect(201).text("id");
    let small = platform.get(&format!("/platform/tenants/{trial}/limits")).await.expect(200).body;
    let usual = platform.get(&isp.path("/limits")).await.expect(200).body;
    let hard = |list: &Value| limit(list, "routers")["hard"].as_i64().expect("a number");
    assert!(hard(&small) < hard(&usual), "{} and {}", hard(&small), hard(&usual));
}
