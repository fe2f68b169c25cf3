//! The screen and the beeper: one terminal of the kernel's.

use std::fs;
use std::time::Duration;

use stiefel_linux::terminal::{self, KernelLog, Size, Terminal};
use stiefel_linux::{Result, backlight};

use super::page::Line;
use super::paint;
use crate::console;

/// The terminal that is in front after a start.
const FRONT: u8 = 1;
/// The terminal for what the kernel and we say: Alt+F2.
const LOG: u8 = 2;

/// The kernel's own setting of when a screen that is not needed goes dark, seconds; 0, which is
/// its default, is never. Whoever gives it on the command line means this screen, too.
const DARK_AFTER: &str = "/sys/module/kernel/parameters/consoleblank";

/// After how long the screen shall go dark, if the command line says so.
pub fn dark_after() -> Option<Duration> {
    let secs = fs::read_to_string(DARK_AFTER).ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(secs)).filter(|time| !time.is_zero())
}

pub struct Screen {
    terminal: Terminal,
    log: KernelLog,
    light: bool,
    /// What is on it.
    drawn: String,
    size: Option<Size>,
}

impl Screen {
    /// Takes the screen over; `None` for a machine that has none, as many servers.
    pub fn open() -> Option<Self> {
        match Self::try_open() {
            Ok(screen) => Some(screen),
            Err(error) if terminal::is_missing(&error) => None,
            Err(error) => {
                console::warn(&format!("The screen shows no more than this: {error}."));
                None
            }
        }
    }

    fn try_open() -> Result<Self> {
        let terminal = Terminal::open(FRONT)?;
        terminal.ignore_typing()?;
        let log = KernelLog::send_to(LOG)?;
        terminal.unblank()?;
        terminal.write(paint::BEGIN.as_bytes())?;
        Ok(Self {
            terminal,
            log,
            light: true,
            drawn: String::new(),
            size: None,
        })
    }

    /// Switches it on or off.
    pub fn light(&mut self, light: bool) {
        if self.light == light {
            return;
        }
        self.light = light;
        backlight::switch(light);
        // A driver that cannot leaves it as it is.
        let _ = if light {
            self.terminal.unblank()
        } else {
            self.terminal.blank()
        };
        self.drawn.clear();
    }

    /// Shows these rows, if they are others than those that are there.
    pub fn show(&mut self, draw: impl FnOnce(Size) -> Vec<Line>) {
        let Ok(size) = self.terminal.size() else {
            return;
        };
        let painted = paint::paint(&draw(size));
        if self.size.replace(size) != Some(size) {
            let _ = self.terminal.write(paint::BEGIN.as_bytes());
        } else if painted == self.drawn {
            return;
        }
        // What does not get there does so in a second.
        if self.terminal.write(painted.as_bytes()).is_ok() {
            self.drawn = painted;
        }
    }

    /// Sounds a tone, or none.
    pub fn tone(&self, hertz: u16) {
        // There is no other way to tell somebody who does not look.
        let _ = self.terminal.tone(hertz);
    }

    /// Shows the log instead.
    pub fn give_way(mut self) {
        self.light(true);
        self.tone(super::tune::SILENCE);
        let _ = self.terminal.write(paint::END.as_bytes());
        let _ = self.log.bring_to_front();
    }
}
