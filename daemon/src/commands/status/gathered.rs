//! What `status` shows, read from each database and put together in the order of the lists.

use std::cmp::Ordering;
use std::sync::Arc;

use futures_util::future::join_all;
use serde::Serialize;
use serde_json::{Value, json};

use super::{ALERTS_MAX, Arguments};
use crate::config::databases::Database;
use crate::db::alerts::Alert;
use crate::db::heartbeats::Heartbeat;
use crate::db::notifications::WebhookState;
use crate::db::served::{Reached, close, reach};
use crate::db::status::{AccountCard, Observed, Place};
use crate::db::stopped::Stopped;
use crate::db::{Purpose, Session, Timestamp};
use crate::error::{Error, Result};
use crate::terminal::stripped;

/// The name of a database where several are served; none if there is only one.
pub type Name = Option<Arc<str>>;

/// All of it.
#[derive(Debug, Default)]
pub struct Gathered {
    /// Whether several databases are served.
    pub are_several: bool,
    /// Databases that cannot be asked, and why.
    pub down: Vec<(Arc<str>, String)>,
    /// The others.
    pub databases: Vec<Of>,
    /// The cards of this page, each with its database.
    pub cards: Vec<(Name, AccountCard)>,
    /// Heartbeats, by job.
    pub jobs: Vec<(Name, Heartbeat)>,
    /// The newest open alerts.
    pub alerts: Vec<(Name, Alert)>,
}

/// What holds for a database as a whole.
#[derive(Debug)]
pub struct Of {
    /// Its name.
    pub database: Name,
    /// Its clock.
    pub now: Timestamp,
    /// What stops all its accounts.
    pub stopped: Stopped,
    /// Whether its books were written in another database.
    pub copied: bool,
    /// Who is only observed.
    pub observed: Observed,
    /// How many accounts it has.
    pub accounts: i64,
    /// Its webhooks.
    pub webhooks: Vec<WebhookState>,
}

/// The lists of one database.
struct Lists {
    cards: Vec<AccountCard>,
    jobs: Vec<Heartbeat>,
    alerts: Vec<Alert>,
}

impl Gathered {
    /// How many accounts there are in the databases that were asked.
    pub fn accounts(&self) -> i64 {
        self.databases.iter().map(|of| of.accounts).sum()
    }

    /// For programs. With several databases each row names its own.
    pub fn as_json(&self) -> Value {
        if let ([of], false) = (self.databases.as_slice(), self.are_several) {
            let Of { now, copied, observed, stopped, accounts, webhooks, .. } = of;
            let (cards, jobs, alerts) = (bare(&self.cards), bare(&self.jobs), bare(&self.alerts));
            return json!({ "at": now.to_iso(), "copied_database": copied, "observed": observed, "stopped": stopped, "accounts": accounts, "cards": cards, "jobs": jobs, "alerts": alerts, "webhooks": webhooks });
        }
        let up = self.databases.iter().map(|of| {
            let Of { database, now, copied, observed, stopped, accounts, webhooks } = of;
            json!({ "database": database.as_deref(), "at": now.to_iso(), "copied_database": copied, "observed": observed, "stopped": stopped, "accounts": accounts, "webhooks": webhooks, "error": null })
        });
        let down = self.down.iter().map(|(name, error)| json!({ "database": **name, "error": error }));
        let databases: Vec<Value> = up.chain(down).collect();
        let (cards, jobs, alerts) = (named(&self.cards), named(&self.jobs), named(&self.alerts));
        json!({ "databases": databases, "accounts": self.accounts(), "cards": cards, "jobs": jobs, "alerts": alerts })
    }
}

fn bare<T: Serialize>(rows: &[(Name, T)]) -> Vec<&T> {
    rows.iter().map(|(_, row)| row).collect()
}

fn named<T: Serialize>(rows: &[(Name, T)]) -> Vec<Value> {
    let one = |(name, row): &(Name, T)| {
        let mut row = serde_json::to_value(row).unwrap_or(Value::Null);
        if let Value::Object(fields) = &mut row {
            fields.insert("database".to_owned(), json!(name.as_deref()));
        }
        row
    };
    rows.iter().map(one).collect()
}

/// Reads it from all databases at once.
///
/// # Errors
///
/// With one database its errors. [`Error::Usage`] if the account to go on after is not there, or two names lead to one
/// database.
pub async fn gather(databases: &[Database], arguments: &Arguments) -> Result<Gathered> {
    let reached = reach(databases, Purpose::Command).await?;
    let gathered = of_all(&reached, arguments).await;
    close(reached).await;
    gathered
}

async fn of_all(reached: &[Reached], arguments: &Arguments) -> Result<Gathered> {
    let are_several = reached.len() > 1;
    let after = match &arguments.after {
        Some(id) => Some(place(reached, id, arguments.after_database.as_deref()).await?),
        None => None,
    };
    let asked = reached.iter().enumerate().map(async |(n, one)| {
        let session = match &one.session {
            Ok(session) => session,
            Err(error) => return Err(Error::Usage(error.to_string())),
        };
        let place = after.map(|(calm, found, id)| Place { id, calm: Some(calm), with_it: n > found });
        of_one(session, one.label.clone(), arguments.limit, place).await
    });
    let mut all = Gathered { are_several, ..Gathered::default() };
    for (one, answer) in reached.iter().zip(join_all(asked).await) {
        let (of, lists) = match answer {
            Ok(answer) => answer,
            Err(error) if are_several => {
                all.down.push((one.name.clone(), error.to_string()));
                continue;
            }
            Err(error) => return Err(error),
        };
        let name = || one.label.clone();
        all.cards.extend(lists.cards.into_iter().map(|card| (name(), card)));
        all.jobs.extend(lists.jobs.into_iter().map(|job| (name(), job)));
        all.alerts.extend(lists.alerts.into_iter().map(|alert| (name(), alert)));
        all.databases.push(of);
    }
    // Sorts are stable: rows of one place stay in the order of the databases.
    all.cards.sort_by(|(_, a), (_, b)| in_order(a, b));
    all.cards.truncate(usize::try_from(arguments.limit).unwrap_or(usize::MAX));
    all.jobs.sort_by(|(_, a), (_, b)| a.job.cmp(&b.job));
    all.alerts.sort_by(|(_, a), (_, b)| (b.opened_at, &b.alert_id).cmp(&(a.opened_at, &a.alert_id)));
    all.alerts.truncate(ALERTS_MAX);
    Ok(all)
}

/// The order of the cards: problems first, then by id in the order of bytes.
fn in_order(a: &AccountCard, b: &AccountCard) -> Ordering {
    (a.calm, a.account_id.raw()).cmp(&(b.calm, b.account_id.raw()))
}

/// Whether the account of that id is calm, and which database it is in: the named one, or the last one that has it.
async fn place<'a>(
    reached: &[Reached],
    id: &'a str,
    database: Option<&str>,
) -> Result<(bool, usize, &'a str)> {
    let asked = reached.iter().enumerate().rev();
    for (n, one) in asked.filter(|(_, one)| database.is_none_or(|name| *name == *one.name)) {
        let Ok(session) = &one.session else { continue };
        if let Some(calm) = session.is_calm(id).await? {
            return Ok((calm, n, id));
        }
    }
    let of = database.map_or_else(String::new, |name| format!(" in a database {}", stripped(name)));
    Err(Error::Usage(format!("there is no account {}{of} to go on after", stripped(id))))
}

async fn of_one(
    session: &Session,
    database: Name,
    limit: i64,
    after: Option<Place<'_>>,
) -> Result<(Of, Lists)> {
    let (now, stopped) = session.stopped().await?;
    let copied = session.is_copy().await?;
    let observed = session.observed().await?;
    let (cards, accounts) = session.cards(limit, after).await?;
    let jobs = session.heartbeats().await?;
    let alerts = session.open_alerts(None, None, ALERTS_MAX as i64).await?;
    let webhooks = session.webhooks().await?;
    Ok((Of { database, now, stopped, copied, observed, accounts, webhooks }, Lists { cards, jobs, alerts }))
}

#[cfg(test)]
mod tests {
    use serde_json::from_value;

    use super::*;

    fn card(calm: bool, id: &str) -> AccountCard {
        from_value(json!({ "account_id": id, "display_name": null, "status": "connected", "tier": "t",
            "inmails_sent_today": 0, "inmail_daily_cap": 0, "inmails_delivered_today": 0, "drift": 0, "in_flight": 0,
            "unresolved": 0, "waiting": 0, "deferred": 0, "parked": 0, "skipped_today": 0, "credits_left": null,
            "credits_state": "untracked", "pill": null, "calm": calm }))
        .expect("a card")
    }

    #[test]
    fn cards_are_in_the_order_of_the_database() {
        let mut cards = [card(true, "a"), card(false, "ä"), card(false, "z"), card(true, "B")];
        cards.sort_by(in_order);
        let ids: Vec<&str> = cards.iter().map(|card| card.account_id.raw()).collect();
        assert_eq!(ids, ["z", "ä", "B", "a"], "COLLATE \"C\", problems first");
    }

    #[test]
    fn programs_are_told_the_database_only_where_there_are_several() {
        let cards = vec![(Some(Arc::from("eu")), card(true, "a"))];
        let several = Gathered { are_several: true, cards, ..Gathered::default() };
        assert_eq!(several.as_json()["cards"][0]["database"], "eu");
        assert_eq!(several.as_json()["cards"][0].get("calm"), None);
        let down = Gathered {
            are_several: true,
            down: vec![(Arc::from("us"), "gone".to_owned())],
            ..Gathered::default()
        };
        assert_eq!(down.as_json()["databases"], json!([{ "database": "us", "error": "gone" }]));
    }
}
