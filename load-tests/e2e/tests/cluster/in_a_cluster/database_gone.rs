//! PostgreSQL dies: calls and joins to known rooms go on, new rooms are refused with when to come
//! again, and nothing that was acknowledged is lost.

use e2e::{cluster::Cluster, talk::Talk, wait};
use serde_json::json;

use crate::story::{LATE, TWO_OF_EACH, outage, refusal_to_join};

#[test]
fn calls_go_on_and_new_rooms_are_refused_while_the_database_is_gone() {
    let mut cluster = Cluster::start(TWO_OF_EACH);
    let talk = cluster.talk("known");
    let create = |cluster: &Cluster, room: &str| {
        let body = json!({ "name": room, "metadata": format!("of {room}") });
        cluster.api("POST", "/twirp/livekit.RoomService/CreateRoom", room, &body)
    };
    assert_eq!(create(&cluster, "kept").status, 200);

    cluster.servers.postgres.process.kill();
    for signaling in 0..2 {
        let refused = refusal_to_join(&cluster, signaling, "new");
        assert_eq!(refused.status, 503, "{}", refused.body);
        assert!(refused.header("Retry-After").is_some(), "{}", refused.head);
    }
    let refused = create(&cluster, "refused");
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert!(refused.header("Retry-After").is_some(), "{}", refused.head);
    for node in &cluster.signaling {
        node.expect_readiness(false, "database");
    }
    wait(outage());
    let through = cluster.signaling[1].address();
    let late = Talk::of(vec![cluster.speaker(through, "known", "late")]);
    assert_eq!(cluster.sfu_at(late.media[0]), cluster.sfu_at(talk.media[0]));

    cluster.servers.postgres.start_again();
    for node in &mut cluster.signaling {
        node.wait_until_ready();
    }
    let new = cluster.talk("new");
    let listed = cluster.api("POST", "/twirp/livekit.RoomService/ListRooms", "kept", &json!({}));
    let kept = listed.json()["rooms"].as_array().cloned().unwrap_or_default();
    let kept = kept.into_iter().find(|room| room["name"] == "kept").expect("the room is kept");
    assert_eq!(kept["metadata"], "of kept");
    for talk in [talk, new] {
        talk.finish().assert_whole(LATE);
    }
}
