//! What the executable is told: one TOML file, under the environment, under the flags.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::{
    addresses::Addresses,
    network::{self, MediaError},
};

/// The default, with a comment for every key. `adda config print-default` prints it.
pub(crate) const DEFAULT: &str = include_str!("default.toml");

/// Environment variables that are flags of commands and no keys of the file.
const NOT_KEYS: [&str; 5] = ["CONFIG", "KEY", "LOG_LEVELS", "SECRET", "URL"];

/// Every key. Their meaning, unit and cost stand in `default.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) port: u16,
    pub(crate) data_dir: PathBuf,
    pub(crate) lan: bool,
    pub(crate) lan_port: u16,
    pub(crate) log: LogFormat,
    pub(crate) shards: usize,
    pub(crate) keys: BTreeMap<String, String>,
    pub(crate) node: Node,
    pub(crate) http: Http,
    pub(crate) media: Media,
    pub(crate) cluster: Cluster,
    pub(crate) redis: Redis,
    pub(crate) database: Database,
    pub(crate) s3: S3,
    pub(crate) recorder: Recorder,
}

/// Whether a process is a pool of its own, on parts that are in it, or one of many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Dev,
    Serve,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Auto,
    Pretty,
    Json,
}

/// Which node of a pool this process is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) region: String,
}

/// Where HTTP is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Http {
    pub(crate) listen: Addresses,
}

/// Where media is received, and what clients are told of that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Media {
    pub(crate) listen: Addresses,
    pub(crate) advertise: Addresses,
}

/// How the processes of a pool reach each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cluster {
    pub(crate) listen: String,
    pub(crate) advertise: String,
    pub(crate) token: String,
}

/// Where nodes announce themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Redis {
    pub(crate) url: String,
}

/// Where it is kept who owns what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Database {
    pub(crate) url: String,
}

/// Where sound is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct S3 {
    pub(crate) endpoint: String,
    pub(crate) bucket: String,
    pub(crate) region: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
}

/// How a recorder behaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recorder {
    pub(crate) spool_mib: u64,
}

/// Why a configuration is no good. One line each: which key, from where, and how to mend it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("config file {} can't be read", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("config file {}: {message}", path.display())]
    NotToml { path: PathBuf, message: String },
    #[error("unknown config key \"{key}\" in {origin}{hint}")]
    UnknownKey { key: String, origin: String, hint: String },
    #[error("config: {0}; see `adda config print-default`")]
    BadValue(String),
    #[error(transparent)]
    Media(#[from] MediaError),
}

impl Config {
    /// Layers `file`, the environment and `flags` over the default.
    pub(crate) fn load(
        purpose: Purpose,
        file: Option<&Path>,
        flags: Table,
    ) -> Result<Self, ConfigError> {
        let environment = env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            Some((name.strip_prefix("ADDA_")?.to_owned(), value.into_string().ok()?))
        });
        Self::layer(purpose, file, environment, flags)
    }

    fn layer(
        purpose: Purpose,
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        flags: Table,
    ) -> Result<Self, ConfigError> {
        let mut table = defaults();
        let keys = Keys::of(&table);
        if purpose == Purpose::Serve {
            // A secret that everybody knows opens nothing in production unless somebody says so.
            table.insert("keys".to_owned(), Value::Table(Table::new()));
        }
        if let Some(path) = file {
            let given = read(path)?;
            keys.check(&given, &path.display().to_string())?;
            merge(&mut table, given);
        }
        for (name, value) in environment {
            if !NOT_KEYS.contains(&name.as_str()) {
                keys.set_from_environment(&mut table, &name, &value)?;
            }
        }
        merge(&mut table, flags);
        // All of what the error says, since its message alone leaves out the key.
        let refused = |error: toml::de::Error| ConfigError::BadValue(one_line(&error.to_string()));
        let config: Self = table.try_into().map_err(refused)?;
        network::check(&config.media)?;
        Ok(config)
    }
}

fn defaults() -> Table {
    DEFAULT.parse().unwrap_or_default()
}

fn read(path: &Path) -> Result<Table, ConfigError> {
    let text = fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| line_of(&text, span.start));
        let message = format!("line {line}: {}", one_line(error.message()));
        ConfigError::NotToml { path: path.to_owned(), message }
    })
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Puts `over` on top of `base`, table by table.
fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) if key != "keys" => {
                merge(below, above);
            }
            (_, value) => _ = base.insert(key, value),
        }
    }
}

/// The keys there are, by their dotted path.
struct Keys(Vec<String>);

impl Keys {
    fn of(defaults: &Table) -> Self {
        let mut paths = Vec::new();
        collect(defaults, "", &mut paths);
        Self(paths)
    }

    /// Refuses a key that does not exist. What is under `[keys]` is the operator's own.
    fn check(&self, given: &Table, origin: &str) -> Result<(), ConfigError> {
        let mut paths = Vec::new();
        collect(given, "", &mut paths);
        match paths.into_iter().find(|path| !self.0.contains(path)) {
            Some(path) => Err(self.unknown(path, origin.to_owned())),
            None => Ok(()),
        }
    }

    fn unknown(&self, key: String, origin: String) -> ConfigError {
        let distance = |known: &&String| strsim::damerau_levenshtein(known, &key.to_lowercase());
        let nearest = self.0.iter().min_by_key(distance).filter(|known| distance(known) <= 3);
        let hint = match nearest {
            Some(nearest) => format!("; did you mean \"{nearest}\"?"),
            None => "; `adda config print-default` lists all".to_owned(),
        };
        ConfigError::UnknownKey { key, origin, hint }
    }

    fn set_from_environment(
        &self,
        table: &mut Table,
        name: &str,
        text: &str,
    ) -> Result<(), ConfigError> {
        let wanted = |path: &&String| path.replace('.', "_").to_uppercase() == name;
        let Some(path) = self.0.iter().find(wanted).filter(|path| *path != "keys") else {
            let key = name.to_lowercase();
            return Err(self.unknown(key, format!("environment variable ADDA_{name}")));
        };
        let (section, key) = path.split_once('.').unwrap_or(("", path));
        let place = match table.get_mut(section) {
            Some(Value::Table(inner)) => inner,
            _ => table,
        };
        let value = typed_like(place.get(key), text);
        place.insert(key.to_owned(), value);
        Ok(())
    }
}

/// Reads `text` as the type that the default has; what doesn't fit is refused later, by name.
fn typed_like(default: Option<&Value>, text: &str) -> Value {
    let typed = match default {
        Some(Value::Integer(_)) => text.parse().ok().map(Value::Integer),
        Some(Value::Boolean(_)) => match text {
            "1" => Some(Value::Boolean(true)),
            "0" => Some(Value::Boolean(false)),
            _ => text.parse().ok().map(Value::Boolean),
        },
        _ => None,
    };
    typed.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn collect(table: &Table, prefix: &str, paths: &mut Vec<String>) {
    for (key, value) in table {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        if let Value::Table(inner) = value
            && key != "keys"
        {
            collect(inner, &path, paths);
        } else {
            paths.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn load(file: &str, environment: &[(&str, &str)], flags: &str) -> Result<Config, ConfigError> {
        let mut on_disk = tempfile::NamedTempFile::new().unwrap();
        on_disk.write_all(file.as_bytes()).unwrap();
        let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Config::layer(Purpose::Dev, Some(on_disk.path()), environment, flags.parse().unwrap())
    }

    #[test]
    fn the_printed_default_is_a_whole_configuration() {
        let config = load("", &[], "").unwrap();
        assert_eq!(config.port, 7880);
        assert_eq!(config.keys.get("devkey").map(String::as_str), Some("secret"));
        assert_eq!(DEFAULT.parse::<Table>().unwrap(), Table::try_from(config).unwrap());
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let file = "port = 1\nlan_port = 1\nshards = 3\n[node]\nid = \"a\"\n[keys]\nk = \"s\"";
        let environment = [("PORT", "2"), ("LAN_PORT", "2"), ("NODE_ID", "b"), ("LAN", "1")];
        let config = load(file, &environment, "port = 3").unwrap();
        assert_eq!((config.port, config.lan_port, config.shards), (3, 2, 3));
        assert_eq!((config.node.id.as_str(), config.lan), ("b", true));
        assert_eq!(config.keys, BTreeMap::from([("k".into(), "s".into())]));
    }

    #[test]
    fn an_unknown_key_is_named_with_the_nearest_known_one() {
        let refusal = load("prot = 7", &[], "").unwrap_err().to_string();
        assert!(refusal.contains("\"prot\"") && refusal.contains("\"port\"?"), "{refusal}");
        let refusal = load("[node]\nidd = \"x\"", &[], "").unwrap_err().to_string();
        assert!(refusal.contains("\"node.idd\"") && refusal.contains("\"node.id\""), "{refusal}");
        let refusal = load("", &[("PROT", "1")], "").unwrap_err().to_string();
        assert!(refusal.contains("ADDA_PROT") && refusal.contains("\"port\"?"), "{refusal}");
    }

    #[test]
    fn a_refusal_is_one_line() {
        for (file, environment) in [
            ("port = ", &[][..]),
            ("port = \"high\"", &[][..]),
            ("port = 70000", &[][..]),
            ("http.listen = \"example.com\"", &[][..]),
            ("media.advertise = \"0.0.0.0\"", &[][..]),
            ("", &[("PORT", "high")][..]),
            ("", &[("MEDIA_ADVERTISE", "here")][..]),
        ] {
            let refusal = load(file, environment, "").unwrap_err().to_string();
            assert!(!refusal.contains('\n') && refusal.len() > 20, "{refusal}");
        }
    }
    #[test]
    fn a_refused_value_is_named_by_its_key() {
        for (file, key) in [
            ("port = \"high\"", "port"),
            ("http.listen = \"example.com\"", "http.listen"),
            ("media.advertise = \"sfu-1.example.com\"", "media.advertise"),
        ] {
            let refusal = load(file, &[], "").unwrap_err().to_string();
            assert!(refusal.contains(key), "{refusal}");
        }
    }
}
