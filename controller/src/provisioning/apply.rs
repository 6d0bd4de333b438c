//! Carries out a change set: no decisions, stop at the first surprise.

use reconcile::{Action, Change, ChangeSet, Kick};
use routeros::Command;
use routeros::catalogue::ip_firewall_filter::PLACE_BEFORE;
use routeros::client::{CallError, Client};
use routeros::errors::TrapKind;

/// Writes that wait at the router, beside those on the line: few enough for a small board (16 of 20 sessions' worth of work).
const WAITING: usize = 16;

/// A change that was not carried out.
#[derive(Debug, thiserror::Error)]
#[error("`{what}` failed")]
pub struct ApplyError {
    /// The change, without secrets.
    pub what: String,
    #[source]
    source: CallError,
}

impl ApplyError {
    /// Tells that changes were not carried out in the time they have.
    pub(super) fn too_slow(changes: &[Change]) -> Self {
        let what = changes.first().map(ToString::to_string).unwrap_or_default();
        Self { what, source: CallError::Timeout { maybe_applied: true } }
    }
}

/// Writes the changes stage by stage, then ends the sessions that have to end.
///
/// # Errors
/// At the first change that the router refuses or does not answer. What was written before it stays; the next look finds it.
///
/// # Cancel safety
/// Not cancel safe in that some of the changes may have been made; the next look finds them.
pub async fn apply(client: &Client, set: &ChangeSet) -> Result<(), ApplyError> {
    write(client, &set.changes).await?;
    end(client, &set.kicks).await
}

/// Writes changes stage by stage.
///
/// # Errors
/// As [`apply`].
///
/// # Cancel safety
/// As [`apply`].
pub async fn write(client: &Client, changes: &[Change]) -> Result<(), ApplyError> {
    for stage in changes.chunk_by(|a, b| a.stage == b.stage) {
        let commands: Vec<Command> = stage.iter().map(command).collect();
        for (change, result) in stage.iter().zip(client.write_all(&commands, WAITING).await) {
            match result {
                // Somebody was faster: what counts is that it is gone.
                Err(error) if change.action == Action::Remove && is_gone(&error) => {}
                result => drop(result.map_err(|source| ApplyError { what: change.to_string(), source })?),
            }
        }
    }
    Ok(())
}

/// Ends sessions.
///
/// # Errors
/// As [`apply`].
///
/// # Cancel safety
/// As [`apply`].
pub async fn end(client: &Client, kicks: &[Kick]) -> Result<(), ApplyError> {
    let commands: Vec<Command> = kicks.iter().map(|kick| Command::remove(kick.menu, &kick.id)).collect();
    for (kick, result) in kicks.iter().zip(client.write_all(&commands, WAITING).await) {
        match result {
            // It ended by itself in the meantime.
            Err(error) if is_gone(&error) => {}
            result => drop(result.map_err(|source| ApplyError { what: kick.to_string(), source })?),
        }
    }
    Ok(())
}

fn is_gone(error: &CallError) -> bool {
    matches!(error, CallError::Trap(trap) if TrapKind::classify(trap) == TrapKind::NoSuchItem)
}

fn command(change: &Change) -> Command {
    let id = change.id.as_deref().unwrap_or_default();
    let with_values = |command: Command| {
        change
            .values
            .iter()
            .filter_map(|(name, value)| Some((name, value.expose()?)))
            .fold(command, |command, (name, value)| command.with(name, value))
    };
    match &change.action {
        Action::Add { before } => {
            let command = with_values(Command::add(change.menu));
            match before {
                Some(before) => command.with(PLACE_BEFORE, before),
                None => command,
            }
        }
        Action::Set => with_values(Command::set(change.menu, id)),
        Action::Unset { name } => Command::unset(change.menu, id, name),
        Action::Move { before } => Command::move_before(change.menu, id, before),
        Action::Remove => Command::remove(change.menu, id),
    }
}
