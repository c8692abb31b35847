//! What is wrong with a rule set, in the user's words: a code, a place, what was expected, what to do.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::source::{SourceFile, Span};

/// Declares the codes once: variant, printed code, severity, title for the reference.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal $severity:ident;)+) => {
        /// A stable name of a kind of mistake; `docs/diagnostics.md` has an example of each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[doc = $doc])+ $name,)+ }

        impl Code {
            /// Every code, in the order of the reference.
            pub const ALL: &'static [Code] = &[$(Code::$name,)+];

            /// The code as printed.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $code,)+ }
            }

            /// What it means, in a sentence.
            pub fn title(self) -> &'static str {
                match self { $(Code::$name => concat!($($doc),+).trim_ascii(),)+ }
            }

            /// Whether this kind refuses the rule set.
            pub fn severity(self) -> Severity {
                match self { $(Code::$name => Severity::$severity,)+ }
            }
        }
    };
}

codes! {
    /// The text is not of the language.
    Syntax = "E001" Error;
    /// More than 64 levels of nesting.
    TooDeep = "E002" Error;
    /// The file is not UTF-8.
    NotUtf8 = "E003" Error;
    /// The file cannot be read, or is a directory.
    Unreadable = "E004" Error;
    /// There is no rule file, or no declaration in any.
    Empty = "E005" Error;
    /// No stream is declared.
    NoStream = "E101" Error;
    /// More than one stream is declared.
    TwoStreams = "E102" Error;
    /// The same name is declared twice.
    Duplicate = "E103" Error;
    /// A name that is ours, or one that Kafka or the store does not take.
    ReservedName = "E104" Error;
    /// Two declarations write to one collection.
    SharedStore = "E105" Error;
    /// A clause stands twice, or where it does not belong.
    Clause = "E106" Error;
    /// A field's declaration contradicts itself.
    FieldDeclaration = "E107" Error;
    /// A name that nothing declares.
    UnknownName = "E201" Error;
    /// A function that does not exist.
    UnknownFunction = "E202" Error;
    /// A function with the wrong number of arguments.
    Arguments = "E203" Error;
    /// A value where a condition is needed, or the other way round.
    NotACondition = "E204" Error;
    /// Two things that cannot be compared or calculated with.
    TypeMismatch = "E205" Error;
    /// A label or code that the enum lacks.
    UnknownLabel = "E206" Error;
    /// A unit that is not a UCUM code we know.
    UnknownUnit = "E207" Error;
    /// A unit that does not convert to the field's.
    UnitMismatch = "E208" Error;
    /// A comparison that the field's range decides before any reading comes.
    AlwaysDecided = "E209" Error;
    /// A `let` that means itself.
    CircularLet = "E210" Error;
    /// Comparisons that chain.
    ChainedComparison = "E211" Error;
    /// A message template that cannot be filled.
    Template = "E212" Error;
    /// A number that f64 cannot hold, or not of the form needed.
    BadNumber = "E213" Error;
    /// A duration or a number of readings that is nothing, or too much.
    Duration = "E214" Error;
    /// A function over time inside another.
    NestedWindow = "E215" Error;
    /// A score whose declaration and model do not fit.
    Score = "E216" Error;
    /// A test that names something that is not there.
    TestReference = "E301" Error;
    /// A test whose expectation was not met.
    TestFailed = "E302" Error;
    /// A part of the language that a later version brings.
    NotYet = "E901" Error;
    /// A topic that is written to and not declared.
    UndeclaredTopic = "W101" Warning;
    /// A declaration that nothing uses.
    Unused = "W102" Warning;
    /// A rule that no test mentions.
    Untested = "W103" Warning;
    /// Equality on a decimal number.
    FloatEquality = "W104" Warning;
    /// Two rules of a topic with one condition.
    SameCondition = "W105" Warning;
    /// Two fields of different units compared as bare numbers.
    UnitsDiffer = "W106" Warning;
    /// A condition that is the same for every reading.
    Constant = "W107" Warning;
    /// A silence that the patient is forgotten before.
    NeverSilent = "W108" Warning;
    /// A window with more values than there is room for.
    CrowdedWindow = "W109" Warning;
}

/// Whether a diagnostic refuses the rule set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It does.
    Error,
    /// It does not, unless warnings are denied.
    Warning,
}

/// A marked place and what was expected there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What was expected, or what this place has to do with it.
    pub text: String,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its kind.
    pub code: Code,
    /// Usually the kind's; an error if warnings are denied.
    pub severity: Severity,
    /// One lowercase sentence without a period, the user's text in backticks.
    pub message: String,
    /// The place; none for a mistake of the whole rule set.
    pub primary: Option<Label>,
    /// Other places that matter.
    pub secondary: Vec<Label>,
    /// What to do.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// A diagnostic of `code` at `span`; `label` says what was expected there.
    pub fn new(code: Code, span: Span, message: impl Into<String>, label: impl Into<String>) -> Self {
        let mut diagnostic = Self::global(code, message);
        diagnostic.primary = Some(Label { span, text: label.into() });
        diagnostic
    }

    /// A diagnostic without a place.
    pub fn global(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            message: message.into(),
            primary: None,
            secondary: Vec::new(),
            help: Vec::new(),
        }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Adds `did you mean …?` if some candidate is near `name`.
    #[must_use]
    pub fn suggest<'a>(self, name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        match nearest(name, candidates) {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None => self,
        }
    }

    /// Adds another place that matters.
    #[must_use]
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.secondary.push(Label { span, text: text.into() });
        self
    }

    /// Whether this refuses the rule set.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// The candidate nearest to `name`, if any is near enough to be meant.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1.max(name.len().max(candidate.len()) / 3))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Colours for a terminal, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// ANSI colours.
    Coloured,
    /// Text alone.
    Plain,
}

/// Renders diagnostics as a person reads them: source, underline, help; a blank line between two.
pub fn render(files: &[SourceFile], diagnostics: &[Diagnostic], style: Style) -> String {
    let renderer = match style {
        Style::Coloured => Renderer::styled(),
        Style::Plain => Renderer::plain(),
    };
    let rendered: Vec<String> = diagnostics.iter().map(|diagnostic| render_one(files, diagnostic, &renderer)).collect();
    rendered.join("\n\n")
}

fn render_one(files: &[SourceFile], diagnostic: &Diagnostic, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.as_str()));
    let mut snippets: Vec<(u32, Vec<(&Label, AnnotationKind)>)> = Vec::new();
    let labels = diagnostic.primary.iter().map(|label| (label, AnnotationKind::Primary));
    let labels = labels.chain(diagnostic.secondary.iter().map(|label| (label, AnnotationKind::Context)));
    for (label, kind) in labels {
        let file = label.span.file.0;
        match snippets.iter_mut().find(|(of, _)| *of == file) {
            Some((_, labels)) => labels.push((label, kind)),
            None => snippets.push((file, vec![(label, kind)])),
        }
    }
    for (file, labels) in snippets {
        let Some(file) = files.get(file as usize) else { continue };
        let annotations =
            labels.into_iter().map(|(label, kind)| kind.span(label.span.range()).label(label.text.as_str()));
        group = group.element(Snippet::source(file.text.as_str()).path(file.path.as_str()).annotations(annotations));
    }
    for help in &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group])
}
