//! The addresses at which a proxy finds its partitions, as libpq reads them, and PL/Proxy's own options.

use std::path::Path;

use tokio_postgres::config::Host;

use crate::config::target::{SslMode, Target, keywords};
use crate::error::{Error, Result};

/// What PL/Proxy itself knows; the rest is libpq's.
const OF_PLPROXY: &[&str] = &[
    "connection_lifetime",
    "query_timeout",
    "disable_binary",
    "keepalive_idle",
    "keepalive_interval",
    "keepalive_count",
];
/// Set by the script; a password does not belong into it.
const NOT_OPTIONS: &[&str] = &["user", "password", "host", "hostaddr", "port", "dbname", "options"];
/// A server that is gone is noticed within half a minute: an idle connection by keepalives, one with a call under way, or
/// just being made, by what its kernel does not acknowledge.
const DEFAULTS: &[(&str, &str)] = &[
    ("keepalives_idle", "20"),
    ("keepalives_interval", "5"),
    ("keepalives_count", "2"),
    ("tcp_user_timeout", "30000"),
    ("application_name", "sendgate_proxy"),
    ("target_session_attrs", "read-write"),
];

/// The options of `--proxy-options`.
#[derive(Clone, Debug, Default)]
pub struct ProxyOptions {
    /// Options of the foreign servers.
    pub of_servers: Vec<(String, String)>,
    /// Options of each connection.
    pub of_connections: Vec<(String, String)>,
}

impl ProxyOptions {
    /// Reads `key=value` pairs.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if it has no such form, or names what the script sets itself.
    pub fn read(text: &str) -> Result<ProxyOptions> {
        let mut options = ProxyOptions::default();
        for (key, value) in keywords(text)? {
            if NOT_OPTIONS.contains(&key.as_str()) {
                return Err(Error::Usage(format!(
                    "--proxy-options cannot set {key}: the login is --proxy-user, addresses are those of --database-url, \
                     and a password belongs into the passfile of the proxy's server"
                )));
            }
            if OF_PLPROXY.contains(&key.as_str()) {
                options.of_servers.push((key, value));
            } else {
                options.of_connections.push((key, value));
            }
        }
        Ok(options)
    }
}

/// libpq's string for a partition, with the role under which it is asked.
pub fn connection(target: &Target, role: &str, options: &ProxyOptions) -> String {
    let driver = &target.driver;
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut set = |key: &str, value: String| match pairs.iter_mut().find(|(found, _)| found == key) {
        Some((_, old)) => *old = value,
        None => pairs.push((key.to_owned(), value)),
    };
    let hosts: Vec<String> = driver.get_hosts().iter().map(host).collect();
    if !hosts.is_empty() {
        set("host", hosts.join(","));
    }
    let addresses: Vec<String> = driver.get_hostaddrs().iter().map(ToString::to_string).collect();
    if !addresses.is_empty() {
        set("hostaddr", addresses.join(","));
    }
    let ports: Vec<String> = driver.get_ports().iter().map(ToString::to_string).collect();
    if !ports.is_empty() {
        set("port", ports.join(","));
    }
    if let Some(database) = driver.get_dbname().or(driver.get_user()) {
        set("dbname", database.to_owned());
    }
    set("sslmode", sslmode(target.sslmode).to_owned());
    if let Some(path) = &target.sslrootcert {
        set("sslrootcert", shown(path));
    }
    for (key, value) in DEFAULTS {
        set(key, (*value).to_owned());
    }
    for (key, value) in &options.of_connections {
        set(key, value.clone());
    }
    set("options", format!("-c role={role}"));
    let quoted = |(key, value): &(String, String)| {
        format!("{key}='{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
    };
    pairs.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

fn host(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => shown(path),
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn sslmode(mode: SslMode) -> &'static str {
    match mode {
        SslMode::Disable => "disable",
        SslMode::Prefer => "prefer",
        SslMode::Require => "require",
        SslMode::VerifyCa => "verify-ca",
        SslMode::VerifyFull => "verify-full",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_libpq_s_and_has_no_password() {
        let target =
            Target::read("postgres://daemon:geheim@db1,db2:5433/app?sslmode=verify-ca&sslrootcert=/ca", None)
                .expect("a URL");
        let options =
            ProxyOptions::read("connect_timeout=9 query_timeout=30 passfile='/a b'").expect("options");
        let text = connection(&target, "sendgate_sender", &options);
        assert!(text.starts_with("host='db1,db2' port='"), "{text}");
        for part in ["dbname='app'", "sslmode='verify-ca'", "sslrootcert='/ca'", "connect_timeout='9'"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(text.ends_with("passfile='/a b' options='-c role=sendgate_sender'"), "{text}");
        assert!(!text.contains("geheim") && !text.contains("daemon"), "{text}");
        assert_eq!(options.of_servers, [("query_timeout".to_owned(), "30".to_owned())]);
    }

    #[test]
    fn what_the_script_sets_is_no_option() {
        for text in ["password=geheim", "user=x", "host=h", "options=-c"] {
            let error = ProxyOptions::read(text).expect_err(text).to_string();
            assert!(!error.contains("geheim"), "{error}");
        }
    }
}
