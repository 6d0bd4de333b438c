//! Bills: numbered without a gap whatever is given up on the way, owed when issued, paid by what is booked, voided and never deleted.

use crate::fixture::{Isp, PRICE, each, kes};
use controller::invoices::issue;
use controller::testing::{Answer, TestApp};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

impl Isp<'_> {
    fn bill(&self, customer: &str) -> Value {
        json!({
            "customer": customer, "due_on": "2026-01-31",
            "lines": [
                { "kind": "package", "package": self.package },
                { "kind": "fee", "text": "Installation", "quantity": 2, "unit_minor": 50_000 },
                { "kind": "discount", "text": "Neighbour", "unit_minor": 50_000 },
                { "kind": "tax", "text": "VAT 16%", "rate_bp": 1_600 }
            ]
        })
    }

    async fn draft(&self, customer: &str) -> String {
        self.post("/invoices", self.bill(customer)).await.expect(201).text("id")
    }

    async fn issued(&self, customer: &str) -> String {
        let id = self.draft(customer).await;
        let _ = self.post(&format!("/invoices/{id}/issue"), json!({})).await.expect(200);
        id
    }

    async fn pay_bill(&self, id: &str, method: &str, minor: i64) -> Answer {
        self.post(&format!("/invoices/{id}/payments"), json!({ "method": method, "amount": kes(minor) })).await
    }
}

const NET: i64 = PRICE + 100_000 - 50_000;
const TAX: i64 = NET * 16 / 100;

#[tokio::test]
async fn a_bill_goes_from_draft_to_paid() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.customer("jane").await;
    let id = isp.draft(&jane).await;
    let path = format!("/invoices/{id}");
    let draft = isp.get(&path).await.expect(200);
    assert_eq!(
        (draft.text("state"), &draft.body["number"], &draft.body["total"]),
        ("draft".to_owned(), &json!(null), &kes(NET + TAX))
    );
    assert_eq!(isp.pay_bill(&id, "cash", 1).await.expect(409).text("detail"), "the invoice is draft: issue it first");
    assert_eq!(isp.balance("receivables").await, 0, "a draft is owed by nobody");
    let issued = isp.post(&format!("{path}/issue"), json!({})).await.expect(200);
    assert_eq!((issued.text("number"), issued.text("customer_name")), ("INV-2026-000001".to_owned(), "jane".to_owned()));
    let _ = isp.post(&format!("{path}/issue"), json!({})).await.expect(409);
    assert_eq!((isp.balance("receivables").await, isp.balance("sales").await, isp.balance("tax").await), (NET + TAX, -NET, -TAX));
    let owed = isp.get(&format!("/customers/{jane}/wallet")).await.expect(200);
    assert_eq!(owed.body["owed"], json!([kes(NET + TAX)]));
    // In parts, out of the till and the wallet; never more than is open.
    let half = isp.pay_bill(&id, "cash", 100_000).await.expect(201);
    assert_eq!(half.body["open"], kes(NET + TAX - 100_000));
    assert_eq!(isp.pay_bill(&id, "cash", NET + TAX).await.expect(400).body["errors"][0]["field"], "amount");
    assert_eq!(isp.pay_bill(&id, "voucher", 1).await.expect(400).body["errors"][0]["field"], "method");
    assert_eq!(isp.pay_bill(&id, "bank", 1).await.expect(400).body["errors"][0]["field"], "receipt");
    let rest = NET + TAX - 100_000;
    let _ = isp.pay_bill(&id, "wallet", rest).await.expect(409);
    let _ = isp.post(&format!("/customers/{jane}/wallet/top-up"), json!({ "amount": kes(rest) })).await.expect(201);
    let last = isp.pay_bill(&id, "wallet", rest).await.expect(201);
    assert_eq!(
        (isp.get(&path).await.expect(200).text("state"), isp.wallet(&jane).await, isp.balance("receivables").await),
        ("paid".to_owned(), 0, 0)
    );
    // Taken back, it is owed again, and the wallet has its own back.
    let _ =
        isp.post(&format!("/payments/{}/reverse", last.text("payment")), json!({ "reason": "typed twice" })).await.expect(200);
    assert_eq!(
        (isp.get(&path).await.expect(200).text("state"), isp.wallet(&jane).await, isp.balance("receivables").await),
        ("issued".to_owned(), rest, rest)
    );
    isp.expect_sound_books().await;
}

#[tokio::test]
async fn what_is_issued_says_what_was_so_then() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.customer("jane").await;
    let id = isp.issued(&jane).await;
    let version = isp.get(&format!("/customers/{jane}")).await.expect(200).body["version"].clone();
    let _ = isp
        .call("PATCH", &format!("/customers/{jane}"), Some(json!({ "full_name": "Jane Doe", "version": version })))
        .await
        .expect(204);
    let dearer = json!({ "price": kes(2 * PRICE) });
    let _ = isp.call("PATCH", &format!("/packages/{}", isp.package), Some(dearer)).await.expect(200);
    let shown = isp.get(&format!("/invoices/{id}")).await.expect(200);
    assert_eq!((shown.text("customer_name"), &shown.body["lines"][0]["amount"]), ("jane".to_owned(), &kes(PRICE)));
    for change in [
        "UPDATE invoice SET total_minor = 1",
        "DELETE FROM invoice",
        "UPDATE invoice_line SET amount_minor = 1",
        "DELETE FROM invoice_line",
    ] {
        assert!(test.db.try_as_app(isp.tenant.id, change).await.expect_err("refused").contains("permission denied"), "{change}");
    }
}

#[tokio::test]
async fn a_void_bill_keeps_its_number_and_is_owed_no_more() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.customer("jane").await;
    let id = isp.issued(&jane).await;
    let path = format!("/invoices/{id}");
    assert_eq!(
        isp.post(&format!("{path}/void"), json!({ "reason": " " })).await.expect(400).body["errors"][0]["field"],
        "reason"
    );
    let payment = isp.pay_bill(&id, "cash", 1_000).await.expect(201).text("payment");
    let problem = isp.post(&format!("{path}/void"), json!({ "reason": "wrong customer" })).await.expect(409);
    assert!(problem.text("detail").contains("reverse its payments first"), "{}", problem.body);
    let _ = isp.post(&format!("/payments/{payment}/reverse"), json!({ "reason": "wrong customer" })).await.expect(200);
    let _ = isp.post(&format!("{path}/void"), json!({ "reason": "wrong customer" })).await.expect(204);
    let _ = isp.post(&format!("{path}/void"), json!({ "reason": "again" })).await.expect(409);
    for account in ["receivables", "sales", "tax", "cash"] {
        assert_eq!(isp.balance(account).await, 0, "{account}");
    }
    assert_eq!(isp.get(&path).await.expect(200).text("number"), "INV-2026-000001");
    let next = isp.issued(&jane).await;
    assert_eq!(isp.get(&format!("/invoices/{next}")).await.expect(200).text("number"), "INV-2026-000002");
    let draft = isp.draft(&jane).await;
    let _ = isp.post(&format!("/invoices/{draft}/void"), json!({ "reason": "not needed" })).await.expect(204);
    assert_eq!(isp.get(&format!("/invoices/{draft}")).await.expect(200).body["number"], json!(null));
    let list = isp.get("/invoices?state=void").await.expect(200);
    assert_eq!(each(&list, "id"), [json!(draft), json!(id)]);
    isp.expect_sound_books().await;
}

/// Fifty at once, of which every third gives up after it had its number.
#[tokio::test]
async fn numbers_have_no_gap_and_no_twin() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.customer("jane").await;
    let mut drafts = Vec::new();
    for _ in 0..50 {
        drafts.push(isp.draft(&jane).await);
    }
    let issue_one = |(at, id): (usize, &String)| {
        let id = id.parse().expect("an id");
        let isp = &isp;
        async move {
            let mut tx = isp.tx().await;
            issue(&isp.test.app, &mut tx, id, isp.test.app.clock.now()).await.expect("a draft");
            if at % 3 == 0 { drop(tx) } else { tx.commit().await.expect("committed") }
        }
    };
    futures_util::future::join_all(drafts.iter().enumerate().map(issue_one)).await;
    let issued = i64::try_from((0..50).filter(|at| at % 3 != 0).count()).expect("a small number");
    let count = "SELECT count(DISTINCT number) FROM invoice WHERE tenant_id = $1 AND number IS NOT NULL";
    let highest = "SELECT max(number) FROM invoice WHERE tenant_id = $1";
    let last = "SELECT max(last) FROM invoice_counter WHERE tenant_id = $1";
    assert_eq!((isp.number(count).await, isp.number(highest).await, isp.number(last).await), (issued, issued, issued));
    assert_eq!(isp.balance("receivables").await, issued * (NET + TAX));
}

#[tokio::test]
async fn each_series_and_each_year_begins_at_one_by_the_tenants_calendar() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.customer("jane").await;
    let make = async |prefix: &str| {
        let mut bill = isp.bill(&jane);
        bill["prefix"] = json!(prefix);
        let id = isp.post("/invoices", bill).await.expect(201).text("id");
        isp.post(&format!("/invoices/{id}/issue"), json!({})).await.expect(200).text("number")
    };
    assert_eq!(
        (make("A").await, make("B").await, make("A").await),
        ("A-2026-000001".into(), "B-2026-000001".into(), "A-2026-000002".into())
    );
    // It is next year in Nairobi three hours before it is in UTC.
    let turn: Timestamp = "2026-12-31T21:00:00Z".parse().expect("a time");
    test.clock.advance(turn.duration_since(test.app.clock.now()) - SignedDuration::from_secs(10));
    assert_eq!(make("A").await, "A-2026-000003");
    test.clock.advance(SignedDuration::from_secs(10));
    assert_eq!(make("A").await, "A-2027-000001");
    let other = Isp::new(&test, "Beta").await;
    let joan = other.customer("joan").await;
    let theirs = other.issued(&joan).await;
    assert!(
        other.get(&format!("/invoices/{theirs}")).await.expect(200).text("number").ends_with("-000001"),
        "numbers tell nothing of others"
    );
    for path in ["issue", "void", "payments"] {
        let body = match path {
            "void" => json!({ "reason": "mine" }),
            "payments" => json!({ "method": "cash", "amount": kes(1) }),
            _ => json!({}),
        };
        let _ = isp.post(&format!("/invoices/{theirs}/{path}"), body).await.expect(404);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_bill_is_named() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.customer("jane").await;
    let with = |field: &str, value: Value| {
        let mut bill = isp.bill(&jane);
        bill[field] = value;
        bill
    };
    for (field, wrong) in [
        ("prefix", with("prefix", json!("inv"))),
        ("lines", with("lines", json!([]))),
        ("lines.text", with("lines", json!([{ "kind": "fee", "unit_minor": 5 }]))),
        ("lines.package", with("lines", json!([{ "kind": "package", "text": "x", "unit_minor": 5 }]))),
        ("note", with("note", json!("x".repeat(501)))),
    ] {
        assert_eq!(isp.post("/invoices", wrong).await.expect(400).body["errors"][0]["field"], field);
    }
    let _ = isp.post("/invoices", with("due_on", json!("2026-02-30"))).await.expect(400);
    let _ = isp.post("/invoices", with("customer", json!("cus_0190163d8694739b8fd74dd02ebd3dc4"))).await.expect(404);
    let _id = isp.issued(&jane).await;
    let file = isp.file("/invoices/export").await;
    assert!(
        file.starts_with("number,state,") && file.contains("\r\nINV-2026-000001,issued,") && file.lines().count() == 2,
        "{file}"
    );
}
