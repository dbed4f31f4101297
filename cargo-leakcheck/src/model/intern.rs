//! Stores each frame and stack once.

use leakcheck_report::{Class, Frame};
use rustc_hash::FxHashMap;
use serde::Deserialize;

use super::{Run, Text};

/// A frame that borrows its texts, for example from a file. Most frames are known already.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct FrameIn<'a> {
    #[serde(borrow, default)]
    function: Option<Text<'a>>,
    #[serde(borrow, default)]
    file: Option<Text<'a>>,
    line: Option<u32>,
    #[serde(borrow, default)]
    module: Option<Text<'a>>,
    offset: Option<u64>,
    class: Class,
}

/// A frame whose texts are indices.
type Key = (u32, u32, Option<u32>, u32, Option<u64>, Class);

/// Adds frames and stacks to a run, each once.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    /// Counted from 1; 0 stands for none.
    texts: FxHashMap<Box<str>, u32>,
    frames: FxHashMap<Key, u32>,
    stacks: FxHashMap<(u32, u32), u32>,
}

impl Interner {
    /// An interner that knows the frames and stacks of a run.
    pub(crate) fn of(run: &Run) -> Self {
        let mut interner = Self::default();
        for (frame, place) in run.frames.iter().zip(0..) {
            let key = interner.key(&FrameIn::from(frame));
            interner.frames.entry(key).or_insert(place);
        }
        interner.stacks = run.stacks.iter().copied().zip(1..).collect();
        interner
    }

    /// The index of a stack, which is given with the allocation first.
    pub(crate) fn stack<'a>(
        &mut self,
        run: &mut Run,
        frames: impl DoubleEndedIterator<Item = FrameIn<'a>>,
    ) -> u32 {
        frames.rev().fold(0, |caller, frame| {
            let frame = self.frame(run, &frame);
            *self.stacks.entry((caller, frame)).or_insert_with(|| {
                run.stacks.push((caller, frame));
                run.stacks.len() as u32
            })
        })
    }

    fn frame(&mut self, run: &mut Run, frame: &FrameIn<'_>) -> u32 {
        let key = self.key(frame);
        *self.frames.entry(key).or_insert_with(|| {
            run.frames.push(frame.to_owned());
            run.frames.len() as u32 - 1
        })
    }

    fn key(&mut self, frame: &FrameIn<'_>) -> Key {
        let [function, file, module] =
            [&frame.function, &frame.file, &frame.module].map(|text| self.text(text.as_ref()));
        (function, file, frame.line, module, frame.offset, frame.class)
    }

    fn text(&mut self, text: Option<&Text<'_>>) -> u32 {
        let Some(Text(text)) = text else { return 0 };
        if let Some(place) = self.texts.get(&**text) {
            return *place;
        }
        let place = self.texts.len() as u32 + 1;
        self.texts.insert(text.as_ref().into(), place);
        place
    }
}

impl<'a> From<&'a Frame> for FrameIn<'a> {
    fn from(frame: &'a Frame) -> Self {
        let text = |text: &'a Option<String>| text.as_deref().map(|text| Text(text.into()));
        Self {
            function: text(&frame.function),
            file: text(&frame.file),
            line: frame.line,
            module: text(&frame.module),
            offset: frame.offset,
            class: frame.class,
        }
    }
}

impl FrameIn<'_> {
    fn to_owned(&self) -> Frame {
        let text = |text: &Option<Text<'_>>| text.as_ref().map(|Text(text)| text.to_string());
        let mut frame = Frame::default();
        frame.function = text(&self.function);
        frame.file = text(&self.file);
        frame.line = self.line;
        frame.module = text(&self.module);
        frame.offset = self.offset;
        frame.class = self.class;
        frame
    }
}
