//! What technicians did.

use super::client::{Call, Client, Noun, PageArgs};
use super::customers::CUSTOMER;
use super::operators::OPERATOR;
use super::routers::ROUTER;
use super::sites::{SITE, site_id};
use super::table::{numbers, words};
use super::tickets::TICKET;
use super::units::{moment, text, time};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

/// An entry is called by its id alone.
const WORK: Noun = Noun { prefix: "wrk", word: "work entry", list: &["work-entries"], name: "id", search: None };

/// What technicians did
#[derive(Debug, Subcommand)]
pub(super) enum Work {
    /// Writes down work that was done
    #[command(after_help = "Examples:\n  \
        mastwire-controller work add install --started 2026-01-15T09:00:00+03:00 --minutes 90 --customer alice --material cable=25.5m --material connector=2pc\n  \
        mastwire-controller work add support --started 2026-01-15T14:00:00+03:00 --minutes 20 --ticket 118 --note \"changed the power supply\"")]
    Add(Add),
    /// Lists it, the newest first
    #[command(after_help = "Example:\n  mastwire-controller work list --ticket 118")]
    List(List),
    /// Strikes an entry out that is wrong; it stays to be seen
    #[command(after_help = "Example:\n  mastwire-controller work strike wrk_0190163d8694739b8fd74dd02ebd3dc4")]
    Strike {
        /// The entry's id
        entry: String,
    },
}

/// Something that was used up.
#[derive(Debug, Clone)]
pub(super) struct Used {
    name: String,
    milli: u32,
    unit: String,
}

/// Why a material cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("write what, how much and of which unit, such as cable=25.5m")]
pub(super) struct Malformed;

fn used(given: &str) -> Result<Used, Malformed> {
    let (name, rest) = given.split_once('=').ok_or(Malformed)?;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(Malformed)?;
    let (number, unit) = rest.split_at(end);
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if name.is_empty() || part.len() > 3 || part.contains('.') {
        return Err(Malformed);
    }
    let whole: u32 = whole.parse().map_err(|_| Malformed)?;
    let part: u32 = format!("{part:0<3}").parse().map_err(|_| Malformed)?;
    let milli = whole.checked_mul(1_000).and_then(|milli| milli.checked_add(part)).ok_or(Malformed)?;
    Ok(Used { name: name.to_owned(), milli, unit: unit.trim().to_owned() })
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// What kind
    #[arg(value_parser = ["install", "support", "maintenance", "survey"])]
    kind: String,
    /// When it began, such as 2026-01-15T09:00:00+03:00
    #[arg(long, value_parser = moment)]
    started: Timestamp,
    /// How long it took
    #[arg(long)]
    minutes: u32,
    /// Who did it; you when left out
    #[arg(long)]
    operator: Option<String>,
    /// At which customer
    #[arg(long)]
    customer: Option<String>,
    /// On which router
    #[arg(long)]
    router: Option<String>,
    /// At which site
    #[arg(long)]
    site: Option<String>,
    /// For which ticket
    #[arg(long)]
    ticket: Option<String>,
    /// What was used up; may be given several times
    #[arg(long = "material", value_name = "NAME=AMOUNT", value_parser = used)]
    materials: Vec<Used>,
    /// Where, as degrees north and east
    #[arg(long, num_args = 2, value_names = ["NORTH", "EAST"], allow_negative_numbers = true)]
    position: Option<Vec<f64>>,
    /// What is good to know
    #[arg(long, default_value = "")]
    note: String,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only that of one operator
    #[arg(long)]
    operator: Option<String>,
    /// Only at one customer
    #[arg(long)]
    customer: Option<String>,
    /// Only on one router
    #[arg(long)]
    router: Option<String>,
    /// Only for one ticket
    #[arg(long)]
    ticket: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

/// Writes what was used up on one line.
fn materials(item: &Value) -> String {
    let one = |material: &Value| {
        let milli = material["milli"].as_u64().unwrap_or_default();
        let amount = format!("{}.{:03}", milli / 1_000, milli % 1_000);
        let amount = amount.trim_end_matches('0').trim_end_matches('.');
        format!("{} {amount} {}", text(material, "name"), text(material, "unit"))
    };
    item["materials"].as_array().into_iter().flatten().map(one).collect::<Vec<_>>().join(", ")
}

impl Work {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::Add(add) => add.run(client).await,
            Self::List(list) => list.run(client).await,
            Self::Strike { entry } => {
                let id = client.id_of(&WORK, &entry).await?;
                client.done(Call::post(["work-entries", &id, "strike"]), "the entry is struck out").await
            }
        }
    }
}

impl Add {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let site = match &self.site {
            Some(site) => Some(site_id(client, site).await?),
            None => None,
        };
        let material = |used: &Used| json!({ "name": used.name, "milli": used.milli, "unit": used.unit });
        let position = self.position.map(|place| json!({ "latitude": place[0], "longitude": place[1] }));
        let body = json!({
            "kind": self.kind, "started_at": self.started, "minutes": self.minutes, "note": self.note, "site": site, "position": position,
            "materials": self.materials.iter().map(material).collect::<Vec<_>>(),
            "operator": client.id_of_some(&OPERATOR, self.operator.as_deref()).await?,
            "customer": client.id_of_some(&CUSTOMER, self.customer.as_deref()).await?,
            "router": client.id_of_some(&ROUTER, self.router.as_deref()).await?,
            "ticket": client.id_of_some(&TICKET, self.ticket.as_deref()).await?,
        });
        let answer = client.send(Call::post(WORK.list).json(&body)).await?;
        Ok(client.show(&answer, |value| format!("the work is written down as {}", text(value, "id"))))
    }
}

impl List {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let columns = [
            words("BEGAN", |item| time(item, "started_at")),
            numbers("MINUTES", |item| text(item, "minutes")),
            words("KIND", |item| text(item, "kind")),
            words("BY", |item| text(item, "operator")),
            words("CUSTOMER", |item| text(item, "customer")),
            words("ROUTER", |item| text(item, "router")),
            words("SITE", |item| text(item, "site")),
            words("MATERIALS", materials),
            words("NOTE", |item| text(item, "note")),
            words("STRUCK OUT", |item| time(item, "struck_at")),
            words("ID", |item| text(item, "id")),
        ];
        let call = Call::get(WORK.list)
            .query("operator", client.id_of_some(&OPERATOR, self.operator.as_deref()).await?)
            .query("customer", client.id_of_some(&CUSTOMER, self.customer.as_deref()).await?)
            .query("router", client.id_of_some(&ROUTER, self.router.as_deref()).await?)
            .query("ticket", client.id_of_some(&TICKET, self.ticket.as_deref()).await?);
        let named = [("operator", &OPERATOR), ("customer", &CUSTOMER), ("router", &ROUTER), ("site", &SITE)];
        client.list(call, &self.page, &columns, &named).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn materials_are_read_and_written() {
        for (given, milli, unit) in
            [("cable=25.5m", 25_500, "m"), ("connector=2pc", 2_000, "pc"), ("tape=0.125 roll", 125, "roll")]
        {
            let read = used(given).expect(given);
            assert_eq!((read.milli, read.unit.as_str()), (milli, unit), "{given}");
        }
        for wrong in ["cable", "cable=m", "cable=5", "=5m", "cable=1.2345m", "cable=1.2.3m", "cable=99999999m"] {
            assert!(used(wrong).is_err(), "{wrong}");
        }
        let item = json!({ "materials": [{ "name": "cable", "milli": 25_500, "unit": "m" }, { "name": "box", "milli": 1_000, "unit": "pc" }] });
        assert_eq!(materials(&item), "cable 25.5 m, box 1 pc");
    }
}
