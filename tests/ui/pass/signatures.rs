//! Visibility, generics, lifetimes, receivers and patterns of the function are kept.

use leakcheck::leak_check;
use std::fmt::Debug;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::rc::Rc;

mod inner {
    use super::leak_check;

    #[leak_check]
    pub(in crate::inner) fn visible_in_the_module() -> u8 {
        1
    }

    #[leak_check]
    pub(crate) fn visible_in_the_crate() -> u8 {
        visible_in_the_module()
    }
}

#[leak_check]
fn generic<'a, T, const N: usize>(items: &'a [T; N], other: &'a T) -> &'a T
where
    T: PartialEq + Debug,
{
    items.iter().find(|item| *item == other).unwrap_or(other)
}

#[leak_check]
fn any_lifetime<F>(call: F) -> usize
where
    F: for<'a> Fn(&'a str) -> &'a str,
{
    call("text").len()
}

#[leak_check]
fn impl_trait_arguments(text: impl Into<String>, print: &dyn Fn(&str) -> usize) -> usize {
    print(&text.into())
}

#[leak_check]
fn impl_trait_result<'a>(text: &'a str, _other: &str) -> Option<impl Iterator<Item = char> + use<'a>> {
    if text.is_empty() {
        return None;
    }
    Some(text.chars())
}

#[leak_check]
fn patterns((a, mut b): (u8, u8), [first, .., last]: [u8; 4], mut list: Vec<u8>) -> Vec<u8> {
    b += a;
    list.extend([b, first, last]);
    list
}

#[leak_check]
extern "C" fn c_abi(number: u8) -> u8 {
    number + 1
}

#[leak_check]
fn controlled(number: u8) -> ControlFlow<u8, u8> {
    if number > 3 {
        ControlFlow::Break(number)?
    }
    ControlFlow::Continue(number)
}

#[leak_check]
fn returned_early(list: &[u8]) {
    for number in list {
        if *number > 3 {
            return;
        }
    }
    unreachable!();
}

#[leak_check]
fn function_pointer() -> fn(u8) -> u8 {
    |number| number + 1
}

#[leak_check]
fn boxed() -> Box<dyn Debug> {
    Box::new(3)
}

struct Basket<T> {
    items: Vec<T>,
}

impl<T: Clone> Basket<T> {
    #[leak_check]
    fn empty() -> Self {
        Self { items: Vec::new() }
    }

    #[leak_check]
    fn fill(&mut self, item: T) -> &mut Self {
        self.items.push(item);
        self
    }

    #[leak_check]
    fn first(&self) -> Option<&T> {
        self.items.first()
    }

    #[leak_check]
    fn shared(self: Rc<Self>) -> usize {
        Rc::strong_count(&self)
    }

    #[leak_check]
    fn pinned(self: Pin<&mut Self>) -> Pin<&mut Self> {
        self
    }

    #[leak_check]
    fn emptied(mut self) -> Vec<T> {
        self.items.split_off(0)
    }
}

trait Shape {
    #[leak_check]
    fn corners(&self) -> usize {
        3
    }

    fn sides(&self) -> usize;
}

impl Shape for () {
    #[leak_check]
    fn sides(&self) -> usize {
        self.corners()
    }
}

fn main() {
    assert_eq!(inner::visible_in_the_crate(), 1);
    assert_eq!(*generic(&[1, 2], &2), 2);
    assert_eq!(any_lifetime(|text| &text[1..]), 3);
    assert_eq!(impl_trait_arguments("text", &str::len), 4);
    assert_eq!(impl_trait_result("text", &String::from("other")).map(Iterator::count), Some(4));
    assert_eq!(patterns((1, 2), [3, 4, 5, 6], vec![0]), [0, 3, 3, 6]);
    assert_eq!(c_abi(1), 2);
    assert_eq!(controlled(4), ControlFlow::Break(4));
    returned_early(&[4]);
    assert_eq!(function_pointer()(1), 2);
    assert_eq!(format!("{:?}", boxed()), "3");
    let mut basket = Basket::empty();
    basket.fill(1).fill(2);
    assert_eq!(basket.first(), Some(&1));
    assert_eq!(Pin::new(&mut basket).pinned().items, [1, 2]);
    assert_eq!(basket.emptied(), [1, 2]);
    assert_eq!(Rc::new(Basket::<u8>::empty()).shared(), 1);
    assert_eq!(().sides(), 3);
}
