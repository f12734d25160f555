//! Whoever asks something of `/v1`: a token that is signed and good, and was not revoked since.

use axum::http::HeaderMap;
use service::token::Claims;

use crate::{
    access,
    app::App,
    problem::{NO_TOKEN, Problem, REVOKED},
    revocations,
};

/// What the bearer token of a request says.
pub(crate) async fn claims(app: &App, headers: &HeaderMap) -> Result<Claims, Problem> {
    let token = access::bearer(headers).ok().flatten().ok_or(NO_TOKEN)?;
    let claims = access::verify(&app.keys, token).map_err(|_| NO_TOKEN)?;
    match revocations::is_revoked(&app.owners.database, &claims).await? {
        false => Ok(claims),
        true => Err(REVOKED),
    }
}
