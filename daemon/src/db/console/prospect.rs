//! What happened with one prospect, on all accounts.

use serde::Deserialize;
use tokio_postgres::types::{ToSql, Type};

use super::attempt::Attempt;
use super::logs::Event;
use super::work::Enrollment;
use crate::db::{Session, Timestamp, Untrusted};
use crate::error::Result;

/// Accounts that one page looks through: no index begins with the prospect, because it would cost every grant
/// an entry, so each account is asked by its own key.
pub const ACCOUNTS_MAX: i64 = 10_000;

/// The suppression.
const SUPPRESSION: &str = "SELECT to_jsonb(s) FROM sendgate.suppressions AS s WHERE s.prospect_id = $1";

/// Its campaign work, what changed last first. Goes from campaign to campaign by their index. $2 is the most rows.
const WORK: &str = "WITH RECURSIVE campaign (id) AS (
    SELECT (SELECT f.campaign_id::text FROM sendgate.enrollments AS f ORDER BY f.campaign_id LIMIT 1)
    UNION ALL
    SELECT (SELECT f.campaign_id::text FROM sendgate.enrollments AS f
            WHERE f.campaign_id > c.id COLLATE \"C\" ORDER BY f.campaign_id LIMIT 1)
    FROM campaign AS c WHERE c.id IS NOT NULL
), named AS MATERIALIZED (SELECT c.id FROM campaign AS c WHERE c.id IS NOT NULL LIMIT 10000)
SELECT to_jsonb(e) - 'payload' || jsonb_build_object('paused',
    EXISTS (SELECT FROM sendgate.paused_campaigns AS p WHERE p.campaign_id = e.campaign_id))
FROM named AS n
CROSS JOIN LATERAL (
    SELECT e.* FROM sendgate.enrollments AS e
    WHERE (e.campaign_id, e.prospect_id) BETWEEN (n.id COLLATE \"C\", $1) AND (n.id COLLATE \"C\", $1)
    ORDER BY e.campaign_id, e.prospect_id LIMIT 1000
) AS e
ORDER BY e.changed_at DESC, e.account_id, e.campaign_id, e.action, e.step LIMIT $2";

/// How many accounts follow the one in $1, at most $2, and the last of them.
const ACCOUNTS: &str = "SELECT count(*), max(l.id)::text FROM (
    SELECT a.id FROM sendgate.linkedin_accounts AS a WHERE a.id > $1 ORDER BY a.id LIMIT $2
) AS l";

/// The accounts after $2 up to $3, and those in $4.
macro_rules! of_accounts {
    ($select:literal) => {
        concat!(
            "WITH looked AS MATERIALIZED (
    SELECT a.id::text AS id FROM sendgate.linkedin_accounts AS a WHERE a.id > $2 AND a.id <= $3
    UNION
    SELECT w.id FROM unnest($4) AS w (id)
) ",
            $select
        )
    };
}

/// Its attempts, newest first, each with the proof of its delivery. $5 is the most rows.
const ATTEMPTS: &str = of_accounts!(
    "SELECT to_jsonb(o) || jsonb_build_object('chat_id', e.chat_id, 'occurred_at', e.occurred_at)
FROM looked AS l
CROSS JOIN LATERAL (
    SELECT o.* FROM sendgate.send_operations AS o WHERE o.account_id = l.id AND o.prospect_id = $1 OFFSET 0
) AS o
LEFT JOIN LATERAL (
    SELECT e.chat_id, e.occurred_at FROM sendgate.linkedin_events AS e
    WHERE e.account_id = o.account_id AND e.operation_id = o.operation_id OFFSET 0
) AS e ON true
ORDER BY o.reserved_at DESC, o.operation_id DESC LIMIT $5"
);

/// Its skips, newest first: by the breaker, because it is suppressed, and those that an attempt ended in. Each has an index of its own.
const SKIPS: &str = of_accounts!(
    "SELECT to_jsonb(e) FROM (
    SELECT e.* FROM looked AS l CROSS JOIN LATERAL (
        SELECT e.* FROM sendgate.campaign_events AS e
        WHERE e.account_id = l.id AND e.prospect_id = $1 AND e.exhausted_at IS NOT NULL OFFSET 0
    ) AS e
    UNION ALL
    SELECT e.* FROM looked AS l CROSS JOIN LATERAL (
        SELECT e.* FROM sendgate.campaign_events AS e
        WHERE e.account_id = l.id AND e.prospect_id = $1 AND e.suppressed_at IS NOT NULL OFFSET 0
    ) AS e
    UNION ALL
    SELECT e.* FROM looked AS l CROSS JOIN LATERAL (
        SELECT o.* FROM sendgate.send_operations AS o
        WHERE o.account_id = l.id AND o.prospect_id = $1 AND o.outcome = 'recipient_refused' OFFSET 0
    ) AS o
    CROSS JOIN LATERAL (
        SELECT e.* FROM sendgate.campaign_events AS e
        WHERE e.campaign_id = o.campaign_id AND e.at BETWEEN o.settled_at - interval '1 s' AND o.settled_at + interval '1 s'
          AND e.account_id = o.account_id AND e.operation_id = o.operation_id OFFSET 0
    ) AS e
) AS e
ORDER BY e.at DESC, e.id DESC LIMIT $5"
);

/// The gate's answer for each account of $2 with the action beside it in $3. An account that is gone is left out.
const ANSWERS: &str =
    "SELECT jsonb_build_object('account_id', n.account_id, 'action', n.action) || to_jsonb(p)
FROM (
    SELECT w.account_id, w.action FROM unnest($2, $3) AS w (account_id, action)
    WHERE EXISTS (SELECT FROM sendgate.linkedin_accounts AS a WHERE a.id = w.account_id) OFFSET 0
) AS n
CROSS JOIN LATERAL sendgate.preview(n.account_id, n.action, $1) AS p";

/// Accounts and actions that the gate is asked about.
pub const ASKED_MAX: usize = 20;

/// The gate's answer about the next send of an action to the prospect through an account.
#[derive(Clone, Debug, Deserialize)]
pub struct Answer {
    /// The account.
    pub account_id: Untrusted,
    /// The action.
    pub action: String,
    /// Whether it would go.
    pub proceed: bool,
    /// The first rule that refuses.
    pub reason: Option<String>,
    /// When that rule lets go by itself.
    pub retry_at: Option<Timestamp>,
}

/// A suppression: no account may write to the prospect.
#[derive(Clone, Debug, Deserialize)]
pub struct Suppression {
    /// Since when.
    pub suppressed_at: Timestamp,
    /// Until when; none: for good.
    pub until: Option<Timestamp>,
    /// Who asked for it.
    pub actor: Untrusted,
    /// Why.
    pub note: Option<Untrusted>,
}

impl Suppression {
    /// Whether it holds at `now`; one that is over stays in its table.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}

/// Everything about a prospect, of the accounts that were looked through.
#[derive(Clone, Debug)]
pub struct Prospect {
    /// The suppression, also one that is over.
    pub suppression: Option<Suppression>,
    /// Its campaign work, what changed last first.
    pub work: Vec<Enrollment>,
    /// Its attempts, newest first, each with the proof of its delivery.
    pub attempts: Vec<Attempt>,
    /// Its skips, newest first.
    pub skips: Vec<Event>,
    /// The gate's answers for the accounts that have waiting work for it or tried it last.
    pub answers: Vec<Answer>,
    /// How many accounts were looked through.
    pub looked_at: i64,
    /// The last of them, if others follow.
    pub last: Option<String>,
}

impl Session {
    /// The prospect's suppression, if there is one or was.
    pub async fn suppression(&self, prospect: &str) -> Result<Option<Suppression>> {
        let found = self.objects("reading suppressions", SUPPRESSION, &[(&prospect, Type::TEXT)]).await?;
        Ok(found.into_iter().next())
    }

    /// What happened with the prospect: its work on all accounts, and its attempts and skips on those that have
    /// work for it and on the first [`ACCOUNTS_MAX`] after `after`. At most `rows_max` of each.
    pub async fn prospect(&self, prospect: &str, after: &str, rows_max: i64) -> Result<Prospect> {
        let one = [(&prospect as _, Type::TEXT), (&rows_max as _, Type::INT8)];
        let range = [(&after as _, Type::TEXT), (&ACCOUNTS_MAX as _, Type::INT8)];
        let (suppression, work, looked) = tokio::try_join!(
            self.suppression(prospect),
            self.objects::<Enrollment>("reading campaign work", WORK, &one),
            self.row("reading accounts", ACCOUNTS, &range),
        )?;
        let (looked_at, last): (i64, Option<String>) = (looked.get(0), looked.get(1));
        let until = last.as_deref().unwrap_or(after);
        let mut accounts: Vec<&str> = work.iter().map(|work| work.account_id.raw()).collect();
        accounts.sort_unstable();
        accounts.dedup();
        let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
            (&prospect, Type::TEXT),
            (&after, Type::TEXT),
            (&until, Type::TEXT),
            (&accounts, Type::TEXT_ARRAY),
            (&rows_max, Type::INT8),
        ];
        let (attempts, skips) = tokio::try_join!(
            self.objects("reading attempts", ATTEMPTS, &parameters),
            self.objects("reading skips", SKIPS, &parameters),
        )?;
        let answers = self.prospect_answers(prospect, &asked(&work, &attempts)).await?;
        let last = last.filter(|_| looked_at == ACCOUNTS_MAX);
        Ok(Prospect { suppression, work, attempts, skips, answers, looked_at, last })
    }

    async fn prospect_answers(&self, prospect: &str, asked: &[(String, String)]) -> Result<Vec<Answer>> {
        let (accounts, actions): (Vec<&str>, Vec<&str>) =
            asked.iter().map(|(account, action)| (account.as_str(), action.as_str())).unzip();
        let parameters = [
            (&prospect as _, Type::TEXT),
            (&accounts as _, Type::TEXT_ARRAY),
            (&actions as _, Type::TEXT_ARRAY),
        ];
        self.objects("asking the gate", ANSWERS, &parameters).await
    }
}

/// Accounts and actions with waiting work, then those of the last attempts, each once.
fn asked(work: &[Enrollment], attempts: &[Attempt]) -> Vec<(String, String)> {
    let waiting = work.iter().filter(|work| matches!(work.state.as_str(), "waiting" | "sending"));
    let waiting = waiting.map(|work| (work.account_id.raw(), work.action.as_str()));
    let tried = attempts.iter().map(|attempt| (attempt.account_id.raw(), attempt.action.as_str()));
    let mut asked: Vec<(String, String)> = Vec::new();
    for (account, action) in waiting.chain(tried) {
        if asked.len() < ASKED_MAX && !asked.iter().any(|(a, b)| a == account && b == action) {
            asked.push((account.to_owned(), action.to_owned()));
        }
    }
    asked
}
