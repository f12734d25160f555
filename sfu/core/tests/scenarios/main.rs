//! Stories of calls, told through the four verbs in virtual time.

#![cfg(test)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks for one kind of message and lets the others pass"
)]

mod client;
mod data;
mod echo;
mod epochs;
mod forwarding;
mod hearing;
mod joining;
mod leaving;
mod links;
mod moderating;
mod presenting;
mod reporting;
mod resuming;
mod speaking;
mod two_connections;
mod world;
