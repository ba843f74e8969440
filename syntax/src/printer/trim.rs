//! Blanks at the ends of lines, and the marks around kept text, taken away.

use super::layout::KEEP;

pub(super) fn trim(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut blanks = Vec::new();
    let mut keep = false;
    for byte in text {
        match byte {
            &KEEP => {
                out.append(&mut blanks);
                keep = !keep;
            }
            _ if keep => out.push(*byte),
            b' ' | b'\t' => blanks.push(*byte),
            b'\n' => {
                blanks.clear();
                out.push(b'\n');
            }
            _ => {
                out.append(&mut blanks);
                out.push(*byte);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_go_from_line_ends_except_from_kept_text() {
        let text = b"\ta \t\n \n\xFFb \n\t\xFF \nc  d ";
        assert_eq!(trim(text), b"\ta\n\nb \n\t\nc  d");
    }
}
