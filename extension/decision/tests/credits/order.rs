//! Credits left + in flight + delivered = balance, whatever the order in which answers come in, and wherever among the
//! reservations the balance was told.

use proptest::prelude::*;
use sendgate_decision::clock::{Day, Instant, MINUTE};
use sendgate_decision::credits::journal::{self, Fate, Sending, Told};
use sendgate_decision::credits::{Allowance, Calendar, Credits, Observation};

const CALENDAR: Calendar = Calendar { reset_day: 1, changed_at: None };
const TIER: Allowance = Allowance { monthly: Some(50), ceiling: Some(150) };

fn minute(minutes: i64) -> Instant {
    Day::from_civil(2026, 5, 20).start().plus(minutes * MINUTE)
}

/// What comes of an InMail, and of one by hand.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    InFlight,
    Delivered,
    GivenBack,
    DeliveredAfterAll,
    ByHand,
}

/// InMails by when they are reserved, a minute each, and what comes of them.
fn inmails() -> impl Strategy<Value = Vec<End>> {
    use End::{ByHand, Delivered, DeliveredAfterAll, GivenBack, InFlight};
    prop::collection::vec(
        prop::sample::select(vec![InFlight, Delivered, GivenBack, DeliveredAfterAll, ByHand]),
        1..12,
    )
}

/// Reserves them one after the other, and hears the balance after the first `known` of them; then the answers come in
/// this order, a second answer about one that is given back when its turn comes again. What is left, and the journal.
fn live(inmails: &[End], known: usize, balance: i32, answers: &[usize]) -> (Credits, Vec<Sending>) {
    let mut credits: Option<Credits> = None;
    let mut ops: Vec<Sending> = Vec::new();
    for (n, end) in inmails.iter().enumerate() {
        if n == known {
            credits = told(balance, n, &ops);
        }
        let reserved_at = minute(n as i64);
        let by_hand = *end == End::ByHand;
        if let Some(credits) = &mut credits {
            if by_hand {
                credits.take_external(reserved_at);
            } else {
                credits.take(reserved_at);
            }
        }
        ops.push(Sending {
            reserved_at,
            expires_at: if by_hand { reserved_at } else { reserved_at.plus(24 * 60 * MINUTE) },
            settled_at: by_hand.then_some(reserved_at),
            fate: if by_hand { Fate::Delivered } else { Fate::Unanswered },
        });
    }
    let mut credits = credits.or_else(|| told(balance, inmails.len(), &ops)).expect("it counts");
    for (nth, &op) in answers.iter().enumerate() {
        let (sending, at) = (ops[op], minute((inmails.len() + 1 + nth) as i64));
        let fate = match (inmails[op], sending.fate) {
            (End::InFlight | End::ByHand, _) | (_, Fate::Delivered) => continue,
            (End::Delivered, _) => Fate::Delivered,
            (End::GivenBack | End::DeliveredAfterAll, Fate::Unanswered) => {
                credits.give_back(sending.reserved_at, sending.expires_at);
                Fate::GivenBack
            }
            (End::DeliveredAfterAll, Fate::GivenBack) => {
                let released_at = sending.settled_at.expect("it was settled");
                credits.take_back(sending.reserved_at, sending.expires_at, released_at);
                Fate::Delivered
            }
            _ => continue,
        };
        ops[op] = Sending { settled_at: Some(at), fate, ..sending };
    }
    (credits, ops)
}

fn told(balance: i32, known: usize, ops: &[Sending]) -> Option<Credits> {
    let at = minute(known as i64).plus(-MINUTE / 2);
    match journal::tell(None, Observation { balance, observed_at: at }, ops, &CALENDAR, TIER, at) {
        Told::Counts(credits) => credits,
        Told::Older => panic!("nothing was told before"),
    }
}

proptest! {
    #[test]
    fn the_sum_is_the_balance_in_any_order(
        (inmails, known, balance, once, again) in inmails().prop_flat_map(|inmails| {
            let n = inmails.len();
            // Each is answered twice at most: what is given back may be delivered all the same.
            let twice: Vec<usize> = (0..n).chain(0..n).collect();
            let orders = (Just(twice.clone()).prop_shuffle(), Just(twice).prop_shuffle());
            (Just(inmails), 0..=n, 0i32..20, orders).prop_map(|(i, k, b, (once, again))| (i, k, b, once, again))
        })
    ) {
        let (credits, ops) = live(&inmails, known, balance, &once);
        // By hand and before the page was seen: the page shows it.
        let counts = |op: &&Sending| op.expires_at > credits.since;
        let (in_flight, delivered) = ops.iter().filter(counts).fold((0, 0), |(open, done), op| match op.fate {
            Fate::Unanswered => (open + 1, done),
            Fate::Delivered => (open, done + 1),
            Fate::GivenBack | Fate::Refused => (open, done),
        });
        prop_assert_eq!(credits.left + in_flight + delivered, balance);
        prop_assert!(credits.shown() >= 0);
        let now = minute(200);
        prop_assert_eq!(journal::left(&credits, &ops, now), credits.left, "layer 1");
        prop_assert_eq!(live(&inmails, known, balance, &again).0, credits, "in another order");
    }
}
