//! What is in the files, as an independent reader of Ogg finds them.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "helpers of tests may fail the test")]

#[path = "files/arrival.rs"]
mod arrival;
#[path = "files/bench.rs"]
mod bench;
#[path = "files/holes.rs"]
mod holes;
#[path = "files/order.rs"]
mod order;
#[path = "files/pages.rs"]
mod pages;
#[path = "files/rooms.rs"]
mod rooms;
#[path = "files/whole.rs"]
mod whole;
