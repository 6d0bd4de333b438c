//! Diagnoses: what is known and what can be looked at now goes into the pure engine, and what it says is kept, sealed.

use super::rules::diagnosis::{self, Check, CustomerFacts, Obstacle, Reached, RouterFacts, Seen};
use super::store::{self, DiagnosisRow};
use super::{MonitoringError, rules};
use crate::app::App;
use crate::customers;
use crate::operators::{Permission, TenantScope};
use crate::packages::PackageKind;
use crate::provisioning::{self, OpenError, Preflight, ProvisionError};
use crate::routers::{self, Watched};
use crate::secrets::Place;
use crate::sessions;
use crate::tunnels::TunnelError;
use db::TenantTx;
use jiff::Timestamp;
use model::{CustomerId, DiagnosisId, RouterId};
use routeros::client::LoginError;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use utoipa::ToSchema;

/// How long a router may take to be looked at, and then to list its sessions. Both fit into a request.
const EXAMINE_LIMIT: Duration = Duration::from_secs(30);
const LIST_LIMIT: Duration = Duration::from_secs(15);
/// Longest texts that are kept, in characters.
const TEXT_MAX: usize = 1_000;
const BY_MAX: usize = 100;

/// One check of a diagnosis.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CheckView {
    /// Which layer.
    pub name: String,
    /// `passed`, `warning`, `failed` or `skipped`.
    pub status: String,
    /// What was found, in a sentence.
    pub summary: String,
    /// The figures behind it.
    #[schema(value_type = Object)]
    pub details: Value,
}

/// What a diagnosis found.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DiagnosisView {
    /// The diagnosis.
    pub id: DiagnosisId,
    /// The router.
    pub router: RouterId,
    /// The customer, if it was about one.
    pub customer: Option<CustomerId>,
    /// The kind of fault of the first layer that failed; `none` when all is well.
    pub cause: String,
    /// What is wrong, in a sentence.
    pub conclusion: String,
    /// The one thing to do; empty when there is nothing.
    pub remedy: String,
    /// The checks, from the lowest layer up.
    pub steps: Vec<CheckView>,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When it was done.
    #[schema(value_type = String, format = DateTime)]
    pub finished_at: Timestamp,
    /// Who ran it.
    pub run_by: String,
    /// Whether all of this is as it was written, by the seal under the tenant's key.
    pub genuine: bool,
}

/// Looks at a router from the tunnel up to its customers, and says what is wrong first.
///
/// # Errors
/// When the role may not, or there is no such router. A router that cannot be reached is a finding.
pub async fn diagnose_router(app: &App, scope: &TenantScope, id: RouterId) -> Result<DiagnosisView, MonitoringError> {
    let started_at = app.clock.now();
    let mut tx = scope.write(app, Permission::DiagnosisRun).await?;
    let router = routers::watched(&mut tx, id).await?.ok_or(MonitoringError::NotFound("router"))?;
    drop(tx);
    let (connected, handshake_s) = tunnel(app, &router).await?;
    let reached = if connected == Some(true) { reach(app, scope, id).await? } else { Reached::Away };
    if matches!(reached, Reached::Read(_)) {
        list_anew(app, scope, id).await;
    }
    let mut tx = scope.write(app, Permission::DiagnosisRun).await?;
    let now = app.clock.now();
    let state = provisioning::state_of(&mut tx, id).await?.ok_or(MonitoringError::NotFound("router"))?;
    let (online, listed_at) = sessions::live_count(&mut tx, id).await?;
    let facts = RouterFacts {
        name: router.name,
        joined: router.joined,
        confirmed: router.confirmed,
        serial: router.serial,
        connected,
        handshake_s,
        hub_port: app.config.endpoint_port,
        reached,
        desired: state.desired,
        applied: state.applied,
        failures: state.failures,
        last_error: state.last_error,
        owed: customers::owed_on(&mut tx, id, now).await?,
        online,
        listed_at,
    };
    let fine = format!("`{}` is connected, holds what it should, and serves its customers", facts.name);
    keep(app, tx, (id, None), &diagnosis::router(&facts), &fine, started_at).await
}

/// Looks at a customer from the account up to the session, and says what is wrong first.
///
/// # Errors
/// When the role may not, or there is no such customer.
pub async fn diagnose_customer(app: &App, scope: &TenantScope, id: CustomerId) -> Result<DiagnosisView, MonitoringError> {
    let started_at = app.clock.now();
    let mut tx = scope.write(app, Permission::DiagnosisRun).await?;
    let known = customers::service(&mut tx, id, started_at).await?.ok_or(MonitoringError::NotFound("customer"))?;
    let router = routers::watched(&mut tx, known.router).await?;
    drop(tx);
    let (connected, silent_s) = match &router {
        Some(router) => tunnel(app, router).await?,
        None => (None, None),
    };
    if connected == Some(true) {
        list_anew(app, scope, known.router).await;
    }
    let mut tx = scope.write(app, Permission::DiagnosisRun).await?;
    let now = app.clock.now();
    let state = provisioning::state_of(&mut tx, known.router).await?;
    let (_, listed_at) = sessions::live_count(&mut tx, known.router).await?;
    let online = sessions::online(&mut tx, &[id]).await?;
    let last = sessions::last_of(&mut tx, id).await?;
    let facts = CustomerFacts {
        login: known.login,
        status: known.status.as_str().to_owned(),
        has_sessions: known.kind != PackageKind::Static,
        paid_until: known.paid_until,
        router: router.map_or_else(|| known.router.to_string(), |router| router.name),
        connected: connected == Some(true),
        silent_s,
        in_sync: state.as_ref().is_some_and(|state| state.in_sync),
        last_error: state.filter(|state| state.failures > 0).and_then(|state| state.last_error),
        online_since: online.get(&id).map(|online| online.since),
        listed_at,
        last_end: last.and_then(|last| Some((last.ended_at?, last.cause?.words()))),
    };
    let fine = format!("`{}` is paid for, served and online", facts.login);
    keep(app, tx, (known.router, Some(id)), &diagnosis::customer(&facts, now), &fine, started_at).await
}

/// Asks the hub whether a router is connected (none without a peer), and how old its last handshake is in seconds.
async fn tunnel(app: &App, router: &Watched) -> Result<(Option<bool>, Option<u64>), MonitoringError> {
    let Some(address) = router.address else { return Ok((None, None)) };
    let status = app.tunnels.status(address).await?;
    let age = status.as_ref().and_then(|status| status.last_handshake).map(|age| age.as_secs());
    Ok((status.map(|status| status.up), age))
}

/// Looks at the router itself, as far as it lets itself be looked at.
async fn reach(app: &App, scope: &TenantScope, id: RouterId) -> Result<Reached, MonitoringError> {
    let examined = tokio::time::timeout(EXAMINE_LIMIT, provisioning::examine(app, scope.door(), id)).await;
    let error = match examined {
        Ok(Ok(preflight)) => return Ok(Reached::Read(seen(preflight))),
        Ok(Err(error)) => error,
        Err(_) => return Ok(Reached::Unreadable(format!("it did not answer within {} s", EXAMINE_LIMIT.as_secs()))),
    };
    Ok(match error {
        ProvisionError::Db(error) | ProvisionError::Open(OpenError::Db(error)) => return Err(error.into()),
        ProvisionError::Open(OpenError::Tunnel(TunnelError::Away | TunnelError::NoPeer)) => Reached::Away,
        ProvisionError::Open(OpenError::Tunnel(TunnelError::Connect(source))) => {
            Reached::Closed { silent: source.kind() == std::io::ErrorKind::TimedOut }
        }
        ProvisionError::Open(OpenError::Login(LoginError::WrongPassword)) => Reached::WrongPassword,
        ProvisionError::Open(OpenError::NoAccount) => Reached::NoAccount,
        other => Reached::Unreadable(telemetry::chain(&other).to_string().chars().take(TEXT_MAX).collect()),
    })
}

fn seen(preflight: Preflight) -> Seen {
    let obstacles = preflight.findings.into_iter().map(|finding| Obstacle {
        code: finding.code,
        severity: finding.severity,
        text: finding.text,
        command: finding.command,
    });
    Seen { serial: preflight.serial, version: preflight.version, obstacles: obstacles.collect() }
}

/// Has the router list its sessions, so that the ledger says what is so now. Where it does not, the ledger's own time tells how old it is.
async fn list_anew(app: &App, scope: &TenantScope, id: RouterId) {
    match tokio::time::timeout(LIST_LIMIT, provisioning::watch(app, scope.door(), id)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            tracing::debug!(router.id = %id, error = %telemetry::chain(&error), "a diagnosis could not list the sessions")
        }
        Err(_) => tracing::debug!(router.id = %id, "a router did not list its sessions in time for a diagnosis"),
    }
}

async fn keep(
    app: &App,
    mut tx: TenantTx,
    (router, customer): (RouterId, Option<CustomerId>),
    checks: &[Check],
    fine: &str,
    started_at: Timestamp,
) -> Result<DiagnosisView, MonitoringError> {
    let clip = |text: &str, max: usize| text.chars().take(max).collect::<String>();
    let finished_at = app.clock.now().max(started_at);
    let conclusion = rules::diagnosis::conclude(checks, fine);
    let mut row = DiagnosisRow {
        id: DiagnosisId::generate(finished_at, &*app.entropy),
        router,
        customer,
        steps: serde_json::to_value(checks).expect("checks are plain data"),
        cause: conclusion.cause.to_owned(),
        conclusion: clip(&conclusion.text, TEXT_MAX),
        remedy: clip(&conclusion.remedy, TEXT_MAX),
        started_at,
        finished_at,
        run_by: clip(tx.actor().as_str(), BY_MAX),
        seal: Vec::new(),
    };
    row.seal = app.vault.seal(&mut tx, place(row.id), &digest(&row)).await?;
    store::insert_diagnosis(&mut tx, &row).await?;
    let target = customer.map_or_else(|| router.to_string(), |customer| customer.to_string());
    let details = json!({ "diagnosis": row.id, "cause": row.cause });
    tx.audit(finished_at, "diagnosis.run", &target, details).await?;
    tx.commit().await?;
    Ok(view(row, true))
}

fn place(id: DiagnosisId) -> Place {
    Place { table: "diagnosis", column: "seal", row: id.uuid() }
}

/// The SHA-256 of a diagnosis as canonical JSON: names in order, no spaces, times in UTC.
fn digest(row: &DiagnosisRow) -> [u8; 32] {
    let canonical = json!({
        "id": row.id, "router": row.router, "customer": row.customer, "steps": row.steps, "cause": row.cause,
        "conclusion": row.conclusion, "remedy": row.remedy, "started_at": row.started_at.to_string(),
        "finished_at": row.finished_at.to_string(), "run_by": row.run_by,
    });
    Sha256::digest(canonical.to_string()).into()
}

fn view(row: DiagnosisRow, genuine: bool) -> DiagnosisView {
    let text = |step: &Value, field: &str| step[field].as_str().unwrap_or_default().to_owned();
    let steps = row.steps.as_array().map_or(&[][..], Vec::as_slice).iter().map(|step| CheckView {
        name: text(step, "name"),
        status: text(step, "status"),
        summary: text(step, "summary"),
        details: step["details"].clone(),
    });
    DiagnosisView {
        id: row.id,
        router: row.router,
        customer: row.customer,
        cause: row.cause,
        conclusion: row.conclusion,
        remedy: row.remedy,
        steps: steps.collect(),
        started_at: row.started_at,
        finished_at: row.finished_at,
        run_by: row.run_by,
        genuine,
    }
}

/// Opens the seals and returns the diagnoses with what they say.
pub(super) async fn opened(app: &App, tx: &mut TenantTx, rows: Vec<DiagnosisRow>) -> Result<Vec<DiagnosisView>, MonitoringError> {
    let mut views = Vec::with_capacity(rows.len());
    for row in rows {
        let genuine = match app.vault.open(tx, place(row.id), &row.seal).await {
            Ok(sealed) => sealed.expose().as_slice() == digest(&row),
            Err(crate::secrets::VaultError::Db(error)) => return Err(error.into()),
            Err(_) => false,
        };
        views.push(view(row, genuine));
    }
    Ok(views)
}

/// Says whether a diagnosis was run.
///
/// # Errors
/// When the database does not answer.
pub async fn diagnosis_exists(tx: &mut TenantTx, id: DiagnosisId) -> Result<bool, MonitoringError> {
    Ok(store::diagnosis(tx, id).await?.is_some())
}

#[cfg(test)]
mod tests {
    use super::super::CheckStatus;
    use super::*;
    use uuid::Uuid;

    #[test]
    fn the_digest_is_of_everything_and_of_nothing_else() {
        let row = DiagnosisRow {
            id: DiagnosisId::from_uuid(Uuid::from_u128(1)),
            router: RouterId::from_uuid(Uuid::from_u128(2)),
            customer: None,
            steps: json!([{ "name": "tunnel", "status": CheckStatus::Passed, "summary": "up", "details": { "b": 1, "a": 2 } }]),
            cause: "none".to_owned(),
            conclusion: "all is well".to_owned(),
            remedy: String::new(),
            started_at: Timestamp::UNIX_EPOCH,
            finished_at: Timestamp::UNIX_EPOCH,
            run_by: "operator:x".to_owned(),
            seal: Vec::new(),
        };
        let otherwise_ordered =
            serde_json::from_str(r#"[{"details":{"a":2,"b":1},"summary":"up","status":"passed","name":"tunnel"}]"#);
        let same = DiagnosisRow { steps: otherwise_ordered.expect("JSON"), seal: vec![1], ..row.clone() };
        assert_eq!(digest(&row), digest(&same), "the database keeps no order of names");
        let changed = [
            DiagnosisRow { conclusion: "all was well".to_owned(), ..row.clone() },
            DiagnosisRow { customer: Some(CustomerId::from_uuid(Uuid::from_u128(3))), ..row.clone() },
            DiagnosisRow { steps: json!([]), ..row.clone() },
            DiagnosisRow { run_by: "operator:y".to_owned(), ..row.clone() },
        ];
        assert!(changed.iter().all(|other| digest(other) != digest(&row)));
    }
}
