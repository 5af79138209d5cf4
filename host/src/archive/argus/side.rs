//! What `ra` tells of the two ends of a flow: who began it, which of them spoke, and with what flags.

use crate::archive::tcp::{ACK, FIN, RST, SYN};

/// The column `Dir`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Arrow {
    /// Whether it points to the source, so that the destination began, or alone spoke.
    pub(super) is_reversed: bool,
    /// Whether both spoke; none where it does not tell.
    pub(super) is_answered: Option<bool>,
}

impl Arrow {
    /// An arrow as `->`, `<-`, `<->`, `<?>` or `?>`, whatever stands in its middle. Of TCP `->` says who began, and not
    /// who spoke, unless it is in doubt who did (`?`).
    pub(super) fn of(text: &[u8], is_tcp: bool) -> Self {
        let (to_src, to_dst) = (text.contains(&b'<'), text.contains(&b'>'));
        let tells_who_spoke = !is_tcp || text.contains(&b'?') || (to_src && to_dst);
        Self {
            is_reversed: to_src && !to_dst,
            is_answered: (tells_who_spoke && (to_src || to_dst)).then_some(to_src && to_dst),
        }
    }
}

/// TCP flags of the source and of the destination, in the column `State` as `ra -Z b` writes it: `FSPA_SRPA`. None
/// where it has other words. Those that man page and program disagree about, `7` and `E`, `8` and `C`, are the same
/// bits.
pub(super) fn flags(state: &[u8]) -> Option<(u16, u16)> {
    let (src, dst) = state.split_at_checked(memchr::memchr(b'_', state)?)?;
    Some((letters(src)?, letters(&dst[1..])?))
}

fn letters(text: &[u8]) -> Option<u16> {
    let mut flags = 0;
    for letter in text {
        flags |= match letter {
            b'F' => FIN,
            b'S' => SYN,
            b'R' => RST,
            b'P' => 0x08,
            b'A' => ACK,
            b'U' => 0x20,
            b'E' | b'7' => 0x40,
            b'C' | b'8' => 0x80,
            _ => return None,
        };
    }
    Some(flags)
}

/// Whether a connection begins and ends within one record, and both ends were heard: nothing of it is in others. Who
/// acknowledges a SYN that was not seen leaves that in doubt.
pub(super) const fn is_whole((src, dst): (u16, u16)) -> bool {
    let begins = src & SYN != 0 && dst != 0 && (dst & SYN != 0 || src & ACK == 0);
    let ends = (src | dst) & RST != 0 || src & dst & FIN != 0;
    begins && ends
}

/// The state of TCP by the word of the column `State` that stands in place of flags; none where it may mean several.
/// `CON` is any connection with data, `FIN` one of which an end has closed, `RST` one that either has reset.
pub(super) fn worded_state(word: &[u8], is_answered: Option<bool>) -> Option<&'static str> {
    match (word, is_answered) {
        (b"REQ", Some(false)) => Some("S0"),
        (b"EST", _) => Some("S1"),
        (b"CLO", _) => Some("SF"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Arrow, flags, is_whole, worded_state};

    #[test]
    fn arrows() {
        for (text, of_udp, of_tcp) in [
            ("   ->", (false, Some(false)), (false, None)),
            ("  <->", (false, Some(true)), (false, Some(true))),
            ("  <-", (true, Some(false)), (true, None)),
            ("  <?>", (false, Some(true)), (false, Some(true))),
            ("   ?>", (false, Some(false)), (false, Some(false))),
            ("  <?", (true, Some(false)), (true, Some(false))),
            ("  <|>", (false, Some(true)), (false, Some(true))),
            (" who", (false, None), (false, None)),
            ("", (false, None), (false, None)),
        ] {
            for (is_tcp, (is_reversed, is_answered)) in [(false, of_udp), (true, of_tcp)] {
                assert_eq!(Arrow::of(text.as_bytes(), is_tcp), Arrow { is_reversed, is_answered }, "{text} {is_tcp}");
            }
        }
    }

    #[test]
    fn flags_of_both_ends() {
        for (state, expected) in [
            ("FSPA_SRPA", Some((0x1b, 0x1e))),
            ("S_", Some((0x02, 0))),
            ("_", Some((0, 0))),
            ("_RA", Some((0, 0x14))),
            ("FSPAUEC_FSAE", Some((0xfb, 0x53))),
            ("S78_", Some((0xc2, 0))),
            ("CON", None),
            ("S0", None),
            ("S_x", None),
            ("", None),
        ] {
            assert_eq!(flags(state.as_bytes()), expected, "{state}");
        }
    }

    #[test]
    fn whole_connections() {
        for state in ["S_RA", "FSPA_FSPA", "SRPA_SPA"] {
            assert!(is_whole(flags(state.as_bytes()).unwrap()), "{state}");
        }
        for state in ["SPA_FSPA", "FPA_FPA", "SRPA_", "SA_R", "S_", "PA_RA"] {
            assert!(!is_whole(flags(state.as_bytes()).unwrap()), "{state}");
        }
    }

    #[test]
    fn words() {
        assert_eq!(worded_state(b"REQ", Some(false)), Some("S0"));
        assert_eq!(worded_state(b"REQ", None), None);
        assert_eq!(worded_state(b"EST", Some(true)), Some("S1"));
        assert_eq!(worded_state(b"CLO", None), Some("SF"));
        for word in ["CON", "FIN", "RST", "ACC", "TIM", "INT"] {
            assert_eq!(worded_state(word.as_bytes(), Some(true)), None, "{word}");
        }
    }
}
