//! The drawing of two computers and the cable between them.

use crate::view::{Look, Scene};
use gtk::cairo::{Context, Error, LineCap, LineJoin};
use gtk::gdk::RGBA;
use gtk::prelude::*;
use std::cell::RefCell;
use std::f64::consts::{FRAC_PI_2, PI, TAU};
use std::rc::Rc;

/// The drawing's own size; it is scaled to what there is.
const WIDTH: f64 = 320.0;
const HEIGHT: f64 = 96.0;

/// The drawing, and the names below it.
#[derive(Clone)]
pub struct Cable {
    whole: gtk::Box,
    area: gtk::DrawingArea,
    names: [gtk::Label; 2],
    scene: Rc<RefCell<Option<Scene>>>,
}

impl Cable {
    /// Inside of `whole`.
    #[must_use]
    pub fn within(whole: gtk::Box) -> Self {
        let area = gtk::DrawingArea::builder()
            .content_width(WIDTH as i32)
            .content_height(HEIGHT as i32)
            .halign(gtk::Align::Center)
            .accessible_role(gtk::AccessibleRole::Img)
            .css_classes(["scene", "lit"])
            .build();
        let name = || {
            gtk::Label::builder()
                .ellipsize(gtk::pango::EllipsizeMode::End)
                .wrap(true)
                .lines(2)
                .justify(gtk::Justification::Center)
                .valign(gtk::Align::Start)
                .max_width_chars(1)
                .hexpand(true)
                .css_classes(["caption-heading"])
                .build()
        };
        let names = [name(), name()];
        let below = gtk::Box::builder()
            .halign(gtk::Align::Center)
            .width_request(WIDTH as i32)
            .homogeneous(true)
            .spacing(96)
            .css_classes(["names"])
            .build();
        // The drawing is not mirrored where people write from the right.
        below.set_direction(gtk::TextDirection::Ltr);
        for name in &names {
            below.append(name);
        }
        whole.set_spacing(6);
        whole.append(&area);
        whole.append(&below);
        let scene: Rc<RefCell<Option<Scene>>> = Rc::default();
        let drawn = scene.clone();
        area.set_draw_func(move |area, context, width, height| {
            let scale = (f64::from(width) / WIDTH).min(f64::from(height) / HEIGHT);
            let lit = area.color();
            let plain = area.parent().map_or(lit, |parent| parent.color());
            if let Some(scene) = drawn.borrow().as_ref() {
                context.scale(scale, scale);
                let _ = draw(context, &Inks { lit, plain }, scene.look);
            }
        });
        Self {
            whole,
            area,
            names,
            scene,
        }
    }

    /// Shows this from now on; hidden if there is nothing.
    pub fn show(&self, scene: Option<&Scene>) {
        self.whole.set_visible(scene.is_some());
        if self.scene.borrow().as_ref() == scene {
            return;
        }
        if let Some(scene) = scene {
            self.names[0].set_text(&scene.lender);
            self.names[1].set_text(&scene.borrower);
            let meaning = gtk::accessible::Property::Label(&scene.meaning);
            self.area.update_property(&[meaning]);
        }
        self.scene.replace(scene.cloned());
        self.area.queue_draw();
    }
}

struct Inks {
    lit: RGBA,
    plain: RGBA,
}

impl Inks {
    fn lit(&self, context: &Context, strength: f64) {
        ink(context, &self.lit, strength);
    }

    fn plain(&self, context: &Context, strength: f64) {
        ink(context, &self.plain, strength);
    }
}

fn ink(context: &Context, colour: &RGBA, strength: f64) {
    context.set_source_rgba(
        colour.red().into(),
        colour.green().into(),
        colour.blue().into(),
        strength * f64::from(colour.alpha()),
    );
}

/// What is on a screen.
#[derive(Clone, Copy, PartialEq)]
enum Screen {
    Dark,
    /// The person's system.
    Lit,
    /// It comes or goes.
    Half,
    /// It waits for its disk.
    Paused,
}

fn draw(context: &Context, inks: &Inks, look: Look) -> Result<(), Error> {
    let (left, right) = match look {
        Look::Apart | Look::Waiting => (Screen::Lit, Screen::Dark),
        Look::Going | Look::Returning => (Screen::Half, Screen::Half),
        Look::Lent => (Screen::Dark, Screen::Lit),
        Look::Frozen => (Screen::Dark, Screen::Paused),
        Look::Over => (Screen::Dark, Screen::Dark),
    };
    context.set_line_join(LineJoin::Round);
    context.set_line_cap(LineCap::Round);
    cable(context, inks, look)?;
    laptop(context, inks, left)?;
    desktop(context, inks, right)
}

/// From (8, 14) to (104, 82), with the disk in its base.
fn laptop(context: &Context, inks: &Inks, screen: Screen) -> Result<(), Error> {
    rounded(context, 18.0, 14.0, 76.0, 52.0, 7.0);
    fill_screen(context, inks, screen, (56.0, 40.0))?;
    rounded(context, 18.0, 14.0, 76.0, 52.0, 7.0);
    inks.plain(context, 0.75);
    context.set_line_width(4.0);
    context.stroke()?;
    rounded(context, 8.0, 70.0, 96.0, 12.0, 5.0);
    inks.plain(context, 0.75);
    context.fill()?;
    // The disk never leaves: it is the light in the base of the lender.
    rounded(context, 82.0, 74.0, 14.0, 4.0, 2.0);
    context.set_source_rgb(1.0, 1.0, 1.0);
    context.fill()
}

/// From (216, 6) to (312, 90).
fn desktop(context: &Context, inks: &Inks, screen: Screen) -> Result<(), Error> {
    rounded(context, 216.0, 6.0, 96.0, 62.0, 7.0);
    fill_screen(context, inks, screen, (264.0, 37.0))?;
    rounded(context, 216.0, 6.0, 96.0, 62.0, 7.0);
    inks.plain(context, 0.75);
    context.set_line_width(4.0);
    context.stroke()?;
    context.rectangle(256.0, 70.0, 16.0, 12.0);
    rounded(context, 242.0, 80.0, 44.0, 5.0, 2.5);
    inks.plain(context, 0.75);
    context.fill()
}

/// Fills the path that was traced.
fn fill_screen(
    context: &Context,
    inks: &Inks,
    screen: Screen,
    (x, y): (f64, f64),
) -> Result<(), Error> {
    match screen {
        Screen::Dark => inks.plain(context, 0.08),
        Screen::Lit => inks.lit(context, 1.0),
        Screen::Half => inks.lit(context, 0.35),
        Screen::Paused => inks.plain(context, 0.25),
    }
    context.fill()?;
    match screen {
        Screen::Paused => {
            inks.plain(context, 0.9);
            rounded(context, x - 9.0, y - 10.0, 6.0, 20.0, 2.0);
            rounded(context, x + 3.0, y - 10.0, 6.0, 20.0, 2.0);
            context.fill()
        }
        Screen::Lit => {
            // A tick, so that the lit one is known without its colour.
            context.set_source_rgb(1.0, 1.0, 1.0);
            context.set_line_width(4.5);
            context.move_to(x - 10.0, y);
            context.line_to(x - 3.0, y + 7.0);
            context.line_to(x + 10.0, y - 7.0);
            context.stroke()
        }
        Screen::Dark | Screen::Half => Ok(()),
    }
}

/// From (106, 76) to (242, 76).
fn cable(context: &Context, inks: &Inks, look: Look) -> Result<(), Error> {
    const Y: f64 = 76.0;
    context.set_line_width(4.0);
    match look {
        Look::Apart | Look::Over => {
            inks.plain(context, 0.3);
            line(context, 110.0, 146.0, Y)?;
            line(context, 190.0, 236.0, Y)?;
            plug(context, 146.0, Y, 1.0)?;
            plug(context, 190.0, Y, -1.0)
        }
        Look::Waiting => {
            inks.lit(context, 1.0);
            for at in 0..8 {
                context.arc(117.0 + 16.0 * f64::from(at), Y, 2.6, 0.0, TAU);
                context.fill()?;
            }
            Ok(())
        }
        Look::Going => arrow(context, inks, Y, 1.0),
        Look::Returning => arrow(context, inks, Y, -1.0),
        Look::Lent => {
            inks.lit(context, 1.0);
            line(context, 110.0, 236.0, Y)
        }
        Look::Frozen => {
            inks.plain(context, 0.6);
            line(context, 110.0, 156.0, Y)?;
            line(context, 190.0, 236.0, Y)?;
            context.move_to(166.0, Y - 10.0);
            context.line_to(180.0, Y + 10.0);
            context.move_to(180.0, Y - 10.0);
            context.line_to(166.0, Y + 10.0);
            context.stroke()
        }
    }
}

fn line(context: &Context, from: f64, to: f64, y: f64) -> Result<(), Error> {
    context.move_to(from, y);
    context.line_to(to, y);
    context.stroke()
}

fn plug(context: &Context, x: f64, y: f64, towards: f64) -> Result<(), Error> {
    rounded(context, x.min(x + 14.0 * towards), y - 6.0, 14.0, 12.0, 3.0);
    context.fill()
}

fn arrow(context: &Context, inks: &Inks, y: f64, towards: f64) -> Result<(), Error> {
    inks.lit(context, 1.0);
    line(context, 110.0, 236.0, y)?;
    let middle = 173.0;
    context.set_line_width(5.0);
    context.move_to(middle - 7.0 * towards, y - 12.0);
    context.line_to(middle + 7.0 * towards, y);
    context.line_to(middle - 7.0 * towards, y + 12.0);
    context.stroke()
}

fn rounded(context: &Context, x: f64, y: f64, width: f64, height: f64, radius: f64) {
    let (right, bottom) = (x + width - radius, y + height - radius);
    context.new_sub_path();
    context.arc(right, y + radius, radius, -FRAC_PI_2, 0.0);
    context.arc(right, bottom, radius, 0.0, FRAC_PI_2);
    context.arc(x + radius, bottom, radius, FRAC_PI_2, PI);
    context.arc(x + radius, y + radius, radius, PI, PI + FRAC_PI_2);
    context.close_path();
}
