//! Builds the programs of the demo and starts it.

use crate::process::{Metadata, cargo, run, shown};
use crate::setup;
use anyhow::{Context, Result, ensure};
use std::os::unix::process::CommandExt;

const PACKAGE: &str = "system-tests";
const PROGRAM: &str = "demo";

/// Gets ready, builds the controller and the simulator, and becomes the demo, so that signals reach it directly.
///
/// # Errors
/// When something is missing, a build fails or the demo cannot be started.
pub(crate) fn demo(once: bool) -> Result<()> {
    let server = setup::setup(setup::Detail::Needed)?;
    ensure!(
        Metadata::read()?.has_program(PACKAGE, PROGRAM),
        "package {PACKAGE} has no program `{PROGRAM}`: there is no demo to start"
    );
    run(&mut cargo(["build", "--quiet", "--package", "mastwire-controller", "--package", "routeros-sim", "--bins"]))?;
    let mut demo = cargo(["run", "--quiet", "--package", PACKAGE, "--bin", PROGRAM, "--"]);
    demo.args(once.then_some("--once")).env(setup::SERVER_FOLDER_VARIABLE, server);
    println!("$ {}", shown(&demo));
    Err(demo.exec()).with_context(|| format!("cannot start {}", shown(&demo)))
}
