//! What was asked for: flags, then the environment, then the file, then defaults.

pub mod password;
pub mod redact;
pub mod target;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::cli::Options;
use crate::error::{Error, Result};
use crate::schedule::{POLL_DEFAULT, POLL_MAX, POLL_MIN};
use target::Target;

/// Where pages are served if nobody says otherwise: this machine only.
pub const LISTEN_DEFAULT: &str = "127.0.0.1:8787";

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The database.
    pub target: Target,
    /// Address of `/metrics` and the health pages, as given.
    pub listen: String,
    /// Whether that address may be another than loopback.
    pub listen_anywhere: bool,
    /// How often the database is asked what is due.
    pub poll: Duration,
}

/// The file, in TOML; every key is a flag of the same name.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    database_url: Option<String>,
    password_file: Option<PathBuf>,
    listen: Option<String>,
    listen_anywhere: Option<bool>,
    poll: Option<f64>,
}

impl Config {
    /// Puts flags, environment and file together.
    pub fn read(options: &Options) -> Result<Config> {
        let file = options.config.as_deref().map(read_file).transpose()?.unwrap_or_default();
        // An empty variable is what many tools leave of one that is not set.
        let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let Some(url) = given(&options.database_url).or(given(&file.database_url)) else {
            return Err(Error::Usage(
                "which database? Set SENDGATED_DATABASE_URL, give --database-url, \
                 or write database_url into the file that --config names"
                    .to_owned(),
            ));
        };
        let password_file = options.password_file.as_ref().or(file.password_file.as_ref());
        let target = Target::read(&url, password_file.map(PathBuf::as_path))?;
        let listen =
            given(&options.listen).or(given(&file.listen)).unwrap_or_else(|| LISTEN_DEFAULT.to_owned());
        let listen_anywhere = options.listen_anywhere || file.listen_anywhere.unwrap_or(false);
        let poll = options.poll.or(file.poll).map_or(Ok(POLL_DEFAULT), poll)?;
        Ok(Config { target, listen, listen_anywhere, poll })
    }

    /// The addresses to listen on; an error if one of them can be reached from elsewhere and nobody
    /// asked for that.
    pub async fn listen_addresses(&self) -> Result<Vec<SocketAddr>> {
        let failed = |source| Error::Listen { address: self.listen.clone(), source };
        let found: Vec<SocketAddr> = tokio::net::lookup_host(&self.listen).await.map_err(failed)?.collect();
        match found.iter().find(|address| !address.ip().is_loopback()) {
            Some(address) if !self.listen_anywhere => Err(Error::Usage(format!(
                "{address} can be reached from other machines, and the pages ask for no password; \
                 listen on {LISTEN_DEFAULT} behind a proxy, or add --listen-anywhere if you mean it"
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

fn read_file(path: &Path) -> Result<File> {
    let text = fs::read_to_string(path)
        .map_err(|error| Error::Usage(format!("cannot read {}: {error}", path.display())))?;
    // The parser's own text would quote the line, which may be the one with the password.
    toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        Error::Usage(format!("{}, line {line}: {}", path.display(), complaint(error.message())))
    })
}

/// The parser's message if it can only name a key; values are not shown.
fn complaint(message: &str) -> &str {
    if message.starts_with("unknown field") { message } else { "this is not what the file can hold" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(listen: &str, listen_anywhere: bool) -> Config {
        let target = Target::read("postgres://u@localhost/d", None).expect("a URL");
        Config { target, listen: listen.to_owned(), listen_anywhere, poll: POLL_DEFAULT }
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
        assert!(config("0.0.0.0:0", true).listen_addresses().await.is_ok());
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
