// Rust's bcrypt crate: hash COST COUNT
fn main() {
    let numbers: Vec<u32> = std::env::args().skip(1).map(|a| a.parse().unwrap()).collect();
    for _ in 0..numbers[1] {
        assert!(bcrypt::hash("correct horse battery", numbers[0]).unwrap().starts_with("$2b$"));
    }
}
