//! Money that fits nobody waits until somebody says whose it is, or that it went back: each once.

use crate::fixture::{Isp, PRICE, each, kes};
use controller::operators::Role;
use controller::testing::{Answer, TestApp};
use serde_json::{Value, json};

impl Isp<'_> {
    async fn arrive(&self, receipt: &str, minor: i64, account: &str, phone: &str) -> Answer {
        let body =
            json!({ "method": "mobile_money", "receipt": receipt, "amount": kes(minor), "account": account, "phone": phone });
        self.post("/unmatched-payments", body).await
    }

    async fn item(&self, receipt: &str, account: &str, phone: &str) -> String {
        let arrived = self.arrive(receipt, PRICE, account, phone).await.expect(201);
        assert_eq!(arrived.body["outcome"], "parked", "{}", arrived.body);
        arrived.text("item")
    }
}

#[tokio::test]
async fn an_account_number_or_a_login_decides_and_a_telephone_suggests() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let body = json!({ "login": "jane", "phone": "0712345678", "router": isp.router, "package": isp.package });
    let jane = isp.post("/customers", body).await.expect(201).text("id");
    let number = isp.get(&format!("/customers/{jane}")).await.expect(200).text("account_number");
    let spaced = format!("{} {}", &number[..4], &number[4..]);
    for (receipt, account) in [("R1", spaced.as_str()), ("R2", "jane")] {
        let arrived = isp.arrive(receipt, PRICE, account, "").await.expect(201);
        assert_eq!((&arrived.body["outcome"], &arrived.body["item"]), (&json!("counted"), &json!(null)));
    }
    assert_eq!(isp.arrive("R1", PRICE, &number, "").await.expect(201).body["outcome"], "known");
    // One wrong digit is nobody's number.
    let wrong = format!("{}{}", &number[..7], if number.ends_with('9') { '8' } else { '9' });
    let item = isp.item("R3", &wrong, "+254 712 345-678").await;
    let shown = isp.get(&format!("/unmatched-payments/{item}")).await.expect(200);
    assert_eq!((shown.text("suggested"), shown.text("suggested_by")), (jane.clone(), "phone".to_owned()));
    // A telephone that two have suggests nobody; a hash of one neither.
    let body = json!({ "login": "joan", "phone": "0712345678", "router": isp.router, "package": isp.package });
    let _ = isp.post("/customers", body).await.expect(201);
    for (receipt, phone) in [("R4", "254712345678"), ("R5", "a3f1c0ffee")] {
        let item = isp.item(receipt, "?", phone).await;
        let shown = isp.get(&format!("/unmatched-payments/{item}")).await.expect(200);
        assert_eq!((&shown.body["suggested"], shown.text("phone")), (&json!(null), phone.to_owned()));
    }
    assert_eq!((isp.balance("mobile_money").await, isp.balance("unmatched").await), (5 * PRICE, -3 * PRICE));
    isp.expect_sound_books().await;
}

#[tokio::test]
async fn an_item_is_matched_once() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.customer("jane").await;
    let item = isp.item("R1", "?", "").await;
    let path = format!("/unmatched-payments/{item}");
    let care = test.token(&isp.tenant, Role::CustomerCare).await;
    let body = || json!({ "customer": jane });
    let _ = test.call("POST", &format!("/api/v1{path}/match"), &care, Some(body())).await.expect(403);
    let matched = format!("{path}/match");
    let tries = futures_util::future::join_all((0..5).map(|_| isp.post(&matched, body()))).await;
    let mut statuses: Vec<u16> = tries.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409, 409]);
    let _ = isp.post(&format!("{path}/refund"), json!({ "note": "sent back" })).await.expect(409);
    assert_eq!((isp.balance("unmatched").await, isp.balance("sales").await), (0, -PRICE));
    let customer = isp.get(&format!("/customers/{jane}")).await.expect(200);
    assert!(customer.body["paid_until"].is_string(), "{}", customer.body);
    let shown = isp.get(&path).await.expect(200);
    assert_eq!((shown.text("state"), shown.text("resolved_by").starts_with("token:")), ("matched".to_owned(), true));
    // It can be taken back like any payment.
    let _ = isp.post(&format!("/payments/{}/reverse", shown.text("payment")), json!({ "reason": "not hers" })).await.expect(200);
    for account in ["mobile_money", "unmatched", "sales"] {
        assert_eq!(isp.balance(account).await, 0, "{account}");
    }
    isp.expect_sound_books().await;
}

#[tokio::test]
async fn a_refund_is_noted_once_and_the_money_is_gone() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.customer("jane").await;
    let item = isp.item("R1", "?", "").await;
    let path = format!("/unmatched-payments/{item}");
    assert_eq!(isp.post(&format!("{path}/refund"), json!({ "note": " " })).await.expect(400).body["errors"][0]["field"], "note");
    let payment = isp.get(&path).await.expect(200).text("payment");
    let problem = isp.post(&format!("/payments/{payment}/reverse"), json!({ "reason": "x" })).await.expect(409);
    assert!(problem.text("detail").contains("inbox"), "{}", problem.body);
    let _ = isp.post(&format!("{path}/refund"), json!({ "note": "sent back to 0712" })).await.expect(204);
    let _ = isp.post(&format!("{path}/refund"), json!({ "note": "again" })).await.expect(409);
    let _ = isp.post(&format!("{path}/match"), json!({ "customer": jane })).await.expect(409);
    assert_eq!((isp.balance("mobile_money").await, isp.balance("unmatched").await), (0, 0));
    assert_eq!(isp.arrive("R1", PRICE, "jane", "").await.expect(201).body["outcome"], "known", "the receipt is used up");
    assert_eq!(
        isp.number("SELECT count(*) FROM audit_log WHERE tenant_id = $1 AND action = 'unmatched_payment.refund'").await,
        1
    );
}

#[tokio::test]
async fn another_tenants_item_and_customer_are_nobodys() {
    let test = TestApp::new().await;
    let (isp, other) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let (jane, item) = (isp.customer("jane").await, isp.item("R1", "?", "").await);
    let theirs = other.customer("jane").await;
    let _ = isp.post(&format!("/unmatched-payments/{item}/match"), json!({ "customer": theirs })).await.expect(404);
    let _ = other.post(&format!("/unmatched-payments/{item}/match"), json!({ "customer": theirs })).await.expect(404);
    let number = isp.get(&format!("/customers/{jane}")).await.expect(200).text("account_number");
    assert_eq!(
        other.arrive("R1", PRICE, &number, "").await.expect(201).body["outcome"],
        "parked",
        "another ISP's number is nobody's"
    );
}

const STATEMENT: &str = "receipt,amount,date,account,phone,name\n\
    B1,1500.00,2026-01-14,jane,,Jane\n\
    B2,\"2,000\",2026-01-14 10:00,nobody,0712000000,=HYPERLINK(1)\n\
    B3,500,,jane,,\n";

#[tokio::test]
async fn a_statement_is_looked_at_then_booked_and_known_the_next_time() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.customer("jane").await;
    let counts =
        |answer: &Answer| ["counted", "parked", "known", "errors"].map(|field| answer.body[field].as_i64().expect("a number"));
    let before = test.db.fingerprint().await;
    let looked = isp.send_csv("/statements?dry_run=true", STATEMENT).await.expect(200);
    assert_eq!((counts(&looked), test.db.fingerprint().await), ([2, 1, 0, 0], before), "a dry run changes nothing");
    let booked = isp.send_csv("/statements?dry_run=false", STATEMENT).await.expect(200);
    assert_eq!((counts(&booked), isp.balance("bank").await, isp.wallet(&jane).await), ([2, 1, 0, 0], 400_000, 50_000));
    assert_eq!(each(&booked, "line"), [json!(2), json!(3), json!(4)]);
    let again = isp.send_csv("/statements?dry_run=false", STATEMENT).await.expect(200);
    assert_eq!((counts(&again), isp.balance("bank").await), ([0, 0, 3, 0], 400_000));
    isp.expect_sound_books().await;
}

#[tokio::test]
async fn a_statement_with_a_wrong_line_books_nothing() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let _jane = isp.customer("jane").await;
    let file = "receipt,amount,date,account\nB1,1500,,jane\nB1,1500,,jane\nB2,-5,,jane\nB3,1500,31.01.2026,jane\n,5,,jane\nB5,0,,jane\nB6,5,2030-01-01,jane\n";
    let looked = isp.send_csv("/statements?dry_run=true", file).await.expect(200);
    let faults = |list: &Value| -> Vec<(i64, String)> {
        let fault = |item: &Value| (item["line"].as_i64().expect("a number"), item["message"].as_str().expect("text").to_owned());
        list.as_array().expect("a list").iter().map(fault).collect()
    };
    let found: Vec<(i64, String)> = faults(&looked.body["faults"])
        .into_iter()
        .map(|(line, text)| (line, text.split(':').next().expect("a field").to_owned()))
        .collect();
    let wanted = [(3, "receipt"), (4, "amount"), (5, "date"), (6, "receipt"), (7, "amount"), (8, "received_at")];
    assert_eq!(found, wanted.map(|(line, field)| (line, field.to_owned())));
    let before = test.db.fingerprint().await;
    let refused = isp.send_csv("/statements?dry_run=false", file).await.expect(400);
    assert_eq!(
        (refused.body["errors"].as_array().map(Vec::len), &refused.body["errors"][0]["field"]),
        (Some(6), &json!("line 3"))
    );
    assert_eq!(test.db.fingerprint().await, before);
    for (file, says) in [
        ("amount\n5\n", "`receipt` is missing"),
        ("receipt,amount,colour\nB,5,red\n", "`colour`"),
        ("receipt,amount\n", "no lines"),
        ("receipt,amount\n\u{feff}", "no lines"),
    ] {
        let problem = isp.send_csv("/statements?dry_run=true", file).await;
        if problem.status == 400 {
            assert!(problem.text("detail").contains(says), "{file}: {}", problem.body);
        } else {
            assert!(problem.body["errors"].as_i64() > Some(0), "{file}: {}", problem.body);
        }
    }
    let sandbox = isp.gateway("Playground", "sandbox").await;
    let path = format!("/statements?dry_run=false&method=mobile_money&gateway={sandbox}");
    assert!(isp.send_csv(&path, STATEMENT).await.expect(409).text("detail").contains("sandbox"));
}
