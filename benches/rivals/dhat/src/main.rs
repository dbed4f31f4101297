//! dhat: heap profiling, set up as in its documentation.

#[global_allocator]
static ALLOC: dhat::Alloc = dhat::Alloc;

fn main() {
    rival_workloads::run(
        |workload| {
            let _profiler = dhat::Profiler::new_heap();
            workload();
            assert!(dhat::HeapStats::get().total_blocks > 0);
            if rival_workloads::leaks() {
                return;
            }
            // Exit before the profiler writes its file, which is not part of the benchmark.
            std::process::exit(0);
        },
        |thread| thread(),
    );
}
