//! The list of accounts: first the ids of a page, then their cards.

use chrono::NaiveDate;
use serde::Serialize;
use tokio_postgres::types::{ToSql, Type};

use crate::db::{Session, Timestamp, Untrusted};
use crate::error::Result;

/// Rows that one page looks at if the filter rejects some of them: reading so many takes milliseconds.
const LOOKED_AT_MAX: i64 = 5_000;
/// The same for a search for a part of ids and names.
const SEARCHED_MAX: i64 = 20_000;
/// The same for a filter that adds up each account's day.
const ADDED_UP_MAX: i64 = 1_000;

/// $1 is the first id, $2 the end of the search's range (NULL: none), $3 how many rows to look at, $4 how
/// many to show. The answer: how many were looked at, the last of them, and the ids that belong, in order.
macro_rules! walk {
    ($from:literal) => {
        concat!(
            "WITH looked AS MATERIALIZED (",
            $from,
            ")
SELECT (SELECT count(*) FROM looked), (SELECT max(l.id) FROM looked AS l),
       ARRAY(SELECT l.id::text FROM looked AS l WHERE l.belongs ORDER BY l.id LIMIT $4)"
        )
    };
}

/// All accounts, by the primary key.
const EVERYBODY: &str = walk!(
    "SELECT a.id, true AS belongs FROM sendgate.linkedin_accounts AS a
    WHERE a.id >= $1 AND ($2 IS NULL OR a.id < $2) ORDER BY a.id LIMIT $3"
);

/// All accounts by the primary key; those belong whose id or name holds the text $5, which is in lower case.
const NAMED: &str = walk!(
    "SELECT a.id, strpos(lower(a.id), $5) > 0 OR strpos(lower(a.display_name), $5) > 0 AS belongs
    FROM sendgate.linkedin_accounts AS a
    WHERE a.id >= $1 AND ($2 IS NULL OR a.id < $2) ORDER BY a.id LIMIT $3"
);

/// By `accounts_exhausted_idx`. A stamp of an earlier period stays until the next InMail.
const EXHAUSTED: &str = walk!(
    "SELECT b.account_id AS id, b.state = 'open' AS belongs FROM sendgate.breakers AS b
    WHERE b.exhausted_at IS NOT NULL AND b.account_id >= $1 AND ($2 IS NULL OR b.account_id < $2)
    ORDER BY b.account_id LIMIT $3"
);

/// By `accounts_cooling_idx`. A cooldown that is over stays until the next one.
const COOLING: &str = walk!(
    "SELECT a.id, a.cooldown_until > (SELECT sendgate.clock()) AS belongs
    FROM sendgate.linkedin_accounts AS a
    WHERE a.cooldown_until IS NOT NULL AND a.id >= $1 AND ($2 IS NULL OR a.id < $2)
    ORDER BY a.id LIMIT $3"
);

/// By `accounts_not_connected_idx`.
const NOT_CONNECTED: &str = walk!(
    "SELECT a.id, true AS belongs FROM sendgate.linkedin_accounts AS a
    WHERE a.status <> 'connected' AND a.id >= $1 AND ($2 IS NULL OR a.id < $2)
    ORDER BY a.id LIMIT $3"
);

/// By `accounts_day_idx`: only accounts that were active today can have drifted today. $5 is the day. The sum
/// is the one of the cards: slots without a proof and without an open operation.
const DRIFTING: &str = walk!(
    "SELECT a.id, a.inmails_sent_today
        <> (SELECT count(*) FROM sendgate.linkedin_events AS e
            WHERE e.account_id = a.id AND e.event_type = 'inmail_sent'
              AND e.occurred_at >= $5 - 2 AND e.counted_on = $5)
         + (SELECT count(*) FROM sendgate.operations_unresolved AS o
            WHERE o.account_id = a.id AND o.action = 'inmail' AND o.counted_on >= $5) AS belongs
    FROM sendgate.linkedin_accounts AS a
    WHERE a.counters_day = $5 AND a.id >= $1 AND ($2 IS NULL OR a.id < $2)
    ORDER BY a.id LIMIT $3"
);

/// Cards of the accounts in $1; $2 is the day. OFFSET 0 closes each subquery, so that the planner looks each
/// account up by its key instead of reading all of them. Outcomes are counted since Monday of last week, as
/// the alert about them does.
const CARDS: &str = "SELECT w.id, a.display_name, a.status::text, a.tier::text,
       a.cooling_until, b.pill, b.state,
       k.sent_today, k.daily_cap, d.delivered, o.in_flight, o.unresolved,
       k.sent_today - d.delivered - o.inmails_open_today
FROM unnest($1) AS w (id)
CROSS JOIN LATERAL (
    SELECT a.display_name, a.status, a.tier,
           CASE WHEN a.cooldown_until > (SELECT sendgate.clock()) THEN a.cooldown_until END AS cooling_until
    FROM sendgate.linkedin_accounts AS a WHERE a.id = w.id OFFSET 0
) AS a
CROSS JOIN LATERAL (
    SELECT b.pill, b.state FROM sendgate.breakers AS b WHERE b.account_id = w.id OFFSET 0
) AS b
CROSS JOIN LATERAL (
    SELECT k.sent_today, k.daily_cap FROM sendgate.counters AS k
    WHERE k.account_id = w.id AND k.action = 'inmail' OFFSET 0
) AS k
CROSS JOIN LATERAL (
    SELECT count(*) AS delivered FROM sendgate.linkedin_events AS e
    WHERE e.account_id = w.id AND e.event_type = 'inmail_sent'
      AND e.occurred_at >= $2 - 2 AND e.counted_on = $2
) AS d
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE o.state = 'reserved' AND NOT o.expired) AS in_flight,
           count(*) FILTER (WHERE o.state = 'indeterminate' OR o.expired) AS unresolved,
           count(*) FILTER (WHERE o.action = 'inmail' AND o.counted_on >= $2)
               AS inmails_open_today
    FROM sendgate.operations_unresolved AS o
    WHERE o.account_id = w.id AND o.counted_on >= date_trunc('week', $2::timestamp)::date - 7
) AS o
ORDER BY w.id COLLATE \"C\"";

/// The accounts that are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// All accounts.
    #[default]
    Everybody,
    /// Accounts whose InMails the credits stop.
    Exhausted,
    /// Accounts that cool down.
    Cooling,
    /// Accounts with InMail slots that nothing accounts for.
    Drifting,
    /// Accounts that are paused, restricted or disconnected.
    NotConnected,
}

impl Filter {
    /// How many rows a page with this number of cards looks at.
    pub fn looks_at(self, cards: i64) -> i64 {
        match self {
            // An index has exactly these.
            Filter::Everybody | Filter::NotConnected => cards,
            Filter::Exhausted | Filter::Cooling => LOOKED_AT_MAX,
            Filter::Drifting => ADDED_UP_MAX,
        }
    }

    const fn sql(self) -> &'static str {
        match self {
            Filter::Everybody => EVERYBODY,
            Filter::Exhausted => EXHAUSTED,
            Filter::Cooling => COOLING,
            Filter::Drifting => DRIFTING,
            Filter::NotConnected => NOT_CONNECTED,
        }
    }
}

/// A range of ids.
#[derive(Clone, Copy, Debug)]
pub struct Range<'a> {
    /// Ids from this one on.
    pub from: &'a str,
    /// Ids before this one; none: to the end.
    pub before: Option<&'a str>,
}

/// The accounts of one page.
#[derive(Clone, Debug)]
pub struct Walked {
    /// The ids that belong, in order.
    pub ids: Vec<String>,
    /// How many rows were looked at.
    pub looked_at: i64,
    /// The id of the last one of them.
    pub last: Option<String>,
    /// Whether the range ended before the rows that may be looked at did.
    pub whole: bool,
}

/// An account as the list shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Card {
    /// Its id.
    pub id: Untrusted,
    /// Its name, if it has one.
    pub name: Option<Untrusted>,
    /// `connected`, `paused`, `restricted` or `disconnected`.
    pub status: String,
    /// Its tier.
    pub tier: Untrusted,
    /// Until when it cools down, if it does.
    pub cooling_until: Option<Timestamp>,
    /// The reason why InMails are stopped, in the database's words.
    pub pill: Option<Untrusted>,
    /// The breaker's state.
    pub breaker: String,
    /// InMail slots taken today.
    pub sent: i32,
    /// The effective cap of InMails today, in slots.
    pub cap: i32,
    /// InMails proven today.
    pub delivered: i64,
    /// Operations that a worker has.
    pub in_flight: i64,
    /// Operations of unknown outcome.
    pub unresolved: i64,
    /// InMail slots that nothing accounts for.
    pub drift: i64,
}

impl Session {
    /// The first `cards` ids of a range whose id or name holds the text, in any case.
    pub async fn search_accounts(&self, text: &str, range: Range<'_>, cards: i64) -> Result<Walked> {
        let text = text.to_lowercase();
        let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
            (&range.from, Type::TEXT),
            (&range.before, Type::TEXT),
            (&SEARCHED_MAX, Type::INT8),
            (&cards, Type::INT8),
            (&text, Type::TEXT),
        ];
        let row = self.row("searching accounts", NAMED, &parameters).await?;
        let looked_at: i64 = row.get(0);
        let whole = looked_at < SEARCHED_MAX;
        Ok(Walked { looked_at, last: row.get(1), ids: row.get(2), whole })
    }

    /// The first `cards` ids of a range that the filter accepts.
    pub async fn walk_accounts(
        &self,
        filter: Filter,
        range: Range<'_>,
        today: NaiveDate,
        cards: i64,
    ) -> Result<Walked> {
        let looks_at = filter.looks_at(cards);
        let mut parameters: Vec<(&(dyn ToSql + Sync), Type)> = vec![
            (&range.from, Type::TEXT),
            (&range.before, Type::TEXT),
            (&looks_at, Type::INT8),
            (&cards, Type::INT8),
        ];
        if filter == Filter::Drifting {
            parameters.push((&today, Type::DATE));
        }
        let row = self.row("listing accounts", filter.sql(), &parameters).await?;
        let looked_at: i64 = row.get(0);
        Ok(Walked { looked_at, last: row.get(1), ids: row.get(2), whole: looked_at < looks_at })
    }

    /// The cards of these accounts, in the order of ids.
    pub async fn account_list(&self, ids: &[String], today: NaiveDate) -> Result<Vec<Card>> {
        let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&ids, Type::TEXT_ARRAY), (&today, Type::DATE)];
        let rows = self.rows("reading cards", CARDS, &parameters).await?;
        let card = |row: &tokio_postgres::Row| Card {
            id: row.get(0),
            name: row.get(1),
            status: row.get(2),
            tier: row.get(3),
            cooling_until: row.get(4),
            pill: row.get(5),
            breaker: row.get(6),
            sent: row.get(7),
            cap: row.get(8),
            delivered: row.get(9),
            in_flight: row.get(10),
            unresolved: row.get(11),
            drift: row.get(12),
        };
        Ok(rows.iter().map(card).collect())
    }
}
