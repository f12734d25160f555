//! Stories and laws of placement, in virtual time.

#[cfg(test)]
mod laws;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod world;
