//! Goal: a transaction sees its own tenant's rows and no others, whatever became of the transactions that used its connection before.
//! Method: many tasks share a small pool, each time as another tenant; transactions commit, roll back, fail in SQL, or are dropped in the
//! middle of a statement, by a seeded draw; every read is checked, and at the end every row that was committed is where it belongs.

use db::{Db, DbError, TenantDoor, TestDb};
use model::{AuditId, Entropy as _, SeededEntropy};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

const TENANTS: usize = 5;
const TASKS: u64 = 24;
const ROUNDS: usize = 150;

/// What a transaction comes to.
#[derive(Debug, Clone, Copy)]
enum End {
    Commits,
    RollsBack,
    Fails,
    IsDropped,
}

/// How often each end was met.
#[derive(Default)]
struct Counts {
    committed: AtomicU64,
    rolled_back: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    foreign: AtomicU64,
}

async fn tenants(test: &TestDb) -> Vec<TenantDoor> {
    let mut owner = test.connect_as("mastwire_owner").await;
    for number in 0..TENANTS {
        sqlx::query("INSERT INTO tenant (id, name, currency, time_zone, created_at, status_since) VALUES (gen_random_uuid(), $1, 'KES', 'Africa/Nairobi', now(), now())")
            .bind(format!("Tenant {number}"))
            .execute(&mut owner)
            .await
            .expect("the set-up is allowed");
    }
    test.db().locator().tenants("test").await.expect("the database is there")
}

/// One transaction: reads without saying whose, writes a line that names its tenant, reads again, and ends.
async fn transact(db: &Db, door: &TenantDoor, end: End, entropy: &SeededEntropy, counts: &Counts) -> Result<(), DbError> {
    let mut tx = db.tenant(door).await?;
    for look in 0..2 {
        if look == 1 {
            sqlx::query("INSERT INTO audit_log (tenant_id, id, at, actor, action, target, details) VALUES ($1, $2, now(), 'test', 'wrote', $3, '{}')")
                .bind(door.tenant())
                .bind(AuditId::generate(jiff::Timestamp::UNIX_EPOCH, entropy))
                .bind(door.tenant().to_string())
                .execute(tx.conn())
                .await?;
        }
        let foreign: i64 = sqlx::query_scalar("SELECT count(*) FROM audit_log WHERE tenant_id <> $1 OR target <> $2")
            .bind(door.tenant())
            .bind(door.tenant().to_string())
            .fetch_one(tx.conn())
            .await?;
        let others: i64 =
            sqlx::query_scalar("SELECT count(*) FROM tenant WHERE id <> $1").bind(door.tenant()).fetch_one(tx.conn()).await?;
        counts.foreign.fetch_add((foreign + others).unsigned_abs(), Ordering::Relaxed);
    }
    match end {
        End::Commits | End::IsDropped => tx.commit().await?,
        End::RollsBack => drop(tx),
        End::Fails => sqlx::query("SELECT 1 / 0").execute(tx.conn()).await.map(|_| ())?,
    }
    Ok(())
}

/// Polls a future a number of times and drops it unfinished, as a client that hangs up does; says whether it was still under way.
async fn drop_after(polls: u64, work: impl Future<Output = Result<(), DbError>>) -> bool {
    let mut work = pin!(work);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(true);
        }
        left -= 1;
        match work.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// How often a future is polled before it is dropped. Half of them are dropped within 4 polls, which no machine is fast enough to finish 7
/// round trips in; the others anywhere up to the commit.
fn polls(draw: u8) -> u64 {
    let most = if draw.is_multiple_of(2) { 4 } else { 12 };
    1 + u64::from(draw / 2) % most
}

async fn task(db: Db, doors: Arc<Vec<TenantDoor>>, seed: u64, counts: Arc<Counts>) {
    let entropy = SeededEntropy::new(seed);
    for _ in 0..ROUNDS {
        let mut draw = [0; 3];
        entropy.fill(&mut draw);
        let door = &doors[usize::from(draw[0]) % doors.len()];
        let end = [End::Commits, End::RollsBack, End::Fails, End::IsDropped][usize::from(draw[1]) % 4];
        let work = transact(&db, door, end, &entropy, &counts);
        let (counter, as_expected) = match end {
            End::Commits => (&counts.committed, work.await.is_ok()),
            End::RollsBack => (&counts.rolled_back, work.await.is_ok()),
            End::Fails => (&counts.failed, work.await.is_err()),
            // It may have been quicker than the drop; then it has committed.
            End::IsDropped if drop_after(polls(draw[2]), work).await => (&counts.dropped, true),
            End::IsDropped => (&counts.committed, true),
        };
        assert!(as_expected, "a transaction that {end:?} did not");
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_transaction_ever_sees_another_tenants_rows() {
    let test = TestDb::new().await;
    let doors = Arc::new(tenants(&test).await);
    assert_eq!(doors.len(), TENANTS);
    let counts = Arc::new(Counts::default());
    let tasks: Vec<_> = (0..TASKS).map(|seed| tokio::spawn(task(test.db(), doors.clone(), seed, counts.clone()))).collect();
    for task in tasks {
        task.await.expect("no task panics");
    }
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    assert_eq!(count(&counts.foreign), 0, "rows of other tenants were seen");
    for (what, counter) in [("rolled back", &counts.rolled_back), ("failed", &counts.failed), ("were dropped", &counts.dropped)] {
        assert!(count(counter) > 300, "too few transactions {what} for this to prove anything: {}", count(counter));
    }

    let mut superuser = test.connect_as("postgres").await;
    let (all, misplaced): (i64, i64) = sqlx::query_as(
        "SELECT count(*), count(*) FILTER (WHERE target <> 'ten_' || replace(tenant_id::text, '-', '')) FROM audit_log",
    )
    .fetch_one(&mut superuser)
    .await
    .expect("the database is there");
    assert_eq!(misplaced, 0);
    // A commit that was dropped on its way may have arrived all the same.
    let (committed, dropped) = (count(&counts.committed), count(&counts.dropped));
    assert!(
        (committed..=committed + dropped).contains(&all.unsigned_abs()),
        "{all} rows, {committed} committed, {dropped} dropped"
    );
}
