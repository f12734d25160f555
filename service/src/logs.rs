//! Where log lines go and how they look: for people on a terminal, for machines elsewhere.
//!
//! Levels come from the environment ([`LEVELS_VARIABLE`], in `tracing`'s directive form) and are
//! `info` by default. Tokens and addresses are DEBUG at most, everywhere.

mod json;

use std::{
    env,
    io::{self, IsTerminal as _},
};

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// Environment variable with the levels, e.g. `info,signaling_server=debug`.
pub const LEVELS_VARIABLE: &str = "ADDA_LOG_LEVELS";

/// Libraries whose INFO isn't ours: `dcsctp` prints whole packets. Asked for by name, they speak.
const QUIET: &str = "dcsctp=warn,dimpl=warn";

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people when standard error is a terminal, else for machines.
    #[default]
    Auto,
    /// For people: one coloured line each.
    Pretty,
    /// For machines: one JSON object a line.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    #[error("{LEVELS_VARIABLE} is not understood: {0}. Write it like info,signaling_server=debug")]
    Levels(#[from] tracing_subscriber::filter::ParseError),
    #[error("logging was already set up")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Sends the process's log lines to standard error. To be called once, before anything logs.
/// Lines for machines say of which node they are, and which roles it has.
pub fn set_up(format: Format, node: &str, roles: &str) -> Result<(), SetUpError> {
    let levels = env::var(LEVELS_VARIABLE).unwrap_or_else(|_| "info".to_owned());
    let filter = EnvFilter::builder().parse(format!("{QUIET},{levels}"))?;
    let subscriber = tracing_subscriber::registry().with(filter);
    match format {
        Format::Auto if io::stderr().is_terminal() => pretty(subscriber),
        Format::Pretty => pretty(subscriber),
        Format::Auto | Format::Json => {
            let fields = [("node", node), ("roles", roles)];
            let process =
                fields.map(|(name, value)| (name.to_owned(), value.into())).into_iter().collect();
            let layer = fmt::layer()
                .fmt_fields(fmt::format::JsonFields::new())
                .event_format(json::Lines { process })
                .with_writer(io::stderr);
            Ok(subscriber.with(layer).try_init()?)
        }
    }
}

fn pretty<S>(subscriber: S) -> Result<(), SetUpError>
where
    S: tracing::Subscriber
        + for<'a> tracing_subscriber::registry::LookupSpan<'a>
        + Send
        + Sync
        + 'static,
{
    let layer = fmt::layer().with_target(false).with_writer(io::stderr);
    Ok(subscriber.with(layer).try_init()?)
}
