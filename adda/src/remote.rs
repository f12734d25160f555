//! Asks a running server's HTTP API, as whoever has an API key.

use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use proto::grants::{Grants, VideoGrant};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use service::{
    clock,
    token::{Keys, Validity},
};

/// Which server, as whom, and how the answer is printed.
#[derive(Debug, Args)]
pub(crate) struct Remote {
    /// The server
    #[arg(long, default_value = "ws://127.0.0.1:7880", env = "ADDA_URL")]
    url: String,
    /// API key
    #[arg(long, default_value = "devkey", env = "ADDA_KEY")]
    key: String,
    /// Secret of that key
    #[arg(long, default_value = "secret", env = "ADDA_SECRET", hide_env_values = true)]
    secret: String,
    /// text or json
    #[arg(short, long, default_value = "text", value_parser = ["text", "json"])]
    output: String,
}

/// For the whole of a request. The server gives up on its own parts sooner.
const PATIENCE: Duration = Duration::from_secs(30);

/// Life of a token that is used at once.
const TOKEN_LIFE: Duration = Duration::from_secs(60);

impl Remote {
    pub(crate) fn wants_json(&self) -> bool {
        self.output == "json"
    }

    /// Sends a request with a token that has `rights`, and returns the answer.
    ///
    /// # Errors
    ///
    /// When there is no answer, or a refusal: says what the server said.
    pub(crate) fn call(
        &self,
        method: Method,
        path: &str,
        rights: VideoGrant,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.send(method, path, rights, body))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        rights: VideoGrant,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let base = base_of(&self.url)?;
        let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
        let mut request =
            client.request(method, format!("{base}{path}")).bearer_auth(self.token(rights)?);
        if let Some(body) = body {
            request = request.json(body);
        }
        let unreachable = || format!("no answer from {base}: is the server running there (--url)?");
        let response = request.send().await.with_context(unreachable)?;
        let status = response.status();
        let text = response.text().await.with_context(unreachable)?;
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        if status.is_success() {
            return Ok(answer);
        }
        let said = answer.get("detail").or_else(|| answer.get("msg")).and_then(Value::as_str);
        let said = said.unwrap_or(text.trim());
        if status == StatusCode::UNAUTHORIZED {
            bail!("{base} refused key {:?} (--key, --secret): {said}", self.key);
        }
        bail!("{base} answered {status}: {said}")
    }

    fn token(&self, rights: VideoGrant) -> anyhow::Result<String> {
        let keys = Keys::new([(self.key.clone(), self.secret.clone())]);
        let now = clock::unix_time();
        let grants = Grants { video: Some(rights), ..Grants::default() };
        let validity = Validity { from: now, until: now.saturating_add(TOKEN_LIFE) };
        Ok(keys.sign(&self.key, grants, validity)?)
    }
}

/// The address of HTTP, whichever way the server's address was written.
fn base_of(url: &str) -> anyhow::Result<String> {
    let (scheme, rest) = url.split_once("://").context("--url needs ws:// or http:// in front")?;
    let scheme = match scheme {
        "ws" | "http" => "http",
        "wss" | "https" => "https",
        other => bail!("--url can't begin with {other}://; use ws:// or wss://"),
    };
    Ok(format!("{scheme}://{}", rest.trim_end_matches('/')))
}

/// A segment of a path, whatever the name has in it.
pub(crate) fn segment(name: &str) -> String {
    name.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_the_sdks_is_taken_for_http_too() {
        assert_eq!(base_of("ws://here:1/").unwrap(), "http://here:1");
        assert_eq!(base_of("wss://here").unwrap(), "https://here");
        assert!(base_of("here:7880").unwrap_err().to_string().contains("--url"));
        assert!(base_of("ftp://here").is_err());
    }

    #[test]
    fn a_room_name_cannot_lead_out_of_its_place_in_a_path() {
        assert_eq!(segment("a/../b?c=d#é"), "a%2F..%2Fb%3Fc%3Dd%23%C3%A9");
    }
}
