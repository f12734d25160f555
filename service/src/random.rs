//! Randomness that nobody can guess, from the operating system through our crypto library.

use aws_lc_rs::rand;

/// The system's source of randomness failed. There is no safe way to go on.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the system's random source failed")]
pub struct NoRandomness;

/// Returns `N` random bytes.
pub fn bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// Returns 128 random bits, enough for an id that must never repeat.
pub fn bits() -> Result<u128, NoRandomness> {
    bytes().map(u128::from_be_bytes)
}
