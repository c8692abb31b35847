//! Readings that did not come may have been deleted before: nobody judges them any more, and somebody must hear of it.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;

use super::due::{Due, Gap};
use crate::kafka::consumer::StreamConsumer;
use crate::kafka::rights::explained;
use crate::shared::Shared;

/// How long the broker may take to say where a partition begins. Nothing is judged meanwhile.
const ASKING: Duration = Duration::from_secs(1);

/// Asks the broker about the gaps that are to be asked about now, and tells of what was deleted.
pub(super) fn ask(worker: usize, shared: &Shared, consumer: &StreamConsumer, due: &mut Due) {
    for (partition, gap) in due.take_gaps(Instant::now()) {
        let stream = shared.current.load().program.stream().to_owned();
        match consumer.fetch_watermarks(&stream, partition, ASKING) {
            Ok((first, _)) => tell(worker, shared, partition, gap, gap.deleted(first)),
            Err(error) => {
                tracing::warn!(partition, error = explained(&error), "where the partition begins is not known yet");
                due.ask_again(partition, gap);
            }
        }
    }
}

fn tell(worker: usize, shared: &Shared, partition: i32, gap: Gap, readings: u64) {
    if readings > 0 {
        tracing::error!(
            worker,
            partition,
            from = gap.from,
            readings,
            "readings were deleted before they were judged: the stream's retention is too short"
        );
        shared.metrics.readings_deleted(readings);
        shared.technical.deleted(partition, readings);
    }
}
