//! Dates and times: what YAML takes for one becomes a text in RFC 3339's form.

/// Reads a year of four digits, a month and a day, and maybe a time.
struct Reader<'a> {
    rest: &'a str,
}

/// The text in RFC 3339's form; none if it is no date, or none that exists.
pub(super) fn normal(text: &str) -> Option<String> {
    let mut reader = Reader { rest: text };
    let year = reader.number(4, 4)?;
    reader.eat('-')?;
    let month = reader.number(1, 2)?;
    reader.eat('-')?;
    let day = reader.number(1, 2)?;
    if !(1..=12).contains(&month) || !(1..=days(year, month)).contains(&day) {
        return None;
    }
    let date = format!("{year:04}-{month:02}-{day:02}");
    if reader.rest.is_empty() {
        return Some(format!("{date}T00:00:00Z"));
    }
    let spaced = reader.eat(' ').is_some();
    if spaced {
        reader.rest = reader.rest.trim_start_matches(' ');
    } else {
        reader.eat('T').or_else(|| reader.eat('t'))?;
    }
    let hour = reader.number(1, 2).filter(|hour| *hour < 24)?;
    reader.eat(':')?;
    let minute = reader.number(1, 2).filter(|minute| *minute < 60)?;
    reader.eat(':')?;
    let second = reader.number(1, 2).filter(|second| *second < 60)?;
    let fraction = reader.fraction();
    let zone = if spaced {
        "Z".to_owned()
    } else {
        reader.zone()?
    };
    let time = format!("{date}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}");
    reader.rest.is_empty().then_some(time)
}

fn days(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl Reader<'_> {
    fn eat(&mut self, ch: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(ch)?;
        Some(())
    }

    /// Takes as many digits as there are, up to a number of them.
    fn number(&mut self, digits_min: usize, digits_max: usize) -> Option<u32> {
        let bytes = self.rest.bytes().take(digits_max);
        let digits = bytes.take_while(u8::is_ascii_digit).count();
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        number.parse().ok().filter(|_| digits >= digits_min)
    }

    /// Behind a point, to the nanosecond and without zeros at the end.
    fn fraction(&mut self) -> String {
        let digits = self.rest.strip_prefix(['.', ',']).unwrap_or_default();
        let count = digits.bytes().take_while(u8::is_ascii_digit).count();
        if count == 0 {
            return String::new();
        }
        self.rest = &digits[count..];
        let shown = digits[..count.min(9)].trim_end_matches('0');
        match shown {
            "" => String::new(),
            shown => format!(".{shown}"),
        }
    }

    /// `Z`, or hours and minutes with a sign.
    fn zone(&mut self) -> Option<String> {
        if self.eat('Z').is_some() {
            return Some("Z".to_owned());
        }
        let sign = match self.eat('-') {
            Some(()) => '-',
            None => self.eat('+').map(|()| '+')?,
        };
        let hours = self.number(2, 2).filter(|hours| *hours < 24)?;
        self.eat(':')?;
        let minutes = self.number(2, 2).filter(|minutes| *minutes < 60)?;
        Some(match (hours, minutes) {
            (0, 0) => "Z".to_owned(),
            _ => format!("{sign}{hours:02}:{minutes:02}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::normal;

    #[test]
    fn dates_get_one_form() {
        let table = [
            ("2001-12-14", Some("2001-12-14T00:00:00Z")),
            ("2002-1-1", Some("2002-01-01T00:00:00Z")),
            (
                "2001-12-14t21:59:43.10-05:00",
                Some("2001-12-14T21:59:43.1-05:00"),
            ),
            ("2001-12-14T1:2:3Z", Some("2001-12-14T01:02:03Z")),
            (
                "2001-12-14T21:59:43.1234567891+00:00",
                Some("2001-12-14T21:59:43.123456789Z"),
            ),
            ("2001-12-14  21:59:43.000", Some("2001-12-14T21:59:43Z")),
            ("2024-02-29", Some("2024-02-29T00:00:00Z")),
            ("2023-02-29", None),
            ("1900-02-29", None),
            ("2001-13-14", None),
            ("2001-12-14 21:59:43.10 -5", None),
            ("2001-12-14T21:59:43", None),
            ("2001-12-14T24:00:00Z", None),
            ("2001-12-14x", None),
            ("201-12-14", None),
            ("20011-12-14", None),
            ("é", None),
            ("2001-é", None),
        ];
        for (text, expected) in table {
            assert_eq!(normal(text).as_deref(), expected, "{text}");
        }
    }
}
