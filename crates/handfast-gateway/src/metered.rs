//! A streamed answer of a language model: passed on untouched, its tokens added up as it goes by, and settled at its
//! end (policies specification 5.1). What a client does not take any more is not counted.

use crate::plan::ApiService;
use handfast_core::message::Fields;
use handfast_net::{Body, BodyFailure, BodyStream, Core};
use handfast_policy::{Settlement, StreamWork, TokenStream};
use std::sync::Arc;
use std::task::{Context, Poll};

/// Who does what follows from an answer.
pub(crate) struct Settler {
    pub(crate) core: Core,
    pub(crate) service: Arc<ApiService>,
}

impl Settler {
    pub(crate) fn settle(&self, all: Vec<Settlement>) {
        let shared = self.service.shared.of(&self.service.log_id, self.core.clock().now_ms());
        for one in all {
            match one {
                Settlement::Count(count) => _ = shared.count(&count),
                Settlement::Quota(period, more) => shared.quota_add(&period, more),
                Settlement::Emit(sample) => {
                    let (namespace, name) = (&sample.namespace, &sample.name);
                    self.core.metrics().emitted().add(namespace, name, &sample.dimensions, sample.value);
                }
            }
        }
    }
}

/// A body that is looked at on its way.
pub(crate) struct Metered {
    body: Body,
    stream: TokenStream,
    works: Vec<StreamWork>,
    settler: Settler,
}

impl Metered {
    /// The body with its meter.
    pub(crate) fn of(body: Body, works: Vec<StreamWork>, settler: Settler) -> Body {
        let stream = TokenStream::new(works.first().map_or(0, |first| first.prompt));
        let mut metered = Self { body, stream, works, settler };
        if matches!(metered.body, Body::Empty) {
            metered.settle();
            return Body::Empty;
        }
        Body::Stream(Box::new(metered))
    }

    /// Once, with what has gone by.
    fn settle(&mut self) {
        let works = std::mem::take(&mut self.works);
        if works.is_empty() {
            return;
        }
        let usage = std::mem::take(&mut self.stream).usage();
        for StreamWork { work, .. } in works {
            self.settler.settle(work.settlements(usage));
        }
    }
}

impl BodyStream for Metered {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyFailure>> {
        let polled = self.body.poll_ready(cx);
        if matches!(polled, Poll::Ready(Ok(()))) && self.body.chunk().is_empty() {
            self.settle();
        }
        polled
    }

    fn chunk(&self) -> &[u8] {
        self.body.chunk()
    }

    fn consume(&mut self, count: usize) {
        self.stream.take(self.body.chunk().get(..count).unwrap_or_default());
        self.body.consume(count);
    }

    fn remaining(&self) -> Option<u64> {
        self.body.remaining()
    }

    fn trailers(&mut self) -> Option<Fields> {
        self.body.trailers()
    }
}

impl Drop for Metered {
    /// It broke off: what was streamed was used.
    fn drop(&mut self) {
        self.settle();
    }
}
