//! Which addresses this machine has, for media and for phones.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Context as _;
use sfu_server::MediaAddress;

use crate::config::{Config, Media};

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

/// Why media can't be received, or offered, as the configuration says. Each says how to mend it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MediaError {
    #[error(
        "media.listen can't be {0}: answers must leave from where packets came in, so name addresses of this machine, or leave it empty for all"
    )]
    Wildcard(IpAddr),
    #[error(
        "media.advertise can't be {0}, which nobody can send to: give the address by which clients reach this machine"
    )]
    Unreachable(IpAddr),
    #[error(
        "media.advertise has two addresses of one family, {0} and {1}: keep the one that clients reach"
    )]
    Two(IpAddr, IpAddr),
    #[error(
        "media.advertise has {0}, but no address of its family is bound: add one to media.listen, or take it out"
    )]
    Unbound(IpAddr),
}

/// Refuses what is wrong whatever addresses this machine has.
pub(crate) fn check(media: &Media) -> Result<(), MediaError> {
    if let Some(any) = media.listen.iter().find(IpAddr::is_unspecified) {
        return Err(MediaError::Wildcard(any));
    }
    for address in media.advertise.iter() {
        if !is_sendable(address) {
            return Err(MediaError::Unreachable(address));
        }
        if let Some(first) = media.advertise.like(address).filter(|first| *first != address) {
            return Err(MediaError::Two(first, address));
        }
        if !media.listen.is_empty() && media.listen.like(address).is_none() {
            return Err(MediaError::Unbound(address));
        }
    }
    Ok(())
}

/// Where media is received: where the configuration says, else on loopback for this machine and on
/// every interface, since Firefox sends nothing to loopback.
///
/// # Errors
///
/// When an address is to be offered that nothing bound can stand for.
pub(crate) fn media(media: &Media) -> Result<Vec<MediaAddress>, MediaError> {
    let bound: Vec<IpAddr> = if media.listen.is_empty() {
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST)].into_iter().chain(loopback_v6());
        // Nobody from outside arrives on loopback.
        let loopback = loopback.filter(|ip| media.advertise.like(*ip).is_none());
        loopback.chain(interfaces()).collect()
    } else {
        media.listen.iter().collect()
    };
    let stands_for = |public: IpAddr| bound.iter().any(|ip| ip.is_ipv4() == public.is_ipv4());
    if let Some(public) = media.advertise.iter().find(|public| !stands_for(*public)) {
        return Err(MediaError::Unbound(public));
    }
    let offered = |bind: IpAddr| media.advertise.like(bind).unwrap_or(bind);
    Ok(bound.iter().map(|ip| MediaAddress { bind: *ip, advertise: offered(*ip) }).collect())
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

/// Says whether a client could send to it, wherever it is.
fn is_sendable(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => is_offered(ip) && !v4.is_multicast() && !v4.is_broadcast(),
        IpAddr::V6(v6) => is_offered(ip) && !v6.is_multicast(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(listen: &str, advertise: &str) -> Media {
        Media { listen: listen.parse().unwrap(), advertise: advertise.parse().unwrap() }
    }

    fn offers(listen: &str, advertise: &str) -> Vec<String> {
        let media = media(&told(listen, advertise)).unwrap();
        media.iter().map(|it| format!("{} as {}", it.bind, it.advertise)).collect()
    }

    #[test]
    fn each_family_is_offered_by_its_public_address_or_as_it_is_bound() {
        assert_eq!(offers("10.0.0.7", ""), ["10.0.0.7 as 10.0.0.7"]);
        assert_eq!(
            offers("10.0.0.7, fd00::7", "203.0.113.7"),
            ["10.0.0.7 as 203.0.113.7", "fd00::7 as fd00::7"]
        );
        assert_eq!(
            offers("10.0.0.7, fd00::7", "2001:db8::7, 203.0.113.7"),
            ["10.0.0.7 as 203.0.113.7", "fd00::7 as 2001:db8::7"]
        );
    }

    #[test]
    fn a_machine_with_a_public_address_offers_no_other_of_that_family() {
        let everything = media(&told("", "")).unwrap();
        assert!(everything.iter().any(|it| it.advertise.is_loopback()));
        let Ok(behind_nat) = media(&told("", "203.0.113.7")) else {
            // On a machine without any network.
            assert_eq!(interfaces(), Vec::<IpAddr>::new());
            return;
        };
        let v4 = behind_nat.iter().filter(|it| it.bind.is_ipv4());
        assert!(v4.clone().count() > 0);
        assert!(v4.clone().all(|it| it.advertise.to_string() == "203.0.113.7"), "{behind_nat:?}");
        assert!(v4.clone().all(|it| !it.bind.is_loopback()), "{behind_nat:?}");
    }

    #[test]
    fn what_cannot_work_is_refused_in_one_line_that_says_how_to_mend_it() {
        for (listen, advertise, said) in [
            ("0.0.0.0", "", "leave it empty"),
            ("::", "", "leave it empty"),
            ("", "127.0.0.1", "by which clients reach"),
            ("", "0.0.0.0", "by which clients reach"),
            ("", "224.0.0.1", "by which clients reach"),
            ("", "fe80::1", "by which clients reach"),
            ("", "203.0.113.7, 203.0.113.8", "keep the one"),
            ("10.0.0.7", "2001:db8::7", "add one to media.listen"),
        ] {
            let refusal = check(&told(listen, advertise)).unwrap_err().to_string();
            assert!(refusal.contains(said) && !refusal.contains('\n'), "{refusal}");
        }
        assert_eq!(check(&told("10.0.0.7", "203.0.113.7")), Ok(()));
    }
}
