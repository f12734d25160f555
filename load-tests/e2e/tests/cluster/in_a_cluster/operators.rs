//! What an operator's page says of a pool that works, and of what is wrong with one.

use e2e::{
    caller::{Caller, Microphone},
    cluster::{Cluster, Shape},
    server::adda,
};

use crate::record;

const ONE_OF_EACH: Shape = Shape { signaling: 1, sfu: 1, recorders: 1 };

/// The page, as an operator whose token was taken sees it.
fn open_page(cluster: &Cluster) -> Caller {
    let token = adda(&["token", "create", "--operator"]).output().expect("it runs");
    let page = Caller::open_page(cluster.address(), "admin", Microphone::None);
    page.fill("#token", String::from_utf8_lossy(&token.stdout).trim());
    page.press("#token-form button");
    page
}

#[test]
fn a_page_that_is_open_says_in_words_what_breaks_and_when_it_is_well_again() {
    let mut cluster = Cluster::start(ONE_OF_EACH);
    let page = open_page(&cluster);
    page.wait_for("#findings [data-kind=good]");
    for node in ["signaling-1", "sfu-1", "recorder-1"] {
        assert!(page.text("#nodes").contains(node), "{}", page.text("#nodes"));
    }

    cluster.servers.redis.process.kill();
    page.wait_for("#findings [data-kind=warn]");
    page.wait_for_words("#findings", "Redis can't be reached");
    cluster.servers.redis.start_again();
    page.wait_for("#findings [data-kind=good]");

    cluster.servers.s3.process.kill();
    page.wait_for_words("#findings", "the object store is not available");
    cluster.servers.s3.start_again();
    page.wait_for("#findings [data-kind=good]");

    cluster.recorders[0].process.kill();
    page.wait_for_words("#findings", "no room can be recorded");
    cluster.recorders[0].start_again();
    page.wait_for("#findings [data-kind=good]");
}

#[test]
fn a_page_says_which_recording_failed_and_why() {
    let cluster = Cluster::start(ONE_OF_EACH);
    let _talk = cluster.talk("stand-up");
    let recording = record::start(&cluster, "stand-up");
    // As a recorder that gives one up leaves it.
    let given_up = format!(
        "UPDATE recordings SET status = 'failed', failure = 'its spool is broken' WHERE id = \
         '{recording}' RETURNING room"
    );
    assert_eq!(cluster.servers.postgres.query(&given_up), "stand-up");
    let page = open_page(&cluster);
    page.wait_for_words("#findings", "of room stand-up failed: its spool is broken");
    page.wait_for("#recordings .cell-state[data-kind=bad]");
}
