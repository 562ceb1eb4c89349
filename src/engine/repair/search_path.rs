//! The search path that a repair leaves in an artifact: what stands there, and the way to the libraries beside it.

use super::{EditRequest, RepairOptions};
use crate::engine::binary::{Name, RunPathTag, Slice};
use crate::engine::file::relative_path;
use crate::engine::project::Artifact;
use std::path::Path;

/// The search path that `slice` has for the loader: RUNPATH if there is one, else RPATH; `None` when it has neither.
fn present_run_path(slice: &Slice) -> Option<String> {
    let of =
        |tag| slice.run_paths.iter().filter(move |path| path.tag == tag).map(|path| path.text.to_text().into_owned());
    of(RunPathTag::Runpath).next_back().or_else(|| of(RunPathTag::Rpath).next_back())
}

/// The search path that leads the artifact into the bundle too.
pub(super) fn search_path_request(artifact: &Artifact, slice: &Slice, options: &RepairOptions) -> EditRequest {
    let bundle = bundle_entry(artifact);
    // The text is kept as it stands, empty entries included: each means something to ld.so.
    let present = present_run_path(slice).filter(|text| !text.is_empty());
    let mut entries: Vec<&str> = present.iter().flat_map(|text| text.split(':')).collect();
    if options.drop_build_rpaths {
        entries.retain(|entry| !entry.starts_with('/'));
    }
    if !entries.contains(&bundle.as_str()) {
        entries.push(&bundle);
    }
    EditRequest::SetRpath(Name::from(entries.join(":").as_str()))
}

/// The search path entry by which `artifact` reaches the libraries of its bundle: `$ORIGIN/../labext.libs`.
#[must_use]
pub fn bundle_entry(artifact: &Artifact) -> String {
    let way = relative_path(
        &Path::new("/").join(&artifact.names.artifact_dir),
        &Path::new("/").join(&artifact.names.libs_dir),
    );
    format!("$ORIGIN/{}", way.display())
}

/// What an editable install asks of the artifact: that the directories which build scripts gave are searched.
pub(super) fn editable_requests(artifact: &Artifact, slice: &Slice) -> Vec<EditRequest> {
    let present = present_run_path(slice).filter(|text| !text.is_empty());
    let mut entries: Vec<String> = present.iter().flat_map(|text| text.split(':')).map(str::to_owned).collect();
    let before = entries.len();
    for path in &artifact.linked_paths.paths {
        let path = path.to_string_lossy().into_owned();
        if !entries.contains(&path) {
            entries.push(path);
        }
    }
    if entries.len() == before {
        return Vec::new();
    }
    vec![EditRequest::SetRpath(Name::from(entries.join(":").as_str()))]
}
