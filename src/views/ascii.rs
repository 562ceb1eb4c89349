//! The fallback for terminals that show ASCII only: after a frame is drawn, every other character is replaced in its
//! cell by one that stands for it, so that nothing moves and no text can slip through.

use ratatui::buffer::Buffer;

/// Replaces every cell of `buffer` that is not ASCII.
pub fn reduce(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if !cell.symbol().is_ascii() {
            let substitute = cell.symbol().chars().next().map_or('?', substitute);
            cell.set_char(substitute);
        }
    }
}

/// One ASCII character that stands for `letter`.
#[must_use]
pub const fn substitute(letter: char) -> char {
    match letter {
        '─' | '━' | '–' | '—' => '-',
        '│' | '┃' | '▌' | '┊' => '|',
        '┌' | '┐' | '└' | '┘' | '├' | '┤' | '┬' | '┴' | '┼' => '+',
        '░' => '?',
        '▂' => '_',
        '▅' => '=',
        '█' => '#',
        '≠' => '!',
        '✓' => '*',
        '▸' | '→' | '›' => '>',
        '‹' => '<',
        '▾' => 'v',
        '·' => '.',
        '…' => '~',
        '≤' => '<',
        '≥' => '>',
        '×' => 'x',
        '↑' => '^',
        '↓' => 'v',
        '“' | '”' => '"',
        '‘' | '’' => '\'',
        '\u{a0}' => ' ',
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    #[test]
    fn a_reduced_buffer_is_ascii_and_keeps_its_columns() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 1));
        buffer.set_string(0, 0, "✓ é→ 漢 | end", Style::new());
        reduce(&mut buffer);
        let text: String = buffer.content.iter().map(|cell| cell.symbol()).collect();
        assert!(text.is_ascii());
        assert_eq!(&text[..5], "* ?> ");
        assert_eq!(buffer[(8, 0)].symbol(), "|");
    }
}
