//! The configuration: flags, then the environment, then the file, then defaults.

pub mod databases;
#[cfg(test)]
mod hostile;
pub mod options;
pub mod password;
pub mod redact;
pub mod target;
pub mod tokens;
pub mod webhooks;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::schedule::{POLL_DEFAULT, POLL_MAX, POLL_MIN};
use databases::{Database, Named};
use options::Options;
use tokens::Tokens;
use webhooks::Webhook;

/// The default address of the pages: this machine only.
const LISTEN_DEFAULT: &str = "127.0.0.1:8787";

/// The default time after which an idle session ends.
const SESSION_IDLE_DEFAULT: Duration = Duration::from_secs(1800);
/// Longest time that may be configured, in seconds: half a day.
const SESSION_IDLE_SECONDS_MAX: u32 = 43_200;

/// The visitors who see the console.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ConsoleMode {
    /// There is no console.
    Off,
    /// Every visitor; signed-in operators can act.
    #[default]
    ReadOnly,
    /// Signed-in operators only.
    SignedIn,
}

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The databases, in the order in which they are named; never empty.
    pub databases: Vec<Database>,
    /// Address of `/metrics` and the health pages, as given.
    pub listen: String,
    /// Whether that address may be another than loopback.
    pub listen_anywhere: bool,
    /// The visitors who see the console.
    pub console: ConsoleMode,
    /// The operators who may sign in.
    pub tokens: Tokens,
    /// Host names that the console answers to, besides addresses and localhost.
    pub console_hosts: Vec<String>,
    /// Time after which an idle session ends.
    pub session_idle: Duration,
    /// Who is told of what happens.
    pub webhooks: Vec<Webhook>,
}

/// The file, in TOML; every key but the tables is a flag of the same name.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    database_url: Option<String>,
    password_file: Option<PathBuf>,
    listen: Option<String>,
    listen_anywhere: Option<bool>,
    poll: Option<f64>,
    console: Option<ConsoleMode>,
    tokens_file: Option<PathBuf>,
    console_hosts: Option<Vec<String>>,
    session_idle_seconds: Option<u32>,
    database: databases::Entries,
    #[serde(default)]
    webhook: Vec<webhooks::Entry>,
}

impl Config {
    /// Merges flags, environment and file.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if a setting is missing, out of range, or does not fit another one.
    pub fn read(options: &Options) -> Result<Config> {
        let file = options.config.as_deref().map(read_file).transpose()?.unwrap_or_default();
        // Many tools set an empty variable for one that has no value.
        let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let poll = options.poll.or(file.poll).map_or(Ok(POLL_DEFAULT), self::poll)?;
        let password_file = options.password_file.as_ref().or(file.password_file.as_ref());
        let named = Named {
            given: &options.database_url,
            url: file.database_url,
            entries: file.database,
            password_file: password_file.map(PathBuf::as_path),
        };
        let databases = databases::read(named, poll, self::poll)?;
        let listen =
            given(&options.listen).or(given(&file.listen)).unwrap_or_else(|| LISTEN_DEFAULT.to_owned());
        let listen_anywhere = options.listen_anywhere || file.listen_anywhere.unwrap_or(false);
        let console = options.console.or(file.console).unwrap_or_default();
        let tokens_file = options.tokens_file.as_ref().or(file.tokens_file.as_ref());
        let tokens = tokens_file.map(|path| Tokens::read(path)).transpose()?.unwrap_or_default();
        if console == ConsoleMode::SignedIn && tokens.is_empty() {
            let hint =
                "no operator could sign in: name a --tokens-file, or leave --console at read-only or off";
            return Err(Error::Usage(hint.to_owned()));
        }
        let console_hosts = match options.console_hosts.as_slice() {
            [] => file.console_hosts.unwrap_or_default(),
            given => given.to_vec(),
        };
        let session_idle = session_idle(options.session_idle_seconds.or(file.session_idle_seconds))?;
        let webhooks = webhooks::read(file.webhook)?;
        Ok(Config {
            databases,
            listen,
            listen_anywhere,
            console,
            tokens,
            console_hosts,
            session_idle,
            webhooks,
        })
    }

    /// The addresses to listen on.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if other machines reach one of them, and that was not asked for or no operator could
    /// sign in there; [`Error::Listen`] if the name is unknown.
    pub async fn listen_addresses(&self) -> Result<Vec<SocketAddr>> {
        let failed = |source| Error::Listen { address: self.listen.clone(), source };
        let found: Vec<SocketAddr> = tokio::net::lookup_host(&self.listen).await.map_err(failed)?.collect();
        match found.iter().find(|address| !address.ip().is_loopback()) {
            Some(address) if !self.listen_anywhere => Err(Error::Usage(format!(
                "{address} can be reached from other machines; listen on {LISTEN_DEFAULT} behind a proxy, \
                 or add --listen-anywhere and --tokens-file if you mean it"
            ))),
            Some(address) if self.tokens.is_empty() => Err(Error::Usage(format!(
                "{address} can be reached from other machines, and no operator could sign in there; \
                 name a --tokens-file, or listen on {LISTEN_DEFAULT}"
            ))),
            _ => Ok(found),
        }
    }
}

fn poll(seconds: f64) -> Result<Duration> {
    let poll = Duration::try_from_secs_f64(seconds).ok();
    poll.filter(|poll| (POLL_MIN..=POLL_MAX).contains(poll)).ok_or_else(|| {
        Error::Usage(format!(
            "poll is {seconds}: give seconds from {} to {}",
            POLL_MIN.as_secs_f64(),
            POLL_MAX.as_secs_f64()
        ))
    })
}

/// clap checks the range of the flag; the file's value is checked here.
fn session_idle(seconds: Option<u32>) -> Result<Duration> {
    match seconds {
        None => Ok(SESSION_IDLE_DEFAULT),
        Some(seconds @ 1..=SESSION_IDLE_SECONDS_MAX) => Ok(Duration::from_secs(seconds.into())),
        Some(_) => Err(Error::Usage(format!("session_idle_seconds is 1 to {SESSION_IDLE_SECONDS_MAX}"))),
    }
}

fn read_file(path: &Path) -> Result<File> {
    let text = fs::read_to_string(path)
        .map_err(|error| Error::Usage(format!("cannot read {}: {error}", path.display())))?;
    parse_file(&text, path)
}

fn parse_file(text: &str, path: &Path) -> Result<File> {
    // The parser's own message would quote the line, which may hold the password.
    toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        Error::Usage(format!("{}, line {line}: {}", path.display(), complaint(error.message())))
    })
}

/// The parser's message if it only names a key; values are not shown.
fn complaint(message: &str) -> &str {
    if message.starts_with("unknown field") { message } else { "this is not what the file can hold" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(listen: &str, listen_anywhere: bool) -> Config {
        let url = ["postgres://u@localhost/d".to_owned()];
        let named = Named { given: &url, ..Named::default() };
        Config {
            databases: databases::read(named, POLL_DEFAULT, poll).expect("a database"),
            listen: listen.to_owned(),
            listen_anywhere,
            console: ConsoleMode::default(),
            tokens: Tokens::default(),
            console_hosts: Vec::new(),
            session_idle: SESSION_IDLE_DEFAULT,
            webhooks: Vec::new(),
        }
    }

    #[test]
    fn poll_is_neither_a_loop_nor_a_sleep() {
        assert_eq!(poll(0.5).ok(), Some(Duration::from_millis(500)));
        for seconds in [0.0, -1.0, 61.0, f64::NAN, f64::INFINITY] {
            assert!(poll(seconds).is_err(), "{seconds}");
        }
    }

    #[tokio::test]
    async fn other_machines_are_let_in_only_if_asked_for() {
        assert!(config("127.0.0.1:0", false).listen_addresses().await.is_ok());
        assert!(config("[::1]:0", false).listen_addresses().await.is_ok());
        assert!(config("0.0.0.0:0", false).listen_addresses().await.is_err());
        assert!(config("0.0.0.0:0", true).listen_addresses().await.is_err());
        let tokens = Tokens::parse("[tokens]\nada = 'sixteen random bytes, say'").expect("tokens");
        let known = Config { tokens, ..config("0.0.0.0:0", true) };
        assert!(known.listen_addresses().await.is_ok());
        let known = Config { listen_anywhere: false, ..known };
        assert!(known.listen_addresses().await.is_err());
        assert!(config("nonsense", true).listen_addresses().await.is_err());
    }

    #[test]
    fn a_bad_file_is_not_quoted() {
        let directory = std::env::temp_dir().join(format!("sendgated-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory");
        let path = directory.join("sendgated.toml");
        for text in ["database_url = geheim", "database_url = 'geheim", "listen = 5 # geheim", "geheim"] {
            fs::write(&path, text).expect("a file");
            let error = read_file(&path).expect_err(text).to_string();
            assert!(!error.contains("geheim"), "{error}");
        }
        fs::write(&path, "lisen = 'x'").expect("a file");
        assert!(read_file(&path).expect_err("a typo").to_string().contains("line 1: unknown field `lisen`"));
        fs::remove_dir_all(&directory).expect("to remove it");
    }
}
