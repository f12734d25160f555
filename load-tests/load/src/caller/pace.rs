//! When a talker speaks: to the microsecond, where Tokio's timer keeps time by the millisecond. All
//! who talk in one millisecond would else speak as one, and wait for each other in the server.

use std::{io, os::fd::OwnedFd, time::Duration};

use rustix::{
    io::Errno,
    time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    },
};
use tokio::io::unix::AsyncFd;

/// A timer of the kernel that expires again and again.
pub(super) struct Pace {
    timer: AsyncFd<OwnedFd>,
}

impl Pace {
    /// Ticks after `first`, which must not be zero, then once an `interval`.
    pub(super) fn new(first: Duration, interval: Duration) -> io::Result<Self> {
        let timer = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )?;
        let times = Itimerspec { it_interval: spec(interval)?, it_value: spec(first)? };
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &times)?;
        #[expect(deprecated, reason = "the other door is unsafe; an OwnedFd keeps its descriptor")]
        Ok(Self { timer: AsyncFd::new(timer)? })
    }

    /// Waits for the next tick; returns how many there were since the last, if more than one.
    pub(super) async fn ticks(&self) -> io::Result<u64> {
        loop {
            let mut ready = self.timer.readable().await?;
            let mut count = [0; size_of::<u64>()];
            match rustix::io::read(self.timer.get_ref(), &mut count) {
                Ok(_) => return Ok(u64::from_ne_bytes(count)),
                Err(Errno::AGAIN) => ready.clear_ready(),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn spec(time: Duration) -> io::Result<Timespec> {
    time.try_into().map_err(|_| io::ErrorKind::InvalidInput.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[tokio::test]
    async fn every_interval_has_its_tick() {
        let started = clock::now();
        let pace = Pace::new(Duration::from_micros(300), Duration::from_micros(700)).unwrap();
        let mut ticks = 0;
        while ticks < 20 {
            ticks += pace.ticks().await.unwrap();
        }
        let due = Duration::from_micros(300) + Duration::from_micros(700) * 19;
        assert!(started.elapsed() >= due, "{ticks} ticks in {:?}", started.elapsed());
    }
}
