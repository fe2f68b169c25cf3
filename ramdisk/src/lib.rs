//! The ramdisk's program: PID 1 in the roles *serve*, *fetch* and *attach*.

pub mod console;
pub mod early;
pub mod hardware;
