//! Real servers for tests: started on free loopback ports, in temporary folders, and stopped by whoever started them, by
//! process id. `make test-services` says where they are installed.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tempfile::TempDir;

/// Any id: there is one node.
const CLUSTER: &str = "dHJpYWdlLXRlc3QtY2x1cw";

/// How long a server may take to answer; machines of continuous integration are slow.
const PATIENCE: Duration = Duration::from_mins(2);

/// A process that ends with its owner.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.0.id().to_string()]).status().unwrap();
        assert!(status.success(), "kill {signal} {}", self.0.id());
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    /// The high-water mark of its resident memory.
    pub(crate) fn peak_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        kib.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn terminate(&mut self) {
        self.signal("-TERM");
        self.0.wait().unwrap();
    }

    pub(crate) fn kill(&mut self) {
        // Already gone is what is wanted.
        let _ = self.0.kill();
        self.0.wait().unwrap();
    }
}

impl From<Child> for Process {
    fn from(child: Child) -> Self {
        Self(child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A listener that speaks TLS.
pub(crate) struct Encrypted {
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    /// Its key and certificate, in PEM.
    pub(crate) shows: String,
    /// Authorities, in PEM.
    pub(crate) trusts: String,
    /// Whether clients must show a certificate.
    pub(crate) asks: bool,
}

impl Encrypted {
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// Apache Kafka, one node, in a folder of its own.
pub(crate) struct Kafka {
    pub(crate) port: u16,
    /// A second port of the broker: for a proxy, or for clients that have to log in.
    pub(crate) advertised: u16,
    folder: TempDir,
    process: Option<Process>,
}

impl Kafka {
    /// Formats a folder, starts, and waits until a client is answered.
    pub(crate) fn start() -> Self {
        Self::start_behind(None)
    }

    /// The same, with a second listener whose clients are told to connect to `proxy`.
    pub(crate) fn start_behind(proxy: Option<u16>) -> Self {
        let mut kafka = Self::formatted(proxy);
        kafka.restart();
        kafka
    }

    /// A folder that a broker can start on.
    fn formatted(proxy: Option<u16>) -> Self {
        let port = free_port();
        let folder = tempfile::tempdir().unwrap();
        let behind = free_port();
        let properties = broker_properties(folder.path(), port, free_port(), proxy.map(|proxy| (behind, proxy)));
        std::fs::write(folder.path().join("server.properties"), properties).unwrap();
        let kafka = Self { port, advertised: behind, folder, process: None };
        let format = kafka
            .java("kafka.tools.StorageTool")
            .args(["format", "-t", CLUSTER, "-c"])
            .arg(kafka.properties())
            .status();
        assert!(format.unwrap().success(), "the folder cannot be formatted, see {}", kafka.log().display());
        kafka
    }

    /// The same, with a second listener whose clients have to log in, as one of `users` (name and password, SASL PLAIN) or as one
    /// who is made later (SCRAM), and may do nothing before they are allowed to. Whoever comes by the first is the administrator.
    pub(crate) fn start_guarded(users: &[(&str, &str)]) -> Self {
        let mut kafka = Self::formatted(None);
        let users: Vec<String> = users.iter().map(|(name, password)| format!("user_{name}=\"{password}\"")).collect();
        let users = users.join(" ");
        let plain = "org.apache.kafka.common.security.plain.PlainLoginModule";
        let scram = "org.apache.kafka.common.security.scram.ScramLoginModule";
        let guard = format!(
            "listeners=PLAINTEXT://127.0.0.1:{port},GUARDED://127.0.0.1:{guarded},CONTROLLER://127.0.0.1:{controller}\n\
             controller.quorum.voters=1@127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port},GUARDED://127.0.0.1:{guarded}\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,GUARDED:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT\n\
             listener.name.guarded.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512\n\
             listener.name.guarded.scram-sha-512.sasl.jaas.config={scram} required;\n\
             listener.name.guarded.plain.sasl.jaas.config={plain} required {users};\n\
             authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
             super.users=User:ANONYMOUS\n",
            port = kafka.port,
            guarded = kafka.advertised,
            controller = free_port(),
        );
        let mut file = std::fs::File::options().append(true).open(kafka.properties()).unwrap();
        std::io::Write::write_all(&mut file, guard.as_bytes()).unwrap();
        kafka.restart();
        kafka
    }

    /// The same, with listeners of their own that speak TLS, in the broker's folder as `<name>.pem` and `<name>.ca`.
    pub(crate) fn start_encrypted(listeners: &[Encrypted]) -> Self {
        let mut kafka = Self::formatted(None);
        let controller = free_port();
        let (mut bound, mut advertised, mut protocols) = (String::new(), String::new(), String::new());
        let mut encrypted = String::new();
        for Encrypted { name, port, .. } in listeners {
            let _ = write!(bound, ",{name}://127.0.0.1:{port}");
            let _ = write!(advertised, ",{name}://127.0.0.1:{port}");
            let _ = write!(protocols, ",{name}:SSL");
            let of_listener = format!("listener.name.{}.ssl", name.to_lowercase());
            let folder = kafka.folder.path().display();
            let _ = write!(
                encrypted,
                "{of_listener}.keystore.type=PEM\n{of_listener}.keystore.location={folder}/{name}.pem\n\
                 {of_listener}.truststore.type=PEM\n{of_listener}.truststore.location={folder}/{name}.ca\n"
            );
        }
        for listener in listeners.iter().filter(|listener| listener.asks) {
            let _ = writeln!(encrypted, "listener.name.{}.ssl.client.auth=required", listener.name.to_lowercase());
        }
        let port = kafka.port;
        let properties = format!(
            "listeners=PLAINTEXT://127.0.0.1:{port}{bound},CONTROLLER://127.0.0.1:{controller}\n\
             controller.quorum.voters=1@127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}{advertised}\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}\n{encrypted}"
        );
        let mut file = std::fs::File::options().append(true).open(kafka.properties()).unwrap();
        std::io::Write::write_all(&mut file, properties.as_bytes()).unwrap();
        for listener in listeners {
            kafka.encrypt(listener);
        }
        kafka.restart();
        kafka
    }

    /// What a listener shows and trusts from the next start on.
    pub(crate) fn encrypt(&self, listener: &Encrypted) {
        let file = |kind: &str| self.folder.path().join(format!("{}.{kind}", listener.name));
        std::fs::write(file("pem"), &listener.shows).unwrap();
        std::fs::write(file("ca"), &listener.trusts).unwrap();
    }

    /// Where users log in.
    pub(crate) fn guarded(&self) -> String {
        format!("127.0.0.1:{}", self.advertised)
    }

    /// Lets a user do `operations` (in Kafka's words, separated by commas) on resources, each a type and a name.
    pub(crate) fn allow(&self, user: &str, rights: &[(&str, &str, &str)]) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../services/Allow.java");
        let mut command = self.java(&script.display().to_string());
        command.args([&self.bootstrap(), user]);
        for (kind, name, operations) in rights {
            command.args([kind, name, operations]);
        }
        assert!(command.status().unwrap().success(), "{}", tail(&self.log()));
    }

    pub(crate) fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Starts it again after `kill`, on the same folder.
    pub(crate) fn restart(&mut self) {
        let child = self.java("kafka.Kafka").arg(self.properties()).spawn().unwrap();
        self.process = Some(child.into());
        self.wait_until_it_answers();
    }

    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    pub(crate) fn signal(&self, signal: &str) {
        self.process.as_ref().unwrap().signal(signal);
    }

    /// The folder stays after the test, for whoever looks for the reason of a failure.
    pub(crate) fn keep(&mut self) -> PathBuf {
        self.folder.disable_cleanup(true);
        self.folder.path().to_owned()
    }

    fn properties(&self) -> PathBuf {
        self.folder.path().join("server.properties")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("broker.log")
    }

    fn java(&self, class: &str) -> Command {
        let jars = required("SERVICES_KAFKA_LIBS");
        let log = std::fs::File::options().create(true).append(true).open(self.log()).unwrap();
        let mut command = Command::new("java");
        command.args(["-Xmx512m", "-XX:+UseSerialGC", "-cp", &format!("{jars}/*"), class]);
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stderr(log.try_clone().unwrap()).stdout(log);
        command
    }

    fn wait_until_it_answers(&mut self) {
        let client: BaseConsumer = ClientConfig::new().set("bootstrap.servers", self.bootstrap()).create().unwrap();
        let until = Instant::now() + PATIENCE;
        while client.fetch_metadata(None, Duration::from_secs(1)).is_err() {
            let ended = self.process.as_mut().unwrap().has_ended();
            assert!(!ended && Instant::now() < until, "Kafka does not answer:\n{}", tail(&self.log()));
        }
    }
}

fn broker_properties(folder: &Path, port: u16, controller: u16, proxied: Option<(u16, u16)>) -> String {
    let mut listeners = format!("PLAINTEXT://127.0.0.1:{port}");
    let mut advertised = listeners.clone();
    if let Some((behind, proxy)) = proxied {
        let _ = write!(listeners, ",PROXIED://127.0.0.1:{behind}");
        let _ = write!(advertised, ",PROXIED://127.0.0.1:{proxy}");
    }
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners={listeners},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners={advertised}\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
         controller.listener.names=CONTROLLER\n\
         inter.broker.listener.name=PLAINTEXT\n\
         log.dirs={}\n\
         offsets.topic.replication.factor=1\n\
         offsets.topic.num.partitions=5\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         transaction.state.log.num.partitions=5\n\
         transaction.abort.timed.out.transaction.cleanup.interval.ms=1000\n\
         group.initial.rebalance.delay.ms=0\n\
         auto.create.topics.enable=false\n",
        folder.join("data").display()
    )
}

/// Where a server is installed; a test without it fails rather than passing unrun.
pub(crate) fn required(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("`{variable}` is not set: run `make test-services`"))
}

/// Free at this moment, and given to nobody else who asks: a server may take some seconds until it listens.
pub(crate) fn free_port() -> u16 {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let ports = ports();
    // Processes beside this one begin elsewhere.
    let first = std::process::id().wrapping_mul(2_654_435_761) >> 16;
    loop {
        let nth = first.wrapping_add(ASKED.fetch_add(1, Ordering::Relaxed));
        let port = ports.start + (nth % u32::from(ports.end - ports.start)) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Below those that the system gives to connections, and to whoever asks it for any.
fn ports() -> Range<u16> {
    let given = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first = given.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(32_768);
    20_000..first.max(25_000)
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
