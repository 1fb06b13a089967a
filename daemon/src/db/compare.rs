//! What ought to be the same in several databases: each fact with the statement that makes another database like this one.

use tokio_postgres::types::Type;

use super::Session;
use crate::error::Result;

/// Facts of each kind that are read: those first in the order of their keys.
pub const FACTS_MAX: i64 = 10_000;

/// The SQLSTATE class of columns and functions that are not there, or not granted.
const CLASS_OF_NAMES: &str = "42";

/// The extension, as another database gets it.
const VERSION: &str = "SELECT 'version', 'extension', e.extversion,
       format('ALTER EXTENSION sendgate UPDATE TO %L', e.extversion), NULL
FROM pg_extension AS e WHERE e.extname = 'sendgate' LIMIT $1";

/// The caps in force. A line that is as shipped is had by dropping one's own.
const TIERS: &str = "SELECT 'cap', t.tier || ' ' || t.action,
       format('%s a day, %s in seven days, gap %s, ramp from %s by %s percent', t.daily_cap,
              coalesce(t.weekly_cap::text, 'any number'), t.minimum_gap, t.ramp_start_percent, t.ramp_step_percent),
       CASE WHEN t.overridden
            THEN format('SELECT sendgate.set_tier_cap(%L, %L, %s, %s, %L, %s)', t.tier, t.action, t.daily_cap,
                        coalesce(t.weekly_cap::text, 'NULL'), t.minimum_gap, t.ramp_start_percent)
            ELSE format('SELECT sendgate.drop_tier_cap(%L, %L)', t.tier, t.action) END,
       format('SELECT sendgate.drop_tier_cap(%L, %L)', t.tier, t.action)
FROM sendgate.tiers AS t ORDER BY t.tier || ' ' || t.action COLLATE \"C\" LIMIT $1";

/// One's own error rules; the shipped ones come with the version.
const RULES: &str = "SELECT 'error rule', lpad(r.rule_order::text, 3, '0'),
       concat_ws(', ', r.outcome, 'action ' || r.action, 'type ' || r.error_type, 'status ' || r.http_status,
                 'text ' || r.error_text, 'scope ' || r.scope, 'wait ' || r.wait),
       format('SELECT sendgate.set_error_rule(%s, %L, %L, %L, %L, %L, %L, %L)', r.rule_order, r.outcome, r.action,
              r.error_type, r.http_status, r.error_text, r.scope, r.wait),
       format('SELECT sendgate.drop_error_rule(%s)', r.rule_order)
FROM sendgate.error_rules AS r WHERE NOT r.shipped ORDER BY r.rule_order LIMIT $1";

/// The switch for everything.
const SWITCH: &str = "SELECT 'switch', 'everything',
       CASE WHEN p.quarantined_at IS NULL THEN 'paused' ELSE 'in quarantine' END,
       CASE WHEN p.quarantined_at IS NULL THEN format('SELECT sendgate.pause_all(%L)', coalesce(p.note, 'as elsewhere'))
            ELSE format('SELECT sendgate.quarantine(%L)', coalesce(p.note, 'as elsewhere')) END,
       'SELECT sendgate.resume_all()'
FROM sendgate.pause_switch AS p LIMIT $1";

/// Campaigns that are paused.
const PAUSED: &str = "SELECT 'campaign switch', p.campaign_id::text, 'paused',
       format('SELECT sendgate.pause_campaign(%L)', p.campaign_id),
       format('SELECT sendgate.resume_campaign(%L)', p.campaign_id)
FROM sendgate.paused_campaigns AS p ORDER BY p.campaign_id LIMIT $1";

/// What campaigns may take of each account's day.
const LIMITS: &str = "SELECT 'campaign limits', c.campaign_id::text,
       concat_ws(', ', 'inmail ' || c.inmail_limit, 'invite ' || c.invite_limit, 'message ' || c.message_limit,
                 'profile_view ' || c.profile_view_limit, 'engagement ' || c.engagement_limit),
       format('SELECT sendgate.set_campaign(%L, %s, %s, %s, %s, %s, %L)', c.campaign_id,
              coalesce(c.inmail_limit::text, 'NULL'), coalesce(c.invite_limit::text, 'NULL'),
              coalesce(c.message_limit::text, 'NULL'), coalesce(c.profile_view_limit::text, 'NULL'),
              coalesce(c.engagement_limit::text, 'NULL'), coalesce(c.note, 'as elsewhere')),
       format('SELECT sendgate.set_campaign(%L)', c.campaign_id)
FROM sendgate.campaigns AS c ORDER BY c.campaign_id LIMIT $1";

/// Prospects whom no account may write to now.
const SUPPRESSIONS: &str = "SELECT 'suppression', s.prospect_id::text,
       coalesce('until ' || s.until::text, 'for good'),
       format('SELECT sendgate.suppress_prospect(%L, %L, %L)', s.prospect_id, coalesce(s.note, 'as elsewhere'), s.until),
       format('SELECT sendgate.unsuppress_prospect(%L, %L)', s.prospect_id, 'as elsewhere')
FROM sendgate.suppressions AS s
WHERE s.until IS NULL OR s.until > (SELECT sendgate.clock())
ORDER BY s.prospect_id LIMIT $1";

/// Loads the library, so that its settings are known.
const LOAD: &str = "SELECT sendgate.clock()::text";

/// The settings that rules and jobs read, where they differ from their defaults; a session's own are none. One that is set
/// for a database is set for the other database.
const SETTINGS: &str = "SELECT 'setting', s.name, v.value,
       CASE s.source
            WHEN 'database' THEN format(
                $q$DO $do$ BEGIN EXECUTE format('ALTER DATABASE %%I SET %s = %%L', current_database(), %L); END $do$$q$,
                s.name, v.value)
            ELSE format('ALTER SYSTEM SET %s = %L; SELECT pg_reload_conf()', s.name, v.value) END,
       CASE s.source
            WHEN 'database' THEN format(
                $q$DO $do$ BEGIN EXECUTE format('ALTER DATABASE %%I RESET %s', current_database()); END $do$$q$, s.name)
            ELSE format('ALTER SYSTEM RESET %s; SELECT pg_reload_conf()', s.name) END
FROM pg_settings AS s
CROSS JOIN LATERAL (SELECT s.setting || coalesce(s.unit, '') AS value) AS v
WHERE s.name LIKE 'sendgate.%' AND s.name NOT IN ('sendgate.actor', 'sendgate.now')
  AND s.setting IS DISTINCT FROM s.boot_val
ORDER BY s.name COLLATE \"C\" LIMIT $1";

/// All kinds of facts.
const KINDS: [&str; 8] = [VERSION, TIERS, RULES, SWITCH, PAUSED, LIMITS, SUPPRESSIONS, SETTINGS];

/// Ids in their order, after $1; at most $2.
const IDS: &str =
    "SELECT a.id::text FROM sendgate.linkedin_accounts AS a WHERE a.id > $1 ORDER BY a.id LIMIT $2";

/// Something that ought to be the same everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fact {
    /// Its kind, in words.
    pub kind: String,
    /// What of that kind it is about.
    pub key: String,
    /// What it is.
    pub value: String,
    /// The statement that makes it so elsewhere.
    pub mend: String,
    /// The statement that takes it away; none if it cannot be.
    pub undo: Option<String>,
}

impl Session {
    /// The facts, each kind in the order of its keys and up to [`FACTS_MAX`]; none of a kind that this version of the
    /// extension does not know, or that this login may not read.
    pub async fn facts(&self) -> Result<Vec<Option<Vec<Fact>>>> {
        self.row("loading the library", LOAD, &[]).await?;
        let mut facts = Vec::with_capacity(KINDS.len());
        for sql in KINDS {
            let rows = match self.rows("comparing databases", sql, &[(&FACTS_MAX, Type::INT8)]).await {
                Ok(rows) => rows,
                Err(error) if error.code().is_some_and(|code| code.code().starts_with(CLASS_OF_NAMES)) => {
                    facts.push(None);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let fact = |row: &tokio_postgres::Row| Fact {
                kind: row.get(0),
                key: row.get(1),
                value: row.get(2),
                mend: row.get(3),
                undo: row.get(4),
            };
            facts.push(Some(rows.iter().map(fact).collect()));
        }
        Ok(facts)
    }

    /// At most `rows_max` ids of accounts after this one, in their order.
    pub async fn account_ids(&self, after: &str, rows_max: i64) -> Result<Vec<String>> {
        let parameters = [(&after as _, Type::TEXT), (&rows_max as _, Type::INT8)];
        let rows = self.rows("listing accounts", IDS, &parameters).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}
