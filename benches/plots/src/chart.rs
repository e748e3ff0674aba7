//! Charts with a legend: points for many subjects in rows, and lines over a number.

use anyhow::{Result, anyhow};
use plotters::prelude::{
    BLACK, ChartBuilder, Circle, Color as _, LineSeries, PathElement, RGBColor, Rectangle, Text,
    WHITE,
};

use crate::canvas::{Area, Backend, COLOURS, Drawing, FONT, GRID};

/// Rows of points: one row for each subject, one colour for each variant.
pub(crate) struct Dots {
    pub(crate) title: String,
    /// What the points' places mean.
    pub(crate) axis: String,
    pub(crate) variants: Vec<String>,
    /// Subjects with a value for each variant that has one.
    pub(crate) rows: Vec<(String, Vec<Option<f64>>)>,
    /// Where the axis ends; what lies beyond is drawn at the edge.
    pub(crate) end: f64,
}

/// Lines over a number.
pub(crate) struct Lines {
    pub(crate) title: String,
    pub(crate) x_axis: String,
    pub(crate) y_axis: String,
    pub(crate) lines: Vec<(String, Vec<(f64, f64)>)>,
}

/// Bars made of parts, one below the other.
pub(crate) struct Stacks {
    pub(crate) title: String,
    pub(crate) axis: String,
    pub(crate) parts: Vec<String>,
    /// Labels with the parts' values in order.
    pub(crate) bars: Vec<(String, Vec<f64>)>,
}

const WIDTH: u32 = 860;
const ROW: u32 = 22;
const LEGEND_ROW: u32 = 20;

fn colour(index: usize) -> RGBColor {
    COLOURS.get(index % COLOURS.len()).copied().unwrap_or(BLACK)
}

/// The legend, three entries in a row, and what is left below it.
fn legend<B: Backend>(area: &Area<B>, names: &[String]) -> Result<Area<B>> {
    let height = legend_height(names.len());
    let (top, rest) = area.split_vertically(height);
    for (index, name) in names.iter().enumerate() {
        let column = i32::try_from(index % 3)? * 270 + 60;
        let row = i32::try_from(index / 3)? * i32::try_from(LEGEND_ROW)? + 14;
        let mark = Circle::new((column, row), 5, colour(index).filled());
        top.draw(&mark).map_err(|error| anyhow!("{error}"))?;
        let text = Text::new(name.clone(), (column + 10, row - 7), (FONT, 13));
        top.draw(&text).map_err(|error| anyhow!("{error}"))?;
    }
    Ok(rest)
}

/// Writes so many pixels left of a spot, which a chart gives in the whole image's coordinates.
fn label<B: Backend>(area: &Area<B>, text: &str, spot: (i32, i32), left: i32) -> Result<()> {
    let (x, y) = area.get_pixel_range();
    let at = (spot.0 - left - x.start, spot.1 - 7 - y.start);
    let text = Text::new(text.to_owned(), at, (FONT, 13));
    area.draw(&text).map_err(|error| anyhow!("{error}"))
}

fn legend_height(names: usize) -> u32 {
    u32::try_from(names.div_ceil(3)).unwrap_or(1) * LEGEND_ROW + 12
}

impl Dots {
    pub(crate) fn size(&self) -> (u32, u32) {
        let rows = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        let height = rows.saturating_mul(ROW).saturating_add(100);
        (WIDTH, height + legend_height(self.variants.len()))
    }
}

impl Drawing for Dots {
    fn on<B: Backend>(&self, area: &Area<B>) -> Result<()> {
        let rest = legend(area, &self.variants)?;
        let count = self.rows.len() as f64;
        let mut chart = ChartBuilder::on(&rest)
            .caption(&self.title, (FONT, 16))
            .margin(10)
            .x_label_area_size(40)
            .y_label_area_size(150)
            .build_cartesian_2d(0.0..self.end, 0.0..count)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .y_labels(0)
            .x_desc(&self.axis)
            .label_style((FONT, 12))
            .light_line_style(WHITE)
            .bold_line_style(GRID)
            .draw()?;
        chart.draw_series([PathElement::new(vec![(1.0, 0.0), (1.0, count)], BLACK)])?;
        for (place, (name, values)) in self.rows.iter().rev().enumerate() {
            let y = place as f64 + 0.5;
            let spot = chart.backend_coord(&(0.0, y));
            label(&rest, name, spot, 140)?;
            chart.draw_series(values.iter().enumerate().filter_map(|(index, value)| {
                let x = (*value)?.min(self.end);
                Some(Circle::new((x, y), 5, colour(index).filled()))
            }))?;
        }
        Ok(())
    }
}

impl Lines {
    pub(crate) fn size(&self) -> (u32, u32) {
        (WIDTH, 420 + legend_height(self.lines.len()))
    }
}

impl Drawing for Lines {
    fn on<B: Backend>(&self, area: &Area<B>) -> Result<()> {
        let names: Vec<String> = self.lines.iter().map(|(name, _)| name.clone()).collect();
        let rest = legend(area, &names)?;
        let points = || self.lines.iter().flat_map(|(_, points)| points);
        let right = points().map(|point| point.0).fold(0.0, f64::max);
        let top = points().map(|point| point.1).fold(0.0, f64::max);
        let mut chart = ChartBuilder::on(&rest)
            .caption(&self.title, (FONT, 16))
            .margin(10)
            .x_label_area_size(45)
            .y_label_area_size(70)
            .build_cartesian_2d(0.0..right * 1.03, 0.0..top * 1.05)?;
        chart
            .configure_mesh()
            .x_desc(&self.x_axis)
            .y_desc(&self.y_axis)
            .label_style((FONT, 12))
            .light_line_style(WHITE)
            .bold_line_style(GRID)
            .draw()?;
        for (index, (_, points)) in self.lines.iter().enumerate() {
            let style = colour(index).stroke_width(2);
            chart.draw_series(LineSeries::new(points.iter().copied(), style))?;
            let marks = points
                .iter()
                .map(|at| Circle::new(*at, 3, colour(index).filled()));
            chart.draw_series(marks)?;
        }
        Ok(())
    }
}

impl Stacks {
    pub(crate) fn size(&self) -> (u32, u32) {
        let rows = u32::try_from(self.bars.len()).unwrap_or(u32::MAX);
        let height = rows.saturating_mul(34).saturating_add(110);
        (WIDTH, height + legend_height(self.parts.len()))
    }
}

impl Drawing for Stacks {
    fn on<B: Backend>(&self, area: &Area<B>) -> Result<()> {
        let rest = legend(area, &self.parts)?;
        let sum = |bar: &(String, Vec<f64>)| bar.1.iter().sum::<f64>();
        let most = self.bars.iter().map(sum).fold(0.0, f64::max);
        let count = self.bars.len() as f64;
        let mut chart = ChartBuilder::on(&rest)
            .caption(&self.title, (FONT, 16))
            .margin(10)
            .x_label_area_size(40)
            .y_label_area_size(220)
            .build_cartesian_2d(0.0..most * 1.05, 0.0..count)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .y_labels(0)
            .x_desc(&self.axis)
            .label_style((FONT, 12))
            .light_line_style(WHITE)
            .bold_line_style(GRID)
            .draw()?;
        for (place, (name, values)) in self.bars.iter().rev().enumerate() {
            let (low, high) = (place as f64 + 0.15, place as f64 + 0.85);
            let mut from = 0.0;
            for (index, value) in values.iter().enumerate() {
                let to = from + value;
                let part = Rectangle::new([(from, low), (to, high)], colour(index).filled());
                chart.draw_series([part])?;
                from = to;
            }
            let spot = chart.backend_coord(&(0.0, place as f64 + 0.5));
            label(&rest, name, spot, 210)?;
        }
        Ok(())
    }
}
