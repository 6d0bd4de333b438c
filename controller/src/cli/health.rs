//! How the installation is, and what is done again and again.

use super::client::{Call, Client};
use super::table::{one_line, table, words};
use super::units::{text, time};
use clap::{Args, Subcommand};

/// Tells what is wrong with the installation; for the platform's operators
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  mastwire-controller health")]
pub(super) struct Health;

impl Health {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        let answer = client.send(Call::get(["platform", "health"])).await?;
        Ok(client.show(&answer, |value| {
            let conditions = value["conditions"].as_array().map_or(&[][..], Vec::as_slice);
            if conditions.is_empty() {
                return "nothing is wrong".to_owned();
            }
            let mut out = String::new();
            for item in conditions {
                let head = format!("{} {} since {}", text(item, "severity"), text(item, "code"), time(item, "since"));
                for line in [head, format!("  {}", text(item, "text")), format!("  what to do: {}", text(item, "remedy"))] {
                    out.push_str(&one_line(&line));
                    out.push('\n');
                }
            }
            out
        }))
    }
}

/// What is done again and again; for the platform's operators
#[derive(Debug, Subcommand)]
pub(super) enum Jobs {
    /// Lists the jobs and how they went
    #[command(after_help = "Example:\n  mastwire-controller job list")]
    List,
    /// Makes a job due now; a controller does it within a minute
    #[command(after_help = "Example:\n  mastwire-controller job run audit")]
    Run {
        /// Its name
        job: String,
    },
}

impl Jobs {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::List => {
                let answer = client.send(Call::get(["platform", "jobs"])).await?;
                let columns = [
                    words("JOB", |item| text(item, "name")),
                    words("HOW OFTEN", |item| text(item, "cadence")),
                    words("DUE", |item| time(item, "due_at")),
                    words("LAST DONE", |item| time(item, "last_finished_at")),
                    words("WENT", |item| match (item["running"].as_bool(), item["succeeded"].as_bool()) {
                        (Some(true), _) => "runs now".to_owned(),
                        (_, Some(true)) => "well".to_owned(),
                        (_, Some(false)) => "failed".to_owned(),
                        (_, None) => String::new(),
                    }),
                    words("SAID", |item| text(item, "report")),
                ];
                Ok(client.show(&answer, |value| table(&columns, value["items"].as_array().map_or(&[][..], Vec::as_slice))))
            }
            Self::Run { job } => client.done(Call::post(["platform", "jobs", &job, "run"]), &format!("`{job}` is due now")).await,
        }
    }
}
