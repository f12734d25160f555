//! What is in the files, as an independent reader of Ogg finds them.

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
