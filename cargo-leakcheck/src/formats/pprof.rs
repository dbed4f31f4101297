//! The format of pprof: bytes and blocks in use, with the test as a label and as the outermost frame.

use std::collections::HashMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;

use super::rendered::Rendered;
use crate::model::Run;

/// The messages of `profile.proto` that are used, with its numbers.
pub(super) mod proto {
    use prost::Message;

    #[derive(Clone, PartialEq, Message)]
    pub(crate) struct Profile {
        #[prost(message, repeated, tag = "1")]
        pub(crate) sample_type: Vec<ValueType>,
        #[prost(message, repeated, tag = "2")]
        pub(crate) sample: Vec<Sample>,
        #[prost(message, repeated, tag = "4")]
        pub(crate) location: Vec<Location>,
        #[prost(message, repeated, tag = "5")]
        pub(crate) function: Vec<Function>,
        #[prost(string, repeated, tag = "6")]
        pub(crate) string_table: Vec<String>,
        #[prost(int64, tag = "9")]
        pub(crate) time_nanos: i64,
        #[prost(int64, tag = "10")]
        pub(crate) duration_nanos: i64,
        #[prost(message, optional, tag = "11")]
        pub(crate) period_type: Option<ValueType>,
        #[prost(int64, tag = "12")]
        pub(crate) period: i64,
        #[prost(int64, tag = "14")]
        pub(crate) default_sample_type: i64,
    }

    #[derive(Clone, Copy, PartialEq, Message)]
    pub(crate) struct ValueType {
        #[prost(int64, tag = "1")]
        pub(crate) of: i64,
        #[prost(int64, tag = "2")]
        pub(crate) unit: i64,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(crate) struct Sample {
        #[prost(uint64, repeated, tag = "1")]
        pub(crate) location_id: Vec<u64>,
        #[prost(int64, repeated, tag = "2")]
        pub(crate) value: Vec<i64>,
        #[prost(message, repeated, tag = "3")]
        pub(crate) label: Vec<Label>,
    }

    #[derive(Clone, Copy, PartialEq, Message)]
    pub(crate) struct Label {
        #[prost(int64, tag = "1")]
        pub(crate) key: i64,
        #[prost(int64, tag = "2")]
        pub(crate) text: i64,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(crate) struct Location {
        #[prost(uint64, tag = "1")]
        pub(crate) id: u64,
        #[prost(uint64, tag = "3")]
        pub(crate) address: u64,
        #[prost(message, repeated, tag = "4")]
        pub(crate) line: Vec<Line>,
    }

    #[derive(Clone, Copy, PartialEq, Message)]
    pub(crate) struct Line {
        #[prost(uint64, tag = "1")]
        pub(crate) function_id: u64,
        #[prost(int64, tag = "2")]
        pub(crate) line: i64,
    }

    #[derive(Clone, Copy, PartialEq, Message)]
    pub(crate) struct Function {
        #[prost(uint64, tag = "1")]
        pub(crate) id: u64,
        #[prost(int64, tag = "2")]
        pub(crate) name: i64,
        #[prost(int64, tag = "3")]
        pub(crate) system_name: i64,
        #[prost(int64, tag = "4")]
        pub(crate) filename: i64,
    }
}

use proto::{Function, Label, Line, Location, Profile, Sample, ValueType};

/// Concatenated messages are read as one, so the samples need not be in memory together.
pub(super) fn render(run: &Run, out: &mut dyn Write) -> Rendered {
    let mut gzip = GzEncoder::new(out, Compression::fast());
    let mut strings = Strings::new();
    let mut profile = head(run, &mut strings);
    for frame in &run.frames {
        let line = i64::from(frame.line.unwrap_or(0));
        let name = strings.place(&frame.name());
        let file = frame.file.as_deref().map_or(0, |file| strings.place(file));
        profile.add_function(name, file, line, frame.offset.unwrap_or(0));
    }
    let key = strings.place("test");
    for test in run.tests.iter().filter(|test| !test.sites().is_empty()) {
        let text = strings.place(&test.id());
        let root = profile.add_function(text, 0, 0, 0);
        let samples = test.sites().iter().map(|site| {
            let locations = run.frame_indices(site.stack).map(|frame| u64::from(frame) + 1);
            Sample {
                location_id: locations.chain([root]).collect(),
                value: vec![signed(site.blocks), signed(site.bytes)],
                label: vec![Label { key, text }],
            }
        });
        let part = Profile { sample: samples.collect(), ..Profile::default() };
        gzip.write_all(&part.encode_to_vec())?;
    }
    profile.string_table = strings.all;
    gzip.write_all(&profile.encode_to_vec())?;
    gzip.finish()?;
    Ok(())
}

fn head(run: &Run, strings: &mut Strings) -> Profile {
    let space = ValueType { of: strings.place("inuse_space"), unit: strings.place("bytes") };
    let objects = ValueType { of: strings.place("inuse_objects"), unit: strings.place("count") };
    Profile {
        sample_type: vec![objects, space],
        time_nanos: signed(run.meta.started).saturating_mul(1_000_000_000),
        duration_nanos: (run.meta.seconds * 1e9) as i64,
        period_type: Some(space),
        period: 1,
        default_sample_type: space.of,
        ..Profile::default()
    }
}

impl Profile {
    /// Adds a function with a location of its own, and returns their id.
    fn add_function(&mut self, name: i64, filename: i64, line: i64, address: u64) -> u64 {
        let id = self.function.len() as u64 + 1;
        // pprof treats a name that is also the system name as C++ and removes angle brackets and their
        // contents.
        self.function.push(Function { id, name, system_name: 0, filename });
        self.location.push(Location { id, address, line: vec![Line { function_id: id, line }] });
        id
    }
}

/// Each string once. The first one is empty.
struct Strings {
    all: Vec<String>,
    places: HashMap<String, i64>,
}

impl Strings {
    fn new() -> Self {
        Self { all: vec![String::new()], places: HashMap::from([(String::new(), 0)]) }
    }

    fn place(&mut self, text: &str) -> i64 {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let place = self.all.len() as i64;
        self.all.push(text.to_owned());
        self.places.insert(text.to_owned(), place);
        place
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
