//! Due enrollments of the accounts that were picked, with what the journal says about their prospects.

use crate::postgres::error::Result;
use crate::postgres::jsonb::Jsonb;
use crate::postgres::param::{Element, IntoParam, array, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::suppressions::{self, Suppressed};
use crate::verbs::dispatch::pick::{Outlook, Pair, Picked};
use sendgate_decision::clock::Instant;
use sendgate_decision::gate::ProspectHistory;

/// Most enrollments that the breaker defers in one call. The others stay due, and the next calls defer them,
/// so that no call takes long because of a backlog.
pub(super) const DEFERRALS_MAX: usize = 1_000;

/// Due enrollments of several held accounts, in the order of the list, of each account the highest priority and
/// then the oldest first, and what the journal says about their prospects. Reads no further than it has to.
static DUE: Statement = Statement::new(
    "SELECT u.pair, e.prospect_id, e.campaign_id, e.step, e.attempts, e.payload, h.unresolved, h.last_kept_at
     FROM unnest($1::pg_catalog.int4[], $2::pg_catalog.text[], $3::pg_catalog.text[],
                            $4::pg_catalog.int4[]) AS u (pair, account_id, action, most)
     CROSS JOIN LATERAL (
         SELECT w.prospect_id, w.campaign_id, w.step, w.attempts, w.payload
         FROM sendgate.enrollments w
         WHERE w.account_id OPERATOR(pg_catalog.=) u.account_id AND w.action OPERATOR(pg_catalog.=) u.action
           AND w.next_dispatch_at OPERATOR(pg_catalog.<=) $5
           AND (w.campaign_id OPERATOR(pg_catalog.=) $7 OR $7 IS NULL)
           AND NOT EXISTS (
               SELECT FROM sendgate.paused_campaigns p
               WHERE p.campaign_id OPERATOR(pg_catalog.=) w.campaign_id)
         ORDER BY w.priority DESC, w.next_dispatch_at, w.step
         LIMIT u.most
     ) e
     CROSS JOIN LATERAL (
         SELECT pg_catalog.bool_or(o.state OPERATOR(pg_catalog.<>) 'delivered') AS unresolved,
                pg_catalog.max(o.reserved_at) AS last_kept_at
         FROM sendgate.send_operations o
         WHERE o.account_id OPERATOR(pg_catalog.=) u.account_id
           AND o.prospect_id OPERATOR(pg_catalog.=) e.prospect_id
           AND o.action OPERATOR(pg_catalog.=) u.action
           AND o.state OPERATOR(pg_catalog.<>) 'released'
     ) h
     LIMIT $6",
    types![int4s, texts, texts, int4s, instant, int8, text],
);

/// A due enrollment.
#[derive(Clone)]
pub(super) struct Candidate {
    /// Index of its account and action.
    pub pair: usize,
    /// Whom it is for.
    pub prospect: String,
    /// Its campaign.
    pub campaign: String,
    /// Which step of it.
    pub step: i16,
    /// Attempts so far.
    pub attempts: i32,
    /// What the worker gets with it.
    pub payload: Option<Jsonb>,
    /// What the journal says about the prospect.
    pub history: ProspectHistory,
    /// The prospect's suppression.
    pub suppressed: Option<Suppressed>,
}

/// The due work of the picked accounts.
pub(super) struct Found {
    /// Due enrollments.
    pub candidates: Vec<Candidate>,
    /// How many pairs were looked at, from the first; of the others, only those whose breaker skips.
    pub reached: usize,
    /// Which pairs were looked at.
    pub looked_at: Vec<bool>,
}

/// Finds due enrollments: of accounts that may send, at most `limit`; of accounts whose breaker skips, at
/// most `deferrals` that are to be deferred. This is a statement after the one that holds the accounts, so
/// that no other session can have handed out these enrollments since.
///
/// # Errors
/// `SG301` when another session has the table of suppressions locked for too long.
pub(super) fn find(
    spi: &Spi,
    picked: &Picked,
    campaign: Option<&str>,
    (limit, deferrals): (usize, usize),
    now: Instant,
) -> Result<Found> {
    let open = |pair: &Pair| match pair.outlook {
        Outlook::Open(room) => Some(room.min(limit as i32)),
        _ => None,
    };
    let mut candidates = read_due(spi, picked, campaign, open, limit, now);
    let full = candidates.len() >= limit;
    let last = candidates.last().map(|candidate| candidate.pair);
    let reached = if full { last.map_or(0, |pair| pair + 1) } else { picked.pairs.len() };
    let most = deferrals as i32;
    let skipping = |pair: &Pair| matches!(pair.outlook, Outlook::Skipping).then_some(most);
    let skips: Vec<bool> = picked.pairs.iter().map(|pair| skipping(pair).is_some()).collect();
    let behind = |i: usize| matches!(picked.pairs[i].outlook, Outlook::Behind);
    let looked_at = skips.iter().enumerate().map(|(i, skips)| i < reached && !skips && !behind(i));
    let mut looked_at: Vec<bool> = looked_at.collect();
    // What the breaker skips wants no slot, so it is not kept waiting by those who take them. Where
    // there is more of it than a call defers, the rest is left as it lies.
    if deferrals > 0 && skips.contains(&true) {
        let skipped = read_due(spi, picked, campaign, skipping, deferrals, now);
        if skipped.len() < deferrals {
            (0..skips.len()).filter(|&i| skips[i]).for_each(|i| looked_at[i] = true);
        }
        skipped.iter().for_each(|candidate| looked_at[candidate.pair] = true);
        candidates.extend(skipped);
    }
    let suppressed = suppressions::of_many(candidates.iter().map(|candidate| candidate.prospect.as_str()))?;
    for (candidate, suppressed) in candidates.iter_mut().zip(suppressed) {
        candidate.suppressed = suppressed;
    }
    Ok(Found { candidates, reached, looked_at })
}

fn read_due(
    spi: &Spi,
    picked: &Picked,
    campaign: Option<&str>,
    most: impl Fn(&Pair) -> Option<i32>,
    limit: usize,
    now: Instant,
) -> Vec<Candidate> {
    let asked: Vec<(usize, i32)> =
        picked.pairs.iter().enumerate().filter_map(|(i, pair)| most(pair).map(|most| (i, most))).collect();
    if asked.is_empty() {
        return Vec::new();
    }
    let pair = |&(i, _): &(usize, i32)| &picked.pairs[i];
    let values = [
        array(Element::Int4, asked.iter().map(|&(i, _)| i as i32)),
        array(Element::Text, asked.iter().map(|a| picked.accounts[pair(a).account].id())),
        array(Element::Text, asked.iter().map(|a| pair(a).action.name())),
        array(Element::Int4, asked.iter().map(|&(_, most)| most)),
        now.param(),
        (limit as i64).param(),
        campaign.param(),
    ];
    let rows = spi.run(&DUE, &values);
    rows.iter()
        .map(|mut row| Candidate {
            pair: row.value::<i32>() as usize,
            prospect: row.value(),
            campaign: row.value(),
            step: row.value(),
            attempts: row.value(),
            payload: row.nullable(),
            history: ProspectHistory {
                unresolved: row.nullable().unwrap_or(false),
                last_kept_at: row.nullable_instant(),
            },
            suppressed: None,
        })
        .collect()
}
