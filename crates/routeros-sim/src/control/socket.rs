//! The unix socket that control commands come through.

use super::{Command, run};
use crate::shell::Shared;
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The longest line, in bytes.
const LINE_MAX: u64 = 2 << 20;

/// Makes the socket; a stale one of that name is replaced, one that answers is not.
///
/// # Errors
/// When somebody listens there already, or the file cannot be made.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another virtual router listens on this control socket"));
    }
    if path.exists() {
        std::fs::remove_file(path)?;
    }
    UnixListener::bind(path)
}

/// Answers whoever connects.
///
/// # Cancel safety
/// Dropping it ends all connections.
pub async fn serve(shared: Arc<Shared>, listener: UnixListener, stop: watch::Sender<bool>, api: Option<SocketAddr>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let (shared, stop) = (Arc::clone(&shared), stop.clone());
        connections.spawn(async move {
            if let Err(error) = converse(&shared, stream, &stop, api).await {
                tracing::debug!(%error, "a control connection ended: {error}");
            }
        });
    }
}

async fn converse(
    shared: &Arc<Shared>,
    stream: UnixStream,
    stop: &watch::Sender<bool>,
    api: Option<SocketAddr>,
) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    loop {
        let mut line = Vec::new();
        if (&mut read).take(LINE_MAX).read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let outcome = match serde_json::from_slice::<Command>(&line) {
            Ok(command) => run(shared, command, stop, api).await,
            Err(error) => Err(format!("not a control command: {error}")),
        };
        let reply = match outcome {
            Ok(result) => json!({ "ok": true, "result": result }),
            Err(error) => json!({ "ok": false, "error": error }),
        };
        write.write_all(format!("{reply}\n").as_bytes()).await?;
    }
}

/// Sends one command to a router's control socket and returns its answer.
///
/// # Errors
/// When nobody listens there, or the router says no: the inner error is its sentence.
///
/// # Cancel safety
/// The command may have been done.
pub async fn ask(path: &Path, command: &Command) -> io::Result<Result<Value, String>> {
    let (read, mut write) = UnixStream::connect(path).await?.into_split();
    let line = serde_json::to_string(command).map_err(io::Error::other)?;
    write.write_all(format!("{line}\n").as_bytes()).await?;
    let mut reply = String::new();
    BufReader::new(read).read_line(&mut reply).await?;
    let mut reply: Value = serde_json::from_str(&reply).map_err(io::Error::other)?;
    if reply["ok"] == true {
        Ok(Ok(reply["result"].take()))
    } else {
        Ok(Err(reply["error"].as_str().unwrap_or("no answer").to_owned()))
    }
}

/// How often a run is listened to.
const LISTEN: Duration = Duration::from_millis(50);

/// Runs the text of an `exec` request on a router, hands over each line as it is printed, and says whether all went well: what an SSH
/// server in front of the router does.
///
/// # Errors
/// When nobody listens there, or the router takes no more of it.
///
/// # Cancel safety
/// The text goes on running.
pub async fn exec(path: &Path, user: &str, text: &str, mut said: impl FnMut(&str)) -> io::Result<bool> {
    let command = Command::Exec { user: user.to_owned(), text: text.to_owned() };
    let run = ask(path, &command).await?.map_err(io::Error::other)?["run"].as_u64().unwrap_or_default();
    let mut from = 0;
    let mut ticks = tokio::time::interval(LISTEN);
    loop {
        ticks.tick().await;
        let heard = ask(path, &Command::Hear { run, from }).await?.map_err(io::Error::other)?;
        let lines = |part: &str| heard[part].as_array().cloned().unwrap_or_default();
        let output = lines("output");
        from += output.len();
        let failures = lines("failures");
        output.iter().chain(&failures).filter_map(Value::as_str).for_each(&mut said);
        if !heard["failures"].is_null() {
            return Ok(failures.is_empty());
        }
    }
}
