//! From trial to suspended, and what each step forbids.

use crate::fixture::{DAY, Isp, Platform, kind, package};
use controller::customers;
use controller::tenants;
use controller::testing::TestApp;
use model::{PackageId, RouterId};
use serde_json::json;

#[tokio::test]
async fn each_standing_allows_what_it_says() {
    let test = TestApp::new().await;
    let (isp, platform) = (Isp::new(&test, "Alpha").await, Platform::new(&test).await);
    let business = isp.in_business().await;
    let mut number = 0;
    // (standing, sells, grows, changes)
    for (to, sells, grows, changes) in [
        ("past_due", true, true, true),
        ("restricted", false, false, true),
        ("suspended", false, false, false),
        ("exported", false, false, false),
        ("active", true, true, true),
    ] {
        let shown = platform.stand(&isp, to).await.expect(200);
        assert_eq!((shown.text("to"), shown.body["done"].as_bool()), (to.to_owned(), Some(true)));
        number += 1;
        let refused = if changes { "tenant-restricted" } else { "tenant-suspended" };
        let voucher = json!({ "package": business.package, "count": 1 });
        for (deed, allowed, answer) in [
            ("pays", sells, isp.pay(&business.customer).await),
            ("makes vouchers", sells, isp.post("/voucher-batches", voucher).await),
            ("adds a router", grows, isp.router(&format!("mast {number}")).await),
            ("adds a customer", grows, isp.customer(&format!("c{number}"), &business.router, &business.package).await),
            ("makes a package", changes, isp.post("/packages", package(&format!("P{number}"), "pppoe")).await),
        ] {
            if allowed {
                assert_eq!(answer.status.as_u16(), 201, "{to} {deed}: {}", answer.body);
            } else {
                assert_eq!((answer.status.as_u16(), kind(&answer).as_str()), (403, refused), "{to} {deed}");
            }
        }
        let _ = isp.get("/customers").await.expect(200);
        assert_eq!(isp.get("/tenant").await.expect(200).text("status"), to);
    }
    assert_eq!(isp.audited("tenant.standing").await, 5);
}

#[tokio::test]
async fn only_roads_that_exist_are_taken_and_each_is_written_down() {
    let test = TestApp::new().await;
    let (isp, platform) = (Isp::new(&test, "Alpha").await, Platform::new(&test).await);
    for to in ["active", "trial", "exported"] {
        let refused = platform.stand(&isp, to).await.expect(409);
        assert!(refused.text("detail").contains(&format!("active cannot become {to}")), "{}", refused.body);
    }
    for to in ["purging", "purged"] {
        assert!(platform.stand(&isp, to).await.expect(409).text("detail").contains("purged by its own operation"));
    }
    let no_reason = json!({ "to": "past_due", "reason": " " });
    let refused = platform.call("POST", &isp.path("/standing"), Some(no_reason)).await.expect(400);
    assert_eq!(refused.body["errors"][0]["field"], "reason");
    assert_eq!(isp.audited("tenant.standing").await, 0);
    let _ = platform.stand(&isp, "past_due").await.expect(200);
    let mut owner = test.db.connect_as("postgres").await;
    let reasons: Vec<String> = sqlx::query_scalar("SELECT reason FROM platform_audit WHERE reason LIKE '%past_due%'")
        .fetch_all(&mut owner)
        .await
        .unwrap();
    assert_eq!(reasons, [format!("the standing of {} becomes past_due: because of the test", isp.tenant.id)]);
    let details: serde_json::Value =
        sqlx::query_scalar("SELECT details FROM audit_log WHERE action = 'tenant.standing'").fetch_one(&mut owner).await.unwrap();
    assert_eq!(
        (&details["from"], &details["to"], &details["reason"]),
        (&json!("active"), &json!("past_due"), &json!("because of the test"))
    );
}

#[tokio::test]
async fn of_two_who_move_a_tenant_at_once_one_is_refused() {
    let test = TestApp::new().await;
    let (isp, platform) = (Isp::new(&test, "Alpha").await, Platform::new(&test).await);
    let (one, two) = tokio::join!(platform.stand(&isp, "suspended"), platform.stand(&isp, "suspended"));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!((statuses, isp.audited("tenant.standing").await), ([200, 409], 1));
}

#[tokio::test]
async fn a_trial_ends_by_itself_and_debts_that_nobody_settles_close_the_shop() {
    let test = TestApp::new().await;
    let mut platform = Platform::new(&test).await;
    let body = json!({ "name": "Try Net", "admin_login": "tryer", "trial_days": 14 });
    let id = platform.call("POST", "/platform/tenants", Some(body)).await.expect(201).text("id");
    let path = format!("/platform/tenants/{id}");
    assert_eq!(platform.get(&path).await.expect(200).text("status"), "trial");
    // (days that pass, what it is then)
    for (days, status) in [
        (13, "trial"),
        (1, "past_due"),
        (13, "past_due"),
        (1, "restricted"),
        (29, "restricted"),
        (1, "suspended"),
        (400, "suspended"),
    ] {
        test.clock.advance(DAY * days);
        tenants::sweep(&test.app).await.expect("the sweep runs");
        platform.again().await;
        assert_eq!(platform.get(&path).await.expect(200).text("status"), status);
    }
    assert_eq!(tenants::sweep(&test.app).await.expect("the sweep runs"), 0, "what has been moved is not moved again");
    let body = json!({ "name": "Long Net", "admin_login": "longer", "trial_days": 400 });
    let refused = platform.call("POST", "/platform/tenants", Some(body)).await.expect(400);
    assert_eq!(refused.body["errors"][0]["field"], "trial_days");
}

/// What a router is told of its customers: when each one's paid time ends there.
async fn ends_on_router(isp: &Isp<'_>, router: &str) -> Vec<Option<jiff::Timestamp>> {
    let router: RouterId = router.parse().expect("an id");
    let door = isp.test.app.db.locator().tenants("test").await.expect("the tenants");
    let door = door.iter().find(|door| door.tenant() == isp.tenant.id).expect("it is there");
    let mut tx = isp.test.app.db.tenant(door).await.expect("a transaction");
    let now = isp.test.app.clock.now();
    let found = customers::on_router(&isp.test.app, &mut tx, router, now).await.expect("its customers");
    found.into_iter().map(|customer| customer.paid.map(|paid| paid.until)).collect()
}

async fn desired(isp: &Isp<'_>, router: &str) -> i64 {
    let router: RouterId = router.parse().expect("an id");
    let mut owner = isp.test.db.connect_as("postgres").await;
    let desired = sqlx::query_scalar("SELECT desired FROM router_state WHERE router_id = $1").bind(router);
    desired.fetch_one(&mut owner).await.expect("its state")
}

#[tokio::test]
async fn a_suspension_leaves_customers_what_they_paid_for() {
    let test = TestApp::new().await;
    let (isp, platform) = (Isp::new(&test, "Alpha").await, Platform::new(&test).await);
    let business = isp.in_business().await;
    let _: PackageId = business.package.parse().expect("an id");
    let (paid, generation) = (ends_on_router(&isp, &business.router).await, desired(&isp, &business.router).await);
    assert!(paid[0].is_some());
    let _ = platform.stand(&isp, "suspended").await.expect(200);
    assert_eq!(ends_on_router(&isp, &business.router).await, paid, "nobody is cut");
    assert_eq!(desired(&isp, &business.router).await, generation, "nothing changes for the router");
}

#[tokio::test]
async fn where_the_policy_says_days_service_ends_after_them_and_no_earlier() {
    let test = TestApp::new().await;
    let (isp, platform) = (Isp::new(&test, "Alpha").await, Platform::new(&test).await);
    let other = Isp::new(&test, "Beta").await;
    let (business, others) = (isp.in_business().await, other.in_business().await);
    let paid = ends_on_router(&isp, &business.router).await;
    let policy = json!({ "customer_policy": { "keep_days": 0 } });
    let _ = platform.call("PATCH", &isp.path(""), Some(policy)).await.expect(400);
    let policy = json!({ "customer_policy": { "keep_days": 7 } });
    let _ = platform.call("PATCH", &isp.path(""), Some(policy)).await.expect(200);

    // First only looked at: it says how many would be cut short, and changes nothing.
    let before = test.db.rows(Some(isp.tenant.id)).await;
    let look = json!({ "to": "suspended", "reason": "because of the test", "dry_run": true });
    let look = platform.call("POST", &isp.path("/standing"), Some(look)).await.expect(200);
    assert_eq!((look.body["done"].as_bool(), look.body["cut_short"].as_i64()), (Some(false), Some(1)));
    assert_eq!(test.db.rows(Some(isp.tenant.id)).await, before);

    let (generation, theirs) = (desired(&isp, &business.router).await, desired(&other, &others.router).await);
    let done = platform.stand(&isp, "suspended").await.expect(200);
    let end = test.app.clock.now() + DAY * 7;
    assert_eq!(done.text("service_ends_at").parse::<jiff::Timestamp>().ok(), Some(end));
    assert_eq!(ends_on_router(&isp, &business.router).await, [Some(end)]);
    assert_eq!(desired(&isp, &business.router).await, generation + 1, "its routers look again");
    assert_eq!(desired(&other, &others.router).await, theirs, "nobody else's do");

    // At the end the routers look again, and serve nobody.
    test.clock.advance(DAY * 7);
    let touched = test.app.db.locator().routers_with_expiry(end - DAY, end).await.expect("the sweep's question");
    assert_eq!(
        touched.iter().map(|(door, router)| (door.tenant(), router.to_string())).collect::<Vec<_>>(),
        [(isp.tenant.id, business.router.clone())]
    );
    assert_eq!(ends_on_router(&isp, &business.router).await, [None]);

    // Coming back gives everybody what is left of what they paid for.
    let mut platform = platform;
    platform.again().await;
    let _ = platform.stand(&isp, "active").await.expect(200);
    assert_eq!(ends_on_router(&isp, &business.router).await, paid);
    assert_eq!(desired(&isp, &business.router).await, generation + 2);
}
