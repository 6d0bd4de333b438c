//! What customers paid, what it bought, and the books about it: each journal balances, and each wallet holds what its entries say.

use super::sql::{chance, id, run};
use controller::app::App;
use controller::secrets::Place;
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{GatewayId, VoucherBatchId, VoucherId};

/// One to four payments without a gap for each customer, of which the last still runs for four in five.
const SALES: &str = concat!(
    "INSERT INTO payment (tenant_id, id, customer_id, package_id, package_version_id, method, receipt, amount_minor, currency, taken_by, received_at)
     SELECT $1, ",
    id!("s.at", "'sale' || s.login || s.n"),
    ", s.id, s.package_id, s.version_id, CASE WHEN s.way < 0.4 THEN 'cash' ELSE 'mobile_money' END,
            upper(substr(md5(s.login || s.n), 1, 2)) || s.login || '-' || s.n, s.price_minor, s.currency, 'system:load', s.at
       FROM (SELECT c.id, c.login, c.created_at, p.id AS package_id, p.version_id, p.price_minor, p.currency, n, ",
    chance!("'way' || c.login || n"),
    " AS way, l.last - n * p.validity_seconds * interval '1 second' AS at
               FROM customer c JOIN package p ON p.tenant_id = $1 AND p.id = c.package_id
              CROSS JOIN LATERAL (SELECT CASE WHEN ",
    chance!("'paid' || c.login"),
    " < 0.8 THEN $3 - ",
    chance!("'when' || c.login"),
    " * 0.98 * p.validity_seconds * interval '1 second' ELSE $3 - (p.validity_seconds + 3600 + ",
    chance!("'late' || c.login"),
    " * 2500000) * interval '1 second' END AS last) l
              CROSS JOIN LATERAL generate_series(0, floor(",
    chance!("'times' || c.login"),
    " * 4)::int) AS n
              WHERE c.tenant_id = $1) s
      WHERE s.at > s.created_at OR s.n = 0 ORDER BY s.at"
);
const ENTITLEMENTS: &str = concat!(
    "INSERT INTO entitlement (tenant_id, id, customer_id, package_id, package_version_id, router_id, payment_id, starts_at, ends_at,
                              unbroken_since, generation, applied_at, online_at)
     SELECT $1, ",
    id!("p.received_at", "'entitlement' || p.id"),
    ", p.customer_id, p.package_id, p.package_version_id, c.router_id, p.id, p.received_at,
            p.received_at + k.validity_seconds * interval '1 second', min(p.received_at) OVER (PARTITION BY p.customer_id), 1,
            p.received_at + interval '2 seconds', p.received_at + interval '4 seconds'
       FROM payment p JOIN customer c ON c.tenant_id = $1 AND c.id = p.customer_id JOIN package k ON k.tenant_id = $1 AND k.id = p.package_id
      WHERE p.tenant_id = $1 AND $2::bigint IS NOT NULL AND $3::timestamptz IS NOT NULL ORDER BY p.received_at"
);
/// One customer in ten paid something into the wallet.
const TOP_UPS: &str = concat!(
    "INSERT INTO payment (tenant_id, id, customer_id, method, receipt, amount_minor, currency, taken_by, received_at)
     SELECT $1, ",
    id!("s.at", "'topup' || s.login"),
    ", s.id, 'mobile_money', 'W' || s.login, 10000 + 100 * (s.at::date - DATE '2020-01-01'), t.currency, 'system:load', s.at
       FROM (SELECT c.id, c.login, $3 - ",
    chance!("'topped' || c.login"),
    " * interval '20 days' AS at FROM customer c WHERE c.tenant_id = $1 AND ",
    chance!("'wallet' || c.login"),
    " < 0.1) s JOIN tenant t ON t.id = $1 ORDER BY s.at"
);
/// Of a hundred customers' payments two came without saying whose they are.
const UNMATCHED: &str = concat!(
    "INSERT INTO payment (tenant_id, id, method, receipt, amount_minor, currency, state, taken_by, received_at)
     SELECT $1, ",
    id!("s.at", "'unmatched' || s.login"),
    ", 'mobile_money', 'U' || s.login, 50000, t.currency, 'unmatched', 'system:load', s.at
       FROM (SELECT c.login, $3 - ",
    chance!("'lost' || c.login"),
    " * interval '90 days' AS at FROM customer c WHERE c.tenant_id = $1 AND ",
    chance!("'unknown' || c.login"),
    " < 0.02) s JOIN tenant t ON t.id = $1 ORDER BY s.at"
);
const INBOX: &str = concat!(
    "INSERT INTO unmatched_payment (tenant_id, id, payment_id, account_text, phone, why, created_at)
     SELECT $1, ",
    id!("p.received_at", "'inbox' || p.receipt"),
    ", p.id, 'acct 12', '254700000000', 'no customer has this account number', p.received_at
       FROM payment p WHERE p.tenant_id = $1 AND p.state = 'unmatched' AND $2::bigint IS NOT NULL AND $3::timestamptz IS NOT NULL"
);
const JOURNALS: &str = concat!(
    "INSERT INTO ledger_journal (tenant_id, id, at, kind, payment_id, router_id, method)
     SELECT $1, ",
    id!("p.received_at", "'journal' || p.id"),
    ", p.received_at, CASE WHEN p.state = 'unmatched' THEN 'unmatched' WHEN p.package_id IS NULL THEN 'top_up' ELSE 'sale' END, p.id, c.router_id, p.method
       FROM payment p LEFT JOIN customer c ON c.tenant_id = $1 AND c.id = p.customer_id
      WHERE p.tenant_id = $1 AND $2::bigint IS NOT NULL AND $3::timestamptz IS NOT NULL ORDER BY p.received_at"
);
const ENTRIES: &str = concat!(
    "INSERT INTO ledger_entry (tenant_id, id, journal_id, account, amount_minor, currency, customer_id, wallet_number, wallet_balance_minor)
     SELECT $1, ",
    id!("j.at", "s.side || j.id"),
    ", j.id, CASE WHEN s.side = 'debit' THEN j.method WHEN j.kind = 'sale' THEN 'sales' WHEN j.kind = 'top_up' THEN 'wallets' ELSE 'unmatched' END,
            s.sign * p.amount_minor, p.currency,
            CASE WHEN s.side = 'credit' AND j.kind = 'top_up' THEN p.customer_id END, CASE WHEN s.side = 'credit' AND j.kind = 'top_up' THEN 1 END,
            CASE WHEN s.side = 'credit' AND j.kind = 'top_up' THEN p.amount_minor END
       FROM ledger_journal j JOIN payment p ON p.tenant_id = $1 AND p.id = j.payment_id
      CROSS JOIN (VALUES ('debit', 1), ('credit', -1)) AS s (side, sign)
      WHERE j.tenant_id = $1 AND $2::bigint IS NOT NULL AND $3::timestamptz IS NOT NULL ORDER BY j.at"
);
const WALLETS: &str = "
    INSERT INTO wallet (tenant_id, customer_id, currency, balance_minor, entries, changed_at)
    SELECT $1, e.customer_id, e.currency, -sum(e.amount_minor), count(*), $3
      FROM ledger_entry e WHERE e.tenant_id = $1 AND e.account = 'wallets' AND $2::bigint IS NOT NULL GROUP BY e.customer_id, e.currency";

/// One customer in ten gets a bill; two in three are issued, numbered without a gap.
const INVOICES: &str = concat!(
    "INSERT INTO invoice (tenant_id, id, customer_id, state, prefix, year, number, currency, total_minor, tax_minor, due_on, customer_name,
                          customer_address, created_at, issued_at)
     SELECT $1, ",
    id!("s.at", "'invoice' || s.login"),
    ", s.id, CASE WHEN s.issued THEN 'issued' ELSE 'draft' END, 'INV', CASE WHEN s.issued THEN s.year END,
            CASE WHEN s.issued THEN row_number() OVER (PARTITION BY s.issued, s.year ORDER BY s.at, s.login) END, s.currency, s.price_minor, 0,
            (s.at + interval '14 days')::date, CASE WHEN s.issued THEN s.login END, CASE WHEN s.issued THEN '' END, s.at, CASE WHEN s.issued THEN s.at END
       FROM (SELECT c.id, c.login, p.price_minor, p.currency, l.at, extract(year FROM l.at)::int AS year, ",
    chance!("'issued' || c.login"),
    " < 0.67 AS issued FROM customer c JOIN package p ON p.tenant_id = $1 AND p.id = c.package_id
              CROSS JOIN LATERAL (SELECT $3 - ",
    chance!("'billed' || c.login"),
    " * interval '60 days' AS at) l WHERE c.tenant_id = $1 AND ",
    chance!("'bill' || c.login"),
    " < 0.1) s"
);
const INVOICE_LINES: &str = concat!(
    "INSERT INTO invoice_line (tenant_id, id, invoice_id, position, kind, text, quantity, unit_minor, amount_minor, package_id)
     SELECT $1, ",
    id!("i.created_at", "'line' || i.id"),
    ", i.id, 1, 'package', p.name, 1, i.total_minor, i.total_minor, p.id
       FROM invoice i JOIN customer c ON c.tenant_id = $1 AND c.id = i.customer_id JOIN package p ON p.tenant_id = $1 AND p.id = c.package_id
      WHERE i.tenant_id = $1 AND $2::bigint IS NOT NULL AND $3::timestamptz IS NOT NULL"
);
const INVOICE_COUNTERS: &str = "
    INSERT INTO invoice_counter (tenant_id, prefix, year, last)
    SELECT $1, prefix, year, max(number) FROM invoice WHERE tenant_id = $1 AND number IS NOT NULL AND $2::bigint IS NOT NULL AND $3::timestamptz IS NOT NULL
     GROUP BY prefix, year";
const INVOICE_JOURNALS: &str = concat!(
    "INSERT INTO ledger_journal (tenant_id, id, at, kind, invoice_id, router_id)
     SELECT $1, ",
    id!("i.issued_at", "'journal' || i.id"),
    ", i.issued_at, 'invoice', i.id, c.router_id FROM invoice i JOIN customer c ON c.tenant_id = $1 AND c.id = i.customer_id
      WHERE i.tenant_id = $1 AND i.state = 'issued' AND $2::bigint IS NOT NULL AND $3::timestamptz IS NOT NULL"
);
const INVOICE_ENTRIES: &str = concat!(
    "INSERT INTO ledger_entry (tenant_id, id, journal_id, account, amount_minor, currency, customer_id)
     SELECT $1, ",
    id!("j.at", "s.account || j.id"),
    ", j.id, s.account, s.sign * i.total_minor, i.currency, CASE WHEN s.account = 'receivables' THEN i.customer_id END
       FROM ledger_journal j JOIN invoice i ON i.tenant_id = $1 AND i.id = j.invoice_id
      CROSS JOIN (VALUES ('receivables', 1), ('sales', -1)) AS s (account, sign)
      WHERE j.tenant_id = $1 AND $2::bigint IS NOT NULL AND $3::timestamptz IS NOT NULL"
);
/// Diesel for a mast: one expense for each ten customers, and a few at least.
const EXPENSES: &str = concat!(
    "INSERT INTO expense (tenant_id, id, account, vendor, amount_minor, currency, paid_from, spent_on, noted_by, created_at)
     SELECT $1, ",
    id!("s.at", "'expense' || s.n"),
    ", 'expenses', 'Fuel station', 100000 + s.n, t.currency, 'bank', s.at::date, 'system:load', s.at
       FROM (SELECT n, $3 - ",
    chance!("'spent' || n"),
    " * interval '300 days' AS at FROM generate_series(1, (SELECT 5 + count(*) / 10 FROM customer c WHERE c.tenant_id = $1)) AS n) s
       JOIN tenant t ON t.id = $1"
);
const EXPENSE_JOURNALS: &str = concat!(
    "INSERT INTO ledger_journal (tenant_id, id, at, kind, expense_id) SELECT $1, ",
    id!("e.created_at", "'journal' || e.id"),
    ", e.created_at, 'expense', e.id FROM expense e WHERE e.tenant_id = $1 AND $2::bigint IS NOT NULL AND $3::timestamptz IS NOT NULL"
);
const EXPENSE_ENTRIES: &str = concat!(
    "INSERT INTO ledger_entry (tenant_id, id, journal_id, account, amount_minor, currency)
     SELECT $1, ",
    id!("j.at", "s.account || j.id"),
    ", j.id, s.account, s.sign * e.amount_minor, e.currency
       FROM ledger_journal j JOIN expense e ON e.tenant_id = $1 AND e.id = j.expense_id
      CROSS JOIN (VALUES ('expenses', 1), ('bank', -1)) AS s (account, sign)
      WHERE j.tenant_id = $1 AND $2::bigint IS NOT NULL AND $3::timestamptz IS NOT NULL"
);
const RECURRING: &str = concat!(
    "INSERT INTO recurring_expense (tenant_id, id, account, vendor, amount_minor, currency, paid_from, every, unit, first_on, next_due, created_at)
     SELECT $1, ",
    id!("$3::timestamptz", "'recurring' || v.vendor"),
    ", 'expenses', v.vendor, 500000, t.currency, 'bank', 1, 'month', $3::date + 5, $3::date + 5, $3
       FROM tenant t CROSS JOIN (VALUES ('Landlord'), ('Upstream'), ('Insurance')) AS v (vendor) WHERE t.id = $1 AND $2::bigint IS NOT NULL"
);
/// Attempts that came to nothing: those that succeeded are the payments.
const ATTEMPTS: &str = concat!(
    "INSERT INTO payment_attempt (tenant_id, id, gateway_id, checkout, state, environment, phone, amount_minor, currency, package_id,
                                  package_version_id, customer_id, router_id, outcome, created_at, expires_at, ended_at)
     SELECT $1, ",
    id!("s.at", "'attempt' || s.login"),
    ", g.id, 'ws_CO_' || md5(s.login), CASE WHEN s.way < 0.5 THEN 'failed' WHEN s.way < 0.8 THEN 'expired' ELSE 'cancelled' END, 'production',
            '254700000000', p.price_minor, p.currency, p.id, p.version_id, s.id, s.router_id, 'insufficient funds', s.at, s.at + interval '5 minutes', s.at + interval '5 minutes'
       FROM (SELECT c.id, c.login, c.package_id, c.router_id, ",
    chance!("'outcome' || c.login"),
    " AS way, $3 - ",
    chance!("'tried' || c.login"),
    " * interval '60 days' AS at FROM customer c WHERE c.tenant_id = $1 AND ",
    chance!("'attempt' || c.login"),
    " < 0.2) s JOIN package p ON p.tenant_id = $1 AND p.id = s.package_id JOIN gateway g ON g.tenant_id = $1 WHERE p.price_minor > 0"
);

/// Money, in the order in which one row needs another.
const STATEMENTS: &[&str] = &[
    SALES,
    ENTITLEMENTS,
    TOP_UPS,
    UNMATCHED,
    INBOX,
    JOURNALS,
    ENTRIES,
    WALLETS,
    INVOICES,
    INVOICE_LINES,
    INVOICE_COUNTERS,
    INVOICE_JOURNALS,
    INVOICE_ENTRIES,
    EXPENSES,
    EXPENSE_JOURNALS,
    EXPENSE_ENTRIES,
    RECURRING,
    ATTEMPTS,
];

/// Vouchers of one batch; a batch comes with each 200 customers.
const VOUCHERS: usize = 20;

/// Writes an ISP's money.
pub(super) async fn write(app: &App, tx: &mut TenantTx, customers: usize, seed: i64, now: Timestamp) -> anyhow::Result<()> {
    write_gateway(app, tx, now).await?;
    for statement in STATEMENTS {
        run(tx, statement, seed, now).await?;
    }
    for number in 0..=customers / 200 {
        write_vouchers(app, tx, number, now).await?;
    }
    Ok(())
}

async fn write_gateway(app: &App, tx: &mut TenantTx, now: Timestamp) -> anyhow::Result<()> {
    let id = GatewayId::generate(now, &*app.entropy);
    let place = Place { table: "gateway", column: "credentials", row: id.uuid() };
    let sealed = app.vault.seal(tx, place, br#"{"secret_key":"sk_test_of_a_load"}"#).await?;
    sqlx::query(
        "INSERT INTO gateway (tenant_id, id, kind, provider, name, purpose, environment, credentials, fields, created_at, changed_at)
         VALUES ($1, $2, 'money', 'paystack', 'Paystack', 'all', 'production', $3, '{secret_key}', $4, $4)",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(sealed)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await
    .map_err(DbError::from)?;
    Ok(())
}

async fn write_vouchers(app: &App, tx: &mut TenantTx, number: usize, now: Timestamp) -> anyhow::Result<()> {
    let batch = VoucherBatchId::generate(now, &*app.entropy);
    let tenant = tx.tenant();
    sqlx::query(
        "INSERT INTO voucher_batch (tenant_id, id, package_id, size, created_at) SELECT $1, $2, id, $3, $4 FROM package WHERE tenant_id = $1 AND name = 'Week'",
    )
    .bind(tenant)
    .bind(batch)
    .bind(i32::try_from(VOUCHERS)?)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    let (mut ids, mut marks, mut sealed, mut tails) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for place in 0..VOUCHERS {
        let id = VoucherId::generate(now, &*app.entropy);
        // Ten letters in which nothing is taken for something else.
        let code = format!("KW{number:04}{place:02}XY").replace(['0', '1'], "A").replace('8', "B");
        let code = format!("{code}{}", &id.uuid().simple().to_string()[28..]);
        marks.push(app.vault.fingerprint(tx, "voucher", &code).await?.to_vec());
        let at = Place { table: "voucher", column: "sealed_code", row: id.uuid() };
        sealed.push(app.vault.seal(tx, at, code.as_bytes()).await?);
        tails.push(code[code.len() - 3..].to_owned());
        ids.push(id.uuid());
    }
    sqlx::query(
        "INSERT INTO voucher (tenant_id, batch_id, id, code_hmac, sealed_code, code_tail)
         SELECT $1, $2, * FROM unnest($3::uuid[], $4::bytea[], $5::bytea[], $6::text[]) ON CONFLICT ON CONSTRAINT voucher_code_unique DO NOTHING",
    )
    .bind(tenant)
    .bind(batch)
    .bind(ids)
    .bind(marks)
    .bind(sealed)
    .bind(tails)
    .execute(tx.conn())
    .await?;
    Ok(())
}
