//! How expressions lie in one another: the limit on their depth, and an order to fold them in without recursion.

use super::grammar::Rule;
use super::node::Node;
use super::outline::{MAX_DEPTH, too_deep};
use crate::diagnostic::Diagnostic;
use crate::source::Span;

/// An expression and all within its parentheses and calls, each before what it contains.
///
/// # Errors
/// If a parenthesis, call, `not` or unary minus stands more than 64 levels deep; the first such place is named.
pub(super) fn outside_in(node: Node<'_>) -> Result<Vec<Node<'_>>, Diagnostic> {
    let mut nesting = Nesting { levels: vec![(node, 0)], deepest: None };
    let mut next = 0;
    while let Some((node, depth)) = nesting.levels.get(next).cloned() {
        nesting.look_into(node, depth);
        next += 1;
    }
    match nesting.deepest {
        Some(span) => Err(too_deep(span)),
        None => Ok(nesting.levels.into_iter().map(|(node, _)| node).collect()),
    }
}

struct Nesting<'i> {
    levels: Vec<(Node<'i>, usize)>,
    /// The first place that is too deep.
    deepest: Option<Span>,
}

impl<'i> Nesting<'i> {
    fn look_into(&mut self, node: Node<'i>, depth: usize) {
        let (mut nots, mut signs) = (0, 0);
        for part in node.children() {
            let here = depth + nots + signs;
            match part.rule() {
                Rule::prefix => {
                    self.enter(&part, here);
                    if part.text() == "not" {
                        nots += 1;
                    } else {
                        signs += 1;
                    }
                    continue;
                }
                Rule::kw_and | Rule::kw_or => nots = 0,
                Rule::group => self.contents(&part, here),
                Rule::reference => part.children().skip(1).for_each(|arguments| self.contents(&arguments, here)),
                Rule::membership => self.set(part, depth + nots),
                _ => {}
            }
            signs = 0;
        }
    }

    /// Notes that `node` opens a level below `depth`. Says whether that is allowed.
    fn enter(&mut self, node: &Node<'_>, depth: usize) -> bool {
        if depth < MAX_DEPTH {
            return true;
        }
        let span = node.span();
        if self.deepest.is_none_or(|deepest| span.start < deepest.start) {
            self.deepest = Some(span);
        }
        false
    }

    /// Puts the expressions in a parenthesis or a call on the list.
    fn contents(&mut self, node: &Node<'i>, depth: usize) {
        if self.enter(node, depth) {
            let inner = node.clone().children().filter(|part| part.rule() == Rule::expression);
            self.levels.extend(inner.map(|part| (part, depth + 1)));
        }
    }

    /// The parenthesis of `in (…)` is a level, and so is a minus in it.
    fn set(&mut self, membership: Node<'i>, depth: usize) {
        for set in membership.children().filter(|part| part.rule() == Rule::set) {
            self.enter(&set, depth);
            let elements = set.children().filter_map(|element| element.children().take_if(Rule::minus));
            elements.for_each(|minus| {
                self.enter(&minus, depth + 1);
            });
        }
    }
}
