//! WW029 with the lab's Mach-O file: a library that is linked weakly and is not there.

use crate::Case;
use crate::workshop::{Workshop, holds, says};
use libtest_mimic::Failed;
use std::path::{Path, PathBuf};
use wheelwright::engine::report::audit::Severity;

pub fn all() -> Vec<Case> {
    vec![Case { name: "a_weak_library_is_missing", lacking: None, run: weak }]
}

fn built(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/lab/built").join(name)
}

fn weak() -> Result<(), Failed> {
    const LOAD_DYLIB: u32 = 0xc;
    const LOAD_WEAK_DYLIB: u32 = 0x8000_0018;
    let shop = Workshop::new();
    let file = shop.path("liblabmac.dylib");
    let mut bytes = std::fs::read(built("liblabmac.dylib"))?;
    std::fs::write(&file, &bytes)?;
    shop.the(&file, "WW003", Severity::Error)?;
    holds("a firm need is no weak one", shop.of_code(&file, "WW029").is_empty())?;
    let name = b"@rpath/libgreet.1.dylib";
    let at = bytes.windows(name.len()).position(|window| window == name).ok_or("the name is not there")?;
    // The name follows the command's six words.
    let command = &mut bytes[at - 24..at - 20];
    holds("a load command", command == LOAD_DYLIB.to_le_bytes())?;
    command.copy_from_slice(&LOAD_WEAK_DYLIB.to_le_bytes());
    std::fs::write(&file, &bytes)?;
    let finding = shop.the(&file, "WW029", Severity::Warning)?;
    says(&finding, &["needed by liblabmac.dylib, linked weakly", "@loader_path/../lib", "no such file"])?;
    holds("it is not told twice", shop.of_code(&file, "WW003").is_empty())?;
    // As the fix says: let it be found.
    std::fs::create_dir(shop.path("lib"))?;
    std::fs::create_dir(shop.path("here"))?;
    std::fs::copy(built("libgreet.1.dylib"), shop.path("lib/libgreet.1.dylib"))?;
    std::fs::rename(&file, shop.path("here/liblabmac.dylib"))?;
    holds("it is gone", shop.of_code(&shop.path("here/liblabmac.dylib"), "WW029").is_empty())
}
