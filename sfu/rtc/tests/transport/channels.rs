//! Data channels, opened by either side.

use std::time::Duration;

use proto::data::{Channel, ChannelSide};
use sfu_rtc::{Event, SendDataError, limits::DATA_MESSAGE_BYTES_MAX};

use crate::network::{Call, End, Link, Setup};

fn messages(events: &[Event], wanted: Channel) -> Vec<&[u8]> {
    let mut found = Vec::new();
    for event in events {
        if let Event::Data { channel, payload } = event
            && *channel == wanted
        {
            found.push(&payload[..]);
        }
    }
    found
}

#[test]
fn either_side_can_open_the_channels() {
    for server_channels in [ChannelSide::Remote, ChannelSide::Local] {
        let mut call = Call::new(&Setup { server_channels, ..Setup::default() });
        call.run_for(Duration::from_secs(1));
        for channel in Channel::ALL {
            let open = Event::ChannelOpen(channel);
            assert_eq!(call.server_events.iter().filter(|event| **event == open).count(), 1);
            assert_eq!(call.client_events.iter().filter(|event| **event == open).count(), 1);
            call.server.send_data(channel, b"from server", call.now).unwrap();
            call.client.send_data(channel, b"from client", call.now).unwrap();
        }
        call.run_for(Duration::from_secs(1));
        for channel in Channel::ALL {
            assert_eq!(messages(&call.server_events, channel), [b"from client"]);
            assert_eq!(messages(&call.client_events, channel), [b"from server"]);
        }
    }
}

#[test]
fn reliable_messages_all_arrive_in_order_over_a_lossy_network() {
    let link = Link {
        seed: 9,
        loss_percent: 20,
        delay: Duration::from_millis(30),
        jitter: Duration::from_millis(60),
    };
    let mut call = Call::new(&Setup { link, ..Setup::default() });
    call.run_for(Duration::from_secs(10));
    let sent: Vec<Vec<u8>> = (0..200_u32).map(|n| n.to_be_bytes().repeat(75)).collect();
    for message in &sent {
        call.client.send_data(Channel::Reliable, message, call.now).unwrap();
        call.client.send_data(Channel::Lossy, message, call.now).unwrap();
        call.run_for(Duration::from_millis(20));
    }
    call.run_for(Duration::from_secs(30));
    assert_eq!(messages(&call.server_events, Channel::Reliable), sent);
    let lossy = messages(&call.server_events, Channel::Lossy);
    assert!(lossy.len() < sent.len(), "nothing was lost, so nothing was shown");
    assert!(lossy.len() > sent.len() / 2);
}

#[test]
fn a_message_has_a_largest_size() {
    let mut call = Call::connected();
    let largest = vec![7; DATA_MESSAGE_BYTES_MAX];
    let now = call.now;
    for bad in [&vec![7; DATA_MESSAGE_BYTES_MAX + 1], &Vec::new()] {
        let refused = call.client.send_data(Channel::Reliable, bad, now);
        assert_eq!(refused, Err(SendDataError::Size));
    }
    call.client.send_data(Channel::Reliable, &largest, now).unwrap();
    call.run_for(Duration::from_secs(5));
    assert_eq!(messages(&call.server_events, Channel::Reliable), [&largest[..]]);
}

#[test]
fn what_a_peer_does_not_take_is_refused_not_hoarded() {
    let mut call = Call::connected();
    call.cut(|datagram| datagram.to == End::Client);
    let message = [7; 1_000];
    let mut accepted = 0;
    let refused = loop {
        match call.server.send_data(Channel::Reliable, &message, call.now) {
            Ok(()) => accepted += 1,
            Err(error) => break error,
        }
        call.drain();
        assert!(accepted < 1_000, "no bound");
    };
    assert_eq!(refused, SendDataError::BufferFull);
    assert!(accepted > 100);
}

#[test]
fn nothing_is_sent_on_a_channel_before_it_is_open() {
    let mut call = Call::new(&Setup::default());
    let now = call.now;
    assert_eq!(call.server.send_data(Channel::Lossy, b"x", now), Err(SendDataError::NotOpen));
}
