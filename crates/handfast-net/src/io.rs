//! The byte streams under the codecs: TCP, an in-memory pipe between two parts of one process, and either
//! of them under TLS. Everything above is written against [`Io`].

use bytes::{Buf, BytesMut};
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;

/// A stream before TLS. Bytes that were read ahead (a PROXY header's remainder) are served first.
pub(crate) struct Raw {
    transport: Transport,
    read_ahead: BytesMut,
}

enum Transport {
    Tcp(TcpStream),
    Memory(DuplexStream),
}

impl Raw {
    /// A kernel socket.
    pub(crate) fn tcp(stream: TcpStream) -> Self {
        Self { transport: Transport::Tcp(stream), read_ahead: BytesMut::new() }
    }

    /// One end of an in-memory pipe.
    pub(crate) fn memory(stream: DuplexStream) -> Self {
        Self { transport: Transport::Memory(stream), read_ahead: BytesMut::new() }
    }

    /// Puts bytes back in front of the stream.
    pub(crate) fn unread(&mut self, bytes: &[u8]) {
        let mut front = BytesMut::from(bytes);
        front.unsplit(std::mem::take(&mut self.read_ahead));
        self.read_ahead = front;
    }
}

impl AsyncRead for Raw {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.read_ahead.is_empty() {
            let count = self.read_ahead.len().min(buf.remaining());
            buf.put_slice(&self.read_ahead[..count]);
            self.read_ahead.advance(count);
            return Poll::Ready(Ok(()));
        }
        match &mut self.transport {
            Transport::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Transport::Memory(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Raw {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.transport {
            Transport::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Transport::Memory(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.transport {
            Transport::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Transport::Memory(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Transport::Memory(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Memory(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// A stream that a codec reads and writes.
pub(crate) enum Io {
    /// Without TLS.
    Plain(Raw),
    /// TLS, we are the server.
    Server(Box<tokio_rustls::server::TlsStream<Raw>>),
    /// TLS, we are the client.
    Client(Box<tokio_rustls::client::TlsStream<Raw>>),
}

macro_rules! each {
    ($self:ident, $stream:ident => $call:expr) => {
        match &mut *$self {
            Io::Plain($stream) => $call,
            Io::Server($stream) => $call,
            Io::Client($stream) => $call,
        }
    };
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

impl Io {
    /// Reads into the free room of `buffer`, making `room` bytes of it first; 0 is the end of the stream.
    pub(crate) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut BytesMut,
        room: usize,
    ) -> Poll<io::Result<usize>> {
        buffer.reserve(room);
        tokio_util::io::poll_read_buf(Pin::new(self), cx, buffer)
    }

    /// The stream under TLS, or the only one.
    fn raw(&self) -> &Raw {
        match self {
            Self::Plain(raw) => raw,
            Self::Server(stream) => stream.get_ref().0,
            Self::Client(stream) => stream.get_ref().0,
        }
    }

    /// Makes the coming close a reset. A peer that reads a message up to the end of the connection must not
    /// take a message that broke for one that is complete.
    pub(crate) fn abort(&self) {
        if let Transport::Tcp(stream) = &self.raw().transport {
            // Failure means that the connection is gone already.
            let _ = stream.set_zero_linger();
        }
    }

    /// Whether ALPN chose HTTP/2.
    pub(crate) fn is_http2(&self) -> bool {
        let alpn = match self {
            Self::Plain(_) => None,
            Self::Server(stream) => stream.get_ref().1.alpn_protocol(),
            Self::Client(stream) => stream.get_ref().1.alpn_protocol(),
        };
        alpn == Some(b"h2")
    }

    /// Whether the peer has closed or sent something, without keeping what it sent.
    pub(crate) fn poll_anything(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut byte = [0u8; 1];
        Pin::new(self).poll_read(cx, &mut ReadBuf::new(&mut byte)).map(|_| ())
    }

    /// Writes from `bytes[*at..]`, moving `at`; ready when all is written and flushed.
    pub(crate) fn poll_write_all(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        at: &mut usize,
    ) -> Poll<io::Result<()>> {
        while *at < bytes.len() {
            match std::task::ready!(Pin::new(&mut *self).poll_write(cx, &bytes[*at..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => *at += count,
            }
        }
        Pin::new(self).poll_flush(cx)
    }
}

/// A stream that a connection and the body it is receiving both use, on one core. It is borrowed for the
/// length of one poll only, never across an await.
pub(crate) type SharedIo = Rc<RefCell<Io>>;

/// How long the end of a connection may take: our last bytes, and what the peer still sends.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// What a peer may still send to a connection that is being closed before it is reset.
const LINGER_BYTES_MAX: usize = 256 * 1024;
const LINGER_ROOM: usize = 16 * 1024;

/// Ends a connection in good order, with close_notify, so that the peer can tell an end from a cut. With
/// `linger`, what the peer still sends is read away for a while: closing at once would reset the connection
/// before the peer has read our last bytes (RFC 9112 §9.6).
pub(crate) async fn close(io: &SharedIo, linger: bool) {
    let shutdown = poll_fn(|cx| Pin::new(&mut *io.borrow_mut()).poll_shutdown(cx));
    let ending = async {
        if shutdown.await.is_err() || !linger {
            return;
        }
        let mut buffer = BytesMut::new();
        let mut left = LINGER_BYTES_MAX;
        loop {
            let fill = poll_fn(|cx| io.borrow_mut().poll_fill(cx, &mut buffer, LINGER_ROOM));
            match fill.await {
                Ok(count) if count > 0 && count <= left => left -= count,
                _ => return,
            }
            buffer.clear();
        }
    };
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, ending).await;
}
