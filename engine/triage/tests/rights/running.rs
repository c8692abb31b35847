//! The whole job with the rights of the table, and rights that are taken away while it runs.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tempfile::TempDir;
use triage::config::Layers;
use triage::engine::Engine;
use triage::shutdown::Shutdown;
use triage::sink::Sink;
use triage::sink::sqlite::SqliteSink;

use super::bed::{path, stop, wait_for};
use super::hospital::copied_to;
use super::script::password;
use super::services::Kafka;
use super::topics::{USERS, client, script};

/// Patients of the table that the gateway sends, and what comes of one reading of each.
const PATIENTS: u64 = 10;
const VITALS: u64 = 10;
const STROKE: u64 = 7;

pub(crate) struct Hospital {
    pub(crate) kafka: Kafka,
    folder: TempDir,
}

impl Hospital {
    /// A broker with the users of the table, and nothing else.
    pub(crate) fn new() -> Self {
        let (kafka, folder) = (Kafka::start_guarded(&[]), tempfile::tempdir().unwrap());
        let made = script(&kafka).with_passwords().run(&["setup"]);
        assert_eq!(made.lines().filter(|line| line.ends_with(": made")).count(), USERS.len(), "{made}");
        assert_eq!(script(&kafka).run(&["setup"]), "");
        lengthen_silences(&copied_to(folder.path()));
        Self { kafka, folder }
    }

    fn password_file(&self, name: &str, password: &str) -> String {
        let file = self.folder.path().join(name);
        std::fs::write(&file, password).unwrap();
        path(&file)
    }

    fn layers(&self) -> Layers {
        Layers::new()
            .flag("kafka.bootstrap_servers", self.kafka.guarded())
            .flag("kafka.transactional_id_prefix", "triage-test")
            .flag("kafka.security_protocol", "sasl_plaintext")
            .flag("kafka.properties.sasl.mechanism", "SCRAM-SHA-512")
            .flag("kafka.properties.sasl.username", "engine")
            .flag("kafka.sasl_password_file", self.password_file("engine", &password("engine")))
            .flag("store.sasl_username", "store")
            .flag("store.sasl_password_file", self.password_file("store", &password("store")))
            .flag("store.sqlite", path(&self.documents()))
            .flag("rules.path", path(&self.folder.path().join("rules/hospital")))
            .flag("engine.workers", "1")
            .flag("http.listen", "127.0.0.1:0")
    }

    #[allow(clippy::unused_self, reason = "reads as the others do")]
    fn start(&self, layers: Layers) -> Engine {
        Engine::start(layers.build().unwrap(), Shutdown::new()).unwrap()
    }

    fn documents(&self) -> PathBuf {
        self.folder.path().join("documents.sqlite")
    }

    fn count(&self, collection: &str) -> u64 {
        let mut counts = None;
        wait_for("the documents to be counted", || {
            counts = SqliteSink::open(&self.documents()).and_then(|mut sink| sink.counts()).ok();
            counts.is_some()
        });
        counts.unwrap().into_iter().find(|(name, _)| name == collection).map_or(0, |(_, count)| count)
    }

    fn wait_for_documents(&self, collection: &str, count: u64) {
        wait_for(&format!("{count} documents in {collection}"), || {
            std::thread::sleep(Duration::from_millis(100));
            self.count(collection) == count
        });
    }

    /// One of our commands as a user.
    fn triage(&self, user: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_triage"));
        command.args(arguments).args(["--bootstrap-servers", &self.kafka.guarded()]);
        command.env("TRIAGE_KAFKA_SECURITY_PROTOCOL", "sasl_plaintext");
        command.env("TRIAGE_KAFKA_PROPERTIES_SASL_MECHANISM", "SCRAM-SHA-512");
        command.env("TRIAGE_KAFKA_PROPERTIES_SASL_USERNAME", user);
        command.env("TRIAGE_KAFKA_SASL_PASSWORD_FILE", self.password_file(user, &password(user)));
        let output = command.current_dir(self.folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// One reading of each patient.
    fn readings(&self) {
        let table = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets/patients.csv");
        self.triage("gateway", &["gateway", table, "--once", "--every", "1ms"]);
    }

    /// The rights of the table, but for a line that stands in place of another.
    fn setup_with(&self, line: &str, instead: &str) {
        let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/rights.txt");
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let text = std::fs::read_to_string(table).unwrap();
        assert!(text.lines().any(|found| words(found) == words(line)), "{line}");
        let lines = text.lines().map(|found| if words(found) == words(line) { instead } else { found });
        let changed = self.folder.path().join("rights.txt");
        std::fs::write(&changed, lines.collect::<Vec<_>>().join("\n")).unwrap();
        script(&self.kafka).with("RIGHTS", path(&changed)).run(&["setup"]);
    }

    fn setup(&self) {
        script(&self.kafka).run(&["setup"]);
    }
}

/// However slow the test is: no pause between two rounds of readings is a silence.
fn lengthen_silences(rules: &Path) {
    let file = rules.join("vitals.rules");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("no reading for 5m") && text.contains("no trestbps for 15m"));
    let text =
        text.replace("no reading for 5m", "no reading for 5h").replace("no trestbps for 15m", "no trestbps for 15h");
    std::fs::write(file, text).unwrap();
}

/// Whether `/readyz` says that it is not, and why.
fn is_unready(engine: &Engine, why: &str) -> bool {
    let answer = ready(engine.address());
    answer.starts_with("HTTP/1.1 503") && answer.contains(why)
}

/// What `/readyz` says.
fn ready(address: SocketAddr) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

/// Every client of ours, each as its user, on a broker where nothing is there yet; and a right is taken in between.
pub(crate) fn all_clients_work_with_the_rights_of_the_table_and_a_right_that_is_taken_costs_nothing(
    hospital: &Hospital,
) {
    let engine = hospital.start(hospital.layers());
    wait_for("the engine to be ready", || engine.is_ready());
    hospital.readings();
    hospital.wait_for_documents("patients_record", PATIENTS);
    hospital.wait_for_documents("abnormal_vitals", VITALS);
    hospital.wait_for_documents("stroke", STROKE);
    the_nurse_sees_them(hospital);
    the_engineer_sends_a_dead_letter_again(hospital);

    hospital.setup_with("engine topic vitals write,make", "engine topic vitals make");
    hospital.readings();
    wait_for("the right to be named", || {
        is_unready(&engine, "this user lacks the right `Write` on the topic `vitals`")
    });
    hospital.setup();
    hospital.wait_for_documents("patients_record", 2 * PATIENTS);
    hospital.wait_for_documents("abnormal_vitals", 2 * VITALS);
    wait_for("the engine to be ready", || engine.is_ready());

    hospital.setup_with("engine topic research read,make", "engine topic research make");
    wait_for("the right to be named", || {
        ready(engine.address()).contains("this user lacks the right `Read` on the topic `research`")
    });
    hospital.readings();
    hospital.setup();
    hospital.wait_for_documents("patients_record", 3 * PATIENTS);
    hospital.wait_for_documents("abnormal_vitals", 3 * VITALS);
    hospital.wait_for_documents("stroke", 3 * STROKE);
    wait_for("the engine to be ready", || engine.is_ready());

    hospital.setup_with("store topic stroke read", "");
    hospital.readings();
    hospital.wait_for_documents("patients_record", 4 * PATIENTS);
    assert_eq!(hospital.count("stroke"), 3 * STROKE);
    hospital.setup();
    hospital.wait_for_documents("stroke", 4 * STROKE);
    stop(engine);
}

fn the_nurse_sees_them(hospital: &Hospital) {
    let mut client = client(&hospital.kafka, "nurse", &password("nurse"));
    client.set("group.id", "nurse-screen").set("auto.offset.reset", "earliest");
    let consumer: BaseConsumer = client.set("isolation.level", "read_committed").create().unwrap();
    consumer.subscribe(&["vitals", "alerts.vitals"]).unwrap();
    wait_for("the nurse to see a record", || {
        consumer.poll(Duration::from_secs(1)).is_some_and(|polled| polled.is_ok())
    });
}

fn the_engineer_sends_a_dead_letter_again(hospital: &Hospital) {
    let producer: BaseProducer = client(&hospital.kafka, "gateway", &password("gateway")).create().unwrap();
    let record = BaseRecord::to("research").key("p1").payload("no reading");
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(Duration::from_mins(2)).unwrap();
    wait_for("the dead letter", || hospital.triage("engineer", &["dead-letters", "show"]).contains("not-json"));
    let told = hospital.triage("engineer", &["dead-letters", "resend", "--all"]);
    assert_eq!(told, "1 reading resent to `research`\n");
}

/// A wrong password is said as what it is. What came while the store could not log in is stored when it can.
pub(crate) fn a_wrong_password_is_told(hospital: &Hospital) {
    let wrong = hospital.password_file("wrong", "no");
    let engine = hospital.start(hospital.layers().flag("kafka.sasl_password_file", wrong.as_str()));
    wait_for("the engine to say so", || {
        std::thread::sleep(Duration::from_millis(200));
        is_unready(&engine, "refuses the user or the password of `engine`")
    });
    stop(engine);

    let before = hospital.count("patients_record");
    let engine = hospital.start(hospital.layers().flag("store.sasl_password_file", wrong));
    wait_for("the engine to be ready", || engine.is_ready());
    hospital.readings();
    stop(engine);
    assert_eq!(hospital.count("patients_record"), before);
    let engine = hospital.start(hospital.layers());
    hospital.wait_for_documents("patients_record", before + PATIENTS);
    stop(engine);
}
