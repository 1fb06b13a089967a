//! The statements of `status`, and the clock.

use serde::{Deserialize, Serialize};
use tokio_postgres::types::Type;

use super::account::Others;
use super::why::Why;
use super::{Session, Timestamp, Untrusted};
use crate::error::Result;

/// The clock.
const NOW: &str = "SELECT sendgate.clock()";

/// Whether the books were written in another database, so that nothing is sent from here.
const COPIED: &str = "SELECT sendgate.copied_database()";

/// What the setting says, and the accounts that are set to be observed, found by their index.
const OBSERVED: &str = "SELECT sendgate.enforcement_of(NULL),
       ARRAY(SELECT a.id::text FROM sendgate.linkedin_accounts AS a
             WHERE a.enforcement = 'observe' ORDER BY a.id LIMIT $1)";

/// Whether one account is only observed.
const IS_OBSERVED: &str = "SELECT sendgate.enforcement_of(a.enforcement) = 'observe'
FROM sendgate.linkedin_accounts AS a WHERE a.id = $1";

/// Accounts that cannot send, that have an action that cools down or an open alert are not calm. The ranking reads only
/// cheap columns of each account.
macro_rules! ranked {
    () => {
        ranked!("")
    };
    // A condition on the actions that cool down: of one account they are found without reading all.
    ($cooling:literal) => {
        concat!(
            "WITH ranked AS (
    SELECT a.id,
           a.status = 'connected' AND t.account_id IS NULL AND f.account_id IS NULL
           AND coalesce(a.cooldown_until <= c.at, true)
           AND sendgate.breaker_state(a.breaker_mode, a.inmail_credits_exhausted_at, a.credit_reset_day, c.at)
               NOT IN ('open', 'forced_open') AS calm
    FROM sendgate.linkedin_accounts AS a
    CROSS JOIN (SELECT sendgate.clock() AS at) AS c
    LEFT JOIN (SELECT DISTINCT o.account_id FROM sendgate.open_alerts AS o) AS t ON t.account_id = a.id
    LEFT JOIN (SELECT DISTINCT w.account_id FROM sendgate.cooldowns AS w WHERE w.action IS NOT NULL",
            $cooling,
            ") AS f ON f.account_id = a.id
)"
        )
    };
}

/// Accounts that are not calm come first, with the reason, then all others, both by id. Cards are made only for the
/// accounts that are shown. The next page begins after the account in $2, or with it if $4 says so; $3 is whether that
/// account is calm, or NULL for one of this database.
const CARDS: &str = concat!(
    ranked!(),
    ", page AS (
    SELECT r.id, r.calm FROM ranked AS r
    WHERE $2::text IS NULL OR (r.calm, r.id) > (coalesce($3, (SELECT t.calm FROM ranked AS t WHERE t.id = $2)), $2)
       OR $4 AND r.calm = $3 AND r.id = $2
    ORDER BY r.calm, r.id
    LIMIT $1
)
SELECT k.card || jsonb_build_object('why', w.why, 'alert', l.kind, 'calm', p.calm) FROM page AS p
CROSS JOIN LATERAL (
    -- OFFSET keeps this from being joined with all cards at once.
    SELECT to_jsonb(c) || jsonb_build_object('credits_left', r.credits_left, 'credits_state', r.state) AS card
    FROM sendgate.account_cards AS c JOIN sendgate.credits AS r ON r.account_id = c.account_id
    WHERE c.account_id = p.id AND r.account_id = p.id OFFSET 0
) AS k
LEFT JOIN LATERAL (
    -- What goes on by itself every day says least about an account that stands still.
    SELECT to_jsonb(w) AS why FROM sendgate.why(p.id) AS w WHERE NOT p.calm AND NOT w.proceed
    ORDER BY w.reason IN ('outside_sending_window', 'pacing', 'weekly_cap_reached', 'daily_cap_reached'),
             array_position(ARRAY['inmail', 'invite', 'message', 'profile_view', 'engagement'], w.action)
    LIMIT 1
) AS w ON true
LEFT JOIN LATERAL (
    SELECT o.kind FROM sendgate.open_alerts AS o
    WHERE NOT p.calm AND o.account_id = p.id ORDER BY o.opened_at DESC LIMIT 1
) AS l ON true
ORDER BY p.calm, p.id"
);

/// Whether one account is calm; no row for one that is not there.
const IS_CALM: &str =
    concat!(ranked!(" AND w.account_id = $1"), " SELECT r.calm FROM ranked AS r WHERE r.id = $1");

/// How many accounts there are.
const ACCOUNTS: &str = "SELECT count(*) FROM sendgate.linkedin_accounts AS a";

/// Whether there is an account.
const IS_KNOWN: &str = "SELECT EXISTS (SELECT FROM sendgate.linkedin_accounts AS a WHERE a.id = $1)";

/// One account's card.
const CARD: &str =
    "SELECT to_jsonb(c) || jsonb_build_object('credits_left', r.credits_left, 'credits_state', r.state)
FROM sendgate.account_cards AS c JOIN sendgate.credits AS r ON r.account_id = c.account_id
WHERE c.account_id = $1 AND r.account_id = $1";

/// A place in the list of cards: the account of the last card before it.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Its id.
    pub id: &'a str,
    /// Whether it is calm; none if it is one of the database that is asked.
    pub calm: Option<bool>,
    /// Whether an account of this id comes after the place, too: in a list of several databases, that of a later one.
    pub with_it: bool,
}

/// Who is only observed: their rules refuse nothing.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Observed {
    /// Whether all accounts without a mode of their own are, by the setting.
    pub by_setting: bool,
    /// Those that are by their own mode, up to [`OBSERVED_MAX`].
    pub accounts: Vec<Untrusted>,
}

impl Observed {
    /// Whether anything is to be said.
    pub fn is_any(&self) -> bool {
        self.by_setting || !self.accounts.is_empty()
    }

    /// How many accounts are, by their own mode.
    pub fn counted(&self) -> String {
        match self.accounts.len() {
            1 => "1 account".to_owned(),
            more if more as i64 == OBSERVED_MAX => format!("{} accounts or more", more),
            more => format!("{more} accounts"),
        }
    }
}

/// Accounts that are only observed are counted up to here.
pub const OBSERVED_MAX: i64 = 100;

/// A line of the view `account_cards`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct AccountCard {
    /// The account.
    pub account_id: Untrusted,
    /// Its name, if it has one.
    pub display_name: Option<Untrusted>,
    /// `connected`, `paused`, `restricted` or `disconnected`.
    pub status: String,
    /// Its tier.
    pub tier: Untrusted,
    /// InMail slots taken today (UTC).
    pub inmails_sent_today: i64,
    /// The effective cap of InMails today, in slots.
    pub inmail_daily_cap: i64,
    /// InMails proven today.
    pub inmails_delivered_today: i64,
    /// InMail slots of today that neither a proof nor an open operation accounts for.
    pub drift: i64,
    /// Operations that a worker has.
    pub in_flight: i64,
    /// Operations of unknown outcome.
    pub unresolved: i64,
    /// Enrollments that wait, deferred ones included.
    pub waiting: i64,
    /// Enrollments that wait for credits.
    pub deferred: i64,
    /// Enrollments that an operator has to look at.
    pub parked: i64,
    /// Prospects skipped today.
    pub skipped_today: i64,
    /// InMail credits that are left; none where no balance is counted.
    pub credits_left: Option<i64>,
    /// `untracked`, `ok`, `low` or `exhausted`.
    pub credits_state: String,
    /// Why InMails are stopped, in the database's words.
    pub pill: Option<Untrusted>,
    /// The first refusal of an account that stands still; none for the others, and where only it is asked for.
    #[serde(default)]
    pub why: Option<Why>,
    /// Its newest open alert, in the same way.
    #[serde(default)]
    pub alert: Option<String>,
    /// Whether it comes after those that cannot send, that have an action that cools down or an open alert; not told to programs.
    #[serde(default, skip_serializing)]
    pub calm: bool,
    /// The view's other columns.
    #[serde(flatten)]
    pub others: Others,
}

impl Session {
    /// The database's clock.
    pub async fn now(&self) -> Result<Timestamp> {
        Ok(self.row("reading the clock", NOW, &[]).await?.get(0))
    }

    /// Whether the books were written in another database, so that nothing is sent from here.
    pub async fn is_copy(&self) -> Result<bool> {
        Ok(self.row("asking whose books these are", COPIED, &[]).await?.get(0))
    }

    /// Who is only observed.
    pub async fn observed(&self) -> Result<Observed> {
        let row = self.row("asking who is observed", OBSERVED, &[(&OBSERVED_MAX, Type::INT8)]).await?;
        Ok(Observed { by_setting: row.get::<_, &str>(0) == "observe", accounts: row.get(1) })
    }

    /// Whether one account is only observed; `false` for one that is not there.
    pub async fn is_observed(&self, account: &str) -> Result<bool> {
        let rows = self.rows("asking who is observed", IS_OBSERVED, &[(&account, Type::TEXT)]).await?;
        Ok(rows.first().is_some_and(|row| row.get(0)))
    }

    /// The first `rows_max` cards, or those after a place; and how many accounts there are.
    pub async fn cards(&self, rows_max: i64, after: Option<Place<'_>>) -> Result<(Vec<AccountCard>, i64)> {
        let (id, calm) = (after.map(|place| place.id), after.and_then(|place| place.calm));
        let with_it = after.is_some_and(|place| place.with_it);
        let page = [
            (&rows_max as _, Type::INT8),
            (&id as _, Type::TEXT),
            (&calm as _, Type::BOOL),
            (&with_it as _, Type::BOOL),
        ];
        let cards = self.objects("reading cards", CARDS, &page).await?;
        Ok((cards, self.row("counting accounts", ACCOUNTS, &[]).await?.get(0)))
    }

    /// Whether an account is calm; none if it is not there.
    pub async fn is_calm(&self, account: &str) -> Result<Option<bool>> {
        let rows = self.rows("looking for the account", IS_CALM, &[(&account, Type::TEXT)]).await?;
        Ok(rows.first().map(|row| row.get(0)))
    }

    /// One account's card; none if there is no such account.
    pub async fn card(&self, account: &str) -> Result<Option<AccountCard>> {
        let found = self.objects("reading the card", CARD, &[(&account, Type::TEXT)]).await?;
        Ok(found.into_iter().next())
    }

    /// Whether there is such an account.
    pub async fn is_known(&self, account: &str) -> Result<bool> {
        Ok(self.row("looking for the account", IS_KNOWN, &[(&account, Type::TEXT)]).await?.get(0))
    }
}
