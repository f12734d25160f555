//! What a stack that isn't ours makes of us.

use std::time::Duration;

use peer::Participant;
use prost::Message as _;
use proto::{
    data::Channel,
    livekit::{DataPacket, UserPacket, data_packet},
};

use crate::{
    server::Server,
    talk::{Talk, next_data},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_webrtc_rs_peers_hear_each_other_byte_for_byte() {
    let server = Server::start().await;
    let mut talk = Talk::begin(&server, "voices").await;

    let (heard, ()) = talk.go_on(250, async |_| {}).await;

    for one in heard {
        one.assert_unharmed(Duration::from_millis(500));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_webrtc_rs_peers_send_each_other_data_on_both_channels() {
    let server = Server::start().await;
    let mut ann = server.join("data", "ann").await;
    let mut bob = server.join("data", "bob").await;

    for (sequence, channel) in [(1, Channel::Reliable), (0, Channel::Lossy)] {
        ann.send(channel, &message(b"from ann", sequence)).await.expect("an open channel");
        bob.send(channel, &message(b"from bob", sequence)).await.expect("an open channel");

        let heard = (channel, "ann".to_owned(), b"from ann".to_vec());
        assert_eq!(next_message(&mut bob).await, heard);
        let heard = (channel, "bob".to_owned(), b"from bob".to_vec());
        assert_eq!(next_message(&mut ann).await, heard);
    }
}

/// The next message, on which channel and of whom it came.
async fn next_message(listener: &mut Participant) -> (Channel, String, Vec<u8>) {
    let (channel, payload) = next_data(listener).await;
    let packet = DataPacket::decode(payload).expect("a data packet");
    let Some(data_packet::Value::User(user)) = packet.value else { panic!("{packet:?}") };
    (channel, packet.participant_identity, user.payload)
}

fn message(payload: &[u8], sequence: u32) -> Vec<u8> {
    let user = UserPacket { payload: payload.to_vec(), ..Default::default() };
    let value = Some(data_packet::Value::User(user));
    DataPacket { value, sequence, ..Default::default() }.encode_to_vec()
}
