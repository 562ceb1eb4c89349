//! Pictures of small layouts, as text, and what holds for all of them.

use super::*;
use crate::engine::report::fit::{RelroFate, Shape, Strategy};
use proptest::prelude::*;

fn part(name: &str, flags: &str, offset: u64, size: u64, address: u64, memory: u64) -> ShapePart {
    ShapePart { name: name.into(), flags: flags.into(), offset, size, address, memory }
}

/// Headers, text and data; `.dynamic` is read-only after relocation.
fn small() -> Shape {
    Shape {
        size: 0x3400,
        tables: vec![
            part("program headers", "", 0x40, 0x1c0, 0x40, 0x1c0),
            part("section headers", "", 0x3100, 0x300, 0, 0),
        ],
        segments: vec![
            part("LOAD", "R", 0, 0x800, 0, 0x800),
            part("LOAD", "RW", 0x2000, 0x400, 0x3000, 0x800),
            part("GNU_RELRO", "R", 0x2000, 0x200, 0x3000, 0x200),
            part("NOTE", "R", 0x200, 0x20, 0x200, 0x20),
        ],
        sections: vec![
            part(".note", "A", 0x200, 0x20, 0x200, 0x20),
            part(".dynsym", "A", 0x220, 0x100, 0x220, 0x100),
            part(".dynstr", "A", 0x320, 0x80, 0x320, 0x80),
            part(".rodata", "A", 0x400, 0x400, 0x400, 0x400),
            part(".dynamic", "AW", 0x2000, 0x200, 0x3000, 0x200),
            part(".data", "AW", 0x2200, 0x200, 0x3200, 0x200),
            part(".bss", "AW", 0x2400, 0, 0x3400, 0x400),
            part(".comment", "", 0x2400, 0x40, 0, 0),
            part(".symtab", "", 0x2440, 0xc00, 0, 0),
        ],
    }
}

fn fit(before: Shape, after: Shape, inserted: Option<Inserted>) -> Fit {
    Fit {
        strategy: Strategy::InPlace,
        rooms: Vec::new(),
        considered: Vec::new(),
        consequences: Vec::new(),
        relro: RelroFate::Kept,
        inserted,
        before,
        after,
    }
}

#[derive(Clone, Copy)]
enum Side {
    Before,
    After,
}

/// A line a stripe: `kind name change`, `-` for nothing, with `!` behind what is read-only after relocation.
fn text(fit: &Fit, order: Order) -> Vec<String> {
    let block = |block: &Option<Block>| match block {
        None => "-".to_owned(),
        Some(block) => {
            let at = block.at.map_or_else(|| "-".to_owned(), |at| format!("{at:x}"));
            let relro = if block.relro { "!" } else { "" };
            format!("{:?} {} {at} {:?}{relro}", block.kind, block.name, block.change).replace("  ", " ")
        }
    };
    let stripes = Picture::of(fit, order).stripes;
    let word =
        |line: String| line.replace("Parts { ", "").replace(" }", "").replace("tables: ", "").replace("sections: ", "");
    stripes.iter().map(|stripe| word(format!("{} | {}", block(&stripe.before), block(&stripe.after)))).collect()
}

#[test]
fn what_is_as_it_was_is_folded_segment_by_segment() {
    let lines = text(&fit(small(), small(), None), Order::Offset);
    assert_eq!(
        lines,
        [
            "Whole(1, 4) LOAD 0 Same | Whole(1, 4) LOAD 0 Same",
            "Between 800 Same | Between 800 Same",
            "Segment LOAD 2000 Same | Segment LOAD 2000 Same",
            "Section .dynamic 2000 Same! | Section .dynamic 2000 Same!",
            "Section .data 2200 Same | Section .data 2200 Same",
            "Section .bss 2400 Same | Section .bss 2400 Same",
            "Apart 2400 Same | Apart 2400 Same",
            "Folded(1, 2) .comment … .symtab 2400 Same | Folded(1, 2) .comment … .symtab 2400 Same",
            "End 3400 Same | End 3400 Same",
        ]
    );
}

#[test]
fn a_section_that_moves_leaves_its_place_and_stands_in_the_new_segment() {
    let mut after = small();
    after.segments.insert(2, part("LOAD", "R", 0x3400, 0xa0, 0x6400, 0xa0));
    after.sections[2] = part(".dynstr", "A", 0x3400, 0xa0, 0x6400, 0xa0);
    after.segments.retain(|segment| segment.name != "NOTE");
    after.size = 0x34a0;
    let fit = fit(small(), after, None);
    let lines = text(&fit, Order::Offset);
    assert!(lines.contains(&"Section .dynstr 320 Moved | Unused 320 New".to_owned()), "{lines:#?}");
    let end = &lines[lines.len() - 3..];
    assert_eq!(end[0], "- | Segment LOAD 3400 New");
    assert_eq!(end[1], "- | Section .dynstr 3400 Moved");
    assert_eq!(end[2], "End 3400 Grown | End 34a0 Grown");
    let picture = Picture::of(&fit, Order::Offset);
    assert_eq!((picture.headers.len(), picture.headers_unchanged), (1, 1));
    assert_eq!(picture.headers[0].before.as_ref().map(|header| header.change), Some(Change::Gone));
}

#[test]
fn what_stands_behind_an_inserted_page_is_higher_in_the_file_and_where_it_was_in_memory() {
    let zeros = Inserted { offset: 0x2200, length: 0x1000 };
    let mut after = small();
    for part in after.tables.iter_mut().chain(&mut after.sections) {
        part.offset += if part.offset >= zeros.offset { zeros.length } else { 0 };
    }
    after.segments[1] = part("LOAD", "RW", 0x2000, 0x1400, 0x3000, 0x1400);
    after.size += zeros.length;
    let lines = text(&fit(small(), after, Some(zeros)), Order::Offset);
    let place = lines.iter().position(|line| line == "- | Inserted 2200 New").unwrap();
    assert_eq!(lines[place - 1], "Section .dynamic 2000 Same! | Section .dynamic 2000 Same!");
    assert!(lines.contains(&"Section .data 2200 Shifted | Section .data 3200 Shifted".to_owned()), "{lines:#?}");
    assert!(lines.contains(
        &"Folded(1, 2) .comment … .symtab 2400 Shifted | Folded(1, 2) .comment … .symtab 3400 Shifted".to_owned()
    ));
}

#[test]
fn by_addresses_nothing_became_of_what_only_moved_in_the_file() {
    let zeros = Inserted { offset: 0x2000, length: 0x1000 };
    let mut after = small();
    for part in after.tables.iter_mut().chain(&mut after.sections).chain(&mut after.segments) {
        part.offset += if part.offset >= zeros.offset { zeros.length } else { 0 };
    }
    after.sections[4].address += 0x80;
    let lines = text(&fit(small(), after, Some(zeros)), Order::Address);
    let changed: Vec<_> = lines.iter().filter(|line| !line.contains("Same") && !line.contains("| Unused")).collect();
    assert_eq!(changed[0], "Section .dynamic 3000 Moved! | Section .dynamic 3080 Moved!", "{lines:#?}");
    assert!(changed[1..].iter().all(|line| line.contains(" - Shifted")), "only what has no address: {changed:#?}");
}

#[test]
fn by_addresses_what_is_not_loaded_comes_last_and_has_no_place() {
    let lines = text(&fit(small(), small(), None), Order::Address);
    let place = lines.iter().position(|line| line == "Apart - Same | Apart - Same").unwrap();
    assert!(lines[place - 1].starts_with("Section .bss 3400 "), "{lines:#?}");
    assert_eq!(lines[place + 1], "Folded(1, 2) .comment … .symtab - Same | Folded(1, 2) .comment … .symtab - Same");
}

prop_compose! {
    fn any_part(names: &'static [&'static str])(
        name in proptest::sample::select(names), loaded: bool,
        offset in 0u64..40, size in 0u64..8, address in 0u64..40, memory in 0u64..8, far in 0u32..3,
    ) -> ShapePart {
        // Now and then figures as a damaged file has them.
        let far = |figure: u64| if far == 0 { u64::MAX - figure } else { figure * 16 };
        part(name, if loaded { "A" } else { "" }, far(offset), far(size), far(address), far(memory))
    }
}

prop_compose! {
    fn any_shape()(
        segments in prop::collection::vec(any_part(&["LOAD", "LOAD", "NOTE", "GNU_RELRO"]), 0..6),
        sections in prop::collection::vec(any_part(&[".a", ".b", ".c", ".d", ".e", ".f"]), 0..12),
        size in 0u64..1000,
    ) -> Shape {
        Shape { size, tables: Vec::new(), segments, sections }
    }
}

proptest! {
    /// No part is lost or doubled, whatever the layouts.
    #[test]
    fn every_part_stands_once_in_its_column(before in any_shape(), after in any_shape(), address: bool) {
        let order = if address { Order::Address } else { Order::Offset };
        let picture = Picture::of(&fit(before.clone(), after.clone(), None), order);
        for (shape, side) in [(&before, Side::Before), (&after, Side::After)] {
            let block = |stripe: &'_ Stripe| match side {
                Side::Before => stripe.before.clone(),
                Side::After => stripe.after.clone(),
            };
            let blocks = || picture.stripes.iter().filter_map(block);
            let sections: usize = blocks().map(|block| match block.kind {
                Kind::Section => 1,
                Kind::Folded(parts) | Kind::Whole(parts) => parts.sections,
                _ => 0,
            }).sum();
            prop_assert_eq!(sections, shape.sections.len());
            let segments = blocks().filter(|block| matches!(block.kind, Kind::Segment | Kind::Whole(_))).count();
            prop_assert_eq!(segments, shape.segments.iter().filter(|segment| segment.name == LOAD).count());
        }
    }

    /// What is equal has no changes.
    #[test]
    fn nothing_becomes_of_what_is_equal(shape in any_shape()) {
        let picture = Picture::of(&fit(shape.clone(), shape, None), Order::Offset);
        prop_assert!(picture.stripes.iter().all(Stripe::is_quiet));
        prop_assert!(picture.headers.is_empty());
    }
}
