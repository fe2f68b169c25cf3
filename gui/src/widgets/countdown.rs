//! Time that runs out: as a ring around the seconds, or as a line of text.

use crate::view::units::{self, countdown, seconds_until};
use crate::view::{Now, Until, words};
use gettextrs::{gettext, ngettext};
use gtk::glib;
use gtk::prelude::*;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// The ring's width and height, unless the text is large.
const SIZE: i32 = 168;
/// Width of the line.
const STROKE: f64 = 8.0;
const SECOND: Duration = Duration::from_secs(1);
/// Seconds before the end at which the rest is read out.
const READ_OUT: [u64; 4] = [60, 30, 10, 5];

/// The ring. It moves while it can be seen, and only then.
#[derive(Clone)]
pub struct Countdown(Rc<Ring>);

struct Ring {
    area: gtk::DrawingArea,
    seconds: gtk::Label,
    wait: Rc<Cell<Wait>>,
    moving: Cell<bool>,
}

#[derive(Clone, Copy, Default, PartialEq)]
struct Wait {
    deadline_usec: u64,
    whole_usec: u64,
    shown: u64,
}

impl Countdown {
    /// Inside of `overlay`.
    #[must_use]
    pub fn within(overlay: &gtk::Overlay) -> Self {
        let area = gtk::DrawingArea::builder()
            .content_width(SIZE)
            .content_height(SIZE)
            .accessible_role(gtk::AccessibleRole::Presentation)
            .css_classes(["ring"])
            .build();
        let seconds = gtk::Label::builder()
            .css_classes(["seconds"])
            .halign(gtk::Align::Center)
            .valign(gtk::Align::Center)
            .accessible_role(gtk::AccessibleRole::Timer)
            .build();
        overlay.set_child(Some(&area));
        overlay.add_overlay(&seconds);
        let wait = Rc::new(Cell::new(Wait::default()));
        let drawn = wait.clone();
        area.set_draw_func(move |area, context, width, height| {
            let rest = rest(drawn.get(), now_usec());
            let _ = draw(context, &area.color(), f64::from(width.min(height)), rest);
        });
        let ring = Rc::new(Ring {
            area,
            seconds,
            wait,
            moving: Cell::default(),
        });
        let that = Rc::downgrade(&ring);
        ring.area.connect_map(move |_| {
            if let Some(ring) = that.upgrade() {
                ring.run();
            }
        });
        Self(ring)
    }

    /// Counts to this from now on; `careful` for one that does harm.
    pub fn show(&self, deadline_usec: u64, whole_usec: u64, careful: bool) {
        let ring = &self.0;
        if ring.wait.get().deadline_usec == deadline_usec {
            return;
        }
        let left = deadline_usec.saturating_sub(now_usec());
        ring.wait.set(Wait {
            deadline_usec,
            whole_usec: if whole_usec > 0 { whole_usec } else { left },
            shown: u64::MAX,
        });
        match careful {
            true => ring.area.add_css_class("careful"),
            false => ring.area.remove_css_class("careful"),
        }
        ring.run();
    }

    /// Stops; what is left stays on the screen.
    pub fn stop(&self) {
        self.0.wait.set(Wait::default());
    }
}

impl Ring {
    fn run(self: &Rc<Self>) {
        if self.moving.replace(true) {
            return;
        }
        let that = Rc::downgrade(self);
        let step = move || match that.upgrade() {
            Some(ring) => ring.step(),
            None => glib::ControlFlow::Break,
        };
        if self.area.settings().is_gtk_enable_animations() {
            self.area.add_tick_callback(move |_, _| step());
        } else if step().is_continue() {
            // Whoever wants nothing to move is shown the seconds only.
            glib::timeout_add_local(SECOND, step);
        }
    }

    fn step(&self) -> glib::ControlFlow {
        let left = self.tick(self.wait.get());
        self.area.queue_draw();
        if left > 0 && self.area.is_mapped() {
            return glib::ControlFlow::Continue;
        }
        self.moving.set(false);
        glib::ControlFlow::Break
    }

    /// Shows the seconds when they have changed; how many there are.
    fn tick(&self, wait: Wait) -> u64 {
        let left = seconds_until(wait.deadline_usec, &now());
        if left != wait.shown {
            self.wait.set(Wait {
                shown: left,
                ..wait
            });
            self.seconds.set_text(&countdown(left));
            self.make_room();
            self.seconds
                .update_property(&[gtk::accessible::Property::Label(&in_words(left))]);
            if READ_OUT.contains(&left) {
                let priority = gtk::AccessibleAnnouncementPriority::Medium;
                self.seconds.announce(&in_words(left), priority);
            }
        }
        left
    }

    /// The ring is as large as the text wants it; it does not shrink with the digits.
    fn make_room(&self) {
        let (_, width, ..) = self.seconds.measure(gtk::Orientation::Horizontal, -1);
        let size = ring_around(width).max(self.area.content_width());
        self.area.set_content_width(size);
        self.area.set_content_height(size);
    }
}

/// A line of text with the time in it, once a second while it can be seen.
#[derive(Clone)]
pub struct Ticking(Rc<Clock>);

struct Clock {
    label: gtk::Label,
    until: RefCell<Option<Until>>,
    running: Cell<bool>,
}

impl Ticking {
    /// In `label`.
    #[must_use]
    pub fn of(label: gtk::Label) -> Self {
        let clock = Rc::new(Clock {
            label,
            until: RefCell::default(),
            running: Cell::default(),
        });
        let that = Rc::downgrade(&clock);
        clock.label.connect_map(move |_| {
            if let Some(clock) = that.upgrade() {
                clock.run();
            }
        });
        Self(clock)
    }

    /// Counts to this from now on.
    pub fn show(&self, until: Option<&Until>) {
        self.0.until.replace(until.cloned());
        self.0.label.set_visible(until.is_some());
        self.0.run();
    }
}

impl Clock {
    fn run(self: &Rc<Self>) {
        if self.tick() && !self.running.replace(true) {
            let that = Rc::downgrade(self);
            glib::timeout_add_local(SECOND, move || {
                let Some(clock) = that.upgrade() else {
                    return glib::ControlFlow::Break;
                };
                if clock.tick() {
                    return glib::ControlFlow::Continue;
                }
                clock.running.set(false);
                glib::ControlFlow::Break
            });
        }
    }

    /// Whether it goes on.
    fn tick(&self) -> bool {
        let until = self.until.borrow();
        let Some(until) = until.as_ref() else {
            return false;
        };
        let left = seconds_until(until.usec, &now());
        let text = words::fill(&until.text, "time", &units::rest(left));
        self.label.set_text(&text);
        left > 0 && self.label.is_mapped()
    }
}

/// The size of a ring around a text that is so wide: there is air between them.
fn ring_around(text_width: i32) -> i32 {
    SIZE.max(text_width * 3 / 2)
}

fn in_words(seconds: u64) -> String {
    let count = u32::try_from(seconds).unwrap_or(u32::MAX);
    let text = ngettext("{n} second left", "{n} seconds left", count);
    match seconds {
        0 => gettext("The time is up"),
        _ => words::fill(&text, "n", &seconds.to_string()),
    }
}

fn now_usec() -> u64 {
    u64::try_from(glib::monotonic_time()).unwrap_or(0)
}

fn now() -> Now {
    Now {
        monotonic_usec: now_usec(),
        ..Now::default()
    }
}

/// How much of the wait is left, from 0 to 1.
fn rest(wait: Wait, now_usec: u64) -> f64 {
    let left = wait.deadline_usec.saturating_sub(now_usec);
    (left as f64 / wait.whole_usec.max(1) as f64).min(1.0)
}

fn draw(
    context: &gtk::cairo::Context,
    colour: &gtk::gdk::RGBA,
    size: f64,
    rest: f64,
) -> Result<(), gtk::cairo::Error> {
    use std::f64::consts::{FRAC_PI_2, TAU};
    let (middle, radius) = (size / 2.0, (size - STROKE) / 2.0);
    let (red, green, blue) = (
        f64::from(colour.red()),
        f64::from(colour.green()),
        f64::from(colour.blue()),
    );
    context.set_line_width(STROKE);
    context.set_line_cap(gtk::cairo::LineCap::Round);
    context.set_source_rgba(red, green, blue, 0.18);
    context.arc(middle, middle, radius, 0.0, TAU);
    context.stroke()?;
    if rest > 0.0 {
        context.set_source_rgb(red, green, blue);
        context.arc(middle, middle, radius, -FRAC_PI_2, -FRAC_PI_2 + TAU * rest);
        context.stroke()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_shrinks_with_the_time() {
        let wait = Wait {
            deadline_usec: 100,
            whole_usec: 80,
            shown: 0,
        };
        assert_eq!(rest(wait, 20), 1.0);
        assert_eq!(rest(wait, 0), 1.0);
        assert_eq!(rest(wait, 60), 0.5);
        assert_eq!(rest(wait, 200), 0.0);
        assert_eq!(rest(Wait::default(), 5), 0.0);
    }

    #[test]
    fn large_digits_have_a_large_ring() {
        assert_eq!(ring_around(90), SIZE);
        assert_eq!(ring_around(180), 270);
    }

    #[test]
    fn what_is_read_out_is_a_sentence() {
        assert_eq!(in_words(1), "1 second left");
        assert_eq!(in_words(30), "30 seconds left");
        assert_eq!(in_words(0), "The time is up");
    }
}
