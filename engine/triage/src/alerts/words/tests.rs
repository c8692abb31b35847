#![allow(clippy::unwrap_used, reason = "tests")]

use triage_core::compile::compile_all;
use triage_core::score::NoModels;
use triage_core::source::SourceFile;

use super::super::filter::Filter;
use super::*;

const RULES: &str = "stream s { patient: text key  v: int 0..300 }\n\
    t.crisis when v > 200 alert high \"v is {v}\"\n\
    t.raised when v > 100 alert low \"v is {v}\"\n\
    t.plain when v > 50\n";
const NOW: i64 = 1_700_000_000_000;
const ID: &str = "s/2/42@1700000000000/t.raised";

fn program(text: &str) -> Program {
    compile_all(&[SourceFile { path: "a.rules".into(), text: text.into() }], &NoModels).unwrap().program
}

fn board(state: &str) -> Board {
    let board = Board::default();
    let value = format!(
        r#"{{"id":"{ID}","rule":"t.raised","state":"{state}","priority":"low","ts":1,"since":1,"message":"m","by":"adam"}}"#
    );
    board.take(("t", 2), Some(ID.as_bytes()), Some(value.as_bytes())).unwrap();
    board.behind(0);
    board
}

#[test]
fn an_acknowledgement_goes_to_the_partition_that_its_id_names() {
    let body = format!("{{\"id\":\"{ID}\",\"by\":\"eve\"}}");
    let said = acknowledge(body.as_bytes(), &board("raised"), NOW).unwrap();
    assert_eq!((said.partition, said.value), (Some(2), json!({"id": ID, "by": "eve", "ts": NOW})));
}

#[test]
fn a_technical_alert_is_acknowledged_as_all_others() {
    const ID: &str = "technical/ward-1/0@1700000000000/technical.no_readings";
    let ask = |id: &str, board: &Board| acknowledge(json!({"id": id, "by": "eve"}).to_string().as_bytes(), board, NOW);
    let board = |state: &str| {
        let board = Board::default();
        let value = json!({"id": ID, "rule": "technical.no_readings", "state": state, "priority": "high", "ts": 1, "since": 1,
            "message": "m", "technical": true, "by": "adam"});
        board.take(("technical", 0), Some(ID.as_bytes()), Some(value.to_string().as_bytes())).unwrap();
        board.behind(0);
        board
    };
    let said = ask(ID, &board("raised")).unwrap();
    assert_eq!((said.partition, said.value), (Some(0), json!({"id": ID, "by": "eve", "ts": NOW})));
    assert!(matches!(ask(ID, &board("acknowledged")), Err(Refusal::Conflict(text)) if text.contains("by adam")));
    assert!(matches!(ask(ID, &board("resolved")), Err(Refusal::Unknown(_))));
    assert!(matches!(ask("technical/no", &board("raised")), Err(Refusal::Unknown(_))));
    assert!(matches!(ask(ID, &Board::default()), Err(Refusal::NotNow(_))));
}

#[test]
fn an_acknowledgement_of_nothing_is_refused() {
    let ask = |body: &str, board: &Board| acknowledge(body.as_bytes(), board, NOW).unwrap_err();
    let raised = board("raised");
    let of = |id: &str| format!("{{\"id\":\"{id}\",\"by\":\"eve\"}}");
    for body in ["", "[]", "{\"id\":7,\"by\":\"eve\"}", "{\"id\":\"x\"}", "{\"id\":\"x\",\"by\":\"eve\",\"ts\":1}"] {
        assert!(matches!(ask(body, &raised), Refusal::Wrong(text) if text.contains("the body is not")), "{body}");
    }
    assert!(matches!(ask(&format!("{{\"id\":\"{ID}\",\"by\":\" \"}}"), &raised), Refusal::Wrong(_)));
    for id in ["x", "s/0/1@2", "s/0/1/t.r", "s/-1/1@2/t.r", "s/0/a@2/t.r", "s/0/1@2/"] {
        assert!(matches!(ask(&of(id), &raised), Refusal::Wrong(text) if text.contains("looks like")), "{id}");
    }
    assert!(matches!(ask(&of("s/2/43@1/t.raised"), &raised), Refusal::Unknown(_)));
    assert!(matches!(ask(&of("s/2/43@1/t.raised"), &Board::default()), Refusal::NotNow(_)));
    let known = ask(&of(ID), &board("acknowledged"));
    assert!(matches!(&known, Refusal::Conflict(text) if text.contains("by adam")), "{known}");
    let long = format!("{{\"id\":\"{ID}\",\"by\":\"{}\"}}", "e".repeat(3_000));
    assert!(matches!(ask(&long, &raised), Refusal::TooLarge(_)));
}

fn pausing(members: &str) -> Result<Said, Refusal> {
    pause(format!("{{{members},\"by\":\"eve\",\"why\":\"moved\"}}").as_bytes(), &program(RULES), NOW)
}

#[test]
fn a_pause_goes_to_every_partition_with_its_end_in_milliseconds() {
    for end in ["\"for\":\"30m\"", "\"until\":1700001800000", "\"until\":\"2023-11-14T22:43:20Z\""] {
        let said = pausing(&format!("\"rule\":\"t.raised\",{end}")).unwrap();
        let pause = json!({"pause": {"rule": "t.raised", "by": "eve", "why": "moved", "until": NOW + 1_800_000}});
        assert_eq!((said.partition, said.value), (None, pause), "{end}");
    }
}

#[test]
fn what_is_high_is_silenced_by_an_explicit_word_alone() {
    for scope in ["\"rule\":\"t.crisis\"", "\"patient\":\"p1\""] {
        let refused = pausing(&format!("{scope},\"for\":\"5m\"")).unwrap_err();
        assert!(matches!(&refused, Refusal::Wrong(text) if text.contains("\"high\":true")), "{refused}");
        assert!(pausing(&format!("{scope},\"for\":\"5m\",\"high\":true")).is_ok());
    }
    let mild = program(&RULES.replace("alert high", "alert medium"));
    assert!(pause(br#"{"patient":"p1","by":"eve","why":"moved","for":"5m"}"#, &mild, NOW).is_ok());
}

#[test]
fn a_pause_of_nothing_or_without_an_end_is_refused() {
    let refused = pausing("\"rule\":\"t.raise\",\"for\":\"5m\"").unwrap_err();
    assert!(matches!(&refused, Refusal::Unknown(text) if text.contains("did you mean `t.raised`?")), "{refused}");
    assert!(matches!(pausing("\"rule\":\"t.plain\",\"for\":\"5m\"").unwrap_err(), Refusal::Unknown(_)));
    for (members, told) in [
        ("\"for\":\"5m\"", "one `rule` or of one `patient`"),
        ("\"rule\":\"t.raised\",\"patient\":\"p\",\"for\":\"5m\"", "one `rule` or of one `patient`"),
        ("\"rule\":\"t.raised\"", "a pause ends"),
        ("\"rule\":\"t.raised\",\"for\":\"5m\",\"until\":9", "a pause ends"),
        ("\"rule\":\"t.raised\",\"for\":\"soon\"", "no duration"),
        ("\"rule\":\"t.raised\",\"for\":\"0s\"", "past"),
        ("\"rule\":\"t.raised\",\"until\":1", "past"),
        ("\"rule\":\"t.raised\",\"until\":1.5", "no time"),
        ("\"rule\":\"t.raised\",\"until\":\"tomorrow\"", "no time"),
        ("\"rule\":\"t.raised\",\"for\":\"8days\"", "7 days at most"),
        ("\"rule\":\"t.raised\",\"for\":\"5m\",\"forever\":true", "the body is not"),
    ] {
        let refused = pausing(members).unwrap_err();
        assert!(matches!(&refused, Refusal::Wrong(text) if text.contains(told)), "{members}: {refused}");
    }
    let alone = program("stream s { v: int 0..9 }\nt.r when v > 3 alert low \"x\" each reading\n");
    let said = pause(br#"{"rule":"t.r","by":"eve","why":"moved","for":"5m"}"#, &alone, NOW);
    assert!(matches!(said, Err(Refusal::Conflict(_))));
}

#[test]
fn what_the_engine_takes_is_what_is_shown() {
    let board = board("raised");
    let said = pausing("\"rule\":\"t.raised\",\"for\":\"30m\"").unwrap().value.to_string();
    let record = triage_core::reading::Record {
        key: None,
        value: Some(said.as_bytes()),
        timestamp: None,
        partition: 2,
        offset: 0,
    };
    let pause = triage_core::program::read_pause(&record, &triage_core::program::Limits::default()).unwrap();
    board.take_pause(2, pause.clone(), NOW);
    assert_eq!(board.view(&Filter::default(), NOW).alerts[0].paused, Some(pause));
    assert!(board.view(&Filter::default(), NOW + 1_800_001).alerts[0].paused.is_none());
}
