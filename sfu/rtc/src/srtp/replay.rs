//! Which of the latest packets have been seen (RFC 3711 §3.3.2).

/// Remembers the highest index and which of the 128 below it were seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReplayWindow {
    highest: u64,
    /// Bit `n` stands for `highest - n`.
    seen: u128,
}

impl ReplayWindow {
    /// Starts with the first authentic index.
    pub(super) fn starting_at(index: u64) -> Self {
        Self { highest: index, seen: 1 }
    }

    pub(super) fn highest(&self) -> u64 {
        self.highest
    }

    /// May `index` be authentic news? Changes nothing.
    pub(super) fn admits(&self, index: u64) -> bool {
        match self.highest.checked_sub(index) {
            Some(age) if age >= u64::from(u128::BITS) => false,
            Some(age) => self.seen >> age & 1 == 0,
            None => true,
        }
    }

    /// Remembers `index`, whose packet was authentic.
    pub(super) fn note(&mut self, index: u64) {
        match self.highest.checked_sub(index) {
            Some(age) if age >= u64::from(u128::BITS) => {}
            Some(age) => self.seen |= 1 << age,
            None => {
                let step = u32::try_from(index - self.highest).unwrap_or(u32::MAX);
                self.seen = self.seen.checked_shl(step).unwrap_or(0) | 1;
                self.highest = index;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_window_agrees_with_a_set_that_remembers_everything() {
        arbtest::arbtest(|u| {
            let start = u64::from(u.arbitrary::<u32>()?);
            let mut window = ReplayWindow::starting_at(start);
            let mut seen = BTreeSet::from([start]);
            while !u.is_empty() {
                let step: i16 = u.arbitrary()?;
                let index = window.highest().saturating_add_signed(i64::from(step) % 300);
                let highest = *seen.last().unwrap();
                let is_news = !seen.contains(&index) && index + 128 > highest;
                assert_eq!(window.admits(index), is_news);
                if is_news {
                    window.note(index);
                    seen.insert(index);
                }
                assert_eq!(window.highest(), *seen.last().unwrap());
            }
            Ok(())
        });
    }

    #[test]
    fn a_jump_forgets_what_lies_behind_the_window() {
        let mut window = ReplayWindow::starting_at(5);
        window.note(5 + 128);
        assert!(!window.admits(5));
        assert!(window.admits(6));
        window.note(u64::MAX);
        assert!(!window.admits(5 + 128));
    }
}
