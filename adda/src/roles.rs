//! What a process does, and which keys that takes.

use proto::pool::Role;

use crate::{cli, config::Config};

/// Some of the roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Roles {
    pub(crate) signaling: bool,
    pub(crate) sfu: bool,
    pub(crate) recorder: bool,
}

/// A role was asked for without what it needs.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "role {role} needs {keys}; set it in the config file or the environment, see `adda config print-default`"
)]
pub(crate) struct Missing {
    role: &'static str,
    keys: String,
}

impl Roles {
    pub(crate) const ALL: Self = Self { signaling: true, sfu: true, recorder: true };

    pub(crate) fn of(asked: &[cli::Role]) -> Self {
        let has = |role| asked.contains(&role);
        Self {
            signaling: has(cli::Role::Signaling),
            sfu: has(cli::Role::Sfu),
            recorder: has(cli::Role::Recorder),
        }
    }

    /// As they are announced.
    pub(crate) fn list(self) -> Vec<Role> {
        let all = [
            (self.signaling, Role::Signaling),
            (self.sfu, Role::Sfu),
            (self.recorder, Role::Recorder),
        ];
        all.into_iter().filter(|(has, _)| *has).map(|(_, role)| role).collect()
    }

    /// As they stand in log lines.
    pub(crate) fn names(self) -> String {
        let names = self.list().into_iter().map(|role| match role {
            Role::Signaling => "signaling",
            Role::Sfu => "sfu",
            Role::Recorder => "recorder",
        });
        names.collect::<Vec<_>>().join(",")
    }

    /// Says whether anything of it keeps sound or reads it.
    pub(crate) fn needs_stores(self) -> bool {
        self.signaling || self.recorder
    }

    /// Refuses a process of a pool whose parts are missing, naming the keys.
    pub(crate) fn check(self, config: &Config) -> Result<(), Missing> {
        let s3 = &config.s3;
        let stores = [
            ("database.url", config.database.url.is_empty()),
            ("s3.endpoint", s3.endpoint.is_empty()),
            ("s3.bucket", s3.bucket.is_empty()),
            ("s3.region", s3.region.is_empty()),
            ("s3.access_key", s3.access_key.is_empty()),
            ("s3.secret_key", s3.secret_key.is_empty()),
        ];
        let pool = [
            ("redis.url", config.redis.url.is_empty()),
            ("cluster.token", config.cluster.token.is_empty()),
        ];
        let keys = [("[keys]", config.keys.is_empty())];
        let needs = [
            (self.signaling, "signaling", [&keys[..], &pool, &stores].concat()),
            (self.sfu, "sfu", pool.to_vec()),
            (self.recorder, "recorder", [&pool[..], &stores].concat()),
        ];
        for (_, role, needed) in needs.into_iter().filter(|(has, ..)| *has) {
            let missing = needed.iter().filter(|(_, is_missing)| *is_missing);
            let keys: Vec<&str> = missing.map(|(key, _)| *key).collect();
            if !keys.is_empty() {
                return Err(Missing { role, keys: keys.join(", ") });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DEFAULT, Purpose};

    #[test]
    fn a_role_without_its_parts_is_refused_by_the_names_of_their_keys() {
        let mut config: Config = toml::from_str(DEFAULT).unwrap();
        let sfu = Roles::of(&[cli::Role::Sfu]);
        let refusal = sfu.check(&config).unwrap_err().to_string();
        assert!(refusal.contains("role sfu needs redis.url, cluster.token;"), "{refusal}");
        config.redis.url = "redis://here".to_owned();
        config.cluster.token = "secret".to_owned();
        assert_eq!(sfu.check(&config), Ok(()));

        let refusal = Roles::of(&[cli::Role::Signaling]).check(&config).unwrap_err().to_string();
        assert!(refusal.contains("role signaling needs database.url, s3.endpoint"), "{refusal}");
    }

    #[test]
    fn production_has_no_key_that_everybody_knows() {
        let config = Config::load(Purpose::Serve, None, toml::Table::new()).unwrap();
        let refusal = Roles::of(&[cli::Role::Signaling]).check(&config).unwrap_err().to_string();
        assert!(refusal.contains("needs [keys]"), "{refusal}");
    }
}
