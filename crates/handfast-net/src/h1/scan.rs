//! Finding the end of a head, and the line discipline that the tokeniser does not enforce: every LF is
//! preceded by CR and every CR is followed by LF (RFC 9112 §2.2 lets a recipient accept a bare LF; a
//! gateway must not, because the next one may not).

/// What the bytes received so far hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadScan {
    /// The head ends before this offset; leading blank lines are `skip` bytes.
    Complete {
        /// Bytes of leading CRLF to skip.
        skip: usize,
        /// Offset just past the empty line.
        end: usize,
    },
    /// More bytes are needed.
    Partial,
    /// A bare CR or LF, a NUL, or more than one leading blank line.
    Bad,
}

/// Scans for the end of a head. At most one blank line may precede it (RFC 9112 §2.2).
pub(super) fn scan_head(bytes: &[u8]) -> HeadScan {
    let skip = if bytes.starts_with(b"\r\n") { 2 } else { 0 };
    let mut line_start = skip;
    let mut at = skip;
    while let Some(offset) = find_line_byte(&bytes[at..]) {
        let found = at + offset;
        match bytes[found] {
            b'\r' => match bytes.get(found + 1) {
                Some(b'\n') if found == line_start && line_start == skip => return HeadScan::Bad,
                Some(b'\n') if found == line_start => return HeadScan::Complete { skip, end: found + 2 },
                Some(b'\n') => {
                    line_start = found + 2;
                    at = line_start;
                }
                Some(_) => return HeadScan::Bad,
                None => return HeadScan::Partial,
            },
            _ => return HeadScan::Bad,
        }
    }
    HeadScan::Partial
}

/// The first CR, LF or NUL. Written so that the compiler can vectorise the common skip.
fn find_line_byte(bytes: &[u8]) -> Option<usize> {
    const LANES: usize = 16;
    let mut at = 0;
    while let Some(chunk) = bytes.get(at..at + LANES) {
        let hit = chunk.iter().fold(false, |hit, &b| hit | (b == b'\r') | (b == b'\n') | (b == 0));
        if hit {
            break;
        }
        at += LANES;
    }
    bytes[at..].iter().position(|&b| matches!(b, b'\r' | b'\n' | 0)).map(|offset| at + offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_end_at_the_first_empty_line() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nrest";
        assert_eq!(scan_head(head), HeadScan::Complete { skip: 0, end: head.len() - 4 });
        assert_eq!(scan_head(b"\r\nGET / HTTP/1.1\r\n\r\n"), HeadScan::Complete { skip: 2, end: 20 });
        for cut in 0..head.len() - 4 {
            assert_eq!(scan_head(&head[..cut]), HeadScan::Partial, "{cut}");
        }
    }

    #[test]
    fn bare_line_ends_and_nul_are_refused() {
        for bad in [
            &b"GET / HTTP/1.1\n\n"[..],
            b"GET / HTTP/1.1\r\nA: b\n\r\n",
            b"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n",
            b"GET / HTTP/1.1\r\nA: \0\r\n\r\n",
            b"\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            b"\nGET / HTTP/1.1\r\n\r\n",
        ] {
            assert_eq!(scan_head(bad), HeadScan::Bad, "{:?}", String::from_utf8_lossy(bad));
        }
    }
}
