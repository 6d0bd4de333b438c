//! The chart of accounts: the program's own stay, the tenant's are its own, and tenants of before have got them.

use crate::fixture::{Isp, each, kes};
use controller::ledger::Account;
use controller::testing::TestApp;
use db::{OldDb, TestDb};
use serde_json::json;

#[tokio::test]
async fn every_tenant_has_the_programs_accounts_and_they_stay() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let listed = isp.get("/accounts").await.expect(200);
    let mut wanted: Vec<&str> = Account::ALL.into_iter().map(Account::as_str).collect();
    wanted.sort_unstable();
    assert_eq!(each(&listed, "code"), wanted);
    let cash =
        listed.body["items"].as_array().expect("a list").iter().find(|item| item["code"] == "cash").expect("cash")["id"].clone();
    let path = format!("/accounts/{}", cash.as_str().expect("an id"));
    assert!(isp.call("PATCH", &path, Some(json!({ "name": "Mine" }))).await.expect(409).text("detail").contains("program's own"));
    let _ = isp.post(&format!("{path}/close"), json!({})).await.expect(409);
    for change in ["UPDATE account SET code = 'x1'", "UPDATE account SET type = 'equity'", "DELETE FROM account"] {
        assert!(test.db.try_as_app(isp.tenant.id, change).await.expect_err("refused").contains("permission denied"), "{change}");
    }
    let closing = "UPDATE account SET closed_at = now() WHERE code = 'cash'";
    assert!(test.db.try_as_app(isp.tenant.id, closing).await.expect_err("refused").contains("account_system_stays"));
}

#[tokio::test]
async fn a_tenant_makes_accounts_renames_and_closes_them() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let rent = json!({ "code": "office_rent", "name": "Office rent", "type": "expense" });
    let id = isp.post("/accounts", rent.clone()).await.expect(201).text("id");
    assert!(isp.post("/accounts", rent).await.expect(409).text("type").ends_with("already-exists"));
    for (field, wrong) in [
        ("code", json!({ "code": "Rent", "name": "Rent", "type": "expense" })),
        ("name", json!({ "code": "rent", "name": " ", "type": "expense" })),
        ("type", json!({ "code": "rent", "name": "Rent", "type": "income" })),
    ] {
        assert_eq!(isp.post("/accounts", wrong).await.expect(400).body["errors"][0]["field"], field);
    }
    let _ = isp.call("PATCH", &format!("/accounts/{id}"), Some(json!({ "name": "Rent of the office" }))).await.expect(204);
    let spend = json!({ "account": "office_rent", "amount": kes(1_000) });
    let _ = isp.post("/expenses", spend.clone()).await.expect(201);
    let _ = isp.post(&format!("/accounts/{id}/close"), json!({})).await.expect(204);
    assert_eq!(isp.post("/expenses", spend).await.expect(400).body["errors"][0]["field"], "account");
    assert_eq!(isp.balance("office_rent").await, 1_000, "what stands in a closed account stays");
    // The same code is free elsewhere, and each sees its own.
    let other = Isp::new(&test, "Beta").await;
    let _ = other.post("/accounts", json!({ "code": "office_rent", "name": "Ours", "type": "expense" })).await.expect(201);
    let _ = other.post(&format!("/accounts/{id}/close"), json!({})).await.expect(404);
}

const TENANT: &str = "0190163d-8694-739b-8fd7-4dd02ebd3dc4";

/// What was booked before there was a chart of accounts stands in it, with its method and router.
#[tokio::test]
async fn tenants_of_before_have_got_accounts_and_their_books_stand() {
    let old = OldDb::before(10).await;
    let mut superuser = old.connect_as("postgres").await;
    let rows = format!(
        "INSERT INTO tenant (id, name, currency, time_zone, created_at, status_since) VALUES ('{TENANT}', 'Alpha', 'KES', 'Africa/Nairobi', now(), now());
         INSERT INTO router (tenant_id, id, name, created_at) SELECT '{TENANT}', md5('r')::uuid, 'roof', now();
         INSERT INTO package (tenant_id, id, name, kind, price_minor, currency, download_bps, upload_bps, validity_months, on_expiry, created_at)
            SELECT '{TENANT}', md5('p')::uuid, 'Home', 'pppoe', 500, 'KES', 1000000, 1000000, 1, 'redirect', now();
         INSERT INTO customer (tenant_id, id, login, kind, password, router_id, package_id, created_at)
            SELECT '{TENANT}', md5('c')::uuid, 'jane', 'pppoe', 'x', md5('r')::uuid, md5('p')::uuid, now();
         INSERT INTO payment (tenant_id, id, customer_id, package_id, method, receipt, amount_minor, currency, taken_by, received_at)
            SELECT '{TENANT}', md5('m' || n)::uuid, md5('c')::uuid, md5('p')::uuid, CASE n WHEN 1 THEN 'cash' ELSE 'voucher' END,
                   'R' || n, 500, 'KES', 'operator:x', now() FROM generate_series(1, 2) n;
         INSERT INTO ledger_journal (tenant_id, id, at, kind, payment_id)
            SELECT '{TENANT}', md5('j' || n)::uuid, now(), 'sale', md5('m' || n)::uuid FROM generate_series(1, 2) n;
         INSERT INTO ledger_entry (tenant_id, id, journal_id, account, amount_minor, currency)
            SELECT '{TENANT}', md5('e' || n || s)::uuid, md5('j' || n)::uuid,
                   CASE WHEN s < 0 THEN 'sales' WHEN n = 1 THEN 'cash' ELSE 'voucher_clearing' END, s * 500, 'KES'
              FROM generate_series(1, 2) n, unnest(ARRAY[-1, 1]) s;"
    );
    TestDb::run(&mut superuser, &format!("BEGIN; {rows} COMMIT")).await;
    drop(superuser);
    let test = old.migrate().await;
    let mut superuser = test.connect_as("postgres").await;
    let accounts: Vec<(String, String, String)> =
        sqlx::query_as("SELECT code, name, type FROM account WHERE tenant_id = $1::uuid AND system ORDER BY code")
            .bind(TENANT)
            .fetch_all(&mut superuser)
            .await
            .expect("accounts");
    let mut wanted: Vec<(String, String, String)> = Account::ALL
        .into_iter()
        .map(|account| {
            let (name, kind) = account.description();
            (account.as_str().to_owned(), name.to_owned(), kind.as_str().to_owned())
        })
        .collect();
    wanted.sort_unstable();
    assert_eq!(accounts, wanted, "the migration gives what the program gives a new tenant");
    let booked: Vec<(String, String, i64, i64)> = sqlx::query_as(
        "SELECT p.method, j.method, count(*), sum(abs(e.amount_minor))::bigint FROM ledger_entry e
           JOIN account a ON a.tenant_id = e.tenant_id AND a.code = e.account
           JOIN ledger_journal j ON j.tenant_id = e.tenant_id AND j.id = e.journal_id AND j.router_id = md5('r')::uuid
           JOIN payment p ON p.tenant_id = j.tenant_id AND p.id = j.payment_id GROUP BY 1, 2 ORDER BY 1",
    )
    .fetch_all(&mut superuser)
    .await
    .expect("entries");
    assert_eq!(booked, ["cash", "voucher"].map(|method| (method.to_owned(), method.to_owned(), 2, 1_000)));
}
