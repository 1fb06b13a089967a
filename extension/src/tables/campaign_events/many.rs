//! Several campaign events in one statement.

use crate::postgres::ids;
use crate::postgres::param::{Element, IntoParam, array, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts::held::Held;
use sendgate_decision::clock::Instant;
use sendgate_decision::names::{Action, OperationId};

static REFUSED: Statement = Statement::new(
    "INSERT INTO sendgate.campaign_events (id, at, account_id, prospect_id, campaign_id, action,
         event_type, reason, operation_id, detail)
     SELECT u.id, $1, u.account_id, u.prospect_id, u.campaign_id, u.action, 'linkedin_skipped', u.reason,
            u.operation_id, u.detail
     FROM unnest($2::pg_catalog.uuid[], $3::pg_catalog.text[], $4::pg_catalog.text[],
                            $5::pg_catalog.text[], $6::pg_catalog.text[], $7::pg_catalog.text[],
                            $8::pg_catalog.uuid[], $9::pg_catalog.text[])
          AS u (id, account_id, prospect_id, campaign_id, action, reason, operation_id, detail)",
    types![instant, uuids, texts, texts, texts, texts, texts, uuids, texts],
);

/// Checks for an existing line first, because ON CONFLICT would wait for a session that counts at it. No
/// other session writes a first line meanwhile: the account is held.
static SKIPPED: Statement = Statement::new(
    "INSERT INTO sendgate.campaign_events (id, at, deferred_to, exhausted_at, account_id, prospect_id,
         campaign_id, action, event_type, reason)
     SELECT u.id, $1, u.deferred_to, u.exhausted_at, u.account_id, u.prospect_id, u.campaign_id, 'inmail',
            'linkedin_skipped', 'account_inmail_credits_exhausted'
     FROM unnest($2::pg_catalog.uuid[], $3::pg_catalog.timestamptz[], $4::pg_catalog.timestamptz[],
                 $5::pg_catalog.text[], $6::pg_catalog.text[], $7::pg_catalog.text[])
          AS u (id, deferred_to, exhausted_at, account_id, prospect_id, campaign_id)
     WHERE NOT EXISTS (
         SELECT FROM sendgate.campaign_events c
         WHERE c.account_id OPERATOR(pg_catalog.=) u.account_id
           AND c.prospect_id OPERATOR(pg_catalog.=) u.prospect_id
           AND c.campaign_id OPERATOR(pg_catalog.=) u.campaign_id
           AND c.exhausted_at OPERATOR(pg_catalog.=) u.exhausted_at)",
    types![instant, uuids, instants, instants, texts, texts, texts],
);

/// Counts at lines that exist already. It passes over a line at which another session counts right now,
/// because dispatch does not wait while it holds accounts.
static REPEATED: Statement = Statement::new(
    "UPDATE sendgate.campaign_events e
     SET repeats = e.repeats OPERATOR(pg_catalog.+) 1, last_repeat_at = $1
     FROM (
         SELECT c.account_id, c.id
         FROM unnest($3::pg_catalog.timestamptz[], $4::pg_catalog.text[], $5::pg_catalog.text[],
                     $6::pg_catalog.text[]) AS u (exhausted_at, account_id, prospect_id, campaign_id)
         JOIN sendgate.campaign_events c
             ON c.account_id OPERATOR(pg_catalog.=) u.account_id
                AND c.prospect_id OPERATOR(pg_catalog.=) u.prospect_id
                AND c.campaign_id OPERATOR(pg_catalog.=) u.campaign_id
                AND c.exhausted_at OPERATOR(pg_catalog.=) u.exhausted_at
         WHERE NOT (c.id OPERATOR(pg_catalog.=) ANY ($2::pg_catalog.uuid[]))
         FOR UPDATE OF c SKIP LOCKED
     ) r
     WHERE e.account_id OPERATOR(pg_catalog.=) r.account_id AND e.id OPERATOR(pg_catalog.=) r.id",
    types![instant, uuids, instants, texts, texts, texts],
);

/// Work that the recipient's side refused for good.
pub struct RefusedWork<'a> {
    /// The account.
    pub account: Held<'a>,
    /// Whom it was for.
    pub prospect: &'a str,
    /// Its campaign.
    pub campaign: Option<&'a str>,
    /// The action.
    pub action: Action,
    /// The operation that failed.
    pub operation: OperationId,
    /// Why, as the event spells it.
    pub reason: &'a str,
    /// What the provider said.
    pub error: Option<&'a str>,
}

/// An InMail of a campaign that the breaker skipped.
pub struct SkippedWork<'a> {
    /// The account.
    pub account: Held<'a>,
    /// Whom it was for.
    pub prospect: &'a str,
    /// Its campaign.
    pub campaign: &'a str,
    /// The stamp of the breaker.
    pub exhausted_at: Option<Instant>,
    /// The start of the next credit period.
    pub until: Instant,
}

/// Notes that the recipient's side refused for good.
pub fn refused(spi: &Spi, refused: &[RefusedWork<'_>], now: Instant) {
    let all = || refused.iter();
    let values = [
        now.param(),
        array(Element::Uuid, all().map(|_| ids::fresh())),
        array(Element::Text, all().map(|work| work.account.id())),
        array(Element::Text, all().map(|work| work.prospect)),
        array(Element::Text, all().map(|work| work.campaign)),
        array(Element::Text, all().map(|work| work.action.name())),
        array(Element::Text, all().map(|work| work.reason)),
        array(Element::Uuid, all().map(|work| work.operation)),
        array(Element::Text, all().map(|work| work.error)),
    ];
    spi.run(&REFUSED, &values);
}

/// Notes what the breaker skipped, once for each prospect, campaign and stamp, and counts the repeats.
pub fn skipped(spi: &Spi, skips: &[SkippedWork<'_>], now: Instant) {
    let all = || skips.iter();
    let (now, ids) = (now.param(), array(Element::Uuid, all().map(|_| ids::fresh())));
    let until = array(Element::Timestamp, all().map(|skip| skip.until));
    let stamps = array(Element::Timestamp, all().map(|skip| skip.exhausted_at));
    let accounts = array(Element::Text, all().map(|skip| skip.account.id()));
    let prospects = array(Element::Text, all().map(|skip| skip.prospect));
    let campaigns = array(Element::Text, all().map(|skip| skip.campaign));
    let values = [now, ids, until, stamps, accounts, prospects, campaigns];
    if spi.write_on_latest_snapshot(&SKIPPED, &values).count() < skips.len() {
        spi.write_on_latest_snapshot(&REPEATED, &[now, ids, stamps, accounts, prospects, campaigns]);
    }
}
