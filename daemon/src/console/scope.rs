//! Which database a page is about, where several are served. An address names it as `db`; every link that is made for
//! the page names it too, so that a button acts where the page was read. A page about all databases makes each link of
//! a row in the row's own database. Where one database is served, none is ever named.

use std::ops::Deref;
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::MutexGuard;

use super::Console;
use crate::db::served::{Member, Standing};
use crate::db::{Link, Session};
use crate::error::{Error, Result};

/// The name of the value in addresses.
pub const DATABASE: &str = "db";

tokio::task_local! {
    /// The database that the present page, or the present row of it, is about.
    static CHOSEN: Arc<str>;
}

/// The name of a database where several are served; none if there is only one.
pub type Name = Option<Arc<str>>;

/// The database that the page is about; none if it is about all, or if there is only one.
pub fn chosen() -> Name {
    CHOSEN.try_with(Clone::clone).ok()
}

/// Does it for a page about this database.
pub async fn about<T>(database: Name, work: impl Future<Output = T>) -> T {
    match database {
        Some(name) => CHOSEN.scope(name, work).await,
        None => work.await,
    }
}

/// Makes something of a row that is of this database.
pub fn within<T>(database: &Name, make: impl FnOnce() -> T) -> T {
    match database {
        Some(name) => CHOSEN.sync_scope(name.clone(), make),
        None => make(),
    }
}

/// Where several databases are served and one page is about all of them, the addresses that look on, each in its own
/// database; the label names it.
pub fn look_on(ends: &[(Name, Option<String>)], link: impl Fn(&str) -> String) -> Vec<(String, String)> {
    let with_more = ends.iter().filter_map(|(name, last)| Some((name, last.as_ref()?)));
    let made = with_more.map(|(name, last)| {
        let told = name.as_ref().filter(|_| chosen().is_none());
        let label = told.map_or_else(|| "Look on".to_owned(), |name| format!("Look on in {name}"));
        (label, within(name, || link(last)))
    });
    made.collect()
}

/// A row and the database that it is of.
#[derive(Clone, Debug)]
pub struct Row<T> {
    /// The database's name where several are served.
    pub database: Name,
    row: T,
}

impl<T> Row<T> {
    /// A row of this database.
    pub fn of(database: Name, row: T) -> Row<T> {
        Row { database, row }
    }

    /// The name that a page about all databases shows beside the row; none on a page about one.
    pub fn told(&self) -> Option<&Arc<str>> {
        self.database.as_ref().filter(|_| chosen().is_none())
    }

    /// Makes a link of it, in its database.
    pub fn link(&self, make: impl FnOnce(&T) -> String) -> String {
        within(&self.database, || make(&self.row))
    }

    /// The row alone.
    pub fn into_inner(self) -> T {
        self.row
    }
}

impl<T> Deref for Row<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.row
    }
}

/// The answers of several databases, each with its name, in the order of the databases.
#[derive(Debug)]
pub struct Answers<T>(pub Vec<(Name, T)>);

impl<T> Answers<T> {
    /// Each answer made into another one.
    pub fn map<U>(self, mut make: impl FnMut(T) -> U) -> Answers<U> {
        Answers(self.0.into_iter().map(|(name, answer)| (name, make(answer))).collect())
    }

    /// The answers alone.
    pub fn all(self) -> Vec<T> {
        self.0.into_iter().map(|(_, answer)| answer).collect()
    }
}

impl<A, B> Answers<(A, B)> {
    /// The halves of each answer apart.
    pub fn split2(self) -> (Answers<A>, Answers<B>) {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for (name, (a, b)) in self.0 {
            first.push((name.clone(), a));
            second.push((name, b));
        }
        (Answers(first), Answers(second))
    }
}

impl<A, B, C> Answers<(A, B, C)> {
    /// The three parts of each answer apart.
    pub fn split3(self) -> (Answers<A>, Answers<B>, Answers<C>) {
        let (first, rest) = self.map(|(a, b, c)| (a, (b, c))).split2();
        let (second, third) = rest.split2();
        (first, second, third)
    }
}

impl<T> Answers<Vec<T>> {
    /// The rows of all, newest first: by their keys, greatest first, at most `rows_max` of them. Each database gave its
    /// first ones after the same place.
    pub fn newest<K: Ord>(self, rows_max: usize, key: impl Fn(&T) -> K) -> Vec<Row<T>> {
        let rows = |(name, rows): (Name, Vec<T>)| rows.into_iter().map(move |row| Row::of(name.clone(), row));
        let are_several = self.0.len() > 1;
        let mut all: Vec<Row<T>> = self.0.into_iter().flat_map(rows).collect();
        if are_several {
            all.sort_by_cached_key(|row| std::cmp::Reverse(key(&row.row)));
        }
        all.truncate(rows_max);
        all
    }
}

impl Console {
    /// The database of this name, if it is one of several.
    pub fn database(&self, name: &str) -> Option<&Arc<Member>> {
        self.members.iter().find(|member| member.label.as_deref() == Some(name))
    }

    /// The place of a database among those that are served.
    pub fn place_of(&self, name: &str) -> Option<usize> {
        self.members.iter().position(|member| member.label.as_deref() == Some(name))
    }

    /// Whether several databases are served.
    pub fn has_several(&self) -> bool {
        self.members.len() > 1
    }

    /// The database that the page is about; if it is about none in particular, the first one that can be used.
    pub(super) fn one(&self) -> &Arc<Member> {
        let chosen = chosen().and_then(|name| self.database(&name));
        let usable = || self.members.iter().find(|member| !member.is_down());
        chosen.or_else(usable).unwrap_or(&self.members[0])
    }

    /// The databases that the page is about and that may be usable: the chosen one, or all that are not known to be down.
    fn asked(&self) -> Vec<&Arc<Member>> {
        if chosen().is_some() || !self.has_several() {
            return vec![self.one()];
        }
        let up: Vec<_> = self.members.iter().filter(|member| !member.is_down()).collect();
        if up.is_empty() { vec![&self.members[0]] } else { up }
    }

    /// The databases that cannot be used, and why.
    pub(super) fn down(&self) -> Vec<(Arc<str>, String)> {
        let down = |member: &Arc<Member>| match member.standing() {
            Standing::Down(why) => Some((member.name.clone(), why)),
            Standing::Unknown | Standing::Up(_) => None,
        };
        let several = self.members.iter().filter(|member| member.label.is_some());
        several.filter_map(down).collect()
    }

    /// A turn on the pages' connection of each database that the page is about.
    pub(super) async fn turns(&self) -> Vec<Turn<'_>> {
        let asked = self.asked();
        let mut waiting = Vec::with_capacity(asked.len());
        for member in &asked {
            waiting.push(member.pages.turn());
        }
        let turns = asked.iter().zip(join_all(waiting).await).map(|(member, turn)| {
            let (link, failed) = match turn {
                Ok(link) => (Some(link), None),
                Err(error) => (None, Some(error)),
            };
            Turn { member: (*member).clone(), link, failed }
        });
        turns.collect()
    }
}

/// A turn on the pages' connection of one database, or the reason why there is none.
#[derive(Debug)]
pub struct Turn<'a> {
    /// The database.
    pub member: Arc<Member>,
    link: Option<MutexGuard<'a, Link>>,
    failed: Option<Error>,
}

impl Turn<'_> {
    /// The session, connected if necessary.
    ///
    /// # Errors
    ///
    /// The reason why there is none.
    pub async fn session(&mut self) -> Result<&Session> {
        match (&mut self.link, self.failed.take()) {
            (_, Some(error)) => Err(error),
            (Some(link), None) => link.session().await,
            (None, None) => Err(Error::Stopped),
        }
    }
}

/// Ends the turns, and gives the answers back.
///
/// # Errors
///
/// The first database's, if none answers. Otherwise one that does not answer is left out.
pub async fn answered<T>(turns: Vec<Turn<'_>>, answers: Vec<Result<T>>) -> Result<Answers<T>> {
    let are_several = turns.len() > 1;
    let (mut kept, mut failed) = (Vec::with_capacity(answers.len()), None);
    for (turn, answer) in turns.into_iter().zip(answers) {
        let answer = match turn.link {
            Some(mut link) => link.settled(answer).await,
            None => answer,
        };
        match answer {
            Ok(answer) => kept.push((turn.member.label.clone(), answer)),
            Err(error) => {
                if are_several {
                    tracing::warn!(database = &*turn.member.name, %error, "a page leaves a database out");
                }
                failed = failed.or(Some(error));
            }
        }
    }
    match failed {
        Some(error) if kept.is_empty() => Err(error),
        _ => Ok(Answers(kept)),
    }
}

/// Asks each database that the page is about, all at once: `each!(console, |session, member| future)` is a
/// `Result<Answers<_>>`. What the future uses is copied into it, so let it use references. It is a macro because the
/// compiler cannot see that a future which a closure makes of a borrowed session may move to another thread.
macro_rules! each {
    ($console:expr, |$session:ident, $member:ident| $ask:expr) => {{
        let mut turns = $console.turns().await;
        let mut asks = Vec::with_capacity(turns.len());
        for turn in &mut turns {
            asks.push(async move {
                let $member = turn.member.clone();
                let $session = turn.session().await?;
                let answer: $crate::error::Result<_> = $ask.await;
                drop($member);
                answer
            });
        }
        let answers = futures_util::future::join_all(asks).await;
        $crate::console::scope::answered(turns, answers).await
    }};
}
pub(crate) use each;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::links;

    #[test]
    fn every_link_of_a_page_about_one_database_leads_to_it() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let link = |database: Name| runtime.block_on(about(database, async { links::account("a") }));
        assert_eq!(link(None), "/account?id=a");
        assert_eq!(link(Some("h:1 (x)".into())), "/account?id=a&db=h%3A1%20%28x%29");
    }

    #[test]
    fn a_link_of_a_row_leads_to_the_rows_database() {
        let row = Row::of(Some("eu".into()), "a".to_owned());
        assert_eq!(row.link(|id| links::account(id)), "/account?id=a&db=eu");
        assert_eq!(row.told().map(|name| &**name), Some("eu"));
        let within_us =
            within(&Some("us".into()), || (row.link(|id| links::account(id)), row.told().is_none()));
        assert_eq!(within_us, ("/account?id=a&db=eu".to_owned(), true));
        assert_eq!(Row::of(None, "a".to_owned()).link(|id| links::account(id)), "/account?id=a");
    }

    #[test]
    fn each_database_that_has_more_is_looked_on_in() {
        let end = |name: &str, last: Option<&str>| -> (Name, Option<String>) {
            (Some(name.into()), last.map(str::to_owned))
        };
        let ends = [end("eu", Some("p9")), end("us", None), end("as", Some("p5"))];
        let link = |last: &str| links::query("/campaign", &[("id", "k"), ("after", last)]);
        let (eu, asia) = ("/campaign?id=k&after=p9&db=eu", "/campaign?id=k&after=p5&db=as");
        let told = |label: &str, link: &str| (label.to_owned(), link.to_owned());
        assert_eq!(look_on(&ends, link), [told("Look on in eu", eu), told("Look on in as", asia)]);
        let of_one = within(&Some("eu".into()), || look_on(&ends[..1], link));
        assert_eq!(of_one, [told("Look on", eu)]);
        let alone = look_on(&[(None, Some("p9".to_owned()))], link);
        assert_eq!(alone, [told("Look on", "/campaign?id=k&after=p9")]);
    }

    #[test]
    fn newest_first_whatever_database_they_are_of() {
        let answers = Answers(vec![(Some("eu".into()), vec![9, 5, 5]), (Some("us".into()), vec![8, 5, 1])]);
        let rows = answers.newest(4, |key| *key);
        let found: Vec<(i32, &str)> =
            rows.iter().map(|row| (**row, row.database.as_deref().unwrap_or_default())).collect();
        assert_eq!(found, [(9, "eu"), (8, "us"), (5, "eu"), (5, "eu")]);
    }
}
