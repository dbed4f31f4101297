//! Reports as JSON, indented for people, and smaller values as JSON between processes.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json_core::ser::{Error, to_slice};

use crate::report::Report;

const INDENT: &str = "  ";

/// The report as JSON. Ends with a newline.
///
/// # Errors
///
/// When a value of the report has no form in JSON.
pub fn render(report: &Report) -> Result<String, Error> {
    compact(report).map(|json| indented(&json))
}

/// A value as JSON on one line.
///
/// # Errors
///
/// When a part of the value has no form in JSON.
pub fn compact(value: &impl Serialize) -> Result<String, Error> {
    let mut buffer = vec![0; 1 << 14];
    let length = loop {
        match to_slice(value, &mut buffer) {
            Ok(length) => break length,
            Err(Error::BufferFull) => buffer.resize(buffer.len() * 2, 0),
            Err(error) => return Err(error),
        }
    };
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

/// Reads what [`compact`] has written, in a test process too. Types with a tag or with flattened
/// fields, such as a whole report, need `serde_json`, which test processes do not have.
///
/// # Errors
///
/// When the text is not whole or not of that type.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, serde_json_core::de::Error> {
    // No string is longer than the text around it.
    let mut unescaped = vec![0; text.len()];
    serde_json_core::from_str_escaped(text, &mut unescaped).map(|(value, _)| value)
}

/// Puts every value on a line of its own.
fn indented(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0, false, false);
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        if in_string {
            text.push(character);
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
            continue;
        }
        match character {
            '{' | '[' => {
                text.push(character);
                // Nothing inside needs no line.
                match characters.next_if(|next| matches!(next, '}' | ']')) {
                    Some(end) => text.push(end),
                    None => {
                        depth += 1;
                        new_line(&mut text, depth);
                    }
                }
            }
            '}' | ']' => {
                depth -= 1;
                new_line(&mut text, depth);
                text.push(character);
            }
            ',' => {
                text.push(character);
                new_line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            _ => {
                in_string = character == '"';
                text.push(character);
            }
        }
    }
    text.push('\n');
    text
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    for _ in 0..depth {
        text.push_str(INDENT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amount::{Amount, Growth};
    use crate::call_site::CallSite;
    use crate::figure::Figure;
    use crate::frame::{Class, Frame};
    use crate::holder::{Holder, Reachability, Root, Step};
    use crate::limit::Limit;
    use crate::repetition::{Growing, GrowingResource, GrowthClass, Repetition, Severity, Stopped};
    use crate::report::{Figures, Omitted, Suppressed, Test};
    use crate::resource::{Resource, Thread};
    use crate::timeline::Timeline;
    use crate::verdict::{BodyEnd, Excess, NotJudged, Skip, Verdict};

    fn growing() -> Growing {
        Growing {
            class: GrowthClass::Leak,
            bytes: vec![0, -1, i64::MAX],
            blocks: vec![],
            bytes_per_call: 1.0 / 7.0,
            blocks_per_call: 240.0,
            severity: Some(Severity::Critical),
            advice: Some("bound it".into()),
        }
    }

    fn repetition() -> Repetition {
        let threads = GrowingResource::new(Resource::Threads, GrowthClass::Leak, vec![1, 2], 1.0);
        Repetition {
            bytes_per_call: 1e-3,
            resources: vec![threads],
            ..Repetition::new(2, vec![1, 2, 4], Stopped::CapOfTime)
        }
    }

    fn full() -> Report {
        let name =
            "odd \"names\" \\ with / [brackets], {braces}: tabs\t and ünïcode \u{1}".to_owned();
        let limit = Limit::by_argument("threshold_bytes", u64::MAX);
        let excess = Excess { figure: Figure::PeakBytes, value: -1, limit };
        let amount = Amount { bytes: u64::MAX, blocks: 0 };
        let named = Frame { function: Some(name.clone()), line: Some(7), ..Frame::default() };
        let nameless = Frame { module: Some("app".into()), offset: Some(1), ..Frame::default() };
        Report {
            figures: Some(Figures {
                net_growth: Growth { bytes: i64::MIN + 1, blocks: i64::MAX },
                ..Figures::default()
            }),
            call_sites: vec![CallSite {
                bytes: 1,
                blocks: 1,
                frames: vec![named.clone(), nameless],
                omitted_frames: 0,
                growth: Some(growing()),
                holders: vec![Holder {
                    path: name.clone(),
                    root: Some(Root { name: Some(name.clone()), ..Root::default() }),
                    steps: vec![Step { bytes: 1, ..Step::default() }],
                    ..Holder::new(Reachability::HeldByStatic, Amount { bytes: 1, blocks: 1 })
                }],
            }],
            repetition: Some(repetition()),
            decide: Some("LEAK_ITERATIONS=auto cargo test".into()),
            omitted: Omitted { call_sites: 2, amount },
            suppressed: vec![Suppressed {
                rule: "^a$".into(),
                why: None,
                amount,
                released: amount,
            }],
            timeline: Some(Timeline {
                interval_ms: 5,
                ms: vec![0.0, 5.012, 1e7],
                bytes: vec![0, u64::MAX, 1],
            }),
            timeline_unknown: Some("why".into()),
            threads: vec![Thread {
                name: "t".into(),
                started_at: vec![Frame { class: Class::Std, ..named }],
            }],
            ..Report::new(
                Test { name, ..Test::default() },
                Verdict::Leaked { excesses: vec![excess] },
            )
        }
    }

    #[test]
    fn a_report_reads_back_as_it_was() {
        let others = [
            Verdict::Passed,
            Verdict::Skipped { reason: Skip::Argument { why: "slow".into() } },
            Verdict::Skipped { reason: Skip::Variable { glob: "*slow".into() } },
            Verdict::NotJudged { reason: NotJudged::Blind },
            Verdict::NotJudged {
                reason: NotJudged::Body { end: BodyEnd::Panicked, iteration: Some(2) },
            },
        ];
        let others = others.map(|verdict| Report::new(Test::default(), verdict));
        for report in others.into_iter().chain([full()]) {
            let text = render(&report).unwrap();
            assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report, "{text}");
        }
    }

    #[test]
    fn reference_paths_go_from_process_to_process() {
        let site = full().call_sites.remove(0);
        let found = vec![(site.frames, site.holders), (Vec::new(), Vec::new())];
        let text = compact(&found).unwrap();
        assert_eq!(parse::<Vec<(Vec<Frame>, Vec<Holder>)>>(&text).unwrap(), found, "{text}");
        for length in (0..text.len()).filter(|length| text.is_char_boundary(*length)) {
            assert!(parse::<Vec<(Vec<Frame>, Vec<Holder>)>>(&text[..length]).is_err());
        }
    }

    #[test]
    fn it_is_indented_as_others_do_it() {
        let ours = render(&full()).unwrap();
        let theirs = serde_json::to_string_pretty(&full()).unwrap();
        assert_eq!(ours.trim_end(), theirs);
    }

    #[test]
    fn a_report_larger_than_the_first_buffer_is_whole() {
        let mut report = full();
        report.call_sites = vec![report.call_sites[0].clone(); 1000];
        assert_eq!(serde_json::from_str::<Report>(&render(&report).unwrap()).unwrap(), report);
    }
}
