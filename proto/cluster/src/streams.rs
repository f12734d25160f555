//! Between channels of values and streams of messages.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tonic::Streaming;
use tracing::{debug, warn};

use crate::wire::MessageError;

type Stop = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A channel's values as messages, after a first one. Ends with the channel, or once `stop` has
/// resolved and what waited is said.
pub(crate) struct Outgoing<T, M> {
    first: Option<M>,
    values: mpsc::Receiver<T>,
    stop: Option<Stop>,
    bytes_max: usize,
}

impl<T, M> Outgoing<T, M> {
    pub(crate) fn new(
        first: Option<M>,
        values: mpsc::Receiver<T>,
        stop: impl Future<Output = ()> + Send + 'static,
        bytes_max: usize,
    ) -> Self {
        Self { first, values, stop: Some(Box::pin(stop)), bytes_max }
    }
}

impl<T: Into<M>, M: Message + Unpin> Stream for Outgoing<T, M> {
    type Item = M;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<M>> {
        let this = self.get_mut();
        if let Some(first) = this.first.take() {
            return Poll::Ready(Some(first));
        }
        if this.stop.as_mut().is_some_and(|stop| stop.as_mut().poll(cx).is_ready()) {
            this.stop = None;
            this.values.close();
        }
        while let Some(value) = std::task::ready!(this.values.poll_recv(cx)) {
            let message: M = value.into();
            let bytes = message.encoded_len();
            if bytes <= this.bytes_max {
                return Poll::Ready(Some(message));
            }
            // Sent, it would end the connection, and with it everybody else's.
            warn!(bytes, bytes_max = this.bytes_max, "message was too long to send");
        }
        Poll::Ready(None)
    }
}

/// Reads messages into a channel until either ends. A full channel stops the reading, and so, by
/// and by, the peer's writing.
pub(crate) async fn read<M, T>(mut messages: Streaming<M>, values: mpsc::Sender<T>)
where
    T: TryFrom<M, Error = MessageError>,
{
    loop {
        let message = tokio::select! {
            message = messages.message() => message,
            () = values.closed() => return,
        };
        match message.map(|message| message.map(T::try_from)) {
            Ok(Some(Ok(value))) => {
                if values.send(value).await.is_err() {
                    return;
                }
            }
            Ok(Some(Err(error))) => warn!(%error, "message was skipped"),
            Ok(None) => return,
            Err(status) => return debug!(%status, "connection broke"),
        }
    }
}
