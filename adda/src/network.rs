//! Which addresses this machine has, for media and for phones.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sfu_server::MediaAddress;

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

/// Where media is received in dev mode: loopback for this machine, and every interface, since
/// Firefox sends nothing to loopback.
pub(crate) fn media() -> Vec<MediaAddress> {
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST)].into_iter().chain(loopback_v6());
    loopback
        .chain(interfaces())
        .map(|address| MediaAddress { bind: address, advertise: address })
        .collect()
}

/// `::1`, where the machine has IPv6.
pub(crate) fn loopback_v6() -> Option<IpAddr> {
    let all = if_addrs::get_if_addrs().unwrap_or_default();
    let loopback = IpAddr::V6(Ipv6Addr::LOCALHOST);
    all.iter().any(|interface| interface.ip() == loopback).then_some(loopback)
}

fn is_offered(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_link_local() && !ip.is_unspecified(),
        // Link-local needs a scope that no candidate can carry.
        IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unicast_link_local() && !ip.is_unspecified(),
    }
}
