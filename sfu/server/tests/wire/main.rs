//! A node on real sockets, heard through its links.

#![cfg(test)]

mod caller;
mod cluster;
mod links;
mod node;
