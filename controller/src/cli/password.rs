//! Asks for passwords: without echo at a terminal, as one line of standard input otherwise.

use super::output::print_aside;
use anyhow::{Context as _, bail};
use model::Secret;
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use std::io::{self, BufRead as _, IsTerminal as _, Read as _};

/// Longest line that is read, bytes: more than any password may have.
const LINE_MAX: u64 = 1024;

/// Asks for a password that exists.
///
/// # Errors
/// When nothing is given.
pub(super) fn ask() -> anyhow::Result<Secret<String>> {
    if io::stdin().is_terminal() { ask_at_terminal("Password: ") } else { read_line() }
}

/// Asks for the code of a second factor, if somebody is there to ask.
///
/// # Errors
/// When nothing is given.
pub(super) fn ask_for_code() -> anyhow::Result<Option<Secret<String>>> {
    if io::stdin().is_terminal() {
        ask_at_terminal("Code of your authenticator, or a recovery code: ").map(Some)
    } else {
        Ok(None)
    }
}

/// Asks for a password that exists and may be empty.
///
/// # Errors
/// When no line is given.
pub(super) fn ask_maybe_empty(prompt: &str) -> anyhow::Result<Secret<String>> {
    if io::stdin().is_terminal() { quietly(prompt, read_maybe_empty) } else { read_maybe_empty() }
}

/// Asks for a `yes`; nothing is answered where nobody sits at a terminal.
///
/// # Errors
/// When the terminal cannot be read.
pub(super) fn confirm(question: &str) -> anyhow::Result<Option<bool>> {
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    print_aside(question);
    let mut line = String::new();
    io::stdin().lock().take(LINE_MAX).read_line(&mut line).context("the answer cannot be read")?;
    Ok(Some(line.trim() == "yes"))
}

/// Asks for a new password, at a terminal twice.
///
/// # Errors
/// When nothing is given, or the two differ.
pub(super) fn ask_new() -> anyhow::Result<Secret<String>> {
    if !io::stdin().is_terminal() {
        return read_line();
    }
    let first = ask_at_terminal("New password: ")?;
    if first != ask_at_terminal("The same again: ")? {
        bail!("the two passwords differ; nothing was changed");
    }
    Ok(first)
}

/// Puts the terminal back as it was.
struct Quiet(Termios);

impl Quiet {
    fn start() -> nix::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO);
        quiet.local_flags.insert(LocalFlags::ECHONL);
        tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &quiet)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // It worked a moment ago; if the terminal has gone since, nothing is left to put back.
        let _: nix::Result<()> = tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &self.0);
    }
}

fn ask_at_terminal(prompt: &str) -> anyhow::Result<Secret<String>> {
    quietly(prompt, read_line)
}

fn quietly(prompt: &str, read: fn() -> anyhow::Result<Secret<String>>) -> anyhow::Result<Secret<String>> {
    let quiet = Quiet::start().context("the terminal's echo cannot be turned off")?;
    print_aside(prompt);
    let line = read();
    drop(quiet);
    line
}

fn read_line() -> anyhow::Result<Secret<String>> {
    let password = read_maybe_empty()?;
    if password.expose().is_empty() {
        bail!("no password was given");
    }
    Ok(password)
}

fn read_maybe_empty() -> anyhow::Result<Secret<String>> {
    let mut line = String::new();
    io::stdin().lock().take(LINE_MAX).read_line(&mut line).context("the password cannot be read from standard input")?;
    let line = Secret::new(line);
    if line.expose().is_empty() {
        bail!("no password was given");
    }
    Ok(Secret::new(line.expose().trim_end_matches(['\r', '\n']).to_owned()))
}
