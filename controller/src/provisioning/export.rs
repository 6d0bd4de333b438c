//! Takes a router's configuration as its own export.
//!
//! Over the API an export goes to a file (`/export file=`; without it the answer is empty), which is read in parts (`/file/read`) and
//! removed. The recordings have these commands with their arguments; what they answer is not recorded: that the file is whole when the
//! command is done, that a part comes as `data` of one row or as `ret`, and that `size` is in bytes are inferences, and all three are
//! checked: the parts must add up to the size, and the text must be an export that ends with a line.
//!
//! **Invariants:** one file of one name is all that is written, and it is removed in every case; that it may still be there is noted before
//! it is made, so that the next look removes it if this controller ends meanwhile. It is only done in the router's turn.

use super::run::Session;
use super::{ProvisionError, store};
use crate::app::App;
use crate::configurations::{self, Kept, Reason};
use crate::operators::{Permission, TenantScope};
use db::TenantDoor;
use futures_util::StreamExt as _;
use futures_util::stream;
use model::{RouterId, RouterosVersion};
use routeros::catalogue::{export, file, file_read};
use routeros::client::{CallError, Client, Response};
use routeros::errors::TrapKind;
use routeros::rsc::BYTES_MAX;
use routeros::{Command, Query};
use std::sync::Arc;
use std::time::Duration;

/// The file's name; the router puts `.rsc` behind it. On boards with a folder `flash` it lies in memory and wears nothing out.
const NAME: &str = "mastwire-export";
/// The same as the router lists it.
const FILE: &str = "mastwire-export.rsc";
/// How long a router may take to write it: large configurations take a small board most of a minute (seen in the field).
const EXPORT_LIMIT: Duration = Duration::from_secs(120);
/// How long taking one may last as a whole, turn not counted.
const TAKE_LIMIT: Duration = Duration::from_secs(240);
/// The longest part that `/file/read` gives, and how many are asked for at once.
const PART: usize = 32_768;
const IN_FLIGHT: usize = 4;
/// From this version on files can be read in parts (the recordings).
const READS_SINCE: RouterosVersion = RouterosVersion::new(7, 16, 0);
/// Routers of one tenant whose configuration is taken at once at night.
const AT_ONCE: usize = 8;

/// Why an export was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// This version cannot hand it over.
    #[error("RouterOS {0} cannot hand a file over in parts; 7.16 and later can")]
    Version(RouterosVersion),
    /// The account lacks a right.
    #[error(
        "the router does not let our account export to a file: give its group the policies read and write, and ftp where that is not enough"
    )]
    Permission(#[source] CallError),
    /// A command failed.
    #[error("`{0}` failed")]
    Call(&'static str, #[source] CallError),
    /// There is no file.
    #[error("the router wrote no file; its flash may be full")]
    NoFile,
    /// It is longer than is read.
    #[error("the router's export is {0} bytes long, and {BYTES_MAX} are read at most")]
    TooLong(usize),
    /// It came in part.
    #[error("the router's export came in part: {got} of {size} bytes")]
    Short { got: usize, size: usize },
    /// It took too long.
    #[error("taking the router's export took longer than {} s", TAKE_LIMIT.as_secs())]
    TooSlow,
    /// It is empty, cut off or none.
    #[error(transparent)]
    Text(#[from] configurations::Fault),
}

/// Takes a router's configuration now; it is kept when it differs from the one before.
///
/// # Errors
/// When the role may not, or the router cannot be read.
pub async fn take_configuration(app: &App, scope: &TenantScope, router: RouterId) -> Result<Kept, ProvisionError> {
    let mut tx = scope.write(app, Permission::RoutersWrite).await?;
    let row = store::router(&mut tx, router).await?.ok_or(ProvisionError::NotFound)?;
    drop(tx);
    if !row.confirmed {
        return Err(ProvisionError::NotConfirmed);
    }
    take(app, scope.door(), router, Reason::Asked).await
}

/// Waits for the router's turn, opens a connection and takes its configuration.
async fn take(app: &App, door: &TenantDoor, router: RouterId, reason: Reason) -> Result<Kept, ProvisionError> {
    let _turn = app.provisioner.turn(router).await;
    let session = Session::open(app, door, router).await?;
    take_in_turn(app, door, router, &session, reason).await
}

/// Takes the configuration over a connection; the caller has the router's turn. A failure is noted.
///
/// # Errors
/// When the export is not to be had whole, or the database does not answer.
pub(super) async fn take_in_turn(
    app: &App,
    door: &TenantDoor,
    router: RouterId,
    session: &Session,
    reason: Reason,
) -> Result<Kept, ProvisionError> {
    let mut tx = app.db.tenant(door).await?;
    configurations::note_file(&mut tx, router, true).await?;
    tx.commit().await?;
    let client = session.client();
    let fetched = tokio::time::timeout(TAKE_LIMIT, fetch(client, session.router_facts().observed.version)).await;
    let fetched = fetched.unwrap_or(Err(ExportError::TooSlow));
    let removed = remove(client).await;
    let taken = fetched.and_then(|text| Ok(configurations::read(&text)?));
    let mut tx = app.db.tenant(door).await?;
    if removed.is_ok() {
        configurations::note_file(&mut tx, router, false).await?;
    }
    let kept = match taken {
        Ok(taken) => Ok(configurations::keep(app, &mut tx, router, &taken, reason).await?),
        Err(error) => {
            configurations::failed(&mut tx, router, &telemetry::chain(&error), app.clock.now()).await?;
            Err(error)
        }
    };
    tx.commit().await?;
    Ok(kept?)
}

/// Removes the file that an earlier export may have left, because its controller ended before it could; the caller has the router's turn.
/// A router that does not let us is tried again by the next look, which goes on.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn sweep(app: &App, door: &TenantDoor, router: RouterId, session: &Session) -> Result<(), ProvisionError> {
    let mut tx = app.db.tenant(door).await?;
    let left = configurations::file_left(&mut tx, router).await?;
    drop(tx);
    if left {
        if let Err(error) = remove(session.client()).await {
            tracing::warn!(router.id = %router, error = %telemetry::chain(&error), "the file of an export could not be removed");
            return Ok(());
        }
        let mut tx = app.db.tenant(door).await?;
        configurations::note_file(&mut tx, router, false).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Finds our file: its id and, where the router says it in bytes, its size.
async fn find(client: &Client) -> Result<Option<(String, Option<usize>)>, ExportError> {
    let print = Command::print(&file::MENU).proplist([routeros::catalogue::ID, file::NAME, file::SIZE]);
    let answer = client.call(&print.query(&Query::Is(file::NAME, FILE.to_owned()))).await;
    let response = answer.map_err(|error| failed("/file/print", error))?;
    let row = response.rows.iter().find(|row| row.text(file::NAME) == Some(FILE));
    Ok(row.and_then(|row| Some((row.id()?.to_owned(), row.text(file::SIZE).and_then(|size| size.parse().ok())))))
}

async fn remove(client: &Client) -> Result<(), ExportError> {
    let Some((id, _)) = find(client).await? else { return Ok(()) };
    match client.call(&Command::remove(&file::MENU, &id)).await {
        Err(CallError::Trap(trap)) if TrapKind::classify(&trap) == TrapKind::NoSuchItem => Ok(()),
        answer => answer.map(drop).map_err(|error| failed("/file/remove", error)),
    }
}

fn failed(command: &'static str, error: CallError) -> ExportError {
    match &error {
        CallError::Trap(trap) if TrapKind::classify(trap) == TrapKind::Permission => ExportError::Permission(error),
        _ => ExportError::Call(command, error),
    }
}

/// Has the router write its export and reads it.
async fn fetch(client: &Client, version: RouterosVersion) -> Result<Vec<u8>, ExportError> {
    if version < READS_SINCE {
        return Err(ExportError::Version(version));
    }
    // One that was left would be taken for the new one if that could not be written.
    remove(client).await?;
    let command = Command::run(&export::MENU).with(export::FILE, NAME).with(export::HIDE_SENSITIVE, "yes");
    client.call_within(&command, EXPORT_LIMIT).await.map_err(|error| failed("/export", error))?;
    let (_, size) = find(client).await?.ok_or(ExportError::NoFile)?;
    match size {
        Some(size) if size > BYTES_MAX => Err(ExportError::TooLong(size)),
        Some(size) => read_sized(client, size).await,
        None => read_to_end(client).await,
    }
}

fn part(offset: usize) -> Command {
    Command::run(&file_read::MENU)
        .with(file_read::FILE, FILE)
        .with(file_read::OFFSET, offset.to_string())
        .with(file_read::CHUNK_SIZE, PART.to_string())
}

fn data(response: &Response) -> &[u8] {
    let row = response.rows.first().and_then(|row| row.get("data").or_else(|| row.get("ret")));
    row.or(response.ret.as_deref()).unwrap_or_default()
}

/// Reads a file whose length is known, several parts at once.
async fn read_sized(client: &Client, size: usize) -> Result<Vec<u8>, ExportError> {
    let parts: Vec<Command> = (0..size).step_by(PART).map(part).collect();
    let mut text = Vec::with_capacity(size);
    for answer in client.call_all(&parts, IN_FLIGHT).await {
        let response = answer.map_err(|error| failed("/file/read", error))?;
        let piece = data(&response);
        text.extend_from_slice(piece);
        if piece.len() != PART && text.len() != size {
            return Err(ExportError::Short { got: text.len(), size });
        }
    }
    Ok(text)
}

/// Reads a file whose length the router rounds, to the first part that is not full.
async fn read_to_end(client: &Client) -> Result<Vec<u8>, ExportError> {
    let mut text = Vec::new();
    loop {
        let response = client.call(&part(text.len())).await.map_err(|error| failed("/file/read", error))?;
        let piece = data(&response);
        text.extend_from_slice(piece);
        if text.len() > BYTES_MAX {
            return Err(ExportError::TooLong(text.len()));
        }
        if piece.len() < PART {
            return Ok(text);
        }
    }
}

/// What a night brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Night {
    /// Configurations that were taken.
    pub taken: usize,
    /// Of these, those that differed from the one before.
    pub new: usize,
    /// Routers that were not there.
    pub away: usize,
    /// Routers that were there and gave none.
    pub failed: usize,
}

/// Takes the configuration of every confirmed router of every tenant, one tenant after the other, and tells of those that have failed for
/// three days. A router that is away is no failure of its export; it is reported as away elsewhere.
///
/// # Errors
/// When the database does not answer.
pub async fn take_all(app: &Arc<App>) -> Result<Night, ProvisionError> {
    let mut night = Night::default();
    let mut failing = 0;
    for door in app.db.locator().tenants("configurations").await? {
        let mut tx = app.db.tenant(&door).await?;
        let routers = store::confirmed(&mut tx).await?;
        drop(tx);
        let door = &door;
        let takes = routers.into_iter().map(|router| async move { (router, take(app, door, router, Reason::Nightly).await) });
        let mut takes = stream::iter(takes).buffer_unordered(AT_ONCE);
        while let Some((router, outcome)) = takes.next().await {
            match outcome {
                Ok(kept) => {
                    night.taken += 1;
                    night.new += usize::from(kept.new);
                }
                Err(ProvisionError::Db(error)) => return Err(error.into()),
                Err(error) if error.is_away() => night.away += 1,
                Err(error) => {
                    night.failed += 1;
                    tracing::warn!(router.id = %router, error = %telemetry::chain(&error), "a router's configuration was not taken");
                }
            }
        }
        let mut tx = app.db.tenant(door).await?;
        failing += configurations::failing_long(&mut tx, app.clock.now()).await?;
    }
    configurations::tell(app, failing).await?;
    Ok(night)
}
