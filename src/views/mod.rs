//! Drawing: one panel a file, the layout, the theme. Everything here takes `&State` and changes nothing.
//!
//! ```text
//! head       what is being worked on            the chosen artifact's tag and findings
//! steps      how far the chosen artifact is                          keys for the steps
//! list | panel: summary, rows, detail                                     (see `layout`)
//! foot       what the next step does and costs                             further keys
//! ```

mod ascii;
mod bytes;
mod cpu;
mod dlopen;
mod findings;
mod fit;
mod foot;
mod frame;
mod head;
pub mod hex;
pub mod layout;
mod lenses;
mod libraries;
mod list;
mod load;
mod log;
pub mod minimap;
pub mod opening;
mod overview;
pub mod page;
mod palette;
mod picture;
mod plan;
mod policy;
mod reach;
mod room;
mod row;
pub mod rows;
mod rpath;
mod staging;
mod steps;
mod symbols;
mod text;
pub mod theme;
mod tree;
mod words;

#[cfg(test)]
mod tests;

use crate::app::state::{Overlay, State};
use ratatui::Frame;
use theme::{Role, Theme};

/// Draws the whole screen.
pub fn draw(frame: &mut Frame<'_>, state: &State, theme: Theme) {
    match layout::compute(frame.area(), state) {
        Some(screen) => {
            head::draw(frame, &screen, state, theme);
            steps::draw(frame, &screen, state, theme);
            list::draw(frame, &screen, state, theme);
            frame::draw(frame, &screen, state, theme);
            foot::draw(frame, &screen, state, theme);
            match &state.overlay {
                Overlay::Page(open) => page::draw(frame, &screen, state, open, theme),
                Overlay::Palette(open) => palette::draw(frame, &screen, state, open, theme),
                Overlay::None | Overlay::Find | Overlay::Prompt(_) => {}
            }
        }
        None => too_small(frame, theme),
    }
    if !theme.unicode() {
        ascii::reduce(frame.buffer_mut());
    }
}

fn too_small(frame: &mut Frame<'_>, theme: Theme) {
    let area = frame.area();
    let (width, height) = layout::SMALLEST;
    let text = format!("wheelwright needs a terminal of {width}x{height}; this one has {}x{}", area.width, area.height);
    let mut lines = text::Text::new(usize::from(area.width), theme);
    lines.paragraph(&text, Role::Plain);
    frame::lines(frame, area, lines.into_lines());
}
