//! Randomness for names, credentials and starting points.

use anyhow::Context;
use aws_lc_rs::rand;

pub(crate) fn bytes<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).ok().context("no randomness")?;
    Ok(bytes)
}

/// Letters and digits that ICE and room names may have, two a byte.
pub(crate) fn text<const N: usize>() -> anyhow::Result<String> {
    Ok(bytes::<N>()?.iter().map(|byte| format!("{byte:02x}")).collect())
}
