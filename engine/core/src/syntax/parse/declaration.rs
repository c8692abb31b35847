//! Topics, scores, lets, rules.

use super::expression::expression;
use super::grammar::Rule as Kind;
use super::node::Node;
use super::value::{name, names, next_duration, text};
use crate::diagnostic::Diagnostic;
use crate::source::Spanned;
use crate::syntax::ast::{Fields, Item, Let, Priority, Rule, RuleClause, RuleCondition, Score, Topic, TopicClause};

/// One declaration.
pub(super) fn item(node: Node<'_>) -> Result<Item, Diagnostic> {
    Ok(match node.rule() {
        Kind::stream => Item::Stream(super::stream::stream(node)?),
        Kind::topic => Item::Topic(topic(node)?),
        Kind::score => Item::Score(score(node)?),
        Kind::definition => Item::Let(definition(node)?),
        Kind::decision => Item::Rule(rule(node)?),
        Kind::test => Item::Test(super::test::test(node)?),
        _ => return Err(node.unexpected()),
    })
}

fn topic(node: Node<'_>) -> Result<Topic, Diagnostic> {
    let mut parts = node.children();
    let span = parts.parent();
    let name = name(&parts.require()?);
    let clauses = parts.map(topic_clause).collect::<Result<_, _>>()?;
    Ok(Topic { name, clauses, span })
}

fn topic_clause(node: Node<'_>) -> Result<Spanned<TopicClause>, Diagnostic> {
    let span = node.span();
    let clause = node.children().require()?;
    let form = clause.rule();
    let mut parts = clause.children();
    let clause = match form {
        Kind::fields if parts.peek() == Some(Kind::all) => TopicClause::Fields(Fields::All),
        Kind::fields => TopicClause::Fields(Fields::Listed(names(parts))),
        Kind::store => TopicClause::Store(name(&parts.require()?)),
        Kind::notify => TopicClause::Notify(text(&parts.require()?)),
        _ => TopicClause::CoversAll,
    };
    Ok(Spanned::new(clause, span))
}

fn score(node: Node<'_>) -> Result<Score, Diagnostic> {
    let mut parts = node.children();
    let span = parts.parent();
    let name = name(&parts.require()?);
    let from = text(&parts.require()?);
    let on = names(parts.require()?.children());
    let needs = parts.next().map_or_else(Vec::new, |needs| names(needs.children()));
    Ok(Score { name, from, on, needs, span })
}

fn definition(node: Node<'_>) -> Result<Let, Diagnostic> {
    let mut parts = node.children();
    let span = parts.parent();
    Ok(Let { name: name(&parts.require()?), value: expression(parts.require()?)?, span })
}

fn rule(node: Node<'_>) -> Result<Rule, Diagnostic> {
    let mut parts = node.children();
    let span = parts.parent();
    let topic = name(&parts.require()?);
    let name = parts.take_if(Kind::name).map(|part| name(&part));
    let condition = condition(parts.require()?)?;
    let clauses = parts.map(clause).collect::<Result<_, _>>()?;
    Ok(Rule { topic, name, condition, clauses, span })
}

fn condition(node: Node<'_>) -> Result<RuleCondition, Diagnostic> {
    if node.rule() == Kind::expression {
        return Ok(RuleCondition::Expr(expression(node)?));
    }
    let mut parts = node.children();
    let span = parts.parent();
    parts.take_if(Kind::kw_no);
    let field = parts.require()?;
    let field = (field.rule() == Kind::name).then(|| name(&field));
    Ok(RuleCondition::Silence { field, hold: next_duration(&mut parts)?, span })
}

fn clause(node: Node<'_>) -> Result<Spanned<RuleClause>, Diagnostic> {
    let span = node.span();
    let clause = node.children().require()?;
    let form = clause.rule();
    let mut parts = clause.children();
    let clause = match form {
        Kind::alert => {
            let level = parts.require()?;
            RuleClause::Alert(level.spanned(priority(level.text())), text(&parts.require()?))
        }
        Kind::each => RuleClause::EachReading,
        Kind::repeat => RuleClause::Repeat(next_duration(&mut parts)?),
        Kind::escalate => RuleClause::Escalate(text(&parts.require()?), next_duration(&mut parts)?),
        Kind::clear => RuleClause::Clear(expression(parts.require()?)?),
        _ => RuleClause::Latch,
    };
    Ok(Spanned::new(clause, span))
}

fn priority(word: &str) -> Priority {
    match word {
        "high" => Priority::High,
        "medium" => Priority::Medium,
        "low" => Priority::Low,
        _ => Priority::Info,
    }
}
