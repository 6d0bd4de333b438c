//! What is written about a customer comes back as it was meant, and nobody overwrites what they have not seen.

use crate::fixture::Isp;
use controller::customers::account_number;
use controller::testing::TestApp;
use serde_json::json;
use std::collections::BTreeSet;

#[tokio::test]
async fn everything_that_is_known_of_a_customer_is_kept_in_one_form() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let house = isp.post("/sites", json!({ "kind": "building", "name": "House 7" })).await.expect(201).text("id");
    let id = isp
        .customer(
            "jane",
            json!({
                "full_name": "  Wanjikũ   wa Thiong'o ", "phone": "(+254) 0712-345.678", "email": "Jane@Example.COM", "language": "SW_ke",
                "notes": "blue gate\r\nring twice", "location": { "latitude": -1.2921, "longitude": 36.8219 }, "site": house,
                "mac": "da-a1-19-00-00-01", "address": "192.168.7.9"
            }),
        )
        .await;
    let shown = isp.show(&id).await;
    for (field, value) in [
        ("full_name", json!("Wanjikũ wa Thiong'o")),
        ("phone", json!("254712345678")),
        ("email", json!("Jane@example.com")),
        ("language", json!("sw-KE")),
        ("notes", json!("blue gate\nring twice")),
        ("location", json!({ "latitude": -1.2921, "longitude": 36.8219 })),
        ("site", json!(house)),
        ("mac", json!("DA:A1:19:00:00:01")),
        ("status", json!("active")),
        ("origin", json!("operator")),
        ("version", json!(1)),
        ("terminated_at", json!(null)),
        ("observed", json!({ "generation": null, "applied_at": null, "online_at": null })),
    ] {
        assert_eq!(shown[field], value, "{field}");
    }
    let path = format!("/customers/{id}");
    let _ = isp.patch(&path, json!({ "location": null, "site": null, "notes": "", "email": "" })).await.expect(204);
    let shown = isp.show(&id).await;
    assert_eq!(
        (&shown["location"], &shown["site"], &shown["notes"], &shown["phone"]),
        (&json!(null), &json!(null), &json!(""), &json!("254712345678"))
    );
    assert_eq!(
        isp.count("SELECT count(*) FROM audit_log WHERE details::text LIKE '%blue gate%' AND action = 'customer.update'").await,
        1
    );
}

#[tokio::test]
async fn what_is_wrong_is_named_and_nothing_is_kept() {
    let test = TestApp::new().await;
    let (isp, other) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let theirs = other.post("/sites", json!({ "kind": "building", "name": "House 9" })).await.expect(201).text("id");
    let gone = isp.post("/sites", json!({ "kind": "building", "name": "Gone" })).await.expect(201).text("id");
    let _ = test.call("DELETE", &format!("/api/v1/sites/{gone}"), &isp.tenant.token, None).await;
    for (field, value) in [
        ("full_name", json!("a\u{202e}b")),
        ("full_name", json!("x".repeat(101))),
        ("phone", json!("071234567")),
        ("phone", json!("call me")),
        ("email", json!("jane@")),
        ("language", json!("swahili")),
        ("notes", json!("a\u{0}b")),
        ("location", json!({ "latitude": 91.0, "longitude": 0.0 })),
    ] {
        let refused = isp.post("/customers", isp.new_customer("jane", json!({ field: value }))).await.expect(400);
        assert_eq!(refused.body["errors"][0]["field"], field, "{}", refused.body);
    }
    for site in [theirs.as_str(), gone.as_str(), "sit_0190163d8694739b8fd74dd02ebd3dc4"] {
        let refused = isp.post("/customers", isp.new_customer("jane", json!({ "site": site }))).await.expect(404);
        assert_eq!(refused.text("detail"), "there is no such site");
    }
    assert_eq!(isp.count("SELECT count(*) FROM customer").await, 0);
}

#[tokio::test]
async fn nobody_overwrites_what_they_have_not_seen() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let id = isp.customer("jane", json!({})).await;
    let path = format!("/customers/{id}");
    let _ = isp.patch(&path, json!({ "version": 1, "full_name": "Jane" })).await.expect(204);
    let refused = isp.patch(&path, json!({ "version": 1, "full_name": "Joan" })).await.expect(409);
    assert!(refused.text("detail").contains("now it is 2"), "{}", refused.body);
    assert_eq!((&isp.show(&id).await["full_name"], &isp.show(&id).await["version"]), (&json!("Jane"), &json!(2)));
    // Whoever changes it otherwise raises the version too.
    let _ = isp.post(&format!("{path}/suspend"), json!({})).await.expect(204);
    let _ = isp.post(&format!("{path}/password"), json!({})).await.expect(200);
    assert_eq!(isp.show(&id).await["version"], 4);
    let _ = isp.patch(&path, json!({ "full_name": "Joan" })).await.expect(204);
}

#[tokio::test]
async fn account_numbers_are_unique_in_the_whole_system_and_guard_against_typing_errors() {
    let test = TestApp::new().await;
    let mut numbers = BTreeSet::new();
    for name in ["Alpha", "Beta"] {
        let isp = Isp::new(&test, name).await;
        for n in 0..20 {
            let id = isp.customer(&format!("c{n}"), json!({})).await;
            let number = isp.show(&id).await["account_number"].as_str().expect("a number").to_owned();
            assert_eq!(account_number(&number), Some(number.clone()));
            assert_eq!(isp.logins(&format!("account_number={}%20{}", &number[..4], &number[4..])).await, [format!("c{n}")]);
            numbers.insert(number);
        }
    }
    assert_eq!(numbers.len(), 40);
    // Another ISP's number is nobody's here.
    let gamma = Isp::new(&test, "Gamma").await;
    for number in &numbers {
        assert!(gamma.logins(&format!("account_number={number}")).await.is_empty());
    }
    assert_eq!(gamma.get("/customers?account_number=12345678").await.expect(400).body["errors"][0]["field"], "account_number");
}

#[tokio::test]
async fn a_number_that_is_taken_anywhere_is_drawn_again() {
    let test = TestApp::new().await;
    let (isp, other) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let theirs = other.customer("theirs", json!({})).await;
    let taken = other.show(&theirs).await["account_number"].as_str().expect("a number").to_owned();
    let mut owner = test.db.connect_as("mastwire_owner").await;
    let mut csv = "login,router,package\n".to_owned();
    for n in 0..500 {
        csv.push_str(&format!("c{n},roof,Home\n"));
    }
    // A trigger makes the first round's numbers all the same one, which the other ISP has: all of them must be drawn again.
    sqlx::query(
        "CREATE FUNCTION internal.collide() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF (SELECT count(*) FROM collided) < 500 THEN
                INSERT INTO collided VALUES (1);
                NEW.account_number := (SELECT number FROM colliding);
            END IF;
            RETURN NEW; END $$",
    )
    .execute(&mut owner)
    .await
    .expect("a function");
    for sql in [
        "CREATE TABLE collided (x int)",
        "CREATE TABLE colliding (number text)",
        "GRANT ALL ON collided, colliding TO mastwire_app",
        "CREATE TRIGGER collide BEFORE INSERT ON customer FOR EACH ROW EXECUTE FUNCTION internal.collide()",
    ] {
        sqlx::query(sql).execute(&mut owner).await.expect("made");
    }
    sqlx::query("INSERT INTO colliding VALUES ($1)").bind(&taken).execute(&mut owner).await.expect("a row");
    let report = isp.import(csv, false, None).await.expect(200);
    assert_eq!(report.body["new"], 500);
    assert_eq!(isp.count("SELECT count(*) FROM collided").await, 500, "all collided once");
    assert_eq!(isp.count("SELECT count(DISTINCT account_number) FROM customer").await, 501);
}

#[tokio::test]
async fn a_request_that_is_sent_again_makes_nobody_twice() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let body = isp.new_customer("jane", json!({ "phone": "0712345678" }));
    let first = isp.post_with_key("/customers", body.clone(), "key-of-jane").await.expect(201);
    let again = isp.post_with_key("/customers", body.clone(), "key-of-jane").await.expect(201);
    assert_eq!(first.body, again.body, "the made password too");
    let mut other = body.clone();
    other["phone"] = json!("0712345679");
    assert_eq!(
        isp.post_with_key("/customers", other, "key-of-jane").await.expect(409).text("type"),
        "urn:mastwire:problem:idempotency-key-reused"
    );
    let _ = isp.post_with_key("/customers", body, "another-key").await.expect(409);
    assert_eq!(isp.count("SELECT count(*) FROM customer").await, 1);

    let given = isp.new_customer("john", json!({ "password": "planted-secret" }));
    let first = isp.post_with_key("/customers", given.clone(), "key-of-john").await.expect(201);
    assert_eq!(first.body["password"], json!(null));
    assert_eq!(isp.post_with_key("/customers", given.clone(), "key-of-john").await.expect(201).body, first.body);
    let mut other = given.clone();
    other["password"] = json!("another-secret");
    let _ = isp.post_with_key("/customers", other, "key-of-john").await.expect(409);

    let batch = json!({ "package": isp.package("Hour", "hotspot", json!({ "seconds": 3600 })).await, "count": 30 });
    let first = isp.post_with_key("/voucher-batches", batch.clone(), "key-of-batch").await.expect(201);
    let again = isp.post_with_key("/voucher-batches", batch.clone(), "key-of-batch").await.expect(201);
    let codes = |body: &serde_json::Value| -> BTreeSet<String> {
        body["codes"].as_array().expect("codes").iter().map(|code| code.as_str().expect("a code").to_owned()).collect()
    };
    assert_eq!((first.text("id"), codes(&first.body)), (again.text("id"), codes(&again.body)));
    let mut printed = batch;
    printed["count"] = json!(null);
    printed["codes"] = json!(["PLANTED-CODE-1"]);
    let _ = isp.post_with_key("/voucher-batches", printed.clone(), "key-of-batch").await.expect(409);
    let _ = isp.post_with_key("/voucher-batches", printed.clone(), "key-of-print").await.expect(201);
    let _ = isp.post_with_key("/voucher-batches", printed, "key-of-print").await.expect(201);
    assert_eq!(isp.count("SELECT count(*) FROM voucher").await, 31);

    // Nothing that is kept of requests and answers can be read.
    let mut owner = test.db.connect_as("mastwire_owner").await;
    let kept: String =
        sqlx::query_scalar("SELECT string_agg(k::text, ' ') FROM idempotency_key k").fetch_one(&mut owner).await.expect("text");
    for secret in ["planted-secret", "PLANTEDCODE1", "PLANTED-CODE-1", "password", "codes"] {
        assert!(!kept.contains(secret), "{secret} in {kept}");
    }
}
