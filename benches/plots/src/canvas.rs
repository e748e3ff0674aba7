//! What all figures share: every one is drawn twice, as SVG and as PNG, with letters of our own.

use std::path::Path;
use std::sync::Once;

use anyhow::{Context as _, Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::{
    BitMapBackend, DrawingArea, DrawingBackend, FontStyle, IntoDrawingArea as _, RGBColor,
    SVGBackend, WHITE,
};
use plotters::style::register_font;

/// Something that can be drawn on: an image of either kind.
pub(crate) trait Backend: DrawingBackend<ErrorType: 'static> {}

impl<B: DrawingBackend<ErrorType: 'static>> Backend for B {}

/// A part of an image.
pub(crate) type Area<B> = DrawingArea<B, Shift>;

/// A figure.
pub(crate) trait Drawing {
    /// Draws it on a white area of the size that was asked for.
    fn on<B: Backend>(&self, area: &Area<B>) -> Result<()>;
}

/// Draws a figure into `<name>.svg` and `<name>.png`.
///
/// # Errors
/// If a file cannot be written.
pub(crate) fn draw(
    folder: &Path,
    name: &str,
    size: (u32, u32),
    drawing: &impl Drawing,
) -> Result<()> {
    letters()?;
    let svg = folder.join(format!("{name}.svg"));
    on(&SVGBackend::new(&svg, size).into_drawing_area(), drawing)
        .with_context(|| svg.display().to_string())?;
    let png = folder.join(format!("{name}.png"));
    on(&BitMapBackend::new(&png, size).into_drawing_area(), drawing)
        .with_context(|| png.display().to_string())
}

fn on<B: Backend>(area: &Area<B>, drawing: &impl Drawing) -> Result<()> {
    // The backends' errors borrow from them, so they are told, not kept.
    area.fill(&WHITE).map_err(|error| anyhow!("{error}"))?;
    drawing.on(area)?;
    area.present().map_err(|error| anyhow!("{error}"))
}

fn letters() -> Result<()> {
    static ONCE: Once = Once::new();
    let mut result = Ok(());
    ONCE.call_once(|| result = register_font(FONT, FontStyle::Normal, dejavu::sans::regular()));
    result.map_err(|_| anyhow!("the letters cannot be read"))
}

/// Nanoseconds with three digits and a unit that a reader can take in.
pub(crate) fn time(ns: f64) -> String {
    match ns {
        ns if ns < 1e3 => format!("{ns:.0} ns"),
        ns if ns < 1e6 => format!("{:.2} us", ns / 1e3),
        ns => format!("{:.2} ms", ns / 1e6),
    }
}

pub(crate) const FONT: &str = "sans-serif";
pub(crate) const GRID: RGBColor = RGBColor(225, 225, 225);

/// Colours that stay apart in print and for eyes that see few of them: Okabe and Ito's, and four more for crowded figures.
pub(crate) const COLOURS: [RGBColor; 12] = [
    RGBColor(0, 0, 0),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
    RGBColor(0, 114, 178),
    RGBColor(204, 121, 167),
    RGBColor(150, 150, 150),
    RGBColor(240, 228, 66),
    RGBColor(120, 80, 30),
    RGBColor(110, 100, 200),
    RGBColor(160, 0, 40),
];
