//! The person's end of the lender: its screen, its keys, its beeper and sound cards.
//!
//! A thread of its own with one loop, so that a slow screen holds nothing up. It learns how
//! things stand by the [`Outlook`] and says there what the person wants; it decides nothing.

mod face;
mod flow;
mod hands;
mod keyboards;
mod page;
mod paint;
mod screen;
mod speakers;
mod tune;
mod wave;
mod wires;
mod words;

use std::mem::discriminant;
use std::time::{Duration, Instant};

use stiefel_core::control::DiskStatus;
use stiefel_core::net::MacAddress;
use stiefel_linux::block::Disk;
use stiefel_linux::input::Stroke;
use stiefel_linux::terminal::Size;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep_until;

use super::health;
use super::outlook::{Alarm, Outlook, POWER_KEY, Said, Shown, Standing};
use crate::console;
use face::{Offer, View};
use flow::Flow;
use hands::{Hands, Wish};
use keyboards::Heard;
use screen::Screen;
use speakers::Speakers;
use tune::Player;
use wires::Wires;

/// The module by which keys are read.
pub const MODULE: &str = "evdev";

/// How often a screen that is on is drawn anew, if there is anything new.
const DRAW_EVERY: Duration = Duration::from_secs(1);

/// Why the loop goes on.
enum Wake {
    Shown,
    Alarm(Alarm),
    Keys(Heard),
    Disk,
    Time,
}

/// Starts the panel: it is there until the loop drops its end.
///
/// # Errors
/// No memory for threads.
pub fn start(outlook: Outlook, disk: Disk, links: Vec<MacAddress>) -> anyhow::Result<()> {
    let name = disk.name.clone();
    let health = health::watch(disk)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name("panel".into())
        .spawn(move || {
            runtime.block_on(sit(
                outlook,
                health,
                Devices {
                    disk: name,
                    wires: Wires::new(links),
                },
            ))
        })?;
    Ok(())
}

async fn sit(
    mut outlook: Outlook,
    mut health: watch::Receiver<Option<DiskStatus>>,
    devices: Devices,
) {
    let mut keys = match keyboards::listen() {
        Ok(keys) => Some(keys),
        Err(error) => {
            console::warn(&format!("No keys: {error:#}."));
            None
        }
    };
    // The screen's own words to the kernel change what the command line said.
    let dark_after = screen::dark_after().unwrap_or(hands::DARK_AFTER);
    let now = Instant::now();
    let mut panel = Panel::new(Screen::open(), outlook.say.clone(), devices, now);
    panel.hands = Hands::new(dark_after, now);
    match Speakers::start() {
        Ok(speakers) => panel.speakers = Some(speakers),
        Err(error) => console::warn(&format!("No sound cards: {error}.")),
    }
    loop {
        let due = panel.due();
        let wake = tokio::select! {
            changed = outlook.shown.changed() => match changed {
                Ok(()) => Wake::Shown,
                Err(_) => break,
            },
            Some(alarm) = outlook.alarms.recv() => Wake::Alarm(alarm),
            Some(heard) = next_key(&mut keys) => Wake::Keys(heard),
            Ok(()) = health.changed() => Wake::Disk,
            () = sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => Wake::Time,
        };
        let now = Instant::now();
        match wake {
            Wake::Shown => panel.shown(outlook.shown.borrow_and_update().clone(), now),
            Wake::Alarm(alarm) => panel.alarmed(alarm, now),
            Wake::Keys(Heard::AreThere(there)) => panel.has_keys = there,
            Wake::Keys(Heard::Strokes(strokes)) => {
                for stroke in strokes {
                    panel.touched(stroke, now);
                }
            }
            Wake::Disk => panel.disk(health.borrow_and_update().clone()),
            Wake::Time => panel.look_at_clock(now),
        }
        panel.refresh(now);
    }
    panel.leave();
}

async fn next_key(keys: &mut Option<mpsc::Receiver<Heard>>) -> Option<Heard> {
    match keys {
        Some(keys) => keys.recv().await,
        None => None,
    }
}

/// What the panel looks at by itself.
struct Devices {
    /// The kernel's name of the lent disk.
    disk: String,
    wires: Wires,
}

struct Panel {
    screen: Option<Screen>,
    say: mpsc::Sender<Said>,
    shown: Option<Shown>,
    disk: Option<DiskStatus>,
    disk_failed: bool,
    has_keys: bool,
    hands: Hands,
    flow: Flow,
    player: Player,
    speakers: Option<Speakers>,
    devices: Devices,
    draw_at: Instant,
}

impl Panel {
    fn new(
        screen: Option<Screen>,
        say: mpsc::Sender<Said>,
        devices: Devices,
        now: Instant,
    ) -> Self {
        Self {
            screen,
            say,
            shown: None,
            disk: None,
            disk_failed: false,
            has_keys: false,
            hands: Hands::new(hands::DARK_AFTER, now),
            flow: Flow::default(),
            player: Player::default(),
            speakers: None,
            devices,
            draw_at: now,
        }
    }

    /// When [`Panel::look_at_clock`] is due.
    fn due(&self) -> Option<Instant> {
        let drawing = self.screen.is_some() && !self.hands.is_dark();
        drawing
            .then_some(self.draw_at)
            .into_iter()
            .chain(self.hands.deadline())
            .chain(self.player.next(Instant::now()))
            .min()
    }

    fn look_at_clock(&mut self, now: Instant) {
        self.hands.look_at_clock(now);
        if let Some(tone) = self.player.at(now)
            && let Some(screen) = &self.screen
        {
            screen.tone(tone);
        }
    }

    fn shown(&mut self, shown: Option<Shown>, now: Instant) {
        if let (Some(old), Some(new)) = (&self.shown, &shown) {
            if face::offer(old) != face::offer(new) {
                self.hands.ask_no_more();
            }
            if weighty(old) != weighty(new) {
                self.hands.wake(now);
                self.draw_at = now;
            }
        }
        self.shown = shown;
    }

    fn alarmed(&mut self, alarm: Alarm, now: Instant) {
        self.disk_failed |= alarm == Alarm::DiskFailed;
        if let Some(tune) = self.player.add(alarm)
            && let Some(speakers) = &self.speakers
        {
            speakers.play(tune);
        }
        self.hands.wake(now);
        self.draw_at = now;
    }

    fn touched(&mut self, stroke: Stroke, now: Instant) {
        let said = match self.hands.touched(stroke, now) {
            None => None,
            Some(Wish::Power) => Some(POWER_KEY),
            Some(Wish::Answered) => {
                self.shown
                    .as_ref()
                    .and_then(face::offer)
                    .map(|offer| match offer {
                        Offer::AskBack => Said::AskBack { within: None },
                        Offer::CallOff => Said::CallOff,
                        Offer::TakeBack => Said::TakeBack,
                    })
            }
        };
        if let Some(said) = said {
            // Whoever types that fast says it again.
            let _ = self.say.try_send(said);
        }
        self.draw_at = now;
    }

    fn disk(&mut self, disk: Option<DiskStatus>) {
        if let Some(status) = &disk {
            let _ = self.say.try_send(Said::Disk(status.clone()));
        }
        self.disk = disk;
    }

    /// Brings the screen up to date, if it is time for that.
    fn refresh(&mut self, now: Instant) {
        let Some(screen) = &mut self.screen else {
            return;
        };
        screen.light(!self.hands.is_dark());
        if self.hands.is_dark() || now < self.draw_at {
            return;
        }
        self.draw_at = now + DRAW_EVERY;
        let Some(shown) = &self.shown else {
            return;
        };
        let counted = flow::counted(&self.devices.disk).unwrap_or_default();
        let rates = self.flow.at(now, counted);
        let view = View {
            shown,
            now,
            rates,
            wires: self.devices.wires.at(now),
            disk: self.disk.as_ref(),
            disk_failed: self.disk_failed,
            keys: self.has_keys,
            asking: self.hands.is_asking(),
        };
        screen.show(|size: Size| face::draw(&view, size));
    }

    /// The loop has ended: if the loan has not, what went wrong is in the log.
    fn leave(self) {
        let over = matches!(
            self.shown,
            Some(Shown {
                standing: Standing::Over(_),
                ..
            })
        );
        if let Some(screen) = self.screen
            && !over
        {
            screen.give_way();
        }
    }
}

/// What a person who has turned away should see the change of.
fn weighty(shown: &Shown) -> impl PartialEq + use<> {
    (
        discriminant(&shown.standing),
        shown.level,
        shown.asked_back.is_some(),
        shown.power.on_mains,
    )
}

#[cfg(test)]
mod tests;
