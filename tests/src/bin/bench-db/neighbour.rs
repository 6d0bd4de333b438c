//! What a large neighbour costs: a tenant of middle size reads a list while eight clients of the largest read lists and exports as fast as
//! they are answered: first without any limit, then with the limit of requests that every tenant has.

use super::stocks::{Asker, largest, middle};
use super::{median, ms, percentile};
use anyhow::ensure;
use controller::tenants::Rates;
use futures_util::future::select_all;
use model::TenantId;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use system_tests::bench::{Figure, progress};
use system_tests::load::Stock;

const CLIENTS: usize = 8;
/// How often the list is read in a turn, and how long its reader waits between two.
const READS: usize = 150;
const PAUSE: Duration = Duration::from_millis(10);
/// Turns with and without the neighbour.
const TURNS: usize = 5;
const MOST: f64 = 1.5;
const LIST: &str = "/api/v1/customers?limit=50";
/// What the neighbour asks for.
const HEAVY: [&str; 6] = [
    "/api/v1/customers?limit=200",
    "/api/v1/sessions/history?limit=200",
    "/api/v1/payments?limit=200",
    "/api/v1/customers/export",
    "/api/v1/audit?limit=200",
    "/api/v1/ledger/journals?limit=200",
];
/// What a tenant may ask in a minute where the platform says nothing else.
const PER_MINUTE: i64 = 6_000;

pub async fn measure(stock: &Arc<Stock>) -> anyhow::Result<Vec<Figure>> {
    let (large, small) = (largest(stock).await?, middle(stock).await?);
    let mut figures = Vec::new();
    for (limited, how) in [(false, "as much as they can"), (true, "as much as its limit lets them")] {
        if limited {
            limit(stock, large.tenant).await?;
        }
        let mut sides = [[const { Vec::new() }; 3], [const { Vec::new() }; 3]];
        let mut answered = 0;
        for turn in 0..2 * TURNS {
            let loud = turn % 2 == 0;
            if loud && limited {
                drain(stock, &large).await;
            }
            let (mut times, count) = if loud { beside(stock, &large, &small).await? } else { (read(stock, &small).await?, 0) };
            answered += count;
            #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
            let mean = times.iter().sum::<f64>() / times.len() as f64;
            for (kept, value) in sides[turn % 2].iter_mut().zip([mean, percentile(&mut times, 50), percentile(&mut times, 95)]) {
                kept.push(value);
            }
        }
        progress(&format!("the neighbour's clients asked {how}: {answered} answers"));
        let [loud, quiet] = sides;
        for ((name, with), alone) in ["mean", "p50", "p95"].into_iter().zip(loud).zip(quiet) {
            let what = format!("{name} of a list beside 8 clients of the largest tenant that ask {how}");
            let figure = Figure::new(what, median(with), "ms").beside("the list alone", Some(median(alone)));
            // Without a limit eight clients take all cores there are: that figure tells what the limit is for.
            figures.push(if limited { figure.at_most(MOST) } else { figure });
        }
    }
    unlimit(stock, large.tenant).await?;
    Ok(figures)
}

/// Reads the list so often.
async fn read(stock: &Stock, asker: &Asker) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::with_capacity(READS);
    for _ in 0..READS {
        let begun = Instant::now();
        let answer = stock.test.call("GET", LIST, &asker.token, None).await;
        times.push(ms(begun.elapsed()));
        ensure!(answer.status.as_u16() == 200, "{}", answer.body);
        tokio::time::sleep(PAUSE).await;
    }
    Ok(times)
}

/// Reads the list while the neighbour asks, and counts what the neighbour was answered.
async fn beside(stock: &Arc<Stock>, large: &Asker, small: &Asker) -> anyhow::Result<(Vec<f64>, u64)> {
    let answered = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (stock, large, answered) = (stock.clone(), large.clone(), answered.clone());
            tokio::spawn(async move {
                for path in HEAVY.iter().cycle().skip(client) {
                    let answer = stock.test.call("GET", path, &large.token, None).await;
                    if answer.status.as_u16() == 429 {
                        // No client is answered without a way to it and back.
                        tokio::time::sleep(PAUSE).await;
                    } else {
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    let times = read(stock, small).await;
    for client in clients {
        client.abort();
    }
    Ok((times?, answered.load(Ordering::Relaxed)))
}

/// Gives a tenant the limit that it has outside of tests.
async fn limit(stock: &Stock, tenant: TenantId) -> anyhow::Result<()> {
    let mut all = stock.test.db.connect_as("postgres").await;
    sqlx::query(
        "INSERT INTO tenant_limit (tenant_id, name, soft, hard, reason, set_by, set_at) VALUES ($1, 'api_requests', $2, $2, 'bench', 'bench', now())
         ON CONFLICT (tenant_id, name) DO UPDATE SET soft = $2, hard = $2",
    )
    .bind(tenant)
    .bind(PER_MINUTE)
    .execute(&mut all)
    .await?;
    stock.test.app.rates.set_share(Some(Rates::share_of(std::thread::available_parallelism()?.get())));
    stock.test.app.rates.forget(tenant);
    Ok(())
}

async fn unlimit(stock: &Stock, tenant: TenantId) -> anyhow::Result<()> {
    let mut all = stock.test.db.connect_as("postgres").await;
    sqlx::query("DELETE FROM tenant_limit WHERE tenant_id = $1").bind(tenant).execute(&mut all).await?;
    stock.test.app.rates.set_share(None);
    stock.test.app.rates.forget(tenant);
    Ok(())
}

/// Uses up what a tenant may ask at once after a rest.
async fn drain(stock: &Stock, asker: &Asker) {
    let one =
        async || while stock.test.call("GET", "/api/v1/customers/export", &asker.token, None).await.status.as_u16() != 429 {};
    // The first refusal will do: a long export that is under way by then goes on slowly, and nobody waits for it.
    select_all((0..CLIENTS).map(|_| Box::pin(one()))).await;
}
