//! Object stores, by their URL.

use std::{sync::Arc, time::Duration};

use object_store::{
    BackoffConfig, ObjectStore, ObjectStoreScheme, Result, RetryConfig, aws::AmazonS3Builder, parse_url_opts,
    path::Path,
};
use url::Url;

/// Times that a request is tried again, and for how long at most. A busy store answers within a second or two; who
/// waits for one that is not there wants to know.
const RETRIES: RetryConfig = RetryConfig {
    backoff: BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(3), base: 2.0 },
    max_retries: 5,
    retry_timeout: Duration::from_secs(15),
};

/// What to do where a store refuses or does not answer.
pub(crate) const REMEDY: &str = "check the bucket's name, and in the environment AWS_ACCESS_KEY_ID and \
     AWS_SECRET_ACCESS_KEY, which must be allowed to list and read it, AWS_REGION, and AWS_ENDPOINT for another store \
     than Amazon's (with http:// AWS_ALLOW_HTTP=true)";

/// The store of a URL, and the place in it. Options that it does not know, and those that are empty, are ignored, so
/// that the whole environment may be given.
///
/// # Errors
/// The URL is of no store that is supported, or an option is wrong.
pub(crate) fn open(
    url: &Url,
    options: impl IntoIterator<Item = (String, String)>,
) -> Result<(Arc<dyn ObjectStore>, Path)> {
    let (scheme, path) = ObjectStoreScheme::parse(url)?;
    if scheme != ObjectStoreScheme::AmazonS3 {
        let (store, path) = parse_url_opts(url, std::iter::empty::<(&str, &str)>())?;
        return Ok((store.into(), path));
    }
    let options = options.into_iter().filter(|(_, value)| !value.is_empty());
    let builder = options.fold(AmazonS3Builder::new().with_url(url.as_str()), |builder, (key, value)| {
        match key.to_ascii_lowercase().parse() {
            Ok(key) => builder.with_config(key, value),
            Err(_) => builder,
        }
    });
    Ok((Arc::new(builder.with_retry(RETRIES).build()?), path))
}
