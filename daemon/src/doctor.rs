//! Stub.
use crate::config::target::Target;
use crate::error::Result;
use std::sync::Arc;
/// Examine.
pub async fn examine(_: &Arc<Target>) -> Result<bool> {
    Ok(true)
}
