//! A virtual terminal: what is shown on it, whether it is dark, and the beeper behind it.
//!
//! Sources: ioctl_console(2), console_codes(4), drivers/tty/vt/vt.c.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use rustix::io::Errno;
use rustix::ioctl::{IntegerSetter, Opcode, Updater, ioctl};

use crate::error::{Result, Tried};

/// `TIOCLINUX` and its subcodes (include/uapi/linux/tiocl.h).
const TIOCLINUX: Opcode = 0x541C;
const UNBLANK: u8 = 4;
const KERNEL_LOG_TO: u8 = 11;
const BLANK: u8 = 14;
/// `KIOCSOUND` (include/uapi/linux/kd.h).
const KIOCSOUND: Opcode = 0x4B2F;
/// `VT_ACTIVATE` (include/uapi/linux/vt.h).
const VT_ACTIVATE: Opcode = 0x5606;
/// Ticks of the timer that makes the tone, each second (include/linux/timex.h, `PIT_TICK_RATE`).
const TICKS: u32 = 1_193_182;

/// A terminal's size, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Size {
    /// Characters in a row.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

/// A virtual terminal, `/dev/tty1` and following.
#[derive(Debug)]
pub struct Terminal {
    file: File,
    path: PathBuf,
    number: u8,
}

impl Terminal {
    /// Opens terminal `number`, from 1; the kernel makes one that is not there. Never blocks.
    pub fn open(number: u8) -> Result<Self> {
        let path = PathBuf::from(format!("/dev/tty{number}"));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK)
            .open(&path)
            .tried(|| format!("cannot open {}", path.display()))?;
        Ok(Self { file, path, number })
    }

    /// How large it is; may change when a driver of the screen comes.
    pub fn size(&self) -> Result<Size> {
        let mut size = libc::winsize {
            ws_row: 0,
            ws_col: 0,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        // SAFETY: this request fills in a `winsize` (ioctl_tty(2)).
        #[allow(unsafe_code)]
        let asked = unsafe {
            let request = Updater::<{ libc::TIOCGWINSZ as Opcode }, libc::winsize>::new(&mut size);
            ioctl(&self.file, request)
        };
        asked.tried(|| format!("cannot ask for the size of {}", self.path.display()))?;
        Ok(Size {
            columns: size.ws_col,
            rows: size.ws_row,
        })
    }

    /// Writes as much as it takes at once; one that was stopped by a key takes nothing.
    pub fn write(&self, bytes: &[u8]) -> Result<()> {
        match (&self.file).write_all(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            written => written.tried(|| format!("cannot write to {}", self.path.display())),
        }
    }

    /// Shows nothing of what is typed, nor lets Ctrl-S stop it.
    pub fn ignore_typing(&self) -> Result<()> {
        let tried = || format!("cannot silence {}", self.path.display());
        // SAFETY: both calls take a descriptor that lives and a structure of the right kind;
        // all zeroes is one, and it is only used when the first call has filled it in.
        #[allow(unsafe_code)]
        let result = unsafe {
            use std::os::fd::AsRawFd;
            let mut settings: libc::termios = std::mem::zeroed();
            let mut result = libc::tcgetattr(self.file.as_raw_fd(), &raw mut settings);
            if result == 0 {
                settings.c_lflag &= !(libc::ECHO | libc::ICANON | libc::ISIG);
                settings.c_iflag &= !libc::IXON;
                result = libc::tcsetattr(self.file.as_raw_fd(), libc::TCSANOW, &raw const settings);
            }
            result
        };
        match result {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()).tried(tried),
        }
    }

    /// Makes the screen dark; drivers of graphics cards switch it off. It stays so, whatever is
    /// written or typed, until [`Terminal::unblank`].
    pub fn blank(&self) -> Result<()> {
        self.linux([BLANK, 0])
    }

    /// Shows what is on it again.
    pub fn unblank(&self) -> Result<()> {
        self.linux([UNBLANK, 0])
    }

    /// Sounds a tone on every beeper of the machine until another one or 0, which is silence.
    /// A machine without a beeper stays silent and does not say so.
    pub fn tone(&self, hertz: u16) -> Result<()> {
        let ticks = match hertz {
            0 => 0,
            hertz => TICKS / u32::from(hertz),
        };
        // SAFETY: this request takes a number, of which the kernel looks at 16 bits at most.
        #[allow(unsafe_code)]
        let asked = unsafe {
            ioctl(
                &self.file,
                IntegerSetter::<KIOCSOUND>::new_usize(ticks as usize),
            )
        };
        asked.tried(|| "cannot sound the beeper".into())
    }

    fn linux(&self, mut words: [u8; 2]) -> Result<()> {
        // SAFETY: of these subcodes, the kernel reads two bytes at most and writes none.
        #[allow(unsafe_code)]
        let asked = unsafe { ioctl(&self.file, Updater::<TIOCLINUX, [u8; 2]>::new(&mut words)) };
        asked.tried(|| format!("{} does not know request {}", self.path.display(), words[0]))
    }
}

/// Sends what the kernel says to another terminal than the one that is looked at; undone when
/// it goes. Serial consoles get it as before.
#[derive(Debug)]
pub struct KernelLog(Terminal);

impl KernelLog {
    /// To terminal `number`, which is made for it.
    pub fn send_to(number: u8) -> Result<Self> {
        let terminal = Terminal::open(number)?;
        terminal.linux([KERNEL_LOG_TO, number])?;
        Ok(Self(terminal))
    }

    /// Shows that other terminal instead of the one that is looked at.
    pub fn bring_to_front(&self) -> Result<()> {
        let number = self.0.number;
        // SAFETY: this request takes a terminal's number.
        #[allow(unsafe_code)]
        let asked = unsafe {
            ioctl(
                &self.0.file,
                IntegerSetter::<VT_ACTIVATE>::new_usize(number.into()),
            )
        };
        asked.tried(|| format!("cannot switch to {}", self.0.path.display()))
    }
}

impl Drop for KernelLog {
    fn drop(&mut self) {
        // Nothing can be done about it, and nobody could be told.
        let _ = self.0.linux([KERNEL_LOG_TO, 0]);
    }
}

/// Whether this kernel has no such terminal, as opposed to one that fails.
pub fn is_missing(error: &crate::Error) -> bool {
    [Errno::NOENT, Errno::NXIO, Errno::NODEV]
        .into_iter()
        .any(|errno| error.is(errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_that_is_not_there_is_told_apart() {
        // No machine has so many.
        let error = Terminal::open(255).unwrap_err();
        assert!(is_missing(&error), "{error}");
        assert!(error.to_string().contains("/dev/tty255"), "{error}");
    }
}
