//! The export trie of a Mach-O image: what each node exports, and where each branch leads.

use super::linkedit::name;
use super::opcodes::uleb;
use crate::engine::Result;
use crate::engine::binary::Endian;
use crate::engine::binary::record::Record;
use crate::engine::compare::item::Item;
use crate::engine::compare::tell::{Decoded, MOST_DECODED, Tell};
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;
use std::collections::HashSet;

/// More bytes of a trie than this are not looked at.
const MOST_BYTES: u64 = 16 << 20;
/// Names are followed up to so many bytes in all, and to so many each.
const MOST_TEXT: usize = 8 << 20;
const LONGEST_NAME: usize = 16 * 1024;
/// `EXPORT_SYMBOL_FLAGS_REEXPORT`.
const REEXPORT: u64 = 0x08;
/// `EXPORT_SYMBOL_FLAGS_STUB_AND_RESOLVER`.
const RESOLVER: u64 = 0x10;

type Of = (String, u64, u64);

/// Tells the nodes of the trie `size` bytes long at `start`.
pub(super) fn teller(prefix: &str, (start, size): (u64, u64)) -> Box<dyn Tell> {
    Box::new(Decoded::new((prefix.to_owned(), start, size), decode))
}

fn decode((prefix, start, size): &Of, source: &dyn ReadAt, items: &mut Vec<Item>) -> Result<()> {
    let trie = Record::read(source, *start, (*size).min(MOST_BYTES), Endian::Little)?;
    let mut visited = HashSet::new();
    let mut open = vec![(0_u64, Vec::new())];
    let mut text = 0;
    while let Some((node, prefix_of)) = open.pop() {
        if !visited.insert(node) || items.len() >= MOST_DECODED || text > MOST_TEXT {
            continue;
        }
        let (length, mut at) = uleb(&trie, node)?;
        let mut add = |from: u64, to: u64, name: String, value: String| {
            items.push(Item::new(Class::Export, start + from, to.saturating_sub(from), name, value));
        };
        if length > 0 {
            let exported = format!("{prefix}export {}", name(&prefix_of));
            add(node, at.saturating_add(length), exported, said(&trie, at)?);
        } else {
            let here = format!("{prefix}export trie, node of \"{}\"", String::from_utf8_lossy(&prefix_of));
            add(node, at, here, "exports nothing itself".into());
        }
        at = at.saturating_add(length);
        let children = trie.byte(at)?;
        let here = format!("{prefix}export trie, node of \"{}\"", String::from_utf8_lossy(&prefix_of));
        add(at, at + 1, here, format!("{children} branches"));
        at += 1;
        for _ in 0..children {
            let edge = trie.name(at, (trie.as_bytes().len() as u64).saturating_sub(at))?;
            let after = at + edge.as_bytes().len() as u64 + 1;
            let (target, next) = uleb(&trie, after)?;
            let child = [prefix_of.as_slice(), edge.as_bytes()].concat();
            let name = format!("{prefix}export trie, branch to \"{}\"", String::from_utf8_lossy(&child));
            add(at, next, name, format!("node at {:#x}", start.saturating_add(target)));
            at = next;
            text += child.len();
            if child.len() <= LONGEST_NAME {
                open.push((target, child));
            }
        }
    }
    Ok(())
}

/// What the node's information at `at` says.
fn said(trie: &Record<'_>, at: u64) -> Result<String> {
    let (flags, at) = uleb(trie, at)?;
    let (first, at) = uleb(trie, at)?;
    let kind = match flags & 3 {
        1 => ", thread-local",
        2 => ", absolute",
        _ => "",
    };
    let weak = if flags & 4 == 0 { "" } else { ", weak" };
    let what = match flags {
        _ if flags & REEXPORT != 0 => {
            let other = trie.name(at, (trie.as_bytes().len() as u64).saturating_sub(at))?;
            format!("re-exported from library {first}, as \"{other}\"")
        }
        _ if flags & RESOLVER != 0 => format!("stub {first:#x}, resolver {:#x}", uleb(trie, at)?.0),
        _ => format!("address {first:#x}"),
    };
    Ok(format!("{what}{kind}{weak}"))
}
