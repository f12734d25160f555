//! Sequence numbers and timestamps: the only place where they wrap.

/// An RTP sequence number (RFC 3550 §5.1), modulo 65,536.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SeqNo(pub u16);

impl SeqNo {
    /// The number `count` packets later.
    #[must_use]
    pub fn plus(self, count: u16) -> Self {
        Self(self.0.wrapping_add(count))
    }

    /// The number `count` packets earlier.
    #[must_use]
    pub fn minus(self, count: u16) -> Self {
        Self(self.0.wrapping_sub(count))
    }

    /// Steps from `earlier` to `self` the short way round: negative when `self` is the older.
    pub fn since(self, earlier: Self) -> i16 {
        self.0.wrapping_sub(earlier.0).cast_signed()
    }

    /// Is `self` less than half a circle after `other`?
    pub fn is_after(self, other: Self) -> bool {
        self.since(other) > 0
    }
}

/// An RTP timestamp in units of the stream's clock, modulo 2³².
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RtpTime(pub u32);

impl RtpTime {
    /// The time `units` later.
    #[must_use]
    pub fn plus(self, units: u32) -> Self {
        Self(self.0.wrapping_add(units))
    }

    /// The time `units` earlier.
    #[must_use]
    pub fn minus(self, units: u32) -> Self {
        Self(self.0.wrapping_sub(units))
    }

    /// Units from `earlier` to `self` the short way round: negative when `self` is the older.
    pub fn since(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0).cast_signed()
    }

    /// Is `self` less than half a circle after `other`?
    pub fn is_after(self, other: Self) -> bool {
        self.since(other) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_after_the_last_is_the_first() {
        assert_eq!(SeqNo(u16::MAX).plus(1), SeqNo(0));
        assert_eq!(SeqNo(0).minus(1), SeqNo(u16::MAX));
        assert!(SeqNo(3).is_after(SeqNo(65_530)));
        assert!(!SeqNo(65_530).is_after(SeqNo(3)));
        assert_eq!(SeqNo(3).since(SeqNo(65_530)), 9);
        assert_eq!(RtpTime(3).since(RtpTime(u32::MAX)), 4);
        assert_eq!(RtpTime(u32::MAX).plus(960), RtpTime(959));
    }
}
