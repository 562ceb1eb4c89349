//! The part of `wheelwright audit` on symbols: who binds how many, and what stays unbound.

use super::output::{Output, Tone};
use crate::engine::report::audit::{ArtifactReport, BindingState, ObjectSymbols, SliceReport};
use crate::engine::report::words::counted;
use color_eyre::Result;

/// Prints what was found out about the symbols of `artifact`, a line with `row` each; nothing where nobody asked.
///
/// # Errors
/// When the output can't be written.
pub fn print(artifact: &ArtifactReport, verbose: bool, output: &mut Output) -> Result<()> {
    for slice in &artifact.slices {
        let Some(symbols) = &slice.symbols else { continue };
        for (number, object) in symbols.objects.iter().enumerate() {
            if number == 0 {
                super::audit::row("symbols", counts(slice, object), output)?;
            }
            for symbol in &object.symbols {
                let version = symbol.version.as_ref().map(|version| format!("@{version}")).unwrap_or_default();
                let note = symbol.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
                let text = format!("{}{version}, wanted by {}{note}", symbol.name, object.name);
                match symbol.state {
                    BindingState::Unbound => super::audit::row("unbound", output.tone(Tone::Bad, text), output)?,
                    BindingState::WeakUnbound if verbose => super::audit::row("weak, free", text, output)?,
                    BindingState::Bound if verbose => {
                        let by = symbol.to.and_then(|to| slice.tree.as_ref()?.nodes.get(to));
                        let by = by.map_or("the host", |node| &node.name);
                        super::audit::row("bound", format_args!("{}{version} by {by}", symbol.name), output)?;
                    }
                    _ => {}
                }
            }
        }
    }
    Ok(())
}

/// `412 bound (libc.so.6 380, libgcc_s.so.1 32), 20 of Python, 3 weak and free, 0 unbound`.
fn counts(slice: &SliceReport, object: &ObjectSymbols) -> String {
    let nodes = slice.tree.iter().flat_map(|tree| &tree.nodes);
    let by = nodes.filter_map(|node| {
        let count = object.symbols.iter().filter(|symbol| symbol.to == Some(node.id)).count();
        (count > 0).then(|| format!("{} {count}", node.name))
    });
    let by: Vec<String> = by.collect();
    let by = if by.is_empty() { String::new() } else { format!(" ({})", by.join(", ")) };
    let bound = counted(object.bound, "bound", "bound");
    let (python, free, unbound) = (object.python, object.weak_unbound, object.unbound);
    format!("{bound}{by}, {python} of Python, {free} weak and free, {unbound} unbound")
}
