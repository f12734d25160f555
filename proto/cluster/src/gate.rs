//! Connections as they arrive: counted, and closed when nothing on them is let in soon.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Sleep, sleep},
};
use tokio_stream::Stream;
use tonic::transport::server::Connected;
use tracing::{debug, warn};

use crate::limits::{ACCEPT_PAUSE, ADMISSION_TIME, CONNECTIONS_MAX};

/// The listener's connections. One more than [`CONNECTIONS_MAX`] is closed at once.
pub(crate) struct Incoming {
    listener: TcpListener,
    permits: Arc<Semaphore>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Incoming {
    pub(crate) fn new(listener: TcpListener) -> Self {
        Self { listener, permits: Arc::new(Semaphore::new(CONNECTIONS_MAX)), pause: None }
    }
}

impl Stream for Incoming {
    type Item = io::Result<Gate>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            match ready!(self.listener.poll_accept(cx)) {
                Ok((stream, _)) => match Arc::clone(&self.permits).try_acquire_owned() {
                    Ok(permit) => return Poll::Ready(Some(Ok(Gate::new(stream, permit)))),
                    Err(_) => debug!("connection was refused: there are too many"),
                },
                Err(error) => {
                    // Out of descriptors: trying again at once would only turn in circles.
                    warn!(%error, "connection could not be accepted");
                    self.pause = Some(Box::pin(sleep(ACCEPT_PAUSE)));
                }
            }
        }
    }
}

/// One connection.
pub(crate) struct Gate {
    stream: TcpStream,
    admission: Admission,
    deadline: Option<Pin<Box<Sleep>>>,
    _permit: OwnedSemaphorePermit,
}

/// Whether a call with the right token has come by a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Admission(Arc<AtomicBool>);

impl Admission {
    pub(crate) fn grant(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_granted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Gate {
    fn new(stream: TcpStream, permit: OwnedSemaphorePermit) -> Self {
        // Frames are small and wanted at once. Without this they are only later.
        _ = stream.set_nodelay(true);
        let deadline = Some(Box::pin(sleep(ADMISSION_TIME)));
        Self { stream, admission: Admission::default(), deadline, _permit: permit }
    }

    /// Fails once the time for admission has passed without it.
    fn poll_admission(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let Some(deadline) = &mut self.deadline else { return Ok(()) };
        if deadline.as_mut().poll(cx).is_pending() {
            return Ok(());
        }
        self.deadline = None;
        if self.admission.is_granted() { Ok(()) } else { Err(io::ErrorKind::TimedOut.into()) }
    }
}

impl Connected for Gate {
    type ConnectInfo = Admission;

    fn connect_info(&self) -> Admission {
        self.admission.clone()
    }
}

impl AsyncRead for Gate {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_admission(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Gate {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
