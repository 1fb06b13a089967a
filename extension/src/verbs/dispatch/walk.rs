//! The waiting work of an account and action in its two indexes, and the walk along the one from campaign to campaign.
//!
//! That one has the order in which work is handed out: priority, campaign, due time. The walk steps from row to row
//! where campaigns have little work, and jumps to the next campaign where one has much. The other has the due time
//! alone.

use crate::postgres::index_scan::{Lookup, Reader, key};
use crate::postgres::jsonb::Jsonb;
use crate::postgres::param::params;
use crate::postgres::row::{Place as RowPlace, Row};
use crate::verbs::dispatch::shares::Place;
use sendgate_decision::clock::Instant;
use sendgate_decision::gate::CampaignLimit;

/// The columns of a piece of work; with the first three begins a [`Beginning`].
const WORK: &str = "priority, campaign_id, next_dispatch_at, prospect_id, step, attempts, payload, ctid";

/// One index: (account, action, priority, campaign, due time, step).
macro_rules! by_order {
    ([$($key:expr),*], [$($order:expr),*]) => {
        Lookup::ordered(
            c"enrollments",
            &[key::text(c"account_id"), key::text(c"action") $(, $key)*],
            &[$($order),*],
            c"next_dispatch_at",
            WORK,
        )
    };
}

static FIRST: Lookup = by_order!(
    [],
    [
        key::int2_descending(c"priority"),
        key::text(c"campaign_id"),
        key::instant(c"next_dispatch_at"),
        key::int2(c"step")
    ]
);

static FIRST_BELOW: Lookup = by_order!(
    [key::int2_below(c"priority")],
    [key::text(c"campaign_id"), key::instant(c"next_dispatch_at"), key::int2(c"step")]
);

static AFTER_CAMPAIGN: Lookup = by_order!(
    [key::int2_descending(c"priority"), key::text_after(c"campaign_id")],
    [key::instant(c"next_dispatch_at"), key::int2(c"step")]
);

static OF_CAMPAIGN: Lookup = by_order!(
    [key::int2_descending(c"priority"), key::text(c"campaign_id")],
    [key::instant(c"next_dispatch_at"), key::int2(c"step")]
);

/// The place of the campaign in that index, behind account, action and priority.
const CAMPAIGN_COLUMN: u16 = 4;

/// The other: (account, action, due time).
static OLDEST: Lookup = by_order!([], [key::instant(c"next_dispatch_at")]);

/// The table that is read here.
pub(super) fn table() -> &'static Lookup {
    &OLDEST
}

/// Where a campaign's work of a priority begins, or a piece of it lies.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Beginning {
    /// The priority.
    pub priority: i16,
    /// The campaign.
    pub campaign: String,
    /// When it is due.
    pub due_at: Instant,
}

impl Beginning {
    fn read(row: &mut Row) -> Beginning {
        Beginning { priority: row.value(), campaign: row.value(), due_at: row.instant() }
    }

    /// Whether it is work of that campaign and priority.
    pub fn is_of(&self, priority: i16, campaign: &str) -> bool {
        self.priority == priority && self.campaign == campaign
    }
}

/// A piece of work.
#[derive(Clone)]
pub(super) struct Work {
    /// Its priority.
    pub priority: i16,
    /// Its campaign.
    pub campaign: String,
    /// When it is due.
    pub due_at: Instant,
    /// Whom it is for.
    pub prospect: String,
    /// Which step of the campaign's sequence.
    pub step: i16,
    /// Attempts so far.
    pub attempts: i32,
    /// The payload that `enqueue` stored with it.
    pub payload: Option<Jsonb>,
    /// Where its row lies.
    pub at: RowPlace,
    /// What its campaign may take of the account's day; none without a limit.
    pub limit: Option<CampaignLimit>,
}

impl Work {
    /// The work whose beginning was read from this row.
    pub fn read(Beginning { priority, campaign, due_at }: Beginning, row: &mut Row) -> Work {
        let (prospect, step, attempts) = (row.value(), row.value(), row.value());
        let (payload, at) = (row.nullable(), row.place());
        Work { priority, campaign, due_at, prospect, step, attempts, payload, at, limit: None }
    }
}

/// Readings of both indexes. They stay open from one account to the next. Inside one snapshot of [`table`].
pub(super) struct Readers {
    oldest: Reader,
    first: Reader,
    below: Reader,
    after: Reader,
    of_campaign: Reader,
}

impl Readers {
    /// Nothing is read yet.
    pub fn new() -> Readers {
        Readers {
            oldest: OLDEST.reader(),
            first: FIRST.reader_of_entries(),
            below: FIRST_BELOW.reader_of_entries(),
            after: AFTER_CAMPAIGN.reader_of_entries(),
            of_campaign: OF_CAMPAIGN.reader(),
        }
    }

    fn along(&mut self, along: Along) -> &mut Reader {
        match along {
            Along::First => &mut self.first,
            Along::Below => &mut self.below,
            Along::After => &mut self.after,
            Along::Campaign => &mut self.of_campaign,
        }
    }

    /// Ends the reading.
    pub fn close(self) {
        let all = [self.oldest, self.first, self.below, self.after, self.of_campaign];
        all.into_iter().for_each(Reader::close);
    }
}

/// Where a walk goes.
#[derive(Clone, Copy)]
pub(super) enum Way<'a> {
    /// To the first row of all.
    First,
    /// To the first row of a lower priority than this.
    Below(i16),
    /// To the first row of this priority behind this campaign's.
    Behind(i16, &'a str),
    /// To the first row of this priority and campaign, and not beyond the last one of them.
    To(i16, &'a str),
    /// To the row behind the one where this reading stands.
    On(Along),
    /// From there to the first row of another campaign, if at most so many entries of the index lie between.
    Over(Along, u32),
}

/// Which of the readings a walk goes along.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Along {
    /// All work, from the first row on.
    First,
    /// From the first row of a lower priority on.
    Below,
    /// Of one priority, from the first row behind a campaign on.
    After,
    /// Of one priority and campaign.
    Campaign,
}

/// Readings that lead from one campaign to the next.
const LEAD_ON: [Along; 3] = [Along::First, Along::Below, Along::After];

/// A walk along the order of an account's work of one action.
pub(super) struct Walk<'a> {
    place: Place<'a>,
    readers: &'a mut Readers,
    /// Of each reading, the row where it stands. The others stay there while one of them goes on.
    at: [Option<Beginning>; 4],
    passed: u32,
}

impl<'a> Walk<'a> {
    /// Nowhere yet.
    pub fn new(place: Place<'a>, readers: &'a mut Readers) -> Walk<'a> {
        Walk { place, readers, at: [None, None, None, None], passed: 0 }
    }

    /// Whether that reading stands at a row of that campaign and priority.
    pub fn stands(&self, along: Along, priority: i16, campaign: &str) -> bool {
        self.at[along as usize].as_ref().is_some_and(|at| at.is_of(priority, campaign))
    }

    /// How many entries of the index lay on the last [`Way::Over`].
    pub fn passed(&self) -> u32 {
        self.passed
    }

    /// A reading that stands at a row of that campaign and priority, and whose next step leads to the row behind it,
    /// whatever campaign that is of.
    pub fn stands_at(&self, priority: i16, campaign: &str) -> Option<Along> {
        LEAD_ON.into_iter().find(|along| self.stands(*along, priority, campaign))
    }

    /// Goes there and reads the row; along which reading, and its answer. None where there is none.
    pub fn go<T>(
        &mut self,
        way: Way<'_>,
        read: impl FnOnce(&Beginning, &mut Row) -> T,
    ) -> Option<(Along, Beginning, T)> {
        let read = |row: &mut Row| {
            let beginning = Beginning::read(row);
            let more = read(&beginning, row);
            (beginning, more)
        };
        let (account, action) = (self.place.account, self.place.action.name());
        let (along, found) = match way {
            Way::First => (Along::First, self.readers.first.first(params![account, action], read)),
            Way::Below(priority) => {
                (Along::Below, self.readers.below.first(params![account, action, priority], read))
            }
            Way::Behind(priority, campaign) => {
                (Along::After, self.readers.after.first(params![account, action, priority, campaign], read))
            }
            Way::To(priority, campaign) => {
                let key = params![account, action, priority, campaign];
                (Along::Campaign, self.readers.of_campaign.first(key, read))
            }
            Way::On(along) => {
                self.at[along as usize].take()?;
                (along, self.readers.along(along).next(read))
            }
            Way::Over(along, most) => {
                let before = self.at[along as usize].take()?;
                let found = self.readers.along(along).beyond(CAMPAIGN_COLUMN, most, read);
                let found = found.map(|(passed, found)| {
                    self.passed = passed;
                    found
                });
                // An entry may be written in another way than one that has the same campaign.
                (along, found.filter(|(at, _)| !at.is_of(before.priority, &before.campaign)))
            }
        };
        self.at[along as usize] = found.as_ref().map(|(beginning, _)| beginning.clone());
        found.map(|(beginning, more)| (along, beginning, more))
    }

    /// The rest of the campaign's work of its priority, behind the row where that reading stands; `each` says whether
    /// to go on.
    pub fn rest(&mut self, along: Along, mut each: impl FnMut(Beginning, &mut Row) -> bool) {
        let Some(at) = self.at[along as usize].take() else { return };
        let reader = self.readers.along(along);
        let mut read = |row: &mut Row| {
            let beginning = Beginning::read(row);
            beginning.is_of(at.priority, &at.campaign) && each(beginning, row)
        };
        while reader.next(&mut read) == Some(true) {}
    }

    /// A campaign's work of a priority, the oldest first; `each` says whether to go on.
    pub fn of_campaign(
        &mut self,
        priority: i16,
        campaign: &str,
        mut each: impl FnMut(Beginning, &mut Row) -> bool,
    ) {
        self.at[Along::Campaign as usize] = None;
        let key = params![self.place.account, self.place.action.name(), priority, campaign];
        self.readers.of_campaign.each(key, |row| each(Beginning::read(row), row));
    }

    /// All work, the oldest first, whatever campaign or priority it has; `each` says whether to go on.
    pub fn oldest(&mut self, mut each: impl FnMut(Beginning, &mut Row) -> bool) {
        let key = params![self.place.account, self.place.action.name()];
        self.readers.oldest.each(key, |row| each(Beginning::read(row), row));
    }
}
