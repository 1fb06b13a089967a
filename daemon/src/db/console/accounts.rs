//! The list of accounts: first the ids of a page, then their cards.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use tokio_postgres::types::{ToSql, Type};

use crate::db::parts::{id_holds, name_holds};
use crate::db::why::Why;
use crate::db::{Session, Timestamp, Untrusted};
use crate::error::Result;

/// Accounts of today that one page compares with the journal: each is two look-ups.
const COMPARED_MAX: i64 = 1_000;

/// By `accounts_day_idx`: only accounts that were active today can have drifted today. $1 is the first id, $2 how many
/// rows to look at, $3 how many to show, $4 the day, $5 a tier or empty, $6 a part of ids and names or empty.
/// The sum is the one of the cards: slots without a proof and without an open operation.
const DRIFTING: &str = concat!(
    "WITH looked AS MATERIALIZED (
    SELECT a.id, a.tier, a.display_name, a.inmails_sent_today FROM sendgate.linkedin_accounts AS a
    WHERE a.counters_day = $4 AND a.id >= $1 ORDER BY a.id LIMIT $2
)
SELECT (SELECT count(*) FROM looked), (SELECT max(l.id)::text FROM looked AS l), ARRAY(
    SELECT a.id::text FROM looked AS a
    WHERE ($5 = '' OR a.tier = $5)
      AND ($6 = '' OR ",
    id_holds!("a.id", "$6"),
    " OR ",
    name_holds!("a.display_name", "$6"),
    ")
      AND a.inmails_sent_today
        <> (SELECT count(*) FROM sendgate.linkedin_events AS e
            WHERE e.account_id = a.id AND e.event_type = 'inmail_sent'
              AND e.occurred_at >= $4 - 2 AND e.counted_on = $4)
         + (SELECT count(*) FROM sendgate.operations_unresolved AS o
            WHERE o.account_id = a.id AND o.action = 'inmail' AND o.counted_on >= $4)
    ORDER BY a.id LIMIT $3)"
);

/// Those of the accounts in $1, at most $4 and in the order of $1, that are of the tier $2 and have the text $3 in id or name;
/// each may be empty. OFFSET 0 looks each account up by its key.
const AMONG: &str = concat!(
    "SELECT ARRAY(
    SELECT w.id FROM unnest($1) WITH ORDINALITY AS w (id, place)
    CROSS JOIN LATERAL (
        SELECT a.id, a.tier, a.display_name FROM sendgate.linkedin_accounts AS a WHERE a.id = w.id OFFSET 0
    ) AS a
    WHERE ($2 = '' OR a.tier = $2)
      AND ($3 = '' OR ",
    id_holds!("a.id", "$3"),
    " OR ",
    name_holds!("a.display_name", "$3"),
    ")
    ORDER BY w.place LIMIT $4)"
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

/// What refuses the accounts in $1: those that are not connected, whose InMails an operator stopped or that cool down, in whole
/// or in part, and all of them if $2 says so.
/// An account is asked about only where there is something to tell.
const REFUSALS: &str = "SELECT jsonb_build_object('id', w.id, 'lines', y.lines)
FROM unnest($1) AS w (id)
CROSS JOIN LATERAL (
    SELECT $2 OR a.status <> 'connected' OR a.breaker_mode = 'open'
           OR EXISTS (SELECT FROM sendgate.cooldowns AS c WHERE c.account_id = w.id) AS asked
    FROM sendgate.linkedin_accounts AS a WHERE a.id = w.id OFFSET 0
) AS a
CROSS JOIN LATERAL (
    SELECT jsonb_agg(to_jsonb(y)) AS lines FROM sendgate.why(w.id) AS y WHERE a.asked AND NOT y.proceed OFFSET 0
) AS y
WHERE y.lines IS NOT NULL";

/// What accounts are looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flag {
    /// Nothing: all accounts.
    #[default]
    None,
    /// It sends nothing: it is not connected, or cools down as a whole.
    CannotSend,
    /// The credits stop its InMails.
    Exhausted,
    /// It or an action of it cools down.
    Cooling,
    /// An action of it failed again and again.
    Failing,
    /// The slots of an action are used up, of today or of seven days.
    CapReached,
    /// Its sending window is closed.
    OutsideWindow,
    /// It is paused, restricted or disconnected.
    NotConnected,
    /// It has InMail slots that nothing accounts for.
    Drifting,
    /// It has operations of unknown outcome.
    Unknown,
}

impl Flag {
    /// All of them, in the order in which people read them.
    pub const ALL: [Flag; 10] = [
        Flag::None,
        Flag::CannotSend,
        Flag::NotConnected,
        Flag::Exhausted,
        Flag::Cooling,
        Flag::Failing,
        Flag::Unknown,
        Flag::Drifting,
        Flag::CapReached,
        Flag::OutsideWindow,
    ];

    /// Its name in addresses and statements.
    pub const fn name(self) -> &'static str {
        match self {
            Flag::None => "",
            Flag::CannotSend => "cannot-send",
            Flag::Exhausted => "exhausted",
            Flag::Cooling => "cooling",
            Flag::Failing => "failing",
            Flag::CapReached => "cap-reached",
            Flag::OutsideWindow => "outside-window",
            Flag::NotConnected => "not-connected",
            Flag::Drifting => "drifting",
            Flag::Unknown => "unknown",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Flag> {
        Flag::ALL.into_iter().find(|flag| flag.name() == name)
    }

    /// Its label.
    pub const fn label(self) -> &'static str {
        match self {
            Flag::None => "All",
            Flag::CannotSend => "Cannot send",
            Flag::Exhausted => "Credits exhausted",
            Flag::Cooling => "Cooling down",
            Flag::Failing => "Failing",
            Flag::CapReached => "Cap reached",
            Flag::OutsideWindow => "Outside window",
            Flag::NotConnected => "Not connected",
            Flag::Drifting => "Drifting",
            Flag::Unknown => "Unknown outcomes",
        }
    }
}

/// The accounts of one page.
#[derive(Clone, Debug, Default)]
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

/// What refuses the actions of an account.
#[derive(Clone, Debug, Deserialize)]
pub struct Refused {
    /// The account.
    pub id: String,
    /// A line for each action that cannot go.
    pub lines: Vec<Why>,
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
    /// The first `rows_max` accounts from an id on whose InMail counter differs from proofs and open operations, of a tier
    /// and with a text in id or name; each may be missing. Looks at [`COMPARED_MAX`] accounts that were active today.
    pub async fn walk_drifting(
        &self,
        today: NaiveDate,
        (tier, text): (&str, &str),
        from: &str,
        rows_max: i64,
    ) -> Result<Walked> {
        let parameters: [(&(dyn ToSql + Sync), Type); 6] = [
            (&from, Type::TEXT),
            (&COMPARED_MAX, Type::INT8),
            (&rows_max, Type::INT8),
            (&today, Type::DATE),
            (&tier, Type::TEXT),
            (&text, Type::TEXT),
        ];
        let row = self.row("listing accounts", DRIFTING, &parameters).await?;
        let looked_at: i64 = row.get(0);
        Ok(Walked { looked_at, last: row.get(1), ids: row.get(2), whole: looked_at < COMPARED_MAX })
    }

    /// Those of these accounts that are of a tier and have a text in id or name, in their order; each may be missing.
    pub async fn accounts_among(
        &self,
        ids: &[String],
        (tier, text): (&str, &str),
        rows_max: i64,
    ) -> Result<Vec<String>> {
        let parameters: [(&(dyn ToSql + Sync), Type); 4] =
            [(&ids, Type::TEXT_ARRAY), (&tier, Type::TEXT), (&text, Type::TEXT), (&rows_max, Type::INT8)];
        Ok(self.row("looking for accounts", AMONG, &parameters).await?.get(0))
    }

    /// What refuses those of these accounts that are not connected, whose InMails an operator stopped or that cool down, in
    /// whole or in part; or all of them.
    pub async fn account_refusals(&self, ids: &[String], all: bool) -> Result<Vec<Refused>> {
        let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&ids, Type::TEXT_ARRAY), (&all, Type::BOOL)];
        self.objects("asking why", REFUSALS, &parameters).await
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
