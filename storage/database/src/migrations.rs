//! The schema's history. A migration that ran somewhere is never edited: its checksum is kept.

use sqlx::{
    SqlStr,
    migrate::{Migration, MigrationType, Migrator},
};

macro_rules! migrations {
    ($store:literal: $($version:literal $name:literal),+ $(,)?) => {
        vec![$(migration(
            $version,
            $name,
            include_str!(concat!("../migrations/", $store, "/000", $version, "_", $name, ".sql")),
        )),+]
    };
}

pub(crate) fn sqlite() -> Migrator {
    Migrator::with_migrations(
        migrations!["sqlite": 1 "rooms", 2 "boots", 3 "recordings", 4 "notes", 5 "pieces", 6 "note_names", 7 "revocations"],
    )
}

/// Two nodes that start at once take turns: the migrator holds an advisory lock.
pub(crate) fn postgres() -> Migrator {
    Migrator::with_migrations(
        migrations!["postgres": 1 "rooms", 2 "boots", 3 "recordings", 4 "notes", 5 "pieces", 6 "note_names", 7 "revocations"],
    )
}

fn migration(version: i64, name: &'static str, sql: &'static str) -> Migration {
    let sql = SqlStr::from_static(sql);
    Migration::new(version, name.into(), MigrationType::Simple, sql, false)
}
