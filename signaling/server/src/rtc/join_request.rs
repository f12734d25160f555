//! The `join_request` of `/rtc/v1`: base64url around a wrapper around a message that may be packed.

use std::io::Read as _;

use axum::http::StatusCode;
use base64::{
    Engine as _,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use flate2::read::GzDecoder;
use prost::Message as _;
use proto::livekit::{JoinRequest, WrappedJoinRequest, wrapped_join_request::Compression};

use crate::{access::Refusal, limits::JOIN_REQUEST_BYTES_MAX};

/// Recorded clients pad; RFC 7515 doesn't.
const PADDED_OR_NOT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Unwraps a join request.
pub(super) fn decode(text: &str) -> Result<JoinRequest, Refusal> {
    let bytes = PADDED_OR_NOT
        .decode(text)
        .map_err(|_| refusal("cannot base64 decode wrapped join request"))?;
    let wrapped = WrappedJoinRequest::decode(bytes.as_slice())
        .map_err(|_| refusal("cannot decode wrapped join request"))?;
    let packed = wrapped.join_request.as_slice();
    let unpacked = match wrapped.compression() {
        Compression::None => packed.to_vec(),
        Compression::Gzip => unpack(packed)?,
    };
    JoinRequest::decode(unpacked.as_slice()).map_err(|_| refusal("cannot decode join request"))
}

/// Unpacks no more than a join request may hold, whatever the packed form promises.
fn unpack(packed: &[u8]) -> Result<Vec<u8>, Refusal> {
    let limit = u64::try_from(JOIN_REQUEST_BYTES_MAX).unwrap_or(u64::MAX);
    let mut unpacked = Vec::new();
    GzDecoder::new(packed)
        .take(limit.saturating_add(1))
        .read_to_end(&mut unpacked)
        .map_err(|_| refusal("cannot decompress join request"))?;
    if unpacked.len() > JOIN_REQUEST_BYTES_MAX {
        return Err(refusal("join request is too large"));
    }
    Ok(unpacked)
}

fn refusal(text: &'static str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, text)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use base64::engine::general_purpose::{URL_SAFE as PADDED, URL_SAFE_NO_PAD};
    use flate2::{Compression as Level, write::GzEncoder};

    use super::*;

    fn wrap(compression: Compression, join_request: Vec<u8>) -> Vec<u8> {
        WrappedJoinRequest { compression: compression.into(), join_request }.encode_to_vec()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Level::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn packed_or_not_and_padded_or_not_it_is_the_same_request() {
        let request = JoinRequest { metadata: "m".to_owned(), ..JoinRequest::default() };
        let bytes = request.encode_to_vec();
        for wrapped in
            [wrap(Compression::None, bytes.clone()), wrap(Compression::Gzip, gzip(&bytes))]
        {
            for text in [PADDED.encode(&wrapped), URL_SAFE_NO_PAD.encode(&wrapped)] {
                assert_eq!(decode(&text).unwrap(), request);
            }
        }
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_unpacked() {
        let bomb = gzip(&vec![0; 64 * 1024 * 1024]);
        assert!(bomb.len() < 100_000, "a thousand times smaller than what it holds");
        let refused = decode(&PADDED.encode(wrap(Compression::Gzip, bomb))).unwrap_err();
        assert_eq!(refused.text, "join request is too large");
    }

    #[test]
    fn anything_else_is_refused() {
        for garbage in ["x!", "AAAA", "=", "____"] {
            assert_eq!(decode(garbage).unwrap_err().status, StatusCode::BAD_REQUEST, "{garbage}");
        }
        let cut = wrap(Compression::Gzip, gzip(b"x")[..8].to_vec());
        assert!(decode(&PADDED.encode(cut)).is_err());
    }
}
