//! What a process has used so far, by Linux's `/proc`.

/// Of one process, from its start.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    /// Of all its threads, in user and kernel mode.
    pub cpu_seconds: f64,
    /// The high-water mark of its resident memory.
    pub peak_mib: f64,
}

impl Used {
    /// Of process `id`; none where `/proc` does not tell.
    ///
    /// # Errors
    /// The process has ended, or there is no `/proc`.
    pub fn of(id: u32) -> std::io::Result<Option<Self>> {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{id}/{file}"));
        let (cpu_seconds, peak_mib) = (cpu_seconds(&read("stat")?), peak_mib(&read("status")?));
        Ok(cpu_seconds.zip(peak_mib).map(|(cpu_seconds, peak_mib)| Self { cpu_seconds, peak_mib }))
    }
}

/// `utime` and `stime`, fields 14 and 15 of `/proc/PID/stat`; the second may hold spaces and ends with the last `)`.
fn cpu_seconds(stat: &str) -> Option<f64> {
    /// The unit of `/proc` on all of Linux's platforms.
    const TICKS_PER_SECOND: f64 = 100.0;
    let mut after_name = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = after_name.next()?.parse().ok()?;
    let system: u64 = after_name.next()?.parse().ok()?;
    Some((user + system) as f64 / TICKS_PER_SECOND)
}

fn peak_mib(status: &str) -> Option<f64> {
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = kib.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_behind_a_name_with_spaces() {
        let stat = "7 (a ) name) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 4 0 100 0 0";
        assert_eq!(cpu_seconds(stat), Some(3.0));
    }

    #[test]
    fn peak_memory_is_the_high_water_mark() {
        assert_eq!(peak_mib("VmPeak:\t 9 kB\nVmHWM:\t    2048 kB\n"), Some(2.0));
    }
}
