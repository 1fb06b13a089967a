//! Writes a plan: a statement a table, whatever the number of rows.

use crate::gate::known_credits;
use crate::postgres::param::{Element, IntoParam, Param, array, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts;
use crate::tables::accounts::held::Held;
use crate::tables::accounts::turns;
use crate::tables::activity::{self, Activity};
use crate::tables::breaker_log::{self, BreakerLine, Cause};
use crate::tables::campaign_events;
use crate::tables::campaign_events::many::SkippedWork;
use crate::tables::campaign_events::spared::{self, Spared};
use crate::tables::enrollments;
use crate::tables::journal;
use crate::verbs::dispatch::batch::{Batch, outcome_of};
use crate::verbs::dispatch::plan::{Clearing, Fate, Plan, Slot};
use crate::verbs::dispatch::straight;
use sendgate_decision::account::Account;
use sendgate_decision::breaker::ClearReason;
use sendgate_decision::names::Reason;
use std::collections::HashSet;

static INSERT_OPERATIONS: Statement = Statement::new(
    "INSERT INTO sendgate.send_operations (operation_id, reserved_at, expires_at, counted_on, account_id,
         prospect_id, action, campaign_id, attempt, step, awaited)
     SELECT u.operation_id, $1, u.expires_at, u.counted_on, u.account_id, u.prospect_id, u.action,
            u.campaign_id, u.attempt, u.step, CASE WHEN u.awaited THEN true END
     FROM unnest($2::pg_catalog.uuid[], $3::pg_catalog.timestamptz[], $4::pg_catalog.date[],
                            $5::pg_catalog.text[], $6::pg_catalog.text[], $7::pg_catalog.text[],
                            $8::pg_catalog.text[], $9::pg_catalog.int4[], $10::pg_catalog.int4[],
                            $11::pg_catalog.bool[])
          AS u (operation_id, expires_at, counted_on, account_id, prospect_id, action, campaign_id, attempt,
                step, awaited)",
    types![instant, uuids, instants, dates, texts, texts, texts, texts, int4s, int4s, bools],
);

static UPDATE_ENROLLMENTS: Statement = Statement::new(
    "UPDATE sendgate.enrollments e
     SET state = u.state, next_dispatch_at = u.next_dispatch_at, attempts = u.attempts, reason = u.reason,
         operation_id = COALESCE(u.operation_id, e.operation_id), changed_at = $1
     FROM unnest($2::pg_catalog.text[], $3::pg_catalog.text[], $4::pg_catalog.text[],
                            $5::pg_catalog.text[], $6::pg_catalog.int4[], $7::pg_catalog.text[],
                            $8::pg_catalog.timestamptz[], $9::pg_catalog.int4[], $10::pg_catalog.text[],
                            $11::pg_catalog.uuid[])
          AS u (account_id, prospect_id, campaign_id, action, step, state, next_dispatch_at, attempts, reason,
                operation_id)
     WHERE e.account_id OPERATOR(pg_catalog.=) u.account_id
       AND e.prospect_id OPERATOR(pg_catalog.=) u.prospect_id
       AND e.campaign_id OPERATOR(pg_catalog.=) u.campaign_id
       AND e.action OPERATOR(pg_catalog.=) u.action AND e.step OPERATOR(pg_catalog.=) u.step",
    types![instant, texts, texts, texts, texts, int4s, texts, instants, int4s, texts, uuids],
);

/// Marks operations that other work waits for: their settlement makes that work due.
static AWAIT: Statement = Statement::new(
    "UPDATE sendgate.send_operations o SET awaited = true
     FROM unnest($1::pg_catalog.text[], $2::pg_catalog.text[], $3::pg_catalog.text[])
          AS u (account_id, prospect_id, action)
     WHERE o.account_id OPERATOR(pg_catalog.=) u.account_id
       AND o.prospect_id OPERATOR(pg_catalog.=) u.prospect_id
       AND o.action OPERATOR(pg_catalog.=) u.action
       AND o.state OPERATOR(pg_catalog.=) ANY (ARRAY['reserved', 'indeterminate'])
       AND o.awaited IS NULL",
    types![texts, texts, texts],
);

/// Writes everything that the plan says.
pub(super) fn write(spi: &Spi, batch: &Batch<'_>, plan: &Plan) {
    write_accounts(spi, batch, plan);
    for clearing in &plan.clearings {
        clear(spi, batch, clearing);
    }
    for &account in &plan.spent {
        arm(spi, batch, account);
    }
    insert_operations(spi, batch, plan);
    update_enrollments(spi, batch, plan);
    mark_awaited(spi, batch, plan);
    log_skips(spi, batch, plan);
    log_spared(spi, batch, plan);
}

fn write_accounts(spi: &Spi, batch: &Batch<'_>, plan: &Plan) {
    let left: Vec<usize> = if batch.is_straight {
        straight::write_accounts(batch, plan)
    } else {
        (0..batch.visited.len()).collect()
    };
    let changed: Vec<(Held<'_>, &Account)> =
        left.iter().filter_map(|&i| Some((batch.visited[i].held(), plan.accounts[i].as_ref()?))).collect();
    if left.iter().any(|&i| plan.turns[i].is_some()) {
        let turns: Vec<Option<String>> = left
            .iter()
            .filter(|&&i| plan.accounts[i].is_some())
            .map(|&i| turns::pack(plan.turns[i].as_ref().unwrap_or(&batch.visited[i].turns)))
            .collect();
        accounts::many::write_with_turns(spi, &changed, &turns);
    } else {
        accounts::many::write(spi, &changed);
    }
}

/// Clears are rare: once an account and credit period.
fn clear(spi: &Spi, batch: &Batch<'_>, clearing: &Clearing) {
    let account = batch.visited[clearing.account].held();
    let (reason, exhausted_at) = (clearing.reason.name(), clearing.exhausted_at);
    let line = BreakerLine {
        account,
        reason,
        exhausted_at,
        prospect: None,
        campaign: None,
        note: None,
        cause: Cause::default(),
    };
    breaker_log::write(spi, "clear", &line, batch.now);
    // Work was deferred to the beginning of the new period, so it is due without a release.
    if clearing.reason != ClearReason::MonthlyReset {
        enrollments::release(spi, account, batch.now);
    }
}

/// Once an account and credit period, as rare as a clear.
fn arm(spi: &Spi, batch: &Batch<'_>, account: usize) {
    let (account, exhausted_at) = (batch.visited[account].held(), Some(batch.now));
    let reason = known_credits::SPENT;
    let line = BreakerLine {
        account,
        reason,
        exhausted_at,
        prospect: None,
        campaign: None,
        note: None,
        cause: Cause::default(),
    };
    breaker_log::write(spi, "set", &line, batch.now);
}

fn insert_operations(spi: &Spi, batch: &Batch<'_>, plan: &Plan) {
    let slots: Vec<(usize, &Slot)> = plan
        .fates
        .iter()
        .filter_map(|(i, fate)| if let Fate::Granted(slot) = fate { Some((*i, slot)) } else { None })
        .collect();
    if slots.is_empty() {
        return;
    }
    if !batch.is_straight || !straight::insert_operations(batch, &slots) {
        insert_by_statement(spi, batch, &slots);
    }
    for slot in &slots {
        activity::count(Activity::Grant(batch.action(slot.0)));
    }
}

fn insert_by_statement(spi: &Spi, batch: &Batch<'_>, slots: &[(usize, &Slot)]) {
    let candidate = |&(i, _): &(usize, &Slot)| &batch.candidates[i];
    let written = spi.run(
        &INSERT_OPERATIONS,
        &[
            batch.now.param(),
            array(Element::Uuid, slots.iter().map(|(_, slot)| slot.operation)),
            array(Element::Timestamp, slots.iter().map(|(_, slot)| slot.expires_at)),
            array(Element::Date, slots.iter().map(|(_, slot)| slot.counted_on)),
            array(Element::Text, slots.iter().map(|s| batch.account(s.0))),
            array(Element::Text, slots.iter().map(|s| candidate(s).prospect.as_str())),
            array(Element::Text, slots.iter().map(|s| batch.action(s.0).name())),
            array(Element::Text, slots.iter().map(|s| candidate(s).campaign.as_str())),
            array(Element::Int4, slots.iter().map(|s| candidate(s).attempts.saturating_add(1))),
            array(Element::Int4, slots.iter().map(|s| i32::from(candidate(s).step))),
            array(Element::Bool, slots.iter().map(|(_, slot)| slot.awaited)),
        ],
    );
    written.must_be(slots.len(), "send_operations");
    for (i, slot) in slots.iter().filter(|(_, slot)| slot.beyond_credits) {
        let account = batch.visited[batch.pairs[batch.candidates[*i].pair].account].held();
        journal::mark_beyond(spi, account, slot.operation);
    }
}

fn update_enrollments(spi: &Spi, batch: &Batch<'_>, plan: &Plan) {
    let left: Vec<usize> = if batch.is_straight {
        straight::update_enrollments(batch, plan)
    } else {
        (0..plan.fates.len()).collect()
    };
    if left.is_empty() {
        return;
    }
    let fates = || left.iter().map(|&at| &plan.fates[at]);
    let outcomes: Vec<_> = fates().map(|(i, fate)| outcome_of(&batch.candidates[*i], fate)).collect();
    let [account, prospect, campaign, action] = keys(batch, fates().map(|(i, _)| *i));
    let written = spi.run(
        &UPDATE_ENROLLMENTS,
        &[
            batch.now.param(),
            account,
            prospect,
            campaign,
            action,
            array(Element::Int4, fates().map(|(i, _)| i32::from(batch.candidates[*i].step))),
            array(Element::Text, outcomes.iter().map(|o| o.0.name())),
            array(Element::Timestamp, outcomes.iter().map(|o| o.1)),
            array(Element::Int4, outcomes.iter().map(|o| o.2)),
            array(Element::Text, outcomes.iter().map(|o| o.3.map(Reason::name))),
            array(Element::Uuid, outcomes.iter().map(|o| o.4)),
        ],
    );
    written.must_be(left.len(), "enrollments");
}

/// Account, prospect, campaign and action of these candidates, each as an array.
fn keys(batch: &Batch<'_>, of: impl Iterator<Item = usize> + Clone) -> [Param; 4] {
    [
        array(Element::Text, of.clone().map(|i| batch.account(i))),
        array(Element::Text, of.clone().map(|i| batch.candidates[i].prospect.as_str())),
        array(Element::Text, of.clone().map(|i| batch.candidates[i].campaign.as_str())),
        array(Element::Text, of.map(|i| batch.action(i).name())),
    ]
}

fn mark_awaited(spi: &Spi, batch: &Batch<'_>, plan: &Plan) {
    let waits = |fate: &Fate| matches!(fate, Fate::Postponed(Reason::OperationInFlight, _));
    let of: Vec<usize> = plan.fates.iter().filter(|(_, fate)| waits(fate)).map(|(i, _)| *i).collect();
    if !of.is_empty() {
        let [account, prospect, _, action] = keys(batch, of.iter().copied());
        spi.run(&AWAIT, &[account, prospect, action]);
    }
}

fn log_skips(spi: &Spi, batch: &Batch<'_>, plan: &Plan) {
    // Two steps of a campaign's prospect are one line.
    let mut seen = HashSet::new();
    let skips: Vec<SkippedWork<'_>> = plan
        .fates
        .iter()
        .filter_map(|(i, fate)| {
            let Fate::Skipped(until) = fate else { return None };
            let candidate = &batch.candidates[*i];
            if !seen.insert((candidate.pair, &candidate.prospect, &candidate.campaign)) {
                return None;
            }
            let account = batch.pairs[candidate.pair].account;
            let visited = &batch.visited[account];
            // The plan itself may have stamped it.
            let row = plan.accounts[account].as_ref().unwrap_or(&visited.row.account);
            Some(SkippedWork {
                account: visited.held(),
                prospect: &candidate.prospect,
                campaign: &candidate.campaign,
                exhausted_at: row.breaker.exhausted_at,
                until: *until,
            })
        })
        .collect();
    if !skips.is_empty() {
        campaign_events::many::skipped(spi, &skips, batch.now);
        breaker_log::write_skips(spi, &skips, batch.now);
    }
}

fn log_spared(spi: &Spi, batch: &Batch<'_>, plan: &Plan) {
    let of = |(i, fate): &(usize, Fate)| {
        let Fate::Spared(since) = *fate else { return None };
        let candidate = &batch.candidates[*i];
        let pair = &batch.pairs[candidate.pair];
        let (account, action) = (batch.visited[pair.account].held(), pair.action);
        let (prospect, campaign) = (candidate.prospect.as_str(), candidate.campaign.as_str());
        Some(Spared { account, prospect, campaign, action, since })
    };
    let all: Vec<Spared<'_>> = plan.fates.iter().filter_map(of).collect();
    if !all.is_empty() {
        spared::note(spi, &all, batch.now);
    }
}
