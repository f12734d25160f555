//! The two messages that open a data channel (RFC 8832 §5).

use proto::data::Channel;

const ACK: u8 = 2;
const OPEN: u8 = 3;
const RELIABLE: u8 = 0x00;
const PARTIAL_RELIABLE_REXMIT_UNORDERED: u8 = 0x81;
const FIXED_LEN: usize = 12;

pub(super) enum Control<'a> {
    Open { label: &'a str },
    Acknowledged,
}

pub(super) fn parse(payload: &[u8]) -> Option<Control<'_>> {
    match *payload.first()? {
        ACK => Some(Control::Acknowledged),
        OPEN => {
            let [.., high, low, _, _] = payload.first_chunk::<FIXED_LEN>()?;
            let label_len = usize::from(u16::from_be_bytes([*high, *low]));
            let label = payload.get(FIXED_LEN..FIXED_LEN + label_len)?;
            Some(Control::Open { label: std::str::from_utf8(label).ok()? })
        }
        _ => None,
    }
}

pub(super) fn open(channel: Channel) -> Vec<u8> {
    let kind = match channel {
        Channel::Reliable => RELIABLE,
        Channel::Lossy | Channel::DataTrack => PARTIAL_RELIABLE_REXMIT_UNORDERED,
    };
    let label = channel.label();
    // Priority, retransmissions and the length of the protocol's name are zero.
    let mut message = vec![OPEN, kind, 0, 0, 0, 0, 0, 0];
    message.extend(u16::try_from(label.len()).unwrap_or_default().to_be_bytes());
    message.extend([0, 0]);
    message.extend_from_slice(label.as_bytes());
    message
}

pub(super) fn acknowledgement() -> Vec<u8> {
    vec![ACK]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_open_is_read_as_that_channel() {
        for channel in Channel::ALL {
            let message = open(channel);
            let Some(Control::Open { label }) = parse(&message) else { panic!("no OPEN") };
            assert_eq!(Channel::from_label(label), Some(channel));
        }
        assert!(matches!(parse(&acknowledgement()), Some(Control::Acknowledged)));
    }

    #[test]
    fn no_bytes_end_the_process() {
        arbtest::arbtest(|u| {
            let mut message: Vec<u8> = u.arbitrary()?;
            if let Some(kind) = message.first_mut() {
                *kind = 2 + (*kind & 1);
            }
            if let Some(Control::Open { label }) = parse(&message) {
                assert!(label.len() + FIXED_LEN <= message.len());
            }
            Ok(())
        });
    }
}
