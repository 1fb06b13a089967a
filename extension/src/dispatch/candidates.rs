//! Due enrollments of the picked accounts, and holding those accounts.

use std::collections::HashMap;

use pgrx::pg_sys;
use sendgate_decision::clock::Instant;
use sendgate_decision::gate::ProspectHistory;

use super::pick::{Outlook, Pair, Picked};
use crate::arrays::{Element, NUMBERS, array};
use crate::statement::{IntoParam, Spi, Statement, params};

/// Most enrollments that the breaker defers in one call; the others stay due and are deferred by the
/// next calls, so that a backlog does not make anybody's call a long one.
pub const DEFERRALS_MAX: usize = 1_000;

/// Due enrollments of several accounts, in the order of the list, each account's oldest first. Reads
/// no further than it has to.
static DUE: Statement = Statement::new(
    "SELECT u.pair, e.prospect_id, e.campaign_id
     FROM unnest($1::pg_catalog.int4[], $2::pg_catalog.text[], $3::pg_catalog.text[],
                            $4::pg_catalog.int4[]) AS u (pair, account_id, action, most)
     CROSS JOIN LATERAL (
         SELECT w.prospect_id, w.campaign_id
         FROM sendgate.enrollments w
         WHERE w.account_id OPERATOR(pg_catalog.=) u.account_id AND w.action OPERATOR(pg_catalog.=) u.action
           AND w.next_dispatch_at OPERATOR(pg_catalog.<=) $5
           AND NOT EXISTS (
               SELECT FROM sendgate.paused_campaigns p
               WHERE p.campaign_id OPERATOR(pg_catalog.=) w.campaign_id)
         ORDER BY w.next_dispatch_at
         LIMIT u.most
     ) e
     LIMIT $6",
    &[
        pg_sys::INT4ARRAYOID,
        pg_sys::TEXTARRAYOID,
        pg_sys::TEXTARRAYOID,
        pg_sys::INT4ARRAYOID,
        pg_sys::TIMESTAMPTZOID,
        pg_sys::INT8OID,
    ],
);

/// In ascending order, as everybody; what somebody else holds is passed over.
static HOLD: Statement = Statement::new(
    "SELECT a.id, a.xmin, a.version FROM sendgate.accounts a
     WHERE a.id OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.text[])
     ORDER BY a.id FOR NO KEY UPDATE SKIP LOCKED",
    &[pg_sys::TEXTARRAYOID],
);

/// So many of the listed accounts as nobody else holds or has changed, in the order of the list.
static HOLD_FREE: Statement = Statement::new(
    "SELECT a.id, a.xmin, a.version
     FROM unnest($1::pg_catalog.text[], $2::pg_catalog.int8[]) WITH ORDINALITY AS u (id, version, n)
     JOIN sendgate.accounts a
         ON a.id OPERATOR(pg_catalog.=) u.id AND a.version OPERATOR(pg_catalog.=) u.version
     ORDER BY u.n LIMIT $3 FOR NO KEY UPDATE OF a SKIP LOCKED",
    &[pg_sys::TEXTARRAYOID, NUMBERS, pg_sys::INT8OID],
);

/// Looked at again now that the account is held, with what the journal says about the prospect.
static VERIFY: Statement = Statement::new(
    "SELECT u.n::pg_catalog.int4, e.attempts, h.unresolved, h.last_kept_at
     FROM unnest($1::pg_catalog.text[], $2::pg_catalog.text[], $3::pg_catalog.text[],
                            $4::pg_catalog.text[]) WITH ORDINALITY
          AS u (account_id, prospect_id, campaign_id, action, n)
     JOIN sendgate.enrollments e
         ON e.account_id OPERATOR(pg_catalog.=) u.account_id
            AND e.prospect_id OPERATOR(pg_catalog.=) u.prospect_id
            AND e.campaign_id OPERATOR(pg_catalog.=) u.campaign_id
            AND e.action OPERATOR(pg_catalog.=) u.action
            AND e.next_dispatch_at OPERATOR(pg_catalog.<=) $5
     CROSS JOIN LATERAL (
         SELECT pg_catalog.bool_or(o.state OPERATOR(pg_catalog.<>) 'delivered') AS unresolved,
                pg_catalog.max(o.reserved_at) AS last_kept_at
         FROM sendgate.send_operations o
         WHERE o.account_id OPERATOR(pg_catalog.=) u.account_id
           AND o.prospect_id OPERATOR(pg_catalog.=) u.prospect_id
           AND o.action OPERATOR(pg_catalog.=) u.action
           AND o.state OPERATOR(pg_catalog.<>) 'released'
     ) h
     ORDER BY u.n",
    &[
        pg_sys::TEXTARRAYOID,
        pg_sys::TEXTARRAYOID,
        pg_sys::TEXTARRAYOID,
        pg_sys::TEXTARRAYOID,
        pg_sys::TIMESTAMPTZOID,
    ],
);

/// A due enrollment.
#[derive(Clone)]
pub struct Candidate {
    /// Index of its account and action.
    pub pair: usize,
    /// Whom it is for.
    pub prospect: String,
    /// Its campaign.
    pub campaign: String,
    /// Attempts so far.
    pub attempts: i32,
    /// What the journal says about the prospect.
    pub history: ProspectHistory,
}

/// What was found for the picked accounts.
pub struct Found {
    /// Due enrollments, not yet verified.
    pub candidates: Vec<Candidate>,
    /// How many pairs were looked at, from the first; of the others, only those whose breaker skips.
    pub reached: usize,
    /// Which pairs were looked at.
    pub looked_at: Vec<bool>,
}

/// Finds due enrollments: of accounts that may send, at most `limit` of each and `limits` in all; of
/// accounts whose breaker skips, at most `deferrals` that are to be deferred.
pub fn find(
    spi: &Spi,
    picked: &Picked,
    (limit, limits): (usize, usize),
    deferrals: usize,
    now: Instant,
) -> Found {
    let open = |pair: &Pair| match pair.outlook {
        Outlook::Open(room) => Some(room.min(limit as i32)),
        _ => None,
    };
    let mut candidates = read_due(spi, picked, open, limits, now);
    let full = candidates.len() >= limits;
    let last = candidates.last().map(|candidate| candidate.pair);
    let reached = if full { last.map_or(0, |pair| pair + 1) } else { picked.pairs.len() };
    let most = deferrals as i32;
    let skipping = |pair: &Pair| matches!(pair.outlook, Outlook::Skipping).then_some(most);
    let skips: Vec<bool> = picked.pairs.iter().map(|pair| skipping(pair).is_some()).collect();
    let mut looked_at: Vec<bool> = skips.iter().enumerate().map(|(i, skips)| i < reached && !skips).collect();
    // What the breaker skips wants no slot, so it is not kept waiting by those who take them. Where
    // there is more of it than a call defers, the rest is left as it lies.
    if deferrals > 0 && skips.contains(&true) {
        let skipped = read_due(spi, picked, skipping, deferrals, now);
        if skipped.len() < deferrals {
            (0..skips.len()).filter(|&i| skips[i]).for_each(|i| looked_at[i] = true);
        }
        skipped.iter().for_each(|candidate| looked_at[candidate.pair] = true);
        candidates.extend(skipped);
    }
    Found { candidates, reached, looked_at }
}

fn read_due(
    spi: &Spi,
    picked: &Picked,
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
        array(Element::Text, asked.iter().map(|a| picked.accounts[pair(a).account].id.as_str())),
        array(Element::Text, asked.iter().map(|a| pair(a).action.name())),
        array(Element::Int4, asked.iter().map(|&(_, most)| most)),
        now.param(),
        (limit as i64).param(),
    ];
    let rows = spi.run(&DUE, &values);
    rows.iter()
        .map(|mut row| Candidate {
            pair: row.value::<i32>() as usize,
            prospect: row.value(),
            campaign: row.value(),
            attempts: 0,
            history: ProspectHistory::default(),
        })
        .collect()
}

/// Holds the accounts of the pairs that were looked at, passing over those that somebody else holds;
/// for each account, whether it is held and still what it was when it was picked.
pub fn hold(spi: &Spi, picked: &Picked, looked_at: &[bool]) -> Vec<Held> {
    let mut held = vec![Held::NotAsked; picked.accounts.len()];
    for (pair, _) in picked.pairs.iter().zip(looked_at).filter(|(_, looked_at)| **looked_at) {
        held[pair.account] = Held::BySomebodyElse;
    }
    let ids = picked.accounts.iter().enumerate().filter(|(i, _)| held[*i] == Held::BySomebodyElse);
    let ids = array(Element::Text, ids.map(|(_, visited)| visited.id.as_str()));
    let places: HashMap<&str, usize> =
        picked.accounts.iter().enumerate().map(|(i, visited)| (visited.id.as_str(), i)).collect();
    for mut row in spi.run(&HOLD, &[ids]).iter() {
        let id: &str = row.value();
        let Some(&i) = places.get(id) else { continue };
        let version = crate::account_row::read_version(&mut row);
        held[i] = if version == picked.accounts[i].row.version { Held::AsPicked } else { Held::Changed };
    }
    held
}

/// The same where many workers ask at once: holds no more accounts than have `wanted` candidates between
/// them, and instead of one that somebody else holds, or has just served, the next. What lies behind
/// the last one held is not looked at in this go. Not for a page with work that the breaker skips.
pub fn hold_free(spi: &Spi, picked: &Picked, found: &mut Found, wanted: usize) -> Vec<Held> {
    let mut held = vec![Held::NotAsked; picked.accounts.len()];
    let mut listed: Vec<usize> = Vec::new();
    for pair in &picked.pairs[..found.reached] {
        if held[pair.account] == Held::NotAsked {
            held[pair.account] = Held::BySomebodyElse;
            listed.push(pair.account);
        }
    }
    let most = enough(picked, &listed, &found.candidates, wanted);
    let values = [
        array(Element::Text, listed.iter().map(|&i| picked.accounts[i].id.as_str())),
        array(Element::Int8, listed.iter().map(|&i| picked.accounts[i].row.version.count())),
        (most as i64).param(),
    ];
    let places: HashMap<&str, usize> = listed.iter().map(|&i| (picked.accounts[i].id.as_str(), i)).collect();
    let rows = spi.run(&HOLD_FREE, &values);
    let mut last = None;
    for mut row in rows.iter() {
        let Some(&i) = places.get(row.value::<&str>()) else { continue };
        let version = crate::account_row::read_version(&mut row);
        held[i] = if version == picked.accounts[i].row.version { Held::AsPicked } else { Held::Changed };
        last = Some(i);
    }
    if rows.count() == most
        && let Some(last) = last
    {
        // Nobody asked whether those behind it are free.
        found.reached = 1 + picked.pairs.iter().position(|pair| pair.account == last).unwrap_or(0);
        found.looked_at.iter_mut().skip(found.reached).for_each(|looked_at| *looked_at = false);
        listed.iter().skip_while(|&&i| i != last).skip(1).for_each(|&i| held[i] = Held::NotAsked);
    }
    held
}

/// How many of the listed accounts, from the first, have so many candidates between them.
fn enough(picked: &Picked, listed: &[usize], candidates: &[Candidate], wanted: usize) -> usize {
    let last = candidates.get(wanted.saturating_sub(1)).map(|candidate| picked.pairs[candidate.pair].account);
    last.and_then(|last| listed.iter().position(|&i| i == last)).map_or(listed.len(), |at| at + 1)
}

/// What became of holding an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It was not reached.
    NotAsked,
    /// Somebody else holds it.
    BySomebodyElse,
    /// It is held, and has changed since it was picked.
    Changed,
    /// It is held, and what it was.
    AsPicked,
}

/// Keeps the candidates that still wait, on accounts that are held as they were picked, and adds what
/// the journal says about their prospects.
pub fn verify(
    spi: &Spi,
    picked: &Picked,
    held: &[Held],
    candidates: Vec<Candidate>,
    now: Instant,
) -> Vec<Candidate> {
    let on_held = |c: &Candidate| held[picked.pairs[c.pair].account] == Held::AsPicked;
    let mut kept: Vec<Option<Candidate>> = candidates.into_iter().filter(on_held).map(Some).collect();
    if kept.is_empty() {
        return Vec::new();
    }
    let listed = || kept.iter().flatten();
    let pair = |c: &Candidate| &picked.pairs[c.pair];
    let values = [
        array(Element::Text, listed().map(|c| picked.accounts[pair(c).account].id.as_str())),
        array(Element::Text, listed().map(|c| c.prospect.as_str())),
        array(Element::Text, listed().map(|c| c.campaign.as_str())),
        array(Element::Text, listed().map(|c| pair(c).action.name())),
        params![now][0],
    ];
    let rows = spi.run(&VERIFY, &values);
    rows.iter()
        .filter_map(|mut row| {
            let mut candidate = kept[row.value::<i32>() as usize - 1].take()?;
            candidate.attempts = row.value();
            let unresolved = row.nullable().unwrap_or(false);
            candidate.history = ProspectHistory { unresolved, last_kept_at: row.nullable_instant() };
            Some(candidate)
        })
        .collect()
}
