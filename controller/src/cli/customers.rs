//! Who an ISP serves.

use super::client::{Call, Client, Noun, PageArgs, items};
use super::packages::PACKAGE;
use super::password;
use super::routers::ROUTER;
use super::table::{fields, one_line, table, words};
use super::units::{text, time};
use anyhow::Context as _;
use clap::{Args, Subcommand};
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
    /// Lists the customers, those who have left too
    #[command(after_help = "Example:\n  mastwire-controller customer list --router mast-1 --login al")]
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
    /// The first line names the columns: login, router and package, and if you like password, full_name, phone, kind, address and mac.
    /// Routers and packages stand there by name; who is there already stays as they are.
    #[command(after_help = "Example:\n  mastwire-controller customer import customers.csv --dry-run")]
    Import {
        /// The file
        file: PathBuf,
        /// Only say what would happen
        #[arg(long)]
        dry_run: bool,
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
    /// An address of the customer's own; a static customer must have one
    #[arg(long)]
    address: Option<Ipv4Addr>,
    /// The only device that may connect
    #[arg(long)]
    mac: Option<String>,
    /// Ask for the password, or read it as one line when piped, instead of making one
    #[arg(long)]
    ask: bool,
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
    /// Only those whose login begins so
    #[arg(long)]
    login: Option<String>,
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
    /// The name for people
    #[arg(long)]
    name: Option<String>,
    /// A phone number
    #[arg(long)]
    phone: Option<String>,
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
            Self::Import { file, dry_run } => import(client, &file, dry_run).await,
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
                ("phone", text(value, "phone")),
                ("kind", text(value, "kind")),
                ("router", text(value, "router")),
                ("package", text(value, "package")),
                ("address", text(value, "address")),
                ("device", text(value, "mac")),
                ("status", text(value, "status")),
                ("paid until", time(value, "paid_until")),
                ("since", time(value, "created_at")),
                ("id", text(value, "id")),
            ])
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
        let body = json!({
            "login": self.login, "password": password.as_ref().map(|password| password.expose()), "full_name": self.name,
            "phone": self.phone, "router": router, "package": package, "address": self.address, "mac": self.mac,
        });
        let answer = client.send(Call::post(CUSTOMER.list).json(&body)).await?;
        Ok(client.show(&answer, |value| {
            fields(&[("login", self.login), ("password", text(value, "password")), ("id", text(value, "id"))])
        }))
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
        let call = Call::get(CUSTOMER.list).query("router", router).query("kind", self.kind).query("login", self.login);
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
        set("router", router, false);
        set("package", package, false);
        set("full_name", self.name, false);
        set("phone", self.phone, false);
        set("address", self.address.map(|address| address.to_string()), self.no_address);
        set("mac", self.mac, self.no_mac);
        let sentence = format!("`{}` is changed", self.who.customer);
        client.done(Call::patch(["customers", &id]).json(&Value::Object(body)), &sentence).await
    }
}

async fn import(client: &Client, file: &Path, dry_run: bool) -> anyhow::Result<String> {
    let csv = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let answer = client.send(Call::post(["customers", "import"]).query("dry_run", Some(dry_run.to_string())).csv(csv)).await?;
    Ok(client.show(&answer, |value| {
        let columns = [
            words("LINE", |row| text(row, "line")),
            words("LOGIN", |row| text(row, "login")),
            words("OUTCOME", |row| text(row, "outcome")),
            words("MESSAGE", |row| text(row, "message")),
        ];
        let written = if value["dry_run"] == true { "nothing was written yet" } else { "all new ones were written" };
        let count = |field: &str| text(value, field);
        let sum = format!("new {}, there already {}, wrong {}: {written}", count("new"), count("exists"), count("errors"));
        table(&columns, items(value)) + &sum
    }))
}
