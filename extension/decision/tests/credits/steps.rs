//! What may happen, at random.

use proptest::prelude::*;
use sendgate_decision::credits::Allowance;

/// What may happen. Numbers name an operation or a page modulo how many there are.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// A worker asks; forced: past the breaker and past the credits.
    Reserve {
        forced: bool,
    },
    /// The worker of an operation calls the provider, who delivers unless the recipient refuses.
    Call {
        nth: usize,
        refused: bool,
    },
    /// The worker tells what he heard; one that never called rolls back.
    Answer {
        nth: usize,
    },
    /// A worker rolls back, whatever he did.
    Lie {
        nth: usize,
    },
    /// A message by hand, told after so many minutes at the next step.
    ByHand {
        known_late: bool,
    },
    TopUp {
        credits: i32,
    },
    /// A person looks at the balance page.
    Look,
    /// A page that was seen is reported: the last one or an earlier one, for the first time or again.
    Tell {
        back: usize,
    },
    Forget,
    Wait {
        seconds: i64,
    },
    /// To so many minutes after or before the midnight in so many days, where that is ahead.
    Midnight {
        days: i32,
        minutes: i64,
    },
    ResetDay {
        day: u8,
    },
}

/// Histories in which every balance is reported in time and is true, while answers are late or lost.
pub fn honest() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => Just(Step::Reserve { forced: false }),
        6 => (any::<usize>(), prop::bool::weighted(0.3)).prop_map(|(nth, refused)| Step::Call { nth, refused }),
        6 => any::<usize>().prop_map(|nth| Step::Answer { nth }),
        1 => Just(Step::ByHand { known_late: false }),
        1 => (1i32..4).prop_map(|credits| Step::TopUp { credits }),
        2 => Just(Step::Look),
        4 => (0usize..4).prop_map(|back| Step::Tell { back }),
        4 => wait(),
    ]
}

/// Anything at all.
pub fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        24 => honest(),
        2 => Just(Step::Reserve { forced: true }),
        2 => any::<usize>().prop_map(|nth| Step::Lie { nth }),
        1 => any::<bool>().prop_map(|known_late| Step::ByHand { known_late }),
        1 => reset_day().prop_map(|day| Step::ResetDay { day }),
        1 => Just(Step::Forget),
    ]
}

fn wait() -> impl Strategy<Value = Step> {
    let short = prop_oneof![3 => 1i64..1_200, 2 => 3_600i64..3 * 86_400, 1 => 20 * 86_400i64..35 * 86_400];
    prop_oneof![
        1 => short.prop_map(|seconds| Step::Wait { seconds }),
        // Where periods begin.
        1 => (1i32..5, -10i64..10).prop_map(|(days, minutes)| Step::Midnight { days, minutes }),
    ]
}

/// The next days of the world's first one are the most likely.
pub fn reset_day() -> impl Strategy<Value = u8> {
    prop_oneof![3 => prop::sample::select(vec![28u8, 29, 30, 31, 1]), 1 => 1u8..=31]
}

pub fn allowance() -> impl Strategy<Value = Allowance> {
    (0i32..5, 0i32..4)
        .prop_map(|(monthly, months)| Allowance { monthly: Some(monthly), ceiling: Some(monthly * months) })
}
