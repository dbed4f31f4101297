//! Lesson 3: a cache without a size limit leaks; a bounded cache does not.
//!
//!     cargo test -p leakcheck-examples --test leaky_cache
//!
//! The run ends red, on purpose: two tests make the same requests. The first fills an unbounded cache and fails; the
//! second fills a cache of 16 pages and passes. The limit of the tests is what a cache may keep.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, LazyLock, Mutex};

static UNBOUNDED: LazyLock<Mutex<PageCache>> =
    LazyLock::new(|| Mutex::new(PageCache::new(usize::MAX)));
static BOUNDED: LazyLock<Mutex<PageCache>> = LazyLock::new(|| Mutex::new(PageCache::new(16)));

/// Rendered pages; `order` lists their URLs, oldest first.
struct PageCache {
    capacity: usize,
    pages: HashMap<String, Arc<str>>,
    order: VecDeque<String>,
}

impl PageCache {
    fn new(capacity: usize) -> Self {
        Self { capacity, pages: HashMap::new(), order: VecDeque::new() }
    }

    fn get(&mut self, url: &str) -> Arc<str> {
        if let Some(page) = self.pages.get(url) {
            return page.clone();
        }
        if self.pages.len() >= self.capacity {
            let oldest = self.order.pop_front().expect("every page is in `order`");
            self.pages.remove(&oldest);
        }
        let page = render(url);
        self.pages.insert(url.to_owned(), page.clone());
        self.order.push_back(url.to_owned());
        page
    }
}

fn render(url: &str) -> Arc<str> {
    let row = format!("<li>result for {url}</li>\n");
    row.repeat(100).into()
}

/// Every request has a different query, like those of a crawler.
fn crawl(cache: &Mutex<PageCache>) {
    for query in 0..1000 {
        let page = cache.lock().unwrap().get(&format!("/search?q={query}"));
        assert!(page.ends_with("</li>\n"));
    }
}

#[leakcheck::leak_check(threshold_mb = 0.25)]
#[test]
fn crawling_fills_an_unbounded_cache() {
    crawl(&UNBOUNDED);
}

#[leakcheck::leak_check(threshold_mb = 0.25)]
#[test]
fn crawling_does_not_fill_a_bounded_cache() {
    crawl(&BOUNDED);
}
