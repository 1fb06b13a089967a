//! Rules that are wrong in one place. Each breaks one property, and the search has to find out: that is
//! what a search without findings is worth.

use sendgate_decision::account::{Account, SentBefore};
use sendgate_decision::books::{Correction, Counted, Parts, reconcile};
use sendgate_decision::clock::{DAY, Instant};
use sendgate_decision::credits::journal::{Told, tell};
use sendgate_decision::failures::Limits;
use sendgate_decision::gate::{Grant, ProspectHistory, Request, Verdict, decide};
use sendgate_decision::names::{ACTIONS, OperationState, Outcome};
use sendgate_decision::settle::{Delivery, Failure, Operation, Settled, deliver, expire, fail};

use crate::properties::ALL;
use crate::rules::{REAL, Recount, Rules};
use crate::search::search;
use crate::state::{Op, State};
use crate::worlds::{self, World};

/// Searches for one property alone, and fails unless it is broken.
fn is_found(property: &str, world: &World) {
    let asked: Vec<_> = ALL.iter().copied().filter(|known| known.name == property).collect();
    assert_eq!(asked.len(), 1, "there is no property {property}");
    let searched = search(world, &asked);
    let Some(broken) = searched.broken else {
        panic!("{}: {} states, and {property} holds in all of them", world.name, searched.states);
    };
    assert_eq!(broken.property, property);
    println!("{property}: {} states, {} steps\n{}", searched.states, broken.steps, broken.trace);
}

/// A test for each mutant: its name, the property that it breaks, the world that shows it, the rule.
macro_rules! mutants {
    ($($name:ident: $property:literal in $world:ident with $rules:expr;)+) => {
        $(#[test] fn $name() { is_found($property, &worlds::$world($rules)); })+

        /// Every property has a mutant: one without would be a sentence, not a test.
        #[test]
        fn every_property_has_a_mutant() {
            let named = [$($property),+];
            for property in ALL {
                assert!(named.contains(&property.name), "{} has none", property.name);
            }
        }
    };
}

mutants! {
    // The row is written whatever version it is by now.
    without_the_version_guard:
        "grants_within_the_caps" in crowd with Rules { finds_version: |_| true, ..REAL };
    without_the_version_guard_a_prospect_is_reserved_twice:
        "no_prospect_written_to_twice" in prospects with Rules { finds_version: |_| true, ..REAL };
    expired_slots_are_given_back:
        "accepted_sends_within_the_cap" in crowd with Rules { counts: without_the_dead, ..REAL };
    the_cap_is_one_too_high:
        "accepted_sends_within_the_cap" in crowd with Rules { decide: one_too_many, ..REAL };
    midnight_forgets_the_day: "grants_within_the_caps" in days with Rules { decide: forgets_the_day, ..REAL };
    the_week_is_not_counted: "grants_within_the_caps" in days with Rules { decide: forgets_the_week, ..REAL };
    a_grant_from_before_midnight_is_written_after_it:
        "a_grant_counts_on_its_own_day" in days with Rules { holds: |_, _, _| true, ..REAL };
    layer_1_counts_deliveries_alone:
        "counter_at_least_in_flight" in crowd with Rules { reconcile: deliveries_alone, ..REAL };
    layer_1_writes_what_it_counted_without_the_row:
        "counter_is_the_sum_of_its_parts" in drift with Rules { recount: Recount::Never, ..REAL };
    a_late_truth_takes_no_slot:
        "counter_is_the_sum_of_its_parts" in truths with Rules { deliver: takes_no_slot, ..REAL };
    an_unknown_outcome_gives_back:
        "counter_is_the_sum_of_its_parts" in unknowns with Rules { fail: gives_back_the_unknown, ..REAL };
    a_repeated_rollback_gives_back_again:
        "no_slot_freed_twice" in crowd with Rules { repeats_do_nothing: false, ..REAL };
    a_rollback_gives_back_twice: "no_slot_freed_twice" in crowd with Rules { fail: gives_back_twice, ..REAL };
    expired_is_taken_for_settled:
        "no_prospect_written_to_twice" in prospects with Rules { history: without_the_expired, ..REAL };
    the_breaker_is_not_consulted:
        "open_breaker_grants_only_its_probe" in breaker with Rules { decide: without_the_breaker, ..REAL };
    a_permit_is_not_used_up: "one_probe_at_a_time" in breaker with Rules { decide: keeps_the_permit, ..REAL };
    a_second_permit_is_granted: "one_probe_at_a_time" in breaker with Rules { may_probe: |_, _| true, ..REAL };
    a_stale_error_arms:
        "only_fresh_credits_error_opens_the_breaker" in operators with Rules { fail: forgets_the_clear, ..REAL };
    a_late_error_stops_the_new_month:
        "only_fresh_credits_error_opens_the_breaker" in breaker with Rules { fail: stamps_now, ..REAL };
    a_credits_error_is_any_error:
        "only_fresh_credits_error_opens_the_breaker" in breaker with Rules { fail: arms_nothing, ..REAL };
    a_late_delivery_proves_credits:
        "breaker_clears_only_by_period_proof_or_operator" in breaker with Rules { proves: |_, op, _| op.event.is_some(), ..REAL };
    a_failure_that_says_nothing_clears:
        "breaker_clears_only_by_period_proof_or_operator" in breaker with Rules { fail: any_answer_clears, ..REAL };
    layer_1_forgets_the_unknown:
        "correct_counters_stay_unchanged" in unknowns with Rules { reconcile: without_the_unknown, ..REAL };
    layer_1_only_raises: "wrong_counters_are_corrected" in drift with Rules { reconcile: only_raises, ..REAL };
    midnight_empties_the_week:
        "midnight_changes_no_reading" in days with Rules { roll: empties_the_week, ..REAL };
    the_audit_cools_down_again_and_again:
        "audit_only_sets_one_cooldown_a_day" in truths with Rules { cools_once_a_day: false, ..REAL };
    a_new_period_clears_nothing:
        "sendable_in_the_next_period" in breaker with Rules { decide: waits_for_ever, ..REAL };
    what_was_given_back_was_never_sent:
        "an_echo_is_no_second_send" in truths with Rules { late_delivery: 0, ..REAL };
    attempts_are_not_counted:
        "attempts_within_their_share" in tries with Rules { decide: tries_on, ..REAL };
    a_failed_attempt_comes_back:
        "attempts_within_their_share" in tries with Rules { fail: gives_the_attempt_back, ..REAL };
    failures_are_not_counted:
        "failures_in_a_row_stop_the_action" in failing with Rules { fail: counts_no_failure, ..REAL };
    a_delivery_leaves_the_count:
        "failures_in_a_row_stop_the_action" in failing with Rules { deliver: leaves_the_count, ..REAL };
    an_expiry_is_no_failure:
        "an_expiry_makes_the_silence_longer" in failing with Rules { expire: expires_quietly, ..REAL };
    a_silence_is_not_asked:
        "nothing_passes_a_silence" in failing with Rules { decide: asks_no_silence, ..REAL };
    the_one_attempt_is_not_noted:
        "one_attempt_at_a_time_while_failing" in failing with Rules { decide: notes_no_attempt, ..REAL };
    any_answer_lets_the_next_one_pass:
        "one_attempt_at_a_time_while_failing" in failing with Rules { fail: lets_the_next_one_pass, ..REAL };
    an_attempt_from_before_ends_a_silence:
        "silence_ends_only_by_a_fresh_attempt" in failing with Rules { deliver: delivers_afresh, ..REAL };
    a_grant_takes_no_credit:
        "known_credits_cover_every_call" in known with Rules { decide: takes_no_credit, ..REAL };
    a_balance_forgets_what_is_in_flight:
        "known_credits_cover_every_call" in known with Rules {
            tell: |last, page, _, calendar, tier, now| tell(last, page, &[], calendar, tier, now), ..REAL };
    a_balance_is_not_heard:
        "credits_left_are_the_sum_of_their_parts" in known with Rules { tell: |_, _, _, _, _, _| Told::Older, ..REAL };
    an_unknown_outcome_gives_its_credit_back:
        "credits_left_are_the_sum_of_their_parts" in known with Rules { fail: gives_the_credit_back, ..REAL };
    it_stamps_while_one_is_in_flight:
        "the_own_stamp_means_no_credits" in known with Rules { first_expiry: |_, _| None, ..REAL };
    a_cooldown_never_ends:
        "sendable_in_the_next_period" in crowd with Rules { fail: cools_down_for_ever, ..REAL };
}

fn takes_no_credit(account: &Account, request: &Request<'_>) -> Verdict {
    tampered(decide(account, request), |grant| grant.account.credits = account.credits)
}

fn gives_the_credit_back(
    account: &Account,
    op: &Operation,
    failure: &Failure,
    limits: &Limits,
    now: Instant,
) -> Settled {
    let mut settled = fail(account, op, failure, limits, now);
    if let Some(credits) = settled.account.credits.as_mut() {
        credits.left += i32::from(failure.outcome == Outcome::Indeterminate);
    }
    settled
}

fn tampered(verdict: Verdict, tamper: impl FnOnce(&mut Grant)) -> Verdict {
    match verdict {
        Verdict::Grant(mut grant) => {
            tamper(&mut grant);
            Verdict::Grant(grant)
        }
        other => other,
    }
}

fn one_too_many(account: &Account, request: &Request<'_>) -> Verdict {
    let tier = sendgate_decision::budget::TierCap { daily: request.tier.daily + 1, ..request.tier };
    decide(account, &Request { tier, ..*request })
}

/// Counters start at 0 on the new day, and the row goes on being of the old one.
fn forgets_the_day(account: &Account, request: &Request<'_>) -> Verdict {
    tampered(decide(account, request), |grant| grant.account.day = account.day)
}

fn forgets_the_week(account: &Account, request: &Request<'_>) -> Verdict {
    let row = account.rolled(request.now);
    let blind = Account { sent_before: Some(SentBefore::default()), ..row.clone() };
    tampered(decide(&blind, request), |grant| grant.account.sent_before = row.sent_before)
}

fn partly(account: &mut Account, counted: &[Counted; ACTIONS], part: fn(Parts) -> Parts) -> Vec<Correction> {
    let counted = counted.map(|of| Counted { days: of.days.map(part), ..of });
    reconcile(account, &counted)
}

fn deliveries_alone(account: &mut Account, counted: &[Counted; ACTIONS]) -> Vec<Correction> {
    partly(account, counted, |parts| Parts { delivered: parts.delivered, ..Parts::default() })
}

fn without_the_unknown(account: &mut Account, counted: &[Counted; ACTIONS]) -> Vec<Correction> {
    partly(account, counted, |parts| Parts { indeterminate: 0, ..parts })
}

fn only_raises(account: &mut Account, counted: &[Counted; ACTIONS]) -> Vec<Correction> {
    let before = account.clone();
    let corrections = reconcile(account, counted);
    if corrections.iter().any(|correction| correction.after < correction.before) {
        *account = before;
        return Vec::new();
    }
    corrections
}

fn takes_no_slot(account: &Account, op: &Operation, delivery: Delivery, now: Instant) -> Settled {
    deliver(account, &Operation { state: OperationState::Reserved, ..*op }, delivery, now)
}

fn gives_back_the_unknown(
    account: &Account,
    op: &Operation,
    failure: &Failure,
    limits: &Limits,
    now: Instant,
) -> Settled {
    let mut settled = fail(account, op, failure, limits, now);
    if failure.outcome == Outcome::Indeterminate {
        settled.account.give_back_slot(op.action, op.counted_on);
    }
    settled
}

fn gives_back_twice(
    account: &Account,
    op: &Operation,
    failure: &Failure,
    limits: &Limits,
    now: Instant,
) -> Settled {
    let mut settled = fail(account, op, failure, limits, now);
    settled.account.give_back_slot(op.action, op.counted_on);
    settled
}

/// An expired operation may have been sent all the same.
fn without_the_dead(op: &Op, now: Instant) -> bool {
    op.is_kept() && (op.operation.state != OperationState::Reserved || op.in_flight(now))
}

fn without_the_expired(state: &State, prospect: u8, now: Instant) -> ProspectHistory {
    let live = |op: &&Op| op.prospect == prospect && op.in_flight(now);
    ProspectHistory { unresolved: state.ops.iter().any(|op| live(&op)), last_kept_at: None }
}

fn without_the_breaker(account: &Account, request: &Request<'_>) -> Verdict {
    let mut row = account.clone();
    row.breaker.exhausted_at = None;
    tampered(decide(&row, request), |grant| grant.account.breaker = account.breaker.clone())
}

fn keeps_the_permit(account: &Account, request: &Request<'_>) -> Verdict {
    tampered(decide(account, request), |grant| grant.account.breaker = account.breaker.clone())
}

fn forgets_the_clear(
    account: &Account,
    op: &Operation,
    failure: &Failure,
    limits: &Limits,
    now: Instant,
) -> Settled {
    let mut row = account.clone();
    row.breaker.cleared_at = None;
    fail(&row, op, failure, limits, now)
}

fn stamps_now(
    account: &Account,
    op: &Operation,
    failure: &Failure,
    limits: &Limits,
    now: Instant,
) -> Settled {
    fail(account, &Operation { reserved_at: now, ..*op }, failure, limits, now)
}

fn arms_nothing(
    account: &Account,
    op: &Operation,
    failure: &Failure,
    limits: &Limits,
    now: Instant,
) -> Settled {
    let exhausted = failure.outcome == Outcome::CreditsExhausted;
    let outcome = if exhausted { Outcome::RecipientRefused } else { failure.outcome };
    fail(account, op, &Failure { outcome, ..*failure }, limits, now)
}

fn any_answer_clears(
    account: &Account,
    op: &Operation,
    failure: &Failure,
    limits: &Limits,
    now: Instant,
) -> Settled {
    let mut settled = fail(account, op, failure, limits, now);
    if failure.outcome == Outcome::RecipientRefused {
        settled.account.breaker.clear(now);
    }
    settled
}

fn empties_the_week(account: &mut Account, now: Instant) {
    account.roll(now);
    account.sent_before = Some(SentBefore::default());
}

/// The stamp is taken for one of this period, whenever it was set.
fn waits_for_ever(account: &Account, request: &Request<'_>) -> Verdict {
    let mut row = account.clone();
    row.breaker.exhausted_at = row.breaker.exhausted_at.map(|_| request.now);
    tampered(decide(&row, request), |grant| grant.account.breaker.exhausted_at = account.breaker.exhausted_at)
}

/// More than a period.
fn cools_down_for_ever(
    account: &Account,
    op: &Operation,
    failure: &Failure,
    limits: &Limits,
    now: Instant,
) -> Settled {
    let mut settled = fail(account, op, failure, limits, now);
    settled.account.cool_down(now.plus(400 * DAY));
    settled
}

fn tries_on(account: &Account, request: &Request<'_>) -> Verdict {
    let limits = Limits { attempt_percent: 0, ..request.limits };
    decide(account, &Request { limits, ..*request })
}

fn gives_the_attempt_back(
    account: &Account,
    op: &Operation,
    failure: &Failure,
    limits: &Limits,
    now: Instant,
) -> Settled {
    let mut settled = fail(account, op, failure, limits, now);
    settled.account.give_back_attempt(op.action, op.counted_on);
    settled
}

fn counts_no_failure(
    account: &Account,
    op: &Operation,
    failure: &Failure,
    limits: &Limits,
    now: Instant,
) -> Settled {
    fail(account, op, failure, &Limits { failure_limit: 0, ..*limits }, now)
}

fn leaves_the_count(account: &Account, op: &Operation, delivery: Delivery, now: Instant) -> Settled {
    deliver(account, op, Delivery { by_operator: true, ..delivery }, now)
}

fn expires_quietly(account: &Account, op: &Operation, limits: &Limits, now: Instant) -> Settled {
    expire(account, op, &Limits { failure_limit: 0, ..*limits }, now)
}

fn asks_no_silence(account: &Account, request: &Request<'_>) -> Verdict {
    let limits = Limits { failure_limit: 0, ..request.limits };
    decide(account, &Request { limits, ..*request })
}

fn notes_no_attempt(account: &Account, request: &Request<'_>) -> Verdict {
    tampered(decide(account, request), |grant| grant.account.failures = account.failures)
}

/// The contract's first wording: also an answer that is not the one attempt's.
fn lets_the_next_one_pass(
    account: &Account,
    op: &Operation,
    failure: &Failure,
    limits: &Limits,
    now: Instant,
) -> Settled {
    let mut settled = fail(account, op, failure, limits, now);
    if failure.outcome == Outcome::Released
        && let Some(failing) = &mut settled.account.failures[op.action.index()].failing
        && op.reserved_at > failing.since
    {
        failing.until = now;
    }
    settled
}

fn delivers_afresh(account: &Account, op: &Operation, delivery: Delivery, now: Instant) -> Settled {
    deliver(account, &Operation { reserved_at: now, ..*op }, delivery, now)
}
