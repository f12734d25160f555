//! `adda room …`: the rooms of a running server.

use proto::grants::VideoGrant;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    cli::{RecordArgs, RoomCommand},
    print,
    remote::{Remote, segment},
    table,
};

/// Does what `command` says.
pub(crate) fn run(command: &RoomCommand) -> anyhow::Result<()> {
    match command {
        RoomCommand::Ls(remote) => list(remote),
        RoomCommand::Record(args) => record(args),
    }
}

fn list(remote: &Remote) -> anyhow::Result<()> {
    let rights = VideoGrant { room_list: true, ..VideoGrant::default() };
    let path = "/twirp/livekit.RoomService/ListRooms";
    let answer = remote.call(Method::POST, path, rights, Some(&json!({})))?;
    if remote.wants_json() {
        print::text(&format!("{answer}\n"));
        return Ok(());
    }
    let rooms = answer.get("rooms").and_then(Value::as_array);
    let mut rows: Vec<_> = rooms.into_iter().flatten().map(row).collect();
    rows.sort();
    print::text(&table::lay_out(["ROOM", "PEOPLE", "SPEAK", "RECORDED", "SID"], &rows));
    Ok(())
}

fn row(room: &Value) -> [String; 5] {
    let text = |name: &str| room.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |name: &str| room.get(name).and_then(Value::as_u64).unwrap_or_default();
    let is_recorded = room.get("active_recording").and_then(Value::as_bool) == Some(true);
    [
        text("name"),
        number("num_participants").to_string(),
        number("num_publishers").to_string(),
        if is_recorded { "yes" } else { "no" }.to_owned(),
        text("sid"),
    ]
}

fn record(args: &RecordArgs) -> anyhow::Result<()> {
    let rights = VideoGrant { room: args.room.clone(), room_record: true, ..VideoGrant::default() };
    let path = match &args.stop {
        Some(id) => format!("/v1/recordings/{}/stop", segment(id)),
        None => format!("/v1/rooms/{}/recordings", segment(&args.room)),
    };
    let recording = args.remote.call(Method::POST, &path, rights, Some(&json!({})))?;
    if args.remote.wants_json() {
        print::text(&format!("{recording}\n"));
        return Ok(());
    }
    let word = |name: &str| recording.get(name).and_then(Value::as_str).unwrap_or_default();
    let (room, id) = (&args.room, word("id"));
    print::text(&match args.stop {
        Some(_) => format!("{id} of {room} ends; its files follow\n"),
        None => format!("{id} records {room}; adda room record {room} --stop {id} ends it\n"),
    });
    Ok(())
}
