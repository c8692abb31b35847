//! Encrypted connections that need no other server: the web side and its commands, webhooks, and what can be wrong with files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/authority.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod authority;
#[path = "support/bed.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod bed;
#[path = "support/front.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod front;
#[path = "support/pager.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod pager;
#[path = "support/web.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod web;

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use assert_cmd::Command;
use openssl::pkey::PKey;
use openssl::symm::Cipher;
use tempfile::TempDir;
use triage::config::Layers;
use triage::engine::Engine;
use triage::shutdown::Shutdown;

use authority::{Authority, GOOD, HERE, Issued, OVER, write};
use bed::{Bed, stop, wait_for};
use front::Front;
use pager::{OK, Pager};
use web::ask;

const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

/// Flags that name the files of the web side.
fn web_side(layers: Layers, folder: &Path, issued: &Issued) -> Layers {
    let (certificate, key) = issued.write(folder, "web");
    layers.flag("http.tls_certificate_file", certificate).flag("http.tls_key_file", key)
}

fn start(bed: &Bed, layers: Layers) -> Engine {
    let engine = bed.start_with(layers);
    wait_for("the engine to be ready", || engine.is_ready());
    engine
}

/// Exit code and standard error of `triage health` with these keys set.
fn health(engine: &Engine, keys: &[(&str, &str)]) -> (i32, String) {
    let mut command = Command::cargo_bin("triage").unwrap();
    command.args(["health", "--listen", &engine.address().to_string()]).current_dir("/");
    for (key, value) in keys {
        command.args(["--set", &format!("{key}={value}")]);
    }
    let output = command.timeout(Duration::from_mins(1)).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// Until the engine is found healthy, or for that reason not; one that is slow to answer is asked again.
fn wait_for_health(engine: &Engine, keys: &[(&str, &str)], why_not: Option<&str>) {
    wait_for(why_not.unwrap_or("health"), || {
        let (code, text) = health(engine, keys);
        why_not.map_or(code == 0 && text.is_empty(), |why| code == 3 && text.contains(why))
    });
}

fn metrics(engine: &Engine) -> String {
    String::from_utf8(engine.metrics().render().unwrap()).unwrap()
}

fn refused(engine: &Engine, used_for: &str) -> bool {
    metrics(engine).contains(&format!("triage_certificates_refused{{use=\"{used_for}\"}} 1"))
}

#[test]
fn commands_say_why_they_do_not_trust_the_web_side() {
    let (bed, folder) = (Bed::new(1), tempfile::tempdir().unwrap());
    let (hospital, stranger) = (Authority::new("hospital"), Authority::new("stranger"));
    let trusted = write(folder.path(), "ca.pem", &hospital.pem());
    let by_others = write(folder.path(), "others.pem", &stranger.pem());
    for (names, days, authority, name, expected) in [
        (HERE, GOOD, &trusted, "", None),
        (&["engine.ward"], GOOD, &trusted, "engine.ward", None),
        (&["engine.ward"], GOOD, &trusted, "", Some("its certificate is for `engine.ward` and not for `127.0.0.1`")),
        (HERE, OVER, &trusted, "", Some("the certificate of `CN=localhost` has expired, on ")),
        (
            HERE,
            GOOD,
            &by_others,
            "",
            Some(
                "is by `CN=hospital`, which is not trusted: if it should be, add that authority's certificate to `http.tls_ca_file`",
            ),
        ),
    ] {
        let engine = start(&bed, web_side(bed.layers(1), folder.path(), &hospital.issue(names, days)));
        wait_for_health(&engine, &[("http.tls_ca_file", authority), ("http.tls_name", name)], expected);
        stop(engine);
    }
}

#[test]
fn both_sides_of_the_web_must_speak_tls() {
    let (bed, folder) = (Bed::new(1), tempfile::tempdir().unwrap());
    let hospital = Authority::new("hospital");
    let trusted = write(folder.path(), "ca.pem", &hospital.pem());
    let clear = start(&bed, bed.layers(1));
    wait_for_health(&clear, &[("http.tls_ca_file", &trusted)], Some("it does not speak TLS"));
    stop(clear);
    let engine = start(&bed, web_side(bed.layers(1), folder.path(), &hospital.issue(HERE, GOOD)));
    wait_for_health(&engine, &[], Some("http.tls_ca_file"));
    let (certificate, key) = ("http.tls_certificate_file", "http.tls_key_file");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let keys = [(certificate, &*file("web.pem")), (key, &file("web.key"))];
    wait_for_health(&engine, &keys, Some("name the authority of its certificate by `http.tls_ca_file`"));
    stop(engine);
}

#[test]
fn who_shows_no_certificate_is_not_answered_where_one_is_asked_for() {
    let (bed, folder) = (Bed::new(1), tempfile::tempdir().unwrap());
    let (hospital, stranger) = (Authority::new("hospital"), Authority::new("stranger"));
    let trusted = write(folder.path(), "ca.pem", &hospital.pem());
    let layers = web_side(bed.layers(1), folder.path(), &hospital.issue(HERE, GOOD));
    let engine = start(&bed, layers.flag("http.tls_client_ca_file", trusted.as_str()));
    let none = "it asks for a client certificate: name ours by `http.tls_client_certificate_file` and its key by `http.tls_client_key_file`";
    wait_for_health(&engine, &[("http.tls_ca_file", &trusted)], Some(none));
    let refused = "it refuses our certificate, that of `http.tls_client_certificate_file`";
    for (issued, expected) in [
        (hospital.issue(&["prometheus"], GOOD), None),
        (stranger.issue(&["eve"], GOOD), Some(refused)),
        (hospital.issue(&["late"], OVER), Some(refused)),
    ] {
        let (certificate, key) = issued.write(folder.path(), "client");
        let keys = [("http.tls_client_certificate_file", certificate.as_str()), ("http.tls_client_key_file", &key)];
        wait_for_health(&engine, &[("http.tls_ca_file", trusted.as_str()), keys[0], keys[1]], expected);
    }
    stop(engine);
}

/// The engine goes on answering through all of it; who trusts the new authority alone is answered from when it is taken up.
#[test]
fn the_web_side_takes_new_certificates_up_and_none_that_are_broken() {
    let (bed, folder) = (Bed::new(1), tempfile::tempdir().unwrap());
    let (before, after) = (Authority::new("before"), Authority::new("after"));
    let first = before.issue(HERE, GOOD);
    let engine = start(&bed, web_side(bed.layers(1), folder.path(), &first));
    let old = write(folder.path(), "old.pem", &before.pem());
    let new = write(folder.path(), "new.pem", &after.pem());
    let answers = |authority: &str| health(&engine, &[("http.tls_ca_file", authority)]).0 == 0;
    wait_for("the old certificate", || answers(&old));
    assert!(!answers(&new));
    wait_for("the metric", || expires_in_days(&engine, "certificate", "http", 30));
    let (other, over) = (before.issue(HERE, GOOD), before.issue(HERE, OVER));
    for (certificate, key) in
        [("garbage", &first.key), ("", &first.key), (&*other.certificate, &first.key), (&*over.certificate, &over.key)]
    {
        write(folder.path(), "web.pem", certificate);
        write(folder.path(), "web.key", key);
        wait_for("the broken certificate to be told", || refused(&engine, "http"));
        wait_for("the old certificate, as before", || answers(&old));
        first.write(folder.path(), "web");
        wait_for("the first certificate to be back", || !refused(&engine, "http"));
    }
    after.issue(HERE, 0..90).write(folder.path(), "web");
    wait_for("the new certificate", || answers(&new));
    assert!(!answers(&old));
    wait_for("the metrics", || !refused(&engine, "http") && expires_in_days(&engine, "certificate", "http", 90));
    stop(engine);
}

fn expires_in_days(engine: &Engine, kind: &str, used_for: &str, days: u64) -> bool {
    let name = format!("triage_certificate_expiry_timestamp_seconds{{kind=\"{kind}\",use=\"{used_for}\"}} ");
    let metrics = metrics(engine);
    let Some(found) = metrics.lines().find_map(|line| line.strip_prefix(name.as_str())) else { return false };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    (found.parse::<f64>().unwrap() as u64).abs_diff(now + days * 86_400) < 3_600
}

/// Three topics, each with a webhook that is refused for another reason; each is delivered once the reason is gone.
#[test]
fn webhooks_say_why_they_do_not_trust_and_lose_nothing() {
    let bed = Bed::new(1);
    bed.write(
        "b.rules",
        "topic odd { fields v  notify \"nurse\" }\n\
                          high.a when v > 100 alert high \"v is {v}\" each reading\n\
                          every.a when v > 100 alert high \"v is {v}\" each reading\n\
                          odd.a when v > 100 alert high \"v is {v}\" each reading\n",
    );
    let folder = tempfile::tempdir().unwrap();
    let (hospital, stranger) = (Authority::new("hospital"), Authority::new("stranger"));
    let authorities = write(folder.path(), "ca.pem", &hospital.pem());
    let pagers = [Pager::new(|_, _| OK), Pager::new(|_, _| OK), Pager::new(|_, _| OK)];
    let fronts = [
        Front::before(pagers[0].address, &hospital.issue(HERE, OVER), None),
        Front::before(pagers[1].address, &hospital.issue(&["pager.ward"], GOOD), None),
        Front::before(pagers[2].address, &stranger.issue(HERE, GOOD), None),
    ];
    let mut layers = bed.layers(1);
    for (topic, front) in ["high", "every", "odd"].into_iter().zip(&fronts) {
        layers = layers
            .flag(&format!("webhook.{topic}.url"), format!("https://localhost:{}/page", front.address.port()))
            .flag(&format!("webhook.{topic}.secret"), SECRET)
            .flag(&format!("webhook.{topic}.ca_file"), authorities.as_str());
    }
    let engine = start(&bed, layers);
    // A webhook that is new begins at the end: no alert is raised before it has.
    wait_for("the webhooks to have begun", || metrics(&engine).matches("triage_webhook_lag_records{").count() == 3);
    bed.producer().send(101..102);
    for expected in [
        "the certificate of `CN=localhost` has expired, on ",
        "its certificate is for `pager.ward` and not for `localhost`",
        "its certificate is by `CN=stranger`, which is not trusted: if it should be, add that authority's certificate to `webhook.odd.ca_file`",
    ] {
        wait_for(expected, || ask(engine.address(), "GET /readyz", "").2.contains(expected));
    }
    fronts[0].change(&hospital.issue(HERE, GOOD), None);
    fronts[1].change(&hospital.issue(HERE, GOOD), None);
    write(folder.path(), "ca.pem", &format!("{}{}", hospital.pem(), stranger.pem()));
    for pager in &pagers {
        wait_for("the page", || pager.taken().len() == 1);
    }
    assert!(pagers.iter().all(|pager| pager.received().len() == 1));
    wait_for("the metric", || expires_in_days(&engine, "authority", "webhook.odd", 3_650));
    stop(engine);
}

/// What `load` says of Kafka's files, of which some are replaced.
fn trouble(folder: &TempDir, replaced: &[(&str, &str)]) -> String {
    let hospital = Authority::new("hospital");
    let issued = hospital.issue(&["engine"], GOOD);
    write(folder.path(), "ca.pem", &hospital.pem());
    issued.write(folder.path(), "own");
    for (name, text) in replaced {
        write(folder.path(), name, text);
    }
    let file = |name: &str| folder.path().join(name).display().to_string();
    let mut layers = Layers::new()
        .flag("kafka.security_protocol", "ssl")
        .flag("kafka.ssl_ca_file", file("ca.pem"))
        .flag("kafka.ssl_certificate_file", file("own.pem"))
        .flag("kafka.ssl_key_file", file("own.key"));
    if replaced.iter().any(|(name, _)| *name == "password") {
        layers = layers.flag("kafka.ssl_key_password_file", file("password"));
    }
    let loaded = layers.build().unwrap().kafka.tls.load();
    loaded.map_or_else(|error| error.to_string(), |()| "good".to_owned())
}

#[test]
fn files_that_cannot_be_used_are_named_with_their_key_and_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let other = Authority::new("other").issue(&["other"], GOOD);
    let key = PKey::private_key_from_pem(other.key.as_bytes()).unwrap();
    let locked = key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"hush").unwrap();
    let locked = String::from_utf8(locked).unwrap();
    let broken = other.certificate.replace("MI", "M!");
    for (replaced, expected) in [
        (&[][..], "good"),
        (&[("ca.pem", "")], "`kafka.ssl_ca_file`: "),
        (&[("ca.pem", &other.both())], "a private key is in it, which has no place among certificate authorities"),
        (&[("own.pem", "x")], "no certificate in PEM is in it"),
        (&[("own.pem", &other.key)], "no certificate in PEM is in it"),
        (&[("own.pem", &broken)], "a certificate in it is broken"),
        (&[("own.key", "x")], "`kafka.ssl_key_file`: "),
        (&[("own.key", &other.certificate)], "no private key in PEM is in it"),
        (&[("own.key", &other.key)], "the key in it is not that of the certificate of `kafka.ssl_certificate_file`"),
        (
            &[("own.key", &locked)],
            "the key in it is encrypted: name the file with its password by `kafka.ssl_key_password_file`",
        ),
        (
            &[("own.key", &locked), ("password", "hash")],
            "the key in it cannot be opened with the password of `kafka.ssl_key_password_file`",
        ),
        (&[("own.key", &locked), ("own.pem", &other.certificate), ("password", "hush\n")], "good"),
        (&[("own.key", &other.key), ("own.pem", &other.both())], "good"),
    ] {
        let found = trouble(&folder, replaced);
        assert!(found.contains(expected) && !found.contains("hush"), "{expected}: {found}");
    }
}

/// The other side of the world: exit code 3, so that whoever starts it tries again.
#[test]
fn an_engine_does_not_start_with_certificates_that_cannot_be_used() {
    let (bed, folder) = (Bed::new(1), tempfile::tempdir().unwrap());
    let layers = web_side(bed.layers(1), folder.path(), &Authority::new("hospital").issue(HERE, GOOD));
    write(folder.path(), "web.key", "garbage");
    let error = Engine::start(layers.build().unwrap(), Shutdown::new()).err().unwrap().to_string();
    assert!(error.contains("`http.tls_key_file`: ") && error.contains("no private key in PEM is in it"), "{error}");
}
