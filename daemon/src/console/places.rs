//! Which of several databases an address means: the one that it names as `db`; or else, of an account, the one that has it.
//! A page about something that several databases may have is about all of them; only an act that is done in one database
//! asks which one is meant.

use std::sync::Arc;

use askama::Template;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};

use super::kind::{Kind, Subject};
use super::pages::{Page, Problem, no_such_account, rendered};
use super::scope::{DATABASE, Name, chosen, each};
use super::{Console, links};
use crate::db::Untrusted;
use crate::db::served::Member;
use crate::error::Error;

/// Lists that show several databases as one.
const LISTS: [&str; 7] = ["/", "/campaigns", "/events", "/alerts", "/unknown", "/heartbeats", "/log"];
/// Pages about one id that several databases may know, and that show them as one.
const OF_SEVERAL: [&str; 2] = ["/campaign", "/prospect"];
/// The page of an account, which is in one database.
const ACCOUNT: &str = "/account";
/// The page of an act.
const ACT: &str = "/act";

#[derive(Template)]
#[template(path = "databases.html")]
struct DatabasesPage {
    page: Page,
    text: String,
    /// Names, and the address of the same page in each.
    databases: Vec<(String, String)>,
}

/// The database that an address means; none if it means all, or if there is only one.
///
/// # Errors
///
/// The answer that is given instead: there is no such database, or it is not clear which one is meant.
pub async fn database_of(console: &Console, uri: &Uri) -> Result<Name, Response> {
    if !console.has_several() {
        return Ok(None);
    }
    let values = values(uri);
    let value =
        |wanted: &str| values.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    if let Some(name) = value(DATABASE).filter(|name| !name.is_empty()) {
        return match console.database(name) {
            Some(member) => Ok(member.label.clone()),
            None => {
                let text = format!("No database here has the name {}.", Untrusted::from(name.to_owned()));
                Err(Problem::new(StatusCode::NOT_FOUND, "There is no such database", text).into_response())
            }
        };
    }
    let path = uri.path();
    let is_of_one =
        path == ACT && !value("do").is_some_and(|act| spans(act, value("id").unwrap_or_default()));
    if path == ACCOUNT {
        return home_of(console, uri, value("id").unwrap_or_default()).await;
    }
    if is_of_one {
        let all: Vec<&Arc<Member>> = console.members.iter().collect();
        return Err(which(
            uri,
            "What this is about may be in each of them. It is done in the one that you choose.",
            &all,
        ));
    }
    Ok(None)
}

/// Whether an act may be about all databases: it is of such a kind, and names no account.
fn spans(act: &str, id: &str) -> bool {
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == act);
    kind.is_some_and(|kind| kind.may_span() && (kind.subject() != Subject::Account || id.is_empty()))
}

/// The database that an account is in.
async fn home_of(console: &Console, uri: &Uri, id: &str) -> Result<Name, Response> {
    let homes = console.homes(id).await.map_err(|error| Problem::from(error).into_response())?;
    match homes.as_slice() {
        [] => {
            let down: Vec<String> = console.down().into_iter().map(|(name, _)| name.to_string()).collect();
            if down.is_empty() {
                return Err(no_such_account(id).into_response());
            }
            let text = format!(
                "No account of the databases that can be asked has the id {}. Not asked: {}.",
                Untrusted::from(id.to_owned()),
                down.join(", ")
            );
            Err(Problem::unavailable("This account is not found", &text).into_response())
        }
        [home] => Err(Redirect::to(&named(uri, &home.name)).into_response()),
        several => {
            let text = "An account of this id is in each of these databases: its caps exist twice, and both may send. Find \
                        out through which one the application sends, and remove the other one (remove_account).";
            Err(which(uri, text, several))
        }
    }
}

impl Console {
    /// The databases that have an account, of those that the page is about.
    pub async fn homes(&self, account: &str) -> Result<Vec<&Arc<Member>>, Error> {
        let found = each!(self, |session, _member| session.is_known(account))?;
        let homes = found.0.iter().filter(|(_, is_known)| *is_known);
        Ok(homes.filter_map(|(name, _)| self.database(name.as_ref()?)).collect())
    }
}

impl Console {
    /// Where several are served, the addresses of a list, or of an id's page, in all of them and in each.
    pub(super) fn databases_of(&self, uri: &Uri) -> Vec<(String, String, bool)> {
        let path = uri.path();
        let id = match OF_SEVERAL.contains(&path) {
            true => value_of(uri, "id"),
            false if LISTS.contains(&path) => String::new(),
            false => return Vec::new(),
        };
        if !self.has_several() {
            return Vec::new();
        }
        let now = chosen();
        let link = |database: &str| links::query(path, &[("id", &id), (DATABASE, database)]);
        let each = self.members.iter().map(|member| {
            (member.name.to_string(), link(&member.name), now.as_deref() == Some(&*member.name))
        });
        let all = ("All databases".to_owned(), link(""), now.is_none());
        [all].into_iter().chain(each).collect()
    }
}

/// The page that asks which database is meant.
fn which(uri: &Uri, text: &str, members: &[&Arc<Member>]) -> Response {
    let databases =
        members.iter().map(|member| (member.name.to_string(), named(uri, &member.name))).collect();
    let page = Page::default().titled("Which database?");
    rendered(&DatabasesPage { page, text: text.to_owned(), databases })
}

/// The same address, with the name of a database.
pub fn named(uri: &Uri, database: &str) -> String {
    let values = values(uri);
    let kept = values.iter().filter(|(name, _)| name != DATABASE);
    let kept = kept.map(|(name, value)| (name.as_str(), value.as_str()));
    let all: Vec<(&str, &str)> = kept.chain([(DATABASE, database)]).collect();
    links::query(uri.path(), &all)
}

/// A value of an address; empty if it is not there.
fn value_of(uri: &Uri, wanted: &str) -> String {
    let found = values(uri).into_iter().find(|(name, _)| name == wanted);
    found.map(|(_, value)| value).unwrap_or_default()
}

/// The values of an address.
fn values(uri: &Uri) -> Vec<(String, String)> {
    axum::extract::Query::try_from_uri(uri).map(|axum::extract::Query(values)| values).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_on_an_account_are_done_in_one_database() {
        for (act, id, expected) in [
            ("pause", "", true),
            ("acknowledge-all", "", true),
            ("acknowledge-all", "a", false),
            ("all-sent", "", true),
            ("all-not-sent", "a", false),
            ("switch", "spring", true),
            ("requeue-parked", "spring", true),
            ("suppress", "eve", true),
            ("requeue", "spring", false),
            ("pause-account", "a", false),
            ("drop", "", false),
        ] {
            assert_eq!(spans(act, id), expected, "{act} {id}");
        }
    }

    #[test]
    fn an_address_keeps_its_values_when_it_gets_a_database() {
        let uri: Uri = "/account?id=a%26b&chart=invite&db=old".parse().expect("an address");
        assert_eq!(named(&uri, "eu 1"), "/account?id=a%26b&chart=invite&db=eu%201");
        assert_eq!(named(&"/campaigns".parse().expect("an address"), "eu"), "/campaigns?db=eu");
    }
}
