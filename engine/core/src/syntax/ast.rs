//! The syntax tree: what the author wrote, comments apart, nothing resolved and nothing checked.
//!
//! Trees compare equal when they say the same; places do not count (see [`Spanned`]).

mod same;

use crate::source::{Span, Spanned};

/// A name as written, without backticks.
pub type Name = Spanned<String>;

/// One rule file.
#[derive(Debug, Clone, PartialEq)]
pub struct File {
    /// The declarations in order.
    pub items: Vec<Item>,
}

/// A declaration.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// `stream research { … }`
    Stream(Stream),
    /// `topic stroke { … }`
    Topic(Topic),
    /// `score cardio from "…" on (…) needs (…)`
    Score(Score),
    /// `let hypertensive = …`
    Let(Let),
    /// `stroke when …`
    Rule(Rule),
    /// `test "…" { … }`
    Test(Test),
}

/// `stream NAME { fields… store NAME forget after D }`
#[derive(Debug, Clone)]
pub struct Stream {
    /// The Kafka topic that readings arrive on.
    pub name: Name,
    /// The declared fields in order.
    pub fields: Vec<Field>,
    /// `store NAME`: every clause that was written (more than one is an error of checking), as for the next.
    pub store: Vec<Name>,
    /// `forget after D`
    pub forget: Vec<Spanned<Duration>>,
    /// The whole declaration.
    pub span: Span,
}

/// `name: type key|time-event range 'unit' missing codes`
#[derive(Debug, Clone)]
pub struct Field {
    /// The field's name in the JSON object.
    pub name: Name,
    /// Its declared type.
    pub kind: Spanned<FieldKind>,
    /// `key` (the patient) or `event` (the reading's time), if written.
    pub role: Option<Spanned<Role>>,
    /// `lo..hi`, inclusive.
    pub range: Option<Spanned<Range>>,
    /// A UCUM code.
    pub unit: Option<Spanned<String>>,
    /// The codes after `missing`, in order; numbers, or texts for a `text` field.
    pub missing: Vec<Literal>,
    /// The whole field.
    pub span: Span,
}

/// A field's type.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldKind {
    /// An integral number.
    Int,
    /// A number.
    Float,
    /// True or false.
    Bool,
    /// A string.
    Text,
    /// A point in time.
    Time,
    /// `enum { label = code, … }`
    Enum(Vec<(Name, Spanned<Number>)>),
}

/// What a field is to its reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Names the patient.
    Key,
    /// Bears the reading's time.
    Event,
}

/// `low..high`, both inclusive.
#[derive(Debug, Clone, PartialEq)]
pub struct Range {
    /// Lower bound.
    pub low: Spanned<Number>,
    /// Upper bound.
    pub high: Spanned<Number>,
}

/// A decimal number exactly as written, sign included where the grammar has it in the literal
/// (ranges, enum codes, missing codes, given values); in expressions a minus is [`ExprKind::Negative`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number(pub String);

/// A literal value: in `missing` lists, `given` blocks, and as an [`ExprKind::Literal`].
#[derive(Debug, Clone)]
pub struct Literal {
    /// What it is.
    pub kind: LiteralKind,
    /// Its place, unit included.
    pub span: Span,
}

/// The kinds of literals.
#[derive(Debug, Clone, PartialEq)]
pub enum LiteralKind {
    /// A number, perhaps with a UCUM unit.
    Number(Number, Option<Spanned<String>>),
    /// `"…"`, unescaped.
    Text(String),
    /// `true` or `false`.
    Bool(bool),
}

/// `10m`: a whole or decimal number and its unit, written together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duration {
    /// The number as written.
    pub number: Number,
    /// Its unit.
    pub unit: DurationUnit,
}

/// The units of durations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DurationUnit {
    /// `ms`
    Milliseconds,
    /// `s`
    Seconds,
    /// `m`
    Minutes,
    /// `h`
    Hours,
    /// `d`
    Days,
}

/// `topic NAME { clauses }`; every clause that was written is kept, so that checking can report a second one.
#[derive(Debug, Clone)]
pub struct Topic {
    /// The Kafka topic.
    pub name: Name,
    /// The clauses in order.
    pub clauses: Vec<Spanned<TopicClause>>,
    /// The whole declaration.
    pub span: Span,
}

/// A clause of a topic.
#[derive(Debug, Clone, PartialEq)]
pub enum TopicClause {
    /// `fields a, b` or `fields all`
    Fields(Fields),
    /// `store NAME`
    Store(Name),
    /// `notify "ROLE"`
    Notify(Spanned<String>),
    /// `covers all`
    CoversAll,
}

/// The fields that a topic's records carry.
#[derive(Debug, Clone, PartialEq)]
pub enum Fields {
    /// Declared fields, then the undeclared in order of arrival.
    All,
    /// These, in this order.
    Listed(Vec<Name>),
}

/// `score NAME from "PATH" on (inputs) needs (fields)`
#[derive(Debug, Clone)]
pub struct Score {
    /// The score's name.
    pub name: Name,
    /// The model file.
    pub from: Spanned<String>,
    /// Its inputs in order.
    pub on: Vec<Name>,
    /// The inputs without which the score is unknown.
    pub needs: Vec<Name>,
    /// The whole declaration.
    pub span: Span,
}

/// `let NAME = expression`
#[derive(Debug, Clone)]
pub struct Let {
    /// The name.
    pub name: Name,
    /// What it means.
    pub value: Expr,
    /// The whole declaration.
    pub span: Span,
}

/// `topic when …` or `topic.name when …`
#[derive(Debug, Clone)]
pub struct Rule {
    /// The topic its records go to.
    pub topic: Name,
    /// The name after the dot.
    pub name: Option<Name>,
    /// What must hold.
    pub condition: RuleCondition,
    /// `alert …` and the clauses behind it, in order, repetitions included.
    pub clauses: Vec<Spanned<RuleClause>>,
    /// The whole rule.
    pub span: Span,
}

/// What stands after `when`.
#[derive(Debug, Clone)]
pub enum RuleCondition {
    /// An expression.
    Expr(Expr),
    /// `no reading for 5m` or `no Temp for 30m`; the whole condition of its rule.
    Silence {
        /// The field that must come, or `None` for `reading`.
        field: Option<Name>,
        /// For how long it has not.
        hold: Spanned<Duration>,
        /// The whole condition.
        span: Span,
    },
}

/// A clause behind a rule's condition.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleClause {
    /// `alert PRIORITY "template"`
    Alert(Spanned<Priority>, Spanned<String>),
    /// `each reading`
    EachReading,
    /// `repeat every D`
    Repeat(Spanned<Duration>),
    /// `escalate to "ROLE" after D`
    Escalate(Spanned<String>, Spanned<Duration>),
    /// `clear when C`
    Clear(Expr),
    /// `latch`
    Latch,
}

/// Alert priorities of IEC 60601-1-8, and `info`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Immediate response.
    High,
    /// Prompt response.
    Medium,
    /// Awareness.
    Low,
    /// No alarm signal.
    Info,
}

/// An expression and its place.
pub type Expr = Spanned<ExprKind>;

/// Expressions: conditions and values alike, told apart by checking.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// A number (never negative here), text or truth value.
    Literal(LiteralKind),
    /// A field, a `let`, a score, or an enum's label.
    Name(String),
    /// `( … )`, kept as written.
    Paren(Box<Expr>),
    /// `a or b or …`, at least two.
    Or(Vec<Expr>),
    /// `a and b and …`, at least two.
    And(Vec<Expr>),
    /// `not a`
    Not(Box<Expr>),
    /// `A then B within D`
    Then(Box<Expr>, Box<Expr>, Spanned<Duration>),
    /// `C for D` or `C for N readings`
    For(Box<Expr>, Spanned<Hold>),
    /// `a < b`
    Compare(Box<Expr>, Spanned<Comparison>, Box<Expr>),
    /// `a in (x, y)`, at least one member.
    InSet(Box<Expr>, Vec<Expr>),
    /// `a in low..high 'unit'`; the unit, if any, is in both literals' stead.
    InRange(Box<Expr>, Range, Option<Spanned<String>>),
    /// `name is [not] missing|invalid|known`
    Is(Name, Status, Negated),
    /// `a + b - c`: left to right.
    Sum(Box<Expr>, Vec<(Spanned<SumOp>, Expr)>),
    /// `a * b / c`: left to right.
    Product(Box<Expr>, Vec<(Spanned<ProductOp>, Expr)>),
    /// `-a`
    Negative(Box<Expr>),
    /// `abs(a)`, `avg(x, 10m)`: the arguments, then the window if one was written last.
    Call(Name, Vec<Expr>, Option<Spanned<Duration>>),
}

/// How long a condition must have held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold {
    /// `for 10m`
    Duration(Duration),
    /// `for 3 readings`
    Readings(Number),
}

/// Comparison operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// `+` or `-`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SumOp {
    /// `+`
    Plus,
    /// `-`
    Minus,
}

/// `*` or `/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProductOp {
    /// `*`
    Times,
    /// `/`
    Over,
}

/// What a field can be, for `is`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Present, of the declared type, plausible.
    Known,
    /// Absent, null, empty, or a listed code.
    Missing,
    /// Anything else.
    Invalid,
}

/// Whether `not` was written after `is`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Negated {
    /// `is not`
    Yes,
    /// `is`
    No,
}

/// `test "name" { steps }`
#[derive(Debug, Clone)]
pub struct Test {
    /// What it shows.
    pub name: Spanned<String>,
    /// The steps in order.
    pub steps: Vec<Step>,
    /// The whole test.
    pub span: Span,
}

/// One step of a test: what happens, then what is expected of it.
#[derive(Debug, Clone)]
pub struct Step {
    /// What happens.
    pub event: Event,
    /// The `expect` clauses behind it, in order.
    pub expectations: Vec<Expectation>,
    /// The whole step.
    pub span: Span,
}

/// What a test step does.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// `given { field: value, … }`
    Given(Vec<(Name, Given)>),
    /// `at 5m { … }`
    At(Spanned<Duration>, Vec<(Name, Given)>),
    /// `at 17m`: only time passes.
    Pass(Spanned<Duration>),
    /// `at 11m acknowledge topic.name`
    Acknowledge(Spanned<Duration>, RuleRef),
}

/// A value given to a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// A literal; a number may be negative.
    Literal(Literal),
    /// An enum's label.
    Label(Name),
}

/// `topic` or `topic.name`.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleRef {
    /// The topic.
    pub topic: Name,
    /// The rule's name.
    pub name: Option<Name>,
}

/// One expectation after `expect`, `no` included.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// Whether `no` stands before it.
    pub absent: bool,
    /// What is expected.
    pub what: Expected,
    /// Its place.
    pub span: Span,
}

/// What a step is expected to send.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// A record to the topic, or a match of the rule.
    Rule(RuleRef),
    /// An alert in that state.
    Alert(Spanned<AlertState>),
}

/// The states in which an alert is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AlertState {
    /// It began.
    Raised,
    /// It goes on.
    Repeated,
    /// Nobody acted.
    Escalated,
    /// Somebody did.
    Acknowledged,
    /// It is over.
    Resolved,
}

impl AlertState {
    /// The state's word, in rules and in alerts.
    pub fn as_str(self) -> &'static str {
        match self {
            AlertState::Raised => "raised",
            AlertState::Repeated => "repeated",
            AlertState::Escalated => "escalated",
            AlertState::Acknowledged => "acknowledged",
            AlertState::Resolved => "resolved",
        }
    }
}
