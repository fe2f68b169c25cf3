//! The daemon that lends this machine's disk.

fn main() -> anyhow::Result<()> {
    stiefeld::main()
}
