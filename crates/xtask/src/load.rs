//! Builds the loader and fills a data folder with it.

use crate::process::{Metadata, cargo, run};
use crate::setup;
use anyhow::{Result, ensure};
use clap::Args;
use std::path::PathBuf;

const PACKAGE: &str = "system-tests";
const PROGRAM: &str = "load";

/// How large the load is, and where it lies.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// How many ISPs.
    #[arg(long, default_value_t = 100)]
    tenants: usize,
    /// How many customers they have together.
    #[arg(long, default_value_t = 20_000)]
    customers: usize,
    /// How many of their sessions have ended, about.
    #[arg(long, default_value_t = 500_000)]
    sessions: usize,
    /// What everything that is chosen follows from.
    #[arg(long, default_value_t = 1)]
    seed: i64,
    /// The data folder, without any tenant; load-TENANTS in the target folder when left out.
    #[arg(long)]
    data: Option<PathBuf>,
}

impl Load {
    /// Fills the folder.
    ///
    /// # Errors
    /// When something is missing, the build fails, or there are tenants in the folder.
    pub(crate) fn run(self) -> Result<()> {
        let server = setup::setup(setup::Detail::Needed)?;
        let metadata = Metadata::read()?;
        ensure!(metadata.has_program(PACKAGE, PROGRAM), "package {PACKAGE} has no program `{PROGRAM}`");
        let data = match self.data {
            Some(data) => std::path::absolute(data)?,
            None => metadata.target_directory.join(format!("load-{}", self.tenants)),
        };
        let mut load = cargo(["run", "--quiet", "--release", "--package", PACKAGE, "--bin", PROGRAM, "--"]);
        for (name, value) in [("--tenants", self.tenants), ("--customers", self.customers), ("--sessions", self.sessions)] {
            load.arg(name).arg(value.to_string());
        }
        load.arg(format!("--seed={}", self.seed)).arg("--data").arg(data);
        run(load.env(setup::SERVER_FOLDER_VARIABLE, server))
    }
}
