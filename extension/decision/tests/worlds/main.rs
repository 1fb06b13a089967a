//! Small worlds, searched to their end.
//!
//! One account row, its journal, its events and a provider with a ledger of its own, around the real
//! decision functions. What the extension does around them (read the row, decide, write if the row is
//! still that version; or hold, decide, write) is modelled step by step, so that whatever may happen
//! between one worker's read and its write is a path of its own. A breadth-first search visits every
//! state that two or three workers, operators, jobs and the clock can reach and asks each property of
//! each transition.
//!
//! That the search can find something is tested as well: every property names rules that are wrong in
//! one place, and the search has to find each.
//!
//! ```text
//! exhaustive, mutants → worlds → search, properties → protocol → settling, known → state, rules → time
//! ```

mod exhaustive;
mod known;
mod mutants;
mod properties;
mod protocol;
mod rules;
mod search;
mod settling;
mod state;
mod time;
mod worlds;
