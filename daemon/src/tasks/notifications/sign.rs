//! Signatures as Standard Webhooks has them: HMAC-SHA256 over id, time and body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac::{HMAC_SHA256, Key, sign};

use crate::config::webhooks::Secret;

/// The version that stands before each signature.
const VERSION: &str = "v1,";

/// The header `webhook-signature`: a signature for each secret. The time is in seconds since 1970.
pub fn signatures(secrets: &[Secret], id: &str, time: u64, body: &str) -> String {
    let signed = format!("{id}.{time}.{body}");
    let signature = |secret: &Secret| {
        let tag = sign(&Key::new(HMAC_SHA256, secret.bytes()), signed.as_bytes());
        format!("{VERSION}{}", STANDARD.encode(tag))
    };
    secrets.iter().map(signature).collect::<Vec<_>>().join(" ")
}
