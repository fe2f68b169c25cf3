//! The firmware's boot variables, as files of efivarfs: four bytes of attributes, then the
//! content. A file is written by one call of write(2) (Documentation/filesystems/efivarfs.rst).

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::load_option::starts_below;
use crate::Error;

/// `EFI_GLOBAL_VARIABLE` (UEFI Specification 2.10, section 3.3).
const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
/// Kept over a reset, and seen by firmware and system alike.
const ATTRIBUTES: u32 = 1 | 2 | 4;
/// What our programs lie below.
const OURS: &str = "\\EFI\\stiefelsystem\\";

/// The folder where efivarfs is mounted.
pub(super) struct Firmware<'a>(pub &'a Path);

impl Firmware<'_> {
    /// Adds a load option behind all others; one that is there already keeps its number.
    pub fn add(&self, option: &[u8]) -> Result<u16, Error> {
        let options = self.options()?;
        let same = options.iter().find(|(_, content)| content == option);
        let free = || (0..=u16::MAX).find(|number| options.iter().all(|(n, _)| n != number));
        let number = same
            .map(|(number, _)| *number)
            .or_else(free)
            .ok_or(Error::NoUefi)?;
        if same.is_none() {
            self.write(&name(number), option)?;
        }
        let mut order = self.order()?;
        if !order.contains(&number) {
            order.push(number);
            self.write_order(&order)
                .inspect_err(|_| drop(fs::remove_file(self.path(&name(number)))))?;
        }
        Ok(number)
    }

    /// Which one is started next, once.
    pub fn set_next(&self, number: u16) -> Result<(), Error> {
        self.write("BootNext", &number.to_le_bytes())
    }

    /// Takes all of ours out; whether there were any.
    pub fn remove(&self) -> Result<bool, Error> {
        let options = self.options()?;
        let ours: Vec<u16> = options
            .iter()
            .filter(|(_, content)| starts_below(content, OURS))
            .map(|(number, _)| *number)
            .collect();
        if ours.is_empty() {
            return Ok(false);
        }
        let mut order = self.order()?;
        order.retain(|number| !ours.contains(number));
        self.write_order(&order)?;
        if self
            .read("BootNext")?
            .is_some_and(|next| ours.iter().any(|number| next == number.to_le_bytes()))
        {
            self.delete("BootNext")?;
        }
        for number in ours {
            self.delete(&name(number))?;
        }
        Ok(true)
    }

    /// All load options, by their numbers.
    fn options(&self) -> Result<Vec<(u16, Vec<u8>)>, Error> {
        let entries = fs::read_dir(self.0).map_err(Error::file("read", self.0))?;
        let numbers = entries.flatten().filter_map(|entry| {
            let file = entry.file_name().into_string().ok()?;
            let number = file.strip_suffix(GLOBAL)?.strip_suffix('-')?;
            let digits = number.strip_prefix("Boot").filter(|text| text.len() == 4)?;
            u16::from_str_radix(digits, 16).ok()
        });
        let mut options = Vec::new();
        for number in numbers {
            if let Some(content) = self.read(&name(number))? {
                options.push((number, content));
            }
        }
        Ok(options)
    }

    fn order(&self) -> Result<Vec<u16>, Error> {
        let bytes = self.read("BootOrder")?.unwrap_or_default();
        Ok(bytes
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .collect())
    }

    fn write_order(&self, order: &[u16]) -> Result<(), Error> {
        let bytes: Vec<u8> = order
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect();
        match bytes.is_empty() {
            // A variable without content is none.
            true => self.delete("BootOrder"),
            false => self.write("BootOrder", &bytes),
        }
    }

    fn read(&self, variable: &str) -> Result<Option<Vec<u8>>, Error> {
        let path = self.path(variable);
        match fs::read(&path) {
            Ok(bytes) => Ok(bytes.get(4..).map(<[u8]>::to_vec)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::file("read", &path)(error)),
        }
    }

    fn write(&self, variable: &str, content: &[u8]) -> Result<(), Error> {
        let path = self.path(variable);
        let bytes = [&ATTRIBUTES.to_le_bytes(), content].concat();
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .and_then(|mut file| file.write_all(&bytes))
            .map_err(|source| Error::Variable {
                name: variable.to_owned(),
                source,
            })
    }

    fn delete(&self, variable: &str) -> Result<(), Error> {
        match fs::remove_file(self.path(variable)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::Variable {
                name: variable.to_owned(),
                source: error,
            }),
            _ => Ok(()),
        }
    }

    fn path(&self, variable: &str) -> PathBuf {
        self.0.join(format!("{variable}-{GLOBAL}"))
    }
}

fn name(number: u16) -> String {
    format!("Boot{number:04X}")
}
