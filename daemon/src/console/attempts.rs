//! Limits wrong tokens by the place that they come from.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Most wrong tokens from one place within [`WINDOW`].
const WRONG_MAX: u32 = 10;
/// After this time wrong tokens are forgotten.
const WINDOW: Duration = Duration::from_secs(300);
/// Most places that are remembered. Beyond that, new places have to wait: guesses are then coming from many
/// places, and forgetting old places would admit them again.
const PLACES_MAX: usize = 1_000;

/// Wrong tokens by place.
#[derive(Debug, Default)]
pub struct Attempts(HashMap<IpAddr, Wrong>);

#[derive(Debug)]
struct Wrong {
    since: Instant,
    times: u32,
}

impl Attempts {
    /// Counts an attempt as wrong before its token is checked, so that many attempts at once gain nothing.
    /// Answers whether the token may be checked.
    pub fn begin(&mut self, from: IpAddr, now: Instant) -> bool {
        self.0.retain(|_, wrong| now.duration_since(wrong.since) < WINDOW);
        let place = place(from);
        if !self.0.contains_key(&place) && self.0.len() >= PLACES_MAX {
            return false;
        }
        let wrong = self.0.entry(place).or_insert(Wrong { since: now, times: 0 });
        wrong.times = wrong.times.saturating_add(1);
        wrong.times <= WRONG_MAX
    }

    /// Takes the last attempt back: its token was right.
    pub fn was_right(&mut self, from: IpAddr) {
        if let Some(wrong) = self.0.get_mut(&place(from)) {
            wrong.times = wrong.times.saturating_sub(1);
        }
    }
}

/// The place of an address: an IPv6 network of 64 bits is one place, because its owner has all of its
/// addresses.
fn place(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn who_is_wrong_too_often_has_to_wait() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        for _ in 0..WRONG_MAX {
            assert!(attempts.begin(from("10.0.0.1"), now));
        }
        assert!(!attempts.begin(from("10.0.0.1"), now));
        assert!(!attempts.begin(from("::ffff:10.0.0.1"), now));
        assert!(attempts.begin(from("10.0.0.2"), now));
        assert!(attempts.begin(from("10.0.0.1"), now + WINDOW));
    }

    #[test]
    fn who_is_right_need_not_wait() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        for _ in 0..5 * WRONG_MAX {
            assert!(attempts.begin(from("10.0.0.1"), now));
            attempts.was_right(from("10.0.0.1"));
        }
    }

    #[test]
    fn a_network_is_one_place_and_places_are_bounded() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        for n in 0..WRONG_MAX {
            assert!(attempts.begin(from(&format!("2001:db8::{n:x}")), now));
        }
        assert!(!attempts.begin(from("2001:db8::ffff:1"), now));
        for n in 1..PLACES_MAX {
            assert!(attempts.begin(IpAddr::from([10, 1, (n / 256) as u8, n as u8]), now));
        }
        assert!(!attempts.begin(from("10.9.9.9"), now));
        assert_eq!(attempts.0.len(), PLACES_MAX);
        assert!(attempts.begin(from("10.9.9.9"), now + WINDOW));
    }
}
