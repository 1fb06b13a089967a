//! The operators' functions, called on behalf of a signed-in operator.

use tokio_postgres::types::{ToSql, Type};

use crate::db::{Session, Timestamp};
use crate::error::Result;

/// Names the operator for this statement alone and then calls the function. One statement is one transaction,
/// so the name is neither missing nor left for another operator's act. $1 is the name. The lock of a held
/// account is awaited only for a moment, because all pages share this connection; the act is tried again
/// afterwards.
macro_rules! on_behalf {
    ($call:literal) => {
        concat!(
            "WITH named AS MATERIALIZED (
    SELECT set_config('sendgate.actor', $1, true), set_config('lock_timeout', '200ms', true)
)
SELECT ",
            $call,
            " FROM named"
        )
    };
}

const CLEAR: &str = on_behalf!("sendgate.breaker_clear($2, $3)");
const PROBE: &str = on_behalf!("sendgate.breaker_probe($2, $3)");
const FORCE: &str = on_behalf!("sendgate.breaker_force($2, $4, $3)");
const ACKNOWLEDGE: &str = on_behalf!("sendgate.acknowledge_alert($2::uuid, $3)");
const RESOLVE: &str = on_behalf!("sendgate.resolve_operation($2, $4::uuid, $5, $6, $3)");
const STATUS: &str = on_behalf!("sendgate.set_status($2, $4, $3)");
const COOLDOWN: &str = on_behalf!("sendgate.clear_cooldown($2, $3, $4)");
const PAUSE: &str = on_behalf!("sendgate.pause_all($2)");
const RESUME: &str = on_behalf!("sendgate.resume_all()");

const PACE: &str =
    on_behalf!("sendgate.set_pace($2, make_interval(secs => $4::double precision), $5, $6, $3)");
const CAP: &str = on_behalf!("sendgate.set_cap($2, $4, $5, $6, $3)");
const SUPPRESS: &str = on_behalf!("sendgate.suppress_prospect($2, $3, $4)");
const UNSUPPRESS: &str = on_behalf!("sendgate.unsuppress_prospect($2, $3)");
const PAUSE_CAMPAIGN: &str = on_behalf!("sendgate.pause_campaign($2)");
const RESUME_CAMPAIGN: &str = on_behalf!("sendgate.resume_campaign($2)");
const LIMITS: &str = on_behalf!("sendgate.set_campaign($2, $4, $5, $6, $7, $8, $3)");
const SWITCH: &str = on_behalf!("(sendgate.switch_action($2, $3, $4)).moved::bigint");
const REQUEUE: &str = on_behalf!("sendgate.requeue($2, $3, $4, $5, $6)::integer::bigint");
const ALL: &str = on_behalf!(
    "sendgate.resolve_unresolved($2, coalesce($4, '2000-01-01'), coalesce($5, sendgate.clock()), $6, $7, $3)::bigint"
);

/// Parked work that can be put back, by account, the one order of locks. Work whose outcome is unknown cannot.
const REQUEUE_PARKED: &str = on_behalf!(
    "(SELECT count(*) FILTER (WHERE q.back) FROM (
    SELECT sendgate.requeue($2, p.prospect_id, p.account_id, p.action, p.step) AS back FROM (
        SELECT e.* FROM sendgate.enrollments AS e
        WHERE e.campaign_id = $2 AND e.state = 'parked'
          AND NOT EXISTS (SELECT FROM sendgate.send_operations AS o
                          WHERE o.account_id = e.account_id AND o.prospect_id = e.prospect_id
                            AND o.action = e.action AND o.state IN ('reserved', 'indeterminate'))
          AND NOT EXISTS (SELECT FROM sendgate.suppressions AS s
                          WHERE s.prospect_id = e.prospect_id AND s.until IS NULL)
        ORDER BY e.account_id, e.prospect_id, e.action, e.step LIMIT 500
    ) AS p OFFSET 0
) AS q)"
);

/// Open alerts that no person has seen yet, of a kind and an account, or of all.
const ACKNOWLEDGE_ALL: &str = on_behalf!(
    "(SELECT count(q.done) FROM (
    SELECT sendgate.acknowledge_alert(l.alert_id, $2) AS done FROM (
        SELECT o.alert_id FROM sendgate.open_alerts AS o
        WHERE o.acknowledged_by IS NULL AND ($3 IS NULL OR o.kind = $3) AND ($4 IS NULL OR o.account_id = $4)
        ORDER BY o.account_id, o.alert_id LIMIT 100
    ) AS l OFFSET 0
) AS q)"
);

/// One act and its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act<'a> {
    /// The credits are back: clears the stamp.
    Clear(&'a str),
    /// Grants a probe: one InMail.
    Probe(&'a str),
    /// Forces the breaker `open`, or sets it back to `auto`.
    Force(&'a str, &'a str),
    /// Acknowledges an alert.
    Acknowledge(&'a str),
    /// Settles an unknown outcome.
    Resolve {
        /// The account.
        account: &'a str,
        /// The operation.
        operation: &'a str,
        /// Whether it was sent.
        sent: bool,
        /// The chat id that proves it, if it is known.
        chat_id: Option<&'a str>,
    },
    /// Sets the status `connected` or `paused`.
    Status(&'a str, &'a str),
    /// Ends the cooldowns of one action, or of the account and all its actions.
    Cooldown(&'a str, Option<&'a str>),
    /// Pauses everything.
    PauseAll,
    /// Resumes everything.
    ResumeAll,
    /// Sets the account's own pace.
    Pace {
        /// The account.
        account: &'a str,
        /// Least time between two grants, in seconds.
        gap_seconds: i32,
        /// By how many percent it may be longer.
        jitter_percent: i32,
        /// Whether the day's slots are spread over the open time.
        spread: bool,
    },
    /// Sets both caps of one action on an account; none: the tier's.
    Cap {
        /// The account.
        account: &'a str,
        /// The action.
        action: &'a str,
        /// Slots a day.
        daily: Option<i32>,
        /// Slots in seven days.
        weekly: Option<i32>,
    },
    /// No account may write to the prospect, until an instant or for good.
    Suppress(&'a str, Option<Timestamp>),
    /// Accounts may write to the prospect again.
    Unsuppress(&'a str),
    /// Pauses a campaign.
    PauseCampaign(&'a str),
    /// Resumes a campaign.
    ResumeCampaign(&'a str),
    /// Sets a campaign's limits, by action; none: no limit.
    Limits(&'a str, [Option<i32>; 5]),
    /// Moves a campaign's waiting work from one action to another.
    Switch(&'a str, &'a str, &'a str),
    /// Puts a piece of work back.
    Requeue {
        /// The campaign.
        campaign: &'a str,
        /// The prospect.
        prospect: &'a str,
        /// The account.
        account: &'a str,
        /// The action.
        action: &'a str,
        /// The step.
        step: i32,
    },
    /// Puts a campaign's parked work back, a batch of it.
    RequeueParked(&'a str),
    /// Settles unknown outcomes, a batch of them.
    ResolveAll {
        /// Whether they were sent.
        sent: bool,
        /// Reserved from this instant on; none: from the first.
        since: Option<Timestamp>,
        /// Reserved before this instant; none: before now.
        before: Option<Timestamp>,
        /// Of this account; none: of all.
        account: Option<&'a str>,
        /// Of this action; none: of all.
        action: Option<&'a str>,
    },
    /// Acknowledges open alerts, a batch of them.
    AcknowledgeAll {
        /// Of this kind; none: of all.
        kind: Option<&'a str>,
        /// Of this account; none: of all.
        account: Option<&'a str>,
    },
}

impl Act<'_> {
    /// How many a call does at most, of an act on many: if it did so many, there may be more.
    pub fn batch(&self) -> i64 {
        match self {
            Act::RequeueParked(_) => 500,
            Act::ResolveAll { .. } => 10_000,
            Act::AcknowledgeAll { .. } => 100,
            _ => i64::MAX,
        }
    }
}

impl Session {
    /// Does it on behalf of `actor`; how many it settled, moved or told, where it counts.
    ///
    /// # Errors
    ///
    /// The function's own; SQLSTATE 55P03 if the account is held.
    pub async fn act(&self, actor: &str, act: Act<'_>, note: &str) -> Result<i64> {
        type Parameters<'a> = Vec<(&'a (dyn ToSql + Sync), Type)>;
        let who: (&(dyn ToSql + Sync), Type) = (&actor, Type::TEXT);
        fn text(value: &(dyn ToSql + Sync)) -> (&(dyn ToSql + Sync), Type) {
            (value, Type::TEXT)
        }
        fn number(value: &(dyn ToSql + Sync)) -> (&(dyn ToSql + Sync), Type) {
            (value, Type::INT4)
        }
        fn instant(value: &(dyn ToSql + Sync)) -> (&(dyn ToSql + Sync), Type) {
            (value, Type::TIMESTAMPTZ)
        }
        let (what, sql, parameters): (&'static str, &str, Parameters<'_>) = match &act {
            Act::Clear(account) => ("clearing the breaker", CLEAR, vec![who, text(account), text(&note)]),
            Act::Probe(account) => ("granting a probe", PROBE, vec![who, text(account), text(&note)]),
            Act::Force(account, mode) => {
                ("forcing the breaker", FORCE, vec![who, text(account), text(&note), text(mode)])
            }
            Act::Acknowledge(alert) => {
                ("acknowledging the alert", ACKNOWLEDGE, vec![who, text(alert), text(&note)])
            }
            Act::Resolve { account, operation, sent, chat_id } => (
                "settling the operation",
                RESOLVE,
                vec![
                    who,
                    text(account),
                    text(&note),
                    text(operation),
                    (sent, Type::BOOL),
                    (chat_id, Type::TEXT),
                ],
            ),
            Act::Status(account, status) => {
                ("setting the status", STATUS, vec![who, text(account), text(&note), text(status)])
            }
            Act::Cooldown(account, action) => (
                "clearing the cooldown",
                COOLDOWN,
                vec![who, text(account), text(&note), (action, Type::TEXT)],
            ),
            Act::PauseAll => ("pausing everything", PAUSE, vec![who, text(&note)]),
            Act::ResumeAll => ("resuming everything", RESUME, vec![who]),
            Act::Pace { account, gap_seconds, jitter_percent, spread } => (
                "setting the pace",
                PACE,
                vec![
                    who,
                    text(account),
                    text(&note),
                    number(gap_seconds),
                    number(jitter_percent),
                    (spread, Type::BOOL),
                ],
            ),
            Act::Cap { account, action, daily, weekly } => (
                "setting the caps",
                CAP,
                vec![who, text(account), text(&note), text(action), number(daily), number(weekly)],
            ),
            Act::Suppress(prospect, until) => {
                ("suppressing the prospect", SUPPRESS, vec![who, text(prospect), text(&note), instant(until)])
            }
            Act::Unsuppress(prospect) => {
                ("allowing the prospect", UNSUPPRESS, vec![who, text(prospect), text(&note)])
            }
            Act::PauseCampaign(campaign) => {
                ("pausing the campaign", PAUSE_CAMPAIGN, vec![who, text(campaign)])
            }
            Act::ResumeCampaign(campaign) => {
                ("resuming the campaign", RESUME_CAMPAIGN, vec![who, text(campaign)])
            }
            Act::Limits(campaign, limits) => {
                let mut parameters = vec![who, text(campaign), text(&note)];
                parameters.extend(limits.iter().map(|limit| number(limit)));
                ("setting the limits", LIMITS, parameters)
            }
            Act::Switch(campaign, from, to) => {
                ("switching the action", SWITCH, vec![who, text(campaign), text(from), text(to)])
            }
            Act::Requeue { campaign, prospect, account, action, step } => (
                "putting the work back",
                REQUEUE,
                vec![who, text(campaign), text(prospect), text(account), text(action), number(step)],
            ),
            Act::RequeueParked(campaign) => {
                ("putting parked work back", REQUEUE_PARKED, vec![who, text(campaign)])
            }
            Act::ResolveAll { sent, since, before, account, action } => (
                "settling the operations",
                ALL,
                vec![
                    who,
                    (sent, Type::BOOL),
                    text(&note),
                    instant(since),
                    instant(before),
                    text(account),
                    text(action),
                ],
            ),
            Act::AcknowledgeAll { kind, account } => (
                "acknowledging the alerts",
                ACKNOWLEDGE_ALL,
                vec![who, text(&note), text(kind), text(account)],
            ),
        };
        let rows = self.rows(what, sql, &parameters).await?;
        // The other functions return nothing.
        Ok(rows.first().and_then(|row| row.try_get(0).ok()).unwrap_or(1))
    }
}
