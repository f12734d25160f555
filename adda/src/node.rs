//! `adda node …`: the processes of a pool.

use proto::grants::VideoGrant;
use reqwest::Method;
use serde_json::Value;

use crate::{cli::NodeCommand, print, remote::Remote, table};

/// Does what `command` says.
pub(crate) fn run(command: &NodeCommand) -> anyhow::Result<()> {
    match command {
        NodeCommand::Ls(remote) => list(remote),
    }
}

fn list(remote: &Remote) -> anyhow::Result<()> {
    let rights = VideoGrant { room_admin: true, ..VideoGrant::default() };
    let pool = remote.call(Method::GET, "/admin/v1/pool", rights, None)?;
    if remote.wants_json() {
        print::text(&format!("{pool}\n"));
        return Ok(());
    }
    let nodes = pool.get("nodes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let rows: Vec<_> = nodes.iter().map(row).collect();
    let wrong: String = wrong(&pool).iter().map(|line| format!("{line}\n")).collect();
    let table = table::lay_out(HEAD, &rows);
    print::text(&if wrong.is_empty() { table } else { format!("{table}\n{wrong}") });
    Ok(())
}

/// One line for each thing that somebody should do something about: what the node that answered
/// says of itself comes first, then what others said last, each once.
fn wrong(pool: &Value) -> Vec<String> {
    let reasons = |of: &Value| -> Vec<String> {
        let reasons = of.get("reasons").and_then(Value::as_array);
        let reasons = reasons.into_iter().flatten().filter_map(Value::as_str);
        reasons.map(str::to_owned).collect()
    };
    let mut said = reasons(pool);
    let mut lines: Vec<String> = said.iter().map(|reason| format!("! {reason}")).collect();
    for node in pool.get("nodes").and_then(Value::as_array).into_iter().flatten() {
        let id = node.get("id").and_then(Value::as_str).unwrap_or_default();
        for reason in reasons(node) {
            if !said.contains(&reason) {
                lines.push(format!("! {id}: {reason}"));
                said.push(reason);
            }
        }
    }
    lines
}

const HEAD: [&str; 8] = ["NODE", "ROLES", "REGION", "STATE", "VERSION", "ROOMS", "PEOPLE", "LOAD"];

fn row(node: &Value) -> [String; 8] {
    let word = |name: &str| match node.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let roles = node.get("roles").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let roles: Vec<&str> = roles.iter().filter_map(Value::as_str).collect();
    let load = node.get("load").and_then(Value::as_f64).unwrap_or_default();
    [
        word("id"),
        roles.join(","),
        word("region"),
        word("state"),
        word("version"),
        word("rooms"),
        word("participants"),
        format!("{:.0} %", load * 100.0),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_node_is_one_line_that_people_read() {
        let node = json!({
            "id": "a", "roles": ["signaling", "sfu"], "region": "", "state": "ready",
            "version": "0.1.0", "rooms": 3, "participants": 12, "load": 0.257,
        });
        assert_eq!(row(&node), ["a", "signaling,sfu", "", "ready", "0.1.0", "3", "12", "26 %"]);
    }

    #[test]
    fn what_is_wrong_is_said_once_and_of_whom() {
        let pool = json!({
            "reasons": ["registry: gone"],
            "nodes": [
                { "id": "a", "reasons": ["registry: gone", "objects: full"] },
                { "id": "b", "reasons": ["objects: full", "shard 0: stuck"] },
                { "id": "of an earlier version" },
            ],
        });
        assert_eq!(wrong(&pool), ["! registry: gone", "! a: objects: full", "! b: shard 0: stuck"]);
        assert!(wrong(&json!({ "nodes": [] })).is_empty());
    }
}
