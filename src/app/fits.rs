//! The page on how an edit fits: which edits there are, which of them is shown, and from which side.

use super::panel::Panel;
use super::state::{Overlay, Page, PageSource, State};
use crate::engine::report::picture::{Order, Picture};
use crate::engine::report::plan::PlannedEffect;

/// What is shown of an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Face {
    /// Room, ways, consequences.
    #[default]
    Room,
    /// The layout before and after.
    Layout,
}

/// The page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FitPage {
    /// The edit's place among the chosen artifact's edits.
    pub edit: usize,
    /// What is shown of it.
    pub face: Face,
    /// What its layout is ordered by.
    pub order: Order,
}

/// The planned edits of the chosen artifact and of what is grafted for it, in the order of the plan.
pub fn edits(state: &State) -> impl Iterator<Item = &PlannedEffect> {
    rows(state).filter(|effect| is_edit(effect)).flatten()
}

/// The effect of every row of the plan panel; a step's own row has none.
fn rows(state: &State) -> impl Iterator<Item = Option<&PlannedEffect>> {
    let steps = state.artifact().map_or(&[][..], |artifact| artifact.steps.as_slice());
    steps.iter().flat_map(|step| std::iter::once(None).chain(step.effects.iter().map(Some)))
}

fn is_edit(effect: &Option<&PlannedEffect>) -> bool {
    effect.is_some_and(|effect| effect.kind == "edit")
}

/// The edit that is chosen in the plan panel, among the edits.
#[must_use]
pub fn chosen(state: &State) -> Option<usize> {
    let row = state.cursor(Panel::Plan).chosen(rows(state).count())?;
    rows(state).nth(row).filter(is_edit)?;
    Some(rows(state).take(row).filter(is_edit).count())
}

/// The open page, if it is this one.
#[must_use]
pub fn page(state: &State) -> Option<FitPage> {
    match &state.overlay {
        Overlay::Page(Page { source: PageSource::Fit(page), .. }) => Some(*page),
        _ => None,
    }
}

/// Opens the page on the chosen edit, or else on the first; where it is open, shows its other face.
pub fn show(state: &mut State) {
    let page = match page(state) {
        None => FitPage { edit: chosen(state).unwrap_or(0), ..FitPage::default() },
        Some(page) if page.face == Face::Room => FitPage { face: Face::Layout, ..page },
        Some(page) => FitPage { face: Face::Room, ..page },
    };
    open(state, page);
}

/// Shows the edit behind or before, round the corner.
pub fn turn(state: &mut State, forward: bool) {
    let Some(page) = page(state) else { return };
    let count = edits(state).count().max(1);
    let by = if forward { 1 } else { count - 1 };
    open(state, FitPage { edit: (page.edit + by) % count, ..page });
}

/// Orders the layout by the other kind of places.
pub fn reorder(state: &mut State) {
    let Some(page) = page(state) else { return };
    let order = match page.order {
        Order::Offset => Order::Address,
        Order::Address => Order::Offset,
    };
    open(state, FitPage { face: Face::Layout, order, ..page });
}

fn open(state: &mut State, page: FitPage) {
    state.overlay = Overlay::Page(Page { source: PageSource::Fit(page), scroll: 0 });
    refresh(state);
}

/// Works the picture out anew, where one is shown.
pub fn refresh(state: &mut State) {
    let shown = page(state).filter(|page| page.face == Face::Layout);
    let fit = shown.and_then(|page| edits(state).nth(page.edit)?.fit.as_ref().map(|fit| (fit, page.order)));
    state.picture = fit.map(|(fit, order)| Picture::of(fit, order)).unwrap_or_default();
}
