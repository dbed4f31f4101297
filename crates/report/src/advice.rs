//! What to look for, by what was seen: the functions between the user's code and an allocation that
//! only grows.

use crate::frame::{Class, Frame};

/// A kind of leak that is known by the functions that allocate for it.
struct Sign {
    /// Parts of function names, of which one has to be there.
    any: &'static [&'static str],
    advice: &'static str,
}

/// The more telling first: a task's cell and a thread's packet are shared values too, and a table is
/// a collection.
const SIGNS: &[Sign] = &[
    Sign {
        any: &[
            "tokio::runtime::task::new_task",
            "tokio::runtime::task::core::Cell",
            "async_task::raw::",
        ],
        advice: "tasks that do not end: await or abort them",
    },
    Sign {
        any: &[
            "std::thread::lifecycle::spawn",
            "std::thread::Builder::spawn",
            "std::thread::builder::",
        ],
        advice: "threads that do not end: tell them to, and join them; dropping a `JoinHandle` detaches",
    },
    Sign {
        any: &[
            "std::sync::mpmc::",
            "std::sync::mpsc::",
            "tokio::sync::mpsc::",
            "crossbeam_channel::",
            "async_channel::",
            "concurrent_queue::",
            "flume::",
        ],
        advice: "messages or waiters that stay in a channel: receive them, bound it, or drop its ends",
    },
    Sign {
        any: &["::leak", "::into_raw", "::forget", "::into_boxed_s", "ManuallyDrop"],
        advice: "ownership that is given away, as `Box::leak`, `into_raw` and `mem::forget` do: take it back",
    },
    Sign {
        any: &[
            "hashbrown::",
            "collections::hash::",
            "collections::btree::",
            "indexmap::",
            "dashmap::",
        ],
        advice: "a map that only grows: take entries out, or bound it",
    },
    Sign {
        any: &["alloc::rc::Rc<", "alloc::sync::Arc<"],
        advice: "shared values that are never dropped: look for a cycle, and make one side `Weak`",
    },
    Sign {
        any: &["::grow_one", "::grow_amortized", "::grow_exact", "collections::vec_deque::"],
        advice: "a collection that only grows: take entries out, or bound it",
    },
];

/// What to look for at a call site that only grows.
pub fn of(frames: &[Frame]) -> Option<&'static str> {
    let inner = frames.iter().take_while(|frame| frame.class != Class::User);
    let names: Vec<&str> = inner.filter_map(|frame| frame.function.as_deref()).collect();
    let sign = SIGNS.iter().find(|sign| names.iter().any(|name| sign.is_in(name)))?;
    Some(sign.advice)
}

impl Sign {
    fn is_in(&self, name: &str) -> bool {
        self.any.iter().any(|part| name.contains(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(functions: &[(&str, Class)]) -> Option<&'static str> {
        let frame = |(function, class): &(&str, Class)| Frame {
            function: Some((*function).to_owned()),
            class: *class,
            ..Frame::default()
        };
        of(&functions.iter().map(frame).collect::<Vec<_>>())
    }

    #[test]
    fn the_most_telling_function_decides() {
        let (std, dependency, user) = (Class::Std, Class::Dependency, Class::User);
        let shared = ("alloc::sync::Arc<T>::new", std);
        let told = advice(&[shared, ("app::run", user)]).unwrap();
        assert!(told.contains("look for a cycle"), "{told}");
        let told = advice(&[shared, ("tokio::runtime::task::new_task", dependency)]).unwrap();
        assert!(told.starts_with("tasks"), "{told}");
    }

    #[test]
    fn who_called_the_users_code_tells_nothing() {
        let harness = ("tokio::runtime::task::core::Cell<T,S>::poll", Class::Dependency);
        assert_eq!(
            advice(&[
                ("alloc::boxed::Box<T>::new", Class::Std),
                ("app::run", Class::User),
                harness
            ]),
            None
        );
    }
}
