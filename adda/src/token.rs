//! `adda token create`: a token on the terminal, without any server.

use std::time::Duration;

use proto::{
    grants::{Grants, VideoGrant},
    ids::{Identity, RoomName},
};
use serde_json::json;
use service::{
    clock,
    token::{Keys, Validity},
};

use crate::{cli::TokenArgs, print};

/// Signs the token that `args` describe and prints it.
pub(crate) fn create(args: &TokenArgs) -> anyhow::Result<()> {
    let identity = args.identity.as_deref().unwrap_or("operator");
    let identity: Identity =
        identity.parse().map_err(|error| anyhow::anyhow!("--identity: {error}"))?;
    let now = clock::unix_time();
    let until = now + Duration::from_secs(u64::from(args.valid_for) * 3600);
    let grants = Grants {
        identity: identity.into(),
        name: args.name.clone().unwrap_or_default(),
        video: Some(rights(args)?),
        ..Grants::default()
    };
    let keys = Keys::new([(args.key.clone(), args.secret.clone())]);
    let token = keys.sign(&args.key, grants, Validity { from: now, until })?;
    if args.output == "json" {
        print::text(&format!("{}\n", json!({ "token": token, "expires": until.as_secs() })));
    } else {
        print::text(&format!("{token}\n"));
    }
    Ok(())
}

fn rights(args: &TokenArgs) -> anyhow::Result<VideoGrant> {
    let Some(room) = &args.room else {
        return Ok(VideoGrant {
            room_admin: true,
            room_list: true,
            room_create: true,
            room_record: true,
            ..VideoGrant::default()
        });
    };
    let room: RoomName = room.parse().map_err(|error| anyhow::anyhow!("--room: {error}"))?;
    Ok(VideoGrant {
        room: room.into(),
        room_join: true,
        room_admin: args.admin,
        can_publish: args.listen_only.then_some(false),
        ..VideoGrant::default()
    })
}
