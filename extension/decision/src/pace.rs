//! Pace: how far apart the grants of an account are, so that it looks like a person.

use crate::account::{Account, Pace};
use crate::clock::Instant;
use crate::names::Action;
use crate::window::Zone;

/// The account's gap after a grant at `last`, with its jitter.
fn gap_after(pace: &Pace, account_id: &str, last: Instant) -> i64 {
    let most = i128::from(pace.minimum_gap) * i128::from(pace.jitter_percent) / 100;
    pace.minimum_gap.saturating_add(((most * unit(account_id, last)) >> 64) as i64)
}

/// What a pace looks at beside the account.
pub struct Asked<'a> {
    /// The account's id, for the jitter.
    pub account_id: &'a str,
    /// What is to be sent.
    pub action: Action,
    /// The tier's least time between two grants of the action, in microseconds.
    pub tier_gap: i64,
    /// Slots of the action that are left by day and week.
    pub slots_left: i32,
    /// The account's time zone.
    pub zone: &'a dyn Zone,
}

/// The least instant of the next grant: the latest of the tier's gap for the action, the account's own,
/// and its spread; none = at once.
pub fn paced_until(account: &Account, asked: &Asked<'_>) -> Option<Instant> {
    let pace = &account.pace;
    let of_action = account.last_granted_at[asked.action.index()];
    let by_tier = of_action.filter(|_| asked.tier_gap > 0).map(|last| last.plus(asked.tier_gap));
    let Some(last) = account.last_grant().filter(|_| pace.is_set()) else {
        return by_tier;
    };
    let by_gap = last.plus(gap_after(pace, asked.account_id, last));
    let by_spread = last.plus(if pace.spread { spread_gap(account, asked, last) } else { 0 });
    by_tier.max(Some(by_gap)).max(Some(by_spread))
}

/// The open time left at the last grant, shared out among the slots that are left and the time after the
/// last of them.
fn spread_gap(account: &Account, asked: &Asked<'_>, last: Instant) -> i64 {
    let midnight = last.day().next().start();
    let closes = match account.window.map(|window| window.read(asked.zone, last)) {
        Some(reading) if !reading.open => return 0,
        Some(reading) => reading.until.min(midnight),
        None => midnight,
    };
    if asked.slots_left <= 0 {
        return 0;
    }
    let parts = i64::from(asked.slots_left) + 1;
    (closes.0 - last.0 + parts - 1) / parts
}

/// A number of 0 or more and less than 2⁶⁴, the same for the same account and instant wherever it is
/// asked: FNV-1a over both, then the finish of SplitMix64, so that neighbouring instants differ.
fn unit(account_id: &str, at: Instant) -> i128 {
    let bytes = account_id.bytes().chain([0]).chain(at.0.to_le_bytes());
    let mut hash =
        bytes.fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3));
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    i128::from(hash ^ (hash >> 31))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::fixture::account;
    use crate::clock::{DAY, HOUR, MINUTE};
    use crate::window::{Utc, Window};

    fn asked(slots_left: i32) -> Asked<'static> {
        Asked { account_id: "a", action: Action::Invite, tier_gap: 0, slots_left, zone: &Utc }
    }

    /// Granted at noon of the fixture's Sunday.
    fn paced(pace: Pace) -> (Account, Instant) {
        let mut a = Account { pace, ..account() };
        let noon = a.day.start().plus(12 * HOUR);
        a.last_granted_at[2] = Some(noon);
        (a, noon)
    }

    #[test]
    fn the_latest_of_the_gaps_holds() {
        let (mut a, noon) = paced(Pace { minimum_gap: 5 * MINUTE, ..Pace::default() });
        assert_eq!(paced_until(&a, &asked(9)), Some(noon.plus(5 * MINUTE)), "whatever the action");
        a.last_granted_at[1] = Some(noon.plus(-MINUTE));
        let tier = Asked { tier_gap: HOUR, ..asked(9) };
        assert_eq!(paced_until(&a, &tier), Some(noon.plus(59 * MINUTE)));
        a.pace = Pace::default();
        assert_eq!(paced_until(&a, &asked(9)), None);
    }

    #[test]
    fn jitter_differs_from_grant_to_grant_and_not_from_call_to_call() {
        let pace = Pace { minimum_gap: HOUR, jitter_percent: 50, spread: false };
        let gaps: Vec<i64> = (0..200).map(|micros| gap_after(&pace, "a", Instant(micros))).collect();
        assert!(gaps.iter().all(|gap| (HOUR..HOUR + HOUR / 2).contains(gap)));
        assert_eq!(gap_after(&pace, "a", Instant(7)), gaps[7]);
        assert_ne!(gap_after(&pace, "b", Instant(7)), gaps[7]);
        let mean = gaps.iter().sum::<i64>() / 200;
        assert!((mean - HOUR - HOUR / 4).abs() < 2 * MINUTE, "spread over its range: {mean}");
        let widest = Pace { minimum_gap: 31 * DAY, jitter_percent: 100, spread: false };
        assert!(gap_after(&widest, "a", Instant::MAX) < 62 * DAY);
    }

    #[test]
    fn the_hash_is_fixed() {
        // A value that changes changes what a caller was told: retry_at is a promise.
        assert_eq!(unit("account-1", Instant(833_000_000_000_000)), 0xda1f_46a7_7b56_a2ed);
    }

    #[test]
    fn spread_shares_out_the_open_time_that_is_left() {
        let (mut a, noon) = paced(Pace { spread: true, ..Pace::default() });
        assert_eq!(paced_until(&a, &asked(11)), Some(noon.plus(HOUR)), "to midnight");
        a.window = Window::new(9 * HOUR, 17 * HOUR, 127).ok();
        assert_eq!(paced_until(&a, &asked(4)), Some(noon.plus(HOUR)), "to the window's end");
        assert_eq!(paced_until(&a, &asked(0)), Some(noon), "no slot left");
        a.window = Window::new(18 * HOUR, 2 * HOUR, 127).ok();
        assert_eq!(paced_until(&a, &asked(4)), Some(noon), "it was closed then");
        a.last_granted_at[2] = Some(noon.plus(8 * HOUR));
        assert_eq!(paced_until(&a, &asked(3)), Some(noon.plus(9 * HOUR)), "midnight comes first");
    }
}
