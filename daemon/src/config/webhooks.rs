//! The `[[webhook]]` entries of the file: who is told of what, and how what is posted is signed.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Uri;
use serde::Deserialize;

use super::password::only_ours;
use super::tokens::sha256;
use crate::error::{Error, Result};

/// The events that there are.
pub const EVENTS: [&str; 5] =
    ["alert_opened", "alert_resolved", "breaker_set", "breaker_clear", "cooldown_set"];
/// Most webhooks of one daemon: each asks the database once a second.
const WEBHOOKS_MAX: usize = 20;
/// Longest name, in characters.
const NAME_CHARACTERS_MAX: usize = 64;
/// Wait after the first failed attempt; each more doubles it.
const RETRY_SECONDS: Range = Range { least: 0.05, default: 5.0, most: 600.0 };
/// Longest time for one attempt.
const TIMEOUT_SECONDS: Range = Range { least: 0.1, default: 10.0, most: 30.0 };
/// What Standard Webhooks puts before a secret.
const SECRET_PREFIX: &str = "whsec_";
/// How long Standard Webhooks lets a secret be, in bytes.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Most secrets of a webhook: the new one and the old one, while receivers change over.
const SECRETS_MAX: usize = 5;
/// Digits of the hash that tells two addresses on one host apart in their names.
const HASH_BYTES: usize = 4;

/// Seconds that may be configured.
struct Range {
    least: f64,
    default: f64,
    most: f64,
}

/// An entry as it stands in the file. Everything is optional here, so that our own errors say what is missing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    name: Option<String>,
    url: Option<String>,
    events: Option<Vec<String>>,
    secret_file: Option<PathBuf>,
    format: Option<String>,
    retry_seconds: Option<f64>,
    timeout_seconds: Option<f64>,
}

/// What a post looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The event as Standard Webhooks has it: type, timestamp, data.
    Json,
    /// A sentence, as Slack's incoming webhooks and their like take it.
    Slack,
}

/// The key of a signature; `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Where to post; `Debug` hides it, because such an address often is a secret itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    uri: Uri,
    /// The host, an IPv6 address without its brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether it is reached through TLS.
    pub is_https: bool,
}

impl Address {
    /// What goes into the request's first line.
    pub fn path(&self) -> &str {
        self.uri.path_and_query().map_or("/", |path| path.as_str())
    }

    /// What goes into the header `host`.
    pub fn authority(&self) -> &str {
        self.uri.authority().map_or("", |authority| authority.as_str())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/***", self.host)
    }
}

/// A webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// What it is called in the database, in logs and in metrics.
    pub name: String,
    /// Where to post.
    pub address: Address,
    /// What it is told of, in the order of [`EVENTS`].
    pub events: Vec<String>,
    /// What a post looks like.
    pub format: Format,
    /// The keys that each post is signed with; none: it is not signed.
    pub secrets: Vec<Secret>,
    /// Wait after the first failed attempt.
    pub retry: Duration,
    /// Longest time for one attempt.
    pub timeout: Duration,
}

/// Reads and checks all entries.
///
/// # Errors
///
/// [`Error::Usage`] that says which webhook, which value, and what to write instead. It quotes neither an address nor a
/// secret.
pub fn read(entries: Vec<Entry>) -> Result<Vec<Webhook>> {
    if entries.len() > WEBHOOKS_MAX {
        let how_many = entries.len();
        return Err(Error::Usage(format!(
            "there are {how_many} [[webhook]] entries; at most {WEBHOOKS_MAX} are allowed"
        )));
    }
    let mut names = BTreeSet::new();
    let mut webhooks = Vec::with_capacity(entries.len());
    for (n, entry) in entries.into_iter().enumerate() {
        let label = match &entry.name {
            Some(name) => format!("webhook \"{name}\""),
            None => format!("[[webhook]] number {}", n + 1),
        };
        let webhook = entry.checked().map_err(|why| Error::Usage(format!("{label}: {why}")))?;
        if !names.insert(webhook.name.clone()) {
            return Err(Error::Usage(format!(
                "{label}: another webhook is called {} too; give each a name of its own: name = \"…\"",
                webhook.name
            )));
        }
        webhooks.push(webhook);
    }
    Ok(webhooks)
}

impl Entry {
    fn checked(self) -> std::result::Result<Webhook, String> {
        let url = self.url.ok_or("url is missing: write url = \"https://host/path\"")?;
        let address = address(&url)?;
        let name = match self.name {
            Some(name) => checked_name(name)?,
            None => name_of(&url, &address),
        };
        let events = events(self.events.unwrap_or_default())?;
        let format = match self.format.as_deref() {
            None | Some("json") => Format::Json,
            Some("slack") => Format::Slack,
            Some(other) => return Err(format!("format is {other:?}: write \"json\" or \"slack\"")),
        };
        let secrets = match (&self.secret_file, format) {
            (Some(path), _) => secrets(path)?,
            (None, Format::Slack) => Vec::new(),
            (None, Format::Json) => {
                return Err("secret_file is missing: without a signature its receiver cannot tell who posts. \
                            Name a file (chmod 600) that holds whsec_ and the output of: openssl rand -base64 32"
                    .to_owned());
            }
        };
        let retry = RETRY_SECONDS.checked("retry_seconds", self.retry_seconds)?;
        let timeout = TIMEOUT_SECONDS.checked("timeout_seconds", self.timeout_seconds)?;
        Ok(Webhook { name, address, events, format, secrets, retry, timeout })
    }
}

impl Range {
    fn checked(&self, name: &str, given: Option<f64>) -> std::result::Result<Duration, String> {
        let seconds = given.unwrap_or(self.default);
        if (self.least..=self.most).contains(&seconds) {
            return Ok(Duration::from_secs_f64(seconds));
        }
        Err(format!("{name} is {seconds}: give seconds from {} to {}", self.least, self.most))
    }
}

fn address(url: &str) -> std::result::Result<Address, String> {
    let unreadable = || {
        "url cannot be read; write url = \"https://host/path\", and escape special characters as %XX"
            .to_owned()
    };
    let uri: Uri = url.trim().parse().map_err(|_| unreadable())?;
    let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else { return Err(unreadable()) };
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(
            "url holds a user name or password; leave it out, the signature says who posts".to_owned()
        );
    }
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    if host.is_empty() {
        return Err(unreadable());
    }
    let is_https = match scheme {
        "https" => true,
        "http" if is_here(&host) => false,
        "http" => {
            return Err(format!(
                "url goes to {host} without TLS, where others can read and change what is posted; \
                 write https:// (http:// is for receivers on this machine: 127.0.0.1, [::1], localhost)"
            ));
        }
        other => return Err(format!("url begins with {other}://; write https://")),
    };
    let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
    Ok(Address { uri, host, port, is_https })
}

fn is_here(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn checked_name(name: String) -> std::result::Result<String, String> {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if !name.is_empty() && name.len() <= NAME_CHARACTERS_MAX && name.chars().all(is_fine) {
        return Ok(name);
    }
    Err(format!(
        "name is {name:?}: write 1 to {NAME_CHARACTERS_MAX} letters, digits, points, hyphens and underscores"
    ))
}

/// The host, and a few digits that tell two addresses on it apart without betraying them.
fn name_of(url: &str, address: &Address) -> String {
    let host: String =
        address.host.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    let mut name: String = host.chars().take(NAME_CHARACTERS_MAX - 2 * HASH_BYTES - 1).collect();
    name.push('-');
    for byte in &sha256(url.trim())[..HASH_BYTES] {
        let _ = write!(name, "{byte:02x}");
    }
    name
}

fn events(given: Vec<String>) -> std::result::Result<Vec<String>, String> {
    let allowed = || EVENTS.join(", ");
    if let Some(unknown) = given.iter().find(|event| !EVENTS.contains(&event.as_str())) {
        return Err(format!("there is no event {unknown:?}; events are {}", allowed()));
    }
    if given.is_empty() {
        return Err(format!("events is missing or empty: name at least one of {}", allowed()));
    }
    Ok(EVENTS.into_iter().filter(|event| given.iter().any(|name| name == event)).map(str::to_owned).collect())
}

/// A secret on each line: each post is signed with all of them, so that a new one can be brought in before the old one
/// goes.
fn secrets(path: &Path) -> std::result::Result<Vec<Secret>, String> {
    let told = |error: Error| format!("secret_file: {error}");
    only_ours(path).map_err(told)?;
    let text = fs::read_to_string(path)
        .map_err(|error| format!("secret_file: cannot read {}: {error}", path.display()))?;
    parse_secrets(&text).map_err(|why| format!("secret_file {}: {why}", path.display()))
}

fn parse_secrets(text: &str) -> std::result::Result<Vec<Secret>, String> {
    let mut secrets = Vec::new();
    for (n, line) in text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty()) {
        let key = line.strip_prefix(SECRET_PREFIX).and_then(|key| STANDARD.decode(key).ok());
        let key = key.filter(|key| SECRET_BYTES.contains(&key.len())).ok_or_else(|| {
            format!(
                "line {} is not {SECRET_PREFIX} and {} to {} bytes in base64; make one with: \
                 printf 'whsec_%s\\n' \"$(openssl rand -base64 32)\"",
                n + 1,
                SECRET_BYTES.start(),
                SECRET_BYTES.end()
            )
        })?;
        secrets.push(Secret(key));
    }
    match secrets.len() {
        0 => {
            Err("it is empty; make a secret with: printf 'whsec_%s\\n' \"$(openssl rand -base64 32)\""
                .to_owned())
        }
        1..=SECRETS_MAX => Ok(secrets),
        more => Err(format!("it holds {more} secrets; at most {SECRETS_MAX} are allowed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> Entry {
        toml::from_str(text).expect("an entry")
    }

    fn complaint(text: &str) -> String {
        read(vec![entry(text)]).expect_err(text).to_string()
    }

    #[test]
    fn an_entry_has_a_name_that_does_not_betray_its_address() {
        let text =
            "url = 'https://hooks.example.org/services/GEHEIM'\nevents = ['breaker_set']\nformat = 'slack'";
        let webhooks = read(vec![entry(text)]).expect("a webhook");
        let name = &webhooks[0].name;
        assert!(name.starts_with("hooks.example.org-") && name.len() == 18 + 8, "{name}");
        assert!(!format!("{webhooks:?}").contains("GEHEIM"));
        assert_eq!((webhooks[0].address.port, webhooks[0].address.path()), (443, "/services/GEHEIM"));
        let other = text.replace("GEHEIM", "OTHER");
        let both = read(vec![entry(text), entry(&other)]).expect("two");
        assert_ne!(both[0].name, both[1].name);
        assert!(read(vec![entry(text), entry(text)]).is_err(), "the same address twice");
    }

    #[test]
    fn a_bad_entry_is_named_and_told_what_to_write() {
        let rest = "events = ['breaker_set']\nformat = 'slack'";
        for (text, expected) in [
            ("events = ['breaker_set']".to_owned(), "number 1: url is missing"),
            (
                format!("name = 'ops'\nurl = 'http://example.org/x'\n{rest}"),
                "webhook \"ops\": url goes to example.org without TLS",
            ),
            (format!("url = 'ftp://example.org/x'\n{rest}"), "ftp://"),
            (format!("url = 'https://u:geheim@example.org/x'\n{rest}"), "user name"),
            (format!("url = 'geheim'\n{rest}"), "cannot be read"),
            (
                "url = 'https://e.org'\nevents = ['breaker_skip']".to_owned(),
                "no event \"breaker_skip\"; events are alert_opened",
            ),
            ("url = 'https://e.org'\nevents = []".to_owned(), "at least one of alert_opened"),
            (
                "url = 'https://e.org'\nevents = ['breaker_set']\nformat = 'xml'".to_owned(),
                "format is \"xml\"",
            ),
            ("url = 'https://e.org'\nevents = ['breaker_set']".to_owned(), "secret_file is missing"),
            (
                "url = 'https://e.org'\nevents = ['breaker_set']\nsecret_file = '/nowhere'".to_owned(),
                "cannot read /nowhere",
            ),
            (
                format!("url = 'https://e.org'\nretry_seconds = 0\n{rest}"),
                "retry_seconds is 0: give seconds from 0.05 to 600",
            ),
            (format!("url = 'https://e.org'\ntimeout_seconds = nan\n{rest}"), "timeout_seconds is NaN"),
            (format!("name = 'a b'\nurl = 'https://e.org'\n{rest}"), "name is \"a b\""),
        ] {
            let why = complaint(&text);
            assert!(why.contains(expected) && !why.contains("geheim"), "{text}: {why}");
        }
    }

    #[test]
    fn http_is_for_this_machine() {
        for host in ["127.0.0.1:8000", "[::1]:8000", "localhost"] {
            assert!(address(&format!("http://{host}/x")).is_ok_and(|address| !address.is_https), "{host}");
        }
        for host in ["127.0.0.1.example.org", "10.0.0.1", "[::2]", "localhost.example.org"] {
            assert!(address(&format!("http://{host}/x")).is_err(), "{host}");
        }
        assert_eq!(address("http://[::1]:8000/x").expect("an address").host, "::1");
    }

    #[test]
    fn secrets_are_read_and_not_shown() {
        let key = STANDARD.encode([7; 32]);
        let secrets =
            parse_secrets(&format!("whsec_{key}\n\nwhsec_{}\n", STANDARD.encode([8; 24]))).expect("secrets");
        assert_eq!((secrets.len(), secrets[0].bytes()), (2, &[7; 32][..]));
        assert!(!format!("{secrets:?}").contains(&key));
        for text in ["", "\n", &key, "whsec_", "whsec_geheim", &format!("whsec_{}", STANDARD.encode([7; 23]))]
        {
            let why = parse_secrets(text).expect_err(text);
            assert!(!why.contains("geheim") && !why.contains(&key), "{why}");
        }
    }
}
