use leakcheck::leak_check;

#[leak_check]
fn number() -> u8 {
    let text: u8 = "one";
    "two"
}

#[leak_check]
async fn later() -> u8 {
    let text: u8 = "one";
    "two"
}

#[leak_check]
fn nothing() {
    3
}

fn main() {
    number();
    drop(later());
    nothing();
}
