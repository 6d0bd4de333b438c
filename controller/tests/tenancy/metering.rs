//! What is measured is what is there.

use crate::fixture::{DAY, Isp, Platform};
use controller::tenants;
use controller::testing::TestApp;
use jiff::SignedDuration;
use serde_json::json;

#[tokio::test]
async fn a_day_says_what_an_isp_is_and_uses() {
    let test = TestApp::new().await;
    let (alpha, beta) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let mut platform = Platform::new(&test).await;
    let business = alpha.in_business().await;
    let _ = alpha.customer("unpaid", &business.router, &business.package).await.expect(201);
    for _ in 0..5 {
        let _ = beta.get("/tenant").await.expect(200);
    }
    for _ in 0..2 {
        assert_eq!(tenants::measure(&test.app).await.expect("measured"), 2, "a second time writes the day's row anew");
    }

    let days = alpha.get("/tenant/usage").await.expect(200).body;
    let today = &days["items"][0];
    assert_eq!(days["items"].as_array().map(Vec::len), Some(1));
    let number = |name: &str| today[name].as_i64();
    let found = ["routers", "customers", "customers_served", "operators", "api_tokens", "messages"].map(number);
    assert_eq!((today["day"].as_str(), found), (Some("2026-01-15"), [Some(1), Some(2), Some(1), Some(1), Some(1), Some(0)]));
    // Table by table it is what a count finds, and the bytes add up.
    let counts = test.db.count(alpha.tenant.id).await;
    for (table, used) in today["tables"].as_object().expect("tables") {
        // Measuring itself writes these.
        if !["tenant_usage", "usage_counter"].contains(&table.as_str()) {
            assert_eq!(used["rows"].as_i64(), counts.get(table).copied(), "{table}");
        }
        assert!(used["bytes"].as_i64().is_some_and(|bytes| bytes > 0), "{table}");
    }
    assert!(today["tables"]["customer"]["rows"] == 2 && today["tables"].get("voucher").is_none());
    let sum: i64 = today["tables"].as_object().unwrap().values().filter_map(|used| used["bytes"].as_i64()).sum();
    assert_eq!(number("storage_bytes"), Some(sum));

    // The platform sees all side by side, an ISP itself alone.
    let all = platform.get("/platform/usage").await.expect(200).body;
    let names: Vec<&str> = all["items"].as_array().unwrap().iter().filter_map(|item| item["name"].as_str()).collect();
    assert!(names.len() == 2 && names.contains(&"Alpha") && names.contains(&"Beta"), "{names:?}");
    let first = platform.get("/platform/usage?limit=1").await.expect(200).body;
    assert_eq!(
        (first["items"].as_array().map(Vec::len), &first["items"][0]["name"]),
        (Some(1), &json!("Beta")),
        "the newest first"
    );
    let behind = format!("/platform/usage?limit=1&cursor={}", first["next"].as_str().expect("there is another"));
    let last = platform.get(&behind).await.expect(200).body;
    assert_eq!((&last["items"][0]["name"], last["next"].is_null()), (&json!("Alpha"), true));
    let theirs = all["items"].as_array().unwrap().iter().find(|item| item["name"] == "Beta").expect("Beta").clone();
    assert_eq!(theirs["api_requests"], 6, "five, and the one that made its token");
    assert!(!beta.get("/tenant/usage").await.expect(200).body.to_string().contains("customer\":"));

    // The next day has a row of its own, and what came late on the first one is added to it.
    test.clock.advance(SignedDuration::from_hours(2));
    let _ = beta.get("/tenant").await.expect(200);
    let _ = tenants::flush_requests(&test.app).await;
    test.clock.advance(DAY);
    tenants::measure(&test.app).await.expect("measured");
    platform.again().await;
    let days = beta.get("/tenant/usage").await.expect(200).body;
    let days: Vec<(&str, i64)> = days["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["day"].as_str().unwrap(), item["api_requests"].as_i64().unwrap()))
        .collect();
    assert_eq!(days[1], ("2026-01-15", 8), "with the two since then");
    assert_eq!(days[0].0, "2026-01-16");
    let refused = beta.get("/tenant/usage?from=2026-02-01&until=2026-01-01").await.expect(400);
    assert_eq!(refused.body["errors"][0]["field"], "from");
}

#[tokio::test]
async fn requests_are_not_lost_while_the_database_is_away() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let _ = tenants::flush_requests(&test.app).await;
    for _ in 0..3 {
        let _ = isp.get("/tenant").await.expect(200);
    }
    let mut superuser = test.db.connect_as("postgres").await;
    let grant = async |statement: &'static str, connection: &mut sqlx::PgConnection| {
        sqlx::query(statement).execute(connection).await.expect("the superuser may");
    };
    grant("REVOKE INSERT ON usage_counter FROM mastwire_app", &mut superuser).await;
    assert!(tenants::flush_requests(&test.app).await.is_err());
    grant("GRANT INSERT ON usage_counter TO mastwire_app", &mut superuser).await;
    tenants::flush_requests(&test.app).await.expect("written now");
    let counted: i64 =
        sqlx::query_scalar("SELECT sum(amount)::bigint FROM usage_counter WHERE tenant_id = $1 AND name = 'api_requests'")
            .bind(isp.tenant.id)
            .fetch_one(&mut superuser)
            .await
            .expect("a sum");
    assert_eq!(counted, 4, "three, and the one that made the token");
}

#[tokio::test]
async fn a_full_storage_takes_no_more_customers() {
    let test = TestApp::new().await;
    let (isp, platform) = (Isp::new(&test, "Alpha").await, Platform::new(&test).await);
    let business = isp.in_business().await;
    tenants::measure(&test.app).await.expect("measured");
    let _ = platform.limit(&isp, "storage_bytes", 1, 1).await.expect(200);
    let refused = isp.customer("late", &business.router, &business.package).await.expect(409);
    assert!(refused.text("detail").contains("storage"), "{}", refused.body);
    let _ = isp.pay(&business.customer).await.expect(201);
}
