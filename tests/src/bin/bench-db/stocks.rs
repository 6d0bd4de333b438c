//! Two data folders, one ten times as large as the other, made once and kept in the target folder.

use anyhow::Context as _;
use jiff::Timestamp;
use model::{Clock as _, TenantId};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use system_tests::bench::progress;
use system_tests::load::{self, Size, Stock};

/// Makes the two ten times as large as by default: five million sessions of a thousand tenants.
const FULL: &str = "MASTWIRE_BENCH_FULL";
const SMALL: Size = Size { tenants: 10, customers: 2_000, sessions: 50_000, seed: 1 };

/// A tenant and its admin's token.
#[derive(Debug, Clone)]
pub struct Asker {
    pub tenant: TenantId,
    pub token: String,
}

/// Both folders.
#[derive(Debug)]
pub struct Stocks {
    pub small: Stock,
    pub large: Arc<Stock>,
}

impl Stocks {
    pub async fn close(self) {
        self.small.close().await;
        if let Some(large) = Arc::into_inner(self.large) {
            large.close().await;
        }
    }
}

const fn times(size: Size, factor: usize) -> Size {
    Size { tenants: size.tenants * factor, customers: size.customers * factor, sessions: size.sessions * factor, seed: size.seed }
}

/// Opens both, and fills what is not there yet.
pub async fn open() -> anyhow::Result<Stocks> {
    let small = if std::env::var_os(FULL).is_some() { times(SMALL, 10) } else { SMALL };
    Ok(Stocks { small: stock(small).await?, large: Arc::new(stock(times(small, 10)).await?) })
}

async fn stock(size: Size) -> anyhow::Result<Stock> {
    let program = std::env::current_exe()?;
    let target: &Path = program.ancestors().nth(2).context("the program lies in the target folder")?;
    let data: PathBuf = target.join(format!("load-bench-{}", size.tenants));
    let mark = data.join("loaded");
    let wanted = format!("{size:?}");
    let kept = std::fs::read_to_string(&mark).ok();
    let kept = kept.as_deref().and_then(|text| text.split_once('\n')).filter(|(what, _)| *what == wanted);
    if let Some((_, when)) = kept {
        let stock = Stock::open(&data).await?;
        // The clock goes back to the load: what was of late then is of late now.
        let when: Timestamp = when.trim().parse()?;
        stock.test.clock.advance(when.duration_since(stock.test.clock.now()));
        return Ok(stock);
    }
    progress(&format!("filling {} once; later runs use it again, and whoever wants the disk removes it", data.display()));
    if data.exists() {
        std::fs::remove_dir_all(&data)?;
    }
    let stock = Stock::open(&data).await?;
    load::load(&stock.test, size).await?;
    std::fs::write(&mark, format!("{wanted}\n{}", stock.test.clock.now()))?;
    Ok(stock)
}

/// The largest tenant.
pub async fn largest(stock: &Stock) -> anyhow::Result<Asker> {
    asker(stock, "SELECT c.tenant_id, 'admin-0001' FROM customer c GROUP BY c.tenant_id ORDER BY count(*) DESC LIMIT 1").await
}

/// The tenant whose number of customers is nearest to the average, which is the same in both folders.
pub async fn middle(stock: &Stock) -> anyhow::Result<Asker> {
    asker(
        stock,
        "SELECT c.tenant_id, (SELECT o.login FROM membership m JOIN operator o ON o.id = m.operator_id WHERE m.tenant_id = c.tenant_id LIMIT 1)
           FROM customer c GROUP BY c.tenant_id ORDER BY abs(count(*) - 200), c.tenant_id LIMIT 1",
    )
    .await
}

async fn asker(stock: &Stock, query: &'static str) -> anyhow::Result<Asker> {
    let mut all = stock.test.db.connect_as("postgres").await;
    let (tenant, login): (TenantId, String) = sqlx::query_as(query).fetch_one(&mut all).await?;
    Ok(Asker { tenant, token: token(stock, &login, false).await? })
}

/// Logs somebody in by a link of their own.
pub async fn token(stock: &Stock, login: &str, platform: bool) -> anyhow::Result<String> {
    let app = &stock.test.app;
    let setup = controller::operators::recover(&app.db, &*app.entropy, app.clock.now(), login, platform).await?;
    Ok(stock.test.log_in(login, &setup).await)
}
