//! MikroTik boxes: how they join, what they offer, and how they are doing.

use super::client::{Answer, Call, Client, Noun, PageArgs, items};
use super::configurations::Configurations;
use super::first_contact::Enrol;
use super::sites::site_id;
use super::table::{fields, numbers, one_line, several_lines, table, typed, words};
use super::tenants::TENANT;
use super::units::{span, text, time};
use clap::{ArgGroup, Args, Subcommand};
use ipnetwork::Ipv4Network;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::str::FromStr;

pub(super) const ROUTER: Noun = Noun { prefix: "rtr", word: "router", list: &["routers"], name: "name", search: None };

/// MikroTik boxes
#[derive(Debug, Subcommand)]
pub(super) enum Routers {
    /// Adds a router and prints what to paste into its terminal
    #[command(after_help = "Examples:\n  \
        mastwire-controller router add mast-1\n  \
        mastwire-controller router add mast-1 --block-only > mast-1.rsc")]
    Add {
        /// What people call it
        name: String,
        #[command(flatten)]
        texts: Texts,
    },
    Enrol(Enrol),
    /// Lists the routers
    #[command(after_help = "Example:\n  mastwire-controller router list")]
    List(PageArgs),
    /// Shows a router: its stage, its tunnel, and how its enrolment fares
    #[command(after_help = "Example:\n  mastwire-controller router show mast-1")]
    Show(Which),
    /// Makes new texts for a router; the earlier ones are good no more
    #[command(after_help = "Example:\n  mastwire-controller router reissue mast-1")]
    Reissue {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        texts: Texts,
    },
    /// Confirms that the router which joined is the one that was meant
    #[command(after_help = "Example:\n  mastwire-controller router confirm mast-1 HCX08ABCDEF")]
    Confirm {
        #[command(flatten)]
        which: Which,
        /// The serial number on the box; on a virtual router, its system id
        serial: String,
    },
    /// Reads the router and says what stands in the way of serving customers
    #[command(after_help = "Example:\n  mastwire-controller router preflight mast-1")]
    Preflight(Which),
    /// Chooses all that the router offers; nothing is written to it before `router apply`
    #[command(after_help = "Examples:\n  \
        mastwire-controller router services mast-1 --pppoe ether2,ether3 --hotspot bridge1=192.168.88.1/24\n  \
        mastwire-controller router services mast-1 --pppoe ether2 --vlans 100-199,300\n  \
        mastwire-controller router services mast-1 --dhcp lan=192.168.50.1/24 --strangers 192.168.50.200-192.168.50.250 --pin\n  \
        mastwire-controller router services mast-1 --none")]
    Services(Services),
    /// Shows what would change on the router now
    #[command(after_help = "Example:\n  mastwire-controller router plan mast-1")]
    Plan(Which),
    /// Approves the plan, brings the router to it and reads it back
    #[command(after_help = "Example:\n  mastwire-controller router apply mast-1")]
    Apply(Which),
    /// Says whether the router holds what is wanted
    #[command(after_help = "Example:\n  mastwire-controller router state mast-1")]
    State(Which),
    /// Lists the sessions that are live on the router now
    #[command(after_help = "Example:\n  mastwire-controller router sessions mast-1")]
    Sessions(Which),
    /// Lists the plans that were applied, with the time they took
    #[command(after_help = "Example:\n  mastwire-controller router changes mast-1")]
    Changes {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        page: PageArgs,
    },
    #[command(subcommand)]
    Config(Configurations),
    /// Renames a router or says where it stands
    #[command(after_help = "Example:\n  mastwire-controller router change mast-1 --name ridge --site \"Kilimani/Ridge\"")]
    Change {
        #[command(flatten)]
        which: Which,
        /// What people call it from now on
        #[arg(long)]
        name: Option<String>,
        /// Where it stands: the site's way from the top, or its id
        #[arg(long, conflicts_with = "no_site")]
        site: Option<String>,
        /// Take it off its site
        #[arg(long)]
        no_site: bool,
    },
    /// Moves a router to another ISP (platform operators)
    #[command(after_help = "Example:\n  \
        mastwire-controller router transfer rtr_0190163d8694739b8fd74dd02ebd3dc4 --to \"Baraka Net\" --name ridge --reason \"sold on 3 May\"")]
    Transfer(Transfer),
    /// Takes a router out: cleans it as far as it can be reached and revokes its key
    #[command(after_help = "Example:\n  mastwire-controller router remove mast-1")]
    Remove(Which),
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// The router's name or id
    router: String,
}

#[derive(Debug, Args)]
pub(super) struct Transfer {
    /// The router's id
    router: String,
    /// The ISP that gets it
    #[arg(long, value_name = "TENANT")]
    to: String,
    /// What it is called there
    #[arg(long)]
    name: String,
    /// Why; only the platform's operators read it
    #[arg(long)]
    reason: String,
    /// Move it although customers are on it, who stay behind
    #[arg(long)]
    leave_customers: bool,
    /// Move it although it cannot be cleaned, because it was reset by hand
    #[arg(long)]
    uncleaned: bool,
    #[command(flatten)]
    texts: Texts,
}

impl Transfer {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let to = client.id_of(&TENANT, &self.to).await?;
        let body = json!({
            "to": to, "name": self.name, "reason": self.reason, "leave_customers": self.leave_customers, "uncleaned": self.uncleaned,
        });
        let mut answer = client.send(Call::post(["platform", "routers", &self.router, "move"]).json(&body)).await?;
        let left = text(&answer.value["removed"], "left");
        answer.value = answer.value["router"].take();
        let shown = self.texts.show(client, &answer, &self.name);
        Ok(if left.is_empty() { shown } else { format!("{shown}{}\n", one_line(&left)) })
    }
}

/// How much of what a router is given is printed.
#[derive(Debug, Args)]
pub(super) struct Texts {
    /// Print the block and nothing else
    #[arg(long)]
    block_only: bool,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("choice").required(true).multiple(true).args(["pppoe", "hotspot", "dhcp", "none"]))]
pub(super) struct Services {
    #[command(flatten)]
    which: Which,
    /// Interfaces on which customers dial in
    #[arg(long, value_name = "INTERFACE,…", value_delimiter = ',')]
    pppoe: Vec<String>,
    /// VLANs on these interfaces whose callers are answered as well as untagged ones, such as 100-199,300
    #[arg(long, value_name = "RANGE,…", requires = "pppoe")]
    vlans: Option<String>,
    /// The router's end of PPPoE sessions
    #[arg(long, value_name = "ADDRESS", requires = "pppoe")]
    local_address: Option<Ipv4Addr>,
    /// Addresses of PPPoE customers, as first-last
    #[arg(long, value_name = "RANGE", requires = "pppoe")]
    pool: Option<String>,
    /// Addresses of expired PPPoE customers, as first-last
    #[arg(long, value_name = "RANGE", requires = "pppoe")]
    expired_pool: Option<String>,
    /// An interface with a login page, and the router's address on it; may be given several times
    #[arg(long, value_name = "INTERFACE[=GATEWAY]")]
    hotspot: Vec<Lan>,
    /// The login page's host name
    #[arg(long, value_name = "NAME", requires = "hotspot")]
    dns_name: Option<String>,
    /// Hosts that are open before login
    #[arg(long, value_name = "HOST,…", value_delimiter = ',', requires = "hotspot")]
    walled_garden: Vec<String>,
    /// An interface on which static customers' devices are given their addresses, and the router's address on it; may be given several
    /// times
    #[arg(long, value_name = "INTERFACE[=GATEWAY]")]
    dhcp: Vec<Lan>,
    /// Addresses for devices that are nobody's, as first-last: held like expired customers; they get none without
    #[arg(long, value_name = "RANGE", requires = "dhcp")]
    strangers: Option<String>,
    /// For how many seconds a device has its address
    #[arg(long, value_name = "SECONDS", requires = "dhcp")]
    lease_seconds: Option<u32>,
    /// Name servers told to these customers
    #[arg(long, value_name = "ADDRESS,…", value_delimiter = ',', requires = "dhcp")]
    dns: Vec<Ipv4Addr>,
    /// Learn from leases alone which device has which address; the plan says what you then set on the interface
    #[arg(long, requires = "dhcp")]
    pin: bool,
    /// Offer nothing
    #[arg(long, conflicts_with_all = ["pppoe", "hotspot", "dhcp"])]
    none: bool,
}

/// A service's interface, with its gateway unless the default is good.
#[derive(Debug, Clone)]
struct Lan {
    interface: String,
    gateway: Option<Ipv4Network>,
}

impl FromStr for Lan {
    type Err = ipnetwork::IpNetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (interface, gateway) = match text.split_once('=') {
            Some((interface, gateway)) => (interface, Some(gateway.parse()?)),
            None => (text, None),
        };
        Ok(Self { interface: interface.to_owned(), gateway })
    }
}

impl Routers {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        match self {
            Self::Add { name, texts } => {
                let answer = client.send(Call::post(ROUTER.list).json(&json!({ "name": name }))).await?;
                Ok(texts.show(client, &answer, &name))
            }
            Self::Enrol(enrol) => enrol.run(client).await,
            Self::List(page) => list(client, &page).await,
            Self::Show(which) => Ok(client.show(&which.get(client, None).await?, readable)),
            Self::Reissue { which, texts } => {
                let answer = which.post(client, "reissue").await?;
                Ok(texts.show(client, &answer, &which.router))
            }
            Self::Confirm { which, serial } => {
                let id = which.id(client).await?;
                let call = Call::post(["routers", &id, "confirm"]).json(&json!({ "serial": serial }));
                client
                    .done(
                        call,
                        &format!(
                            "`{}` is confirmed; next: mastwire-controller router preflight {}",
                            which.router,
                            typed(&which.router)
                        ),
                    )
                    .await
            }
            Self::Preflight(which) => Ok(client.show(&which.get(client, Some("preflight")).await?, preflight)),
            Self::Services(services) => services.run(client).await,
            Self::Plan(which) => {
                let answer = which.get(client, Some("plan")).await?;
                Ok(client.show(&answer, |value| {
                    format!("{}\nwrites: {}", several_lines(text(value, "text").trim_end()), text(value, "writes"))
                }))
            }
            Self::Apply(which) => {
                let answer = which.post(client, "apply").await?;
                Ok(client.show(&answer, |value| fields(&[("outcome", text(value, "detail")), ("writes", text(value, "writes"))])))
            }
            Self::State(which) => Ok(client.show(&which.get(client, Some("state")).await?, state)),
            Self::Sessions(which) => Ok(client.show(&which.get(client, Some("sessions")).await?, sessions)),
            Self::Changes { which, page } => changes(client, &which, &page).await,
            Self::Change { which, name, site, no_site } => {
                let id = which.id(client).await?;
                let mut body = serde_json::Map::new();
                if let Some(name) = name {
                    body.insert("name".to_owned(), json!(name));
                }
                match site {
                    Some(site) => drop(body.insert("site".to_owned(), json!(site_id(client, &site).await?))),
                    None if no_site => drop(body.insert("site".to_owned(), Value::Null)),
                    None => {}
                }
                let call = Call::patch(["routers", &id]).json(&Value::Object(body));
                client.done(call, &format!("`{}` is changed", which.router)).await
            }
            Self::Config(configurations) => configurations.run(client).await,
            Self::Transfer(transfer) => transfer.run(client).await,
            Self::Remove(which) => {
                let id = which.id(client).await?;
                let answer = client.send(Call::delete(["routers", &id])).await?;
                Ok(client.show(&answer, |value| {
                    let cleaned = if value["cleaned"] == true { "removed, and cleaned of all that was ours" } else { "removed" };
                    fields(&[("outcome", cleaned.to_owned()), ("left to do", text(value, "left"))])
                }))
            }
        }
    }
}

impl Which {
    async fn id(&self, client: &Client) -> anyhow::Result<String> {
        client.id_of(&ROUTER, &self.router).await
    }

    /// Reads the router, or a part of what is known of it.
    async fn get(&self, client: &Client, part: Option<&str>) -> anyhow::Result<Answer> {
        let id = self.id(client).await?;
        let path: Vec<&str> = ["routers", &id].into_iter().chain(part).collect();
        Ok(client.send(Call::get(path)).await?)
    }

    async fn post(&self, client: &Client, step: &str) -> anyhow::Result<Answer> {
        let id = self.id(client).await?;
        Ok(client.send(Call::post(["routers", &id, step])).await?)
    }
}

impl Texts {
    fn show(&self, client: &Client, answer: &Answer, name: &str) -> String {
        client.show(answer, |value| {
            let block = several_lines(text(value, "block").trim_end());
            if self.block_only {
                return block;
            }
            let line = match value["line"].as_str() {
                Some(line) => format!("\nOr this one line, which fetches the same:\n\n{}\n", one_line(line)),
                None => String::new(),
            };
            // The markers are comments, so that no harm is done when they are pasted too.
            format!(
                "`{}` is {} with the address {}.\nUntil {}, paste all of this into its terminal:\n\n\
                 # ---------- from here ----------\n{block}\n# ---------- to here ------------\n{line}\n\
                 Then: mastwire-controller router show {}\n",
                one_line(name),
                one_line(&text(value, "id")),
                one_line(&text(value, "address")),
                time(value, "expires_at"),
                typed(name),
            )
        })
    }
}

impl Services {
    async fn run(self, client: &Client) -> anyhow::Result<String> {
        let id = self.which.id(client).await?;
        let pppoe = (!self.pppoe.is_empty()).then(|| {
            json!({ "kind": "pppoe", "interfaces": self.pppoe, "vlans": self.vlans, "local_address": self.local_address, "pool": self.pool,
                    "expired_pool": self.expired_pool })
        });
        let hotspot = self.hotspot.iter().map(|port| {
            json!({ "kind": "hotspot", "interface": port.interface, "gateway": port.gateway, "dns_name": self.dns_name,
                    "walled_garden": self.walled_garden })
        });
        let dhcp = self.dhcp.iter().map(|lan| {
            json!({ "kind": "dhcp", "interface": lan.interface, "gateway": lan.gateway, "pool": self.strangers,
                    "lease_seconds": self.lease_seconds, "dns": self.dns, "pin": self.pin })
        });
        let services: Vec<Value> = pppoe.into_iter().chain(hotspot).chain(dhcp).collect();
        let call = Call::put(["routers", &id, "services"]).json(&json!({ "services": services }));
        client
            .done(
                call,
                &format!("chosen; look at what would change: mastwire-controller router plan {}", typed(&self.which.router)),
            )
            .await
    }
}

async fn list(client: &Client, page: &PageArgs) -> anyhow::Result<String> {
    let columns = [
        words("NAME", |item| text(item, "name")),
        words("STAGE", |item| text(item, "stage")),
        words("CONNECTED", |item| text(&item["tunnel"], "connected")),
        words("ADDRESS", |item| text(item, "address")),
        words("VERSION", |item| text(item, "version")),
        words("BOARD", |item| text(item, "board")),
        words("SERIAL", |item| text(item, "serial")),
        words("ID", |item| text(item, "id")),
    ];
    client.list(Call::get(ROUTER.list), page, &columns, &[]).await
}

fn readable(item: &Value) -> String {
    let (tunnel, enrolment) = (&item["tunnel"], &item["enrolment"]);
    fields(&[
        ("name", text(item, "name")),
        ("stage", text(item, "stage")),
        ("serial", text(item, "serial")),
        ("board", text(item, "board")),
        ("version", text(item, "version")),
        ("address", text(item, "address")),
        ("connected", text(tunnel, "connected")),
        (
            "last handshake",
            tunnel["last_handshake_s"].as_u64().map(|seconds| format!("{} ago", span(seconds))).unwrap_or_default(),
        ),
        ("enrolment", text(enrolment, "state")),
        ("last seen of it", text(enrolment, "last_attempt")),
        ("seen at", time(enrolment, "attempted_at")),
        ("texts good until", if enrolment["state"] == "pending" { time(enrolment, "expires_at") } else { String::new() }),
        ("added", time(item, "created_at")),
        ("id", text(item, "id")),
    ])
}

fn preflight(value: &Value) -> String {
    let mut shown =
        fields(&[("board", text(value, "board")), ("version", text(value, "version")), ("serial", text(value, "serial"))]);
    let list = |name: &str| value[name].as_array().map_or(&[][..], Vec::as_slice).to_vec();
    shown.push('\n');
    shown.push_str(&table(
        &[words("INTERFACE", |item| text(item, "name")), words("ROLE", |item| text(item, "role"))],
        &list("interfaces"),
    ));
    shown.push('\n');
    let findings = list("findings");
    if findings.is_empty() {
        shown.push_str("nothing stands in the way\n");
    }
    for finding in findings {
        let field = |name: &str| one_line(&text(&finding, name));
        shown.push_str(&format!("{}: {} ({})\n", field("severity"), field("text"), field("code")));
        if finding["command"].is_string() {
            shown.push_str(&format!("  {}\n", field("command")));
        }
    }
    shown
}

fn state(value: &Value) -> String {
    fields(&[
        ("holds what is wanted", text(value, "in_sync")),
        ("wanted generation", text(value, "desired")),
        ("applied generation", text(value, "applied")),
        ("applied", time(value, "applied_at")),
        ("last tried", time(value, "attempted_at")),
        ("failures since", text(value, "failures")),
        ("last failure", text(value, "last_error")),
    ])
}

fn sessions(value: &Value) -> String {
    let columns = [
        words("KIND", |item| text(item, "kind")),
        words("LOGIN", |item| text(item, "login")),
        words("ADDRESS", |item| text(item, "address")),
        words("DEVICE", |item| text(item, "mac")),
        numbers("SINCE", |item| text(item, "uptime")),
    ];
    table(&columns, items(value))
}

async fn changes(client: &Client, which: &Which, page: &PageArgs) -> anyhow::Result<String> {
    let id = which.id(client).await?;
    let columns = [
        words("WHEN", |item| time(item, "started_at")),
        numbers("GENERATION", |item| text(item, "generation")),
        words("OUTCOME", |item| text(item, "outcome")),
        numbers("WRITES", |item| text(item, "writes")),
        numbers("TOOK", |item| {
            let parts = item["timing"].as_object().into_iter().flat_map(|timing| timing.values());
            let micros: u64 = parts.filter_map(Value::as_u64).sum();
            format!("{}.{:03} ms", micros / 1000, micros % 1000)
        }),
        words("ERROR", |item| text(item, "error")),
    ];
    client.list(Call::get(["routers", &id, "change-sets"]), page, &columns, &[]).await
}
