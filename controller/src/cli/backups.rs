//! An ISP's own backups and exports, through the API.

use super::client::{Call, Client, PageArgs, items};
use super::table::{fields, numbers, words};
use super::units::{text, time};
use crate::backups::cell;
use crate::http::csv_line;
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Backups that an ISP takes of itself; the controller keeps the newest seven
#[derive(Debug, Subcommand)]
pub(super) enum Backups {
    /// Lists them
    #[command(after_help = "Example:\n  mastwire-controller backups list")]
    List(PageArgs),
    /// Begins to take one
    #[command(after_help = "Example:\n  mastwire-controller backups take")]
    Take,
    /// Shows one
    #[command(after_help = "Example:\n  mastwire-controller backups show bak_0190163d8694739b8fd74dd02ebd3dc4")]
    Show {
        /// Its id; the newest when left out
        backup: Option<String>,
    },
    /// Downloads one; it is sealed and can be restored by the platform alone
    #[command(after_help = "Example:\n  mastwire-controller backups download --out mine.mwbackup")]
    Download {
        /// Its id; the newest that is ready when left out
        backup: Option<String>,
        /// The file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

fn readable(item: &Value) -> String {
    fields(&[
        ("state", text(item, "state")),
        ("asked for", time(item, "started_at")),
        ("finished", time(item, "finished_at")),
        ("tables", text(item, "tables")),
        ("rows", text(item, "rows")),
        ("bytes", text(item, "bytes")),
        ("sha256", text(item, "sha256")),
        ("why it failed", text(item, "error")),
        ("by", text(item, "made_by")),
        ("id", text(item, "id")),
    ])
}

impl Backups {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::List(page) => {
                let columns = [
                    words("ASKED FOR", |item| time(item, "started_at")),
                    words("STATE", |item| text(item, "state")),
                    numbers("ROWS", |item| text(item, "rows")),
                    numbers("BYTES", |item| text(item, "bytes")),
                    words("BY", |item| text(item, "made_by")),
                    words("ID", |item| text(item, "id")),
                ];
                client.list(Call::get(["backups"]), &page, &columns, &[]).await
            }
            Self::Take => {
                let answer = client.send(Call::post(["backups"])).await?;
                Ok(client.show(&answer, |value| format!("it is being taken: {}\n", text(value, "id"))))
            }
            Self::Show { backup } => {
                let id = newest(client, backup, |_| true).await?;
                let answer = client.send(Call::get(["backups", &id])).await?;
                Ok(client.show(&answer, readable))
            }
            Self::Download { backup, out } => {
                let id = newest(client, backup, |item| item["state"] == "ready").await?;
                let known = client.send(Call::get(["backups", &id])).await?.value;
                let mut hash = Sha256::new();
                let mut file = create(&out)?;
                client
                    .download(Call::get(["backups", &id, "file"]), |piece| {
                        hash.update(piece);
                        Ok(file.write_all(piece)?)
                    })
                    .await?;
                file.into_inner().map_err(|error| error.into_error())?.sync_all()?;
                if known["sha256"] != hex::encode(hash.finalize()) {
                    bail!("{} did not arrive as it was sent: download it again", out.display());
                }
                Ok(format!("{} is whole\n", out.display()))
            }
        }
    }
}

async fn newest(client: &Client, id: Option<String>, fits: impl Fn(&Value) -> bool) -> anyhow::Result<String> {
    if let Some(id) = id {
        return Ok(id);
    }
    let list = client.send(Call::get(["backups"])).await?.value;
    let found = items(&list).iter().find(|item| fits(item)).and_then(|item| item["id"].as_str());
    found.map(str::to_owned).context("there is none yet: mastwire-controller backups take")
}

/// An export holds customers' names and telephone numbers, so it is for its owner alone.
fn create(path: &Path) -> anyhow::Result<BufWriter<File>> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    Ok(BufWriter::new(file.with_context(|| format!("{} cannot be made: is it there already?", path.display()))?))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Json,
    Csv,
}

/// Writes all of an ISP's rows into plain files, one a table, as they were at one moment; secrets are not in them
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  mastwire-controller export --format csv --out mast-net")]
pub(super) struct Export {
    /// How rows are written
    #[arg(long, default_value = "csv")]
    format: Format,
    /// The folder to write, which is not there yet
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// The files of an export that is arriving.
struct Files {
    format: Format,
    out: PathBuf,
    open: BTreeMap<String, (BufWriter<File>, Vec<String>)>,
    rows: u64,
    complete: bool,
}

impl Export {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        std::fs::create_dir(&self.out).with_context(|| format!("{} cannot be made: is it there already?", self.out.display()))?;
        let mut files = Files { format: self.format, out: self.out.clone(), open: BTreeMap::new(), rows: 0, complete: false };
        let mut waiting = Vec::new();
        let call = Call::get(["export"]).query("format", Some("json".to_owned()));
        client
            .download(call, |piece| {
                waiting.extend_from_slice(piece);
                let mut rest = waiting.as_slice();
                while let Some(length) = rest.iter().position(|byte| *byte == b'\n') {
                    files.take(&serde_json::from_slice(&rest[..length])?)?;
                    rest = &rest[length + 1..];
                }
                waiting = rest.to_vec();
                Ok(())
            })
            .await?;
        if !files.complete {
            bail!("the export broke off; remove {} and try again", self.out.display());
        }
        let (tables, rows) = (files.open.len(), files.rows);
        for (file, _) in files.open.into_values() {
            file.into_inner().map_err(|error| error.into_error())?.sync_all()?;
        }
        Ok(format!("{tables} tables with {rows} rows are in {}\n", self.out.display()))
    }
}

impl Files {
    fn take(&mut self, line: &Value) -> anyhow::Result<()> {
        if let Some(tables) = line["tables"].as_object() {
            for (name, columns) in tables {
                // The name becomes a file's, so it is looked at even though it comes from our controller.
                if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
                    bail!("the controller named a table in a way that is no file's name");
                }
                let ending = if self.format == Format::Csv { "csv" } else { "jsonl" };
                let mut file = create(&self.out.join(format!("{name}.{ending}")))?;
                let columns: Vec<String> =
                    columns.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
                if self.format == Format::Csv {
                    file.write_all(csv_line(&columns).as_bytes())?;
                }
                self.open.insert(name.clone(), (file, columns));
            }
        } else if let Some(name) = line["table"].as_str() {
            let (file, columns) = self.open.get_mut(name).context("a row came of a table that was not announced")?;
            let row = match self.format {
                Format::Csv => csv_line(columns.iter().map(|column| cell(line["row"].get(column)))),
                Format::Json => format!("{}\n", line["row"]),
            };
            file.write_all(row.as_bytes())?;
            self.rows += 1;
        } else {
            self.complete = line["complete"] == true && line["rows"] == self.rows;
        }
        Ok(())
    }
}
