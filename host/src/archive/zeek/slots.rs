//! The wanted fields of one line, as spans, so that no line allocates.

/// Where each wanted field of a line is.
#[derive(Debug)]
pub(super) struct Slots<const N: usize> {
    spans: [Option<Span>; N],
    /// Text that is not in the line as it stands, since it was escaped there.
    unescaped: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    end: usize,
    is_unescaped: bool,
}

impl<const N: usize> Default for Slots<N> {
    fn default() -> Self {
        Self { spans: [None; N], unescaped: Vec::new() }
    }
}

impl<const N: usize> Slots<N> {
    pub(super) fn clear(&mut self) {
        self.spans = [None; N];
        self.unescaped.clear();
    }

    pub(super) fn set(&mut self, field: usize, start: usize, end: usize) {
        self.spans[field] = Some(Span { start, end, is_unescaped: false });
    }

    pub(super) fn set_unescaped(&mut self, field: usize, text: &[u8]) {
        let start = self.unescaped.len();
        self.unescaped.extend_from_slice(text);
        self.spans[field] = Some(Span { start, end: self.unescaped.len(), is_unescaped: true });
    }

    /// A field of the line from which the slots were filled; none if it is absent, unset or empty.
    pub(super) fn get<'a>(&'a self, line: &'a [u8], field: usize) -> Option<&'a [u8]> {
        let span = self.spans[field]?;
        let text = if span.is_unescaped { &self.unescaped } else { line };
        text.get(span.start..span.end).filter(|value| !value.is_empty())
    }
}
