//! A logged edit: what an effect of the plan recorded, or what a document says was done.

use crate::engine::repair::{EditPlan, EditRequest, describe_request};

/// An edit of one file that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// What was asked for and was not there yet.
    pub requests: Vec<EditRequest>,
    /// What every byte was to become; `None` where the editor could not say.
    pub plan: Option<EditPlan>,
}

impl Logged {
    /// The edit that `plan` describes.
    #[must_use]
    pub fn of(plan: &EditPlan) -> Self {
        let says_bytes = plan.size_after.is_some() && (!plan.patches.is_empty() || plan.requests.is_empty());
        Self { requests: plan.requests.clone(), plan: says_bytes.then(|| plan.clone()) }
    }

    /// An edit of which only the requests are known.
    #[must_use]
    pub const fn asked(requests: Vec<EditRequest>) -> Self {
        Self { requests, plan: None }
    }

    /// The requests of all `edits` in words, in the order in which runs name them.
    #[must_use]
    pub fn words(edits: &[Self]) -> Vec<String> {
        edits.iter().flat_map(|edit| &edit.requests).map(describe_request).collect()
    }
}
