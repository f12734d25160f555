//! Which addresses this machine has, for media and for phones.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Context as _;
use sfu_server::MediaAddress;

use crate::config::Config;

/// Interface addresses offered for media, besides loopback. More would only slow ICE down.
const INTERFACES_MAX: usize = 4;

/// Addresses other machines may know this one by, IPv4 first.
pub(crate) fn interfaces() -> Vec<IpAddr> {
    let all = if_addrs::get_if_addrs().unwrap_or_default();
    let mut addresses: Vec<IpAddr> =
        all.iter().map(if_addrs::Interface::ip).filter(|ip| is_offered(*ip)).collect();
    addresses.sort_by_key(IpAddr::is_ipv6);
    addresses.dedup();
    addresses.truncate(INTERFACES_MAX);
    addresses
}

/// Where media is received: loopback for this machine, and every interface, since
/// Firefox sends nothing to loopback.
pub(crate) fn media() -> Vec<MediaAddress> {
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST)].into_iter().chain(loopback_v6());
    loopback
        .chain(interfaces())
        .map(|address| MediaAddress { bind: address, advertise: address })
        .collect()
}

/// Every interface, by IPv6 too where the machine has it.
pub(crate) fn any() -> Vec<IpAddr> {
    let v6 = loopback_v6().map(|_| IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    [IpAddr::V4(Ipv4Addr::UNSPECIFIED)].into_iter().chain(v6).collect()
}

/// `::1`, where the machine has IPv6.
pub(crate) fn loopback_v6() -> Option<IpAddr> {
    let all = if_addrs::get_if_addrs().unwrap_or_default();
    let loopback = IpAddr::V6(Ipv6Addr::LOCALHOST);
    all.iter().any(|interface| interface.ip() == loopback).then_some(loopback)
}

/// Where the cluster port is bound.
pub(crate) fn cluster_listen(config: &Config) -> anyhow::Result<SocketAddr> {
    if config.cluster.listen.is_empty() {
        return Ok(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), cluster_port(config)?));
    }
    let listen = &config.cluster.listen;
    listen.parse().with_context(|| format!("cluster.listen {listen:?} is not ip:port"))
}

/// How other processes reach the cluster port, as `host:port`.
pub(crate) fn cluster_advertise(config: &Config) -> anyhow::Result<String> {
    if !config.cluster.advertise.is_empty() {
        return Ok(config.cluster.advertise.clone());
    }
    let listen = cluster_listen(config)?;
    let address = match listen.ip() {
        ip if ip.is_unspecified() => {
            interfaces().first().copied().unwrap_or(Ipv4Addr::LOCALHOST.into())
        }
        ip => ip,
    };
    Ok(SocketAddr::new(address, listen.port()).to_string())
}

/// One below HTTP.
fn cluster_port(config: &Config) -> anyhow::Result<u16> {
    let below = config.port.checked_sub(1).filter(|port| *port > 0);
    below.context("--port leaves no port below it for the cluster: choose a higher one")
}

fn is_offered(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_link_local() && !ip.is_unspecified(),
        // Link-local needs a scope that no candidate can carry.
        IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unicast_link_local() && !ip.is_unspecified(),
    }
}
