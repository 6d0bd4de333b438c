//! Who was a customer before the records were complete is one afterwards, with a number, a past and a name by which they are found.

use controller::customers::account_number;
use db::OldDb;

/// Two ISPs with customers, as the schema before had them.
const ROWS: [&str; 6] = [
    "INSERT INTO tenant (id, name, currency, time_zone, created_at, status_since)
     SELECT format('00000000-0000-0000-0000-%s', lpad(n::text, 12, '0'))::uuid, zone, 'KES', zone, '2026-01-01Z', '2026-01-01Z'
       FROM (VALUES (1, 'Africa/Nairobi'), (2, 'Africa/Lagos'), (3, 'UTC')) AS t (n, zone)",
    "INSERT INTO router (tenant_id, id, name, created_at) SELECT id, id, 'roof', created_at FROM tenant",
    "SET CONSTRAINTS ALL DEFERRED",
    "WITH made AS (
         INSERT INTO package (tenant_id, id, version_id, name, kind, price_minor, currency, download_bps, upload_bps, validity_months, on_expiry,
                              created_at)
         SELECT id, id, id, 'Home', 'hotspot', 100, 'KES', 1, 1, 1, 'disable', created_at FROM tenant RETURNING tenant_id, id)
     INSERT INTO package_version (tenant_id, id, package_id, number, price_minor, currency, download_bps, upload_bps, applies, valid_from, made_by)
     SELECT tenant_id, id, id, 1, 100, 'KES', 1, 1, 'now', '2026-01-01Z', 'test' FROM made",
    "INSERT INTO customer (tenant_id, id, login, full_name, phone, kind, password, router_id, package_id, mac, status, created_at)
     SELECT t.id, gen_random_uuid(), c.login, c.name, c.phone, 'hotspot', '\\x00', t.id, t.id, c.mac, c.status, '2026-01-02Z'
       FROM tenant t, (VALUES ('jane', 'Jane Müller', '254712345678', 'CC:2D:E0:00:00:01', 'active'),
                              ('gone', '', '', NULL, 'terminated'), ('k7pm', '', '', NULL, 'active')) AS c (login, name, phone, mac, status)",
    "WITH batch AS (
         INSERT INTO voucher_batch (tenant_id, id, package_id, size, created_at) SELECT id, id, id, 1, created_at FROM tenant RETURNING tenant_id, id)
     INSERT INTO voucher (tenant_id, id, batch_id, code_hmac, sealed_code, code_tail, state, customer_id, redeemed_at)
     SELECT b.tenant_id, b.id, b.id, sha256(b.id::text::bytea), '\\x00', 'xyz', 'redeemed', c.id, c.created_at
       FROM batch b JOIN customer c ON c.tenant_id = b.tenant_id AND c.login = 'k7pm'",
];

type Found = (String, String, String, String, bool, Option<bool>, Option<bool>);

#[tokio::test]
async fn earlier_customers_get_numbers_a_past_and_names_to_be_found_by() {
    let old = OldDb::before(11).await;
    let mut superuser = old.connect_as("postgres").await;
    sqlx::query("BEGIN").execute(&mut superuser).await.expect("begun");
    for statement in ROWS {
        sqlx::query(statement).execute(&mut superuser).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    sqlx::query("COMMIT").execute(&mut superuser).await.expect("kept");
    drop(superuser);
    let test = old.migrate().await;
    let mut superuser = test.connect_as("postgres").await;
    let countries: Vec<(String, Option<String>)> =
        sqlx::query_as("SELECT time_zone, country FROM tenant ORDER BY id").fetch_all(&mut superuser).await.expect("rows");
    let known = |zone: &str, country: Option<&str>| (zone.to_owned(), country.map(str::to_owned));
    assert_eq!(countries, [known("Africa/Nairobi", Some("KE")), known("Africa/Lagos", Some("NG")), known("UTC", None)]);

    let numbers: Vec<String> =
        sqlx::query_scalar("SELECT account_number FROM customer").fetch_all(&mut superuser).await.expect("rows");
    assert_eq!(numbers.len(), 9);
    assert!(numbers.iter().all(|number| account_number(number).as_ref() == Some(number)), "{numbers:?}");
    let rows: Vec<(String, String, String, String, bool, bool, bool)> = sqlx::query_as(
        "SELECT login, search_name, search_last, origin, terminated_at IS NOT NULL, mac_since = created_at, phone_since = created_at
           FROM customer WHERE tenant_id = '00000000-0000-0000-0000-000000000001' AND login_since = created_at AND version = 1
          ORDER BY login = 'gone', login = 'k7pm'",
    )
    .fetch_all(&mut superuser)
    .await
    .map(|rows: Vec<Found>| {
        rows.into_iter().map(|(a, b, c, d, e, f, g)| (a, b, c, d, e, f.unwrap_or(false), g.unwrap_or(false))).collect()
    })
    .expect("rows");
    let row = |login: &str, name: &str, last: &str, origin: &str, gone, had| {
        (login.to_owned(), name.to_owned(), last.to_owned(), origin.to_owned(), gone, had, had)
    };
    assert_eq!(
        rows,
        [
            row("jane", "jane muller", "muller", "operator", false, true),
            row("k7pm", "", "", "voucher", false, false),
            row("gone", "", "", "operator", true, false),
        ]
    );
}

/// Every country that a zone leads to is one whose numbers are known.
#[tokio::test]
async fn every_zone_leads_to_a_country_that_is_known() {
    let test = db::TestDb::new().await;
    let mut owner = test.connect_as("mastwire_owner").await;
    let source: String = sqlx::query_scalar("SELECT prosrc FROM pg_proc WHERE proname = 'country_of_zone'")
        .fetch_one(&mut owner)
        .await
        .expect("it");
    let pairs = source
        .split("('")
        .skip(1)
        .filter_map(|pair| pair.split_once("', '"))
        .filter_map(|(zone, rest)| Some((zone, rest.get(..2)?)));
    let mut known = 0;
    for (zone, country) in pairs {
        assert!(jiff::tz::TimeZone::get(zone).is_ok() && country.parse::<model::Country>().is_ok(), "{zone} {country}");
        known += 1;
    }
    assert!(known > 80, "{known}");
}
