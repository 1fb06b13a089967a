//! Campaigns: which there are, how far each is, and what of it waits for a person.

use serde::Deserialize;
use tokio_postgres::types::{ToSql, Type};

use super::work::Enrollment;
use crate::db::{Session, Timestamp, Untrusted};
use crate::error::Result;

/// Pieces of work that the list counts of each campaign: reading so many of a page of campaigns takes milliseconds.
pub const COUNTED_IN_LIST: i64 = 500;
/// Pieces of work that a campaign's own page looks through.
pub const LOOKED_AT_MAX: i64 = 20_000;

/// What is counted of a campaign's work `e`, as of the clock `c.at`.
macro_rules! states {
    () => {
        "'counted', count(*),
        'due', count(*) FILTER (WHERE e.state = 'waiting' AND e.next_dispatch_at <= c.at),
        'waiting', count(*) FILTER (WHERE e.state = 'waiting' AND (e.next_dispatch_at IS NULL OR e.next_dispatch_at > c.at)),
        'sending', count(*) FILTER (WHERE e.state = 'sending'),
        'parked', count(*) FILTER (WHERE e.state = 'parked'),
        'done', count(*) FILTER (WHERE e.state = 'done'),
        'cancelled', count(*) FILTER (WHERE e.state = 'cancelled'),
        'oldest_due', min(e.next_dispatch_at) FILTER (WHERE e.state = 'waiting' AND e.next_dispatch_at <= c.at)"
    };
}

/// The pause and the limits of a campaign `n.id`.
macro_rules! campaign {
    () => {
        "jsonb_build_object('campaign_id', n.id,
        'paused', (SELECT to_jsonb(p) FROM sendgate.paused_campaigns AS p WHERE p.campaign_id = n.id),
        'limits', (SELECT to_jsonb(k) FROM sendgate.campaigns AS k WHERE k.campaign_id = n.id))"
    };
}

/// $2 campaigns after $1, by id: those with work, found by jumping from one to the next in their index, and those that
/// are paused or limited. $3 is how much work of each is counted.
const LIST: &str = concat!(
    "WITH RECURSIVE worked (id) AS (
    SELECT (SELECT f.campaign_id::text FROM sendgate.enrollments AS f
            WHERE f.campaign_id > $1 COLLATE \"C\" ORDER BY f.campaign_id LIMIT 1)
    UNION ALL
    SELECT (SELECT f.campaign_id::text FROM sendgate.enrollments AS f
            WHERE f.campaign_id > w.id COLLATE \"C\" ORDER BY f.campaign_id LIMIT 1)
    FROM worked AS w WHERE w.id IS NOT NULL
), named AS MATERIALIZED (
    SELECT u.id FROM (
        (SELECT w.id FROM worked AS w WHERE w.id IS NOT NULL LIMIT $2)
        UNION
        (SELECT p.campaign_id::text FROM sendgate.paused_campaigns AS p
         WHERE p.campaign_id > $1 COLLATE \"C\" ORDER BY p.campaign_id LIMIT $2)
        UNION
        (SELECT k.campaign_id::text FROM sendgate.campaigns AS k
         WHERE k.campaign_id > $1 COLLATE \"C\" ORDER BY k.campaign_id LIMIT $2)
    ) AS u (id)
    ORDER BY u.id COLLATE \"C\" LIMIT $2
)
SELECT ",
    campaign!(),
    " || jsonb_build_object('work', w.work)
FROM named AS n
CROSS JOIN LATERAL (
    SELECT jsonb_build_object(",
    states!(),
    ") AS work
    FROM (SELECT e.* FROM sendgate.enrollments AS e WHERE e.campaign_id = n.id
          ORDER BY e.prospect_id LIMIT $3) AS e
    CROSS JOIN (SELECT sendgate.clock() AS at) AS c
) AS w
ORDER BY n.id COLLATE \"C\""
);

/// How much work of the campaign $1 follows from the prospect $2 on, at most $3, and the last of those prospects.
const RANGE: &str = "SELECT count(*), max(l.prospect_id)::text FROM (
    SELECT e.prospect_id FROM sendgate.enrollments AS e
    WHERE e.campaign_id = $1 AND e.prospect_id >= $2 ORDER BY e.prospect_id LIMIT $3
) AS l";

/// The campaign $1.
const ONE: &str = concat!("SELECT ", campaign!(), " FROM (SELECT $1::text AS id) AS n");

/// Its work by action, of the prospects from $2 to $3.
const BY_ACTION: &str = concat!(
    "SELECT jsonb_build_object('action', e.action, ",
    states!(),
    ") FROM sendgate.enrollments AS e
CROSS JOIN (SELECT sendgate.clock() AS at) AS c
WHERE e.campaign_id = $1 AND e.prospect_id BETWEEN $2 AND $3
GROUP BY e.action ORDER BY array_position($4, e.action::text)"
);

/// What of it waits for a person, what changed last first; $4 is the most rows.
const PARKED: &str = "SELECT to_jsonb(e) - 'payload' FROM sendgate.enrollments AS e
WHERE e.campaign_id = $1 AND e.prospect_id BETWEEN $2 AND $3 AND e.state = 'parked'
ORDER BY e.changed_at DESC, e.account_id, e.prospect_id, e.action, e.step LIMIT $4";

/// Accounts whose part of the day the campaign has used up, among those with work that is due; $4 is how many accounts and
/// actions to look at. An account's day is counted by `send_operations_day_idx`.
const FULL: &str = "SELECT jsonb_build_object('account_id', w.account_id, 'action', w.action, 'taken', t.taken)
FROM (SELECT sendgate.clock() AS at) AS c
CROSS JOIN LATERAL (
    SELECT DISTINCT d.account_id::text AS account_id, d.action::text AS action FROM (
        SELECT e.account_id, e.action FROM sendgate.enrollments AS e
        WHERE e.campaign_id = $1 AND e.prospect_id BETWEEN $2 AND $3 AND e.state = 'waiting' AND e.next_dispatch_at <= c.at
        ORDER BY e.campaign_id, e.prospect_id LIMIT 2000
    ) AS d LIMIT $4
) AS w
JOIN LATERAL (
    SELECT (to_jsonb(k) ->> (w.action || '_limit'))::integer AS most FROM sendgate.campaigns AS k WHERE k.campaign_id = $1
) AS l ON true
CROSS JOIN LATERAL (
    SELECT count(*) AS taken FROM sendgate.send_operations AS o
    WHERE o.account_id = w.account_id AND o.counted_on = (c.at AT TIME ZONE 'UTC')::date AND o.action = w.action
      AND o.campaign_id = $1 AND o.state <> 'released' OFFSET 0
) AS t
WHERE t.taken >= l.most
ORDER BY w.account_id, w.action";

/// Accounts and actions that are looked at for the part of the day that is used up.
const FULL_MAX: i64 = 50;

/// An account whose part of the day the campaign has used up.
#[derive(Clone, Debug, Deserialize)]
pub struct Full {
    /// The account.
    pub account_id: Untrusted,
    /// The action.
    pub action: String,
    /// Slots that the campaign took today.
    pub taken: i64,
}

/// A pause.
#[derive(Clone, Debug, Deserialize)]
pub struct Pause {
    /// Since when.
    pub paused_at: Timestamp,
    /// Who paused it.
    pub actor: Untrusted,
}

/// Slots that it may take of each account's day.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Limits {
    /// When they were set.
    pub set_at: Option<Timestamp>,
    /// Who set them.
    pub actor: Option<Untrusted>,
    /// Why.
    pub note: Option<Untrusted>,
    /// InMails.
    pub inmail_limit: Option<i32>,
    /// Invites.
    pub invite_limit: Option<i32>,
    /// Messages.
    pub message_limit: Option<i32>,
    /// Profile views.
    pub profile_view_limit: Option<i32>,
    /// Engagements.
    pub engagement_limit: Option<i32>,
}

impl Limits {
    /// The limits in the order of the actions.
    pub fn all(&self) -> [Option<i32>; 5] {
        [
            self.inmail_limit,
            self.invite_limit,
            self.message_limit,
            self.profile_view_limit,
            self.engagement_limit,
        ]
    }
}

/// Work by state.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct States {
    /// The action, if it is the work of one.
    #[serde(default)]
    pub action: String,
    /// All that was counted.
    pub counted: i64,
    /// Due now; what holds it back is its account, its campaign or the switch.
    pub due: i64,
    /// Waits for a time or an event.
    pub waiting: i64,
    /// A worker has it.
    pub sending: i64,
    /// Waits for a person.
    pub parked: i64,
    /// Delivered, or refused for good.
    pub done: i64,
    /// Taken out.
    pub cancelled: i64,
    /// When the oldest of what is due fell due.
    pub oldest_due: Option<Timestamp>,
}

impl States {
    /// Adds the same action's work in another database.
    pub fn add(&mut self, other: &States) {
        self.counted += other.counted;
        self.due += other.due;
        self.waiting += other.waiting;
        self.sending += other.sending;
        self.parked += other.parked;
        self.done += other.done;
        self.cancelled += other.cancelled;
        self.oldest_due = self.oldest_due.into_iter().chain(other.oldest_due).min();
    }
}

/// A campaign.
#[derive(Clone, Debug, Deserialize)]
pub struct Campaign {
    /// Its id.
    pub campaign_id: Untrusted,
    /// The pause, if it is paused.
    pub paused: Option<Pause>,
    /// The limits, if it has any.
    pub limits: Option<Limits>,
    /// Its work, counted up to [`COUNTED_IN_LIST`]; none on its own page.
    #[serde(default)]
    pub work: Option<States>,
}

/// A campaign and its work from one prospect to another.
#[derive(Clone, Debug)]
pub struct Course {
    /// The campaign.
    pub campaign: Campaign,
    /// Its work by action.
    pub by_action: Vec<States>,
    /// What of it waits for a person.
    pub parked: Vec<Enrollment>,
    /// Accounts with due work whose part of the day it has used up.
    pub full: Vec<Full>,
    /// The prospect from which more work follows, if it does.
    pub last: Option<String>,
}

impl Session {
    /// At most `rows_max` campaigns after an id, in the order of ids.
    pub async fn campaigns(&self, after: &str, rows_max: i64) -> Result<Vec<Campaign>> {
        let parameters =
            [(&after as _, Type::TEXT), (&rows_max as _, Type::INT8), (&COUNTED_IN_LIST as _, Type::INT8)];
        self.objects("listing campaigns", LIST, &parameters).await
    }

    /// The campaign's pause and limits.
    pub async fn campaign(&self, campaign: &str) -> Result<Campaign> {
        let found = self.objects("reading the campaign", ONE, &[(&campaign, Type::TEXT)]).await?;
        found.into_iter().next().ok_or(crate::error::Error::NoRow { what: "reading the campaign" })
    }

    /// The campaign with its work from one prospect on, looking through [`LOOKED_AT_MAX`] pieces; at most `rows_max`
    /// parked ones.
    pub async fn campaign_course(
        &self,
        campaign: &str,
        from: &str,
        actions: &[&str],
        rows_max: i64,
    ) -> Result<Course> {
        let range =
            [(&campaign as _, Type::TEXT), (&from as _, Type::TEXT), (&LOOKED_AT_MAX as _, Type::INT8)];
        let (found, looked) =
            tokio::try_join!(self.campaign(campaign), self.row("reading the campaign", RANGE, &range),)?;
        let (looked_at, last): (i64, Option<String>) = (looked.get(0), looked.get(1));
        let until = last.as_deref().unwrap_or(from);
        let mut by_action: Vec<(&(dyn ToSql + Sync), Type)> =
            vec![(&campaign, Type::TEXT), (&from, Type::TEXT), (&until, Type::TEXT)];
        let mut parked = by_action.clone();
        by_action.push((&actions, Type::TEXT_ARRAY));
        let mut full = by_action[..3].to_vec();
        full.push((&FULL_MAX, Type::INT8));
        parked.push((&rows_max, Type::INT8));
        let (by_action, parked, full) = tokio::try_join!(
            self.objects("counting the campaign's work", BY_ACTION, &by_action),
            self.objects("reading parked work", PARKED, &parked),
            self.objects("reading the campaign's part of the day", FULL, &full),
        )?;
        let last = last.filter(|last| looked_at == LOOKED_AT_MAX && last != from);
        Ok(Course { campaign: found, by_action, parked, full, last })
    }
}
