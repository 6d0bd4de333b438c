//! Places, and the devices at them.

use super::client::{Call, Client, Noun, PageArgs, items};
use super::customers::CUSTOMER;
use super::password;
use super::routers::ROUTER;
use super::table::{fields, one_line, words};
use super::units::{text, time};
use anyhow::bail;
use clap::{Args, Subcommand};
use model::{DeviceId, SiteId};
use serde_json::{Map, Value, json};
use std::net::IpAddr;
use std::path::PathBuf;

pub(super) const SITE: Noun = Noun { prefix: "sit", word: "site", list: &["sites"], name: "name", search: None };
pub(super) const DEVICE: Noun = Noun { prefix: "dev", word: "device", list: &["devices"], name: "name", search: None };
/// Pages of a place's parts that are looked through for a name.
const FIND_PAGES_MAX: usize = 50;

/// Finds a site by its id, or by its way from the top, such as `Kilimani/Rose Court/B12`.
pub(super) async fn site_id(client: &Client, way: &str) -> anyhow::Result<String> {
    if way.parse::<SiteId>().is_ok() {
        return Ok(way.to_owned());
    }
    let mut found: Option<String> = None;
    for name in way.split('/') {
        found = Some(part_of(client, found.as_deref(), name.trim()).await?);
    }
    Ok(found.expect("a text has at least one part"))
}

async fn part_of(client: &Client, parent: Option<&str>, name: &str) -> anyhow::Result<String> {
    let mut cursor = None;
    for _ in 0..FIND_PAGES_MAX {
        let top = parent.is_none().then(|| "true".to_owned());
        let call = Call::get(SITE.list).query("parent", parent.map(str::to_owned)).query("top", top);
        let page = client.send(call.query("limit", Some("200".to_owned())).query("cursor", cursor)).await?.value;
        if let Some(id) = items(&page).iter().find(|item| item["name"] == name).and_then(|item| item["id"].as_str()) {
            return Ok(id.to_owned());
        }
        cursor = page["next"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    let place = if parent.is_some() { "there" } else { "at the top" };
    bail!("no site named `{}` stands {place}: write its way from the top, as Town/House/Flat, or its id", one_line(name))
}

async fn some_site(client: &Client, way: Option<&str>) -> anyhow::Result<Option<String>> {
    match way {
        Some(way) => site_id(client, way).await.map(Some),
        None => Ok(None),
    }
}

/// Collects the fields of a change: what is left out stays, and null takes away.
#[derive(Default)]
struct Changes(Map<String, Value>);

impl Changes {
    fn set(&mut self, name: &str, value: Option<String>, take_away: bool) {
        match (value, take_away) {
            (Some(value), _) => drop(self.0.insert(name.to_owned(), Value::String(value))),
            (None, true) => drop(self.0.insert(name.to_owned(), Value::Null)),
            (None, false) => {}
        }
    }

    fn body(self) -> Value {
        Value::Object(self.0)
    }
}

/// Places: areas, masts, buildings, flats
///
/// A site is named by its way from the top, such as `Kilimani/Rose Court/B12`, or by its id.
#[derive(Debug, Subcommand)]
pub(super) enum Sites {
    /// Makes a site
    #[command(after_help = "Examples:\n  \
        mastwire-controller site add Kilimani --kind area\n  \
        mastwire-controller site add B12 --kind unit --in \"Kilimani/Rose Court\" --position=-1.2921,36.8219")]
    Add(AddSite),
    /// Lists the sites
    #[command(after_help = "Examples:\n  mastwire-controller site list --top\n  mastwire-controller site list --in Kilimani")]
    List {
        #[command(flatten)]
        page: PageArgs,
        /// Only the parts of this site
        #[arg(long = "in", value_name = "SITE", conflicts_with = "top")]
        within: Option<String>,
        /// Only those at the top
        #[arg(long)]
        top: bool,
    },
    /// Shows a site: the way to it, and what stands there
    #[command(after_help = "Example:\n  mastwire-controller site show \"Kilimani/Rose Court\"")]
    Show(WhichSite),
    /// Changes what a site is called and what is known of it
    #[command(after_help = "Example:\n  mastwire-controller site change Kilimani --name \"Kilimani West\"")]
    Change(ChangeSite),
    /// Moves a site with all that stands in it
    #[command(after_help = "Example:\n  mastwire-controller site move \"Kilimani/Rose Court\" --to Lavington")]
    Move {
        #[command(flatten)]
        which: WhichSite,
        /// The site it shall stand in; the top when left out
        #[arg(long, value_name = "SITE")]
        to: Option<String>,
    },
    /// Removes a site at which nothing stands
    #[command(after_help = "Example:\n  mastwire-controller site remove \"Kilimani/Rose Court/B12\"")]
    Remove(WhichSite),
}

#[derive(Debug, Args)]
pub(super) struct WhichSite {
    /// The site's way from the top, or its id
    site: String,
}

#[derive(Debug, Args)]
pub(super) struct AddSite {
    /// Its name or door label
    name: String,
    /// What it is
    #[arg(long, value_parser = ["area", "tower", "building", "floor", "unit", "shop", "other"])]
    kind: String,
    /// The site it stands in
    #[arg(long = "in", value_name = "SITE")]
    within: Option<String>,
    /// Where the post brings letters
    #[arg(long, default_value_t)]
    address: String,
    /// Where it is, in degrees
    #[arg(long, value_name = "LATITUDE,LONGITUDE", value_parser = position)]
    position: Option<Point>,
    /// Notes
    #[arg(long, default_value_t)]
    notes: String,
}

#[derive(Debug, Args)]
pub(super) struct ChangeSite {
    #[command(flatten)]
    which: WhichSite,
    /// What it is called from now on
    #[arg(long)]
    name: Option<String>,
    /// What it is
    #[arg(long, value_parser = ["area", "tower", "building", "floor", "unit", "shop", "other"])]
    kind: Option<String>,
    /// Where the post brings letters
    #[arg(long)]
    address: Option<String>,
    /// Where it is, in degrees
    #[arg(long, value_name = "LATITUDE,LONGITUDE", value_parser = position)]
    position: Option<Point>,
    /// Notes
    #[arg(long)]
    notes: Option<String>,
}

/// Latitude and longitude.
#[derive(Debug, Clone, Copy)]
struct Point(f64, f64);

fn position(text: &str) -> Result<Point, &'static str> {
    let degrees = |text: &str| text.trim().parse::<f64>().map_err(|_| "write it as -1.2921,36.8219");
    let (latitude, longitude) = text.split_once(',').ok_or("write it as -1.2921,36.8219")?;
    Ok(Point(degrees(latitude)?, degrees(longitude)?))
}

fn position_json(point: Option<Point>) -> Value {
    point.map_or(Value::Null, |Point(latitude, longitude)| json!({ "latitude": latitude, "longitude": longitude }))
}

fn position_text(item: &Value) -> String {
    let position = &item["position"];
    if position.is_object() { format!("{}, {}", position["latitude"], position["longitude"]) } else { String::new() }
}

impl Sites {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::Add(new) => {
                let parent = some_site(client, new.within.as_deref()).await?;
                let body = json!({
                    "parent": parent, "kind": new.kind, "name": new.name, "address": new.address,
                    "position": position_json(new.position), "notes": new.notes,
                });
                let answer = client.send(Call::post(SITE.list).json(&body)).await?;
                Ok(client.show(&answer, |value| format!("`{}` is made: {}", one_line(&new.name), text(value, "id"))))
            }
            Self::List { page, within, top } => {
                let columns = [
                    words("NAME", |item| text(item, "name")),
                    words("KIND", |item| text(item, "kind")),
                    words("ADDRESS", |item| text(item, "address")),
                    words("POSITION", position_text),
                    words("ID", |item| text(item, "id")),
                ];
                let parent = some_site(client, within.as_deref()).await?;
                let call = Call::get(SITE.list).query("parent", parent).query("top", top.then(|| "true".to_owned()));
                client.list(call, &page, &columns, &[]).await
            }
            Self::Show(which) => {
                let id = site_id(client, &which.site).await?;
                let answer = client.send(Call::get(["sites", &id])).await?;
                Ok(client.show(&answer, site))
            }
            Self::Change(change) => change.run(client).await,
            Self::Move { which, to } => {
                let id = site_id(client, &which.site).await?;
                let parent = some_site(client, to.as_deref()).await?;
                let call = Call::post(["sites", &id, "move"]).json(&json!({ "parent": parent }));
                let answer = client.send(call).await?;
                Ok(client.show(&answer, |value| format!("`{}` is moved", text(value, "name"))))
            }
            Self::Remove(which) => {
                let id = site_id(client, &which.site).await?;
                client.done(Call::delete(["sites", &id]), &format!("`{}` is removed", which.site)).await
            }
        }
    }
}

fn site(item: &Value) -> String {
    let names = |list: &Value| {
        let names: Vec<String> = list.as_array().into_iter().flatten().map(|step| text(step, "name")).collect();
        names
    };
    let here = &item["here"];
    fields(&[
        ("name", text(item, "name")),
        ("kind", text(item, "kind")),
        ("in", names(&item["path"]).join("/")),
        ("address", text(item, "address")),
        ("position", position_text(item)),
        ("notes", text(item, "notes")),
        ("sites within", text(here, "parts")),
        ("routers", names(&item["routers"]).join(", ")),
        ("devices", text(here, "devices")),
        ("customers", text(here, "customers")),
        ("made", time(item, "created_at")),
        ("id", text(item, "id")),
    ])
}

impl ChangeSite {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let id = site_id(client, &self.which.site).await?;
        let mut changes = Changes::default();
        changes.set("name", self.name, false);
        changes.set("kind", self.kind, false);
        changes.set("address", self.address, false);
        changes.set("notes", self.notes, false);
        let mut body = changes.body();
        if self.position.is_some() {
            body["position"] = position_json(self.position);
        }
        client.done(Call::patch(["sites", &id]).json(&body), &format!("`{}` is changed", self.which.site)).await
    }
}

/// What stands behind and beside routers
#[derive(Debug, Subcommand)]
pub(super) enum Devices {
    /// Notes a device
    #[command(after_help = "Examples:\n  \
        mastwire-controller device add north --kind sector --router mast-1 --site Ridge --mac AA:BB:CC:00:11:22 --address 10.9.0.2\n  \
        mastwire-controller device add roof-12 --kind station --parent north --customer alice --user ubnt")]
    Add(Box<DeviceArgs>),
    /// Lists the devices
    #[command(after_help = "Example:\n  mastwire-controller device list --router mast-1")]
    List(ListDevices),
    /// Shows a device
    #[command(after_help = "Example:\n  mastwire-controller device show north")]
    Show(WhichDevice),
    /// Changes what is known of a device; `-` takes a thing away
    #[command(after_help = "Example:\n  mastwire-controller device change north --site Ridge --customer -")]
    Change(Box<DeviceArgs>),
    /// Shows how one logs in to a device; the audit log says who saw it
    #[command(after_help = "Example:\n  mastwire-controller device credentials north")]
    Credentials(WhichDevice),
    /// Removes a device on which no other hangs
    #[command(after_help = "Example:\n  mastwire-controller device remove roof-12")]
    Remove(WhichDevice),
    /// Writes all devices to a CSV file, without credentials
    #[command(after_help = "Example:\n  mastwire-controller device export devices.csv")]
    Export {
        /// The file
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(super) struct WhichDevice {
    /// The device's name or id
    device: String,
}

#[derive(Debug, Args)]
pub(super) struct DeviceArgs {
    /// The device's name, or its id if it is to be changed
    device: String,
    /// What it is called from now on
    #[arg(long)]
    name: Option<String>,
    /// What it is
    #[arg(long, value_parser = ["access_point", "sector", "station", "cpe", "switch", "other"])]
    kind: Option<String>,
    /// The device it hangs on
    #[arg(long)]
    parent: Option<String>,
    /// Where it stands
    #[arg(long)]
    site: Option<String>,
    /// The router it is behind
    #[arg(long)]
    router: Option<String>,
    /// The customer whose it is
    #[arg(long)]
    customer: Option<String>,
    /// Its MAC address
    #[arg(long)]
    mac: Option<String>,
    /// Its IP address
    #[arg(long)]
    address: Option<String>,
    /// Its serial number
    #[arg(long)]
    serial: Option<String>,
    /// Its model
    #[arg(long)]
    model: Option<String>,
    /// Notes
    #[arg(long)]
    notes: Option<String>,
    /// Whether its router should watch over it
    #[arg(long, value_name = "YES", action = clap::ArgAction::Set)]
    watched: Option<bool>,
    /// The user's name on it; the password is asked for, or read as one line when piped
    #[arg(long)]
    user: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ListDevices {
    #[command(flatten)]
    page: PageArgs,
    /// Only those that hang on this device
    #[arg(long, group = "among")]
    parent: Option<String>,
    /// Only those at this site
    #[arg(long, group = "among")]
    site: Option<String>,
    /// Only those behind this router
    #[arg(long, group = "among")]
    router: Option<String>,
    /// Only those of this customer
    #[arg(long, group = "among")]
    customer: Option<String>,
}

impl WhichDevice {
    async fn id(&self, client: &Client) -> anyhow::Result<String> {
        device_id(client, &self.device).await
    }
}

async fn device_id(client: &Client, name: &str) -> anyhow::Result<String> {
    if name.parse::<DeviceId>().is_ok() { Ok(name.to_owned()) } else { client.id_of(&DEVICE, name).await }
}

impl DeviceArgs {
    /// Makes the body of a request; a dash takes a thing away.
    async fn body(&self, client: &Client) -> anyhow::Result<Value> {
        let mut changes = Changes::default();
        let dash = |value: &Option<String>| value.as_deref() == Some("-");
        let parent = match self.parent.as_deref().filter(|name| *name != "-") {
            Some(name) => Some(device_id(client, name).await?),
            None => None,
        };
        let site = some_site(client, self.site.as_deref().filter(|way| *way != "-")).await?;
        let router = client.id_of_some(&ROUTER, self.router.as_deref().filter(|name| *name != "-")).await?;
        let customer = client.id_of_some(&CUSTOMER, self.customer.as_deref().filter(|name| *name != "-")).await?;
        changes.set("parent", parent, dash(&self.parent));
        changes.set("site", site, dash(&self.site));
        changes.set("router", router, dash(&self.router));
        changes.set("customer", customer, dash(&self.customer));
        changes.set("mac", self.mac.clone().filter(|mac| mac != "-"), dash(&self.mac));
        let address = match self.address.as_deref().filter(|address| *address != "-") {
            Some(address) => Some(address.parse::<IpAddr>()?.to_string()),
            None => None,
        };
        changes.set("address", address, dash(&self.address));
        changes.set("kind", self.kind.clone(), false);
        changes.set("serial", self.serial.clone(), false);
        changes.set("model", self.model.clone(), false);
        changes.set("notes", self.notes.clone(), false);
        let mut body = changes.body();
        if let Some(watched) = self.watched {
            body["watched"] = json!(watched);
        }
        if let Some(user) = self.user.as_deref() {
            body["credentials"] = match user {
                "-" => Value::Null,
                user => json!({ "user": user, "password": password::ask_new()?.expose() }),
            };
        }
        Ok(body)
    }
}

impl Devices {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::Add(new) => {
                let mut body = new.body(client).await?;
                body["name"] = json!(new.name.as_deref().unwrap_or(&new.device));
                if new.kind.is_none() {
                    bail!("say what it is: --kind access_point, sector, station, cpe, switch or other");
                }
                let answer = client.send(Call::post(DEVICE.list).json(&body)).await?;
                Ok(client.show(&answer, |value| format!("`{}` is noted: {}", one_line(&new.device), text(value, "id"))))
            }
            Self::List(list) => list.run(client).await,
            Self::Show(which) => {
                let id = which.id(client).await?;
                let answer = client.send(Call::get(["devices", &id])).await?;
                let named = [("parent", &DEVICE), ("site", &SITE), ("router", &ROUTER), ("customer", &CUSTOMER)];
                let answer = client.named(answer, &named).await;
                Ok(client.show(&answer, device))
            }
            Self::Change(change) => {
                let id = device_id(client, &change.device).await?;
                let mut body = change.body(client).await?;
                if let Some(name) = &change.name {
                    body["name"] = json!(name);
                }
                client.done(Call::patch(["devices", &id]).json(&body), &format!("`{}` is changed", change.device)).await
            }
            Self::Credentials(which) => {
                let id = which.id(client).await?;
                let answer = client.send(Call::get(["devices", &id, "credentials"])).await?;
                Ok(client.show(&answer, |value| fields(&[("user", text(value, "user")), ("password", text(value, "password"))])))
            }
            Self::Remove(which) => {
                let id = which.id(client).await?;
                client.done(Call::delete(["devices", &id]), &format!("`{}` is removed", which.device)).await
            }
            Self::Export { file } => {
                let bytes = client.save(Call::get(["devices", "export"]), &file).await?;
                Ok(format!("{} has {bytes} bytes\n", file.display()))
            }
        }
    }
}

fn device(item: &Value) -> String {
    fields(&[
        ("name", text(item, "name")),
        ("kind", text(item, "kind")),
        ("hangs on", text(item, "parent")),
        ("site", text(item, "site")),
        ("router", text(item, "router")),
        ("customer", text(item, "customer")),
        ("MAC", text(item, "mac")),
        ("address", text(item, "address")),
        ("serial", text(item, "serial")),
        ("model", text(item, "model")),
        ("watched", text(item, "watched")),
        ("login known", text(item, "has_credentials")),
        ("notes", text(item, "notes")),
        ("noted", time(item, "created_at")),
        ("id", text(item, "id")),
    ])
}

impl ListDevices {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let columns = [
            words("NAME", |item| text(item, "name")),
            words("KIND", |item| text(item, "kind")),
            words("SITE", |item| text(item, "site")),
            words("ROUTER", |item| text(item, "router")),
            words("CUSTOMER", |item| text(item, "customer")),
            words("MAC", |item| text(item, "mac")),
            words("ADDRESS", |item| text(item, "address")),
            words("MODEL", |item| text(item, "model")),
            words("ID", |item| text(item, "id")),
        ];
        let parent = match &self.parent {
            Some(name) => Some(device_id(client, name).await?),
            None => None,
        };
        let call = Call::get(DEVICE.list)
            .query("parent", parent)
            .query("site", some_site(client, self.site.as_deref()).await?)
            .query("router", client.id_of_some(&ROUTER, self.router.as_deref()).await?)
            .query("customer", client.id_of_some(&CUSTOMER, self.customer.as_deref()).await?);
        client.list(call, &self.page, &columns, &[("site", &SITE), ("router", &ROUTER), ("customer", &CUSTOMER)]).await
    }
}
