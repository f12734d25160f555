//! One JSON object a line, with the names of the Elastic Common Schema where it has one.
//!
//! Fields of the spans around an event come first, outermost first; the event's own win.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::Writer,
        time::{FormatTime as _, SystemTime},
    },
    registry::LookupSpan,
};

/// The format of one line.
#[derive(Default)]
pub(super) struct Lines {
    /// What every line says of the process.
    pub(super) process: Map<String, Value>,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = self.process.clone();
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        line.insert("@timestamp".to_owned(), time.into());
        line.insert("log.level".to_owned(), event.metadata().level().as_str().into());
        line.insert("log.logger".to_owned(), event.metadata().target().into());
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            let extensions = span.extensions();
            let fields =
                extensions.get::<FormattedFields<N>>().map(|fields| fields.fields.as_str());
            if let Some(Ok(Value::Object(fields))) = fields.map(serde_json::from_str) {
                line.extend(fields);
            }
        }
        event.record(&mut Fields(&mut line));
        let text = serde_json::to_string(&line).map_err(|_| fmt::Error)?;
        writeln!(writer, "{text}")
    }
}

struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        if write!(text, "{value:?}").is_ok() {
            self.put(field, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::mpsc::{Receiver, Sender, channel},
    };

    use tracing_subscriber::{fmt as layers, layer::SubscriberExt as _};

    use super::*;

    #[test]
    fn a_line_carries_the_ids_of_the_spans_around_it() {
        let lines = lines_of(|| {
            let room = tracing::info_span!("room", room = "demo", participant = "outer");
            let _in_room = room.enter();
            tracing::info!(participant = "ada", tracks = 2, "participant \"joined\"");
        });

        let line: Value = serde_json::from_str(&lines).unwrap();
        assert_eq!(line["room"], "demo");
        assert_eq!(line["participant"], "ada");
        assert_eq!(line["tracks"], 2);
        assert_eq!(line["message"], "participant \"joined\"");
        assert_eq!(line["log.level"], "INFO");
        assert!(line["@timestamp"].as_str().unwrap().ends_with('Z'));
    }

    struct Pipe(Sender<Vec<u8>>);

    impl io::Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines_of(act: impl FnOnce()) -> String {
        let (sender, receiver): (_, Receiver<Vec<u8>>) = channel();
        let layer = layers::layer()
            .fmt_fields(layers::format::JsonFields::new())
            .event_format(Lines::default())
            .with_writer(move || Pipe(sender.clone()));
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, act);
        String::from_utf8(receiver.into_iter().flatten().collect()).unwrap()
    }
}
