//! What an ISP sells.

use super::client::{Call, Client, Noun, PageArgs};
use super::routers::ROUTER;
use super::sites::site_id;
use super::table::{fields, numbers, words};
use super::units::{Amount, Span, Speeds, money, money_json, seconds, span, speeds, text, time, volume};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use model::{Bytes, Currency};
use serde_json::{Value, json};

pub(super) const PACKAGE: Noun = Noun { prefix: "pkg", word: "package", list: &["packages"], name: "name", search: None };

/// What is sold
#[derive(Debug, Subcommand)]
pub(super) enum Packages {
    /// Puts a package on sale
    #[command(after_help = "Examples:\n  \
        mastwire-controller package add Home-10 --kind pppoe --price 1500 --speed 10M/5M --validity 1mo\n  \
        mastwire-controller package add Day --kind hotspot --price 50 --speed 5M/2M --validity 24h --data 2G --online 12h")]
    Add(Add),
    /// Lists the packages
    #[command(after_help = "Example:\n  mastwire-controller package list")]
    List(PageArgs),
    /// Shows a package
    #[command(after_help = "Example:\n  mastwire-controller package show Home-10")]
    Show {
        /// Its name or id
        package: String,
    },
    /// Changes a package's price or speed; its customers get the speed at once, or with their next purchase
    #[command(after_help = "Examples:\n  \
        mastwire-controller package change Home-10 --speed 12M/6M\n  \
        mastwire-controller package change Home-10 --speed 20M/10M --at-renewal")]
    Change(Change),
    /// Lists what a package was at each time
    #[command(after_help = "Example:\n  mastwire-controller package versions Home-10")]
    Versions {
        /// Its name or id
        package: String,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Shows where a package is sold, or says it anew
    #[command(after_help = "Examples:\n  \
        mastwire-controller package scope Home-10\n  \
        mastwire-controller package scope Home-10 --router mast-1,mast-2 --site Kilimani\n  \
        mastwire-controller package scope Home-10 --everywhere")]
    Scope(Scope),
    /// Takes a package off sale; who has it keeps it
    #[command(after_help = "Example:\n  mastwire-controller package retire Home-10")]
    Retire {
        /// Its name or id
        package: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// Its name
    name: String,
    /// How its customers connect
    #[arg(long, value_parser = ["pppoe", "hotspot", "static"])]
    kind: String,
    /// What it costs, such as 1500 or 1500.00
    #[arg(long, value_name = "AMOUNT")]
    price: Amount,
    /// Download/upload, such as 10M/5M
    #[arg(long, value_name = "DOWN/UP")]
    speed: Speeds,
    #[command(flatten)]
    burst: Burst,
    /// How long it lasts by the calendar, such as 30d, 1mo or 12h
    #[arg(long, value_name = "DURATION")]
    validity: Span,
    /// How long one may be online in all (hotspot)
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    online: Option<u64>,
    /// How much may be carried in all, such as 5G (hotspot)
    #[arg(long, value_name = "VOLUME")]
    data: Option<Bytes>,
    /// Devices at a time on one login (hotspot)
    #[arg(long, value_name = "N")]
    devices: Option<u16>,
    /// What happens at the end
    #[arg(long, value_parser = ["redirect", "disable"])]
    on_expiry: Option<String>,
}

/// A faster start.
#[derive(Debug, Args)]
struct Burst {
    /// A faster start: download/upload while it lasts
    #[arg(long, value_name = "DOWN/UP", requires = "burst_threshold")]
    burst: Option<Speeds>,
    /// The averages above which the burst ends
    #[arg(long, value_name = "DOWN/UP", requires = "burst")]
    burst_threshold: Option<Speeds>,
    /// Over which time the averages are taken
    #[arg(long, value_name = "DURATION", value_parser = seconds, default_value = "16s", requires = "burst")]
    burst_time: u64,
}

#[derive(Debug, Args)]
pub(super) struct Change {
    /// Its name or id
    package: String,
    /// The price from now on
    #[arg(long, value_name = "AMOUNT")]
    price: Option<Amount>,
    /// The speed; a burst that is not given again goes
    #[arg(long, value_name = "DOWN/UP")]
    speed: Option<Speeds>,
    /// Let those who have it keep their speed until they buy again
    #[arg(long, requires = "speed")]
    at_renewal: bool,
    /// Whether customers see it where they buy for themselves
    #[arg(long, value_name = "YES", action = clap::ArgAction::Set)]
    portal: Option<bool>,
    #[command(flatten)]
    burst: Burst,
}

/// Returns the currency the tenant sells in.
pub(super) async fn currency(client: &Client) -> anyhow::Result<Currency> {
    let tenant = client.send(Call::get(["tenant"])).await?;
    text(&tenant.value, "currency").parse().context("the controller did not tell the tenant's currency")
}

fn speed_json(speed: Speeds, burst: &Burst) -> Value {
    let burst = burst.burst.zip(burst.burst_threshold).map(|(rate, threshold)| {
        json!({ "download_bps": rate.down, "upload_bps": rate.up, "download_threshold_bps": threshold.down,
                "upload_threshold_bps": threshold.up, "seconds": burst.burst_time })
    });
    json!({ "download_bps": speed.down, "upload_bps": speed.up, "burst": burst })
}

fn validity(item: &Value) -> String {
    let validity = &item["validity"];
    match (validity["months"].as_u64(), validity["seconds"].as_u64()) {
        (Some(months), _) => format!("{months}mo"),
        (None, Some(seconds)) => span(seconds),
        (None, None) => String::new(),
    }
}

fn online(item: &Value) -> String {
    item["online_seconds"].as_u64().map(span).unwrap_or_default()
}

fn readable(item: &Value) -> String {
    let speed = &item["speed"];
    fields(&[
        ("name", text(item, "name")),
        ("kind", text(item, "kind")),
        ("price", money(item, "price")),
        ("speed down/up", speeds(speed, "download_bps", "upload_bps")),
        ("burst down/up", speeds(&speed["burst"], "download_bps", "upload_bps")),
        ("burst threshold", speeds(&speed["burst"], "download_threshold_bps", "upload_threshold_bps")),
        ("burst time", speed["burst"]["seconds"].as_u64().map(span).unwrap_or_default()),
        ("valid for", validity(item)),
        ("online time", online(item)),
        ("data", volume(item, "data_bytes")),
        ("devices", text(item, "shared_users")),
        ("at the end", text(item, "on_expiry")),
        ("version", text(item, "version")),
        ("on the portal", text(item, "portal")),
        ("sold everywhere", text(item, "everywhere")),
        ("made", time(item, "created_at")),
        ("off sale since", time(item, "retired_at")),
        ("id", text(item, "id")),
    ])
}

impl Packages {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::Add(new) => new.run(client).await,
            Self::List(page) => {
                let columns = [
                    words("NAME", |item| text(item, "name")),
                    words("KIND", |item| text(item, "kind")),
                    numbers("PRICE", |item| money(item, "price")),
                    numbers("DOWN/UP", |item| speeds(&item["speed"], "download_bps", "upload_bps")),
                    numbers("VALID", validity),
                    numbers("ONLINE", online),
                    numbers("DATA", |item| volume(item, "data_bytes")),
                    words("AT THE END", |item| text(item, "on_expiry")),
                    words("OFF SALE", |item| time(item, "retired_at")),
                    words("ID", |item| text(item, "id")),
                ];
                client.list(Call::get(PACKAGE.list), &page, &columns, &[]).await
            }
            Self::Show { package } => {
                let id = client.id_of(&PACKAGE, &package).await?;
                let answer = client.send(Call::get(["packages", &id])).await?;
                Ok(client.show(&answer, readable))
            }
            Self::Change(change) => change.run(client).await,
            Self::Versions { package, page } => versions(client, &package, &page).await,
            Self::Scope(scope) => scope.run(client).await,
            Self::Retire { package } => {
                let id = client.id_of(&PACKAGE, &package).await?;
                client
                    .done(Call::post(["packages", &id, "retire"]), &format!("`{package}` is off sale; who has it keeps it"))
                    .await
            }
        }
    }
}

impl Add {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let price = self.price.or(currency(client).await?);
        let validity = match self.validity {
            Span::Months(months) => json!({ "months": months }),
            Span::Seconds(seconds) => json!({ "seconds": seconds }),
        };
        let body = json!({
            "name": self.name, "kind": self.kind, "price": money_json(price), "speed": speed_json(self.speed, &self.burst),
            "validity": validity, "online_seconds": self.online, "data_bytes": self.data, "shared_users": self.devices,
            "on_expiry": self.on_expiry,
        });
        let answer = client.send(Call::post(PACKAGE.list).json(&body)).await?;
        Ok(client.show(&answer, |value| format!("`{}` is on sale for {price}: {}", self.name, text(value, "id"))))
    }
}

impl Change {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        if self.burst.burst.is_some() && self.speed.is_none() {
            bail!("a burst belongs to a speed: give --speed too");
        }
        let id = client.id_of(&PACKAGE, &self.package).await?;
        let price = match self.price {
            Some(price) => Some(money_json(price.or(currency(client).await?))),
            None => None,
        };
        let speed = self.speed.map(|speed| speed_json(speed, &self.burst));
        let applies = self.at_renewal.then_some("next_renewal");
        let body = json!({ "price": price, "speed": speed, "applies": applies, "portal": self.portal });
        let answer = client.send(Call::patch(["packages", &id]).json(&body)).await?;
        Ok(client.show(&answer, readable))
    }
}

#[derive(Debug, Args)]
pub(super) struct Scope {
    /// Its name or id
    package: String,
    /// Sell it on these routers
    #[arg(long, value_name = "ROUTER,…", value_delimiter = ',')]
    router: Vec<String>,
    /// Sell it on all routers at these sites and within them
    #[arg(long, value_name = "SITE,…", value_delimiter = ',')]
    site: Vec<String>,
    /// Sell it on every router
    #[arg(long, conflicts_with_all = ["router", "site"])]
    everywhere: bool,
}

impl Scope {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let id = client.id_of(&PACKAGE, &self.package).await?;
        if self.router.is_empty() && self.site.is_empty() && !self.everywhere {
            let answer = client.send(Call::get(["packages", &id, "scope"])).await?;
            return Ok(client.show(&answer, |value| {
                let ids = |field: &str| {
                    let ids: Vec<&str> = value[field].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                    ids.join(", ")
                };
                let (routers, sites) = (ids("routers"), ids("sites"));
                if routers.is_empty() && sites.is_empty() {
                    return "it is sold on every router".to_owned();
                }
                fields(&[("routers", routers), ("sites", sites)])
            }));
        }
        let (mut routers, mut sites) = (Vec::new(), Vec::new());
        for name in &self.router {
            routers.push(client.id_of(&ROUTER, name).await?);
        }
        for way in &self.site {
            sites.push(site_id(client, way).await?);
        }
        let call = Call::put(["packages", &id, "scope"]).json(&json!({ "routers": routers, "sites": sites }));
        client.done(call, &format!("`{}` is sold there from now on", self.package)).await
    }
}

async fn versions(client: &Client, package: &str, page: &PageArgs) -> anyhow::Result<String> {
    let id = client.id_of(&PACKAGE, package).await?;
    let columns = [
        numbers("VERSION", |item| text(item, "number")),
        words("SINCE", |item| time(item, "valid_from")),
        numbers("PRICE", |item| money(item, "price")),
        numbers("DOWN/UP", |item| speeds(&item["speed"], "download_bps", "upload_bps")),
        words("APPLIES", |item| text(item, "applies")),
        words("MADE BY", |item| text(item, "made_by")),
    ];
    client.list(Call::get(["packages", &id, "versions"]), page, &columns, &[]).await
}
