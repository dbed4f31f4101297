//! Lesson 4: two `Rc`s that own each other are never freed; a `Weak` breaks the cycle.
//!
//!     cargo test -p leakcheck-examples --test rc_cycle
//!
//! The run ends red, on purpose: in the first document, a child refers to its parent by `Rc`, and nothing is ever freed.
//! In the second it refers to its parent by `Weak`, and everything is. Cycles are small, so the limit is 0 bytes.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

mod by_rc {
    use super::*;

    pub struct Element {
        pub name: &'static str,
        pub parent: RefCell<Option<Rc<Element>>>,
        pub children: RefCell<Vec<Rc<Element>>>,
    }

    pub fn element(name: &'static str) -> Rc<Element> {
        Rc::new(Element { name, parent: RefCell::default(), children: RefCell::default() })
    }

    pub fn append(parent: &Rc<Element>, child: Rc<Element>) {
        // The bug: the parent owns the child, and the child owns the parent.
        *child.parent.borrow_mut() = Some(parent.clone());
        parent.children.borrow_mut().push(child);
    }
}

mod by_weak {
    use super::*;

    pub struct Element {
        pub name: &'static str,
        pub parent: RefCell<Weak<Element>>,
        pub children: RefCell<Vec<Rc<Element>>>,
    }

    pub fn element(name: &'static str) -> Rc<Element> {
        Rc::new(Element { name, parent: RefCell::default(), children: RefCell::default() })
    }

    pub fn append(parent: &Rc<Element>, child: Rc<Element>) {
        *child.parent.borrow_mut() = Rc::downgrade(parent);
        parent.children.borrow_mut().push(child);
    }
}

#[leakcheck::leak_check(threshold_bytes = 0)]
#[test]
fn a_child_that_owns_its_parent_leaks_the_document() {
    use by_rc::{append, element};
    let body = element("body");
    append(&body, element("p"));
    let child = body.children.borrow()[0].clone();
    assert_eq!(child.parent.borrow().as_ref().unwrap().name, "body");
}

#[leakcheck::leak_check(threshold_bytes = 0)]
#[test]
fn a_child_with_a_weak_reference_does_not() {
    use by_weak::{append, element};
    let body = element("body");
    append(&body, element("p"));
    let child = body.children.borrow()[0].clone();
    assert_eq!(child.parent.borrow().upgrade().unwrap().name, "body");
}
