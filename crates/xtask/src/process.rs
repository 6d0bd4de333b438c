//! Starts other programs, shows what is started, and finds programs by name.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// Gives the workspace's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("this package lies two folders below the workspace")
}

/// Prepares the cargo that started this program, in the workspace's folder.
pub(crate) fn cargo<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(args);
    command
}

/// Writes a command the way a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or(command.get_program()).to_string_lossy().into_owned();
    command.get_args().fold(name, |line, arg| format!("{line} {}", arg.to_string_lossy()))
}

/// Shows a command, then runs it with this terminal.
///
/// # Errors
/// When it cannot be started or does not end with 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", shown(command));
    let status = command.status().with_context(|| format!("cannot start {}", shown(command)))?;
    ensure!(status.success(), "{} failed ({status})", shown(command));
    Ok(())
}

/// Runs a command and gives what it printed; its words to stderr are kept for the error.
///
/// # Errors
/// When it cannot be started or does not end with 0.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {}", shown(command)))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} failed ({}):\n{}", shown(command), output.status, said.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Shows a command and runs it, handing each line it prints to `each`; stderr goes to this terminal.
///
/// # Errors
/// When it cannot be started or its output breaks off. How it ended is the caller's to judge.
pub(crate) fn watch(command: &mut Command, mut each: impl FnMut(&str)) -> Result<ExitStatus> {
    println!("$ {}", shown(command));
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start {}", shown(command)))?;
    let mut output = BufReader::new(child.stdout.take().expect("stdout is piped two lines above"));
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line).with_context(|| format!("cannot read from {}", shown(command)))? > 0 {
        each(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
    child.wait().with_context(|| format!("cannot wait for {}", shown(command)))
}

/// Lists the folders that programs are searched in.
pub(crate) fn search_path() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

/// Finds a program by name.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    search_path().into_iter().map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// What cargo says about the workspace, cut to what is used here.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) target_directory: PathBuf,
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Metadata {
    /// Asks cargo.
    ///
    /// # Errors
    /// When cargo fails or answers in another form.
    pub(crate) fn read() -> Result<Self> {
        let text = capture(&mut cargo(["metadata", "--no-deps", "--format-version", "1"]))?;
        serde_json::from_str(&text).context("cargo metadata answered in an unknown form")
    }

    /// Tells whether a package has a program of that name.
    pub(crate) fn has_program(&self, package: &str, program: &str) -> bool {
        self.packages
            .iter()
            .filter(|candidate| candidate.name == package)
            .flat_map(|candidate| &candidate.targets)
            .any(|target| target.name == program && target.kind.iter().any(|kind| kind == "bin"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Metadata, capture, cargo, find_program, shown, watch};
    use std::process::Command;

    #[test]
    fn failure_names_the_command_and_its_words() {
        let error = capture(&mut cargo(["no-such-command"])).expect_err("cargo knows no such command").to_string();
        assert!(error.starts_with("cargo no-such-command failed"), "{error}");
        assert!(error.contains("no such command"), "{error}");
        let error = capture(&mut Command::new("mastwire-absent")).expect_err("no such program").to_string();
        assert_eq!(error, "cannot start mastwire-absent");
    }

    #[test]
    fn watching_gives_lines_and_the_end() {
        let mut lines = Vec::new();
        let status = watch(&mut cargo(["--version"]), |line| lines.push(line.to_owned())).expect("cargo runs");
        assert!(status.success());
        assert_eq!(lines.len(), 1);
        assert!(lines[0].starts_with("cargo "), "{lines:?}");
    }

    #[test]
    fn programs_are_found_by_name_alone() {
        assert!(find_program("cargo").is_some());
        assert!(find_program("mastwire-absent").is_none());
        assert_eq!(shown(Command::new("/some/where/apt-get").args(["-y", "install"])), "apt-get -y install");
    }

    #[test]
    fn metadata_knows_our_programs() {
        let metadata = Metadata::read().expect("cargo metadata works here");
        assert!(metadata.has_program("xtask", "xtask"));
        assert!(!metadata.has_program("xtask", "absent"));
        assert!(!metadata.has_program("absent", "xtask"));
    }
}
