//! One HTTP post: a connection of its own, no redirect, and one limit for all of it.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, LOCATION, USER_AGENT};
use hyper::rt::{Read, Write};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::sign::signatures;
use crate::config::webhooks::{Address, Webhook};
use crate::error::{Error, Result};

/// The sender's name.
const AGENT: &str = concat!("sendgated/", env!("CARGO_PKG_VERSION"));

/// Posts to receivers whose certificate the system's authorities vouch for.
#[derive(Clone)]
pub struct Poster {
    tls: Arc<ClientConfig>,
}

impl std::fmt::Debug for Poster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Poster")
    }
}

impl Poster {
    /// With the system's authorities, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if a webhook needs TLS and there are none.
    pub fn new(webhooks: &[Webhook]) -> Result<Poster> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() && webhooks.iter().any(|webhook| webhook.address.is_https) {
            return Err(Error::Usage(
                "no trusted certificates, so no receiver of a webhook can be verified: install the system's \
                 (ca-certificates), or name your authority's in the environment variable SSL_CERT_FILE"
                    .to_owned(),
            ));
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Usage(format!("TLS is not available: {error}")))?;
        let tls = Arc::new(builder.with_root_certificates(roots).with_no_client_auth());
        Ok(Poster { tls })
    }

    /// Posts a body once. The error says why it was not taken; it holds neither the address nor what the receiver
    /// wrote.
    pub async fn post(&self, webhook: &Webhook, id: &str, body: String) -> std::result::Result<(), String> {
        let late = || format!("no answer within {} s", webhook.timeout.as_secs_f64());
        timeout(webhook.timeout, self.exchange(webhook, id, body)).await.unwrap_or_else(|_| Err(late()))
    }

    async fn exchange(&self, webhook: &Webhook, id: &str, body: String) -> std::result::Result<(), String> {
        let address = &webhook.address;
        let request = request(webhook, id, body)?;
        let stream = TcpStream::connect((address.host.as_str(), address.port))
            .await
            .map_err(|error| format!("cannot connect: {error}"))?;
        let response = if address.is_https {
            let stream = TlsConnector::from(self.tls.clone())
                .connect(server_name(address)?, stream)
                .await
                .map_err(|error| format!("no TLS connection: {error}"))?;
            send(stream, request).await?
        } else {
            send(stream, request).await?
        };
        verdict(&response)
    }
}

fn server_name(address: &Address) -> std::result::Result<ServerName<'static>, String> {
    ServerName::try_from(address.host.clone())
        .map_err(|_| "its host is no name that a certificate can have".to_owned())
}

fn request(webhook: &Webhook, id: &str, body: String) -> std::result::Result<Request<Full<Bytes>>, String> {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(webhook.address.path())
        .header(HOST, webhook.address.authority())
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, AGENT)
        .header(CONNECTION, "close")
        .header("webhook-id", id)
        .header("webhook-timestamp", time);
    if !webhook.secrets.is_empty() {
        request = request.header("webhook-signature", signatures(&webhook.secrets, id, time, &body));
    }
    request.body(Full::new(Bytes::from(body))).map_err(|_| "the request cannot be made".to_owned())
}

/// Sends a request and waits for the head of its answer; what follows is not read.
async fn send<S>(stream: S, request: Request<Full<Bytes>>) -> std::result::Result<Response<()>, String>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    TokioIo<S>: Read + Write,
{
    let failed = |error: hyper::Error| format!("no answer: {error}");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let answered = sender.send_request(request);
    tokio::pin!(connection, answered);
    let answer = tokio::select! {
        biased;
        answer = &mut answered => answer,
        _ = &mut connection => answered.await,
    };
    answer.map(|response| response.map(|_| ())).map_err(failed)
}

/// Every 2xx says that it was taken.
fn verdict(response: &Response<()>) -> std::result::Result<(), String> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    if status.is_redirection() && response.headers().contains_key(LOCATION) {
        return Err(format!("HTTP {}: it redirects, and no redirect is followed", status.as_u16()));
    }
    Err(format!("HTTP {}", status.as_u16()))
}
