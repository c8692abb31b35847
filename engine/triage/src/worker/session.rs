//! One life of a worker's clients: gather, judge, commit, again. An error that leaves here means new clients.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{TopicPartitionList, TopicPartitionListElem};
use triage_core::reading::Record;

use super::WorkerError;
use super::batch::{Batch, Pace, places};
use super::deleted;
use super::due::Due;
use super::judge::Judge;
use super::keeping::Keeping;
use super::taking::Taking;
use crate::kafka::consumer::{Event, StreamConsumer, is_passing, subscribe};
use crate::kafka::properties;
use crate::kafka::rights::{explained, is_refusal};
use crate::kafka::topics::Layout;
use crate::kafka::transaction::{TransactionError, Transactions};
use crate::metrics::Committed;
use crate::shared::{Position, Shared, WorkerState};
use crate::shutdown::Backoff;
use crate::tls::InUse;

/// How long an idle worker waits for a record before it looks at rule set and shutdown again.
const IDLE: Duration = Duration::from_millis(20);

/// How long taking over the transactional id may take before the worker reports a failure and tries again.
const OPENING: Duration = Duration::from_secs(5);

/// How long a rewind may take.
const REWINDING: Duration = Duration::from_secs(10);

/// How long the group may take to say where it is.
const ASKING_THE_GROUP: Duration = Duration::from_secs(10);

/// After so many aborts in a row the worker is not ready, and says why.
const TROUBLE: u32 = 3;

/// The two clients of a worker.
pub(crate) struct Clients {
    consumer: StreamConsumer,
    transactions: Transactions,
    /// The certificates that they were made with.
    in_use: InUse,
    /// The stream's partitions.
    partitions: i32,
}

impl Clients {
    /// The producer first: it fences an earlier self before a record is read, so that offsets of an open transaction
    /// are settled when the consumer asks for them.
    pub(crate) fn open(index: usize, shared: &Shared, layout: Layout) -> Result<Self, WorkerError> {
        let in_use = shared.config.kafka.tls.in_use();
        let id = shared.config.transactional_id(index);
        let producer = properties::producer(&shared.config.kafka, &id, layout.largest_record);
        let transactions = Transactions::open(&producer, OPENING).map_err(WorkerError::Open)?;
        let stream = shared.current.load().program.stream().to_owned();
        let mut reading = properties::consumer(&shared.config.kafka);
        reading.set("enable.partition.eof", "true");
        let consumer = subscribe(&reading, &stream).map_err(WorkerError::Open)?;
        Ok(Self { consumer, transactions, in_use, partitions: layout.partitions })
    }
}

/// One life of a worker's clients.
pub(crate) struct Session<'c> {
    index: usize,
    shared: &'c Arc<Shared>,
    clients: &'c Clients,
    judge: Judge,
    keeping: Keeping,
    pace: Pace,
    backoff: Backoff,
    connected: bool,
    joined: bool,
    /// How many transactions in a row were aborted.
    aborts: u32,
    trouble: Option<String>,
    /// Partitions whose state is not here yet.
    taking: Taking,
    due: Due,
    committed: BTreeMap<i32, i64>,
}

impl<'c> Session<'c> {
    pub(crate) fn new(index: usize, shared: &'c Arc<Shared>, clients: &'c Clients) -> Result<Self, WorkerError> {
        let judge = Judge::new(shared.current.load_full(), &shared.config, clients.partitions);
        let taking = Taking::new(index, shared, judge.limits(), clients.partitions).map_err(WorkerError::Thread)?;
        let session = Self {
            index,
            shared,
            clients,
            judge,
            keeping: Keeping::new(&shared.config).map_err(WorkerError::Open)?,
            pace: Pace::new(shared.config.engine.batch_age),
            backoff: after_abort(),
            connected: true,
            joined: false,
            aborts: 0,
            trouble: None,
            taking,
            due: Due::default(),
            committed: BTreeMap::new(),
        };
        session.announce();
        Ok(session)
    }

    /// Runs until the shutdown is asked for, or new certificates have been taken up. The batch at hand is finished first.
    pub(crate) fn serve(&mut self) -> Result<(), WorkerError> {
        let mut batch = Batch::default();
        while !self.shared.shutdown.is_asked() && !self.clients.in_use.is_outdated() {
            self.shared.technical.went_round(self.index);
            batch.clear();
            self.gather(&mut batch)?;
            self.take_up(&mut batch)?;
            self.take_over()?;
            deleted::ask(self.index, self.shared, &self.clients.consumer, &mut self.due);
            self.keeping.read_words().map_err(WorkerError::Consume)?;
            if !batch.is_empty() || self.judge.has_farewells() || self.keeping.has_work(self.judge.states()) {
                self.transact(&batch)?;
            }
        }
        Ok(())
    }

    pub(crate) fn has_committed(&self) -> bool {
        !self.committed.is_empty()
    }

    /// Takes this worker's partitions off the board.
    pub(crate) fn withdraw(&mut self) {
        let partitions: Vec<i32> = self.committed.keys().copied().collect();
        self.forget_partitions(&partitions);
    }

    /// Between two transactions, and nowhere else, a new rule set is taken up. After gathering, and before new partitions are
    /// asked for: one that another worker has just given up is never judged by an older rule set than it was there.
    fn take_up(&mut self, batch: &mut Batch<'c>) -> Result<(), WorkerError> {
        let current = self.shared.current.load();
        if current.generation == self.judge.generation() {
            return Ok(());
        }
        let (kept, keeps) = (self.judge.program().keeps_state(), current.program.keeps_state());
        let migration = self.judge.take_up(Arc::clone(&current));
        tracing::info!(
            worker = self.index,
            moved = migration.moved.values().sum::<u64>(),
            resolved = migration.resolved.values().sum::<u64>(),
            "open episodes go on under the new rules"
        );
        self.shared.board.took_over(migration);
        match (kept, keeps) {
            (true, true) => self.keeping.rules_changed(&self.judge),
            (true, false) => self.keeping.end(),
            (false, true) => self.hold(batch)?,
            (false, false) => {}
        }
        self.announce();
        Ok(())
    }

    /// The rules keep state from now on: nothing of our partitions is judged before it has begun.
    fn hold(&mut self, batch: &mut Batch<'c>) -> Result<(), WorkerError> {
        let assigned = self.clients.consumer.assignment().map_err(WorkerError::Consume)?;
        self.clients.consumer.pause(&assigned).map_err(WorkerError::Consume)?;
        self.rewind(batch)?;
        batch.clear();
        let partitions: Vec<i32> = assigned.elements().iter().map(TopicPartitionListElem::partition).collect();
        self.keeping.hold(&partitions).map_err(WorkerError::Consume)?;
        for partition in partitions {
            self.taking.expect(partition);
        }
        Ok(())
    }

    /// Takes over the partitions whose state has come, and asks for those that are expected. The others go on meanwhile.
    fn take_over(&mut self) -> Result<(), WorkerError> {
        let arrived = self.taking.arrived()?;
        let due = self.taking.due();
        if arrived.is_empty() && due.is_empty() {
            return Ok(());
        }
        for taken in arrived.into_iter().flatten() {
            let partition = taken.partition;
            self.due.next_is(partition, taken.restored.beginning.place.next);
            self.keeping.take_over(taken, &mut self.judge).map_err(WorkerError::Consume)?;
            self.shared.board.has_begun(partition);
            self.resume(partition)?;
        }
        for partition in due {
            if self.judge.program().keeps_state() {
                self.taking.ask(partition, self.judge.current(), self.shared);
                continue;
            }
            if self.taking.drop_partitions(&[partition]) {
                self.keeping.give_up(partition);
            }
            self.go_on_where_the_group_is(partition)?;
            self.keeping.listen(partition).map_err(WorkerError::Consume)?;
            self.resume(partition)?;
        }
        self.announce();
        Ok(())
    }

    /// Without state nobody else knows which reading is due. Where the group has committed nothing, it is whichever comes.
    fn go_on_where_the_group_is(&mut self, partition: i32) -> Result<(), WorkerError> {
        let mut place = TopicPartitionList::new();
        place.add_partition(self.judge.program().stream(), partition);
        let committed =
            self.clients.consumer.committed_offsets(place, ASKING_THE_GROUP).map_err(WorkerError::Consume)?;
        let next = committed.elements().first().and_then(|place| place.offset().to_raw());
        if let Some(next) = next.filter(|next| *next >= 0) {
            self.due.next_is(partition, next);
        }
        Ok(())
    }

    /// Lets readings of a partition come.
    fn resume(&mut self, partition: i32) -> Result<(), WorkerError> {
        let mut place = TopicPartitionList::new();
        place.add_partition(self.judge.program().stream(), partition);
        self.clients.consumer.resume(&place).map_err(WorkerError::Consume)
    }

    fn announce(&self) {
        let Self { connected, joined, .. } = *self;
        let trouble: Vec<&str> = self.trouble.as_deref().into_iter().chain(self.taking.troubles()).collect();
        let trouble = Some(trouble.join("; ")).filter(|trouble| !trouble.is_empty());
        let (generation, restoring) = (self.judge.generation(), self.taking.partitions());
        let state = WorkerState::Running { generation, connected, joined, restoring, trouble };
        self.shared.board.set(self.index, state);
    }

    fn gather(&mut self, batch: &mut Batch<'c>) -> Result<(), WorkerError> {
        let Some(first) = self.poll(IDLE, batch)? else { return Ok(()) };
        batch.push(first);
        let until = Instant::now() + self.pace.window();
        while !batch.is_full(self.shared.config.engine.batch_size) && !self.shared.shutdown.is_asked() {
            let left = until.saturating_duration_since(Instant::now());
            match self.poll(left.min(IDLE), batch)? {
                Some(message) => batch.push(message),
                None if left.is_zero() => break,
                None => {}
            }
        }
        self.pace.gathered(batch.len());
        Ok(())
    }

    /// The next record. What happened to the assignment meanwhile is applied to `batch` first.
    fn poll(&mut self, patience: Duration, batch: &mut Batch<'c>) -> Result<Option<BorrowedMessage<'c>>, WorkerError> {
        let clients = self.clients;
        let polled = clients.consumer.poll(patience);
        self.keeping.idle.looked();
        for event in clients.consumer.context().take() {
            self.apply(event, batch);
        }
        match polled {
            None => Ok(None),
            Some(Ok(message)) => {
                self.keeping.idle.left(message.partition());
                self.due.comes(message.partition(), message.offset())?;
                Ok(Some(message))
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                self.keeping.idle.reached(partition);
                Ok(None)
            }
            // librdkafka says it once and is silent then, also when the right is there again: new clients find out.
            Some(Err(error)) if is_refusal(&error) => {
                let stream = self.judge.program().stream().to_owned();
                Err(WorkerError::Denied { stream, error })
            }
            Some(Err(error)) if !is_passing(&error) => Err(WorkerError::Consume(error)),
            Some(Err(error)) => {
                tracing::warn!(worker = self.index, error = explained(&error), "a poll failed, and is tried again");
                Ok(None)
            }
        }
    }

    /// One abort is no trouble: a rebalance or a broker that starts anew cost one now and then.
    fn has_aborted(&mut self, error: &TransactionError) {
        self.aborts += 1;
        if self.aborts >= TROUBLE {
            self.trouble = Some(error.to_string());
            self.announce();
        }
    }

    fn aborts_no_more(&mut self) {
        self.aborts = 0;
        if self.trouble.take().is_some() {
            self.announce();
        }
    }

    fn apply(&mut self, event: Event, batch: &mut Batch<'c>) {
        if matches!(event, Event::Assigned(_) | Event::Revoked(_) | Event::Lost(_)) {
            // What could not be committed may be another worker's now.
            self.aborts_no_more();
        }
        match event {
            Event::Assigned(partitions) => {
                tracing::info!(worker = self.index, ?partitions, "partitions assigned");
                self.shared.technical.assigned(self.index, &partitions);
                for partition in &partitions {
                    self.taking.expect(*partition);
                }
                self.joined = true;
                self.announce();
            }
            Event::Revoked(partitions) => {
                tracing::info!(worker = self.index, ?partitions, "partitions revoked");
                batch.drop_partitions(&partitions);
                self.forget_partitions(&partitions);
                self.announce();
            }
            Event::Lost(partitions) => {
                tracing::warn!(
                    worker = self.index,
                    ?partitions,
                    "partitions lost: the group went on without this worker"
                );
                batch.drop_partitions(&partitions);
                self.forget_partitions(&partitions);
                self.joined = false;
                self.announce();
            }
            Event::Ends(ends) => self.measure_lag(&ends),
            Event::Connected(connected) => self.connection(connected),
        }
    }

    fn forget_partitions(&mut self, partitions: &[i32]) {
        self.shared.technical.withdrawn(self.index, partitions);
        self.judge.drop_partitions(partitions);
        self.keeping.drop_partitions(partitions);
        self.taking.drop_partitions(partitions);
        for partition in partitions {
            self.due.forget(*partition);
            self.committed.remove(partition);
            if self.shared.board.withdraw(*partition, self.index) {
                self.shared.metrics.partition_gone(*partition);
            }
        }
    }

    fn measure_lag(&self, ends: &[(i32, i64)]) {
        for (partition, end) in ends {
            if let Some(next) = self.committed.get(partition) {
                self.shared.metrics.lag(*partition, end - next);
            }
        }
    }

    fn connection(&mut self, connected: bool) {
        if connected == self.connected {
            return;
        }
        self.connected = connected;
        if connected {
            tracing::info!(worker = self.index, "the broker is back");
        } else {
            tracing::warn!(worker = self.index, "the broker is away");
        }
        self.keeping.idle.broker(connected);
        self.announce();
    }

    /// One transaction; an aborted one is read again from its beginning.
    fn transact(&mut self, batch: &Batch<'c>) -> Result<(), WorkerError> {
        let records = batch.records();
        let error = match self.attempt(batch, &records) {
            Ok(()) => {
                self.backoff = after_abort();
                self.aborts_no_more();
                return Ok(());
            }
            Err(error @ TransactionError::Restart(_)) => return Err(error.into()),
            Err(error) => error,
        };
        tracing::warn!(worker = self.index, %error, records = records.len(), "a transaction is aborted and tried again");
        self.shared.metrics.aborted();
        self.has_aborted(&error);
        self.judge.rollback();
        if let Err(failed) = self.clients.transactions.abort() {
            return Err(WorkerError::NotAborted { cause: Box::new(error), error: Box::new(failed) });
        }
        self.rewind(batch)?;
        self.shared.shutdown.sleep(self.backoff.take());
        Ok(())
    }

    fn attempt(&mut self, batch: &Batch<'c>, records: &[Record<'_>]) -> Result<(), TransactionError> {
        let begun = Instant::now();
        let Clients { consumer, transactions, .. } = self.clients;
        transactions.begin()?;
        self.judge.say_farewells(transactions)?;
        let ends = batch.ends();
        let mut done = self.keeping.happen(&mut self.judge, ends.clone(), transactions)?;
        self.judge.judge(records, transactions)?;
        self.keeping.write(&self.judge, &mut done, transactions)?;
        let sent = Instant::now();
        let offsets = self.keeping.offsets(self.judge.program().stream(), &done).map_err(TransactionError::Abort)?;
        let Some(group) = consumer.group_metadata() else {
            return Err(TransactionError::Abort(KafkaError::Canceled));
        };
        // After the metadata, not before: a member that the group has put out may carry metadata that no broker refuses.
        if consumer.assignment_lost() {
            return Err(TransactionError::Lost);
        }
        transactions.commit(&offsets, &group)?;
        self.keeping.commit(self.judge.states(), done, transactions);
        self.judge.commit();
        self.publish(records, ends, begun, sent);
        Ok(())
    }

    fn publish(&mut self, records: &[Record<'_>], ends: BTreeMap<i32, i64>, begun: Instant, sent: Instant) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        let mut committed = Committed {
            sent: self.judge.sent(),
            batch_seconds: begun.elapsed().as_secs_f64(),
            commit_seconds: sent.elapsed().as_secs_f64(),
            latencies: &mut records.iter().filter_map(|record| record.timestamp).map(|at| now - at as f64 / 1_000.0),
        };
        self.shared.metrics.committed(self.judge.program(), &self.judge.workspace().counts, &mut committed);
        self.shared.scores.committed(self.judge.program(), &self.judge.workspace().counts);
        tracing::debug!(worker = self.index, records = records.len(), "transaction committed");
        self.judge.report(self.index, &self.shared.technical);
        self.judge.forget();
        for (partition, next) in ends {
            let ruleset = self.judge.program().version().to_owned();
            self.shared.board.publish(partition, Position { worker: self.index, next, ruleset });
            self.committed.insert(partition, next);
        }
    }

    /// Reads the batch again. A partition that cannot be rewound must not go on: its readings would be skipped, so the
    /// clients are given up and new ones begin at the committed offsets. Lost partitions need no rewinding: nothing of
    /// them is committed any more, and whoever gets them begins at the committed offsets.
    fn rewind(&mut self, batch: &Batch<'c>) -> Result<(), WorkerError> {
        for (partition, start) in batch.starts() {
            self.keeping.idle.left(partition);
            self.due.next_is(partition, start);
        }
        if self.clients.consumer.assignment_lost() {
            return Ok(());
        }
        let starts = places(self.judge.program().stream(), &batch.starts()).map_err(WorkerError::Rewind)?;
        let sought = self.clients.consumer.seek_partitions(starts, REWINDING).map_err(WorkerError::Rewind)?;
        for partition in sought.elements() {
            partition.error().map_err(WorkerError::Rewind)?;
        }
        Ok(())
    }
}

fn after_abort() -> Backoff {
    Backoff::new(Duration::from_millis(50), Duration::from_secs(5))
}
