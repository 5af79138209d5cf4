//! The wanted fields of one line, as spans, so that no line allocates.

/// Where each wanted field of a line is.
#[derive(Debug)]
pub(super) struct Slots<const N: usize> {
    /// Empty where the field is absent.
    spans: [Span; N],
    /// Text that is not in the line as it stands, since it was escaped there.
    unescaped: Vec<u8>,
}

/// Lines are shorter than 4 GiB.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    start: u32,
    end: u32,
    is_unescaped: bool,
}

impl<const N: usize> Default for Slots<N> {
    fn default() -> Self {
        Self { spans: [Span::default(); N], unescaped: Vec::new() }
    }
}

impl<const N: usize> Slots<N> {
    pub(super) fn clear(&mut self) {
        self.spans = [Span::default(); N];
        self.unescaped.clear();
    }

    pub(super) fn set(&mut self, field: usize, start: usize, end: usize) {
        self.spans[field] = Span { start: start as u32, end: end as u32, is_unescaped: false };
    }

    pub(super) fn set_unescaped(&mut self, field: usize, text: &[u8]) {
        let start = self.unescaped.len() as u32;
        self.unescaped.extend_from_slice(text);
        self.spans[field] = Span { start, end: self.unescaped.len() as u32, is_unescaped: true };
    }

    /// A field of the line from which the slots were filled; none if it is absent, unset or empty.
    #[inline]
    pub(super) fn get<'a>(&'a self, line: &'a [u8], field: usize) -> Option<&'a [u8]> {
        let span = self.spans[field];
        let text = if span.is_unescaped { &self.unescaped } else { line };
        text.get(span.start as usize..span.end as usize).filter(|value| !value.is_empty())
    }
}
