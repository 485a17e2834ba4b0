//! Log lines leave a data-plane thread in batches over a bounded channel; a writer thread does the IO.
//! When the writer is behind, a batch is dropped and counted: a slow disk never slows a request.

use crate::json::JsonLine;
use crate::metrics::{Metric, Metrics};
use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Batches that may wait for the writer.
const BATCHES_MAX: usize = 1024;
/// A batch leaves when it has grown to this many bytes.
const BATCH_BYTES: usize = 16 * 1024;

enum Message {
    Batch(Vec<u8>),
    Flush(SyncSender<()>),
}

/// The writer thread and the sending end of its channel.
#[derive(Clone)]
pub struct LogSink {
    sender: SyncSender<Message>,
    metrics: Arc<Metrics>,
}

impl LogSink {
    /// Starts the writer thread; it ends when the last sink and writer are gone.
    pub fn start(
        output: Box<dyn Write + Send>,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (sender, receiver) = sync_channel(BATCHES_MAX);
        let thread = std::thread::Builder::new()
            .name("log-writer".into())
            .spawn(move || write_all(receiver, output))?;
        Ok((Self { sender, metrics }, thread))
    }

    /// A buffer for one data-plane thread.
    pub fn writer(&self) -> LogWriter {
        LogWriter { buffer: Vec::new(), spare: Vec::new(), sink: self.clone() }
    }

    /// Waits until everything sent so far is written.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.sender.send(Message::Flush(done)).is_ok() {
            let _ = wait.recv();
        }
    }
}

/// A line whose last members are not known yet.
pub struct PendingLine {
    buffer: Vec<u8>,
    depth: u8,
}

/// Buffers of finished lines that are kept for the next ones.
const SPARE_MAX: usize = 256;

/// The buffer of one data-plane thread.
pub struct LogWriter {
    buffer: Vec<u8>,
    spare: Vec<Vec<u8>>,
    sink: LogSink,
}

impl LogWriter {
    /// Adds a line; `fill` writes its members.
    pub fn line(&mut self, fill: impl FnOnce(&mut JsonLine<'_>)) {
        let mut line = JsonLine::begin(&mut self.buffer);
        fill(&mut line);
        line.end();
        self.send_full();
    }

    /// Begins a line that [`LogWriter::end`] puts into the batch.
    pub fn begin(&mut self, fill: impl FnOnce(&mut JsonLine<'_>)) -> PendingLine {
        let mut buffer = self.spare.pop().unwrap_or_default();
        let mut line = JsonLine::begin(&mut buffer);
        fill(&mut line);
        let depth = line.leave();
        PendingLine { buffer, depth }
    }

    /// Ends a line.
    pub fn end(&mut self, mut pending: PendingLine, fill: impl FnOnce(&mut JsonLine<'_>)) {
        let mut line = JsonLine::resume(&mut pending.buffer, pending.depth);
        fill(&mut line);
        line.end();
        self.buffer.extend_from_slice(&pending.buffer);
        if self.spare.len() < SPARE_MAX {
            pending.buffer.clear();
            self.spare.push(pending.buffer);
        }
        self.send_full();
    }

    fn send_full(&mut self) {
        if self.buffer.len() >= BATCH_BYTES {
            self.send();
        }
    }

    /// Hands the buffered lines to the writer thread.
    pub fn send(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        let batch = std::mem::replace(&mut self.buffer, Vec::with_capacity(BATCH_BYTES + 1024));
        if self.sink.sender.try_send(Message::Batch(batch)).is_err() {
            self.sink.metrics.count(Metric::LogLinesDropped);
        }
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.send();
    }
}

fn write_all(receiver: Receiver<Message>, mut output: Box<dyn Write + Send>) {
    while let Ok(message) = receiver.recv() {
        match message {
            Message::Batch(batch) => {
                let _ = output.write_all(&batch);
            }
            Message::Flush(done) => {
                let _ = output.flush();
                let _ = done.send(());
            }
        }
    }
    let _ = output.flush();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("not poisoned").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_arrive_in_order() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let (sink, thread) = LogSink::start(Box::new(Shared(written.clone())), Arc::new(Metrics::default()))
            .expect("thread starts");
        let mut writer = sink.writer();
        for n in 0..3 {
            writer.line(|line| {
                line.number("n", n);
            });
        }
        writer.send();
        sink.flush();
        assert_eq!(&*written.lock().expect("not poisoned"), b"{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n");
        drop(writer);
        drop(sink);
        thread.join().expect("writer ends when the sinks are gone");
    }
}
