//! The operations of the API as its own document describes them, and bodies that fit them.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// One operation.
#[derive(Debug)]
pub struct Operation {
    /// The method in capitals.
    pub method: String,
    /// The path, with `{id}` where an id belongs.
    pub path: String,
    /// The kind of the id in the path, such as `RouterId`.
    pub id: Option<String>,
    /// The name of a JSON body's schema.
    pub body: Option<String>,
    /// Whether the body is a file in CSV.
    pub csv: bool,
    /// The query's parameters.
    pub query: Vec<String>,
    /// The parameters that a query must have, filled in.
    must: String,
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
        let path = match &self.id {
            Some(kind) => self.path.replace("{id}", id(ids, kind)),
            None => self.path.clone(),
        };
        format!("{path}?{}", self.must)
    }
}

/// An id of each kind.
pub type Ids = BTreeMap<String, String>;

/// Returns the id of a kind.
#[track_caller]
pub fn id<'a>(ids: &'a Ids, kind: &str) -> &'a str {
    ids.get(kind).unwrap_or_else(|| panic!("these tests make no {kind}: teach `World::fresh` to"))
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
        assert!(operations.len() >= 45, "the document has lost operations: {}", operations.len());
        operations
    }

    /// Makes the smallest body of a schema that names every id it can name: required fields, and ids that may be left out. `given` is asked
    /// for each `Schema.field` first.
    pub fn body(&self, schema: &str, ids: &Ids, given: Given<'_>) -> Value {
        let schema_value = self.schema(schema);
        let required: BTreeSet<&str> = texts(&schema_value["required"]).collect();
        let mut body = json!({});
        for (field, part) in schema_value["properties"].as_object().expect("an object's schema") {
            let value = match (given(&format!("{schema}.{field}")), id_kind(part)) {
                (Some(value), _) => value,
                (None, Some(kind)) => json!(id(ids, kind)),
                (None, None) if required.contains(field.as_str()) => self.value(part, given),
                (None, None) => continue,
            };
            body[field] = value;
        }
        body
    }

    /// The fields of a body that take an id, with its kind.
    pub fn id_fields(&self, schema: &str) -> Vec<(String, String)> {
        let properties = self.schema(schema)["properties"].as_object().expect("an object's schema");
        let fields = properties.iter().filter_map(|(field, part)| Some((field.clone(), id_kind(part)?.to_owned())));
        let fields: Vec<_> = fields.collect();
        let all = self.reachable_ids(self.schema(schema));
        assert_eq!(fields.len(), all, "{schema} holds an id deeper than these tests look: teach `id_fields` to find it");
        fields
    }

    /// All fields of a body.
    pub fn fields(&self, schema: &str) -> Vec<String> {
        self.schema(schema)["properties"].as_object().expect("an object's schema").keys().cloned().collect()
    }

    fn schema(&self, name: &str) -> &Value {
        let schema = &self.0["components"]["schemas"][name];
        assert!(schema.is_object(), "there is no schema {name}");
        schema
    }

    /// How many places for ids there are in a schema and in what it refers to.
    fn reachable_ids(&self, schema: &Value) -> usize {
        match schema {
            Value::Object(map) => match map.get("$ref").and_then(Value::as_str).map(last) {
                Some(name) if name.ends_with("Id") => 1,
                Some(name) => self.reachable_ids(self.schema(name)),
                None => map.values().map(|part| self.reachable_ids(part)).sum(),
            },
            Value::Array(parts) => parts.iter().map(|part| self.reachable_ids(part)).sum(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
        }
    }

    fn value(&self, schema: &Value, given: Given<'_>) -> Value {
        if let Some(name) = schema["$ref"].as_str().map(last) {
            let target = self.schema(name);
            // An object's fields may be given by name; ids do not hide this deep (see `id_fields`).
            return if target["properties"].is_object() {
                self.body(name, &Ids::new(), given)
            } else {
                self.value(target, given)
            };
        }
        if let Some(example) = schema.get("example").or_else(|| schema["enum"].get(0)) {
            return example.clone();
        }
        if let Some(first) = schema["oneOf"].get(0) {
            return self.value(first, given);
        }
        match schema["type"].as_str() {
            // Fits a price, a speed and a number of seconds.
            Some("integer") => json!(100_000),
            Some("string") => given("string").expect("a text"),
            Some("array") => json!([self.value(&schema["items"], given)]),
            Some("object") => {
                let required = texts(&schema["required"]);
                required.map(|field| (field.to_owned(), self.value(&schema["properties"][field], given))).collect()
            }
            _ => panic!("these tests know no value for {schema}"),
        }
    }
}

fn describe(path: &str, method: &str, operation: &Value) -> Operation {
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    let named = |place: &str| parameters.iter().filter(|parameter| parameter["in"] == place).cloned().collect::<Vec<_>>();
    let in_path = named("path");
    assert_eq!(in_path.len(), path.matches('{').count(), "{path} declares its parameters");
    assert!(in_path.len() <= 1, "these tests know paths with one id: {path}");
    let name = |value: &Value| value["name"].as_str().expect("a name").to_owned();
    let must = |parameter: &Value| match parameter["schema"]["type"].as_str() {
        Some("boolean") => format!("{}=false", name(parameter)),
        _ => panic!("these tests know no value for {parameter}"),
    };
    let query = named("query");
    let content = &operation["requestBody"]["content"];
    let success = |status: &String| status.parse().ok().filter(|status: &u64| (200..300).contains(status));
    Operation {
        method: method.to_uppercase(),
        path: path.to_owned(),
        id: in_path.first().map(|parameter| id_kind(&parameter["schema"]).expect("an id").to_owned()),
        body: content["application/json"]["schema"]["$ref"].as_str().map(|text| last(text).to_owned()),
        csv: content["text/csv"].is_object(),
        must: query.iter().filter(|parameter| parameter["required"] == true).map(must).collect::<Vec<_>>().join("&"),
        query: query.iter().map(name).collect(),
        successes: operation["responses"].as_object().expect("responses").keys().filter_map(success).collect(),
        open: operation["security"] == json!([{}]),
    }
}

/// The kind of id that a field takes, if it takes one, whether or not it may be null.
fn id_kind(schema: &Value) -> Option<&str> {
    let direct = schema["$ref"].as_str();
    let kind = last(direct.or_else(|| schema["oneOf"][0]["$ref"].as_str())?);
    kind.ends_with("Id").then_some(kind)
}

fn last(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}
