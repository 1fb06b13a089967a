//! `proxy-sql`: prints the script that makes a database a proxy in front of the partitions, or says why it does not.

use std::io::Write;

use clap::Args;

use crate::config::databases::Database;
use crate::db::proxy::address::ProxyOptions;
use crate::db::proxy::beside::{differs, misplaced};
use crate::db::proxy::catalog::{Api, Identity};
use crate::db::proxy::script::{ASKED_AS, Proxy};
use crate::db::{Purpose, Session};
use crate::error::{Error, Result};
use crate::terminal::stripped;

/// The role whose members the logs believe about who acts.
const SPEAKER: &str = "sendgate_daemon";

/// The options of `proxy-sql`.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// The login under which the proxy connects to the partitions, a member of `sendgate_sender`, `sendgate_operator` and
    /// `sendgate_daemon` there [default: the login of the first database URL]
    #[arg(long, value_name = "NAME")]
    proxy_user: Option<String>,
    /// Options of the proxy's connections: libpq's, such as passfile and sslrootcert, and PL/Proxy's
    /// `connection_lifetime` and `disable_binary`. Limit the time of calls with statement_timeout (docs/scaling.md)
    #[arg(long, value_name = "KEY=VALUE …", default_value = "", hide_default_value = true)]
    proxy_options: String,
}

/// A partition that was asked.
struct Partition {
    /// `p0` and its address, for messages.
    called: String,
    session: Session,
    identity: Identity,
    api: Api,
}

/// Prints the script. Answers whether there is one: what speaks against it is said on standard error, with the rows that
/// prove it.
pub async fn print(databases: &[Database], arguments: &Arguments) -> Result<bool> {
    let count = databases.len();
    if !count.is_power_of_two() {
        let above = count.next_power_of_two();
        return Err(Error::Usage(format!(
            "there are {count} partitions: their number is a power of two, so that bits of a hash name one. \
             Give {} or {above} databases; several may lie on one server",
            above / 2
        )));
    }
    let options = ProxyOptions::read(&arguments.proxy_options)?;
    let user = match &arguments.proxy_user {
        Some(user) => user.clone(),
        None => databases[0].target.driver.get_user().map(str::to_owned).ok_or_else(|| {
            Error::Usage("under which login does the proxy connect? Give --proxy-user".to_owned())
        })?,
    };
    let mut faults = Vec::new();
    let mut partitions = Vec::new();
    for (n, database) in databases.iter().enumerate() {
        let called = format!("p{n}, {}", database.target.place());
        let session = Session::open(&database.target, Purpose::Command).await?;
        let identity = session.partition().await?;
        if identity.version.is_none() {
            faults.push(format!("{called}: sendgate is not installed there; CREATE EXTENSION sendgate"));
            session.close().await;
            continue;
        }
        let api = session.api().await?;
        partitions.push(Partition { called, session, identity, api });
    }
    if faults.is_empty() {
        faults = differences(&partitions);
    }
    if faults.is_empty() {
        faults = who_may_connect(&partitions, &user).await?;
        let sessions: Vec<&Session> = partitions.iter().map(|one| &one.session).collect();
        let called: Vec<&str> = partitions.iter().map(|one| one.called.as_str()).collect();
        faults.extend(misplaced(&sessions).await?.iter().map(|one| one.told(&called)));
    }
    let first = partitions.first().map(|first| (first.api.clone(), first.identity.version.clone()));
    for partition in partitions {
        partition.session.close().await;
    }
    let (Some((api, version)), []) = (first, faults.as_slice()) else {
        for fault in &faults {
            say(fault);
        }
        return Ok(false);
    };
    let proxy = Proxy {
        partitions: databases.iter().map(|database| &*database.target).collect(),
        version: version.unwrap_or_default(),
        api,
        user,
        options,
    };
    std::io::stdout().lock().write_all(proxy.script()?.as_bytes()).map_err(Error::Output)?;
    Ok(true)
}

/// Partitions of different versions, databases that are named twice, and APIs that were changed by hand.
fn differences(partitions: &[Partition]) -> Vec<String> {
    let mut faults = Vec::new();
    let version = |one: &Partition| one.identity.version.clone().unwrap_or_default();
    let Some(first) = partitions.first() else { return faults };
    if partitions.iter().any(|one| version(one) != version(first)) {
        let rows: Vec<_> = partitions.iter().map(|one| format!("{}: {}", one.called, version(one))).collect();
        faults.push(format!(
            "the partitions have different versions; ALTER EXTENSION sendgate UPDATE in the older ones first: {}",
            rows.join("; ")
        ));
        return faults;
    }
    for (n, one) in partitions.iter().enumerate() {
        for other in &partitions[..n] {
            if one.identity.system_identifier == other.identity.system_identifier
                && one.identity.oid == other.identity.oid
            {
                faults.push(format!(
                    "{} and {} are the same database, or one is a copy of the other: system identifier {}, database {} with oid {}",
                    other.called, one.called, one.identity.system_identifier, one.identity.name, one.identity.oid
                ));
            }
        }
        if let Some(what) = differs(&first.api, &one.api) {
            faults.push(format!("{} and {} differ in {what}", first.called, one.called));
        }
    }
    faults
}

/// Whether the proxy's login has on every partition what its calls need. That the logs do not name who acts is only
/// said.
async fn who_may_connect(partitions: &[Partition], user: &str) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for one in partitions {
        let login = one.session.login(user, &ASKED_AS).await?;
        let called = &one.called;
        if !login.exists {
            faults.push(format!(
                "{called}: there is no role {user:?} for the proxy; CREATE ROLE \"{user}\" LOGIN; GRANT sendgate_sender, sendgate_operator, sendgate_daemon TO \"{user}\""
            ));
        } else if !login.lacks.is_empty() {
            let lacks = login.lacks.join(", ");
            faults.push(format!("{called}: {user:?} is no member of {lacks}; GRANT {lacks} TO \"{user}\""));
        } else if !login.speaks_for_others {
            say(&format!(
                "note: {called}: {user:?} is no member of {SPEAKER}, so the logs there name it for every call; GRANT {SPEAKER} TO \"{user}\""
            ));
        }
    }
    Ok(faults)
}

/// A line on standard error; its reader may be gone.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", stripped(line));
}
