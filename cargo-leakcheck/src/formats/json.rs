//! The complete run. `docs/run-schema.md` describes the format.

use std::io::Write;

use super::rendered::Rendered;
use crate::model::Run;

pub(super) fn render(run: &Run, out: &mut dyn Write) -> Rendered {
    serde_json::to_writer(&mut *out, run)?;
    out.write_all(b"\n")?;
    Ok(())
}
