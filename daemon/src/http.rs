//! The pages: `/metrics`, `/healthz`, `/readyz`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use crate::config::Config;
use crate::db::{Link, Purpose};
use crate::error::{Error, Result};
use crate::metrics::{Collector, Tally};
use crate::shutdown::Shutdown;

/// A verdict about the database is good for so long, however many ask.
const READY_FOR: Duration = Duration::from_secs(1);

/// Requests that are being answered when it is time to stop get so long; a client that never sends
/// the end of its request must not hold up the end.
const FINISH_WITHIN: Duration = Duration::from_secs(2);

/// What is at the root.
const INDEX: &str = "sendgated\n\n/metrics  for Prometheus\n/healthz  200: the process is alive\n\
                     /readyz   200: the database answers and has the extension, else 503\n";

/// What the pages share. Each has a connection of its own, and asks one question at a time.
#[derive(Clone, Debug)]
struct Pages {
    collector: Arc<Mutex<Collector>>,
    probe: Arc<Mutex<Probe>>,
}

/// Whether the database can be used, asked at most once in [`READY_FOR`].
#[derive(Debug)]
struct Probe {
    link: Link,
    verdict: Option<(Instant, std::result::Result<String, String>)>,
}

impl Probe {
    /// The extension's version, or what is wrong.
    async fn ask(&mut self) -> std::result::Result<String, String> {
        if let Some((at, verdict)) = &self.verdict
            && at.elapsed() < READY_FOR
        {
            return verdict.clone();
        }
        let asked = match self.link.session().await {
            Ok(session) => session.extension_version().await,
            Err(error) => Err(error),
        };
        let verdict = match asked {
            Ok(Some(version)) => Ok(version),
            Ok(None) => Err("the database lacks the extension sendgate".to_owned()),
            Err(error) => {
                self.link.close().await;
                Err(error.to_string())
            }
        };
        self.verdict = Some((Instant::now(), verdict.clone()));
        verdict
    }
}

/// Takes the address; the error is the first one of all its meanings.
pub async fn listen(config: &Config) -> Result<TcpListener> {
    let addresses = config.listen_addresses().await?;
    let failed = |source| Error::Listen { address: config.listen.clone(), source };
    TcpListener::bind(addresses.as_slice()).await.map_err(failed)
}

/// Serves until it is told to stop.
pub async fn serve(
    listener: TcpListener,
    config: Arc<Config>,
    mut shutdown: Shutdown,
    tally: Arc<Tally>,
) -> Result<()> {
    let target = Arc::new(config.target.clone());
    let probe = Probe { link: Link::new(target.clone(), Purpose::Health), verdict: None };
    let pages = Pages {
        collector: Arc::new(Mutex::new(Collector::new(target, tally))),
        probe: Arc::new(Mutex::new(probe)),
    };
    let app = Router::new()
        .route("/", get(|| async { INDEX }))
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(readyz))
        .with_state(pages.clone());
    let mut told = shutdown.clone();
    let served = axum::serve(listener, app).with_graceful_shutdown(async move { told.wait().await });
    let failed = |source| Error::Listen { address: config.listen.clone(), source };
    tokio::select! {
        ended = served.into_future() => ended.map_err(failed)?,
        () = async { shutdown.wait().await; tokio::time::sleep(FINISH_WITHIN).await } => (),
    }
    // One that is still in use ends with its request.
    if let Ok(mut collector) = pages.collector.try_lock() {
        collector.close().await;
    }
    if let Ok(mut probe) = pages.probe.try_lock() {
        probe.link.close().await;
    }
    Ok(())
}

async fn metrics(State(pages): State<Pages>) -> impl IntoResponse {
    let text = pages.collector.lock().await.page().await;
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

async fn readyz(State(pages): State<Pages>) -> impl IntoResponse {
    match pages.probe.lock().await.ask().await {
        Ok(version) => (StatusCode::OK, format!("ready: sendgate {version}\n")),
        Err(problem) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {problem}\n")),
    }
}
