//! The run as it is: `docs/run-schema.md` describes it.

use std::error::Error;

use crate::model::Run;

pub(super) fn render(run: &Run) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut text = serde_json::to_vec(run)?;
    text.push(b'\n');
    Ok(text)
}
