//! Stories of calls, told through the four verbs in virtual time.

mod client;
mod joining;
mod world;
