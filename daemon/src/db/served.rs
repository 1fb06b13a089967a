//! The databases that are served, one beside the other: their connections, whether each can be used, and that no two
//! names lead to one database.

use std::sync::{Arc, Mutex};

use futures_util::future::join_all;

use super::{Purpose, Session, SharedLink};
use crate::config::databases::Database;
use crate::config::target::Target;
use crate::error::{Error, Result};

/// The database and its server, whatever led to them. Every login may ask.
const IDENTITY: &str = "SELECT c.system_identifier, d.oid::int8
FROM pg_control_system() AS c CROSS JOIN pg_database AS d WHERE d.datname = current_database()";

/// What a database is by itself: a standby has the same as its primary, another database of the server has another oid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Of the server's data directory.
    pub system_identifier: i64,
    /// Of the database in it.
    pub oid: i64,
}

/// Whether a database can be used, as far as the daemon knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// It was not asked yet.
    #[default]
    Unknown,
    /// It answered, and has this version of the extension.
    Up(String),
    /// The reason why it cannot be used.
    Down(String),
}

/// One of the databases that are served.
#[derive(Debug)]
pub struct Member {
    /// Its name.
    pub name: Arc<str>,
    /// Its name where several are served; none if it is the only one.
    pub label: Option<Arc<str>>,
    /// How to reach it.
    pub target: Arc<Target>,
    /// The connection that its pages, its metrics and its notifications use in turn.
    pub pages: SharedLink,
    standing: Mutex<Standing>,
    identity: Mutex<Option<Identity>>,
}

/// All databases that are served, in the order in which they are named; never empty.
pub type Members = Arc<[Arc<Member>]>;

impl Member {
    /// Not connected yet.
    pub fn new(database: &Database) -> Member {
        Member {
            name: database.name.clone(),
            label: database.label().cloned(),
            target: database.target.clone(),
            pages: SharedLink::new(database.target.clone(), Purpose::Pages),
            standing: Mutex::default(),
            identity: Mutex::default(),
        }
    }

    /// All of these.
    pub fn all(databases: &[Database]) -> Members {
        databases.iter().map(|database| Arc::new(Member::new(database))).collect()
    }

    /// Whether it can be used, as far as is known.
    pub fn standing(&self) -> Standing {
        self.standing.lock().expect("no thread panics while it holds this").clone()
    }

    /// Whether it is known that it cannot be used: then nothing waits for it.
    pub fn is_down(&self) -> bool {
        matches!(*self.standing.lock().expect("no thread panics while it holds this"), Standing::Down(_))
    }

    /// Notes whether it can be used; answers whether that is new.
    pub fn stands(&self, standing: Standing) -> bool {
        let mut known = self.standing.lock().expect("no thread panics while it holds this");
        let is_new = *known != standing;
        *known = standing;
        is_new
    }

    /// What it is by itself; none if it never answered.
    pub fn identity(&self) -> Option<Identity> {
        *self.identity.lock().expect("no thread panics while it holds this")
    }

    /// Notes what it is by itself.
    pub fn is(&self, identity: Identity) {
        *self.identity.lock().expect("no thread panics while it holds this") = Some(identity);
    }

    /// The name of an earlier one of these that is the same database.
    pub fn same_as(&self, members: &Members) -> Option<Arc<str>> {
        let own = self.identity()?;
        let mut earlier = members.iter().take_while(|member| member.name != self.name);
        earlier.find(|member| member.identity() == Some(own)).map(|member| member.name.clone())
    }
}

impl Session {
    /// What its database is by itself.
    pub async fn identity(&self) -> Result<Identity> {
        let row = self.row("asking which database this is", IDENTITY, &[]).await?;
        Ok(Identity { system_identifier: row.get(0), oid: row.get(1) })
    }
}

/// A database and a session on it, or the reason why there is none.
#[derive(Debug)]
pub struct Reached {
    /// Its name.
    pub name: Arc<str>,
    /// Its name where several are served; none if it is the only one.
    pub label: Option<Arc<str>>,
    /// How to reach it.
    pub target: Arc<Target>,
    /// The session.
    pub session: Result<Session>,
}

/// Connects to all at once.
///
/// # Errors
///
/// [`Error::Usage`] if two of them are one database. If there is only one, also the error that kept it from being
/// reached.
pub async fn reach(databases: &[Database], purpose: Purpose) -> Result<Vec<Reached>> {
    let connect = async |database: &Database| {
        let session = Session::open(&database.target, purpose).await;
        let identity = match (&session, database.is_one_of_several) {
            (Ok(session), true) => session.identity().await.map(Some),
            _ => Ok(None),
        };
        let (session, identity) = match identity {
            Ok(identity) => (session, identity),
            Err(error) => (Err(error), None),
        };
        let (name, label, target) =
            (database.name.clone(), database.label().cloned(), database.target.clone());
        (Reached { name, label, target, session }, identity)
    };
    let (mut reached, identities): (Vec<Reached>, Vec<Option<Identity>>) =
        join_all(databases.iter().map(connect)).await.into_iter().unzip();
    if let Some(error) = twice(&reached, &identities) {
        close(reached).await;
        return Err(error);
    }
    if reached.len() == 1 && reached[0].session.is_err() {
        return Err(reached.remove(0).session.expect_err("it was just found to be one"));
    }
    Ok(reached)
}

/// Ends all sessions.
pub async fn close(reached: Vec<Reached>) {
    join_all(reached.into_iter().filter_map(|one| one.session.ok()).map(Session::close)).await;
}

/// The error of two names that lead to one database.
fn twice(reached: &[Reached], identities: &[Option<Identity>]) -> Option<Error> {
    for (n, identity) in identities.iter().enumerate() {
        let Some(identity) = identity else { continue };
        if let Some(first) = identities[..n].iter().position(|known| *known == Some(*identity)) {
            return Some(same(&reached[first].name, &reached[n].name, &reached[n].target.place(), *identity));
        }
    }
    None
}

/// Two names lead to one database.
pub fn same(first: &str, second: &str, place: &str, identity: Identity) -> Error {
    Error::Usage(format!(
        "the databases {first} and {second} are one and the same: both lead to {place} (system identifier {}, oid {}). \
         Leave one of them out",
        identity.system_identifier, identity.oid
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::databases::{Named, read};

    fn members(urls: &[&str]) -> Members {
        let given: Vec<String> = urls.iter().map(|url| (*url).to_owned()).collect();
        let named = Named { given: &given, ..Named::default() };
        Member::all(&read(named, Duration::from_secs(3), |_| Ok(Duration::ZERO)).expect("databases"))
    }

    #[test]
    fn a_database_that_turns_out_to_be_another_one_is_noticed() {
        let members = members(&["postgres://u@h/a", "postgres://u@h/b", "postgres://u@h/c"]);
        let identity = |oid| Identity { system_identifier: -7, oid };
        assert_eq!(members[2].same_as(&members), None, "nothing is known yet");
        members[0].is(identity(1));
        members[1].is(identity(2));
        members[2].is(identity(2));
        assert_eq!(members[2].same_as(&members).as_deref(), Some("b"));
        assert_eq!(members[1].same_as(&members), None, "the first one is served");
        members[2].is(identity(3));
        assert_eq!(members[2].same_as(&members), None);
    }

    #[test]
    fn a_change_of_standing_is_told_once() {
        let members = members(&["postgres://u@h/a"]);
        assert!(members[0].label.is_none() && !members[0].is_down());
        assert!(members[0].stands(Standing::Down("x".to_owned())) && members[0].is_down());
        assert!(!members[0].stands(Standing::Down("x".to_owned())));
        assert!(members[0].stands(Standing::Up("0.3.0".to_owned())) && !members[0].is_down());
    }
}
