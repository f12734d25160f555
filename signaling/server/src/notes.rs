//! Voice notes: `/v1/voice-notes`.
//!
//! A note is announced, uploaded straight to the object store by a signed URL, and completed: then
//! it is read once, to the end, and gets its place in the room's history. Each answer that says a
//! thing is so comes after it is on disk. A node holds nothing of a note between two requests, so
//! any node may serve the next, and a crash between them loses nothing.

mod body;
mod examine;
mod flights;
mod item;
mod requests;
mod rights;
mod sound;
mod sweeper;

use std::{path::Path, sync::Arc};

use axum::{Router, http::Method};
use service::metrics::Registry;
use storage_database::Database;
use storage_objects::Objects;
use tokio::sync::Semaphore;

use self::flights::Flights;
pub(crate) use self::sweeper::sweep;
use crate::{api::Api, app::App, limits::NOTE_EXAMINATIONS_MAX, metrics::NoteMetrics};

/// Handles to where notes are kept. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Notes {
    objects: Objects,
    database: Database,
    /// Where an upload is copied to while it is read.
    scratch: Arc<Path>,
    flights: Flights,
    examinations: Arc<Semaphore>,
    metrics: NoteMetrics,
}

impl Notes {
    /// `scratch` is a folder on a disk with room for a few notes.
    pub(crate) fn new(
        objects: Objects,
        database: Database,
        scratch: &Path,
        registry: &mut Registry,
    ) -> Self {
        Self {
            objects,
            database,
            scratch: scratch.into(),
            flights: Flights::new(),
            examinations: Arc::new(Semaphore::new(NOTE_EXAMINATIONS_MAX)),
            metrics: NoteMetrics::register(registry),
        }
    }

    /// Where pages upload to and play from, if that is not us.
    pub(crate) fn origin(&self) -> Option<&str> {
        self.objects.origin()
    }

    /// The routes that signed URLs lead to, if they lead to us.
    pub(crate) fn object_routes(&self) -> Option<Router<Arc<App>>> {
        self.objects.routes()
    }
}

/// Adds the operations on voice notes.
pub(crate) fn serve(api: Api) -> Api {
    api.on(Method::POST, "/v1/voice-notes", requests::create)
        .on(Method::GET, "/v1/voice-notes", requests::list)
        .on(Method::GET, "/v1/voice-notes/{id}", requests::one)
        .on(Method::DELETE, "/v1/voice-notes/{id}", requests::delete)
        .on(Method::POST, "/v1/voice-notes/{id}/complete", requests::complete)
        .on(Method::GET, "/v1/voice-notes/{id}/content", requests::content)
}
