//! dhat: heap profiling, as its page describes it.

#[global_allocator]
static ALLOC: dhat::Alloc = dhat::Alloc;

fn main() {
    rival_workloads::run(
        |workload| {
            let _profiler = dhat::Profiler::new_heap();
            workload();
            assert!(dhat::HeapStats::get().total_blocks > 0);
            // Ends before the profiler would write its file: no part of what is timed.
            std::process::exit(0);
        },
        |thread| thread(),
    );
}
