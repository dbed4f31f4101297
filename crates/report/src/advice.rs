//! What to look for at a call site that only grows, by the functions between the user's code and the
//! allocation.

use crate::frame::{Class, Frame};
use crate::resource::Resource;

/// A kind of leak that is recognized by the functions that allocate for it.
struct Sign {
    /// Parts of function names, one of which must be present.
    any: &'static [&'static str],
    advice: &'static str,
}

/// The most specific first: a task's cell and a thread's packet are shared values too, and a table is
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
        advice: "threads that do not end: signal them to stop and join them; dropping a `JoinHandle` detaches",
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
        advice: "messages or waiters that stay in a channel: receive them, bound the channel, or drop its ends",
    },
    Sign {
        any: &["::leak", "::into_raw", "::forget", "::into_boxed_s", "ManuallyDrop"],
        advice: "ownership given away by `Box::leak`, `into_raw` or `mem::forget`: take it back",
    },
    Sign {
        any: &[
            "hashbrown::",
            "collections::hash::",
            "collections::btree::",
            "indexmap::",
            "dashmap::",
        ],
        advice: "a map that only grows: remove entries, or give it a bound",
    },
    Sign {
        any: &["alloc::rc::Rc<", "alloc::sync::Arc<"],
        advice: "shared values that are never dropped: look for a cycle, and make one side `Weak`",
    },
    Sign {
        any: &["::grow_one", "::grow_amortized", "::grow_exact", "collections::vec_deque::"],
        advice: "a collection that only grows: remove entries, or give it a bound",
    },
];

/// What to look for at a call site that only grows.
pub fn of(frames: &[Frame]) -> Option<&'static str> {
    let inner = frames.iter().take_while(|frame| frame.class != Class::User);
    let names: Vec<&str> = inner.filter_map(|frame| frame.function.as_deref()).collect();
    let sign = SIGNS.iter().find(|sign| names.iter().any(|name| sign.is_in(name)))?;
    Some(sign.advice)
}

/// What to do about a resource other than memory that is left behind.
pub fn on(resource: Resource) -> &'static str {
    match resource {
        Resource::Threads => {
            "tell the thread to stop, and join it; dropping a `JoinHandle` detaches its thread"
        }
        Resource::Fds => {
            "close it: drop its owner; after `into_raw_fd`, `forget`, or in C code nothing else closes it"
        }
        Resource::Children => "wait for the child, even if it was killed or has exited",
        Resource::CHeap => "find the call site with LeakSanitizer or Valgrind",
    }
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
    fn the_most_specific_function_decides() {
        let (std, dependency, user) = (Class::Std, Class::Dependency, Class::User);
        let shared = ("alloc::sync::Arc<T>::new", std);
        let found = advice(&[shared, ("app::run", user)]).unwrap();
        assert!(found.contains("look for a cycle"), "{found}");
        let found = advice(&[shared, ("tokio::runtime::task::new_task", dependency)]).unwrap();
        assert!(found.starts_with("tasks"), "{found}");
    }

    #[test]
    fn callers_of_the_users_code_do_not_count() {
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
