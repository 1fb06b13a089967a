//! The database to connect to: libpq's connection strings, with libpq's `sslmode`, `sslrootcert`, `sslcert`,
//! `sslkey` and `passfile`, which the driver does not know.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode as DriverSslMode};

use super::password;
use crate::error::{Error, Result};

/// Longest wait for a connection, for each address.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// After this silence the system asks the peer whether it is still there …
const KEEPALIVE_IDLE: Duration = Duration::from_secs(20);
/// … again after each such pause …
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// … and ends the connection if sent data is not acknowledged within this time.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(20);
/// The directory of Debian's server sockets, for a connection string without a host.
const SOCKET_DIR: &str = "/var/run/postgresql";
/// Keywords that this file handles instead of the driver.
const OWN_KEYWORDS: [&str; 6] =
    ["sslmode", "sslrootcert", "sslcert", "sslkey", "passfile", "application_name"];

/// How far TLS is trusted, in libpq's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    /// No TLS.
    Disable,
    /// TLS if the server has it; no certificate is verified.
    Prefer,
    /// TLS; no certificate is verified, unless a root certificate is named.
    Require,
    /// TLS with a certificate of a trusted authority.
    VerifyCa,
    /// The same, and the certificate is of the host that was asked for.
    VerifyFull,
}

impl SslMode {
    fn parse(text: &str) -> Result<SslMode> {
        match text {
            "disable" => Ok(SslMode::Disable),
            "prefer" => Ok(SslMode::Prefer),
            "require" => Ok(SslMode::Require),
            "verify-ca" => Ok(SslMode::VerifyCa),
            "verify-full" => Ok(SslMode::VerifyFull),
            _ => Err(Error::Usage(
                "sslmode is one of disable, prefer, require, verify-ca, verify-full".to_owned(),
            )),
        }
    }

    /// The driver only knows whether TLS is used; the TLS library knows what to verify.
    fn for_driver(self) -> DriverSslMode {
        match self {
            SslMode::Disable => DriverSslMode::Disable,
            SslMode::Prefer => DriverSslMode::Prefer,
            _ => DriverSslMode::Require,
        }
    }
}

/// The database to connect to.
#[derive(Clone, Debug)]
pub struct Target {
    /// The driver's settings; their `Debug` hides the password.
    pub driver: tokio_postgres::Config,
    /// How far TLS is trusted.
    pub sslmode: SslMode,
    /// File of trusted authorities; none: the system's.
    pub sslrootcert: Option<PathBuf>,
    /// The daemon's own certificate and key; none: the server gets none.
    pub identity: Option<Identity>,
}

/// The daemon's certificate, for a server that asks for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// File of the certificate and of those between it and the authority.
    pub certificate: PathBuf,
    /// File of its private key.
    pub key: PathBuf,
}

impl Target {
    /// Reads a URL or a keyword string. The password is the string's, or else that of the password file, of
    /// `PGPASSWORD`, or of the passfile.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if it cannot be read; the message quotes no part of it.
    pub fn read(text: &str, password_file: Option<&std::path::Path>) -> Result<Target> {
        let (rest, own) = split(text)?;
        let own = |name: &str| own.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let mut driver: tokio_postgres::Config = rest.parse().map_err(|error: tokio_postgres::Error| {
            // The parser's message may quote any part of the string: only its kind is shown.
            let cause = std::error::Error::source(&error).map(|cause| cause.to_string()).unwrap_or_default();
            let kind = if cause.starts_with("unknown option") { ": it has an unknown option" } else { "" };
            Error::Usage(format!(
                "the database URL cannot be read{kind}; \
                 write postgres://user@host:5432/database, and escape special characters as %XX"
            ))
        })?;
        if driver.get_hosts().is_empty() && driver.get_hostaddrs().is_empty() {
            driver.host_path(SOCKET_DIR);
        }
        let sslmode = match own("sslmode") {
            Some(mode) => SslMode::parse(mode)?,
            None if is_local(&driver) => SslMode::Disable,
            None => SslMode::VerifyFull,
        };
        let sslrootcert = own("sslrootcert").filter(|path| *path != "system").map(PathBuf::from);
        let identity = match (own("sslcert").map(PathBuf::from), own("sslkey").map(PathBuf::from)) {
            (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
            (None, None) => None,
            _ => {
                return Err(Error::Usage(
                    "a client certificate needs both: sslcert=FILE and sslkey=FILE".to_owned(),
                ));
            }
        };
        driver
            .ssl_mode(sslmode.for_driver())
            .application_name("sendgated")
            .keepalives(true)
            .keepalives_idle(KEEPALIVE_IDLE)
            .keepalives_interval(KEEPALIVE_INTERVAL)
            .tcp_user_timeout(TCP_USER_TIMEOUT);
        if driver.get_connect_timeout().is_none() {
            driver.connect_timeout(CONNECT_TIMEOUT);
        }
        if driver.get_password().is_none()
            && let Some(found) = password::find(&driver, password_file, own("passfile"))?
        {
            driver.password(found);
        }
        Ok(Target { driver, sslmode, sslrootcert, identity })
    }

    /// Host, port and database for messages, without secrets.
    pub fn place(&self) -> String {
        let name = |host: &Host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        };
        let mut hosts: Vec<String> = self.driver.get_hosts().iter().map(name).collect();
        if hosts.is_empty() {
            hosts = self.driver.get_hostaddrs().iter().map(IpAddr::to_string).collect();
        }
        let ports = self.driver.get_ports();
        for (n, host) in hosts.iter_mut().enumerate() {
            let port = ports.get(n).or(ports.first()).copied().unwrap_or(5432);
            *host += &format!(":{port}");
        }
        let database = self.driver.get_dbname().or(self.driver.get_user()).unwrap_or("its default database");
        format!("{} ({database})", hosts.join(", "))
    }
}

/// Whether every host is this machine: only there a connection without TLS is the default.
fn is_local(driver: &tokio_postgres::Config) -> bool {
    let host_is_local = |host: &Host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name.eq_ignore_ascii_case("localhost")
                || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    };
    driver.get_hosts().iter().all(host_is_local) && driver.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

/// The part that the driver reads, and our own keywords with their values.
type Split = (String, Vec<(String, String)>);

fn split(text: &str) -> Result<Split> {
    let text = text.trim();
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return split_url(text);
    }
    let (own, rest): (Vec<_>, Vec<_>) =
        keywords(text)?.into_iter().partition(|(key, _)| OWN_KEYWORDS.contains(&key.as_str()));
    let quoted = |(key, value): &(String, String)| {
        format!("{key}='{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
    };
    Ok((rest.iter().map(quoted).collect::<Vec<_>>().join(" "), own))
}

fn split_url(url: &str) -> Result<Split> {
    let Some((base, query)) = url.split_once('?') else {
        return Ok((url.to_owned(), Vec::new()));
    };
    let mut own = Vec::new();
    let mut rest = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if OWN_KEYWORDS.contains(&key) {
            own.push((key.to_owned(), percent_decoded(value)?));
        } else {
            rest.push(pair);
        }
    }
    let rest = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    Ok((rest, own))
}

fn percent_decoded(text: &str) -> Result<String> {
    let bad = || Error::Usage("the database URL has a % that is not followed by two hex digits".to_owned());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next().ok_or_else(bad)?, rest.next().ok_or_else(bad)?];
        let digits = std::str::from_utf8(&digits).map_err(|_| bad())?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| bad())?);
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

/// libpq's `key = value` pairs; values may be in single quotes, with backslashes.
///
/// # Errors
///
/// [`Error::Usage`] if it has another form; the message quotes no part of it.
pub fn keywords(text: &str) -> Result<Vec<(String, String)>> {
    let bad = || {
        Error::Usage(
            "the database is neither a URL such as postgres://user@host/database \
             nor key=value pairs such as host=/run/postgresql dbname=app"
                .to_owned(),
        )
    };
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=').ok_or_else(bad)?;
        let key = key.trim();
        if key.is_empty() || key.contains(char::is_whitespace) {
            return Err(bad());
        }
        let (value, after) = value(after.trim_start()).ok_or_else(bad)?;
        pairs.push((key.to_owned(), value));
        rest = after.trim_start();
    }
    Ok(pairs)
}

/// One value and the text after it; none if a quote is not closed.
fn value(text: &str) -> Option<(String, &str)> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut characters = text.char_indices().skip(usize::from(quoted));
    while let Some((position, c)) = characters.next() {
        match c {
            '\\' => value.push(characters.next()?.1),
            '\'' if quoted => return Some((value, &text[position + 1..])),
            _ if !quoted && c.is_whitespace() => return Some((value, &text[position..])),
            _ => value.push(c),
        }
    }
    (!quoted).then_some((value, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Target {
        Target::read(text, None).expect(text)
    }

    #[test]
    fn only_this_machine_goes_without_tls() {
        assert_eq!(target("postgres://u@127.0.0.1/d").sslmode, SslMode::Disable);
        assert_eq!(target("postgres://u@localhost/d").sslmode, SslMode::Disable);
        assert_eq!(target("host=/run/postgresql user=u").sslmode, SslMode::Disable);
        assert_eq!(target("postgres://u@db.example.org/d").sslmode, SslMode::VerifyFull);
        assert_eq!(target("postgres://u@localhost,10.0.0.1/d").sslmode, SslMode::VerifyFull);
        assert_eq!(target("host=localhost hostaddr=10.0.0.1 user=u").sslmode, SslMode::VerifyFull);
        assert_eq!(target("postgres://u@10.0.0.1/d?sslmode=disable").sslmode, SslMode::Disable);
    }

    #[test]
    fn own_keywords_are_taken_out() {
        let read =
            target("postgres://u:p@h/d?sslmode=verify-ca&sslrootcert=%2Fetc%2Fca.pem&connect_timeout=3");
        assert_eq!(read.sslmode, SslMode::VerifyCa);
        assert_eq!(read.sslrootcert, Some(PathBuf::from("/etc/ca.pem")));
        assert_eq!(read.driver.get_connect_timeout(), Some(&Duration::from_secs(3)));
        let read = target(r"host=h user='o' password='a b\'c' sslmode=require");
        assert_eq!(read.sslmode, SslMode::Require);
        assert_eq!(read.driver.get_user(), Some("o"));
    }

    #[test]
    fn a_certificate_comes_with_its_key() {
        let read = target("postgres://u@h/d?sslcert=%2Fc.pem&sslkey=/k.pem");
        assert_eq!(read.identity, Some(Identity { certificate: "/c.pem".into(), key: "/k.pem".into() }));
        assert!(Target::read("postgres://u@h/d?sslcert=/c.pem", None).is_err());
        assert!(Target::read("host=h user=u sslkey=/k.pem", None).is_err());
    }

    #[test]
    fn passwords_with_spaces_and_quotes_survive() {
        let read = target(r"host=h user=u password='a b\'c\\d'");
        assert_eq!(read.driver.get_password(), Some(br"a b'c\d".as_slice()));
    }

    #[test]
    fn complaints_quote_nothing() {
        for text in [
            "postgres://u:geheim@h:port/d",
            "postgres://u:geheim@h/d?sslmode=geheim",
            "host=h password=geheim oops",
            "host=h password='geheim",
            "postgres://u:%zzgeheim@h/d?passfile=%zz",
            "host=h password=x geheim=1",
        ] {
            let error = Target::read(text, None).expect_err(text).to_string();
            assert!(!error.contains("geheim"), "{error}");
        }
    }

    #[test]
    fn debug_and_place_hide_the_password() {
        let read = target("postgres://u:geheim@h:5433/d");
        assert!(!format!("{read:?}").contains("geheim"));
        assert_eq!(read.place(), "h:5433 (d)");
    }
}
