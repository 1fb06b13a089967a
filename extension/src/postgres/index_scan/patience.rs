//! Steps and jumps: from one row of an index to another one behind it, a walk may step over the rows between them, or
//! look the other one up. A look-up costs as much as some ten steps. How many rows lie between is known only afterwards,
//! so a walk steps over a few and then jumps; the more often steps were enough, the more of them it tries. To pass an
//! entry of the index without its row costs a small part of a step.

/// Steps at first.
const STEPS: u32 = 2;
/// Steps where they were enough all the time: about what a jump costs.
const STEPS_MAX: u32 = 16;
/// Where steps were in vain again and again, one of so many jumps has a step before it, to see whether that has changed.
const JUMPS: u32 = 4;

/// How many rows a walk steps over before it jumps.
pub struct Patience {
    steps: u32,
    /// Jumps without a step before them since the last one that had one.
    jumps: u32,
    entries: u32,
}

/// Entries that a walk passes before it jumps: about what a jump costs.
const ENTRIES_MAX: u32 = 128;

impl Patience {
    /// Nothing is known yet.
    pub const fn new() -> Patience {
        Patience { steps: STEPS, jumps: 0, entries: ENTRIES_MAX }
    }

    /// How many rows it steps over now.
    pub fn steps(&mut self) -> u32 {
        if self.steps > 0 {
            return self.steps;
        }
        self.jumps = (self.jumps + 1) % JUMPS;
        u32::from(self.jumps == 0)
    }

    /// How many rows it steps over where it passes entries if these are too few: what it learned by that.
    pub fn steps_before_entries(&self) -> u32 {
        self.steps
    }

    /// Begins with entries, not with steps.
    pub fn expect_many(&mut self) {
        self.steps = 0;
    }

    /// Steps were enough.
    pub fn paid(&mut self) {
        self.steps = (self.steps * 2).clamp(1, STEPS_MAX);
    }

    /// They were not, and a jump followed.
    pub fn wasted(&mut self) {
        self.steps /= 2;
    }

    /// How many entries of the index it passes now.
    pub fn entries(&self) -> u32 {
        self.entries
    }

    /// So many were enough. Where they are few, steps will be too.
    pub fn passed(&mut self, entries: u32) {
        self.entries = (self.entries * 2).min(ENTRIES_MAX);
        if entries <= STEPS_MAX {
            self.steps = self.steps.max(entries);
        }
    }

    /// They were not, and a jump followed.
    pub fn passed_in_vain(&mut self) {
        self.entries /= 2;
    }
}
