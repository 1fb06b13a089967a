//! Serves `/metrics`, `/healthz`, `/readyz`, and the console.

pub mod accept;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::prometheus_text::CONTENT_TYPE;
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use crate::config::{Config, ConsoleMode};
use crate::console::access::Known;
use crate::console::{self, Console};
use crate::db::served::{Member, Members, Standing};
use crate::db::{Link, Purpose};
use crate::error::{Error, Result};
use crate::shutdown::Shutdown;
use crate::tasks::metrics::Metrics;
use crate::tasks::tally::Tally;
use crate::terminal::stripped;

/// A verdict about the database is kept for this time, so that many health checks cost one statement.
const READY_FOR: Duration = Duration::from_secs(1);

/// The page at the root if there is no console.
const INDEX: &str = "sendgated\n\n/metrics  for Prometheus\n/healthz  200: the process is alive\n\
                     /readyz   200: the database answers and has the extension, else 503\n";

/// The state that the pages share. Health checks have a connection of their own; metrics and the console
/// share another.
#[derive(Clone, Debug)]
struct Pages {
    metrics: Arc<Mutex<Metrics>>,
    probe: Arc<Mutex<Probe>>,
    members: Members,
    console: Arc<Console>,
    /// Whether other machines reach this one: then numbers are only for operators and their tokens.
    is_reached: bool,
}

/// Whether the database can be used, asked at most once in [`READY_FOR`].
#[derive(Debug)]
struct Probe {
    link: Link,
    verdict: Option<(Instant, std::result::Result<String, String>)>,
}

impl Probe {
    /// The extension's version, or the reason why the database cannot be used.
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

/// Binds the address.
///
/// # Errors
///
/// [`Error::Listen`] if it cannot be bound, and those of [`Config::listen_addresses`].
pub async fn listen(config: &Config) -> Result<TcpListener> {
    let addresses = config.listen_addresses().await?;
    let failed = |source| Error::Listen { address: config.listen.clone(), source };
    TcpListener::bind(addresses.as_slice()).await.map_err(failed)
}

/// Serves until the shutdown signal, and closes its connections. Notifications use the pages' connections as well.
pub async fn serve(
    listener: TcpListener,
    config: Arc<Config>,
    members: Members,
    shutdown: Shutdown,
    tally: Tally,
) -> Result<()> {
    let is_reached = listener.local_addr().is_ok_and(|address| !address.ip().is_loopback());
    let console = Console::new(&config, members.clone(), is_reached);
    // It asks only where one database is served; several have a watch of their own.
    let probe = Probe { link: Link::new(members[0].target.clone(), Purpose::Health), verdict: None };
    let pages = Pages {
        metrics: Arc::new(Mutex::new(Metrics::new(members.clone(), tally))),
        probe: Arc::new(Mutex::new(probe)),
        members: members.clone(),
        console: console.clone(),
        is_reached,
    };
    let app = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(pages.clone());
    let app = match config.console {
        ConsoleMode::Off => app.route("/", get(|| async { INDEX })),
        ConsoleMode::ReadOnly | ConsoleMode::SignedIn => app.merge(console::router(console.clone())),
    };
    accept::serve(listener, app, shutdown).await;
    console.finish().await;
    for member in members.iter() {
        member.pages.close().await;
    }
    // If the probe is in use, its connection ends with that request.
    if let Ok(mut probe) = pages.probe.try_lock() {
        probe.link.close().await;
    }
    Ok(())
}

async fn metrics(
    State(pages): State<Pages>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    if let Some(refused) = refused(&pages, from, &headers) {
        return refused;
    }
    let text = pages.metrics.lock().await.page().await;
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response()
}

/// The refusal of a request for numbers, if it is refused. On loopback any program of this machine may read
/// them, but no page elsewhere whose host name was made to lead here. If other machines reach this one, only
/// operators and programs with a token may.
fn refused(pages: &Pages, from: SocketAddr, headers: &HeaderMap) -> Option<Response> {
    if !pages.is_reached {
        let text = "this answers to addresses and localhost, and to names given with --console-hosts\n";
        let is_known = pages.console.answers_to(headers);
        return (!is_known).then(|| (StatusCode::MISDIRECTED_REQUEST, text).into_response());
    }
    match pages.console.knows(headers, from.ip()) {
        Known::Yes => None,
        Known::No => {
            let text = "sign in, or send a token: Authorization: Bearer …\n";
            let how = [(header::WWW_AUTHENTICATE, "Bearer")];
            Some((StatusCode::UNAUTHORIZED, how, text).into_response())
        }
        Known::TooManyWrong => {
            let text = "too many wrong tokens came from there; wait five minutes\n";
            Some((StatusCode::TOO_MANY_REQUESTS, text).into_response())
        }
    }
}

/// Whether this process is alive; with several databases also how each of them is.
async fn healthz(State(pages): State<Pages>) -> String {
    format!("alive\n{}", told(&pages.members, pages.is_reached))
}

async fn readyz(State(pages): State<Pages>) -> impl IntoResponse {
    if let [_, _, ..] = &*pages.members {
        return ready_of_several(&pages.members, pages.is_reached);
    }
    match pages.probe.lock().await.ask().await {
        // The address of the database is not for other machines; the daemon's log has it.
        Err(_) if pages.is_reached => {
            (StatusCode::SERVICE_UNAVAILABLE, "not ready: see the daemon's log\n".to_owned())
        }
        Ok(version) => (StatusCode::OK, format!("ready: sendgate {version}\n")),
        Err(problem) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {problem}\n")),
    }
}

/// Ready as long as one of them is: what serves the others is not to be restarted or taken out because of one.
fn ready_of_several(members: &Members, is_reached: bool) -> (StatusCode, String) {
    let up = members.iter().filter(|member| matches!(member.standing(), Standing::Up(_))).count();
    let (status, word) =
        if up > 0 { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready") };
    let text = format!("{word}: {up} of {} databases\n{}", members.len(), told(members, is_reached));
    (status, text)
}

/// A line for each of several databases; none for a single one.
fn told(members: &Members, is_reached: bool) -> String {
    let line = |member: &Arc<Member>| {
        let Some(name) = &member.label else { return String::new() };
        let how = match member.standing() {
            Standing::Unknown => "not asked yet".to_owned(),
            Standing::Up(version) => format!("up, sendgate {version}"),
            // The address of the database is not for other machines; the daemon's log has it.
            Standing::Down(_) if is_reached => "down: see the daemon's log".to_owned(),
            Standing::Down(why) => format!("down: {why}"),
        };
        format!("{}: {}\n", stripped(name), stripped(&how))
    };
    members.iter().map(line).collect()
}
