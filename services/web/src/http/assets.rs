//! The stylesheet and the script under names that carry their content's hash, so that a browser may keep them for good.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};

struct Asset {
    path: String,
    content_type: &'static str,
    text: &'static str,
}

impl Asset {
    fn new(stem: &str, extension: &str, content_type: &'static str, text: &'static str) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        let hash: String = hex::encode(digest.as_ref()).chars().take(16).collect();
        Self { path: format!("/assets/{stem}-{hash}.{extension}"), content_type, text }
    }
}

static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("chart", "css", "text/css; charset=utf-8", include_str!("../../assets/chart.css"))
});
static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("chart", "js", "text/javascript; charset=utf-8", include_str!("../../assets/chart.js"))
});

static CONSOLE_STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("console", "css", "text/css; charset=utf-8", include_str!("../../assets/console.css"))
});

/// The address of the console's stylesheet.
pub(crate) fn console_style_path() -> &'static str {
    &CONSOLE_STYLE.path
}

/// The stylesheet's address.
pub(crate) fn style_path() -> &'static str {
    &STYLE.path
}

/// The script's address.
pub(crate) fn script_path() -> &'static str {
    &SCRIPT.path
}

pub(super) async fn serve(Path(file): Path<String>) -> Response {
    let asked = format!("/assets/{file}");
    let Some(asset) = [&STYLE, &SCRIPT, &CONSOLE_STYLE].into_iter().find(|asset| asset.path == asked) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, asset.text).into_response()
}
