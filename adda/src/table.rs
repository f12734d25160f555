//! Rows of words in columns that line up.

/// Lays `rows` out under `head`. Columns are as wide as their widest cell.
pub(crate) fn lay_out<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = head.map(|cell| cell.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let head = head.map(str::to_owned);
    let lines = std::iter::once(&head).chain(rows).map(|row| {
        let cells = row.iter().zip(widths);
        let padded: String = cells.map(|(cell, width)| format!("{cell:<width$}  ")).collect();
        format!("{}\n", padded.trim_end())
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_have_no_tail() {
        let rows = [["ab".to_owned(), "1".to_owned()], ["c".to_owned(), String::new()]];
        assert_eq!(lay_out(["NAME", "N"], &rows), "NAME  N\nab    1\nc\n");
    }
}
