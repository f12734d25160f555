//! The registry that roles put their metrics into, and its text form.

pub use prometheus_client::registry::Registry;

use prometheus_client::metrics::info::Info;

/// Makes the process's registry. Every name in it starts with `adda_`.
pub fn registry(version: &'static str) -> Registry {
    let mut registry = Registry::with_prefix("adda");
    registry.register("build", "What is running", Info::new([("version", version)]));
    registry
}
