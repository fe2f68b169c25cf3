//! A line of the last minutes.

use crate::history::Line;
use gtk::cairo::{Context, Error};
use gtk::gdk::RGBA;
use gtk::prelude::*;
use std::cell::RefCell;
use std::rc::Rc;

/// How a line is drawn, so that two can be told apart without colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Series {
    /// With the area below it.
    Filled,
    /// As dashes.
    Dashed,
}

/// Draws lines over each other, with the top of the scale written above them.
#[derive(Clone)]
pub struct Plot {
    area: gtk::DrawingArea,
    scale: gtk::Label,
    lines: Rc<RefCell<Vec<(Series, Line)>>>,
    described: Rc<RefCell<String>>,
}

impl Plot {
    /// At the end of `into`, so high, with a name for who cannot see it.
    #[must_use]
    pub fn within(into: &gtk::Box, height: i32, class: &str, name: &str) -> Self {
        let area = gtk::DrawingArea::builder()
            .content_height(height)
            .hexpand(true)
            .accessible_role(gtk::AccessibleRole::Img)
            .css_classes(["plot", class])
            .build();
        area.update_property(&[gtk::accessible::Property::Label(name)]);
        let caption = gtk::Box::builder().spacing(6).build();
        let label = gtk::Label::builder()
            .label(name)
            .ellipsize(gtk::pango::EllipsizeMode::End)
            .hexpand(true)
            .xalign(0.0)
            .css_classes(["caption", "dim-label"])
            .build();
        let scale = gtk::Label::builder()
            .css_classes(["caption", "numeric", "dim-label"])
            .build();
        caption.append(&label);
        caption.append(&scale);
        into.append(&caption);
        into.append(&area);
        let lines: Rc<RefCell<Vec<(Series, Line)>>> = Rc::default();
        let drawn = lines.clone();
        area.set_draw_func(move |area, context, width, height| {
            let size = (f64::from(width), f64::from(height));
            let _ = draw(context, &area.color(), size, &drawn.borrow());
        });
        Self {
            area,
            scale,
            lines,
            described: Rc::default(),
        }
    }

    /// Says in words what is drawn, to who asks for it.
    pub fn describe(&self, text: &str) {
        if *self.described.borrow() != text {
            let description = gtk::accessible::Property::Description(text);
            self.area.update_property(&[description]);
            self.described.replace(text.to_owned());
        }
    }

    /// Draws these from now on.
    pub fn show(&self, scale: &str, lines: Vec<(Series, Line)>) {
        self.scale.set_text(scale);
        self.lines.replace(lines);
        self.area.queue_draw();
    }
}

fn draw(
    context: &Context,
    colour: &RGBA,
    (width, height): (f64, f64),
    lines: &[(Series, Line)],
) -> Result<(), Error> {
    let (red, green, blue) = (
        f64::from(colour.red()),
        f64::from(colour.green()),
        f64::from(colour.blue()),
    );
    context.set_line_width(1.0);
    for part in 0..=2 {
        let y = (height - 1.0) * f64::from(part) / 2.0 + 0.5;
        context.set_source_rgba(0.5, 0.5, 0.5, 0.25);
        context.move_to(0.0, y);
        context.line_to(width, y);
        context.stroke()?;
    }
    context.set_line_width(2.0);
    context.set_line_join(gtk::cairo::LineJoin::Round);
    for (series, line) in lines {
        let points = || {
            line.iter()
                .map(|(x, y)| (x * width, (height - 2.0) * (1.0 - y) + 1.0))
        };
        if line.len() < 2 {
            continue;
        }
        if *series == Series::Filled {
            trace(context, points());
            context.line_to(line[line.len() - 1].0 * width, height);
            context.line_to(line[0].0 * width, height);
            context.close_path();
            context.set_source_rgba(red, green, blue, 0.25);
            context.fill()?;
        }
        let dashes: &[f64] = match series {
            Series::Filled => &[],
            Series::Dashed => &[5.0, 4.0],
        };
        context.set_dash(dashes, 0.0);
        context.set_source_rgb(red, green, blue);
        trace(context, points());
        context.stroke()?;
        context.set_dash(&[], 0.0);
    }
    Ok(())
}

/// Each value holds until the next one.
fn trace(context: &Context, points: impl Iterator<Item = (f64, f64)>) {
    let mut height = None;
    for (x, y) in points {
        match height {
            None => context.move_to(x, y),
            Some(_) => context.line_to(x, y),
        }
        height = Some(y);
    }
}
