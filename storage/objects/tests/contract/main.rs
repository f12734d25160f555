//! What an object store must do, asked of the folder and of a real S3 server alike.

#[cfg(test)]
mod client;
#[cfg(test)]
mod filesystem;
#[cfg(test)]
mod s3_on_versitygw;
#[cfg(test)]
mod signed;
#[cfg(test)]
mod stored;

/// Runs the whole contract on the store that `$start` makes.
#[cfg(test)]
macro_rules! holds_on {
    ($start:path) => {
        holds_on!($start, stored: [
            what_is_put_is_there_whole_and_in_parts,
            a_key_keeps_its_first_content,
            content_that_is_not_what_it_claims_leaves_nothing,
            what_is_deleted_is_gone,
            a_listing_is_in_order_and_goes_on_after_a_key,
            what_is_not_there_is_not_an_error,
            an_empty_object_is_an_object,
        ]);
        holds_on!($start, signed: [
            a_signed_upload_is_stored_and_may_be_repeated,
            a_signed_upload_binds_everything,
            a_signed_upload_expires,
            a_signed_download_has_ranges_and_is_never_a_page,
            a_signed_download_binds_everything,
            pages_of_any_origin_may_use_signed_urls,
        ]);
    };
    ($start:path, $part:ident: [$($name:ident),* $(,)?]) => {$(
        #[tokio::test]
        async fn $name() {
            let store = $start().await;
            crate::$part::$name(&store.subject).await;
        }
    )*};
}

#[cfg(test)]
use holds_on;
