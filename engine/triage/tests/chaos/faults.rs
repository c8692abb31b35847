//! What fails, when: shuffled by the seed, one after another, with pauses in which the engines may get on.

use std::time::{Duration, Instant};

use crate::engines::Engines;
use crate::plan::{Plan, Random};
use crate::proxy::Proxy;
use crate::services::Kafka;

/// Longer than the engines' sessions (6 s) and transactions (10 s).
const STOP: Duration = Duration::from_secs(15);

#[derive(Debug, Clone, Copy)]
enum Fault {
    KillEngine,
    KillBroker,
    StopBroker,
    Cut,
    Delay,
    Corrupt,
}

pub(crate) struct Faults {
    order: Vec<Fault>,
    random: Random,
    kafka: Kafka,
    engines: Engines,
    proxy: Proxy,
}

impl Faults {
    pub(crate) fn new(plan: &Plan, kafka: Kafka, engines: Engines, proxy: Proxy) -> Self {
        let counts = [
            (Fault::KillEngine, plan.engine_kills),
            (Fault::KillBroker, plan.broker_kills),
            (Fault::StopBroker, plan.broker_stops),
            (Fault::Cut, plan.cuts),
            (Fault::Delay, plan.delays),
            (Fault::Corrupt, plan.corruptions),
        ];
        let mut order: Vec<Fault> =
            counts.iter().flat_map(|(fault, count)| std::iter::repeat_n(*fault, *count)).collect();
        let mut random = Random(plan.seed);
        random.shuffle(&mut order);
        Self { order, random, kafka, engines, proxy }
    }

    pub(crate) fn run(&mut self) {
        let begun = Instant::now();
        for (number, fault) in self.order.clone().into_iter().enumerate() {
            std::thread::sleep(self.random.millis(300, 4_000));
            println!("{:7.1} s  {:3}  {fault:?}", begun.elapsed().as_secs_f64(), number + 1);
            self.engines.assert_all_run();
            self.apply(fault);
        }
        println!("{:7.1} s  {} record batches were corrupted", begun.elapsed().as_secs_f64(), self.proxy.corrupted());
    }

    /// Everything still runs; what was to be corrupted and met no batch is forgotten.
    pub(crate) fn end(self) -> (Kafka, Engines, Proxy) {
        (self.kafka, self.engines, self.proxy)
    }

    fn apply(&mut self, fault: Fault) {
        match fault {
            Fault::KillEngine => {
                let index = self.random.below(self.engines.len() as u64) as usize;
                self.engines.kill(index);
            }
            Fault::KillBroker => {
                self.kafka.kill();
                std::thread::sleep(self.random.millis(0, 2_000));
                self.kafka.restart();
            }
            Fault::StopBroker => {
                self.kafka.signal("-STOP");
                std::thread::sleep(STOP);
                self.kafka.signal("-CONT");
            }
            Fault::Cut => self.proxy.cut(),
            Fault::Delay => {
                self.proxy.delay(self.random.millis(20, 400));
                std::thread::sleep(self.random.millis(500, 4_000));
                self.proxy.delay(Duration::ZERO);
            }
            Fault::Corrupt => self.proxy.corrupt(1 + self.random.below(2)),
        }
    }
}
