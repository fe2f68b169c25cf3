//! Removable drives.

/// A drive that can be taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drive {
    /// The kernel's name, e.g. `sdb`.
    pub name: String,
    /// The kernel's numbers of it, major and minor.
    pub device: (u32, u32),
    /// Maker and model, or empty.
    pub model: String,
    /// Serial number, or empty.
    pub serial: String,
    /// Bytes, 0 without a medium.
    pub size: u64,
    /// What it is plugged into, e.g. `usb`, or empty.
    pub bus: String,
    /// Labels or kinds of the file systems on it.
    pub volumes: Vec<String>,
    /// Who uses it.
    pub usage: Usage,
}

/// Who uses a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// Nobody.
    Free,
    /// File systems on it are mounted.
    Mounted,
    /// Something else.
    Busy,
    /// It refuses to be written to.
    ReadOnly,
}
