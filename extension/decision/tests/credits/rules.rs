//! The rule under test: each function of the crate behind a pointer, so that a mutant replaces one.

use sendgate_decision::clock::Instant;
use sendgate_decision::credits::journal::{self, Sending, Told};
use sendgate_decision::credits::stamp::Cause;
use sendgate_decision::credits::{Allowance, Calendar, Credits, Observation, Reading, Unanswered};

type Tell = fn(Option<&Credits>, Observation, &[Sending], &Calendar, Allowance, Instant) -> Told;

#[derive(Clone, Copy)]
pub struct Rules {
    pub tell: Tell,
    pub read: fn(&Credits, Option<Instant>) -> Reading,
    pub take: fn(&mut Credits, Instant) -> bool,
    pub give_back: fn(&mut Credits, Instant, Instant),
    pub take_back: fn(&mut Credits, Instant, Instant, Instant),
    pub take_external: fn(&mut Credits, Instant),
    pub exhausted: fn(&mut Credits, Instant, u8, Instant) -> bool,
    pub begin_period: fn(&Credits, Instant, Unanswered, Allowance, &Calendar) -> Option<Credits>,
    pub is_contradicted_by: fn(&Credits, Instant, bool) -> bool,
    pub left: fn(&Credits, &[Sending], Instant) -> i32,
    pub stands: fn(&Cause, Option<&Credits>) -> bool,
    pub is_cleared_by: fn(&mut Cause, Instant, &Observation, Option<&Credits>) -> bool,
}

pub const REAL: Rules = Rules {
    tell: journal::tell,
    read: |credits, first_expiry| credits.read(|| first_expiry),
    take: Credits::take,
    give_back: Credits::give_back,
    take_back: Credits::take_back,
    take_external: Credits::take_external,
    exhausted: Credits::exhausted,
    begin_period: Credits::begin_period,
    is_contradicted_by: Credits::is_contradicted_by,
    left: journal::left,
    stands: Cause::stands,
    is_cleared_by: Cause::is_cleared_by,
};
