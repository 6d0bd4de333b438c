//! Customers are found by whatever somebody says, each way by an index.

use crate::fixture::{Isp, router};
use controller::testing::TestApp;
use serde_json::json;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

#[tokio::test]
async fn customers_are_found_by_what_people_say() {
    let test = TestApp::new().await;
    let (isp, other) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let hill = router(&test, &isp.tenant, "hill").await;
    let flat = isp.post("/sites", json!({ "kind": "unit", "name": "Flat 3" })).await.expect(201).text("id");
    for (login, more) in [
        ("jane", json!({ "full_name": "Jane Wanjikũ Müller", "phone": "0712345678", "mac": "CC:2D:E0:00:00:01" })),
        ("ahmed", json!({ "full_name": "مُحَمَّد أحمد", "phone": "+256772123456", "site": flat })),
        ("jose", json!({ "full_name": "Jose\u{301} Ångström", "router": hill })),
        ("percent", json!({ "full_name": "100% Wifi_Shop", "phone": "0733000000" })),
    ] {
        isp.customer(login, more).await;
    }
    other.customer("spy", json!({ "full_name": "Jane Wanjiku", "phone": "0712345678", "mac": "CC:2D:E0:00:00:01" })).await;
    let _ = isp
        .post(
            &format!(
                "/customers/{}/suspend",
                isp.get("/customers?login=jose").await.body["items"][0]["id"].as_str().expect("an id")
            ),
            json!({}),
        )
        .await
        .expect(204);
    for (query, found) in [
        ("name=jane", vec!["jane"]),
        ("name=JANE%20wanjiku", vec!["jane"]),
        ("name=muller", vec!["jane"]),
        ("name=M%C3%9CLL", vec!["jane"]),
        ("name=wanjiku", vec![]),
        ("name=%D9%85%D8%AD%D9%85%D8%AF", vec!["ahmed"]),
        ("name=jos%C3%A9", vec!["jose"]),
        ("name=angstrom", vec!["jose"]),
        ("name=100%25", vec!["percent"]),
        ("name=%25", vec![]),
        ("name=_", vec![]),
        ("phone=0712", vec!["jane"]),
        ("phone=%2B254%20712%20345%20678", vec!["jane"]),
        ("phone=%2B256", vec!["ahmed"]),
        ("phone=07", vec!["percent", "jane"]),
        ("mac=cc2de0000001", vec!["jane"]),
        ("mac=CC:2D:E0:00:00:02", vec![]),
        ("login=j", vec!["jose", "jane"]),
        ("status=suspended", vec!["jose"]),
        ("status=active&login=j", vec!["jane"]),
        ("kind=hotspot", vec![]),
    ] {
        let mut logins = isp.logins(query).await;
        logins.sort();
        let mut wanted: Vec<String> = found.into_iter().map(str::to_owned).collect();
        wanted.sort();
        assert_eq!(logins, wanted, "{query}");
    }
    assert_eq!(isp.logins(&format!("site={flat}")).await, ["ahmed"]);
    assert_eq!(isp.logins(&format!("router={hill}")).await, ["jose"]);
    for (query, field) in [("phone=x", "phone"), ("mac=x", "mac"), ("account_number=1", "account_number")] {
        assert_eq!(isp.get(&format!("/customers?{query}")).await.expect(400).body["errors"][0]["field"], field);
    }
    for query in ["status=gone", "site=x", "router=cus_1"] {
        let _ = isp.get(&format!("/customers?{query}")).await.expect(400);
    }
}

/// A name as the store looks for it: at its beginning, or at that of its last word.
const NAMED: &str = "((c.search_name >= 'name0123' AND c.search_name < 'name0123\u{10FFFF}')
                   OR (c.search_last >= 'name0123' AND c.search_last < 'name0123\u{10FFFF}'))";

/// Goal: no way of looking reads through all customers. Method: EXPLAIN as the app's role, under its policies, over 20,000 customers of two
/// tenants; each condition as the store writes it.
#[tokio::test]
async fn each_way_of_looking_has_its_index() {
    let test = TestApp::new().await;
    let (isp, other) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    for isp in [&isp, &other] {
        let mut csv = "login,router,package,full_name,phone,mac\n".to_owned();
        for n in 0..10_000 {
            csv.push_str(&format!(
                "c{n:05},roof,Home,Name{n:05} Last{n:05},+2547{n:08},CC:2D:E0:00:{:02X}:{:02X}\n",
                n / 256,
                n % 256
            ));
        }
        let _ = isp.import(csv, false, None).await.expect(200);
    }
    let mut owner = test.db.connect_as("mastwire_owner").await;
    sqlx::query("ANALYZE customer").execute(&mut owner).await.expect("counted");
    let doors = test.app.db.locator().tenants("test").await.expect("all");
    let door = doors.iter().find(|door| door.tenant() == isp.tenant.id).expect("its own");
    let mut tx = test.app.db.tenant(door).await.expect("in");
    for (condition, index) in [
        ("(c.login COLLATE \"C\" >= 'c0123' AND c.login COLLATE \"C\" < 'c0123\u{10FFFF}')", "customer_login_begins"),
        (NAMED, "customer_name_begins"),
        (NAMED, "customer_last_name_begins"),
        ("(c.phone COLLATE \"C\" >= '2547000012' AND c.phone COLLATE \"C\" < '2547000012\u{10FFFF}')", "customer_phone_begins"),
        ("c.account_number = '12345678'", "customer_account_unique"),
        ("c.mac = 'CC:2D:E0:00:01:01'", "customer_mac"),
        ("c.site_id = '00000000-0000-0000-0000-000000000000'", "customer_site"),
        ("c.status = 'suspended'", "customer_status"),
        ("c.kind = 'static'", "customer_kind"),
        ("true", "customer_pkey"),
    ] {
        let mut query = QueryBuilder::<Postgres>::new("EXPLAIN SELECT * FROM customer c WHERE c.tenant_id = ");
        query.push_bind(isp.tenant.id).push(" AND c.id < ").push_bind(Uuid::max()).push(" AND ").push(condition);
        query.push(" ORDER BY c.id DESC LIMIT 51");
        let plan: Vec<String> = query.build_query_scalar().fetch_all(tx.conn()).await.expect("a plan");
        let plan = plan.join("\n");
        assert!(plan.contains(index) && !plan.contains("Seq Scan on customer"), "{condition}:\n{plan}");
    }
}
