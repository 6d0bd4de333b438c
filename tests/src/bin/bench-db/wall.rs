//! What the wall costs: a tenant's list through its door, with row-level security, beside SQL written by hand that names the tenant and
//! commits by itself, past all policies. Same rows, same driver, as many connections out of a pool like ours.

use super::median;
use super::stocks::{Asker, largest};
use anyhow::Context as _;
use db::{Hands, TenantDoor, TestDb};
use futures_util::future::try_join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use system_tests::bench::{Figure, progress};
use system_tests::load::Stock;
use uuid::Uuid;

const CLIENTS: usize = 8;
const TURN: Duration = Duration::from_millis(1_500);
/// Turns of each side.
const TURNS: usize = 7;
/// One write for so many reads.
const READS: u64 = 4;

const LIST: &str = "SELECT id, login, full_name, phone, status, created_at FROM customer
                     WHERE tenant_id = $1 AND status = 'active' AND id < $2 ORDER BY id DESC LIMIT 50";
const CHANGE: &str = "UPDATE customer SET notes = $3 WHERE tenant_id = $1 AND id = $2";

#[derive(sqlx::FromRow)]
#[expect(dead_code, reason = "the rows are taken apart on both sides, and nobody reads them")]
struct Line {
    id: Uuid,
    login: String,
    full_name: String,
    phone: String,
    status: String,
    created_at: jiff_sqlx::Timestamp,
}

/// What both sides do.
#[derive(Debug)]
struct Job {
    door: TenantDoor,
    customers: Vec<Uuid>,
    writes: bool,
    done: AtomicU64,
}

impl Job {
    /// Where the nth list begins.
    fn customer(&self, n: u64) -> Uuid {
        let place = n.wrapping_mul(7_919) % self.customers.len() as u64;
        self.customers[usize::try_from(place).unwrap_or(0)]
    }

    const fn is_write(&self, n: u64) -> bool {
        self.writes && n % (READS + 1) == READS
    }
}

pub async fn measure(stock: &Stock) -> anyhow::Result<Vec<Figure>> {
    let Asker { tenant, .. } = largest(stock).await?;
    let door = stock.test.app.db.locator().door(tenant, "bench").await?.context("the tenant is there")?;
    let mut all = stock.test.db.connect_as("postgres").await;
    let customers: Vec<Uuid> =
        sqlx::query_scalar("SELECT id FROM customer WHERE tenant_id = $1 ORDER BY id").bind(tenant).fetch_all(&mut all).await?;
    let hands = stock.test.db.hands(u32::try_from(CLIENTS)?).await;
    let mut figures = Vec::new();
    for (what, writes, least) in [("a tenant's list", false, 0.68), ("a tenant's list, one change to four lists", true, 0.6)] {
        let job = Arc::new(Job { door: door.clone(), customers: customers.clone(), writes, done: AtomicU64::new(0) });
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            ours.push(turn(&job, through_the_door(stock, &job)).await?);
            theirs.push(turn(&job, by_hand(&hands, &job)).await?);
        }
        let (ours, theirs) = (median(ours), median(theirs));
        progress(&format!("{what}: {ours:.0}/s through the door, {theirs:.0}/s by hand"));
        figures.push(Figure::new(what, ours, "per s").beside("SQL by hand, without policies", Some(theirs)).at_least(least));
    }
    Ok(figures)
}

async fn turn(job: &Job, work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<f64> {
    job.done.store(0, Ordering::Relaxed);
    let begun = Instant::now();
    work.await?;
    let took = begun.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    Ok(job.done.load(Ordering::Relaxed) as f64 / took)
}

async fn through_the_door(stock: &Stock, job: &Arc<Job>) -> anyhow::Result<()> {
    let until = Instant::now() + TURN;
    let clients = (0..CLIENTS).map(|_| {
        let (db, job) = (stock.test.app.db.clone(), job.clone());
        tokio::spawn(async move {
            while Instant::now() < until {
                let n = job.done.fetch_add(1, Ordering::Relaxed);
                let mut tx = db.tenant(&job.door).await?;
                let tenant = tx.tenant();
                if job.is_write(n) {
                    sqlx::query(CHANGE).bind(tenant).bind(job.customer(n)).bind(n.to_string()).execute(tx.conn()).await?;
                    tx.commit().await?;
                } else {
                    let lines: Vec<Line> = sqlx::query_as(LIST).bind(tenant).bind(job.customer(n)).fetch_all(tx.conn()).await?;
                    std::hint::black_box(lines);
                }
            }
            anyhow::Ok(())
        })
    });
    for done in try_join_all(clients).await? {
        done?;
    }
    Ok(())
}

/// A statement with the tenant written into it.
fn literal(statement: &str, job: &Job) -> String {
    let tenant = format!("'{}'", job.door.tenant().uuid());
    statement.replace("$1", &tenant).replace("$2", "$1").replace("$3", "$2")
}

async fn by_hand(hands: &Hands, job: &Arc<Job>) -> anyhow::Result<()> {
    let until = Instant::now() + TURN;
    let clients = (0..CLIENTS).map(|_| {
        let (hand, job, list, change) = (hands.clone(), job.clone(), literal(LIST, job), literal(CHANGE, job));
        tokio::spawn(async move {
            while Instant::now() < until {
                let n = job.done.fetch_add(1, Ordering::Relaxed);
                if job.is_write(n) {
                    let change = sqlx::query(TestDb::by_hand(change.clone()));
                    change.bind(job.customer(n)).bind(n.to_string()).execute(&hand).await?;
                } else {
                    let list = sqlx::query_as(TestDb::by_hand(list.clone()));
                    let lines: Vec<Line> = list.bind(job.customer(n)).fetch_all(&hand).await?;
                    std::hint::black_box(lines);
                }
            }
            anyhow::Ok(())
        })
    });
    for done in try_join_all(clients).await? {
        done?;
    }
    Ok(())
}
