//! Proves the wall between tenants on a living database. A rule is a value: what it proves, what to do when it is broken, and the check.
//!
//! Rules about the shape look at the catalogue; rules about rows look at each tenant as the app role sees it, so that they run through the
//! very wall they prove. Nothing is changed, and no row of a tenant appears in a finding: it names tables, ids and sums.

mod catalogue;
mod data;
mod lists;
mod shape;

pub use lists::{LIST_QUERIES, ListQuery};

use crate::doors::{ActorLabel, Db, DbError, Reach, TenantDoor};
use catalogue::Catalogue;
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use model::TenantId;
use serde::Serialize;

/// Tenants that one rule looks at side by side; the rest of the database's cores serve.
const TENANTS_AT_ONCE: usize = 2;
/// Findings of one rule that are told one by one; of the rest only the number.
const FINDINGS_SHOWN: usize = 50;

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where: a table, a key, a role, or a tenant's id and what of it.
    pub place: String,
    /// What is wrong there.
    pub what: String,
}

/// What one rule came to.
#[derive(Debug, Clone, Serialize)]
pub struct RuleReport {
    /// The rule's name.
    pub name: &'static str,
    /// What it proves while it finds nothing.
    pub proves: &'static str,
    /// What to do about a finding.
    pub remedy: &'static str,
    /// How many things were looked at: tables, keys, rows, whatever the rule is about.
    pub checked: u64,
    /// How many findings there are.
    pub found: u64,
    /// The first of them.
    pub findings: Vec<Finding>,
}

/// What all rules came to.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// When it began.
    pub at: Timestamp,
    /// How many tenants were looked at.
    pub tenants: u64,
    /// Each rule, in the order of the list.
    pub rules: Vec<RuleReport>,
}

impl Report {
    /// Counts the findings of all rules.
    #[must_use]
    pub fn found(&self) -> u64 {
        self.rules.iter().map(|rule| rule.found).sum()
    }
}

/// What a check looked at and found.
#[derive(Debug, Default)]
struct Checked {
    checked: u64,
    found: u64,
    findings: Vec<Finding>,
}

impl Checked {
    fn look(&mut self, number: usize) {
        self.checked += u64::try_from(number).unwrap_or(u64::MAX);
    }

    fn find(&mut self, place: impl Into<String>, what: impl Into<String>) {
        self.found += 1;
        if self.findings.len() < FINDINGS_SHOWN {
            self.findings.push(Finding { place: place.into(), what: what.into() });
        }
    }

    fn add(&mut self, other: Self) {
        self.checked += other.checked;
        self.found += other.found;
        let room = FINDINGS_SHOWN - self.findings.len();
        self.findings.extend(other.findings.into_iter().take(room));
    }
}

/// How a rule looks.
#[derive(Debug, Clone, Copy)]
enum Check {
    /// At the catalogue.
    Shape(fn(&Catalogue, Timestamp, &mut Checked)),
    /// At one tenant's rows.
    Tenant(data::TenantRule),
    /// At the platform's rows.
    Platform(data::PlatformRule),
}

/// One rule.
#[derive(Debug)]
struct Rule {
    name: &'static str,
    proves: &'static str,
    remedy: &'static str,
    check: Check,
}

fn rules() -> impl Iterator<Item = &'static Rule> {
    shape::RULES.iter().chain(data::RULES)
}

/// Names every rule, in the order of a report.
pub fn rule_names() -> impl Iterator<Item = &'static str> {
    rules().map(|rule| rule.name)
}

impl Db {
    /// Looks at everything, rule by rule. `now` says which months must be there.
    ///
    /// # Errors
    /// When the database does not answer. What it refuses to a rule is a finding of that rule.
    pub async fn audit(&self, now: Timestamp) -> Result<Report, DbError> {
        let mut connection = self.platform_pool().acquire().await?;
        let catalogue = Catalogue::read(&mut connection).await?;
        // A tenant that is being purged is half gone, on purpose.
        let tenants: Vec<TenantId> =
            sqlx::query_scalar("SELECT id FROM tenant WHERE status <> 'purging' ORDER BY id").fetch_all(&mut *connection).await?;
        let mut reports = Vec::new();
        for rule in rules() {
            let mut checked = Checked::default();
            match rule.check {
                Check::Shape(check) => check(&catalogue, now, &mut checked),
                Check::Platform(check) => refused(check.run(&mut connection).await, "the platform", &mut checked)?,
                Check::Tenant(check) => {
                    // Collected first: a lazy `map` in here would keep the future from being `Send` for every lifetime.
                    let mut runs = Vec::with_capacity(tenants.len());
                    for tenant in tenants.iter().copied() {
                        let catalogue = &catalogue;
                        runs.push(async move {
                            let door = TenantDoor::new(tenant, ActorLabel::system("audit"), Reach::All);
                            (tenant, check.run(self, &door, catalogue).await)
                        });
                    }
                    let mut runs = stream::iter(runs).buffered(TENANTS_AT_ONCE);
                    while let Some((tenant, result)) = runs.next().await {
                        refused(result, &tenant.to_string(), &mut checked)?;
                    }
                }
            }
            let Rule { name, proves, remedy, .. } = *rule;
            let Checked { checked, found, findings } = checked;
            reports.push(RuleReport { name, proves, remedy, checked, found, findings });
        }
        Ok(Report { at: now, tenants: u64::try_from(tenants.len()).unwrap_or(u64::MAX), rules: reports })
    }
}

/// Adds what a check came to. A statement that the database refused is a finding: a rule that cannot look proves nothing.
fn refused(result: Result<Checked, DbError>, place: &str, checked: &mut Checked) -> Result<(), DbError> {
    match result {
        Ok(more) => checked.add(more),
        Err(DbError::Sqlx(sqlx::Error::Database(error))) => {
            checked.find(place, format!("could not be checked: {}", error.message()));
        }
        Err(error) => return Err(error),
    }
    Ok(())
}
