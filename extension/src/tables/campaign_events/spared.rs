//! Prospects that a campaign may not write to, because they are suppressed for good.

use crate::postgres::ids;
use crate::postgres::param::{Element, IntoParam, array, params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts::held::Held;
use sendgate_decision::clock::Instant;
use sendgate_decision::names::Action;

static IS_NOTED: Statement = Statement::new(
    "SELECT 1 FROM sendgate.campaign_events e
     WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.prospect_id OPERATOR(pg_catalog.=) $2
       AND e.campaign_id OPERATOR(pg_catalog.=) $3 AND e.action OPERATOR(pg_catalog.=) $4
       AND e.suppressed_at OPERATOR(pg_catalog.=) $5",
    types![text, text, text, text, instant],
);

static NOTE: Statement = Statement::new(
    "INSERT INTO sendgate.campaign_events (id, at, account_id, prospect_id, campaign_id, action,
         event_type, reason, suppressed_at)
     SELECT u.id, $1, u.account_id, u.prospect_id, u.campaign_id, u.action, 'linkedin_skipped',
            'prospect_suppressed', u.suppressed_at
     FROM unnest($2::pg_catalog.uuid[], $3::pg_catalog.text[], $4::pg_catalog.text[],
                            $5::pg_catalog.text[], $6::pg_catalog.text[], $7::pg_catalog.timestamptz[])
          AS u (id, account_id, prospect_id, campaign_id, action, suppressed_at)
     ON CONFLICT (account_id, prospect_id, campaign_id, action, suppressed_at)
         WHERE suppressed_at IS NOT NULL DO NOTHING",
    types![instant, uuids, texts, texts, texts, texts, instants],
);

/// A send that is not made, because its prospect is suppressed.
pub struct Spared<'a> {
    /// The account.
    pub account: Held<'a>,
    /// Who is suppressed.
    pub prospect: &'a str,
    /// The campaign.
    pub campaign: &'a str,
    /// The action.
    pub action: Action,
    /// Since when the prospect is suppressed.
    pub since: Instant,
}

/// Whether it is noted already, under the same suppression.
pub fn is_noted(
    spi: &Spi,
    account: &str,
    prospect: &str,
    campaign: &str,
    action: Action,
    since: Instant,
) -> bool {
    let values = params![account, prospect, campaign, action.name(), since];
    spi.run_on_latest_snapshot(&IS_NOTED, values).count() > 0
}

/// Notes each once per prospect, campaign, action and suppression.
pub fn note(spi: &Spi, spared: &[Spared<'_>], now: Instant) {
    let all = || spared.iter();
    let values = [
        now.param(),
        array(Element::Uuid, all().map(|_| ids::fresh())),
        array(Element::Text, all().map(|one| one.account.id())),
        array(Element::Text, all().map(|one| one.prospect)),
        array(Element::Text, all().map(|one| one.campaign)),
        array(Element::Text, all().map(|one| one.action.name())),
        array(Element::Timestamp, all().map(|one| one.since)),
    ];
    spi.write_on_latest_snapshot(&NOTE, &values);
}
