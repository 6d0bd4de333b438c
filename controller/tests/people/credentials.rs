//! By what customers were recognised on any day.

use crate::fixture::{Isp, router};
use controller::testing::TestApp;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Whose something is or was: logins with the ends, the newest first.
async fn whose(isp: &Isp<'_>, query: &str) -> Vec<(String, Value)> {
    let holders = isp.get(&format!("/credentials?{query}")).await.expect(200);
    let items = holders.body["items"].as_array().expect("a list").clone();
    items.iter().map(|item| (item["login"].as_str().expect("a login").to_owned(), item["until"].clone())).collect()
}

fn at(time: Timestamp) -> String {
    time.to_string().replace('+', "%2B")
}

#[tokio::test]
async fn whose_a_device_was_on_a_day_is_known() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let start = test.app.clock.now();
    let jane = isp.customer("jane", json!({ "mac": "DA:A1:19:00:00:01", "phone": "0712345678" })).await;
    test.clock.advance(HOUR);
    let sold = test.app.clock.now();
    let before = isp.generation().await;
    let _ =
        isp.patch(&format!("/customers/{jane}"), json!({ "mac": "CC:2D:E0:00:00:02", "phone": "0712345679" })).await.expect(204);
    assert_eq!(isp.generation().await, before + 1, "the router learns of the other device");
    test.clock.advance(HOUR);
    let _ = isp.customer("john", json!({ "mac": "DA:A1:19:00:00:01" })).await;
    let bought = test.app.clock.now();
    test.clock.advance(HOUR);

    let mac = "mac=da-a1-19-00-00-01";
    assert_eq!(
        whose(&isp, mac).await,
        [("john".to_owned(), json!(null)), ("jane".to_owned(), json!(sold.to_string()))],
        "ever, the newest first"
    );
    for (time, holder) in [
        (start - HOUR, None),
        (start, Some("jane")),
        (sold - SignedDuration::from_micros(1), Some("jane")),
        (sold, None),
        (bought, Some("john")),
        (test.app.clock.now(), Some("john")),
    ] {
        let held: Vec<String> =
            whose(&isp, &format!("{mac}&at={}", at(time))).await.into_iter().map(|(login, _)| login).collect();
        assert_eq!(held, holder.into_iter().map(str::to_owned).collect::<Vec<_>>(), "{time}");
    }
    assert_eq!(whose(&isp, "phone=0712%20345%20678").await, [("jane".to_owned(), json!(sold.to_string()))]);
    assert_eq!(whose(&isp, "phone=%2B254712345679").await, [("jane".to_owned(), json!(null))]);

    let all = isp.get(&format!("/customers/{jane}/credentials")).await.expect(200).body;
    let kinds = |list: &Value| -> Vec<(String, String, Value)> {
        let text = |item: &Value, field: &str| item[field].as_str().expect("text").to_owned();
        list.as_array()
            .expect("a list")
            .iter()
            .map(|item| (text(item, "kind"), text(item, "value"), item["made_up"].clone()))
            .collect()
    };
    assert_eq!(
        kinds(&all["current"]),
        [
            ("login".to_owned(), "jane".to_owned(), json!(null)),
            ("mac".to_owned(), "CC:2D:E0:00:00:02".to_owned(), json!(false)),
            ("phone".to_owned(), "254712345679".to_owned(), json!(null)),
        ]
    );
    let mut past = kinds(&all["items"]);
    past.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(
        past,
        [
            ("mac".to_owned(), "DA:A1:19:00:00:01".to_owned(), json!(true)),
            ("phone".to_owned(), "254712345678".to_owned(), json!(null))
        ]
    );
}

#[tokio::test]
async fn a_login_can_change_and_is_remembered() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.customer("jane", json!({})).await;
    let john = isp.customer("john", json!({})).await;
    test.clock.advance(HOUR);
    let path = format!("/customers/{jane}");
    let before = isp.generation().await;
    let _ = isp.patch(&path, json!({ "login": "john" })).await.expect(409);
    assert_eq!(isp.patch(&path, json!({ "login": "two words" })).await.expect(400).body["errors"][0]["field"], "login");
    let _ = isp.patch(&path, json!({ "login": "jane.w" })).await.expect(204);
    assert_eq!(isp.generation().await, before + 1);
    // The name is free for somebody else, and both had it.
    test.clock.advance(HOUR);
    let _ = isp.patch(&format!("/customers/{john}"), json!({ "login": "jane" })).await.expect(204);
    let held: Vec<String> = whose(&isp, "login=jane").await.into_iter().map(|(login, _)| login).collect();
    assert_eq!(held, ["jane", "jane.w"], "john has it now, and who is jane.w now had it before");
    assert_eq!(isp.get(&format!("{path}/credentials")).await.expect(200).body["items"][0]["value"], "jane");
    // What is written as it was before is no change.
    let _ = isp.patch(&path, json!({ "login": "jane.w", "full_name": "Jane" })).await.expect(204);
    assert_eq!(isp.count("SELECT count(*) FROM customer_credential").await, 2);
}

#[tokio::test]
async fn history_is_paged_and_asked_for_one_thing() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.customer("jane", json!({})).await;
    for n in 0..7 {
        test.clock.advance(HOUR);
        let mac = format!("CC:2D:E0:00:00:0{n}");
        let _ = isp.patch(&format!("/customers/{jane}"), json!({ "mac": mac })).await.expect(204);
    }
    let path = format!("/customers/{jane}/credentials");
    let first = isp.get(&format!("{path}?limit=4")).await.expect(200);
    let second = isp.get(&format!("{path}?limit=4&cursor={}", first.text("next"))).await.expect(200);
    let values = |body: &Value| -> Vec<String> {
        body["items"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|item| item["value"].as_str().expect("text")[16..].to_owned())
            .collect()
    };
    assert_eq!(
        (values(&first.body), values(&second.body)),
        (["5", "4", "3", "2"].map(str::to_owned).to_vec(), ["1", "0"].map(str::to_owned).to_vec())
    );
    for query in ["", "mac=CC:2D:E0:00:00:01&login=jane", "mac=x", "phone=12", "mac=CC:2D:E0:00:00:01&at=yesterday"] {
        let _ = isp.get(&format!("/credentials?{query}")).await.expect(400);
    }
    let _ = isp.get("/customers/cus_0190163d8694739b8fd74dd02ebd3dc4/credentials").await.expect(404);
}

/// Nobody is told of customers beyond their tenant or their reach.
#[tokio::test]
async fn history_ends_at_the_walls() {
    let test = TestApp::new().await;
    let (alpha, beta) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let far = router(&test, &alpha.tenant, "far").await;
    let near = alpha.customer("near", json!({ "mac": "CC:2D:E0:00:00:01" })).await;
    let beyond = alpha.customer("beyond", json!({ "mac": "CC:2D:E0:00:00:01", "router": far })).await;
    for id in [&near, &beyond] {
        let _ = alpha.patch(&format!("/customers/{id}"), json!({ "mac": null })).await.expect(204);
    }
    assert_eq!(whose(&alpha, "mac=CC:2D:E0:00:00:01").await.len(), 2);
    assert!(whose(&beta, "mac=CC:2D:E0:00:00:01").await.is_empty());
    let _ = beta.get(&format!("/customers/{near}/credentials")).await.expect(404);

    // As somebody asks who is limited to one router.
    let mut owner = test.db.connect_as("mastwire_owner").await;
    for sql in [
        "UPDATE membership SET reach = 'assigned' WHERE tenant_id = $1 AND $2::uuid IS NOT NULL",
        "INSERT INTO assignment (tenant_id, id, operator_id, router_id, created_at) SELECT tenant_id, operator_id, operator_id, $2, now() FROM membership WHERE tenant_id = $1",
    ] {
        sqlx::query(sql).bind(alpha.tenant.id).bind(alpha.router).execute(&mut owner).await.expect("done");
    }
    let limited = test.call("GET", "/api/v1/credentials?mac=CC:2D:E0:00:00:01", &alpha.login, None).await.expect(200);
    let seen: Vec<&str> =
        limited.body["items"].as_array().expect("a list").iter().filter_map(|item| item["login"].as_str()).collect();
    assert_eq!(seen, ["near"]);
    let _ = test.call("GET", &format!("/api/v1/customers/{beyond}/credentials"), &alpha.login, None).await.expect(404);
}
