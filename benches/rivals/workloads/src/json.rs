//! A JSON document, parsed, cloned, walked and dropped.

use std::hint::black_box;

use serde_json::Value;

pub(crate) fn parse(documents: u64) -> u64 {
    let text = document();
    for _ in 0..documents {
        let value: Value = serde_json::from_str(&text).expect("the document is JSON");
        let copy = value.clone();
        black_box(depth(&copy));
    }
    documents
}

fn document() -> String {
    let item =
        |n: u32| format!(r#"{{"id":{n},"name":"item {n}","tags":["a","b","c"],"price":{n}.5}}"#);
    let items: Vec<String> = (0..2000).map(item).collect();
    format!("[{}]", items.join(","))
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(entries) => 1 + entries.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
