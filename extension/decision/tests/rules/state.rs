//! Random states of an account, its journal and its operators. Any rule of the gate may hold in them.

use crate::calendar::{Hours, hours, instant};
use crate::ledger::Ledger;
use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;
use sendgate_decision::account::{Account, CapOverride};
use sendgate_decision::breaker::{Breaker, Probe};
use sendgate_decision::budget::TierCap;
use sendgate_decision::clock::{DAY, HOUR};
use sendgate_decision::failures::Failing;
use sendgate_decision::gate::{CampaignLimit, ProspectHistory};
use sendgate_decision::names::{ACTIONS, Action, BreakerMode, Status};
use std::fmt::Debug;
use std::ops::Range;

/// How many rules there are.
pub const RULES: u32 = 15;

const ZONES: [Tz; 5] =
    [Tz::America__New_York, Tz::Europe__Berlin, Tz::Asia__Kolkata, Tz::Australia__Lord_Howe, Tz::UTC];

/// Everything that an answer depends on.
#[derive(Clone, Debug)]
pub struct State {
    pub now: DateTime<Utc>,
    /// When the row was last written: its counters are those of then.
    pub written_at: DateTime<Utc>,
    pub grants: Ledger,
    pub action: Action,
    pub paused: bool,
    pub status: Status,
    pub mode: BreakerMode,
    pub stamp: Option<DateTime<Utc>>,
    pub evidence: bool,
    /// Until when a permit is leased, and whether an operation took it.
    pub permit: Option<(DateTime<Utc>, bool)>,
    pub reset_day: u8,
    pub cooldown_until: Option<DateTime<Utc>>,
    pub action_cooldown_until: Option<DateTime<Utc>>,
    /// Until when the action is silent after failures in a row.
    pub silent_until: Option<DateTime<Utc>>,
    pub zone: Tz,
    pub hours: Option<Hours>,
    /// Whether the prospect is suppressed, and until when.
    pub suppressed: Option<Option<DateTime<Utc>>>,
    pub unresolved: bool,
    pub last_kept_at: Option<DateTime<Utc>>,
    pub prospect_cooldown: TimeDelta,
    pub caps: CapOverride,
    pub ramp: bool,
    pub tier: TierCap,
    /// The account's own gap.
    pub gap: TimeDelta,
    /// Attempts a day in percent of the cap, and how many were made beside so many.
    pub attempts: (i32, i32),
    pub campaign: Option<CampaignLimit>,
}

impl State {
    /// The account row of this state.
    pub fn account(&self) -> Account {
        let mut account = self.grants.account(self.written_at);
        account.status = self.status;
        account.breaker = Breaker {
            mode: self.mode,
            exhausted_at: self.stamp.map(instant),
            cleared_at: None,
            probe: self.permit.map(|(until, taken)| Probe {
                lease_until: instant(until),
                taken_by: taken.then_some([9; 16]),
            }),
            ..Breaker::default()
        };
        account.credit_reset_day = self.reset_day;
        account.cooldown_until = self.cooldown_until.map(instant);
        let i = self.action.index();
        account.action_cooldown_until[i] = self.action_cooldown_until.map(instant);
        account.failures[i].failing = self
            .silent_until
            .map(|until| Failing { since: instant(until - TimeDelta::hours(1)), until: instant(until) });
        account.pace.minimum_gap = self.gap.num_microseconds().unwrap();
        if self.written_at.date_naive() == self.now.date_naive() {
            account.attempts_today[i] = self.attempts_made();
        }
        account.window = self.hours.map(|hours| hours.window());
        account.caps[self.action.index()] = self.caps;
        account.ramp = self.ramp;
        account
    }

    pub fn prospect(&self) -> ProspectHistory {
        ProspectHistory { unresolved: self.unresolved, last_kept_at: self.last_kept_at.map(instant) }
    }
}

fn micros(range: Range<i64>) -> impl Strategy<Value = TimeDelta> {
    range.prop_map(TimeDelta::microseconds)
}

/// A span of time in `range`, often its very first microsecond.
fn span(range: Range<i64>) -> impl Strategy<Value = TimeDelta> {
    prop_oneof![Just(TimeDelta::microseconds(range.start)), micros(range)]
}

/// Less than so many days: none, whole days, or anything. Whole days meet at midnights.
fn days_past(days: i64) -> impl Strategy<Value = TimeDelta> {
    prop_oneof![Just(TimeDelta::zero()), (0..days).prop_map(TimeDelta::days), micros(0..days * DAY)]
}

/// Turned to the side on which a rule holds, or to the other.
fn side<T: Debug>(
    holds: bool,
    yes: impl Strategy<Value = T> + 'static,
    no: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<T> {
    if holds { yes.boxed() } else { no.boxed() }
}

type BreakerKnobs = (BreakerMode, Option<TimeDelta>, bool, Option<(TimeDelta, bool)>, u8);

/// Mode, age of the stamp, evidence, permit and reset day.
fn breaker(forced: bool, exhausted: bool) -> impl Strategy<Value = BreakerKnobs> {
    let mode = side(
        forced,
        Just(BreakerMode::Open),
        prop_oneof![4 => Just(BreakerMode::Auto), 1 => Just(BreakerMode::Closed)],
    );
    let stamp = side(exhausted, days_past(20).prop_map(Some), prop::option::weighted(0.2, days_past(60)));
    let permit = prop::option::weighted(0.3, (micros(-HOUR..HOUR), any::<bool>()));
    (mode, stamp, prop::bool::weighted(0.1), permit, 1u8..=31)
}

type WaitKnobs = ([Option<TimeDelta>; 3], Option<Hours>, bool, Option<TimeDelta>);

/// What is left of a cooldown, or how long ago it ended.
fn left(cools: bool) -> impl Strategy<Value = Option<TimeDelta>> {
    side(cools, span(1..3 * DAY).prop_map(Some), prop::option::of(span(0..DAY).prop_map(|ago| -ago)))
}

/// Cooldowns left (the account's, the action's, its silence), window, an unresolved operation, and the age
/// of the last kept one.
fn waits(
    (cools, action_cools): (bool, bool),
    outside: bool,
    unresolved: bool,
    warm: bool,
) -> impl Strategy<Value = WaitKnobs> {
    let of_action = prop_oneof![
        (left(action_cools), left(false)),
        (left(false), left(action_cools)),
        (left(action_cools), left(action_cools)),
    ];
    let cooldown = (left(cools), of_action).prop_map(|(account, (action, silent))| [account, action, silent]);
    let wide = hours().prop_map(|mut hours| {
        (hours.length, hours.days) = (1439, 127);
        hours
    });
    let window = side(outside, hours().prop_map(Some), prop::option::of(wide));
    let kept = side(warm, micros(0..2 * DAY).prop_map(Some), prop::option::of(span(2 * DAY..9 * DAY)));
    (cooldown, window, Just(unresolved), kept)
}

/// Gap and caps, relative to the slots taken.
#[derive(Clone, Debug)]
struct BudgetKnobs {
    /// Beside the age of the last grant.
    gap: TimeDelta,
    daily: i32,
    weekly: Option<i32>,
    /// Whether the caps are the account's own or its tier's.
    own: bool,
    /// Whether the gap is the account's own or its tier's.
    own_gap: bool,
    ramp_percents: (i32, i32),
}

fn budget(paced: bool, week_full: bool, day_full: bool) -> impl Strategy<Value = BudgetKnobs> {
    let no_gap = prop_oneof![Just(TimeDelta::MIN), Just(TimeDelta::zero()), micros(-HOUR..0)];
    (
        side(paced, span(1..HOUR), no_gap),
        side(day_full, -3i32..=0, 1i32..30),
        side(week_full, (-3i32..=0).prop_map(Some), prop::option::of(1i32..9)),
        (any::<bool>(), any::<bool>()),
        (1i32..=100, 0i32..=100),
    )
        .prop_map(|(gap, daily, weekly, (own, own_gap), ramp_percents)| BudgetKnobs {
            gap,
            daily,
            weekly,
            own,
            own_gap,
            ramp_percents,
        })
}

/// The slots taken of an action.
struct Sent {
    today: i32,
    this_week: i32,
    last_ago: Option<TimeDelta>,
    last_of_all_ago: Option<TimeDelta>,
}

impl Sent {
    fn of(grants: &Ledger, action: Action, now: DateTime<Utc>) -> Sent {
        let date = now.date_naive();
        Sent {
            today: grants.on_day(action, date),
            this_week: grants.in_week(action, date),
            last_ago: grants.last(action).map(|last| now - last),
            last_of_all_ago: grants.last_of_all().map(|last| now - last),
        }
    }
}

/// The tier's and the account's own caps for an action, near the slots taken, so that one grant more or
/// less decides. If the account has a cap of its own, that of its tier is out of reach. Last the account's
/// own gap.
fn caps(sent: Sent, knobs: BudgetKnobs) -> (TierCap, CapOverride, TimeDelta) {
    let BudgetKnobs { gap, daily, weekly, own, own_gap, ramp_percents } = knobs;
    let beside = |ago: Option<TimeDelta>| {
        ago.unwrap_or_default().checked_add(&gap).unwrap_or_default().max(TimeDelta::zero())
    };
    let (tier_gap, own_gap) = if own_gap {
        (TimeDelta::zero(), beside(sent.last_of_all_ago))
    } else {
        (beside(sent.last_ago), TimeDelta::zero())
    };
    let daily = (sent.today + daily).max(0);
    let weekly = weekly.map(|cap| (sent.this_week + cap).max(0));
    let (tier_daily, tier_weekly, own) = if own {
        (1_000, Some(1_000), CapOverride { daily: Some(daily), weekly })
    } else {
        (daily, weekly, CapOverride::default())
    };
    let tier = TierCap {
        daily: tier_daily,
        weekly: tier_weekly,
        ramp_start_percent: ramp_percents.0,
        ramp_step_percent: ramp_percents.1,
        minimum_gap: tier_gap.num_microseconds().unwrap(),
    };
    (tier, own, own_gap)
}

type LastKnobs = (Option<Option<TimeDelta>>, (i32, i32), Option<CampaignLimit>);

/// How long the prospect is suppressed, attempts (percent, and beside how many), and the campaign's part.
fn last(suppressed: bool, tried: bool, has_its_part: bool) -> impl Strategy<Value = LastKnobs> {
    let holds = prop::option::of(span(1..DAY)).prop_map(Some);
    let over = prop::option::of(span(0..DAY).prop_map(|ago| Some(-ago)));
    let attempts = side(tried, (100i32..300, 0i32..3), (prop_oneof![Just(0), 100i32..300], -3i32..0));
    let limit = |limit, taken| CampaignLimit { limit, taken };
    let campaign = side(
        has_its_part,
        (0i32..4, 0i32..3).prop_map(move |(cap, over)| Some(limit(cap, cap + over))),
        prop::option::of((1i32..4, 1i32..4).prop_map(move |(cap, free)| limit(cap, (cap - free).max(0)))),
    );
    (side(suppressed, holds, over), attempts, campaign)
}

/// Any state in which the rules whose bits are set (0 = the first) are likely to hold. Which rules do hold
/// is decided by the oracle.
fn state_with(holds: u32) -> impl Strategy<Value = State> {
    let bit = move |rule: u32| holds >> rule & 1 == 1;
    let breaker_first = !bit(0) && !bit(1) && (bit(2) || bit(3));
    let action = side(breaker_first, Just(0), prop_oneof![1 => Just(0), 2 => 0..ACTIONS]);
    let status = side(bit(1), 1usize..4, Just(0));
    // From before the turn of the year to after it.
    let now = days_past(70).prop_map(|past| Utc.with_ymd_and_hms(2026, 11, 1, 0, 0, 0).unwrap() + past);
    let grants = prop::collection::vec((0..ACTIONS, days_past(9)), 0..14);
    (
        (now, action, status, 0..ZONES.len(), prop::bool::weighted(0.3)),
        breaker(bit(2), bit(3)),
        waits((bit(4), bit(5)), bit(6), bit(8), bit(9)),
        (grants, days_past(9), budget(bit(10), bit(11), bit(12)), last(bit(7), bit(13), bit(14))),
    )
        .prop_map(
            move |((now, action, status, zone, ramp), breaker, waits, (grants, written, budget, last))| {
                let action = Action::ALL[action];
                let grants = Ledger(grants.into_iter().map(|(i, ago)| (Action::ALL[i], now - ago)).collect());
                let (tier, caps, gap) = caps(Sent::of(&grants, action, now), budget);
                State {
                    now,
                    // A grant writes the row, so it is no older than the last of them.
                    written_at: grants.0.iter().map(|grant| grant.1).fold(now - written, DateTime::max),
                    action,
                    paused: bit(0),
                    status: Status::ALL[status],
                    mode: breaker.0,
                    stamp: breaker.1.map(|ago| now - ago),
                    evidence: breaker.2,
                    permit: breaker.3.map(|(left, taken)| (now + left, taken)),
                    reset_day: breaker.4,
                    cooldown_until: waits.0[0].map(|left| now + left),
                    action_cooldown_until: waits.0[1].map(|left| now + left),
                    silent_until: waits.0[2].map(|left| now + left),
                    zone: ZONES[zone],
                    hours: waits.1,
                    suppressed: last.0.map(|left| left.map(|left| now + left)),
                    unresolved: waits.2,
                    last_kept_at: waits.3.map(|ago| now - ago),
                    prospect_cooldown: TimeDelta::days(2),
                    caps,
                    ramp,
                    tier,
                    gap,
                    attempts: last.1,
                    campaign: last.2,
                    grants,
                }
            },
        )
}

/// States in which each of the rules is about as often the first that holds, and none in some.
pub fn state() -> impl Strategy<Value = State> {
    (0..=RULES, any::<u32>()).prop_flat_map(|(first, others)| {
        let from_first = if first == RULES { 0 } else { (others << 1 | 1) << first };
        state_with(from_first & ((1 << RULES) - 1))
    })
}
