//! What a process has cost so far, as Linux counts it.

use std::{fs, io, time::Duration};

/// The kernel counts processor time in ticks of 10 ms for every reader.
const TICK: Duration = Duration::from_millis(10);

/// Processor time and memory of one process.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Processor time of all its threads, in the kernel and out of it.
    pub cpu: Duration,
    /// The most memory it ever held.
    pub resident_peak_bytes: u64,
}

impl Usage {
    /// Reads the usage of the process `id`.
    pub fn of(id: u32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let usage = cpu(&stat)
            .zip(resident_peak_bytes(&status))
            .map(|(cpu, resident_peak_bytes)| Self { cpu, resident_peak_bytes });
        usage.ok_or_else(|| io::Error::other("unknown format of /proc"))
    }
}

/// The 14th and 15th field; the second is the program's name, which may hold blanks.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut times = rest.split_whitespace().skip(11).map_while(|field| field.parse::<u32>().ok());
    Some(TICK * times.next()? + TICK * times.next()?)
}

fn resident_peak_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_blanks_and_brackets_in_its_name_is_read() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 9 0 0 0 123 77 0 0 20 0 5 0 100 1 1";
        assert_eq!(cpu(stat), Some(Duration::from_secs(2)));
    }

    #[test]
    fn the_peak_is_told_in_bytes() {
        let status = "Name:\tadda\nVmPeak:\t  9 kB\nVmHWM:\t   2048 kB\nVmRSS:\t 1 kB\n";
        assert_eq!(resident_peak_bytes(status), Some(2 << 20));
    }

    #[test]
    fn this_process_uses_memory() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.resident_peak_bytes > 0, "{usage:?}");
    }
}
