//! Programs of others that judge ours where they are present.

use anyhow::{Context as _, bail, ensure};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The version of librouteros that is fetched where none is installed.
const LIBROUTEROS: &str = "librouteros==4.2.2";

/// Says that a judge did not sit, and why; past the test harness, which keeps what passing tests print to itself.
pub fn skipped(judge: &str, why: &str) {
    // A closed terminal must not fail a test.
    drop(writeln!(std::io::stdout(), "skipped: {judge}: {why}"));
}

/// Finds a program in the search path.
///
/// # Errors
/// When it is not there.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|program| program.is_file());
    found.with_context(|| format!("{name} is not here"))
}

/// Runs a program to its end and returns what it printed.
///
/// # Errors
/// When it cannot be started or does not end with 0; the error holds its words.
pub fn run(command: &mut Command) -> anyhow::Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?} cannot be started"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{command:?} failed ({}): {}{}", output.status, printed.trim_end(), said.trim());
    Ok(printed.into_owned())
}

/// Prepares Python with librouteros and one of the scripts in `tests/judges`: the installed module, or else one that pip
/// puts below the target folder.
///
/// # Errors
/// When there is no Python, or neither the module nor a pip that can fetch it.
pub fn librouteros(script: &str) -> anyhow::Result<Command> {
    let python = program("python3")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("judges").join(script);
    let mut command = Command::new(&python);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    if run(Command::new(&python).args(["-c", "import librouteros"])).is_err() {
        command.env("PYTHONPATH", fetched(&python)?);
    }
    command.arg(script);
    Ok(command)
}

/// Returns the folder that holds the module, fetched once.
fn fetched(python: &Path) -> anyhow::Result<PathBuf> {
    let target = target_folder()?;
    let folder = target.join("librouteros");
    if folder.is_dir() {
        return Ok(folder);
    }
    // Whole or not at all, also when two runs begin together.
    let fresh = tempfile::tempdir_in(&target)?;
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "0", "--timeout", "10"]);
    if let Err(error) = run(pip.arg("--target").arg(fresh.path()).arg(LIBROUTEROS)) {
        let last = format!("{error:#}").lines().last().unwrap_or_default().to_owned();
        bail!("Python has no module librouteros, and pip does not fetch it: {last}");
    }
    let fresh = fresh.keep();
    if std::fs::rename(&fresh, &folder).is_err() {
        std::fs::remove_dir_all(&fresh)?;
    }
    Ok(folder)
}

/// Finds the folder that cargo builds into, which cargo marks.
fn target_folder() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?;
    let folder = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    folder.map(Path::to_owned).context("this program does not lie in a target folder")
}
