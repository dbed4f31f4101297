//! Workloads that allocate. The programs beside this crate run them under one allocator each.
//!
//! `PROGRAM WORKLOAD SIZE PARAMETER PASSES` runs a workload that many times, and prints a line
//! `ns N` for the nanoseconds of processor time, of all threads, that one operation of a pass took,
//! and at the end `peak_kb N`, the most memory that was resident.

mod calls;
mod channel;
mod churn;
mod json;
mod map;
mod vectors;

use cpu_time::ProcessTime;

/// Runs what it is given, watched by a program's allocator.
pub type Watch = fn(&mut dyn FnMut());

/// What the command line asks for.
struct Order {
    workload: String,
    /// How much there is to do; what of is the workload's own.
    size: u64,
    /// Threads, calls or call sites.
    parameter: u64,
    passes: u64,
}

/// Runs the workload that the command line names.
///
/// # Panics
///
/// When the command line is none.
pub fn run(watch: Watch, watch_thread: Watch) {
    let order = Order::read();
    watch(&mut || {
        for _ in 0..order.passes {
            let start = ProcessTime::now();
            let operations = order.work(watch_thread);
            let nanoseconds = start.elapsed().as_nanos();
            println!("ns {:.3}", nanoseconds as f64 / operations as f64);
        }
        if let Some(kilobytes) = peak() {
            println!("peak_kb {kilobytes}");
        }
    });
}

impl Order {
    fn read() -> Self {
        let mut arguments = std::env::args().skip(1);
        let workload = arguments.next().expect("a workload");
        let mut number = |what| {
            let text = arguments.next().unwrap_or_else(|| panic!("no {what}"));
            text.parse().unwrap_or_else(|_| panic!("`{text}` is no {what}"))
        };
        Self {
            workload,
            size: number("size"),
            parameter: number("parameter"),
            passes: number("number of passes"),
        }
    }

    /// Returns the number of operations.
    fn work(&self, watch_thread: Watch) -> u64 {
        let &Self { size, parameter, .. } = self;
        match self.workload.as_str() {
            "churn" => churn::on_threads(parameter, size, watch_thread),
            "vectors" => vectors::grow(size),
            "map" => map::fill(size),
            "channel" => channel::hand_over(size, watch_thread),
            "json" => json::parse(size),
            "depth-hot" => calls::hot(parameter, size),
            "depth-alternating" => calls::alternating(parameter, size),
            "sites" => calls::sites(parameter, size),
            other => panic!("`{other}` is no workload"),
        }
    }
}

/// The most memory that was resident, in kilobytes of 1,024 bytes, where the system tells.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
