//! Looks for a password outside of the connection string: in a password file, in `PGPASSWORD`, or in libpq's
//! passfile.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tokio_postgres::config::Host;

use crate::error::{Error, Result};

/// The password for this connection; none if there is none anywhere.
///
/// # Errors
///
/// [`Error::Usage`] if a file cannot be read, or others can read the passfile.
pub fn find(
    driver: &tokio_postgres::Config,
    password_file: Option<&Path>,
    passfile: Option<&str>,
) -> Result<Option<String>> {
    if let Some(path) = password_file {
        return read_password_file(path).map(Some);
    }
    if let Some(password) = std::env::var("PGPASSWORD").ok().filter(|text| !text.is_empty()) {
        return Ok(Some(password));
    }
    let named = passfile.map(PathBuf::from).or_else(|| std::env::var_os("PGPASSFILE").map(PathBuf::from));
    let path = match named.or_else(|| std::env::home_dir().map(|home| home.join(".pgpass"))) {
        Some(path) if path.is_file() => path,
        _ => return Ok(None),
    };
    // libpq ignores such a file with a warning, and the server then says that no password came. An error says
    // it at once.
    only_ours(&path)?;
    let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
    Ok(lookup(&text, &wanted(driver)))
}

/// Refuses a file with a secret that other users of this machine can read.
pub fn only_ours(path: &Path) -> Result<()> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if is_open(metadata.mode(), metadata.uid(), metadata.gid()) {
        return Err(Error::Usage(format!("{} can be read by others; run chmod 600 on it", path.display())));
    }
    Ok(())
}

/// Whether a file of this mode, owner and group is open to more users than the daemon's. As PostgreSQL does with its
/// keys, it accepts 0640 for a file of root's, whose group is then the daemon's own: so packages install one.
pub fn is_open(mode: u32, uid: u32, gid: u32) -> bool {
    let allowed = if uid == 0 && gid != 0 { 0o640 } else { 0o600 };
    mode & 0o077 & !allowed != 0
}

fn read_password_file(path: &Path) -> Result<String> {
    let text = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    // Editors end files with a newline; a password cannot hold one.
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::Usage(format!("cannot read {}: {error}", path.display()))
}

/// The passfile's first four fields for each host: host, port, database and user.
fn wanted(driver: &tokio_postgres::Config) -> Vec<[String; 4]> {
    let user = driver.get_user().unwrap_or_default();
    let database = driver.get_dbname().unwrap_or(user);
    let ports = driver.get_ports();
    let with_port = |(n, host): (usize, &Host)| {
        let port = ports.get(n).or(ports.first()).copied().unwrap_or(5432);
        let host = match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(_) => "localhost".to_owned(),
        };
        [host, port.to_string(), database.to_owned(), user.to_owned()]
    };
    driver.get_hosts().iter().enumerate().map(with_port).collect()
}

/// The password of the first line that matches one of these places.
fn lookup(text: &str, wanted: &[[String; 4]]) -> Option<String> {
    let lines: Vec<Vec<String>> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(fields)
        .filter(|line| line.len() == 5)
        .collect();
    let matches = |line: &&Vec<String>| {
        wanted.iter().any(|place| line.iter().zip(place).all(|(field, value)| field == "*" || field == value))
    };
    lines.iter().find(matches).map(|line| line[4].clone())
}

/// Fields between colons; a backslash keeps the next character as it is.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => fields.last_mut().expect("never empty").extend(characters.next()),
            ':' if fields.len() < 5 => fields.push(String::new()),
            _ => fields.last_mut().expect("never empty").push(c),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(host: &str, port: &str, database: &str, user: &str) -> Vec<[String; 4]> {
        vec![[host, port, database, user].map(str::to_owned)]
    }

    #[test]
    fn the_first_line_that_matches_counts() {
        let text = "# hosts\nother:*:*:*:no\nh:5432:d:u:one\n*:*:*:u:two\n";
        assert_eq!(lookup(text, &place("h", "5432", "d", "u")).as_deref(), Some("one"));
        assert_eq!(lookup(text, &place("h", "5433", "d", "u")).as_deref(), Some("two"));
        assert_eq!(lookup(text, &place("h", "5432", "d", "v")), None);
    }

    #[test]
    fn a_group_may_read_only_a_file_of_roots() {
        let service = 104;
        for mode in [0o100_600, 0o100_400, 0o100_640, 0o100_440] {
            assert!(!is_open(mode, 0, service), "{mode:o}");
        }
        assert!(!is_open(0o100_600, service, service));
        for (mode, uid, gid) in [
            (0o100_640, service, service),
            (0o100_640, 0, 0),
            (0o100_660, 0, service),
            (0o100_650, 0, service),
            (0o100_644, 0, service),
            (0o100_604, service, service),
        ] {
            assert!(is_open(mode, uid, gid), "{mode:o} {uid}:{gid}");
        }
    }

    #[test]
    fn colons_and_backslashes_can_be_escaped() {
        let text = r"h:1:d:u:a\:b\\c:d";
        assert_eq!(lookup(text, &place("h", "1", "d", "u")).as_deref(), Some(r"a:b\c:d"));
    }
}
