//! What `doctor` says of a proxy beside its partitions: addresses, functions and rights that are not what `proxy-sql` would
//! make now, and accounts that calls would not find.

use std::sync::Arc;

use super::Findings;
use crate::config::target::Target;
use crate::db::proxy::address::{ProxyOptions, connection};
use crate::db::proxy::beside::{differs, misplaced};
use crate::db::proxy::catalog::Api;
use crate::db::proxy::installed::{Installed, address, differences, wanted};
use crate::db::proxy::script::{ASKED_AS, contents};
use crate::db::served::Reached;
use crate::db::{Purpose, Session};
use crate::error::Result;

/// Most differences of the functions that are told.
const TOLD_MAX: usize = 10;
/// What mends a proxy.
const ANEW: &str = "make the script anew, with the options of the first time (sendgated proxy-sql … > proxy.sql), and run it \
                    on the proxy (psql -v ON_ERROR_STOP=1 -f proxy.sql)";

/// Looks at one proxy. `usable` are the names of the partitions that can be asked.
pub(super) async fn look(
    target: &Arc<Target>,
    reached: &[Reached],
    usable: &[&str],
    findings: &mut Findings,
) -> Result<()> {
    let session = match Session::open(target, Purpose::Command).await {
        Ok(session) => session,
        Err(error) => {
            findings.bad(error.to_string(), "see that it runs and can be reached from here");
            return Ok(());
        }
    };
    let installed = session.installed().await;
    session.close().await;
    let Some(installed) = installed? else {
        findings.bad("this database is no proxy: no script of proxy-sql was run in it", ANEW);
        return Ok(());
    };
    look_at_addresses(&installed, reached, findings)?;
    let mut first: Option<(&str, Api)> = None;
    for one in reached.iter().filter(|one| usable.contains(&&*one.name)) {
        let Ok(session) = &one.session else { continue };
        let api = session.api().await?;
        let Some((name, api_of_first)) = &first else {
            look_at_functions(&installed, reached.len(), &api, session.extension_version().await?, findings);
            first = Some((&one.name, api));
            continue;
        };
        if let Some(what) = differs(api_of_first, &api) {
            findings.bad(
                format!("{name} and {} differ in {what}", one.name),
                "ALTER EXTENSION sendgate UPDATE in the older one, or the GRANT or REVOKE that is missing there",
            );
        }
    }
    if first.is_none() {
        findings.note("its functions were not compared: no partition can be asked");
    }
    Ok(())
}

/// Whether it asks these partitions, in this order.
fn look_at_addresses(installed: &Installed, reached: &[Reached], findings: &mut Findings) -> Result<()> {
    if installed.addresses.len() != reached.len() {
        findings.bad(
            format!(
                "it has {} partitions, and doctor was given {} databases",
                installed.addresses.len(),
                reached.len()
            ),
            "give doctor the databases that proxy-sql was given, in the same order: the number of partitions never changes",
        );
        return Ok(());
    }
    let mut all_right = true;
    for (n, (has, one)) in installed.addresses.iter().zip(reached).enumerate() {
        let ought = address(&connection(&one.target, ASKED_AS[0], &ProxyOptions::default()))?;
        if *has == ought {
            continue;
        }
        all_right = false;
        let what = format!("its partition p{n} is {has}, and doctor was given {ought}");
        // A pooler listens on another port of the partition's server.
        if without_port(has) == without_port(&ought) {
            findings.note(format!("{what}: right if that is a pooler in front of it"));
        } else {
            findings.bad(what, ANEW);
        }
    }
    if all_right {
        findings.good(format!("it has these {} partitions, in this order", reached.len()));
    }
    Ok(())
}

/// An address without its port.
fn without_port(address: &str) -> (&str, &str) {
    let (server, database) = address.rsplit_once('/').unwrap_or((address, ""));
    (server.rsplit_once(':').map_or(server, |(host, _)| host), database)
}

/// Whether its functions, views and rights are what the partitions have.
fn look_at_functions(
    installed: &Installed,
    partitions: usize,
    api: &Api,
    version: Option<String>,
    findings: &mut Findings,
) {
    let version = version.unwrap_or_default();
    let contents = match contents(api, &version, partitions) {
        Ok(contents) => contents,
        Err(error) => {
            findings.bad(error.to_string(), "install that sendgated here, then make the proxy's script anew");
            return;
        }
    };
    let mut told = differences(&wanted(api, &contents), &installed.objects);
    if !installed.comment.starts_with(&format!("sendgate {version} ")) {
        let made_of = installed.comment.split(" behind ").next().unwrap_or_default();
        told.insert(0, format!("it was made of {made_of}, and the partitions have {version}"));
    }
    if told.is_empty() {
        findings.good(format!("its functions, views and rights are those of sendgate {version}"));
        return;
    }
    let more = told.len().saturating_sub(TOLD_MAX);
    told.truncate(TOLD_MAX);
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    findings.bad(format!("it is out of date: {}", told.join("; ")), ANEW);
}

/// Whether each account is on the partition to which the hash of its id sends calls.
pub(super) async fn accounts(reached: &[Reached], usable: &[&str], findings: &mut Findings) -> Result<()> {
    let sessions: Vec<&Session> = reached
        .iter()
        .filter(|one| usable.contains(&&*one.name))
        .filter_map(|one| one.session.as_ref().ok())
        .collect();
    if sessions.len() < reached.len() {
        findings.note("not looked at: a partition cannot be asked");
        return Ok(());
    }
    if !reached.len().is_power_of_two() {
        return Ok(());
    }
    let called: Vec<&str> = reached.iter().map(|one| &*one.name).collect();
    let found = misplaced(&sessions).await?;
    for one in &found {
        let account = one.account.replace('\'', "''");
        let remove = format!(
            "in {}: SELECT sendgate.remove_account('{account}', '…') until it returns 0",
            called[one.on]
        );
        let todo = if one.is_there_too {
            remove
        } else {
            format!("provision it through the proxy (upsert_account); then {remove}")
        };
        findings.bad(one.told(&called), todo);
    }
    if found.is_empty() {
        findings.good("each account is where its calls go");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pooler_is_on_another_port_of_the_same_server() {
        assert_eq!(without_port("db1:6432/p0"), without_port("db1:5432/p0"));
        assert_ne!(without_port("db1:6432/p0"), without_port("db2:6432/p0"));
        assert_ne!(without_port("db1:5432/p0"), without_port("db1:5432/p1"));
    }
}
