//! What must hold of every transition. Each is told from the journal, the provider's ledger and the
//! calendar; none asks the rule for its own arithmetic.

use sendgate_decision::account::Account;
use sendgate_decision::books::days_before;
use sendgate_decision::clock::{DAY, Day, Instant, next_credit_period};
use sendgate_decision::credits::stamp::Cause;
use sendgate_decision::failures::Failing;
use sendgate_decision::gate::{ProspectHistory, Request, Verdict};
use sendgate_decision::names::{Action, BreakerMode, OperationState, Outcome};
use sendgate_decision::window::Utc;

use crate::known::{
    carried, credits_left_are_the_sum_of_their_parts, known_credits_cover_every_call,
    the_own_stamp_means_no_credits,
};
use crate::protocol::{Step, count, is_stopped};
use crate::rules::REAL;
use crate::state::{Op, State};
use crate::time::{TTL, month};
use crate::worlds::{CAP, SILENCE, World};

const I: usize = Action::Inmail.index();

/// One step of a world.
pub struct Transition<'a> {
    /// The world.
    pub world: &'a World,
    /// Before the step.
    pub before: &'a State,
    /// The step.
    pub step: Step,
    /// After it.
    pub after: &'a State,
}

/// A property by its name.
#[derive(Clone, Copy)]
pub struct Property {
    /// As mutants and the docs name it.
    pub name: &'static str,
    /// Whether it looks at nothing but the state after the step, and needs to be asked of it only once.
    pub of_state: bool,
    /// Whether a transition keeps it.
    pub holds: fn(&Transition<'_>) -> bool,
}

macro_rules! properties {
    ($($name:ident: $of_state:literal),+ $(,)?) => {
        /// Every property.
        pub const ALL: &[Property] =
            &[$(Property { name: stringify!($name), of_state: $of_state, holds: $name }),+];
    };
}

properties! {
    accepted_sends_within_the_cap: true,
    grants_within_the_caps: false,
    a_grant_counts_on_its_own_day: false,
    counter_at_least_in_flight: true,
    counter_is_the_sum_of_its_parts: true,
    no_slot_freed_twice: true,
    no_prospect_written_to_twice: false,
    open_breaker_grants_only_its_probe: false,
    one_probe_at_a_time: true,
    only_fresh_credits_error_opens_the_breaker: false,
    breaker_clears_only_by_period_proof_or_operator: false,
    correct_counters_stay_unchanged: false,
    wrong_counters_are_corrected: false,
    midnight_changes_no_reading: false,
    audit_only_sets_one_cooldown_a_day: false,
    sendable_in_the_next_period: true,
    an_echo_is_no_second_send: false,
    attempts_within_their_share: false,
    failures_in_a_row_stop_the_action: false,
    an_expiry_makes_the_silence_longer: false,
    nothing_passes_a_silence: false,
    one_attempt_at_a_time_while_failing: true,
    silence_ends_only_by_a_fresh_attempt: false,
    known_credits_cover_every_call: true,
    credits_left_are_the_sum_of_their_parts: true,
    the_own_stamp_means_no_credits: false,
}

impl Transition<'_> {
    fn now(&self) -> Instant {
        self.world.now(self.after.at)
    }

    /// The operation that this step granted.
    fn granted(&self) -> Option<&Op> {
        let grew = self.after.ops.len() > self.before.ops.len();
        self.after.ops.last().filter(|op| grew && !op.external)
    }

    fn days(&self) -> impl Iterator<Item = Day> {
        self.world.moments.iter().map(|&moment| crate::time::instant(moment).day())
    }
}

fn kept_on(state: &State, on: impl Fn(Day) -> bool) -> usize {
    state.ops.iter().filter(|op| op.is_kept() && on(op.operation.counted_on)).count()
}

/// The provider accepted no more of the gate's sends on a day than the cap, except as many as it
/// accepted and then was said not to have: those slots were given back in good faith.
fn accepted_sends_within_the_cap(t: &Transition<'_>) -> bool {
    if t.after.spoiled {
        return true;
    }
    t.days().all(|day| {
        let of_day = || t.after.ops.iter().filter(|op| !op.external && op.operation.counted_on == day);
        let accepted = of_day().filter(|op| op.sent_at.is_some()).count();
        let denied = of_day().filter(|op| op.denied).count();
        accepted <= CAP as usize + denied
    })
}

/// A grant finds a free slot, on the day and in the week.
fn grants_within_the_caps(t: &Transition<'_>) -> bool {
    let Some(op) = t.granted().filter(|_| !t.before.spoiled) else { return true };
    let day = op.operation.counted_on;
    let room = |taken: usize, cap: i32| (taken as i32) < cap;
    room(kept_on(t.before, |on| on == day), CAP)
        && t.world
            .weekly
            .is_none_or(|cap| room(kept_on(t.before, |on| (day.0 - 6..=day.0).contains(&on.0)), cap))
}

fn a_grant_counts_on_its_own_day(t: &Transition<'_>) -> bool {
    t.granted().is_none_or(|op| op.operation.counted_on == t.now().day() && t.now() < op.operation.expires_at)
}

fn counter_at_least_in_flight(t: &Transition<'_>) -> bool {
    let row = t.after.account.rolled(t.now());
    let in_flight = |op: &&Op| op.operation.counted_on == row.day && op.in_flight(t.now());
    t.after.drifted || row.sent_today[I] as usize >= t.after.ops.iter().filter(in_flight).count()
}

fn counter_is_the_sum_of_its_parts(t: &Transition<'_>) -> bool {
    let row = t.after.account.rolled(t.now());
    t.after.drifted
        || (row.sent_today[I] as usize == kept_on(t.after, |day| day == row.day)
            && (1..)
                .zip(row.sent_before.unwrap()[I])
                .all(|(ago, sent)| sent as usize == kept_on(t.after, |day| day.0 == row.day.0 - ago))
            && row.day == t.now().day())
}

fn no_slot_freed_twice(t: &Transition<'_>) -> bool {
    t.after.spoiled || t.after.ops.iter().all(|op| (0..=1).contains(&op.freed))
}

/// No grant for a prospect whose last operation is unresolved, or was reserved less than a day ago.
fn no_prospect_written_to_twice(t: &Transition<'_>) -> bool {
    let Some(op) = t.granted() else { return true };
    t.before.ops.iter().filter(|other| other.prospect == op.prospect && other.is_kept()).all(|other| {
        !other.operation.state.is_unresolved() && other.operation.reserved_at.plus(DAY) <= t.now()
    })
}

fn open_breaker_grants_only_its_probe(t: &Transition<'_>) -> bool {
    let Some(op) = t.granted().filter(|_| is_stopped(&t.before.account, t.now())) else { return true };
    let permit = t.before.account.breaker.probe.as_ref();
    let lay_ready = permit.is_some_and(|permit| permit.taken_by.is_none() && permit.lease_until > t.now());
    let probe = t.after.account.breaker.probe.as_ref();
    let taken = probe.is_some_and(|probe| probe.taken_by == Some(op.operation.id));
    lay_ready && taken && t.before.account.breaker.mode == BreakerMode::Auto
}

/// Under way or lying ready: never two for one stamp.
fn one_probe_at_a_time(t: &Transition<'_>) -> bool {
    let under_way = t.after.ops.iter().filter(|op| op.probing && op.in_flight(t.now())).count();
    let ready = t.after.account.breaker.probe.as_ref();
    let ready = ready.is_some_and(|probe| probe.taken_by.is_none() && probe.lease_until > t.now());
    under_way + usize::from(ready) <= 1
}

/// An error of this period opens the breaker; one of an operation from before a clear, or from an earlier
/// period, does not.
fn only_fresh_credits_error_opens_the_breaker(t: &Transition<'_>) -> bool {
    let Step::Rollback(op, Outcome::CreditsExhausted) = t.step else { return true };
    if t.after.account.breaker.mode != BreakerMode::Auto {
        return true;
    }
    let reserved_at = t.before.ops[op].operation.reserved_at;
    let stale = t.before.cleared_at.is_some_and(|cleared| reserved_at < cleared);
    let fresh = month(reserved_at) == month(t.now()) && !stale;
    let was = is_stopped(&t.before.account, t.now());
    is_stopped(&t.after.account, t.now()) == (was || fresh)
}

/// An open breaker closes by an operator, by the calendar, or by a delivery that proves credits.
fn breaker_clears_only_by_period_proof_or_operator(t: &Transition<'_>) -> bool {
    let (before, after) = (&t.before.account.breaker, &t.after.account.breaker);
    let Some(stamp) = before.exhausted_at.filter(|_| before.exhausted_at != after.exhausted_at) else {
        return true;
    };
    let proves = |(op, then): (&Op, Option<&Op>)| {
        let later = |(occurred_at, recorded_at)| {
            op.operation.reserved_at > stamp && occurred_at > stamp && recorded_at > stamp
        };
        op.event.is_some_and(later) || (op.event.is_some() && then.is_some_and(|then| then.probing))
    };
    // Our own stamp is another property's.
    t.step == Step::Clear
        || before.cause == Cause::Spent
        || month(stamp) != month(t.now())
        || t.after.ops.iter().enumerate().any(|(place, op)| proves((op, t.before.ops.get(place))))
}

fn correct_counters_stay_unchanged(t: &Transition<'_>) -> bool {
    let sweeps = matches!(t.step, Step::Reconcile) && !t.before.drifted;
    !sweeps || t.after.account == t.before.account
}

fn wrong_counters_are_corrected(t: &Transition<'_>) -> bool {
    let real = World { rules: REAL, ..*t.world };
    let row = t.after.account.rolled(t.now());
    let counted = count(&real, t.after, t.now());
    t.step != Step::Reconcile
        || (row.sent_today[I], row.attempts_today[I], row.sent_before.unwrap())
            == (counted[I].days[0].total(), counted[I].attempts, days_before(&counted))
}

fn midnight_changes_no_reading(t: &Transition<'_>) -> bool {
    let same = |before: &Account, after: &Account| before.rolled(t.now()) == after.rolled(t.now());
    t.step != Step::Midnight || same(&t.before.account, &t.after.account)
}

fn audit_only_sets_one_cooldown_a_day(t: &Transition<'_>) -> bool {
    if t.step != Step::Audit {
        return true;
    }
    let before = t.before.account.rolled(t.now());
    let after = Account { cooldown_until: before.cooldown_until, ..t.after.account.clone() };
    after == before && before.sent_today[I] > CAP && t.before.cooled_on != Some(before.day)
}

/// Whatever has happened: once everything is answered or has run out, and a credit period begins with
/// no operator standing in the way, a new prospect can be written to.
fn sendable_in_the_next_period(t: &Transition<'_>) -> bool {
    let mut row = t.after.account.clone();
    row.breaker.mode = BreakerMode::Auto;
    let now = next_credit_period(row.credit_reset_day, t.now().plus(DAY));
    let request = Request {
        account_id: "account",
        action: Action::Inmail,
        now,
        operation: [255; 16],
        paused: false,
        evidence: false,
        first_expiry: None,
        prospect: Some(ProspectHistory::default()),
        suppressed: None,
        campaign: None,
        tier: t.world.tier(),
        limits: t.world.limits,
        prospect_cooldown: t.world.prospect_cooldown(),
        operation_ttl: TTL,
        zone: &Utc,
    };
    for _ in 0..3 {
        match (t.world.rules.decide)(&row, &request) {
            Verdict::Grant(_) => return true,
            Verdict::ClearBreaker(_) => {
                row.roll(now);
                row.breaker.clear(now);
            }
            Verdict::NeedsPeriod => {
                let before = State { account: row, ..t.after.clone() };
                row = carried(&before, now).into_owned();
            }
            _ => return false,
        }
    }
    false
}

/// A webhook of what a worker sent finds its operation, also one that was given back.
fn an_echo_is_no_second_send(t: &Transition<'_>) -> bool {
    let Step::Echo(place) = t.step else { return true };
    let op = &t.before.ops[place];
    // The clock of a world stands still between its instants; one that is sent is sent after its reservation.
    let later = op.sent_at.is_some_and(|sent_at| sent_at > op.operation.reserved_at);
    !later || t.after.ops.len() == t.before.ops.len()
}

/// A grant finds fewer attempts of its day than the share of the cap allows. An attempt counts whatever its
/// outcome, `released` excepted.
fn attempts_within_their_share(t: &Transition<'_>) -> bool {
    let Some(op) = t.granted().filter(|_| t.world.limits.attempt_percent > 0) else { return true };
    let tried = t.before.ops.iter().filter(|other| other.is_attempt_on(op.operation.counted_on)).count();
    (tried as i32) * 100 < CAP * t.world.limits.attempt_percent
}

/// The step's operation, where its end is counted by this step: it leaves `reserved`, or is listed.
fn counted(t: &Transition<'_>) -> Option<usize> {
    let (Step::Rollback(place, _) | Step::Confirm { op: place, .. } | Step::List(place)) = t.step else {
        return None;
    };
    let op = &t.before.ops[place].operation;
    (op.state == OperationState::Reserved && !op.listed).then_some(place)
}

/// What the step said of the provider: `Some(true)` that it fails, `Some(false)` that it answers.
fn verdict(step: Step) -> Option<bool> {
    match step {
        Step::Rollback(_, Outcome::Rejected | Outcome::RecipientLater) | Step::List(_) => Some(true),
        Step::Confirm { .. } => Some(false),
        _ => None,
    }
}

fn failing(state: &State) -> Option<Failing> {
    state.account.failures[I].failing
}

/// Failures are counted beside the row, and at their limit the action is silent from then on.
fn failures_in_a_row_stop_the_action(t: &Transition<'_>) -> bool {
    let limits = &t.world.limits;
    let is_failure = verdict(t.step) == Some(true) && counted(t).is_some();
    if limits.failure_limit == 0 || failing(t.before).is_some() || !is_failure {
        return true;
    }
    let silent = Failing { since: t.now(), until: t.now().plus(SILENCE) };
    let reached = t.before.in_a_row + 1 >= limits.failure_limit as u8;
    failing(t.after) == reached.then_some(silent)
}

/// An expired attempt counts as a failure, if it was made after the silence began.
fn an_expiry_makes_the_silence_longer(t: &Transition<'_>) -> bool {
    let (Step::List(place), Some(before)) = (t.step, failing(t.before)) else { return true };
    let fresh = t.before.ops[place].operation.reserved_at > before.since;
    let longer = failing(t.after).is_some_and(|after| after.until >= t.now().plus(2 * SILENCE));
    !fresh || longer
}

fn under_way(state: &State, since: Instant, now: Instant) -> usize {
    let fresh = |op: &&Op| op.operation.reserved_at > since && op.in_flight(now);
    state.ops.iter().filter(fresh).count()
}

/// While the action fails nothing passes before the first silence is over, nor beside another attempt.
fn nothing_passes_a_silence(t: &Transition<'_>) -> bool {
    let (Some(_), Some(failing)) = (t.granted(), failing(t.before)) else { return true };
    t.now() >= failing.since.plus(SILENCE) && under_way(t.before, failing.since, t.now()) == 0
}

fn one_attempt_at_a_time_while_failing(t: &Transition<'_>) -> bool {
    failing(t.after).is_none_or(|failing| under_way(t.after, failing.since, t.now()) <= 1)
}

/// It ends by a delivery, or by an answer about the recipient, of an attempt made after it began.
fn silence_ends_only_by_a_fresh_attempt(t: &Transition<'_>) -> bool {
    let Some(before) = failing(t.before).filter(|_| failing(t.after).is_none()) else { return true };
    let (Step::Confirm { op: place, .. } | Step::Rollback(place, Outcome::RecipientLater)) = t.step else {
        return false;
    };
    t.before.ops[place].operation.reserved_at > before.since
}

/// Failures in a row, counted beside the row: where the step leaves the action failing or not, the count
/// begins anew.
pub fn in_a_row(world: &World, before: &State, step: Step, after: &State) -> u8 {
    if world.limits.failure_limit == 0 || failing(after).is_some() || failing(before).is_some() {
        return 0;
    }
    let t = Transition { world, before, step, after };
    match (verdict(step), counted(&t)) {
        (Some(true), Some(_)) => before.in_a_row + 1,
        (Some(false), _) => 0,
        _ => before.in_a_row,
    }
}
