//! Steps and jumps: from one row of an index to another one behind it, a walk may step over the rows between them, or
//! look the other one up. A look-up costs as much as some ten steps. How many rows lie between is known only afterwards,
//! so a walk steps over a few and then jumps; the more often steps were enough, the more of them it tries.

/// Steps at first.
const STEPS: u32 = 2;
/// Steps where they were enough all the time: about what a jump costs.
const STEPS_MAX: u32 = 16;

/// How many rows a walk steps over before it jumps.
pub struct Patience(u32);

impl Patience {
    /// Nothing is known yet.
    pub const fn new() -> Patience {
        Patience(STEPS)
    }

    /// How many rows it steps over now.
    pub fn steps(&self) -> u32 {
        self.0
    }

    /// Steps were enough.
    pub fn paid(&mut self) {
        self.0 = (self.0 * 2).min(STEPS_MAX);
    }

    /// They were not, and a jump followed.
    pub fn wasted(&mut self) {
        self.0 = (self.0 / 2).max(1);
    }
}
