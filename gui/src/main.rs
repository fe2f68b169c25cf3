//! The application "Lend my disk".

fn main() {}
