//! Configuration: file, environment and flags in that order, unknown keys refused, and the documentation complete.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::PathBuf;
use std::time::Duration;

use assert_cmd::Command;
use triage::config::{Config, KEYS, Layers, Right, WEBHOOK_KEYS};

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("triage.toml");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn refusal(text: &str) -> String {
    let (_folder, path) = file(text);
    let refused = Layers::new().file(&path).and_then(Layers::build).unwrap_err();
    refused.to_string().replace(&path.display().to_string(), "triage.toml")
}

fn variables(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn the_later_layer_wins() {
    let (_folder, path) = file("[kafka]\ngroup = 'file'\nbootstrap_servers = ['a:1', 'b:2']\n[engine]\nworkers = 3\n");
    let environment =
        variables(&[("TRIAGE_KAFKA_GROUP", "environment"), ("TRIAGE_ENGINE_WORKERS", "4"), ("HOME", "/")]);
    let layers = Layers::new().file(&path).unwrap().environment(environment).unwrap().flag("engine.workers", "5");
    let config = layers.build().unwrap();
    assert_eq!(config.kafka.bootstrap_servers, "a:1,b:2");
    assert_eq!(config.kafka.group, "environment");
    assert_eq!(config.engine.workers, 5);
    assert_eq!(config.engine.batch_age, Duration::from_millis(50));
}

#[test]
fn unknown_keys_are_refused_with_what_was_meant() {
    for (text, expected) in [
        ("[kafka]\ngrup = 'x'", "triage.toml: unknown key `kafka.grup`; did you mean `kafka.group`?"),
        ("[kafak]\ngroup = 'x'", "triage.toml: unknown key `kafak`; did you mean `kafka`?"),
        ("[engine]\nsqlite = 'x'", "triage.toml: unknown key `engine.sqlite`; did you mean `store.sqlite`?"),
        ("wholly = 'else'", "triage.toml: unknown key `wholly`"),
        ("[wholly]", "triage.toml: unknown key `wholly`"),
    ] {
        assert_eq!(refusal(text), expected);
    }
    let refused = Layers::new().environment(variables(&[("TRIAGE_KAFKA_GRUOP", "x")])).unwrap_err();
    let expected = "environment: unknown key `TRIAGE_KAFKA_GRUOP`; did you mean `TRIAGE_KAFKA_GROUP`?";
    assert_eq!(refused.to_string(), expected);
}

#[test]
fn wrong_values_are_refused_with_what_was_expected() {
    for (text, expected) in [
        ("[engine]\nworkers = -1", "triage.toml: `engine.workers` must be a whole number from 0 to 1024, not `-1`"),
        (
            "[engine]\nbatch_age = '1h'",
            "triage.toml: `engine.batch_age` must be a duration from 2ms to 10s, such as `50ms`, not `1h`",
        ),
        ("[rules]\nwatch = 'yes'", "triage.toml: `rules.watch` must be `true` or `false`, not `yes`"),
        (
            "[kafka]\ngroup = 1.5",
            "triage.toml: `kafka.group` must be a text, a number, `true`, `false` or a list of texts",
        ),
    ] {
        assert_eq!(refusal(text), expected);
    }
}

#[test]
fn secrets_are_never_shown() {
    let environment = variables(&[("TRIAGE_HTTP_TOKEN", "hush"), ("TRIAGE_KAFKA_PROPERTIES_SASL_PASSWORD", "hush")]);
    let layers = Layers::new().environment(environment).unwrap();
    assert!(!format!("{layers:?}").contains("hush"));
    let config = layers.build().unwrap();
    assert_eq!(config.http.tokens.of(Right::Everything).unwrap().expose(), "hush");
    assert!(!format!("{config:?}").contains("hush"));
    assert!(!refusal("[http]\ntoken = 'hush").contains("hush"));
}

#[test]
fn a_secret_in_a_file_that_others_see_is_refused_with_its_place() {
    for (text, expected) in [
        (
            "[http]\ntoken = 'hush'",
            "triage.toml: `http.token` is a secret, and others see it wherever this file is kept, copied or shown: put it into a \
             file that only the engine reads and name that by `http.token_file`, or set `TRIAGE_HTTP_TOKEN`",
        ),
        ("[kafka.properties]\nsasl.password = 'hush'", "name that by `kafka.sasl_password_file`"),
        ("[store.mongodb]\nuri = 'mongodb://engine:hush@host/'", "name that by `store.mongodb.uri_file`"),
        ("[webhook.stroke]\nsecret = 'hush'", "name that by `webhook.stroke.secret_file`"),
        (
            "[webhook.stroke]\nurl = 'https://eve:hush@pager/'",
            "triage.toml: `webhook.stroke.url` is a secret, and others see it wherever this file is kept, copied or shown: put it into \
             a file that only the engine reads and name that by `webhook.stroke.url_file`, or set `TRIAGE_WEBHOOK_STROKE_URL`",
        ),
        ("[webhook.stroke]\nurl = 'https://pager/alerts?key=hush'", "name that by `webhook.stroke.url_file`"),
        (
            "[webhook.stroke]\nurl = 'https://hooks.slack.example/services/T000/B000/hushHUSH0123456789hush'",
            "name that by `webhook.stroke.url_file`",
        ),
        (
            "[kafka.properties]\nssl.key.password = 'hush'",
            "put it into a file that only the engine reads and name that by `kafka.ssl_key_password_file`",
        ),
        ("[kafka.properties]\nssl.key.pem = 'hush'", "name that by `kafka.ssl_key_file`"),
        (
            "[kafka.properties]\nsasl.oauthbearer.client.secret = 'hush'",
            "set the variable `TRIAGE_KAFKA_PROPERTIES_SASL_OAUTHBEARER_CLIENT_SECRET`",
        ),
    ] {
        let refused = refusal(text);
        assert_eq!((refused.contains(expected), refused.contains("hush")), (true, false), "{text}: {refused}");
    }
    let (_folder, path) = file("[store.mongodb]\nuri = 'mongodb://host:27017/'");
    assert!(Layers::new().file(&path).and_then(Layers::build).is_ok());
}

/// Who writes the token where the name of its file belongs is not to find it in the log.
#[test]
fn a_secret_in_place_of_its_file_is_not_shown() {
    for key in [
        "http.token_file",
        "http.metrics_token_file",
        "http.operate_token_file",
        "kafka.sasl_password_file",
        "store.mongodb.uri_file",
        "webhook.stroke.secret_file",
        "webhook.stroke.url_file",
    ] {
        let refused = Layers::new().flag(key, "hush").build().unwrap_err().to_string();
        assert_eq!((refused.contains("must be a file"), refused.contains("hush")), (true, false), "{refused}");
        let refused = Layers::new().flag(key, "/nowhere").build().unwrap_err().to_string();
        assert!(refused.contains(", not `/nowhere`"), "{refused}");
    }
}

#[test]
fn secrets_come_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let holding = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let uri = "mongodb://sink:hush@127.0.0.1:27017/";
    let layers = Layers::new()
        .flag("http.token_file", holding("token", "sesame\n"))
        .flag("kafka.sasl_password_file", holding("password", "hush hush\n"))
        .flag("store.sasl_username", "triage-store")
        .flag("store.sasl_password_file", holding("store", "hushed\n"))
        .flag("store.mongodb.uri_file", holding("uri", uri));
    let config = layers.build().unwrap();
    assert_eq!(config.http.tokens.of(Right::Everything).unwrap().expose(), "sesame");
    assert_eq!(config.kafka.properties["sasl.password"].expose(), "hush hush");
    assert_eq!(config.store.mongodb.uri.as_ref().unwrap().expose(), uri);
    let login = |name| config.kafka_of_store().properties[name].expose().to_owned();
    assert_eq!((login("sasl.username"), login("sasl.password")), ("triage-store".to_owned(), "hushed".to_owned()));
    assert!(!format!("{config:?}").contains("hush"));
    for key in [
        "http.token_file",
        "http.metrics_token_file",
        "kafka.sasl_password_file",
        "store.mongodb.uri_file",
        "store.sasl_password_file",
    ] {
        let refused = Layers::new().flag(key, "/nowhere").build().unwrap_err().to_string();
        assert!(refused.starts_with(&format!("flags: `{key}` must be a file that can be read")), "{refused}");
    }
    let refused = Layers::new().flag("kafka.sasl_password_file", holding("empty", "\n")).build().unwrap_err();
    assert!(refused.to_string().contains("not empty"), "{refused}");
    let half = Layers::new().flag("store.sasl_username", "triage-store").build().unwrap_err().to_string();
    assert_eq!(half, "`store.sasl_username` and `store.sasl_password_file` go together: set both, or neither");
}

/// With one token for both, or none for the rest, whoever reads metrics could silence alarms.
#[test]
fn the_token_of_metrics_is_another_than_that_of_everything() {
    let folder = tempfile::tempdir().unwrap();
    let holding = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let layers = |text| Layers::new().flag("http.metrics_token_file", holding("metrics", text));
    let config = layers("poppy\n").flag("http.token", "sesame").build().unwrap();
    assert_eq!(config.http.tokens.of(Right::Metrics).unwrap().expose(), "poppy");
    assert!(!format!("{config:?}").contains("poppy"));
    let same = layers("sesame").flag("http.token_file", holding("token", "sesame\n")).build().unwrap_err().to_string();
    assert!(same.ends_with("in `http.token_file`: they are the same") && !same.contains("sesame"), "{same}");
    let alone = layers("poppy").build().unwrap_err().to_string();
    assert!(alone.ends_with("there is none, and every page would be open") && !alone.contains("poppy"), "{alone}");
    let twice = layers("poppy").flag("http.token", "sesame").flag("http.read_token_file", holding("read", "poppy"));
    let twice = twice.build().unwrap_err().to_string();
    assert!(twice.ends_with("it is that of `http.read_token_file`") && !twice.contains("poppy"), "{twice}");
    let lines = layers("poppy\nanemone").flag("http.token", "sesame").build().unwrap_err().to_string();
    assert!(lines.contains("must be a file with one line of letters") && !lines.contains("poppy"), "{lines}");
    let empty = layers("\n").flag("http.token", "sesame").build().unwrap_err().to_string();
    assert!(empty.contains("`http.metrics_token_file` must be a text that is not empty"), "{empty}");
}

/// A key or a certificate where the name of its file belongs is not to be found in the log; nor is its password.
#[test]
fn certificates_and_keys_are_named_by_their_files() {
    for key in ["kafka.ssl_key_file", "kafka.ssl_ca_file", "http.tls_key_file", "store.mongodb.tls_key_file"] {
        let refused = Layers::new().flag(key, "-----BEGIN PRIVATE KEY-----\nhush").build().unwrap_err().to_string();
        let expected = format!("flags: `{key}` must be the name of a file, and not what belongs into it");
        assert_eq!(refused, expected);
    }
    let refused = Layers::new().flag("kafka.ssl_key_password_file", "hush").build().unwrap_err().to_string();
    assert_eq!(
        (refused.contains("must be a file that can be read"), refused.contains("hush")),
        (true, false),
        "{refused}"
    );
}

#[test]
fn certificates_that_are_named_half_are_refused() {
    for (text, expected) in [
        ("[kafka]\nsecurity_protocol = 'ssl'", "`kafka.security_protocol` needs `kafka.ssl_ca_file` beside it"),
        (
            "[kafka]\nssl_ca_file = 'ca'",
            "`kafka.ssl_ca_file` is of no use while `kafka.security_protocol` is `plaintext`: set that to `ssl` or `sasl_ssl`",
        ),
        (
            "[kafka]\nsecurity_protocol = 'ssl'\nssl_ca_file = 'ca'\nssl_certificate_file = 'own'",
            "`kafka.ssl_certificate_file` needs `kafka.ssl_key_file` beside it",
        ),
        ("[kafka]\nsecurity_protocol = 'tls'", "must be `plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`, not `tls`"),
        ("[http]\ntls_key_file = 'key'", "`http.tls_key_file` needs `http.tls_certificate_file` beside it"),
        ("[http]\ntls_client_ca_file = 'ca'", "`http.tls_client_ca_file` needs `http.tls_certificate_file` beside it"),
        (
            "[store.mongodb]\ntls_certificate_file = 'own'",
            "`store.mongodb.tls_certificate_file` needs `store.mongodb.tls_key_file` beside it",
        ),
        (
            "[store.mongodb]\nuri = 'mongodb://host/?tls=true&tlsCAFile=ca'",
            "must be without `tlsCAFile` and `tlsCertificateKeyFile`",
        ),
    ] {
        let refused = refusal(text);
        assert!(refused.contains(expected), "{text}: {refused}");
    }
}

#[test]
fn properties_pass_through_from_file_and_environment() {
    let (_folder, path) = file("[kafka.properties]\nsasl.mechanism = 'PLAIN'\n'session.timeout.ms' = 9000\n");
    let environment = variables(&[("TRIAGE_KAFKA_PROPERTIES_SASL_PASSWORD", "x")]);
    let config = Layers::new().file(&path).unwrap().environment(environment).unwrap().build().unwrap();
    let names: Vec<&str> = config.kafka.properties.keys().map(String::as_str).collect();
    assert_eq!(names, ["sasl.mechanism", "sasl.password", "session.timeout.ms"]);
    assert_eq!(config.kafka.properties["session.timeout.ms"].expose(), "9000");
}

#[test]
fn the_documentation_lists_every_key_with_default_and_variable() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md")).unwrap();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `") && line.contains("`TRIAGE_")).collect();
    let expected: Vec<String> = KEYS
        .iter()
        .map(|key| {
            let default = if key.default.is_empty() { String::new() } else { format!("`{}`", key.default) };
            format!("| `{}` | {default} | `{}` | {} |", key.path, key.variable(), key.meaning)
        })
        .collect();
    assert_eq!(rows, expected);
    assert!(Config::defaults().is_ok());
}

#[test]
fn the_documentation_lists_every_key_of_a_webhook() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md")).unwrap();
    let (_, table) = page.split_once("| key of `[webhook.<topic>]`").unwrap();
    let rows: Vec<&str> = table.lines().skip(2).take_while(|line| line.starts_with("| `")).collect();
    let expected: Vec<String> = WEBHOOK_KEYS
        .iter()
        .map(|key| {
            let default = if key.default.is_empty() { String::new() } else { format!("`{}`", key.default) };
            format!("| `{}` | {default} | {} |", key.path, key.meaning)
        })
        .collect();
    assert_eq!(rows, expected);
}

#[test]
fn webhooks_are_said_by_topic() {
    let (_folder, path) = file(
        "[webhook.stroke]\nurl = 'https://pager/hush'\n\
         [webhook.'ward.A']\nurl = 'http://ward/'\ntimeout = '2s'\n",
    );
    let environment = variables(&[
        ("TRIAGE_WEBHOOK_STROKE_GIVE_UP_AFTER", "1h"),
        ("TRIAGE_WEBHOOK_STROKE_SECRET", "hush hush hush hush hush hush"),
    ]);
    let layers = Layers::new().file(&path).unwrap().environment(environment).unwrap();
    let layers = layers.flag("webhook.ward.A.secret", "hush hush hush hush hush hush");
    assert!(!format!("{layers:?}").contains("hush"));
    let config = layers.build().unwrap();
    assert!(!format!("{config:?}").contains("hush"));
    let of = |topic: &str| (config.webhooks[topic].timeout, config.webhooks[topic].give_up_after);
    assert_eq!(of("stroke"), (Duration::from_secs(15), Duration::from_hours(1)));
    assert_eq!(of("ward.A"), (Duration::from_secs(2), Duration::from_mins(10)));
}

#[test]
fn the_address_of_a_webhook_comes_from_a_file_or_the_environment() {
    let (folder, path) = file("[webhook.stroke]\nsecret = ''\n[webhook.vitals]\nsecret = ''\n");
    let address = folder.path().join("address");
    std::fs::write(&address, "https://pager/hush?key=hush\n").unwrap();
    let secret = "hush hush hush hush hush hush";
    let environment = variables(&[
        ("TRIAGE_WEBHOOK_STROKE_SECRET", secret),
        ("TRIAGE_WEBHOOK_STROKE_URL", "https://pager/hush?key=hush"),
        ("TRIAGE_WEBHOOK_VITALS_SECRET", secret),
        ("TRIAGE_WEBHOOK_VITALS_URL_FILE", address.to_str().unwrap()),
    ]);
    let config = Layers::new().file(&path).unwrap().environment(environment).unwrap().build().unwrap();
    let url = |topic: &str| config.webhooks[topic].url.clone().unwrap();
    assert_eq!(url("stroke").expose(), "https://pager/hush?key=hush");
    assert_eq!(url("vitals"), url("stroke"));
    assert!(!format!("{config:?}").contains("hush"));
    // There is nowhere for a user and a password in a delivery.
    std::fs::write(&address, "https://eve:hush@pager/").unwrap();
    let layers = Layers::new().flag("webhook.vitals.url_file", address.to_str().unwrap());
    let refused = layers.build().unwrap_err().to_string();
    assert!(refused.contains("without user and password") && !refused.contains("hush"), "{refused}");
}

#[test]
fn the_secret_of_a_webhook_has_24_bytes() {
    let environment = variables(&[("TRIAGE_WEBHOOK_STROKE_SECRET", "hush")]);
    let refused = Layers::new().environment(environment).and_then(Layers::build).unwrap_err().to_string();
    assert!(refused.contains("`TRIAGE_WEBHOOK_STROKE_SECRET` must be a secret of 24 bytes or more"), "{refused}");
    assert!(!refused.contains("hush"));
}

#[test]
fn a_webhook_that_is_said_wrongly_is_refused() {
    for (text, expected) in [
        ("[webhook.stroke]\nurl = 'http://x/'\n", "the webhook of `stroke` needs `webhook.stroke.secret_file`"),
        ("[webhook.stroke]\ntimeout = '2s'\n", "the webhook of `stroke` needs `webhook.stroke.url`"),
        ("[webhook.stroke]\nulr = 'http://x/'\n", "did you mean `webhook.stroke.url`?"),
        ("[webhook]\nurl = 'http://x/'\n", "unknown key `webhook.url`; did you mean `webhook.<topic>.url`?"),
        ("[webhook.stroke]\n", "`webhook.stroke` must be a webhook"),
        ("[webhook.stroke]\nurl = 'hush'\n", "`webhook.stroke.url` must be an address such as"),
        ("[webhook.stroke]\ntimeout = '1ms'\n", "such as `50ms`, not `1ms`"),
    ] {
        let refused = refusal(text);
        assert_eq!((refused.contains(expected), refused.contains("hush")), (true, false), "{text}: {refused}");
    }
}

/// Exit code and standard error of `triage` with these arguments, in a folder without a configuration.
fn triage(arguments: &[&str]) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::cargo_bin("triage")
        .unwrap()
        .timeout(Duration::from_mins(1))
        .args(arguments)
        .current_dir(folder.path())
        .output()
        .unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn wrong_configuration_is_wrong_usage() {
    for (arguments, expected) in [
        (["run", "--set", "kafka.gruop=x"], "did you mean `kafka.group`?"),
        (["run", "--listen", "0.0.0.0:9180"], "set `http.token` or `http.token_file`"),
        (
            ["run", "--set", "kafka.properties.isolation.level=read_uncommitted"],
            "cannot be set: readings of an aborted",
        ),
        (["run", "--set", "kafka.properties.security.protocol=ssl"], "it is `kafka.security_protocol`"),
        (["run", "--set", "kafka.properties.ssl.ca.location=ca"], "it is `kafka.ssl_ca_file`"),
        (["run", "--set", "kafka.properties.no.such.thing=1"], "`kafka.properties.no.such.thing`"),
        (
            ["run", "--set", "http.token=hush"],
            "in the list of processes: put it into a file that only the engine reads",
        ),
        (["run", "--config", "missing.toml"], "missing.toml"),
    ] {
        let (code, text) = triage(&arguments);
        assert_eq!((code, text.contains(expected)), (2, true), "{arguments:?}: {text}");
    }
}

#[test]
fn wrong_rules_and_a_port_that_is_taken_have_their_own_codes() {
    let broker = triage::embedded::spawn("127.0.0.1:0").unwrap().to_string();
    let (code, text) = triage(&["run", "--rules", "nowhere", "--bootstrap-servers", &broker]);
    assert_eq!((code, text.contains("`nowhere` cannot be read")), (1, true), "{text}");

    let rules = tempfile::tempdir().unwrap();
    std::fs::write(rules.path().join("a.rules"), "stream s { v: int 0..9 }\nt when v > 3\n").unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = rules.path().display().to_string();
    let (code, text) = triage(&["run", "--rules", &folder, "--listen", &address]);
    assert_eq!((code, text.contains("cannot be used")), (3, true), "{text}");
}
