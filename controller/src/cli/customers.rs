//! Who an ISP serves.

use super::client::{Call, Client, Noun, PageArgs, items};
use super::packages::PACKAGE;
use super::password;
use super::payments::Key;
use super::routers::ROUTER;
use super::sites::site_id;
use super::table::{Column, fields, numbers, one_line, table, words};
use super::units::{moment, text, time};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use model::CustomerId;
use serde_json::{Map, Value, json};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

pub(super) const CUSTOMER: Noun =
    Noun { prefix: "cus", word: "customer", list: &["customers"], name: "login", search: Some("login") };

/// Who is served
#[derive(Debug, Subcommand)]
pub(super) enum Customers {
    /// Adds a customer, who is online once the first payment is taken
    #[command(after_help = "Examples:\n  \
        mastwire-controller customer add alice --router mast-1 --package Home-10 --name \"Alice W.\" --phone 0712345678\n  \
        mastwire-controller customer add shop --router mast-1 --package Office --address 192.168.88.20")]
    Add(Add),
    /// Lists the customers, those who have left too, or finds them by what they say
    #[command(after_help = "Examples:\n  \
        mastwire-controller customer list --router mast-1 --login al\n  \
        mastwire-controller customer list --name wanjiku --status active\n  \
        mastwire-controller customer list --phone \"0712 345\"")]
    List(List),
    /// Shows a customer
    #[command(after_help = "Example:\n  mastwire-controller customer show alice")]
    Show(Who),
    /// Changes a customer; the router follows
    #[command(after_help = "Example:\n  mastwire-controller customer change alice --package Home-20 --router mast-2")]
    Change(Change),
    /// Moves a customer to another router, with what is paid
    #[command(after_help = "Example:\n  mastwire-controller customer move alice --router mast-2")]
    Move {
        #[command(flatten)]
        who: Who,
        /// The router that is to serve the customer
        #[arg(long)]
        router: String,
        /// The customer's own address there; the same as before when left out
        #[arg(long, conflicts_with = "no_address")]
        address: Option<Ipv4Addr>,
        /// Take the address away
        #[arg(long)]
        no_address: bool,
    },
    /// Switches a customer off by hand
    #[command(after_help = "Example:\n  mastwire-controller customer suspend alice")]
    Suspend(Who),
    /// Ends a suspension
    #[command(after_help = "Example:\n  mastwire-controller customer resume alice")]
    Resume(Who),
    /// Lets a customer go; the login may be used anew
    #[command(after_help = "Example:\n  mastwire-controller customer terminate alice")]
    Terminate(Who),
    /// Takes a customer back who was let go within the last 30 days
    #[command(after_help = "Example:\n  mastwire-controller customer restore alice")]
    Restore(Who),
    /// Lists by which logins, devices and telephones a customer is and was recognised
    #[command(after_help = "Example:\n  mastwire-controller customer history alice")]
    History {
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Says whose a login, a device or a telephone is and was
    #[command(after_help = "Examples:\n  \
        mastwire-controller customer whose --mac AA:BB:CC:DD:EE:FF\n  \
        mastwire-controller customer whose --phone 0712345678 --at 2026-01-15T12:00:00Z")]
    Whose(Whose),
    /// Shows a customer's password; the audit log says who saw it
    #[command(after_help = "Example:\n  mastwire-controller customer password alice")]
    Password(Who),
    /// Gives a customer a new password
    #[command(after_help = "Example:\n  mastwire-controller customer reset-password alice")]
    ResetPassword {
        #[command(flatten)]
        who: Who,
        /// Ask for the password, or read it as one line when piped, instead of making one
        #[arg(long)]
        ask: bool,
    },
    /// Adds customers from a CSV file, all or none
    ///
    /// The first line names the columns: login, router and package, and if you like password, full_name, phone, email, language, kind, site,
    /// address, mac, latitude, longitude, notes and status. Routers and packages stand there by name, a site by the way to it; who is there
    /// already stays as they are.
    #[command(after_help = "Example:\n  mastwire-controller customer import customers.csv --dry-run")]
    Import {
        /// The file
        file: PathBuf,
        /// Only say what would happen
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        key: Key,
    },
    /// Lists the files that were taken in or refused
    #[command(after_help = "Example:\n  mastwire-controller customer imports")]
    Imports(PageArgs),
    /// Writes all customers who have not left into a CSV file that can be imported again; passwords are not in it
    #[command(after_help = "Example:\n  mastwire-controller customer export customers.csv")]
    Export {
        /// The file to write
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(super) struct Who {
    /// The customer's login or id
    customer: String,
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// The name used to dial or log in
    login: String,
    /// The router that serves the customer
    #[arg(long)]
    router: String,
    /// The package; it decides how the customer connects
    #[arg(long)]
    package: String,
    /// The name for people
    #[arg(long, default_value_t)]
    name: String,
    /// A phone number
    #[arg(long, default_value_t)]
    phone: String,
    #[command(flatten)]
    more: More,
    /// An address of the customer's own; a static customer must have one
    #[arg(long)]
    address: Option<Ipv4Addr>,
    /// The only device that may connect; a static customer's is given the address where the router has a DHCP service for it
    #[arg(long)]
    mac: Option<String>,
    /// Ask for the password, or read it as one line when piped, instead of making one
    #[arg(long)]
    ask: bool,
    #[command(flatten)]
    key: Key,
}

/// What else may be known of a customer.
#[derive(Debug, Args)]
pub(super) struct More {
    /// An e-mail address
    #[arg(long)]
    email: Option<String>,
    /// The language to write in, such as sw or en-KE
    #[arg(long)]
    language: Option<String>,
    /// What is good to know
    #[arg(long)]
    notes: Option<String>,
    /// The house, flat or shop: its way from the top, as Town/House/Flat, or its id
    #[arg(long)]
    site: Option<String>,
    /// Where the customer lives, in degrees
    #[arg(long, value_name = "LATITUDE,LONGITUDE", value_parser = degrees, allow_hyphen_values = true)]
    location: Option<(f64, f64)>,
}

impl More {
    /// Writes what was given into a body.
    async fn write(self, client: &Client, body: &mut Map<String, Value>) -> anyhow::Result<()> {
        let site = match self.site {
            Some(way) => Some(site_id(client, &way).await?),
            None => None,
        };
        for (field, value) in [("email", self.email), ("language", self.language), ("notes", self.notes), ("site", site)] {
            body.extend(value.map(|value| (field.to_owned(), Value::String(value))));
        }
        let location = self.location.map(|(latitude, longitude)| json!({ "latitude": latitude, "longitude": longitude }));
        body.extend(location.map(|location| ("location".to_owned(), location)));
        Ok(())
    }
}

fn degrees(text: &str) -> Result<(f64, f64), String> {
    let parsed = text.split_once(',').and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().parse().ok()?)));
    parsed.ok_or_else(|| "write latitude and longitude, such as -1.2921,36.8219".to_owned())
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("thing").required(true).args(["login", "mac", "phone"])))]
pub(super) struct Whose {
    /// A login
    #[arg(long)]
    login: Option<String>,
    /// A device
    #[arg(long)]
    mac: Option<String>,
    /// A telephone
    #[arg(long)]
    phone: Option<String>,
    /// At which time; ever, when left out
    #[arg(long, value_name = "TIME", value_parser = moment)]
    at: Option<Timestamp>,
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    page: PageArgs,
    /// Only those of one router
    #[arg(long)]
    router: Option<String>,
    /// Only those who connect so
    #[arg(long, value_parser = ["pppoe", "hotspot", "static"])]
    kind: Option<String>,
    /// Only those with whom the ISP wants this
    #[arg(long, value_parser = ["active", "suspended", "terminated"])]
    status: Option<String>,
    /// Only those at one site: its way from the top, or its id
    #[arg(long)]
    site: Option<String>,
    /// Only those whose login begins so
    #[arg(long)]
    login: Option<String>,
    /// Only those whose name, or its last word, begins so; capitals and accents do not matter
    #[arg(long)]
    name: Option<String>,
    /// Only those whose phone number begins so
    #[arg(long)]
    phone: Option<String>,
    /// Only the one with this account number
    #[arg(long)]
    account: Option<String>,
    /// Only those with this device
    #[arg(long)]
    mac: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Change {
    #[command(flatten)]
    who: Who,
    /// The router that serves the customer
    #[arg(long)]
    router: Option<String>,
    /// The package, of the same kind
    #[arg(long)]
    package: Option<String>,
    /// The name used to dial or log in; the old one is good no more
    #[arg(long)]
    login: Option<String>,
    /// The name for people
    #[arg(long)]
    name: Option<String>,
    /// A phone number
    #[arg(long)]
    phone: Option<String>,
    #[command(flatten)]
    more: More,
    /// The version that you saw: if somebody has changed the customer since, nothing is done
    #[arg(long = "if-version", value_name = "N")]
    version: Option<i64>,
    /// An address of the customer's own
    #[arg(long, conflicts_with = "no_address")]
    address: Option<Ipv4Addr>,
    /// Take the address away
    #[arg(long)]
    no_address: bool,
    /// The only device that may connect
    #[arg(long, conflicts_with = "no_mac")]
    mac: Option<String>,
    /// Let any device connect
    #[arg(long)]
    no_mac: bool,
}

impl Customers {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::Add(new) => new.run(client).await,
            Self::List(list) => list.run(client).await,
            Self::Show(who) => who.show(client).await,
            Self::Change(change) => change.run(client).await,
            Self::Move { who, router, address, no_address } => {
                let id = client.id_of(&CUSTOMER, &who.customer).await?;
                let mut body = json!({ "router": client.id_of(&ROUTER, &router).await? });
                if address.is_some() || no_address {
                    body["address"] = json!(address);
                }
                let sentence = format!("`{}` is served by `{router}` from now on", who.customer);
                client.done(Call::post(["customers", &id, "move"]).json(&body), &sentence).await
            }
            Self::Suspend(who) => who.post(client, "suspend", "is suspended").await,
            Self::Resume(who) => who.post(client, "resume", "is served again").await,
            Self::Terminate(who) => who.post(client, "terminate", "was let go").await,
            Self::Restore(who) => who.restore(client).await,
            Self::History { who, page } => who.history(client, &page).await,
            Self::Whose(whose) => whose.run(client).await,
            Self::Password(who) => {
                let id = client.id_of(&CUSTOMER, &who.customer).await?;
                let answer = client.send(Call::get(["customers", &id, "password"])).await?;
                Ok(client.show(&answer, |value| one_line(&text(value, "password"))))
            }
            Self::ResetPassword { who, ask } => {
                let id = client.id_of(&CUSTOMER, &who.customer).await?;
                let password = if ask { Some(password::ask_new()?) } else { None };
                let body = json!({ "password": password.as_ref().map(|password| password.expose()) });
                let answer = client.send(Call::post(["customers", &id, "password"]).json(&body)).await?;
                Ok(client.show(&answer, |value| one_line(&text(value, "password"))))
            }
            Self::Import { file, dry_run, key } => import(client, &file, dry_run, key).await,
            Self::Imports(page) => imports(client, &page).await,
            Self::Export { file } => {
                let bytes = client.save(Call::get(["customers", "export"]), &file).await?;
                Ok(format!("{bytes} bytes were written to {}", file.display()))
            }
        }
    }
}

impl Who {
    async fn show(self, client: &Client) -> anyhow::Result<String> {
        let id = client.id_of(&CUSTOMER, &self.customer).await?;
        let answer = client.send(Call::get(["customers", &id])).await?;
        let answer = client.named(answer, &[("router", &ROUTER), ("package", &PACKAGE)]).await;
        Ok(client.show(&answer, |value| {
            fields(&[
                ("login", text(value, "login")),
                ("name", text(value, "full_name")),
                ("account number", text(value, "account_number")),
                ("phone", text(value, "phone")),
                ("e-mail", text(value, "email")),
                ("language", text(value, "language")),
                ("notes", text(value, "notes")),
                ("kind", text(value, "kind")),
                ("router", text(value, "router")),
                ("package", text(value, "package")),
                ("address", text(value, "address")),
                ("device", text(value, "mac")),
                ("status", text(value, "status")),
                ("paid until", time(value, "paid_until")),
                ("seen online", time(&value["observed"], "online_at")),
                ("since", time(value, "created_at")),
                ("left", time(value, "terminated_at")),
                ("version", text(value, "version")),
                ("id", text(value, "id")),
            ])
        }))
    }

    /// A login may be somebody else's by now: the one who left last with it is meant.
    async fn restore(self, client: &Client) -> anyhow::Result<String> {
        let id = match self.customer.parse::<CustomerId>() {
            Ok(id) => id.to_string(),
            Err(_) => {
                let gone = Call::get(CUSTOMER.list).query("login", Some(self.customer.clone()));
                let gone = client.send(gone.query("status", Some("terminated".to_owned()))).await?.value;
                let mut named: Vec<&Value> = items(&gone).iter().filter(|item| item["login"] == self.customer.as_str()).collect();
                named.sort_by_key(|item| text(item, "terminated_at"));
                let last = named.last().with_context(|| format!("nobody named `{}` has left", one_line(&self.customer)))?;
                text(last, "id")
            }
        };
        client.done(Call::post(["customers", &id, "restore"]), &format!("`{}` is back", self.customer)).await
    }

    async fn history(self, client: &Client, page: &PageArgs) -> anyhow::Result<String> {
        let id = client.id_of(&CUSTOMER, &self.customer).await?;
        let answer = client.send(page.of(Call::get(["customers", &id, "credentials"]))).await?;
        Ok(client.show(&answer, |value| {
            let current = value["current"].as_array().map_or(&[][..], Vec::as_slice);
            let all: Vec<Value> = current.iter().chain(items(value)).cloned().collect();
            table(&credential_columns(), &all)
        }))
    }

    async fn post(self, client: &Client, step: &str, outcome: &str) -> anyhow::Result<String> {
        let id = client.id_of(&CUSTOMER, &self.customer).await?;
        client.done(Call::post(["customers", &id, step]), &format!("`{}` {outcome}", self.customer)).await
    }
}

impl Add {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let router = client.id_of(&ROUTER, &self.router).await?;
        let package = client.id_of(&PACKAGE, &self.package).await?;
        let password = if self.ask { Some(password::ask_new()?) } else { None };
        let mut body = json!({
            "login": self.login, "password": password.as_ref().map(|password| password.expose()), "full_name": self.name,
            "phone": self.phone, "router": router, "package": package, "address": self.address, "mac": self.mac,
        });
        self.more.write(client, body.as_object_mut().expect("it was made as one")).await?;
        let answer = self.key.send(client, Call::post(CUSTOMER.list).json(&body)).await?;
        Ok(client.show(&answer, |value| {
            fields(&[("login", self.login), ("password", text(value, "password")), ("id", text(value, "id"))])
        }))
    }
}

fn credential_columns() -> [Column; 6] {
    let made_up = |item: &Value| if item["made_up"] == true { "made up by the device".to_owned() } else { String::new() };
    [
        words("WHOSE", |item| text(item, "login")),
        words("KIND", |item| text(item, "kind")),
        words("VALUE", |item| text(item, "value")),
        words("SINCE", |item| time(item, "since")),
        words("UNTIL", |item| time(item, "until")),
        words("NOTE", made_up),
    ]
}

impl Whose {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let call = Call::get(["credentials"]).query("login", self.login).query("mac", self.mac).query("phone", self.phone);
        let answer = client.send(call.query("at", self.at.map(|at| at.to_string()))).await?;
        Ok(client.show(&answer, |value| table(&credential_columns(), items(value))))
    }
}

impl List {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let router = client.id_of_some(&ROUTER, self.router.as_deref()).await?;
        let columns = [
            words("LOGIN", |item| text(item, "login")),
            words("NAME", |item| text(item, "full_name")),
            words("PHONE", |item| text(item, "phone")),
            words("ROUTER", |item| text(item, "router")),
            words("PACKAGE", |item| text(item, "package")),
            words("STATUS", |item| text(item, "status")),
            words("PAID UNTIL", |item| time(item, "paid_until")),
            words("ADDRESS", |item| text(item, "address")),
            words("ID", |item| text(item, "id")),
        ];
        let site = match self.site {
            Some(way) => Some(site_id(client, &way).await?),
            None => None,
        };
        let mut call = Call::get(CUSTOMER.list).query("router", router).query("site", site).query("kind", self.kind);
        call = call.query("status", self.status).query("login", self.login).query("name", self.name);
        call = call.query("phone", self.phone).query("account_number", self.account).query("mac", self.mac);
        client.list(call, &self.page, &columns, &[("router", &ROUTER), ("package", &PACKAGE)]).await
    }
}

impl Change {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let id = client.id_of(&CUSTOMER, &self.who.customer).await?;
        let router = client.id_of_some(&ROUTER, self.router.as_deref()).await?;
        let package = client.id_of_some(&PACKAGE, self.package.as_deref()).await?;
        // What is left out stays, and null takes away: a field is only there when it is meant.
        let mut body = Map::new();
        let mut set = |name: &str, value: Option<String>, take_away: bool| match (value, take_away) {
            (Some(value), _) => drop(body.insert(name.to_owned(), Value::String(value))),
            (None, true) => drop(body.insert(name.to_owned(), Value::Null)),
            (None, false) => {}
        };
        set("login", self.login, false);
        set("router", router, false);
        set("package", package, false);
        set("full_name", self.name, false);
        set("phone", self.phone, false);
        set("address", self.address.map(|address| address.to_string()), self.no_address);
        set("mac", self.mac, self.no_mac);
        self.more.write(client, &mut body).await?;
        body.extend(self.version.map(|version| ("version".to_owned(), json!(version))));
        let sentence = format!("`{}` is changed", self.who.customer);
        client.done(Call::patch(["customers", &id]).json(&Value::Object(body)), &sentence).await
    }
}

async fn import(client: &Client, file: &Path, dry_run: bool, key: Key) -> anyhow::Result<String> {
    let csv = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let call = Call::post(["customers", "import"]).query("dry_run", Some(dry_run.to_string())).csv(csv);
    let answer = key.send(client, call).await?;
    Ok(client.show(&answer, |value| {
        let columns = [
            words("LINE", |fault| text(fault, "line")),
            words("COLUMN", |fault| text(fault, "field")),
            words("WHAT IS WRONG", |fault| text(fault, "message")),
        ];
        let written = if value["dry_run"] == true { "nothing was written yet" } else { "all new ones were written" };
        let count = |field: &str| text(value, field);
        let mut sum = format!("new {}, there already {}, wrong {}: {written}", count("new"), count("exists"), count("errors"));
        if value["before"].is_object() {
            sum += &format!(
                "\nThis very file was taken in before, at {} by {}",
                time(&value["before"], "at"),
                text(&value["before"], "actor")
            );
        }
        if items(value).is_empty() { sum } else { table(&columns, items(value)) + &sum }
    }))
}

async fn imports(client: &Client, page: &PageArgs) -> anyhow::Result<String> {
    let columns = [
        words("WHEN", |item| time(item, "at")),
        words("WHO", |item| text(item, "actor")),
        words("OUTCOME", |item| text(item, "outcome")),
        numbers("ROWS", |item| text(item, "rows")),
        numbers("NEW", |item| text(item, "new")),
        numbers("THERE", |item| text(item, "exists")),
        numbers("WRONG", |item| text(item, "errors")),
        words("FILE", |item| text(item, "file_sha256").chars().take(12).collect()),
        words("ID", |item| text(item, "id")),
    ];
    client.list(Call::get(["customers", "imports"]), page, &columns, &[]).await
}
