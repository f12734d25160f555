//! What the kernel says of a process: CPU time of all its threads, resident memory.

use std::{fs, path::PathBuf};

use anyhow::Context;

/// A process on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    directory: PathBuf,
}

/// A reading; the difference of two is what happened in between.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// The scheduler's exact sum over the threads alive.
    pub(crate) cpu_seconds: f64,
    pub(crate) memory_bytes: u64,
}

impl Process {
    /// Fails if there is no such process, or it is somebody else's.
    pub(crate) fn new(pid: u32) -> anyhow::Result<Self> {
        let process = Self { directory: PathBuf::from(format!("/proc/{pid}")) };
        process.usage().with_context(|| format!("process {pid} can't be observed"))?;
        Ok(process)
    }

    pub(crate) fn this() -> Self {
        Self { directory: PathBuf::from("/proc/self") }
    }

    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        let mut nanoseconds = 0;
        for thread in fs::read_dir(self.directory.join("task"))? {
            // A thread may end between the two readings.
            let Ok(line) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
            nanoseconds += first_number(&line).unwrap_or_default();
        }
        let status = fs::read_to_string(self.directory.join("status"))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = resident.and_then(first_number).unwrap_or_default();
        Ok(Usage { cpu_seconds: seconds(nanoseconds), memory_bytes: kilobytes * 1_024 })
    }
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

fn seconds(nanoseconds: u64) -> f64 {
    std::time::Duration::from_nanos(nanoseconds).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_time_and_memory() {
        let before = Process::this().usage().unwrap();
        let mut after = before;
        // The other tests' threads end meanwhile, and take their time out of the sum.
        for _ in 0..1_000 {
            let work: u64 = (0..2_000_000).fold(0, |sum, n| std::hint::black_box(sum ^ n));
            std::hint::black_box(work);
            after = Process::this().usage().unwrap();
            if after.cpu_seconds > before.cpu_seconds {
                break;
            }
        }
        assert!(after.cpu_seconds > before.cpu_seconds);
        assert!(after.memory_bytes > 100_000);
    }

    #[test]
    fn a_process_that_is_gone_is_named() {
        let error = Process::new(u32::MAX).unwrap_err().to_string();
        assert!(error.contains("4294967295"), "{error}");
    }
}
