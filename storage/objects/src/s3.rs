//! Objects in an S3 bucket, through the AWS SDK.

mod failure;

use std::{fmt, ops::RangeInclusive, path::Path, time::Duration};

use aws_sdk_s3::{
    Client, Config,
    config::{
        BehaviorVersion, Credentials, Region, RequestChecksumCalculation,
        ResponseChecksumValidation, StalledStreamProtectionConfig, retry::RetryConfig,
        timeout::TimeoutConfig,
    },
    presigning::{PresignedRequest, PresigningConfig},
    primitives::ByteStream,
    types::{CorsConfiguration, CorsRule},
};
use tracing::{info, warn};

use self::failure::{Failure, failure, refused};
use crate::{
    Head, Object,
    digest::{Hasher, Sha256},
    error::{PutError, StoreError},
    key::Key,
    limits::{
        CALL_TIME, CONNECT_TIME, CORS_AGE, LISTED_MAX, SIGNED_LIFE_MAX, STALL_TIME, TRIES,
        TRY_TIME, UPLOAD_BYTES_PER_SECOND_MIN,
    },
    signed::{SignGet, SignPut, SignedRequest, disposition},
    stream::Stream,
};

/// Where a bucket is and who we are to it.
#[derive(Clone)]
pub struct S3Config {
    /// As clients reach it, too: signed URLs lead there. `https://s3.eu-central-1.amazonaws.com`.
    pub endpoint: String,
    pub bucket: String,
    pub region: String,
    pub access_key: String,
    pub secret_key: String,
}

impl fmt::Debug for S3Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3Config({}/{})", self.endpoint, self.bucket)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct S3 {
    client: Client,
    bucket: String,
    origin: String,
}

impl S3 {
    pub(crate) fn new(config: &S3Config) -> Self {
        let credentials =
            Credentials::new(&config.access_key, &config.secret_key, None, None, "adda");
        let stalls = StalledStreamProtectionConfig::enabled()
            .upload_enabled(true)
            .download_enabled(true)
            .grace_period(STALL_TIME)
            .build();
        let sdk = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .endpoint_url(&config.endpoint)
            .region(Region::new(config.region.clone()))
            .credentials_provider(credentials)
            // Stores other than Amazon's know no bucket as a host, and not every checksum.
            .force_path_style(true)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .retry_config(RetryConfig::standard().with_max_attempts(TRIES))
            .timeout_config(times(TRY_TIME, CALL_TIME))
            .stalled_stream_protection(stalls)
            .build();
        let origin = origin_of(&config.endpoint).to_owned();
        Self { client: Client::from_conf(sdk), bucket: config.bucket.clone(), origin }
    }

    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Tries once: whoever asks looks again soon.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        let once = Config::builder().retry_config(RetryConfig::disabled());
        let head = self.client.head_bucket().bucket(&self.bucket).customize();
        let head = head.config_override(once).send().await;
        head.map(drop).map_err(|error| failure(error).into_store())
    }

    pub(crate) async fn prepare(&self) -> Result<(), StoreError> {
        let head = self.client.head_bucket().bucket(&self.bucket).send().await;
        head.map_err(|error| failure(error).into_store())?;
        match self.client.get_bucket_cors().bucket(&self.bucket).send().await {
            // The operator's rules are the operator's.
            Ok(_) => {}
            Err(error) => match failure(error) {
                Failure::Missing => self.allow_pages().await,
                other @ (Failure::Exists | Failure::Checksum | Failure::Store(_)) => {
                    warn!(error = %other.into_store(), "the bucket's CORS rules are unknown");
                }
            },
        }
        Ok(())
    }

    /// Lets pages of any origin send and play what they hold a signed URL for.
    async fn allow_pages(&self) {
        let rule = CorsRule::builder()
            .set_allowed_methods(Some(["GET", "HEAD", "PUT"].map(str::to_owned).to_vec()))
            .allowed_origins("*")
            .allowed_headers("*")
            .set_expose_headers(Some(["Content-Range", "ETag"].map(str::to_owned).to_vec()))
            .max_age_seconds(i32::try_from(CORS_AGE.as_secs()).unwrap_or(i32::MAX))
            .build();
        let rules = rule.and_then(|rule| CorsConfiguration::builder().cors_rules(rule).build());
        let Ok(rules) = rules else { return };
        let put = self.client.put_bucket_cors().bucket(&self.bucket).cors_configuration(rules);
        match put.send().await {
            Ok(_) => info!("the bucket's CORS rules were set"),
            Err(error) => warn!(
                error = %failure(error).into_store(),
                "the bucket has no CORS rules: pages can't send or play voice notes until it \
                 allows GET, HEAD and PUT from their origins"
            ),
        }
    }

    pub(crate) async fn put_file(
        &self,
        key: &Key,
        path: &Path,
        content_type: &str,
        sha256: Sha256,
    ) -> Result<(), PutError> {
        let about = tokio::fs::metadata(path).await.map_err(PutError::Source)?;
        let body = ByteStream::read_from().path(path).build().await;
        let body = body.map_err(|error| PutError::Source(std::io::Error::other(error)))?;
        // A file on the way takes its time, but not for ever.
        let time = TRY_TIME + Duration::from_secs(about.len() / UPLOAD_BYTES_PER_SECOND_MIN);
        let patient = Config::builder().timeout_config(times(time, time.saturating_mul(TRIES)));
        let put = self.client.put_object().bucket(&self.bucket).key(key.as_str());
        let put = put.content_type(content_type).checksum_sha256(sha256.to_base64());
        let put = put.if_none_match("*").body(body).customize().config_override(patient);
        match put.send().await.map_err(failure) {
            Ok(_) => Ok(()),
            Err(Failure::Exists) => self.check(key, sha256).await,
            Err(Failure::Checksum) => Err(PutError::Mismatch),
            Err(other) => Err(other.into_store().into()),
        }
    }

    /// Checks that what has `key` is the same.
    async fn check(&self, key: &Key, sha256: Sha256) -> Result<(), PutError> {
        // Gone again at once: as good as taken.
        let Some(mut found) = self.get(key, None).await? else { return Err(PutError::Taken) };
        let mut hasher = Hasher::new();
        while let Some(chunk) = found.stream.next().await {
            hasher.update(&chunk?);
        }
        if hasher.finish() == sha256 { Ok(()) } else { Err(PutError::Taken) }
    }

    pub(crate) async fn head(&self, key: &Key) -> Result<Option<Head>, StoreError> {
        let head = self.client.head_object().bucket(&self.bucket).key(key.as_str());
        let head = there(head.send().await.map_err(failure))?;
        Ok(head.map(|head| Head { bytes: length(head.content_length()) }))
    }

    pub(crate) async fn get(
        &self,
        key: &Key,
        range: Option<RangeInclusive<u64>>,
    ) -> Result<Option<Object>, StoreError> {
        let range = range.map(|range| format!("bytes={}-{}", range.start(), range.end()));
        let get = self.client.get_object().bucket(&self.bucket).key(key.as_str());
        let Some(found) = there(get.set_range(range).send().await.map_err(failure))? else {
            return Ok(None);
        };
        let whole = found.content_range().and_then(|range| range.rsplit_once('/'));
        let whole = whole.and_then(|(_, whole)| whole.parse().ok());
        let bytes = whole.unwrap_or_else(|| length(found.content_length()));
        Ok(Some(Object { bytes, stream: Stream::of_s3(found.body) }))
    }

    pub(crate) async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let delete = self.client.delete_object().bucket(&self.bucket).key(key.as_str());
        there(delete.send().await.map_err(failure))?;
        Ok(())
    }

    pub(crate) async fn list(
        &self,
        prefix: &str,
        after: Option<&Key>,
    ) -> Result<Vec<Key>, StoreError> {
        let list = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix);
        let list = list.set_start_after(after.map(Key::to_string));
        let list = list.max_keys(i32::try_from(LISTED_MAX).unwrap_or(i32::MAX));
        let page = list.send().await.map_err(|error| failure(error).into_store())?;
        // What isn't one of our keys was put there by somebody else.
        let keys = page.contents().iter().filter_map(|object| object.key()?.parse().ok());
        Ok(keys.collect())
    }

    pub(crate) async fn sign_get(
        &self,
        key: &Key,
        get: &SignGet<'_>,
        now: Duration,
    ) -> Result<SignedRequest, StoreError> {
        let life = get.expires.min(SIGNED_LIFE_MAX);
        let request = self.client.get_object().bucket(&self.bucket).key(key.as_str());
        let request = request
            .response_content_type(get.content_type)
            .response_content_disposition(disposition(get.filename))
            .response_cache_control(format!("private, max-age={}, immutable", life.as_secs()));
        let signed = request.presigned(expires_in(life)?).await.map_err(refused)?;
        Ok(of_presigned("GET", &signed, now + life))
    }

    pub(crate) async fn sign_put(
        &self,
        key: &Key,
        put: &SignPut<'_>,
        now: Duration,
    ) -> Result<SignedRequest, StoreError> {
        let life = put.expires.min(SIGNED_LIFE_MAX);
        let request = self.client.put_object().bucket(&self.bucket).key(key.as_str());
        let request = request
            .content_length(i64::try_from(put.bytes).unwrap_or(i64::MAX))
            .content_type(put.content_type)
            .checksum_sha256(put.sha256.to_base64());
        let signed = request.presigned(expires_in(life)?).await.map_err(refused)?;
        Ok(of_presigned("PUT", &signed, now + life))
    }
}

fn times(one_try: Duration, all_tries: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIME)
        .read_timeout(one_try)
        .operation_attempt_timeout(one_try)
        .operation_timeout(all_tries)
        .build()
}

fn expires_in(life: Duration) -> Result<PresigningConfig, StoreError> {
    PresigningConfig::expires_in(life).map_err(refused)
}

fn of_presigned(
    method: &'static str,
    signed: &PresignedRequest,
    expires_at: Duration,
) -> SignedRequest {
    // Whoever sends a body says its length anyway; pages may not set that header themselves.
    let headers = signed.headers().filter(|(name, _)| !name.eq_ignore_ascii_case("content-length"));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    let url = signed.uri().to_owned();
    SignedRequest { method, url, headers: headers.collect(), expires_at }
}

fn there<T>(result: Result<T, Failure>) -> Result<Option<T>, StoreError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(Failure::Missing) => Ok(None),
        Err(other) => Err(other.into_store()),
    }
}

fn length(header: Option<i64>) -> u64 {
    header.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default()
}

/// Scheme, host and port: what stands before the path.
fn origin_of(endpoint: &str) -> &str {
    let authority = endpoint.find("://").map_or(0, |at| at + 3);
    let path = endpoint.get(authority..).and_then(|rest| rest.find('/'));
    path.and_then(|at| endpoint.get(..authority + at)).unwrap_or(endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_ends_where_the_path_begins() {
        for (endpoint, origin) in [
            ("https://s3.example.com", "https://s3.example.com"),
            ("http://127.0.0.1:7900/", "http://127.0.0.1:7900"),
            ("https://host/store/v1", "https://host"),
        ] {
            assert_eq!(origin_of(endpoint), origin);
        }
    }
}
