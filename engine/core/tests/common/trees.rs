//! Random syntax trees of every construct, as the parser could have made them (places apart).

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use triage_core::source::{Span, Spanned};
use triage_core::syntax::ast::*;
use triage_core::syntax::reserved::RESERVED;

fn at<T>(node: T) -> Spanned<T> {
    Spanned::new(node, Span::default())
}

fn spanned<S: Strategy>(node: S) -> impl Strategy<Value = Spanned<S::Value>> {
    node.prop_map(at)
}

fn name() -> impl Strategy<Value = Name> {
    let plain = "[a-zA-Z_][a-zA-Z0-9_]{0,5}";
    let odd = "[^`\n\r]{1,6}";
    spanned(prop_oneof![8 => plain, 1 => odd, 1 => proptest::sample::select(RESERVED).prop_map(str::to_owned)])
}

fn text() -> impl Strategy<Value = Spanned<String>> {
    spanned("[^\n\r]{0,8}")
}

fn unit() -> impl Strategy<Value = Spanned<String>> {
    spanned("[^'\n\r]{1,5}")
}

fn number() -> impl Strategy<Value = Number> {
    "[0-9]{1,3}(\\.[0-9]{1,3})?".prop_map(Number)
}

fn signed() -> impl Strategy<Value = Spanned<Number>> {
    spanned("-?[0-9]{1,3}(\\.[0-9]{1,3})?".prop_map(Number))
}

fn duration() -> impl Strategy<Value = Duration> {
    use DurationUnit::{Days, Hours, Milliseconds, Minutes, Seconds};
    let unit = proptest::sample::select(vec![Milliseconds, Seconds, Minutes, Hours, Days]);
    (number(), unit).prop_map(|(number, unit)| Duration { number, unit })
}

fn range() -> impl Strategy<Value = Range> {
    (signed(), signed()).prop_map(|(low, high)| Range { low, high })
}

fn literal_kind() -> impl Strategy<Value = LiteralKind> {
    prop_oneof![
        (number(), of(unit())).prop_map(|(number, unit)| LiteralKind::Number(number, unit)),
        text().prop_map(|text| LiteralKind::Text(text.node)),
        any::<bool>().prop_map(LiteralKind::Bool),
    ]
}

fn literal(kind: LiteralKind) -> Literal {
    Literal { kind, span: Span::default() }
}

type Exprs = BoxedStrategy<Expr>;

fn boxed(kind: ExprKind) -> Box<Expr> {
    Box::new(at(kind))
}

/// Any expression, each level made of the next tighter one.
pub(crate) fn expression() -> Exprs {
    let leaf = prop_oneof![literal_kind().prop_map(ExprKind::Literal), name().prop_map(|it| ExprKind::Name(it.node))];
    spanned(leaf).boxed().prop_recursive(4, 24, 3, |inner| disjunction(inner.boxed())).boxed()
}

fn disjunction(inner: Exprs) -> Exprs {
    let negation = negation(condition(arithmetic(operand(inner))));
    let conjunction = prop_oneof![
        3 => negation.clone(),
        1 => vec(negation, 2..4).prop_map(|all| at(ExprKind::And(all))),
    ]
    .boxed();
    prop_oneof![3 => conjunction.clone(), 1 => vec(conjunction, 2..4).prop_map(|all| at(ExprKind::Or(all)))].boxed()
}

fn operand(inner: Exprs) -> Exprs {
    let call = (name(), vec(inner.clone(), 1..3), of(spanned(duration())));
    spanned(prop_oneof![
        2 => literal_kind().prop_map(ExprKind::Literal),
        2 => name().prop_map(|it| ExprKind::Name(it.node)),
        1 => inner.prop_map(|it| ExprKind::Paren(Box::new(it))),
        1 => call.prop_map(|(name, arguments, window)| ExprKind::Call(name, arguments, window)),
    ])
    .boxed()
}

fn arithmetic(operand: Exprs) -> Exprs {
    let unary = prop_oneof![
        3 => operand.clone(),
        1 => operand.prop_map(|it| at(ExprKind::Negative(Box::new(at(ExprKind::Negative(Box::new(it))))))),
    ]
    .boxed();
    let times = spanned(prop_oneof![Just(ProductOp::Times), Just(ProductOp::Over)]);
    let product = prop_oneof![
        4 => unary.clone(),
        1 => (unary.clone(), vec((times, unary), 1..3))
            .prop_map(|(first, rest)| at(ExprKind::Product(Box::new(first), rest))),
    ]
    .boxed();
    let plus = spanned(prop_oneof![Just(SumOp::Plus), Just(SumOp::Minus)]);
    prop_oneof![
        4 => product.clone(),
        1 => (product.clone(), vec((plus, product), 1..3))
            .prop_map(|(first, rest)| at(ExprKind::Sum(Box::new(first), rest))),
    ]
    .boxed()
}

fn element() -> impl Strategy<Value = Expr> {
    let negative = (number(), of(unit()))
        .prop_map(|(number, unit)| ExprKind::Negative(boxed(ExprKind::Literal(LiteralKind::Number(number, unit)))));
    spanned(prop_oneof![
        literal_kind().prop_map(ExprKind::Literal),
        name().prop_map(|it| ExprKind::Name(it.node)),
        negative
    ])
}

fn comparison(value: Exprs) -> impl Strategy<Value = Expr> {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    let operator = proptest::sample::select(vec![Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual]);
    let status = proptest::sample::select(vec![Status::Known, Status::Missing, Status::Invalid]);
    let negated = prop_oneof![Just(Negated::Yes), Just(Negated::No)];
    spanned(prop_oneof![
        3 => (value.clone(), spanned(operator), value.clone())
            .prop_map(|(left, operator, right)| ExprKind::Compare(Box::new(left), operator, Box::new(right))),
        1 => (value.clone(), vec(element(), 1..4)).prop_map(|(left, all)| ExprKind::InSet(Box::new(left), all)),
        1 => (value, range(), of(unit()))
            .prop_map(|(left, range, unit)| ExprKind::InRange(Box::new(left), range, unit)),
        1 => (name(), status, negated).prop_map(|(name, status, negated)| ExprKind::Is(name, status, negated)),
    ])
}

fn condition(value: Exprs) -> Exprs {
    let comparison = comparison(value.clone()).boxed();
    let paren = value.clone().prop_map(|it| at(ExprKind::Paren(Box::new(it))));
    let joined =
        prop_oneof![2 => comparison.clone(), 1 => name().prop_map(|it| at(ExprKind::Name(it.node))), 1 => paren]
            .boxed();
    let length = prop_oneof![duration().prop_map(Hold::Duration), number().prop_map(Hold::Readings)];
    let held = (joined.clone(), spanned(length)).prop_map(|(it, hold)| at(ExprKind::For(Box::new(it), hold))).boxed();
    let side = prop_oneof![3 => joined, 1 => held.clone()].boxed();
    let then = (side.clone(), side, spanned(duration()))
        .prop_map(|(before, after, within)| at(ExprKind::Then(Box::new(before), Box::new(after), within)));
    prop_oneof![3 => value, 3 => comparison, 1 => held, 1 => then].boxed()
}

fn negation(condition: Exprs) -> Exprs {
    prop_oneof![4 => condition.clone(), 1 => condition.prop_map(|it| at(ExprKind::Not(Box::new(it))))].boxed()
}

fn field() -> impl Strategy<Value = Field> {
    let code = prop_oneof![
        signed().prop_map(|number| LiteralKind::Number(number.node, None)),
        text().prop_map(|text| LiteralKind::Text(text.node)),
    ];
    let kind = prop_oneof![
        Just(FieldKind::Int),
        Just(FieldKind::Float),
        Just(FieldKind::Bool),
        Just(FieldKind::Text),
        Just(FieldKind::Time),
        vec((name(), signed()), 1..4).prop_map(FieldKind::Enum),
    ];
    let role = of(spanned(prop_oneof![Just(Role::Key), Just(Role::Event)]));
    let missing = vec(code.prop_map(literal), 0..3);
    (name(), spanned(kind), role, of(spanned(range())), of(unit()), missing).prop_map(
        |(name, kind, role, range, unit, missing)| Field {
            name,
            kind,
            role,
            range,
            unit,
            missing,
            span: Span::default(),
        },
    )
}

fn stream() -> impl Strategy<Value = Item> {
    (name(), vec(field(), 0..5), vec(name(), 0..2), vec(spanned(duration()), 0..2)).prop_map(
        |(name, fields, store, forget)| Item::Stream(Stream { name, fields, store, forget, span: Span::default() }),
    )
}

fn topic() -> impl Strategy<Value = Item> {
    let clause = prop_oneof![
        Just(TopicClause::Fields(Fields::All)),
        vec(name(), 1..4).prop_map(|names| TopicClause::Fields(Fields::Listed(names))),
        name().prop_map(TopicClause::Store),
        text().prop_map(TopicClause::Notify),
        Just(TopicClause::CoversAll),
    ];
    (name(), vec(spanned(clause), 0..5))
        .prop_map(|(name, clauses)| Item::Topic(Topic { name, clauses, span: Span::default() }))
}

fn score() -> impl Strategy<Value = Item> {
    (name(), text(), vec(name(), 1..4), vec(name(), 0..3))
        .prop_map(|(name, from, on, needs)| Item::Score(Score { name, from, on, needs, span: Span::default() }))
}

fn rule() -> impl Strategy<Value = Item> {
    let silence = (of(name()), spanned(duration())).prop_map(|(field, hold)| RuleCondition::Silence {
        field,
        hold,
        span: Span::default(),
    });
    let condition = prop_oneof![4 => expression().prop_map(RuleCondition::Expr), 1 => silence];
    let priority = proptest::sample::select(vec![Priority::High, Priority::Medium, Priority::Low, Priority::Info]);
    let clause = prop_oneof![
        (spanned(priority), text()).prop_map(|(priority, text)| RuleClause::Alert(priority, text)),
        Just(RuleClause::EachReading),
        spanned(duration()).prop_map(RuleClause::Repeat),
        (text(), spanned(duration())).prop_map(|(role, after)| RuleClause::Escalate(role, after)),
        expression().prop_map(RuleClause::Clear),
        Just(RuleClause::Latch),
    ];
    (name(), of(name()), condition, vec(spanned(clause), 0..4)).prop_map(|(topic, name, condition, clauses)| {
        Item::Rule(Rule { topic, name, condition, clauses, span: Span::default() })
    })
}

fn rule_ref() -> impl Strategy<Value = RuleRef> {
    (name(), of(name())).prop_map(|(topic, name)| RuleRef { topic, name })
}

fn given() -> impl Strategy<Value = Vec<(Name, Given)>> {
    let number = (signed(), of(unit())).prop_map(|(number, unit)| LiteralKind::Number(number.node, unit));
    let value = prop_oneof![
        number.prop_map(|kind| Given::Literal(literal(kind))),
        text().prop_map(|text| Given::Literal(literal(LiteralKind::Text(text.node)))),
        any::<bool>().prop_map(|value| Given::Literal(literal(LiteralKind::Bool(value)))),
        name().prop_map(Given::Label),
    ];
    vec((name(), value), 0..5)
}

fn step() -> impl Strategy<Value = Step> {
    use AlertState::{Acknowledged, Escalated, Raised, Repeated, Resolved};
    let event = prop_oneof![
        given().prop_map(Event::Given),
        (spanned(duration()), given()).prop_map(|(at, given)| Event::At(at, given)),
        spanned(duration()).prop_map(Event::Pass),
        (spanned(duration()), rule_ref()).prop_map(|(at, rule)| Event::Acknowledge(at, rule)),
    ];
    let state = proptest::sample::select(vec![Raised, Repeated, Escalated, Acknowledged, Resolved]);
    let what = prop_oneof![3 => rule_ref().prop_map(Expected::Rule), 1 => spanned(state).prop_map(Expected::Alert)];
    let expectation =
        (any::<bool>(), what).prop_map(|(absent, what)| Expectation { absent, what, span: Span::default() });
    (event, vec(expectation, 0..4)).prop_map(|(event, expectations)| Step {
        event,
        expectations,
        span: Span::default(),
    })
}

fn test() -> impl Strategy<Value = Item> {
    (text(), vec(step(), 0..4)).prop_map(|(name, steps)| Item::Test(Test { name, steps, span: Span::default() }))
}

fn definition() -> impl Strategy<Value = Item> {
    (name(), expression()).prop_map(|(name, value)| Item::Let(Let { name, value, span: Span::default() }))
}

/// Whole files.
pub(crate) fn file() -> impl Strategy<Value = File> {
    let item = prop_oneof![1 => stream(), 1 => topic(), 1 => score(), 2 => definition(), 3 => rule(), 1 => test()];
    vec(item, 0..5).prop_map(|items| File { items })
}
