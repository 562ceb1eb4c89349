//! Which symbol of one library a reference takes: glibc's `elf/dl-lookup.c` (`check_match`, `do_lookup_x`), and musl's
//! `ldso/dynlink.c` (`find_sym`), which knows default versions only.

use crate::engine::binary::elf::{Definition, HIDDEN, NumberedVersion, Use, VersionTable};
use goblin::elf::sym::{STB_GLOBAL, STB_GNU_UNIQUE, STB_WEAK, STV_HIDDEN, STV_INTERNAL};
use goblin::elf::sym::{STT_COMMON, STT_FUNC, STT_GNU_IFUNC, STT_NOTYPE, STT_OBJECT, STT_TLS};

/// The first number of `.gnu.version` that an unversioned reference does not take at once: 1 is the base version and 2
/// the oldest one.
const FIRST_LATER_VERSION: u16 = 3;

/// Whether a loader takes the symbol for code or data. A program's stub serves who wants an address, so that a function
/// has one address only, and never who wants to call.
fn is_value(definition: &Definition, usage: Use) -> bool {
    let kinds = [STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_COMMON, STT_TLS, STT_GNU_IFUNC];
    let has_value = !definition.is_zero || definition.is_absolute || definition.kind == STT_TLS;
    has_value && kinds.contains(&definition.kind) && (usage == Use::Address || !definition.is_stub)
}

/// Whether other objects see the symbol.
pub(super) fn is_visible(definition: &Definition) -> bool {
    !matches!(definition.visibility, STV_HIDDEN | STV_INTERNAL)
        && matches!(definition.binding, STB_GLOBAL | STB_WEAK | STB_GNU_UNIQUE)
}

/// What glibc takes of `definitions`, all of one name and one library, in the order of its hash chain. `versions` is the
/// library's table, `None` when it has none; `wanted` is the version that the reference names.
pub(super) fn glibc<'d>(
    definitions: &'d [Definition],
    versions: Option<&VersionTable>,
    wanted: Option<&NumberedVersion>,
    usage: Use,
) -> Option<&'d Definition> {
    let mut defaults = definitions.iter().filter(|definition| {
        let number = definition.version.unwrap_or(0);
        is_value(definition, usage) && number & HIDDEN == 0 && number >= FIRST_LATER_VERSION
    });
    let fits = |definition: &&Definition| {
        let (Some(versions), Some(number)) = (versions, definition.version) else { return true };
        match wanted {
            Some(wanted) => {
                let own = versions.get(number).filter(|own| own.hash != 0);
                let same = own.is_some_and(|own| own.hash == wanted.hash && own.name == wanted.name);
                same || (!wanted.exact && own.is_none() && number & HIDDEN == 0)
            }
            None => number & !HIDDEN < FIRST_LATER_VERSION,
        }
    };
    let first = definitions.iter().filter(|definition| is_value(definition, usage)).find(fits);
    let taken = first.or_else(|| {
        // With a single default version among the later ones an unversioned reference is not ambiguous.
        let only = defaults.next().filter(|_| wanted.is_none() && versions.is_some())?;
        defaults.next().is_none().then_some(only)
    });
    taken.filter(|definition| is_visible(definition))
}

/// What musl takes of `definitions`: the first that is a default version or has none.
pub(super) fn musl(definitions: &[Definition], usage: Use) -> Option<&Definition> {
    let first = definitions.iter().find(|definition| definition.version.unwrap_or(0) & HIDDEN == 0)?;
    let has_value = !first.is_zero || first.kind == STT_TLS;
    let is_known = is_value(first, usage) && !(first.is_stub && first.kind == STT_TLS) && first.kind != STT_GNU_IFUNC;
    let is_bound = matches!(first.binding, STB_GLOBAL | STB_WEAK | STB_GNU_UNIQUE);
    (has_value && is_known && is_bound).then_some(first)
}
