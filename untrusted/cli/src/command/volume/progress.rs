//! A progress bar on standard error, if that is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar towards `total` bytes, or a count of bytes if nobody knows the total.
pub(super) fn bar(total: Option<u64>) -> ProgressBar {
    let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let template = match total {
        Some(_) => "{wide_bar} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}",
        None => "{spinner} {binary_bytes}, {binary_bytes_per_sec}",
    };
    // The templates are ours: the plain style stands in for one that does not parse.
    let style = ProgressStyle::with_template(template);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
