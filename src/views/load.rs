//! The load proof: whether the artifact loads out of the bundle, and where each library came from.

use super::theme::Role;
use crate::engine::report::dlopen::FoundIn;
use crate::engine::report::load::{LoadReport, LoadVerdict, LoadedLibrary};
use crate::engine::report::opened_words;

/// The verdict in one line.
pub fn verdict(load: &LoadReport) -> (String, Role) {
    let said = match load.verdict {
        LoadVerdict::LoadsFromElsewhere => {
            format!("{}: {}", opened_words::load_verdict(load.verdict), opened_words::loaded_from(load))
        }
        _ => opened_words::load(load),
    };
    (said, role(load.verdict))
}

/// What the verdict's line has no room for: which library is from elsewhere.
pub fn why(load: &LoadReport) -> Option<&str> {
    (load.verdict == LoadVerdict::LoadsFromElsewhere).then_some(load.why.as_str())
}

/// How a verdict looks.
pub const fn role(verdict: LoadVerdict) -> Role {
    match verdict {
        LoadVerdict::Loads => Role::Good,
        LoadVerdict::LoadsFromElsewhere | LoadVerdict::NotTried => Role::Warning,
        LoadVerdict::Fails => Role::Bad,
    }
}

/// The verdict in a word or two, for the step line.
pub const fn word(verdict: LoadVerdict) -> &'static str {
    match verdict {
        LoadVerdict::Loads => "loads",
        LoadVerdict::LoadsFromElsewhere => "from elsewhere",
        LoadVerdict::Fails => "FAILS",
        LoadVerdict::NotTried => "not tried",
    }
}

/// The verdict, and what there is to say besides.
pub fn facts(load: &LoadReport) -> Vec<(String, Role)> {
    std::iter::once(verdict(load)).chain(details(load)).collect()
}

/// What there is to say besides: how it was loaded, every library with where it came from, what was opened, what Python said.
pub fn details(load: &LoadReport) -> Vec<(String, Role)> {
    let mut lines = Vec::new();
    lines.extend(why(load).map(|why| (why.to_owned(), Role::Warning)));
    lines.extend(load.loaded_by.as_ref().map(|by| (format!("loaded by {by}"), Role::Quiet)));
    lines
        .extend(load.build_hidden_by.as_ref().map(|by| (format!("the build kept out of reach by: {by}"), Role::Quiet)));
    lines.extend(load.libraries.iter().map(|library| (came_from(library), library_role(library.from))));
    lines.extend(load.opened.iter().map(|probe| match (&probe.path, &probe.error) {
        (Some(path), _) => (format!("opened {}: {path}", probe.name), Role::Good),
        (None, error) => {
            let why = error.as_deref().unwrap_or("the loader does not say why");
            (format!("could not open {}: {why}", probe.name), Role::Bad)
        }
    }));
    lines.extend(load.started.as_ref().map(|said| (format!("loaded, then Python said: {said}"), Role::Warning)));
    lines
}

/// A library by the file that it came from: `bundle:labext.libs/libgreet-47542e49.so.1 (the bundle's), for labext.so`.
pub fn came_from(library: &LoadedLibrary) -> String {
    let file = library.path.rsplit('/').next().unwrap_or(&library.path);
    let name = if file == library.name { String::new() } else { format!("{}: ", library.name) };
    let asked_by = library.asked_by.as_ref().map(|by| format!(", for {by}")).unwrap_or_default();
    format!("{name}{} ({}){asked_by}", library.path, opened_words::whose(library.from))
}

/// How a library's origin looks: only the bundle's and the policy's are on every machine.
pub const fn library_role(from: FoundIn) -> Role {
    match from {
        FoundIn::Bundle => Role::Good,
        FoundIn::Policy => Role::Plain,
        FoundIn::System => Role::Warning,
        FoundIn::Build => Role::Bad,
    }
}
