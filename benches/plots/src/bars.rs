//! Panels of horizontal bars, one below the other.

use std::path::Path;

use anyhow::Result;
use plotters::prelude::{
    BLACK, ChartBuilder, Color as _, EmptyElement, IntoSegmentedCoord as _, IntoTextStyle as _,
    RGBColor, Rectangle, SegmentValue, Text, WHITE,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::canvas::{self, Area, Backend, Drawing, FONT, GRID};

/// Bars that may be compared with each other.
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) bars: Vec<Bar>,
}

/// One bar, from zero.
pub(crate) struct Bar {
    pub(crate) label: String,
    pub(crate) value: f64,
    /// Written behind the bar.
    pub(crate) note: String,
    pub(crate) role: Role,
}

/// What a bar is to the reader, told by its colour.
#[derive(Clone, Copy)]
pub(crate) enum Role {
    /// What the others are measured by.
    Baseline,
    /// What the figure is about.
    Subject,
    /// Something to compare it with.
    Other,
}

impl Role {
    const fn colour(self) -> RGBColor {
        match self {
            Self::Baseline => RGBColor(160, 160, 160),
            Self::Subject => RGBColor(31, 119, 180),
            Self::Other => RGBColor(214, 160, 90),
        }
    }
}

/// Draws the panels into files of this name.
///
/// # Errors
/// If a file cannot be written.
pub(crate) fn draw(folder: &Path, name: &str, panels: &[Panel]) -> Result<()> {
    let height = panels.iter().map(Panel::height).sum();
    canvas::draw(folder, name, (WIDTH, height), &Panels(panels))
}

struct Panels<'a>(&'a [Panel]);

impl Drawing for Panels<'_> {
    fn on<B: Backend>(&self, area: &Area<B>) -> Result<()> {
        let mut rest = area.clone();
        for panel in self.0 {
            let (area, below) = rest.split_vertically(panel.height());
            panel.draw(&area)?;
            rest = below;
        }
        Ok(())
    }
}

impl Panel {
    /// In pixels: title, bars, axis.
    fn height(&self) -> u32 {
        let bars = u32::try_from(self.bars.len()).unwrap_or(u32::MAX);
        bars.saturating_mul(BAR_HEIGHT).saturating_add(80)
    }

    fn draw<B: Backend>(&self, area: &Area<B>) -> Result<()> {
        let last = self.bars.len().saturating_sub(1);
        let most = self.bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, (FONT, 17))
            .margin(10)
            .x_label_area_size(25)
            .y_label_area_size(190)
            // A third more than the longest bar, for the note behind it.
            .build_cartesian_2d(0.0..most * 1.33, (0..last).into_segmented())?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .x_labels(8)
            .y_labels(self.bars.len())
            .label_style((FONT, 13))
            .light_line_style(WHITE)
            .bold_line_style(GRID)
            .y_label_formatter(&|at| self.label(at))
            .draw()?;
        let note_style = (FONT, 13)
            .into_text_style(area)
            .color(&BLACK)
            .pos(Pos::new(HPos::Left, VPos::Center));
        chart.draw_series(self.rows().map(|(place, bar)| {
            let next = SegmentValue::Exact(place + 1);
            let mut bar = Rectangle::new(
                [(0.0, SegmentValue::Exact(place)), (bar.value, next)],
                bar.role.colour().filled(),
            );
            bar.set_margin(4, 4, 0, 0);
            bar
        }))?;
        chart.draw_series(self.rows().map(|(place, bar)| {
            EmptyElement::at((bar.value, SegmentValue::CenterOf(place)))
                + Text::new(bar.note.clone(), (6, 0), note_style.clone())
        }))?;
        Ok(())
    }

    /// Bars with their places, counted from below; the first bar is on top.
    fn rows(&self) -> impl Iterator<Item = (usize, &Bar)> {
        self.bars.iter().rev().enumerate()
    }

    fn label(&self, at: &SegmentValue<usize>) -> String {
        let SegmentValue::CenterOf(place) = at else {
            return String::new();
        };
        let found = self.rows().find(|(other, _)| other == place);
        found.map_or_else(String::new, |(_, bar)| bar.label.clone())
    }
}

const WIDTH: u32 = 820;
const BAR_HEIGHT: u32 = 28;
