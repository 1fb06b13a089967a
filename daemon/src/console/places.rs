//! Which of several databases an address means: the one that it names as `db`; or else, of an account, the one that has it.
//! A page about something that is in every database asks which one is meant.

use std::sync::Arc;

use askama::Template;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};

use super::pages::{Page, Problem, no_such_account, rendered};
use super::scope::{DATABASE, Name, each};
use super::{Console, links};
use crate::db::Untrusted;
use crate::db::served::Member;
use crate::error::Error;

/// Pages that show one database and cannot show all of them as one.
const OF_ONE: [&str; 2] = ["/campaign", "/prospect"];
/// The page of an account, which is in one database.
const ACCOUNT: &str = "/account";
/// The page of an act.
const ACT: &str = "/act";
/// Acts that may be about all databases at once.
const ACTS_ON_ALL: [&str; 2] = ["pause", "resume"];

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
        OF_ONE.contains(&path) || path == ACT && !value("do").is_some_and(|act| ACTS_ON_ALL.contains(&act));
    if path == ACCOUNT {
        return home_of(console, uri, value("id").unwrap_or_default()).await;
    }
    if is_of_one {
        let all: Vec<&Arc<Member>> = console.members.iter().collect();
        return Err(which(uri, "Each database has a page of its own.", &all));
    }
    Ok(None)
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

/// The values of an address.
fn values(uri: &Uri) -> Vec<(String, String)> {
    axum::extract::Query::try_from_uri(uri).map(|axum::extract::Query(values)| values).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_its_values_when_it_gets_a_database() {
        let uri: Uri = "/account?id=a%26b&chart=invite&db=old".parse().expect("an address");
        assert_eq!(named(&uri, "eu 1"), "/account?id=a%26b&chart=invite&db=eu%201");
        assert_eq!(named(&"/campaigns".parse().expect("an address"), "eu"), "/campaigns?db=eu");
    }
}
