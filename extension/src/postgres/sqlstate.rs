//! How PostgreSQL packs an SQLSTATE into a number.

use std::ffi::c_int;

/// Six bits a character.
pub(super) fn encode(sqlstate: &[u8; 5]) -> c_int {
    sqlstate
        .iter()
        .enumerate()
        .map(|(i, byte)| c_int::from((byte.wrapping_sub(b'0')) & 0x3F) << (6 * i))
        .sum()
}

/// The five characters of a packed SQLSTATE.
pub(super) fn decode(packed: c_int) -> String {
    (0..5).map(|i| char::from(((packed >> (6 * i)) & 0x3F) as u8 + b'0')).collect()
}
