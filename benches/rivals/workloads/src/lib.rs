//! Workloads that allocate. Each program in `benches/rivals` runs them with a different allocator.
//!
//! `PROGRAM WORKLOAD SIZE PARAMETER PASSES` runs a workload PASSES times. For each pass it prints a line `ns N`, the
//! processor time of all threads per operation in nanoseconds, and at the end `peak_kib N`, the peak resident memory.

mod calls;
mod channel;
mod churn;
mod idle;
mod json;
mod map;
mod vectors;

use cpu_time::ProcessTime;

/// Runs a closure under the watch of the program's allocator.
pub type Watch = fn(&mut dyn FnMut());

/// The parsed command line.
struct Arguments {
    workload: String,
    /// The number of operations, in units that depend on the workload.
    size: u64,
    /// The number of threads, calls or call sites.
    parameter: u64,
    passes: u64,
}

/// Runs the workload that the command line names.
///
/// # Panics
///
/// If the command line is invalid.
pub fn run(watch: Watch, watch_thread: Watch) {
    let arguments = Arguments::read();
    watch(&mut || {
        for _ in 0..arguments.passes {
            let start = ProcessTime::now();
            let operations = arguments.run(watch_thread);
            let nanoseconds = start.elapsed().as_nanos();
            println!("ns {:.3}", nanoseconds as f64 / operations as f64);
        }
        if let Some(kib) = peak_kib() {
            println!("peak_kib {kib}");
        }
    });
}

/// Returns whether the blocks of the workload stay allocated, so that the tool has something to
/// report at the end.
pub fn leaks() -> bool {
    std::env::args().nth(1).as_deref() == Some("kept-sites")
}

impl Arguments {
    fn read() -> Self {
        let mut arguments = std::env::args().skip(1);
        let workload = arguments.next().expect("missing workload");
        let mut number = |what| {
            let text = arguments.next().unwrap_or_else(|| panic!("missing {what}"));
            text.parse().unwrap_or_else(|_| panic!("invalid {what} `{text}`"))
        };
        Self {
            workload,
            size: number("size"),
            parameter: number("parameter"),
            passes: number("number of passes"),
        }
    }

    /// Returns the number of operations.
    fn run(&self, watch_thread: Watch) -> u64 {
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
            "kept-sites" => calls::kept_sites(size),
            "descend" => calls::descend(size, watch_thread),
            "idle-threads" => idle::threads(size, watch_thread),
            other => panic!("unknown workload `{other}`"),
        }
    }
}

/// The peak resident memory in KiB, on systems that report it.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
