//! The operations of the API as its own document describes them, and bodies that fit them.

use controller::operators::Permission;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Who may use an operation, as the document says it in `x-permission`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody at all.
    Open,
    /// Whoever holds any credential.
    Anyone,
    /// Whoever logged in with a password: a person's own affair, from which API tokens are kept away.
    Login,
    /// Whoever holds this permission, in the tenant whose things they are.
    Needs(Permission),
    /// The platform's operators.
    Platform,
}

/// Operations that want one of several parameters, which the document cannot say: the end of the path, and one of them.
const ASKED_WITH: &[(&str, &str, &str)] = &[("/api/v1/credentials", "mac", "02:00:00:00:00:01")];

/// One operation.
#[derive(Debug)]
pub struct Operation {
    /// The method in capitals.
    pub method: String,
    /// The path, with `{…}` where something belongs.
    pub path: String,
    /// Who may use it.
    pub access: Access,
    /// What belongs into the path: the parameter's name, and the kind of its id (or the name again, where it takes a word).
    pub parts: Vec<(String, String)>,
    /// The name of a JSON body's schema.
    pub body: Option<String>,
    /// Whether the body is a file in CSV.
    pub csv: bool,
    /// The query's parameters that may take an id: those without an example.
    pub query: Vec<String>,
    /// Whether it has a query at all.
    pub has_query: bool,
    /// The parameters that a query must have, filled in.
    must: Vec<(String, Option<String>)>,
    /// The statuses of success.
    pub successes: Vec<u64>,
    /// Whether it can be used without a credential.
    pub open: bool,
}

impl Operation {
    /// The operation as the tables of these tests name it.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path.trim_start_matches("/api/v1"))
    }

    /// The path with an id of each kind put in, and what the query must have.
    pub fn path(&self, ids: &Ids) -> String {
        let put = |path: String, (name, kind): &(String, String)| path.replace(&format!("{{{name}}}"), id(ids, kind));
        let must = self.must.iter().map(|(name, value)| match value {
            Some(value) => format!("{name}={value}"),
            None => format!("{name}={}", query_kind(name, ids).map_or("", |kind| id(ids, &kind))),
        });
        format!("{}?{}", self.parts.iter().fold(self.path.clone(), put), must.collect::<Vec<_>>().join("&"))
    }

    /// The kinds of the ids in the path.
    pub fn kinds(&self) -> impl Iterator<Item = &String> {
        self.parts.iter().map(|(_, kind)| kind).filter(|kind| kind.ends_with("Id"))
    }

    /// The kind of the first id in the path.
    pub fn kind(&self) -> Option<&String> {
        self.kinds().next()
    }
}

/// An id of each kind, and a word for each other thing that a path may take.
pub type Ids = BTreeMap<String, String>;

/// Returns the id of a kind.
#[track_caller]
pub fn id<'a>(ids: &'a Ids, kind: &str) -> &'a str {
    ids.get(kind).unwrap_or_else(|| panic!("these tests make no {kind}: teach `World::make` to"))
}

/// The OpenAPI document.
pub struct Document(Value);

/// What a field gets where any text or number would not do.
pub type Given<'a> = &'a dyn Fn(&str) -> Option<Value>;

impl Document {
    pub fn new() -> Self {
        Self(serde_json::to_value(controller::http::openapi()).expect("plain data"))
    }

    /// Every operation.
    pub fn operations(&self) -> Vec<Operation> {
        let mut operations = Vec::new();
        for (path, methods) in self.0["paths"].as_object().expect("paths") {
            for (method, operation) in methods.as_object().expect("methods") {
                operations.push(describe(path, method, operation));
            }
        }
        assert!(operations.len() >= 53, "the document has lost operations: {}", operations.len());
        operations
    }

    /// Makes the smallest body of a schema that names every id it can name: required fields, and ids that may be left out. `given` is asked
    /// for each `Schema.field` first.
    pub fn body(&self, schema: &str, ids: &Ids, given: Given<'_>) -> Value {
        self.object(schema, self.schema(schema), ids, given)
    }

    /// The places in a body that take an id, with its kind.
    pub fn id_places(&self, schema: &str) -> Vec<(String, String)> {
        let mut places = Vec::new();
        self.find_ids(self.schema(schema), "", &mut places);
        places
    }

    fn find_ids(&self, schema: &Value, place: &str, found: &mut Vec<(String, String)>) {
        if let Some(kind) = id_kind(schema) {
            found.push((place.to_owned(), kind.to_owned()));
        } else if let Some(name) = reference(schema) {
            self.find_ids(self.schema(name), place, found);
        } else if let Some(properties) = schema["properties"].as_object() {
            for (field, part) in properties {
                self.find_ids(part, &format!("{place}/{field}"), found);
            }
        } else if schema["items"].is_object() {
            self.find_ids(&schema["items"], &format!("{place}/0"), found);
        }
    }

    fn has_ids(&self, schema: &Value) -> bool {
        let mut found = Vec::new();
        self.find_ids(schema, "", &mut found);
        !found.is_empty()
    }

    /// All fields of a body.
    pub fn fields(&self, schema: &str) -> Vec<String> {
        self.schema(schema)["properties"].as_object().into_iter().flatten().map(|(field, _)| field.clone()).collect()
    }

    fn schema(&self, name: &str) -> &Value {
        let schema = &self.0["components"]["schemas"][name];
        assert!(schema.is_object(), "there is no schema {name}");
        schema
    }

    fn object(&self, name: &str, schema: &Value, ids: &Ids, given: Given<'_>) -> Value {
        let required: BTreeSet<&str> = texts(&schema["required"]).collect();
        let mut body = json!({});
        for (field, part) in schema["properties"].as_object().into_iter().flatten() {
            let value = match given(&format!("{name}.{field}")) {
                Some(value) => value,
                None if required.contains(field.as_str()) || self.has_ids(part) => self.value(part, ids, given),
                None => continue,
            };
            body[field] = value;
        }
        body
    }

    fn value(&self, schema: &Value, ids: &Ids, given: Given<'_>) -> Value {
        if let Some(kind) = id_kind(schema) {
            return json!(id(ids, kind));
        }
        if let Some(name) = reference(schema) {
            let target = self.schema(name);
            // An object's fields may be given by name.
            return given(name).unwrap_or_else(|| match target["properties"].is_object() {
                true => self.object(name, target, ids, given),
                false => self.value(target, ids, given),
            });
        }
        if let Some(example) = schema.get("example").or_else(|| schema["enum"].get(0)) {
            return example.clone();
        }
        if let Some(first) = schema["oneOf"].get(0) {
            return self.value(first, ids, given);
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
            kind => kind.as_str(),
        };
        match kind {
            // Fits a price, a speed and a number of seconds.
            Some("integer") => json!(100_000),
            Some("number") => json!(1.5),
            Some("boolean") => json!(false),
            Some("string") if schema["format"] == "date-time" => json!("2026-01-20T09:00:00Z"),
            Some("string") if schema["format"] == "date" => json!("2026-01-20"),
            Some("string") => given("string").expect("a text"),
            Some("array") => json!([self.value(&schema["items"], ids, given)]),
            Some("object") => self.object("", schema, ids, given),
            _ => panic!("these tests know no value for {schema}"),
        }
    }
}

fn describe(path: &str, method: &str, operation: &Value) -> Operation {
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    let named = |place: &str| parameters.iter().filter(|parameter| parameter["in"] == place).cloned().collect::<Vec<_>>();
    let in_path = named("path");
    assert_eq!(in_path.len(), path.matches('{').count(), "{path} declares its parameters");
    let name = |value: &Value| value["name"].as_str().expect("a name").to_owned();
    let part = |parameter: &Value| {
        let kind = id_kind(&parameter["schema"]).map_or_else(|| name(parameter), str::to_owned);
        (name(parameter), kind)
    };
    // What has no example is an id of the kind that its name says.
    let must = |parameter: &Value| match (parameter["schema"]["type"].as_str(), &parameter["example"]) {
        (_, Value::String(example)) => (name(parameter), Some(example.clone())),
        (Some("boolean"), _) => (name(parameter), Some("false".to_owned())),
        _ => (name(parameter), None),
    };
    let query = named("query");
    let content = &operation["requestBody"]["content"];
    let success = |status: &String| status.parse().ok().filter(|status: &u64| (200..300).contains(status));
    let access = match operation["x-permission"].as_str() {
        Some("open") => Access::Open,
        Some("anyone") => Access::Anyone,
        Some("login") => Access::Login,
        Some("platform") => Access::Platform,
        Some(other) => Access::Needs(
            Permission::from_stored(other).unwrap_or_else(|| panic!("{method} {path}: there is no permission {other}")),
        ),
        None => panic!("{method} {path} does not say in `x-permission` who may use it"),
    };
    let asked: Vec<(String, Option<String>)> = ASKED_WITH
        .iter()
        .filter(|(known, ..)| path.ends_with(known) && in_path.is_empty())
        .map(|(_, name, value)| ((*name).to_owned(), Some((*value).to_owned())))
        .collect();
    Operation {
        method: method.to_uppercase(),
        path: path.to_owned(),
        access,
        parts: in_path.iter().map(part).collect(),
        body: content["application/json"]["schema"]["$ref"].as_str().map(|text| last(text).to_owned()),
        csv: content["text/csv"].is_object(),
        must: query.iter().filter(|parameter| parameter["required"] == true).map(must).chain(asked).collect(),
        query: query.iter().filter(|parameter| parameter["example"].is_null()).map(name).collect(),
        has_query: !query.is_empty(),
        successes: operation["responses"].as_object().expect("responses").keys().filter_map(success).collect(),
        open: operation["security"] == json!([{}]),
    }
}

/// What a schema refers to, whether or not it may be null.
fn reference(schema: &Value) -> Option<&str> {
    let choices = schema["oneOf"].as_array().into_iter().flatten();
    let mut choices = choices.filter(|choice| choice["type"] != "null");
    let one = match (choices.next(), choices.next()) {
        (Some(one), None) => one,
        _ => schema,
    };
    one["$ref"].as_str().map(last)
}

/// The kind of id that a field takes, if it takes one, whether or not it may be null.
fn id_kind(schema: &Value) -> Option<&str> {
    reference(schema).filter(|kind| kind.ends_with("Id"))
}

fn last(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// The kind of the id that a parameter of a query takes: `router` takes a `RouterId`.
pub fn query_kind(parameter: &str, ids: &Ids) -> Option<String> {
    let wanted = format!("{}id", parameter.replace('_', ""));
    ids.keys().find(|kind| kind.to_lowercase() == wanted).cloned()
}
