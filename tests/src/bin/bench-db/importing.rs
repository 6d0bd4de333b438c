//! How fast customers come in, through the whole front door, and what a line in the audit log costs.

use super::{at_least, median, ms, percentile};
use anyhow::{Context as _, ensure};
use controller::customers;
use controller::testing::{TestApp, TestTenant};
use serde_json::json;
use std::fmt::Write as _;
use std::time::Instant;
use system_tests::bench::{Figure, progress};

/// The rows of a file: as many as one may have.
const ROWS: usize = 50_000;
/// Each file is another tenant's.
const FILES: usize = 3;
/// Routers of a tenant, so that none is full.
const ROUTERS: usize = 10;
const CHANGES: usize = 300;
const ROUNDS: usize = 5;

pub async fn measure() -> anyhow::Result<Vec<Figure>> {
    let test = TestApp::new().await;
    let mut rates = Vec::new();
    for file in 0..FILES {
        let tenant = tenant(&test, &format!("Import {file}")).await;
        let door = test.app.db.locator().door(tenant.id, "bench").await?.context("the tenant is there")?;
        let text = table();
        let begun = Instant::now();
        let mut tx = test.app.db.tenant(&door).await?;
        let imported = customers::import(&test.app, &mut tx, text.into_bytes().into(), false, test.app.clock.now()).await?;
        tx.commit().await?;
        let took = begun.elapsed();
        ensure!(imported.new == ROWS, "{} of {ROWS} customers were made", imported.new);
        #[expect(clippy::cast_precision_loss, reason = "50,000 is a small number")]
        rates.push(ROWS as f64 / took.as_secs_f64());
        progress(&format!("{ROWS} customers in {:.1} s", took.as_secs_f64()));
    }
    let tenant = tenant(&test, "Audited").await;
    Ok(vec![
        at_least("customers imported, 50,000 rows in one file", median(rates), "per s", 5_000.0),
        audited(&test, &tenant).await?,
    ])
}

async fn tenant(test: &TestApp, name: &str) -> TestTenant {
    let tenant = test.tenant(&name.replace(' ', "-")).await;
    for number in 0..ROUTERS {
        let body = json!({ "name": format!("r{number}") });
        drop(test.call("POST", "/api/v1/routers", &tenant.token, Some(body)).await.expect(201));
    }
    let body = json!({ "name": "Home", "kind": "pppoe", "price": { "minor": 150_000, "currency": "KES" }, "validity": { "months": 1 },
                       "speed": { "download_bps": 5_000_000, "upload_bps": 5_000_000 } });
    drop(test.call("POST", "/api/v1/packages", &tenant.token, Some(body)).await.expect(201));
    tenant
}

fn table() -> String {
    let mut text = String::from("login,full_name,phone,email,router,package\n");
    for n in 0..ROWS {
        writeln!(text, "c{n:06},Wanjiku Kamau {n},+25471{n:07},c{n}@example.net,r{},Home", n % ROUTERS)
            .expect("a string takes everything");
    }
    text
}

/// Changes of one row, each in a transaction of its own, with and without a line in the chained log.
async fn audited(test: &TestApp, tenant: &TestTenant) -> anyhow::Result<Figure> {
    let door = test.app.db.locator().door(tenant.id, "bench").await?.context("the tenant is there")?;
    let mut sides = [Vec::new(), Vec::new()];
    for round in 0..2 * ROUNDS {
        let with_line = round % 2 == 0;
        let mut times = Vec::new();
        for _ in 0..CHANGES {
            let begun = Instant::now();
            let mut tx = test.app.db.tenant(&door).await?;
            let change = "UPDATE package SET portal = NOT portal WHERE tenant_id = $1";
            sqlx::query(change).bind(tx.tenant()).execute(tx.conn()).await?;
            if with_line {
                tx.audit(test.app.clock.now(), "package.change", "pkg_0", json!({ "portal": true })).await?;
            }
            tx.commit().await?;
            times.push(ms(begun.elapsed()));
        }
        sides[round % 2].push(percentile(&mut times, 50));
    }
    let [with, without] = sides.map(median);
    Ok(Figure::new("a change with its line in the chained audit log, p50", with, "ms").beside("the change alone", Some(without)))
}
