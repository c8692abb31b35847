//! The generated parser, and the user's words for each of its rules.

use pest_derive::Parser;

/// The parser that `grammar/triage.pest` describes.
#[derive(Parser)]
#[grammar = "../../grammar/triage.pest"]
pub(super) struct Grammar;

/// What a user would call the thing that `rule` stands for; `None` if naming it would not help.
pub(super) fn words(rule: Rule) -> Option<&'static str> {
    declaration_words(rule).or_else(|| value_words(rule)).or_else(|| mark(rule))
}

fn declaration_words(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::declaration => "a declaration",
        Rule::EOI => "the next declaration",
        Rule::stream => "a stream",
        Rule::topic => "a topic",
        Rule::score => "a score",
        Rule::definition => "a `let`",
        Rule::test => "a test",
        Rule::decision | Rule::rule_ref => "a rule",
        Rule::field => "a field",
        Rule::topic_clause => "`fields`, `store`, `notify`, `covers`",
        Rule::clause => "a clause such as `alert`",
        Rule::step => "`given`, `at`",
        Rule::expectation => "a rule, a topic, `no`, `alert`",
        Rule::value => "a field and its value",
        Rule::member => "a label and its code",
        Rule::values => "`{`",
        _ => return None,
    })
}

fn value_words(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::name => "a name",
        Rule::number | Rule::signed | Rule::amount | Rule::quantity => "a number",
        Rule::duration => "a duration such as `10m`",
        Rule::unit => "a unit such as `'mm[Hg]'`",
        Rule::text => "a text in double quotes",
        Rule::boolean => "`true`, `false`",
        Rule::kind | Rule::simple_kind => "`int`, `float`, `bool`, `text`, `time`, `enum`",
        Rule::role => "`key`, `event`",
        Rule::range => "a range such as `30..300`",
        Rule::code => "a code",
        Rule::priority => "`high`, `medium`, `low`, `info`",
        Rule::expression | Rule::silence | Rule::group | Rule::reference => "a condition or a value",
        Rule::comparison => "a comparison",
        Rule::sum_op | Rule::product_op => "arithmetic",
        Rule::element => "a label, a number, a text",
        Rule::set => "`(`",
        Rule::status => "`missing`, `invalid`, `known`",
        Rule::alert_state => "`raised`, `repeated`, `escalated`, `acknowledged`, `resolved`",
        _ => return None,
    })
}

fn mark(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::open => "`{`",
        Rule::close => "`}`",
        Rule::left => "`(`",
        Rule::right => "`)`",
        Rule::comma => "`,`",
        Rule::colon => "`:`",
        Rule::dot => "`.`",
        Rule::dots => "`..`",
        Rule::minus => "`-`",
        Rule::equals => "`=`",
        Rule::all => "`all`",
        Rule::reading => "`reading`",
        _ => return keyword(rule),
    })
}

fn keyword(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::kw_stream => "`stream`",
        Rule::kw_topic => "`topic`",
        Rule::kw_score => "`score`",
        Rule::kw_let => "`let`",
        Rule::kw_test => "`test`",
        Rule::kw_when => "`when`",
        Rule::kw_enum => "`enum`",
        Rule::kw_missing | Rule::missing => "`missing`",
        Rule::kw_store | Rule::store => "`store`",
        Rule::kw_forget | Rule::forget => "`forget`",
        Rule::kw_after => "`after`",
        Rule::kw_from => "`from`",
        Rule::kw_on | Rule::on => "`on`",
        Rule::kw_needs | Rule::needs => "`needs`",
        Rule::kw_no => "`no`",
        Rule::kw_for | Rule::hold => "`for`",
        Rule::kw_every => "`every`",
        Rule::kw_to => "`to`",
        Rule::kw_and => "`and`",
        Rule::kw_or => "`or`",
        Rule::kw_not => "`not`",
        Rule::kw_then => "`then`",
        Rule::kw_in | Rule::membership => "`in`",
        Rule::kw_is | Rule::status_test => "`is`",
        Rule::kw_readings => "`readings`",
        Rule::kw_acknowledge | Rule::acknowledge => "`acknowledge`",
        Rule::kw_expect | Rule::expect => "`expect`",
        _ => return keyword_of_clause(rule),
    })
}

fn keyword_of_clause(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::kw_fields | Rule::fields => "`fields`",
        Rule::kw_notify | Rule::notify => "`notify`",
        Rule::kw_covers | Rule::covers => "`covers`",
        Rule::kw_alert | Rule::alert | Rule::alert_sent => "`alert`",
        Rule::kw_each | Rule::each => "`each reading`",
        Rule::kw_repeat | Rule::repeat => "`repeat every`",
        Rule::kw_escalate | Rule::escalate => "`escalate to`",
        Rule::kw_clear | Rule::clear => "`clear when`",
        Rule::kw_latch | Rule::latch => "`latch`",
        Rule::kw_given | Rule::given => "`given`",
        Rule::kw_at | Rule::at => "`at`",
        _ => return None,
    })
}

/// Whether `rule` is punctuation or a keyword that the tree has no use for.
pub(super) fn is_noise(rule: Rule) -> bool {
    use Rule as R;
    matches!(
        rule,
        R::open
            | R::close
            | R::left
            | R::right
            | R::comma
            | R::colon
            | R::dot
            | R::dots
            | R::equals
            | R::EOI
            | R::kw_stream
            | R::kw_topic
            | R::kw_score
            | R::kw_let
            | R::kw_test
            | R::kw_when
            | R::kw_enum
            | R::kw_missing
            | R::kw_store
            | R::kw_forget
            | R::kw_after
            | R::kw_fields
            | R::kw_notify
            | R::kw_covers
            | R::kw_from
            | R::kw_on
            | R::kw_needs
            | R::kw_for
            | R::kw_alert
            | R::kw_each
            | R::kw_repeat
            | R::kw_every
            | R::kw_escalate
            | R::kw_to
            | R::kw_clear
            | R::kw_latch
            | R::kw_in
            | R::kw_is
            | R::kw_readings
            | R::kw_within
            | R::kw_given
            | R::kw_at
            | R::kw_acknowledge
            | R::kw_expect
    )
}
