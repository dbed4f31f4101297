//! The JSON report, indented for people.

use serde_json_core::ser::{Error, to_slice};

use super::Report;

const INDENT: &str = "  ";

/// The report as JSON. Ends with a newline.
///
/// # Errors
///
/// When a value of the report has no form in JSON.
pub(crate) fn render(report: &Report) -> Result<String, Error> {
    let mut buffer = vec![0; 1 << 14];
    let length = loop {
        match to_slice(report, &mut buffer) {
            Ok(length) => break length,
            Err(Error::BufferFull) => buffer.resize(buffer.len() * 2, 0),
            Err(error) => return Err(error),
        }
    };
    Ok(indented(&String::from_utf8_lossy(&buffer[..length])))
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
    use crate::measurement::{Amount, Growth};
    use crate::report::{
        CallSite, Class, Figures, Frame, Growing, GrowthClass, LeftGrowing, Omitted, Repetition,
        Sensitivity, Severity, Stopped, Suppressed, Test, Thing, Thread, Timeline,
    };
    use crate::report::{Holder, Holding, Root, Step};
    use crate::verdict::{Excess, Figure, Limit, Verdict};

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
        Repetition {
            iterations: None,
            warmup: 2,
            batches: vec![1, 2, 4],
            stopped: Stopped::CapOfTime,
            sensitivity: Sensitivity::default(),
            bytes_per_call: 1e-3,
            left: vec![LeftGrowing {
                what: Thing::Threads,
                class: GrowthClass::Leak,
                by_batch: vec![1, 2, 4],
                per_call: 1.0,
            }],
        }
    }

    fn full() -> Report {
        let name =
            "odd \"names\" \\ with / [brackets], {braces}: tabs\t and ünïcode \u{1}".to_owned();
        let limit = Limit { value: u64::MAX, source: "threshold_bytes".into() };
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
                    class: Holding::HeldByStatic,
                    bytes: 1,
                    blocks: 1,
                    retained_bytes: 1,
                    retained_blocks: 1,
                    path: name.clone(),
                    root: Some(Root { name: Some(name.clone()), ..Root::default() }),
                    steps: vec![Step { bytes: 1, ..Step::default() }],
                    omitted_steps: 0,
                    members: 0,
                }],
                site: 0,
            }],
            repetition: Some(repetition()),
            decide: Some("LEAK_ITERATIONS=auto cargo test".into()),
            omitted: Omitted { call_sites: 2, amount },
            suppressed: vec![Suppressed {
                rule: "^a$".into(),
                why: String::new(),
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
            ..Report::without_figures(
                Test { name, ..Test::default() },
                Verdict::Leaked { excesses: vec![excess] },
            )
        }
    }

    #[test]
    fn a_report_reads_back_as_it_was() {
        for report in [full(), Report::without_figures(Test::default(), Verdict::Passed)] {
            let text = render(&report).unwrap();
            assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report, "{text}");
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
