//! Ids: UUIDs of version 7, so that what is written together lies together. No sequences.

/// A new id.
pub fn fresh() -> [u8; 16] {
    uuid::Uuid::now_v7().into_bytes()
}
