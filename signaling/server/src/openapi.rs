//! `GET /openapi.json`: the public HTTP API, as OpenAPI 3.1 describes it.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};

const DOCUMENT: &str = include_str!("../openapi.json");

pub(crate) async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::config::Dev;

    fn described() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
    }

    /// Every `METHOD /path` in the document.
    fn operations() -> BTreeSet<String> {
        let document = described();
        let mut found = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            let methods = item.as_object().unwrap().keys().filter(|key| *key != "parameters");
            found.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
        }
        found
    }

    #[test]
    fn what_is_served_below_v1_is_what_is_described() {
        let served: BTreeSet<String> = crate::router::public(Some(Dev::Loopback))
            .operations()
            .iter()
            .map(|(method, path)| format!("{method} {path}"))
            .collect();
        assert_eq!(served, operations());
    }

    #[test]
    fn it_says_by_which_rules_it_is_written() {
        let document = described();
        assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")));
        assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = described();
        let mut open = vec![&document];
        let mut count = 0;
        while let Some(value) = open.pop() {
            if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
                let pointer = reference.strip_prefix('#').unwrap();
                assert!(document.pointer(pointer).is_some(), "{reference}");
                count += 1;
            }
            match value {
                Value::Object(fields) => open.extend(fields.values()),
                Value::Array(items) => open.extend(items),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        assert!(count > 20, "{count}");
    }
}
