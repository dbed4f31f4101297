//! What a block was allocated for, by the functions that allocated it.

use crate::stack::symbols::types::{Function, Type};

/// A block's type, in short.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) text: String,
    /// Whether it begins with reference counts.
    pub(super) is_counted: bool,
    /// What it holds, and where the first one begins.
    pub(super) content: Option<(Type, u64)>,
}

/// What makes blocks: the part of a path that tells, the label before the types, where the content
/// begins, and how much it says beside others on the same stack.
const MAKERS: [(&str, &str, u64, u32); 12] = [
    ("alloc::boxed::Box", "Box", 0, 1),
    ("alloc::boxed::box_new", "Box", 0, 1),
    ("alloc::raw_vec::RawVec", "Vec", 0, 2),
    ("alloc::vec::Vec", "Vec", 0, 2),
    ("alloc::slice::", "Vec", 0, 2),
    ("alloc::string::String", "String", 0, 3),
    ("alloc::str::", "String", 0, 3),
    ("alloc::collections::btree::node::LeafNode", "LeafNode", 0, 4),
    ("alloc::collections::btree::node::InternalNode", "InternalNode", 0, 4),
    ("alloc::rc::Rc", "Rc", 16, 5),
    ("alloc::sync::Arc", "Arc", 16, 5),
    ("hashbrown::raw::RawTable", "RawTable", 0, 6),
];

/// The label of a block by the functions between its allocation and the user's code, leaf first.
pub(super) fn of(functions: &[Function]) -> Option<Label> {
    let mut best: Option<(u32, Label)> = None;
    for function in functions {
        let path = function.path.replace(['<', '>'], "\u{0}");
        let made = MAKERS.iter().find(|(part, ..)| starts_so(&path, part));
        let Some((_, what, at, weight)) = made else { continue };
        let parameters = parameters(function);
        // Of what does not say for which type, any other is better.
        let weight = if parameters.is_empty() && *what != "String" { 0 } else { *weight };
        if best.as_ref().is_some_and(|(known, _)| *known > weight) {
            continue;
        }
        let content = function.first.map(|of| (of, *at));
        let text = match (*what, &parameters[..]) {
            ("String", _) => "String".to_owned(),
            (_, []) => continue,
            ("LeafNode" | "InternalNode", all) => format!("{what}<{}>", all.join(", ")),
            (_, [first, ..]) => format!("{what}<{first}>"),
        };
        let is_counted = matches!(*what, "Rc" | "Arc");
        best = Some((weight, Label { text, is_counted, content }));
    }
    best.map(|(_, label)| label)
}

/// Whether a path is of this type or module, by itself or in what implements a trait.
fn starts_so(path: &str, part: &str) -> bool {
    path.trim_start_matches('\u{0}').starts_with(part)
}

/// The types that a function was made for, in short, without allocators.
fn parameters(function: &Function) -> Vec<String> {
    let of_name = between(&function.name).filter(|list| !list.is_empty());
    // The standard library's own have their types in their paths.
    let text = of_name.or_else(|| {
        let path = function.path.strip_prefix('<')?;
        between(path)
    });
    let all = text.map(split).unwrap_or_default();
    let is_content =
        |name: &&str| !matches!(*name, "alloc::alloc::Global" | "A" | "T" | "std::alloc::System");
    all.into_iter().filter(is_content).map(short).collect()
}

/// What stands between the first `<` and the `>` that belongs to it.
fn between(text: &str) -> Option<&str> {
    let start = text.find('<')?;
    let mut depth = 0;
    for (at, character) in text[start..].char_indices() {
        match character {
            '<' => depth += 1,
            // Not the arrow of a function's type.
            '>' if !text[..start + at].ends_with('-') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(&text[start + 1..start + at]);
        }
    }
    None
}

/// The parts of a list of types.
fn split(list: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, character) in list.char_indices() {
        match character {
            '<' | '(' | '[' | '{' => depth += 1,
            '>' | ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(list[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(list[start..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

/// A type without the modules that its parts are in, and without allocators.
pub(super) fn short(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut word = String::new();
    let mut characters = name.chars().peekable();
    while let Some(character) = characters.next() {
        if character.is_alphanumeric() || character == '_' {
            word.push(character);
            continue;
        }
        if character == ':' && characters.peek() == Some(&':') {
            characters.next();
            word.clear();
            continue;
        }
        text.push_str(&word);
        word.clear();
        text.push(character);
    }
    text.push_str(&word);
    for (long, shorter) in [
        (",Global>", ">"),
        (", Global>", ">"),
        (",RandomState>", ">"),
        (", RandomState>", ">"),
        ("{closure_env#0}", "{closure}"),
        ("{async_block_env#0}", "{async block}"),
        ("{async_fn_env#0}", "{async fn}"),
    ] {
        text = text.replace(long, shorter);
    }
    // As it is written by hand.
    let mut spaced = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        spaced.push(character);
        if character == ',' && characters.peek().is_some_and(|next| *next != ' ') {
            spaced.push(' ');
        }
    }
    spaced
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(functions: &[(&str, &str)]) -> String {
        let function = |&(path, name): &(&str, &str)| Function {
            path: path.to_owned(),
            name: name.to_owned(),
            first: None,
        };
        let functions: Vec<Function> = functions.iter().map(function).collect();
        of(&functions).map_or_else(String::new, |label| label.text)
    }

    #[test]
    fn a_box_inside_of_a_counter_is_the_counters() {
        let functions = [
            ("alloc::boxed::Box<T>::new", "new<alloc::rc::RcInner<app::graph::Node>>"),
            ("alloc::rc::Rc<T>::new", "new<app::graph::Node>"),
        ];
        assert_eq!(label(&functions), "Rc<Node>");
    }

    #[test]
    fn a_table_is_more_than_the_map_around_it() {
        let functions = [
            (
                "hashbrown::raw::RawTable<T,A>::reserve_rehash",
                "reserve_rehash<(alloc::string::String, alloc::vec::Vec<u8, alloc::alloc::Global>), alloc::alloc::Global, f>",
            ),
            (
                "std::collections::hash::map::HashMap<K,V,S>::insert",
                "insert<alloc::string::String>",
            ),
        ];
        assert_eq!(label(&functions), "RawTable<(String, Vec<u8>)>");
    }

    #[test]
    fn the_standard_librarys_own_tell_by_their_paths() {
        assert_eq!(label(&[("<alloc::raw_vec::RawVec<u8>>::reserve", "reserve<>")]), "Vec<u8>");
    }

    #[test]
    fn text_is_more_than_its_bytes() {
        let functions = [
            ("alloc::slice::<impl [T]>::to_vec", "to_vec<u8>"),
            ("alloc::str::<impl alloc::borrow::ToOwned for str>::to_owned", "to_owned"),
        ];
        assert_eq!(label(&functions), "String");
    }

    #[test]
    fn types_are_short() {
        let long =
            "core::option::Option<alloc::boxed::Box<dyn app::Trait<u8>, alloc::alloc::Global>>";
        assert_eq!(short(long), "Option<Box<dyn Trait<u8>>>");
        assert_eq!(short("app::run::{closure_env#0}"), "{closure}");
    }
}
