//! Printing. Under libtest the output of a test is kept in a buffer until the test is over, so the
//! buffer grows inside the test: see tests.rs, which allows for that.
pub fn trigger() {
    println!("a line of output from a test");
    eprintln!("a line of error output from a test");
}
