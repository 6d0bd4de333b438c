//! Every list of the API, as requests that one tenant's people send: taken from the API's own document, each list bare and with each of its
//! filters, so that none can be forgotten.

use anyhow::{Context as _, bail};
use controller::testing::TestApp;
use model::TenantId;
use serde_json::Value;
use std::collections::BTreeMap;

/// One request for a list.
#[derive(Debug, Clone)]
pub struct ListRequest {
    /// The operation as the document names it, with the filter: `/sessions/history router`.
    pub name: String,
    /// What is asked for.
    pub path: String,
    /// Whether the platform's people ask.
    pub platform: bool,
}

/// What stands in a tenant's requests, by the name of the parameter.
pub type Values = BTreeMap<&'static str, String>;

/// Of one tenant, something of each kind that is long past: what is newest is found by any plan.
const VALUES: &str = "
    WITH someone AS (
        SELECT c.* FROM customer c JOIN ticket t ON t.tenant_id = c.tenant_id AND t.customer_id = c.id
          JOIN device d ON d.tenant_id = c.tenant_id AND d.customer_id = c.id
         WHERE c.tenant_id = $1 AND c.kind <> 'static' ORDER BY c.id LIMIT 1)
    SELECT c.id, c.router_id, c.login, c.phone, c.account_number, c.package_id, t.currency,
           (SELECT id FROM site WHERE tenant_id = $1 ORDER BY parent_id NULLS FIRST LIMIT 1),
           (SELECT id FROM device WHERE tenant_id = $1 AND customer_id = c.id ORDER BY id LIMIT 1),
           (SELECT id FROM ticket WHERE tenant_id = $1 AND customer_id = c.id ORDER BY id LIMIT 1),
           (SELECT operator_id FROM membership WHERE tenant_id = $1 LIMIT 1),
           (SELECT mac FROM customer WHERE tenant_id = $1 AND mac IS NOT NULL ORDER BY id LIMIT 1)
      FROM someone c JOIN tenant t ON t.id = $1";

type Row =
    (uuid::Uuid, uuid::Uuid, String, String, String, uuid::Uuid, String, uuid::Uuid, uuid::Uuid, uuid::Uuid, uuid::Uuid, String);

/// Finds what a loaded tenant's requests ask for.
///
/// # Errors
/// When the tenant has nobody with a ticket and a device: it is too small.
///
/// # Panics
/// When the database does not answer.
pub async fn values(test: &TestApp, tenant: TenantId) -> anyhow::Result<Values> {
    let mut all = test.db.connect_as("postgres").await;
    let row: Option<Row> = sqlx::query_as(VALUES).bind(tenant).fetch_optional(&mut all).await?;
    let (customer, router, login, phone, account, package, currency, site, device, ticket, operator, mac) =
        row.context("the tenant is too small: nobody has a ticket and a device")?;
    let id = |prefix: &str, id: uuid::Uuid| format!("{prefix}_{}", id.simple());
    let now = model::Clock::now(&*test.clock);
    let day = jiff::SignedDuration::from_hours(24);
    Ok(BTreeMap::from([
        ("customer", id("cus", customer)),
        ("router", id("rtr", router)),
        ("site", id("sit", site)),
        ("parent", id("sit", site)),
        ("device", id("dev", device)),
        ("ticket", id("tkt", ticket)),
        ("operator", id("opr", operator)),
        ("package", id("pkg", package)),
        ("tenant", id("ten", tenant.uuid())),
        ("actor", format!("operator:{}", id("opr", operator))),
        ("action", "load.begin".to_owned()),
        ("target", id("cus", customer)),
        ("login", login),
        ("name", "petr".to_owned()),
        ("phone", format!("%2B{}", &phone[..8])),
        ("account_number", account),
        ("mac", mac),
        ("currency", currency),
        ("from", (now - day * 60).to_string()),
        ("until", (now - day * 30).to_string()),
        ("open", "true".to_owned()),
        ("of_routers", "true".to_owned()),
        ("top", "true".to_owned()),
        ("unread", "true".to_owned()),
        // A load has no messages yet.
        ("message_rule", id("mrl", uuid::Uuid::nil())),
        ("by", now.strftime("%F").to_string()),
    ]))
}

/// Lists that are not paged: the document does not tell them from other answers.
const UNPAGED: &[&str] = &["/leads/due", "/flags", "/limits", "/settings/history", "/tenant/usage", "/accounts"];
/// Where a parameter's name means something else than elsewhere: the list, the parameter, what stands there.
const OTHERWISE: &[(&str, &str, &str)] = &[("/expenses", "account", "=expenses"), ("/devices", "parent", "device")];

/// Makes the requests of one tenant.
///
/// # Errors
/// When a list has a filter that this does not know.
pub fn requests(values: &Values) -> anyhow::Result<Vec<ListRequest>> {
    let document = serde_json::to_value(controller::http::openapi())?;
    let mut requests = Vec::new();
    for (path, methods) in document["paths"].as_object().context("the document has paths")? {
        let get = &methods["get"];
        let name = path.trim_start_matches("/api/v1");
        let parameters: Vec<&Value> = get["parameters"].as_array().into_iter().flatten().collect();
        let paged = parameters.iter().any(|parameter| parameter["name"] == "cursor");
        if !paged && !UNPAGED.contains(&name) {
            continue;
        }
        let about = name.trim_start_matches("/platform").split('/').nth(1).unwrap_or_default().trim_end_matches('s');
        let whole = match values.get(about) {
            Some(id) => path.replace("{id}", id),
            None if path.contains('{') => bail!("{path}: nothing is known of a {about}"),
            None => path.clone(),
        };
        let query: Vec<&&Value> = parameters.iter().filter(|parameter| parameter["in"] == "query").collect();
        let must: String =
            filters(&document, name, &query, values, true)?.into_iter().map(|(name, value)| format!("&{name}={value}")).collect();
        let platform = get["x-permission"] == "platform";
        let limit = if paged { "limit=50" } else { "" };
        requests.push(ListRequest { name: name.to_owned(), path: format!("{whole}?{limit}{must}"), platform });
        for (filter, value) in filters(&document, name, &query, values, false)? {
            let shown = if value.contains('_') || value.len() > 12 { String::new() } else { format!("={value}") };
            requests.push(ListRequest {
                name: format!("{name} {filter}{shown}"),
                path: format!("{whole}?{limit}{must}&{filter}={value}"),
                platform,
            });
        }
    }
    Ok(requests)
}

/// The filters of a list with a value for each; of a word from a list, all of them.
fn filters(
    document: &Value,
    list: &str,
    query: &[&&Value],
    values: &Values,
    required: bool,
) -> anyhow::Result<Vec<(String, String)>> {
    let mut filters = Vec::new();
    for parameter in query {
        let name = parameter["name"].as_str().context("a parameter has a name")?;
        if name == "cursor" || name == "limit" || (parameter["required"] == true) != required {
            continue;
        }
        let other = OTHERWISE.iter().find(|(path, parameter, _)| *path == list && *parameter == name).map(|(_, _, value)| *value);
        let words = words(document, &parameter["schema"]);
        let day = (parameter["schema"]["format"] == "date").then(|| values.get(name).map(|time| &time[..10])).flatten();
        match (other.and_then(|text| text.strip_prefix('=')).or(day), values.get(other.unwrap_or(name))) {
            (Some(word), _) => filters.push((name.to_owned(), word.to_owned())),
            (None, Some(value)) if words.is_empty() => filters.push((name.to_owned(), value.clone())),
            (None, _) if !words.is_empty() => filters.extend(words.into_iter().map(|word| (name.to_owned(), word))),
            (None, _) => bail!("{list}: nothing is known of the filter {name}; teach it to system_tests::lists"),
        }
    }
    Ok(filters)
}

/// The words that a schema allows, if it is such a list.
fn words(document: &Value, schema: &Value) -> Vec<String> {
    let reference = [&schema["$ref"], &schema["allOf"][0]["$ref"], &schema["oneOf"][1]["$ref"], &schema["oneOf"][0]["$ref"]];
    let schema = match reference.iter().find_map(|reference| reference.as_str()) {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap_or(schema),
        None => schema,
    };
    let plain = schema["enum"].as_array().into_iter().flatten();
    let told = schema["oneOf"].as_array().into_iter().flatten().flat_map(|one| one["enum"].as_array().into_iter().flatten());
    plain.chain(told).filter_map(|word| word.as_str().map(str::to_owned)).collect()
}
