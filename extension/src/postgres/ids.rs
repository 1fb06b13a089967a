//! Ids: UUIDs of version 7, so that what is written together lies together. No sequences.

/// A UUID as its bytes: the id of an event, a line of a log, an alert, a ticket, a request. Operations
/// have an `OperationId`, which the decision crate knows.
pub type Id = [u8; 16];

/// A new id.
pub fn fresh() -> Id {
    uuid::Uuid::now_v7().into_bytes()
}

/// An id as text.
pub fn show(id: Id) -> String {
    uuid::Uuid::from_bytes(id).to_string()
}
