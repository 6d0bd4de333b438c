//! Messages that are written by themselves: at an event, in the transaction that brings it about, and by a sweep when their time has come.

use super::rules::{segments::measure, suits, texts, timing};
use super::store::{self, NewRow, RuleView, TemplateText};
use super::{Event, House, MessageError, Variable};
use crate::app::App;
use crate::backups;
use crate::customers::{self, Addressee};
use crate::monitoring::{self, LongOutage};
use db::{DbError, TenantDoor, TenantTx};
use jiff::{SignedDuration, Timestamp};
use model::{CustomerId, MessageId};
use std::collections::HashSet;
use uuid::Uuid;

/// Customers that are written to by one statement.
const BATCH: i64 = 500;
/// How far a sweep looks back behind the one before: what it should have seen may be written a moment after its time.
const SLACK: SignedDuration = SignedDuration::from_mins(10);
/// How long it is known what was written about; far longer than anything comes up again.
const CYCLES_KEPT: SignedDuration = SignedDuration::from_hours(120 * 24);

/// Somebody who is to be told something.
struct Subject {
    customer: Addressee,
    cycle: Uuid,
    /// Of a reminder: the end that it speaks of.
    about_end: Option<Timestamp>,
    more: Vec<(Variable, String)>,
}

/// Writes what the tenant's rules say about an event, in the caller's transaction. `cycle` is what it is about: the payment, the ticket, the
/// customer; a rule writes about it once. Whom nobody can write to is written nothing.
///
/// # Errors
/// When the database does not answer.
pub async fn on_event(
    app: &App,
    tx: &mut TenantTx,
    event: Event,
    customer: CustomerId,
    cycle: Uuid,
    more: &[(Variable, String)],
) -> Result<(), DbError> {
    let rules = store::rules_for(tx, event).await?;
    if rules.is_empty() {
        return Ok(());
    }
    let Some(customer) = customers::addressee(tx, customer).await? else { return Ok(()) };
    let house = House::read(tx).await?;
    let subjects = [Subject { customer, cycle, about_end: None, more: more.to_vec() }];
    for rule in &rules {
        write(app, tx, &house, rule, &subjects).await?;
    }
    Ok(())
}

/// Writes what is due by the clock, in every tenant; returns how many messages were written. A tenant in which it fails keeps none from theirs.
///
/// # Errors
/// When the database does not answer.
pub async fn run_due(app: &App) -> Result<usize, MessageError> {
    let (mut written, mut fault) = (0, None);
    for door in app.db.locator().tenants("messages").await? {
        match run_tenant(app, &door).await {
            Ok(count) => written += count,
            Err(error) => fault = Some(error),
        }
    }
    fault.map_or(Ok(written), Err)
}

async fn run_tenant(app: &App, door: &TenantDoor) -> Result<usize, MessageError> {
    let now = app.clock.now();
    let mut tx = app.db.tenant(door).await?;
    // Held until the end, so that of two controllers one sweeps after the other.
    let rules = store::hold_swept(&mut tx).await?;
    if rules.is_empty() {
        return Ok(0);
    }
    let house = House::read(&mut tx).await?;
    // What a backup does not know to have been written may have been.
    let restored = backups::last_restore(&mut tx).await?.unwrap_or(Timestamp::MIN);
    let mut written = 0;
    for rule in &rules {
        let since = (rule.seen_until - SLACK).max(rule.holds_since).max(restored).max(now - timing::AGE_MAX);
        written += match rule.event {
            Event::Expiry => remind(app, &mut tx, &house, rule, since).await?,
            Event::OutageStart | Event::OutageEnd => tell_outages(app, &mut tx, &house, rule, since).await?,
            Event::CustomerCreated | Event::PaymentReceived | Event::TicketOpened | Event::TicketClosed => 0,
        };
        store::set_seen(&mut tx, rule.id, now).await?;
    }
    tx.commit().await?;
    Ok(written)
}

/// Reminds those of the end of what they paid for whose moment came since a time.
async fn remind(app: &App, tx: &mut TenantTx, house: &House, rule: &RuleView, since: Timestamp) -> Result<usize, DbError> {
    let offset = SignedDuration::from_mins(i64::from(rule.offset_minutes.unwrap_or_default()));
    let span = (since - offset, app.clock.now() - offset);
    let (mut after, mut written) = (None, 0);
    loop {
        let ends = customers::ends_between(tx, span, after, BATCH).await?;
        let full = i64::try_from(ends.len()).is_ok_and(|count| count == BATCH);
        after = ends.last().and_then(|(customer, _)| customer.ends_at.map(|at| (at, customer.id)));
        let subjects: Vec<Subject> = ends
            .into_iter()
            .map(|(customer, entitlement)| Subject {
                about_end: customer.ends_at,
                cycle: entitlement.uuid(),
                more: Vec::new(),
                customer,
            })
            .collect();
        written += write(app, tx, house, rule, &subjects).await?;
        if !full {
            return Ok(written);
        }
    }
}

/// Tells the customers of routers that were away for long.
async fn tell_outages(
    app: &App,
    tx: &mut TenantTx,
    house: &House,
    rule: &RuleView,
    since: Timestamp,
) -> Result<usize, MessageError> {
    let until = app.clock.now();
    let outages = monitoring::long_outages(tx, since, until).await.map_err(Box::new)?;
    let mut written = 0;
    for LongOutage { id, router, long_at, over, ended_at, .. } in outages {
        // Of one that is over already only its end is told.
        let moment = if rule.event == Event::OutageStart { (!over).then_some(long_at) } else { ended_at };
        let Some(moment) = moment.filter(|at| since < *at && *at <= until) else { continue };
        let mut after = None;
        loop {
            let customers = customers::served_on(tx, router, moment, after, BATCH).await?;
            let full = i64::try_from(customers.len()).is_ok_and(|count| count == BATCH);
            after = customers.last().map(|customer| customer.id);
            let subject = |customer| Subject { customer, cycle: id.uuid(), about_end: None, more: Vec::new() };
            written += write(app, tx, house, rule, &customers.into_iter().map(subject).collect::<Vec<_>>()).await?;
            if !full {
                break;
            }
        }
    }
    Ok(written)
}

/// Writes by a rule to those to whom it has not written about the same yet; returns to how many.
async fn write(app: &App, tx: &mut TenantTx, house: &House, rule: &RuleView, subjects: &[Subject]) -> Result<usize, DbError> {
    let now = app.clock.now();
    let fits =
        |subject: &&Subject| !subject.customer.phone.is_empty() && rule.kind.is_none_or(|kind| kind == subject.customer.kind);
    let fitting: Vec<&Subject> = subjects.iter().filter(fits).collect();
    let pairs: Vec<(CustomerId, Uuid)> = fitting.iter().map(|subject| (subject.customer.id, subject.cycle)).collect();
    let claimed: HashSet<(CustomerId, Uuid)> = store::claim_cycles(tx, rule.id, &pairs, now).await?;
    if claimed.is_empty() {
        return Ok(0);
    }
    let templates = store::texts_like(tx, rule.template).await?;
    let not_before = if rule.waits { house.awake(now) } else { now };
    let mut rows = Vec::with_capacity(claimed.len());
    for subject in fitting.into_iter().filter(|subject| claimed.contains(&(subject.customer.id, subject.cycle))) {
        let Some(template) = suitable(&templates, rule, &subject.customer) else { continue };
        let mut values = house.values(&subject.customer);
        values.extend(subject.more.iter().map(|(variable, value)| (variable.as_str(), value.clone())));
        let text = texts::cut(texts::filled(&template.text, &values));
        // A warning that comes when it has happened is none.
        let ahead = subject.about_end.filter(|end| rule.offset_minutes < Some(0) && *end > now);
        rows.push(NewRow {
            id: MessageId::generate(now, &*app.entropy),
            customer: &subject.customer,
            channel: template.channel,
            rule: Some(rule.id),
            template: Some((template.id, template.version)),
            segments: measure(&text).segments,
            text,
            not_before,
            not_after: ahead.unwrap_or(not_before + timing::AGE_MAX),
            about_end: subject.about_end,
            counted: false,
        });
    }
    store::insert(tx, &rows, now).await?;
    Ok(rows.len())
}

/// Chooses the text in the customer's language, else the rule's own.
fn suitable<'a>(templates: &'a [TemplateText], rule: &RuleView, customer: &Addressee) -> Option<&'a TemplateText> {
    templates.iter().max_by_key(|template| (suits(&template.language, &customer.language), template.id == rule.template))
}

/// Forgets what rules wrote about so long ago that it does not come up again, batch by batch; returns how much went. The messages themselves are
/// kept for as long as the ISP says.
///
/// # Errors
/// When the database does not answer.
pub async fn forget_old(app: &App) -> Result<u64, DbError> {
    let mut gone = 0;
    for door in app.db.locator().tenants("messages").await? {
        loop {
            let now = app.clock.now();
            let mut tx = app.db.tenant(&door).await?;
            let forgotten = store::forget(&mut tx, now - CYCLES_KEPT).await?;
            tx.commit().await?;
            gone += forgotten;
            if forgotten == 0 {
                break;
            }
        }
    }
    Ok(gone)
}
