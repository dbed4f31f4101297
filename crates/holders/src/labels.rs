//! The type of a block, derived from the functions that allocated it.

use leakcheck_symbols::types::{Function, Type};

/// The short name of a block's type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) text: String,
    /// Whether the block starts with reference counts.
    pub(crate) is_refcounted: bool,
    /// The type of the content, and the offset of its first value.
    pub(crate) content: Option<(Type, u64)>,
}

/// Functions that allocate: the start of their path, the label without type arguments, the offset
/// of the content, and the precedence over others on the same stack.
const MAKERS: [(&str, &str, u64, u32); 13] = [
    ("alloc::boxed::Box", "Box", 0, 1),
    ("alloc::boxed::box_new", "Box", 0, 1),
    ("alloc::raw_vec::RawVec", "Vec", 0, 2),
    ("alloc::vec::Vec", "Vec", 0, 2),
    ("alloc::slice::", "Vec", 0, 2),
    ("alloc::string::String", "String", 0, 3),
    ("alloc::str::", "String", 0, 3),
    ("alloc::collections::vec_deque::VecDeque", "VecDeque", 0, 3),
    ("alloc::collections::btree::node::LeafNode", "LeafNode", 0, 4),
    ("alloc::collections::btree::node::InternalNode", "InternalNode", 0, 4),
    ("alloc::rc::Rc", "Rc", 16, 5),
    ("alloc::sync::Arc", "Arc", 16, 5),
    ("hashbrown::raw::RawTable", "RawTable", 0, 6),
];

/// The label of a block, given the functions between its allocation and the user's code, innermost
/// first.
pub(crate) fn of(functions: &[Function]) -> Option<Label> {
    let mut best: Option<(u32, Label)> = None;
    for function in functions {
        let path = function.path.replace(['<', '>'], "\u{0}");
        let made = MAKERS.iter().find(|(part, ..)| starts_with_maker(&path, part));
        let Some((_, what, at, weight)) = made else { continue };
        let parameters = parameters(function);
        // A function without type arguments has the lowest precedence.
        let weight = if parameters.is_empty() && *what != "String" { 0 } else { *weight };
        if best.as_ref().is_some_and(|(known, _)| *known > weight) {
            continue;
        }
        // The first type argument of a tree node is only its key.
        let content =
            function.first_argument.filter(|_| !what.ends_with("Node")).map(|of| (of, *at));
        let text = match (*what, &parameters[..]) {
            ("String", _) => "String".to_owned(),
            (_, []) => continue,
            ("LeafNode" | "InternalNode", all) => format!("{what}<{}>", all.join(", ")),
            (_, [first, ..]) => format!("{what}<{first}>"),
        };
        let is_refcounted = matches!(*what, "Rc" | "Arc");
        best = Some((weight, Label { text, is_refcounted, content }));
    }
    best.map(|(_, label)| label)
}

/// Whether a path starts with a type or module, or implements a trait for it.
fn starts_with_maker(path: &str, part: &str) -> bool {
    path.trim_start_matches('\u{0}').starts_with(part)
}

/// The short names of a function's type arguments, without allocators.
fn parameters(function: &Function) -> Vec<String> {
    let of_name = in_angle_brackets(&function.name).filter(|list| !list.is_empty());
    // Functions that the standard library instantiates have their type arguments in the path.
    let text = of_name.or_else(|| {
        let path = function.path.strip_prefix('<')?;
        in_angle_brackets(path)
    });
    let all = text.map(split).unwrap_or_default();
    let is_content =
        |name: &&str| !matches!(*name, "alloc::alloc::Global" | "A" | "T" | "std::alloc::System");
    all.into_iter().filter(is_content).map(short).collect()
}

/// The text between the first `<` and its matching `>`.
fn in_angle_brackets(text: &str) -> Option<&str> {
    let start = text.find('<')?;
    let mut depth = 0;
    for (at, character) in text[start..].char_indices() {
        match character {
            '<' => depth += 1,
            // Skips the arrow of a function type.
            '>' if !text[..start + at].ends_with('-') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(&text[start + 1..start + at]);
        }
    }
    None
}

/// Splits a list of types at its top-level commas.
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

/// A type's name without module paths and allocators.
pub(crate) fn short(name: &str) -> String {
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
    for allocator in [",Global>", ", Global>", ",RandomState>", ", RandomState>"] {
        text = text.replace(allocator, ">");
    }
    let text = with_traits(&with_closures(&text));
    // A space after each comma, as in source code.
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

/// Removes the numbers and type arguments of closures and async blocks. The arguments only repeat
/// where the closure is defined.
fn with_closures(text: &str) -> String {
    let mut short = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, from)) = rest.split_once('{') {
        short.push_str(before);
        let Some((what, after)) = from.split_once('}') else { break };
        let what = what.split_once('#').map_or(what, |(what, _)| what);
        let what = what.trim_end_matches("_env").replace('_', " ");
        // Of nested closures, only the innermost is kept.
        if !after.starts_with('{') {
            short.extend(["{", &what, "}"]);
        }
        let made_for = in_angle_brackets(after).filter(|_| after.starts_with('<'));
        rest = made_for.map_or(after, |list| &after[list.len() + 2..]);
    }
    short.push_str(rest);
    short
}

/// Writes `Fn` traits as in source code, and removes unneeded parentheses.
fn with_traits(text: &str) -> String {
    const OUTPUT: &str = ", Output=";
    let mut text = text.replace(",Output=", OUTPUT);
    while let Some(open) = text.find("<(dyn ") {
        let Some(close) = closing(&text[open + 1..]).map(|at| open + 1 + at) else { break };
        text.remove(close);
        text.remove(open + 1);
    }
    for name in ["Fn<(", "FnMut<(", "FnOnce<("] {
        while let Some(at) = text.find(&format!("dyn {name}")) {
            let list = at + "dyn ".len() + name.len() - 2;
            let Some(inside) = in_angle_brackets(&text[list..]).map(str::to_owned) else { break };
            let Some((arguments, output)) = inside.rsplit_once(OUTPUT) else { break };
            let arguments = arguments.strip_suffix(')').unwrap_or(arguments).trim_end_matches(',');
            let output = if output == "()" { String::new() } else { format!(" -> {output}") };
            text.replace_range(list..list + inside.len() + 2, &format!("{arguments}){output}"));
        }
    }
    text
}

/// The index of the parenthesis that closes the first one.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    text.char_indices().find_map(|(at, character)| {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(functions: &[(&str, &str)]) -> String {
        let function = |&(path, name): &(&str, &str)| Function {
            path: path.to_owned(),
            name: name.to_owned(),
            first_argument: None,
        };
        let functions: Vec<Function> = functions.iter().map(function).collect();
        of(&functions).map_or_else(String::new, |label| label.text)
    }

    #[test]
    fn an_rc_takes_precedence_over_the_box_inside() {
        let functions = [
            ("alloc::boxed::Box<T>::new", "new<alloc::rc::RcInner<app::graph::Node>>"),
            ("alloc::rc::Rc<T>::new", "new<app::graph::Node>"),
        ];
        assert_eq!(label(&functions), "Rc<Node>");
    }

    #[test]
    fn a_table_takes_precedence_over_the_map_around_it() {
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
    fn types_instantiated_by_the_standard_library_are_in_the_path() {
        assert_eq!(label(&[("<alloc::raw_vec::RawVec<u8>>::reserve", "reserve<>")]), "Vec<u8>");
    }

    #[test]
    fn a_string_takes_precedence_over_its_bytes() {
        let functions = [
            ("alloc::slice::<impl [T]>::to_vec", "to_vec<u8>"),
            ("alloc::str::<impl alloc::borrow::ToOwned for str>::to_owned", "to_owned"),
        ];
        assert_eq!(label(&functions), "String");
    }

    #[test]
    fn types_have_short_names() {
        let long =
            "core::option::Option<alloc::boxed::Box<dyn app::Trait<u8>, alloc::alloc::Global>>";
        assert_eq!(short(long), "Option<Box<dyn Trait<u8>>>");
        assert_eq!(short("app::run::{closure_env#0}"), "{closure}");
        let thread = "alloc::boxed::Box<std::thread::spawn::{closure_env#1}<app::run::{closure#0}::{closure}, ()>, alloc::alloc::Global>";
        assert_eq!(short(thread), "Box<{closure}>");
        let task = "tokio::task::Cell<app::run::{closure#0}::{async_block_env#1}, alloc::sync::Arc<tokio::Handle, alloc::alloc::Global>>";
        assert_eq!(short(task), "Cell<{async block}, Arc<Handle>>");
    }

    #[test]
    fn fn_traits_are_written_as_in_source() {
        let shared = "alloc::boxed::Box<(dyn core::ops::function::Fn<(), Output=usize> + core::marker::Send + core::marker::Sync), alloc::alloc::Global>";
        assert_eq!(short(shared), "Box<dyn Fn() -> usize + Send + Sync>");
        let simple = "alloc::boxed::Box<dyn core::ops::function::FnMut<(u8, &str), Output=()>, alloc::alloc::Global>";
        assert_eq!(short(simple), "Box<dyn FnMut(u8, &str)>");
        let one = "(u32, alloc::boxed::Box<(dyn core::ops::function::FnOnce<(u8,), Output=()> + core::marker::Send), alloc::alloc::Global>)";
        assert_eq!(short(one), "(u32, Box<dyn FnOnce(u8) + Send>)");
    }
}
