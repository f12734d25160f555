//! `POST /dev/token`: a token for whoever asks from here. Only `adda dev` has it.
//!
//! It hands out rights, so it must not serve other people's pages: not one of a foreign origin,
//! and not one that rebinds its own name to this address. Hence the checks of `Host` and `Origin`.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    Extension, Json,
    extract::{ConnectInfo, State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header, uri::Authority},
    response::{IntoResponse, Response},
};
use proto::{
    grants::{Grants, VideoGrant},
    ids::{Identity, RoomName},
};
use serde::Deserialize;
use serde_json::json;
use service::{clock, random, token::Validity};

use crate::{app::App, config::Dev, limits::DEV_TOKEN_LIFE, listen::Scheme, problem::Problem};

/// Who wants to go where.
#[derive(Deserialize)]
pub(crate) struct TokenRequest {
    room: RoomName,
    name: String,
}

pub(crate) async fn token(
    State(app): State<Arc<App>>,
    Extension(scheme): Extension<Scheme>,
    Extension(ConnectInfo(peer)): Extension<ConnectInfo<SocketAddr>>,
    headers: HeaderMap,
    body: Result<Json<TokenRequest>, JsonRejection>,
) -> Result<Response, Problem> {
    let dev = app.dev.ok_or(FOREIGN)?;
    let host = check_origin(dev, peer.ip(), scheme, &headers)?;
    let Json(TokenRequest { room, name }) = body.map_err(|_| BAD_REQUEST)?;
    let identity = identity_of(&name)?;
    let key = app.keys.first().ok_or_else(Problem::busy)?;
    let now = clock::unix_time();
    let validity = Validity { from: now, until: now.saturating_add(DEV_TOKEN_LIFE) };
    let grants = grants_of(&room, &identity, name);
    let token = app.keys.sign(key, grants, validity).map_err(|_| Problem::busy())?;
    let url = match scheme {
        Scheme::Plain => format!("ws://{host}"),
        Scheme::Tls => format!("wss://{host}"),
    };
    let body = json!({ "token": token, "url": url, "identity": identity.as_str() });
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

const FOREIGN: Problem = Problem::new(
    StatusCode::FORBIDDEN,
    "Development tokens are for pages of this server, opened by this machine's own name or address.",
);

const BAD_REQUEST: Problem = Problem::new(
    StatusCode::BAD_REQUEST,
    "Send {\"room\": …, \"name\": …} as application/json: a room of 1 to 256 bytes, a name of up to 64.",
);

/// Lets through who comes from here and calls us by a name that only we can have.
fn check_origin(
    dev: Dev,
    peer: IpAddr,
    scheme: Scheme,
    headers: &HeaderMap,
) -> Result<Authority, Problem> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host: Authority = text(header::HOST).and_then(|host| host.parse().ok()).ok_or(FOREIGN)?;
    if !is_near(dev, peer) || !is_our_name(dev, host.host()) {
        return Err(FOREIGN);
    }
    let scheme = match scheme {
        Scheme::Plain => "http",
        Scheme::Tls => "https",
    };
    match headers.get(header::ORIGIN) {
        // Not a browser's page.
        None => Ok(host),
        Some(origin) if origin.as_bytes() == format!("{scheme}://{host}").as_bytes() => Ok(host),
        Some(_) => Err(FOREIGN),
    }
}

fn is_near(dev: Dev, address: IpAddr) -> bool {
    let address = address.to_canonical();
    match dev {
        Dev::Loopback => address.is_loopback(),
        Dev::Lan => address.is_loopback() || is_local_network(address),
    }
}

fn is_local_network(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local(),
    }
}

/// Names that no stranger can point at us: addresses, `localhost`, and what mDNS resolves.
fn is_our_name(dev: Dev, host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    if let Ok(address) = host.parse() {
        return is_near(dev, address);
    }
    let is_localhost = host == "localhost" || host.ends_with(".localhost");
    is_localhost || dev == Dev::Lan && host.ends_with(".local")
}

/// The name, and something that keeps two people of one name apart.
fn identity_of(name: &str) -> Result<Identity, Problem> {
    let bits: [u8; 4] = random::bytes().map_err(|_| Problem::busy())?;
    let suffix = u32::from_be_bytes(bits);
    let name = name.trim();
    if name.is_empty() || name.len() > crate::limits::DEV_NAME_BYTES_MAX {
        return Err(BAD_REQUEST);
    }
    format!("{name}-{suffix:08x}").parse().map_err(|_| BAD_REQUEST)
}

fn grants_of(room: &RoomName, identity: &Identity, name: String) -> Grants {
    let video = VideoGrant {
        room: room.as_str().to_owned(),
        room_join: true,
        can_publish: Some(true),
        can_subscribe: Some(true),
        can_publish_data: Some(true),
        can_update_own_metadata: Some(true),
        ..VideoGrant::default()
    };
    Grants {
        identity: identity.as_str().to_owned(),
        name: name.trim().to_owned(),
        video: Some(video),
        ..Grants::default()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    const HERE: &str = "127.0.0.1";
    const NEIGHBOUR: &str = "192.168.1.20";

    fn asks(dev: Dev, peer: &str, pairs: &[(HeaderName, &'static str)]) -> bool {
        let headers: HeaderMap = pairs
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect();
        check_origin(dev, peer.parse().unwrap(), Scheme::Plain, &headers).is_ok()
    }

    #[test]
    fn this_machines_names_are_let_through() {
        for host in ["localhost:7880", "127.0.0.1:7880", "[::1]:7880", "app.localhost"] {
            assert!(asks(Dev::Loopback, HERE, &[(header::HOST, host)]), "{host}");
        }
        let own = [(header::HOST, "localhost:7880"), (header::ORIGIN, "http://localhost:7880")];
        assert!(asks(Dev::Loopback, "::ffff:127.0.0.1", &own));
    }

    #[test]
    fn a_name_that_was_rebound_to_us_is_refused() {
        for host in ["evil.example:7880", "127.0.0.1.evil.example", "203.0.113.5", ""] {
            assert!(!asks(Dev::Loopback, HERE, &[(header::HOST, host)]), "{host}");
            assert!(!asks(Dev::Lan, HERE, &[(header::HOST, host)]), "{host}");
        }
        assert!(!asks(Dev::Loopback, HERE, &[]));
    }

    #[test]
    fn a_page_of_another_origin_is_refused() {
        for origin in
            ["http://evil.example", "null", "http://localhost:3000", "https://localhost:7880"]
        {
            let pairs = [(header::HOST, "localhost:7880"), (header::ORIGIN, origin)];
            assert!(!asks(Dev::Loopback, HERE, &pairs), "{origin}");
        }
    }

    #[test]
    fn the_local_network_is_let_in_only_when_told() {
        let pairs = [(header::HOST, "192.168.1.7:7443")];
        assert!(asks(Dev::Lan, NEIGHBOUR, &pairs));
        assert!(asks(Dev::Lan, NEIGHBOUR, &[(header::HOST, "laptop.local:7443")]));
        assert!(!asks(Dev::Loopback, NEIGHBOUR, &pairs));
        assert!(!asks(Dev::Loopback, HERE, &pairs));
        assert!(!asks(Dev::Lan, "203.0.113.9", &pairs));
    }
}
