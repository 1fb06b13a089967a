//! Stub.
use crate::config::target::Target;
use crate::error::Result;
use std::sync::Arc;
/// Arguments.
#[derive(clap::Args, Debug)]
pub struct Arguments {}
/// Show.
pub async fn show(_: &Arc<Target>, _: &Arguments) -> Result<bool> {
    Ok(true)
}
