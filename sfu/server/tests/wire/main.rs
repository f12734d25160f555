//! A node on real sockets, heard through its links.

#![cfg(test)]

mod caller;
mod cluster;
mod health;
mod links;
mod node;
mod stun;
