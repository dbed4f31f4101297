//! Keeps frames and stacks once.

use std::collections::HashMap;

use super::{Frame, Run};

/// Puts frames and stacks into a run, each once.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    frames: HashMap<Frame, u32>,
    stacks: HashMap<(u32, u32), u32>,
}

impl Interner {
    /// One that knows what a run has already.
    pub(crate) fn of(run: &Run) -> Self {
        let frames = run.frames.iter().cloned().zip(0..).collect();
        let stacks = run.stacks.iter().copied().zip(1..).collect();
        Self { frames, stacks }
    }

    /// The place of a stack, given with the allocation first.
    pub(crate) fn stack(
        &mut self,
        run: &mut Run,
        frames: impl DoubleEndedIterator<Item = Frame>,
    ) -> u32 {
        frames.rev().fold(0, |caller, frame| {
            let frame = self.frame(run, frame);
            *self.stacks.entry((caller, frame)).or_insert_with(|| {
                run.stacks.push((caller, frame));
                run.stacks.len() as u32
            })
        })
    }

    fn frame(&mut self, run: &mut Run, frame: Frame) -> u32 {
        if let Some(known) = self.frames.get(&frame) {
            return *known;
        }
        let place = run.frames.len() as u32;
        run.frames.push(frame.clone());
        self.frames.insert(frame, place);
        place
    }
}
