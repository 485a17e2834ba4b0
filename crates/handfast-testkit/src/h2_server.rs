//! The server's side of HTTP/2 over a scripted connection: frames as the test writes them (RFC 9113 §4.1).

use crate::h2::{Frame, flag, frame, kind};
use crate::upstream::Peer;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// One connection of a scripted server that speaks HTTP/2 by prior knowledge.
pub struct H2Peer(Peer);

impl H2Peer {
    /// Takes the preface and sends empty settings; `None` when the client spoke otherwise.
    pub fn accept(mut peer: Peer) -> Option<Self> {
        let preface = peer.read_bytes(PREFACE.len())?;
        let mut accepted = Self(peer);
        (preface == PREFACE && accepted.frame(kind::SETTINGS, 0, 0, &[])).then_some(accepted)
    }

    /// Writes one frame; false when the client has closed.
    pub fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        self.0.write(frame(kind, flags, stream, payload))
    }

    /// The next frame; `None` when the client has closed. Settings are acknowledged on the way.
    pub fn read(&mut self) -> Option<Frame> {
        let header = self.0.read_bytes(9)?;
        let number =
            |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let payload = self.0.read_bytes((number(0) >> 8) as usize)?;
        let frame = Frame { kind: header[3], flags: header[4], stream: number(5) & (u32::MAX >> 1), payload };
        if frame.kind == kind::SETTINGS && frame.flags == 0 {
            self.frame(kind::SETTINGS, 1, 0, &[]);
        }
        Some(frame)
    }

    /// The stream of the next request, past all other frames.
    pub fn request(&mut self) -> Option<u32> {
        loop {
            let frame = self.read()?;
            if frame.kind == kind::HEADERS {
                return Some(frame.stream);
            }
        }
    }

    /// Answers 200 without a body. `:status: 200` is entry 8 of the static table (RFC 7541, appendix A).
    pub fn answer(&mut self, stream: u32) -> bool {
        self.frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, &[0x88])
    }

    /// Resets a stream.
    pub fn reset(&mut self, stream: u32, code: u32) -> bool {
        self.frame(kind::RST_STREAM, 0, stream, &code.to_be_bytes())
    }

    /// Says that no stream above `last` was or will be processed.
    pub fn go_away(&mut self, last: u32, code: u32) -> bool {
        self.frame(kind::GOAWAY, 0, 0, &[last.to_be_bytes(), code.to_be_bytes()].concat())
    }

    /// Reads until the client closes.
    pub fn reads_to_end(&mut self) -> bool {
        self.0.reads_to_end()
    }
}
