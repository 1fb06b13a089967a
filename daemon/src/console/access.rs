//! Admits requests by host, origin and session, and adds the headers of every answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use tokio::time::timeout;

use super::pages::Problem;
use super::scope::about;
use super::sessions::Visitor;
use super::{Console, links, places};
use crate::db::zone::reading_in;

/// The name of the cookie with the session's id. The port follows it: browsers keep one set of cookies for
/// all ports of a host, and operators have several consoles behind `localhost`.
const COOKIE: &str = "sendgate_session";
/// Most cookies of that name that are tried: a service on another port can add some beside the right one.
const COOKIES_MAX: usize = 8;
/// A form with a longer Content-Length is refused unread. A shorter one is read to its end or its limit, so
/// that its sender receives the answer.
const LENGTH_ABSURD: u64 = 1 << 20;
/// Longest time for one answer, the wait for the database included.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// The header that a page's script sends when it refreshes the page by itself.
const BY_ITSELF: HeaderName = HeaderName::from_static("x-refresh");
/// Paths that need no session.
const OPEN_PATHS: [&str; 4] = ["/sign-in", "/assets/console.css", "/assets/console.js", "/assets/icon.svg"];

/// The form that every reader may send: it changes nothing but the reader's own cookie.
const READERS_FORM: &str = "/zone";

/// Paths for programs, which send a token instead of signing in.
const API: &str = "/api/";

/// Everything is loaded from here, only our script runs, and no other site can show the pages in a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::CACHE_CONTROL, "no-store"),
    // Without a referrer a form would have the origin "null", which is refused.
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The guard before every page of the console.
pub async fn guard(State(console): State<Arc<Console>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let mut response = match admit(&console, &mut request) {
        Err(refused) => refused.into_response(),
        Ok(()) => match timeout(ANSWER_WITHIN, answer(&console, request, next)).await {
            Ok(response) => as_page(response),
            Err(_) => Problem::unavailable("This took too long", "Nothing is known of it; look again.")
                .into_response(),
        },
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let took = format!("page;dur={:.1}", started.elapsed().as_secs_f64() * 1000.0);
    if let Ok(took) = HeaderValue::from_str(&took) {
        response.headers_mut().insert(HeaderName::from_static("server-timing"), took);
    }
    response
}

/// The answer, with its instants in the reader's zone.
async fn answer(console: &Console, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_a_page = !path.starts_with(API) && !OPEN_PATHS.contains(&path);
    let zone = if is_a_page { console.readers_zone(request.headers()).await } else { None };
    let database = match places::database_of(console, request.uri()).await {
        Ok(database) => database,
        Err(elsewhere) => return elsewhere,
    };
    about(database, reading_in(zone, next.run(request))).await
}

/// Turns a refusal that the framework wrote for programs into a page for people.
fn as_page(response: Response) -> Response {
    let status = response.status();
    let is_page = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let is_for_programs = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if is_page || is_for_programs || !status.is_client_error() {
        return response;
    }
    let (status, title, text) = match status {
        StatusCode::METHOD_NOT_ALLOWED => (
            status,
            "That is not done here",
            "A page is read, and forms are sent from the pages that have them.",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => (status, "This is too long", TOO_LONG),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            (status, "This is no form", "Forms are sent as browsers send them.")
        }
        _ => (
            StatusCode::BAD_REQUEST,
            "This cannot be understood",
            "Something in the address or the form is missing, is there twice, or cannot be read. Nothing was changed.",
        ),
    };
    let mut page = Problem::new(status, title, text).into_response();
    if let Some(allowed) = response.headers().get(header::ALLOW) {
        page.headers_mut().insert(header::ALLOW, allowed.clone());
    }
    page
}

const TOO_LONG: &str = "A form takes 32 KiB. Nothing was changed.";

/// The reason why a request is not admitted.
enum Refused {
    /// A page says why.
    Because(Problem),
    /// The visitor has to sign in first, at this address.
    SignIn(String),
}

impl Refused {
    fn into_response(self) -> Response {
        match self {
            Refused::Because(problem) => problem.into_response(),
            Refused::SignIn(link) => Redirect::to(&link).into_response(),
        }
    }

    fn because<T>(status: StatusCode, title: &str, text: &str) -> Result<T, Refused> {
        Err(Refused::Because(Problem::new(status, title, text)))
    }
}

/// Admits a request and adds its visitor, or says why not.
fn admit(console: &Console, request: &mut Request) -> Result<(), Refused> {
    let headers = request.headers();
    let host = text_of(headers, &header::HOST).unwrap_or_default().to_owned();
    if !is_known_host(&host, &console.hosts) {
        // Another site whose host name was made to lead here could read the answer.
        let text = "The console answers to addresses and localhost, and to names given with --console-hosts.";
        return Refused::because(StatusCode::MISDIRECTED_REQUEST, "Not this host", text);
    }
    let changes = request.method() != Method::GET && request.method() != Method::HEAD;
    if changes && !text_of(headers, &header::ORIGIN).is_some_and(|origin| is_same_origin(origin, &host)) {
        let text = "The request came from another site, or did not say where from.";
        return Refused::because(StatusCode::FORBIDDEN, "Not from here", text);
    }
    if text_of(headers, &header::CONTENT_LENGTH).and_then(|it| it.parse().ok()) > Some(LENGTH_ABSURD) {
        return Refused::because(StatusCode::PAYLOAD_TOO_LARGE, "This is too long", TOO_LONG);
    }
    let visitor = console.visitor(headers);
    let path = request.uri().path();
    let here = request.uri().path_and_query().map_or("/", |it| it.as_str());
    if visitor.is_none() && !OPEN_PATHS.contains(&path) && !path.starts_with(API) {
        if changes && (path != READERS_FORM || console.is_closed) {
            let text = "Your session has ended. Nothing was changed; sign in and do it again.";
            let problem = Problem::new(StatusCode::FORBIDDEN, "You are not signed in", text);
            // The form's address is also the address of the page that shows it.
            let back = if path == "/act" { here } else { "/" };
            return Err(Refused::Because(
                problem.with_way("Sign in", links::query("/sign-in", &[("next", back)])),
            ));
        }
        if console.is_closed {
            return Err(Refused::SignIn(links::query("/sign-in", &[("next", here)])));
        }
    }
    request.extensions_mut().insert(visitor);
    Ok(())
}

impl Console {
    /// The signed-in operator of a request.
    pub fn visitor(&self, headers: &HeaderMap) -> Option<Visitor> {
        let (mut sessions, now) = (self.sessions(), Instant::now());
        cookies(headers)
            .take(COOKIES_MAX)
            .find_map(|id| sessions.find(id, now, headers.contains_key(BY_ITSELF)))
    }

    /// Whether the request's host is an address, `localhost` or a configured name: no other site can make
    /// those lead here.
    pub fn answers_to(&self, headers: &HeaderMap) -> bool {
        is_known_host(text_of(headers, &header::HOST).unwrap_or_default(), &self.hosts)
    }

    /// Whether the request is an operator's: by session, or by a token as a program sends it. Wrong tokens of
    /// programs are counted apart from those of the sign-in form, so that a scraper with an old token locks
    /// no operator out.
    pub fn knows(&self, headers: &HeaderMap, from: IpAddr) -> Known {
        if self.visitor(headers).is_some() {
            return Known::Yes;
        }
        let token = text_of(headers, &header::AUTHORIZATION).and_then(|text| text.strip_prefix("Bearer "));
        let Some(token) = token else { return Known::No };
        let mut bearers = self.bearers();
        if !bearers.begin(from, Instant::now()) {
            return Known::TooManyWrong;
        }
        if self.tokens.owner_of(token).is_none() {
            return Known::No;
        }
        bearers.was_right(from);
        Known::Yes
    }
}

/// Whether a request is an operator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Yes: by a session or a token.
    Yes,
    /// No: it has no token, or a wrong one.
    No,
    /// Too many wrong tokens came from there, so the token was not checked.
    TooManyWrong,
}

/// The session ids in the cookies; normally there is one.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let wanted = cookie_name(headers);
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(move |(name, _)| *name == wanted)
        .map(|(_, value)| value)
}

/// The cookie's name for the host and port of the request.
fn cookie_name(headers: &HeaderMap) -> String {
    let host = text_of(headers, &header::HOST).unwrap_or_default();
    match host.rsplit_once(':') {
        Some((_, port)) if !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit()) => {
            format!("{COOKIE}_{port}")
        }
        _ => COOKIE.to_owned(),
    }
}

/// The `Set-Cookie` header that begins a session, or ends it if the id is empty. It is `Secure` if the page
/// was requested with TLS; on loopback there is none.
pub fn set_cookie(id: &str, headers: &HeaderMap) -> String {
    let secure = secure(headers);
    let ends = if id.is_empty() { "; Max-Age=0" } else { "" };
    format!("{}={id}; Path=/; HttpOnly; SameSite=Strict{secure}{ends}", cookie_name(headers))
}

/// The attribute of a cookie for a page that was requested with TLS.
pub fn secure(headers: &HeaderMap) -> &'static str {
    let is_tls = text_of(headers, &header::ORIGIN).is_some_and(|origin| origin.starts_with("https://"));
    if is_tls { "; Secure" } else { "" }
}

fn text_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether the host is an address or `localhost`, which no other site can make lead here, or a configured
/// name.
fn is_known_host(host: &str, names: &[String]) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether a form came from a page of this host. TLS may be a proxy's, so both schemes match.
fn is_same_origin(origin: &str, host: &str) -> bool {
    let from = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    from.is_some_and(|from| from.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_that_nobody_can_rebind_are_answered() {
        let names = ["console.example.org".to_owned()];
        for host in [
            "127.0.0.1:8787",
            "localhost",
            "LOCALHOST:1",
            "[::1]:8787",
            "10.1.2.3",
            "Console.Example.org:443",
        ] {
            assert!(is_known_host(host, &names), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:8787",
            "[evil]:1",
            "example.org",
        ] {
            assert!(!is_known_host(host, &names), "{host}");
        }
    }

    #[test]
    fn forms_come_from_here() {
        assert!(is_same_origin("http://127.0.0.1:8787", "127.0.0.1:8787"));
        assert!(is_same_origin("https://console.example.org", "console.example.org"));
        for origin in [
            "null",
            "",
            "http://evil.example",
            "http://127.0.0.1:1",
            "127.0.0.1:8787",
            "ftp://127.0.0.1:8787",
        ] {
            assert!(!is_same_origin(origin, "127.0.0.1:8787"), "{origin}");
        }
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=b; sendgate_session=abc"));
        assert_eq!(cookies(&headers).collect::<Vec<_>>(), ["abc"]);
        headers.append(header::HOST, HeaderValue::from_static("[::1]:8787"));
        assert_eq!(cookies(&headers).next(), None);
        headers.append(
            header::COOKIE,
            HeaderValue::from_static("sendgate_session_8787=x;sendgate_session_8787=y"),
        );
        assert_eq!(cookies(&headers).collect::<Vec<_>>(), ["x", "y"]);
        headers.remove(header::COOKIE);
        headers.append(header::COOKIE, HeaderValue::from_static("xsendgate_session_8787=abc"));
        assert_eq!(cookies(&headers).next(), None);
    }

    #[test]
    fn each_port_has_a_cookie_of_its_own() {
        for (host, name) in [
            ("localhost:8787", "sendgate_session_8787"),
            ("console.example.org", "sendgate_session"),
            ("[::1]", "sendgate_session"),
            ("localhost:", "sendgate_session"),
            ("localhost:8787; Domain=x", "sendgate_session"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            assert_eq!(cookie_name(&headers), name, "{host}");
        }
    }

    #[test]
    fn the_cookie_is_for_this_site_and_no_script() {
        let mut headers = HeaderMap::new();
        assert_eq!(set_cookie("id", &headers), "sendgate_session=id; Path=/; HttpOnly; SameSite=Strict");
        headers.insert(header::ORIGIN, HeaderValue::from_static("https://console.example.org"));
        assert!(set_cookie("id", &headers).ends_with("; Secure"));
        assert!(set_cookie("", &headers).ends_with("; Max-Age=0"));
    }
}
