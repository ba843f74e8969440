//! Alignment by elastic tab stops.
//!
//! A line is cells that end with a tab (or a vertical tab); the text behind the last one is not a
//! cell. Cells of one column in lines that follow each other are as wide as the widest of them and
//! one blank. A line without cells ends all columns, and so does a form feed.

use super::layout::KEEP;

/// A column's width when it is filled with tabs is a multiple of this.
const TAB_WIDTH: usize = 8;

/// The most bytes of padding in a file. A key of a megabyte above a hundred thousand short ones
/// would ask for a hundred gigabytes; beyond this nothing is aligned.
const PADDING_MAX: usize = 16 << 20;

struct Cell<'a> {
    text: &'a [u8],
    /// In characters.
    width: usize,
    /// Whether a tab ends it. A column of empty cells that vertical tabs end is dropped.
    tab: bool,
    /// Which column it is in; none for the text behind the last tab.
    column: Option<usize>,
}

/// Cells one above the other.
struct Column {
    width: usize,
    droppable: bool,
}

#[derive(Default)]
struct Section<'a> {
    lines: Vec<Vec<Cell<'a>>>,
    columns: Vec<Column>,
    /// The columns that the next line may continue, from left to right.
    open: Vec<usize>,
}

/// Replaces the marks of the layout by blanks and tabs; text between [`KEEP`] marks keeps them.
pub(super) fn align(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() * 2);
    let mut padding_left = PADDING_MAX;
    let mut section = Section::default();
    let mut line = Vec::new();
    let (mut start, mut keep) = (0, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            &KEEP => keep = !keep,
            _ if keep => {}
            b'\t' | b'\x0b' => {
                line.push(Cell::new(&text[start..at], *byte == b'\t'));
                start = at + 1;
            }
            b'\n' | b'\x0c' => {
                line.push(Cell::new(&text[start..at], false));
                start = at + 1;
                let single = line.len() == 1;
                section.push(std::mem::take(&mut line));
                if *byte == b'\x0c' || single {
                    std::mem::take(&mut section).write(&mut out, &mut padding_left);
                }
            }
            _ => {}
        }
    }
    line.push(Cell::new(&text[start..], false));
    section.push(line);
    section.write(&mut out, &mut padding_left);
    // The last line has no line end.
    out.pop();
    out
}

// === impl Cell ===

impl<'a> Cell<'a> {
    fn new(text: &'a [u8], tab: bool) -> Self {
        let counts = |byte: &&u8| **byte != KEEP && **byte & 0xC0 != 0x80;
        let width = text.iter().filter(counts).count();
        Self {
            text,
            width,
            tab,
            column: None,
        }
    }
}

// === impl Column ===

impl Column {
    fn width(&self) -> usize {
        if self.droppable { 0 } else { self.width }
    }
}

// === impl Section ===

impl<'a> Section<'a> {
    fn push(&mut self, mut line: Vec<Cell<'a>>) {
        let cells = line.len() - 1;
        self.open.truncate(cells);
        for (index, cell) in line.iter_mut().take(cells).enumerate() {
            if index == self.open.len() {
                self.open.push(self.columns.len());
                self.columns.push(Column {
                    width: 0,
                    droppable: true,
                });
            }
            let column = &mut self.columns[self.open[index]];
            column.width = column.width.max(cell.width + 1);
            column.droppable &= cell.width == 0 && !cell.tab;
            cell.column = Some(self.open[index]);
        }
        self.lines.push(line);
    }

    fn write(self, out: &mut Vec<u8>, padding_left: &mut usize) {
        let cells = self.lines.iter().flatten();
        let padding: usize = cells.map(|cell| self.padding(cell)).sum();
        let align = padding <= *padding_left;
        if align {
            *padding_left -= padding;
        }
        for line in &self.lines {
            // Empty cells at the start of a line are an indent, which is made of tabs.
            let mut indent = true;
            for cell in line {
                indent &= cell.text.is_empty();
                out.extend_from_slice(cell.text);
                let Some(column) = cell.column else {
                    continue;
                };
                let width = match (align, self.columns[column].width()) {
                    (false, 1..) => cell.width + 1,
                    (_, width) => width,
                };
                let (fill, count) = match indent {
                    true => (b'\t', width.div_ceil(TAB_WIDTH)),
                    false => (b' ', width.saturating_sub(cell.width)),
                };
                out.extend(std::iter::repeat_n(fill, count));
            }
            out.push(b'\n');
        }
    }

    fn padding(&self, cell: &Cell<'_>) -> usize {
        let width = cell.column.map_or(0, |column| self.columns[column].width());
        width.saturating_sub(cell.width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aligned(text: &str) -> String {
        String::from_utf8(align(text.as_bytes())).unwrap()
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let table = [
            ("a\x0b= 1\nbbb\x0b= 2", "a   = 1\nbbb = 2"),
            ("a\x0b= 1\x0cbbb\x0b= 2", "a = 1\nbbb = 2"),
            ("a\x0b= 1\nx\nbbb\x0b= 2", "a = 1\nx\nbbb = 2"),
            ("\ta\x0b= 1\n\tbbb\x0b= 2\n", "\ta   = 1\n\tbbb = 2\n"),
            ("é\x0b= 1\nbb\x0b= 2", "é  = 1\nbb = 2"),
            ("a = 1\t// x\nbb = 22\t// y", "a = 1   // x\nbb = 22 // y"),
            ("\x0ba\n\x0bb", "a\nb"),
            ("", ""),
            ("\n\n", "\n\n"),
        ];
        for (text, expected) in table {
            assert_eq!(aligned(text), expected, "{text:?}");
        }
    }

    #[test]
    fn padding_has_a_limit() {
        let long = "k".repeat(10_000);
        let lines = "a\x0b= 1\n".repeat(10_000);
        let text = aligned(&format!("{long}\x0b= 0\n{lines}"));
        assert!(text.len() < 200_000, "{}", text.len());
        assert!(text.ends_with("a = 1\n"));
    }
}
