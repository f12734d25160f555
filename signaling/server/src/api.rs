//! The public HTTP API as a list of operations: what is served is what can be compared with
//! `openapi.json`, because there is no other way in.

use std::sync::Arc;

use axum::{
    Router,
    handler::Handler,
    http::Method,
    routing::{MethodFilter, on},
};

use crate::app::App;

/// Operations below `/v1`, and who answers them.
#[derive(Debug, Default)]
pub(crate) struct Api {
    router: Router<Arc<App>>,
    operations: Vec<(Method, &'static str)>,
}

impl Api {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Has `handler` answer `method` on `path`. HEAD comes with GET.
    pub(crate) fn on<H, T>(mut self, method: Method, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        if let Ok(filter) = MethodFilter::try_from(method.clone()) {
            self.router = self.router.route(path, on(filter, handler));
            self.operations.push((method, path));
        }
        self
    }

    /// What is served.
    #[cfg(test)]
    pub(crate) fn operations(&self) -> &[(Method, &'static str)] {
        &self.operations
    }
}

impl From<Api> for Router<Arc<App>> {
    fn from(api: Api) -> Self {
        api.router
    }
}
