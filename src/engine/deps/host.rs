//! An artifact in the process of a program that has loaded its own libraries before: what of that process concerns it.
//!
//! The load goes on where the program's own load ended, as after dlopen(3). The graph that is handed out is the artifact's:
//! node 0 is the artifact, and of what the program brought only that stays which the artifact comes to.

use super::graph::{Edge, Graph, Node, NodeKind};
use crate::engine::report::audit::SearchRule;
use std::collections::VecDeque;

/// The part of `graph` that node `artifact` reaches. Nodes before it were brought by the program, node 0.
pub(super) fn narrow(graph: Graph, artifact: usize) -> Graph {
    let program = graph.nodes.first().map(|node| node.name.to_text().into_owned()).unwrap_or_default();
    let reached = reached(&graph, artifact);
    // The new number of every node that stays: the artifact first, the others in the order in which they were loaded.
    let mut numbers: Vec<Option<usize>> = vec![None; graph.nodes.len()];
    let others = (0..graph.nodes.len()).filter(|&id| id != artifact && reached.get(id) == Some(&true));
    for (number, id) in std::iter::once(artifact).chain(others).enumerate() {
        if let Some(place) = numbers.get_mut(id) {
            *place = Some(number);
        }
    }
    let number = |id: usize| numbers.get(id).copied().flatten();
    let mut nodes: Vec<(usize, Node)> = Vec::new();
    for (id, mut node) in graph.nodes.into_iter().enumerate() {
        let Some(place) = number(id) else { continue };
        node.requester = node.requester.and_then(number).filter(|_| id != artifact);
        if id != artifact && node.kind == NodeKind::Root {
            node.kind = NodeKind::Library;
        }
        nodes.push((place, node));
    }
    nodes.sort_by_key(|(place, _)| *place);
    let edge = |mut edge: Edge| {
        let loaded_before = edge.found_by.as_ref().is_some_and(|by| by.rule == SearchRule::AlreadyLoaded);
        if edge.from >= artifact && edge.to < artifact && loaded_before {
            edge.note = Some(match edge.note.take() {
                Some(note) => format!("brought by {program}; {note}"),
                None => format!("brought by {program}"),
            });
        }
        Some(Edge { from: number(edge.from)?, to: number(edge.to)?, ..edge })
    };
    Graph {
        nodes: nodes.into_iter().map(|(_, node)| node).collect(),
        edges: graph.edges.into_iter().filter_map(edge).collect(),
    }
}

/// Whether node `artifact` comes to each node by what it needs.
pub(super) fn reached(graph: &Graph, artifact: usize) -> Vec<bool> {
    let mut needs: Vec<Vec<usize>> = vec![Vec::new(); graph.nodes.len()];
    for edge in &graph.edges {
        if let Some(of_node) = needs.get_mut(edge.from) {
            of_node.push(edge.to);
        }
    }
    let mut reached = vec![false; graph.nodes.len()];
    let mut queue = VecDeque::from([artifact]);
    while let Some(id) = queue.pop_front() {
        match reached.get_mut(id) {
            Some(known) if !*known => *known = true,
            _ => continue,
        }
        queue.extend(needs.get(id).into_iter().flatten());
    }
    reached
}
