//! What a recorder says in its log, and what happens then.

use std::fmt;

use tracing::{
    Dispatch, Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

/// A log that does something each time somebody says `words`, or of an error that ends in them, in
/// the thread that says them.
struct Ear<A> {
    words: &'static str,
    act: A,
}

struct Listening {
    words: &'static str,
    heard: bool,
}

pub(crate) fn whenever(words: &'static str, act: impl Fn() + Send + Sync + 'static) -> Dispatch {
    Dispatch::new(Ear { words, act })
}

impl<A: Fn() + Send + Sync + 'static> Subscriber for Ear<A> {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _span: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut listening = Listening { words: self.words, heard: false };
        event.record(&mut listening);
        if listening.heard {
            (self.act)();
        }
    }

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}

impl Visit for Listening {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        self.heard |= match field.name() {
            "message" => text == self.words,
            "error" => text.ends_with(self.words),
            _ => false,
        };
    }
}
