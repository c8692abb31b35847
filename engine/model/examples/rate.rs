//! Rows per second of a model on one core, in batches of 256: a line for each round, as `datasets/parity/rate.py` asks for
//! them. `rate MODEL.onnx ROWS.rows`; each line on standard input is a round.

use std::error::Error;
use std::hint::black_box;
use std::io::{Write, stdin, stdout};
use std::time::{Duration, Instant};
use std::{env, fs};

use triage_model::Model;

const BATCH: usize = 256;
const ROUND: Duration = Duration::from_millis(500);
/// What stands before the numbers of a file of rows.
const HEAD: usize = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(model), Some(rows)) = (arguments.next(), arguments.next()) else {
        return Err("usage: rate MODEL.onnx ROWS.rows".into());
    };
    let model = Model::read(&fs::read(model)?)?;
    let rows = given(&fs::read(rows)?, model.inputs());
    let mut scores = vec![0.0; BATCH];
    for line in stdin().lines() {
        line?;
        let (begun, mut scored) = (Instant::now(), 0);
        while begun.elapsed() < ROUND {
            for batch in rows.chunks_exact(BATCH * model.inputs()) {
                model.score(black_box(batch), &mut scores);
                black_box(&scores);
                scored += BATCH;
            }
        }
        writeln!(stdout(), "{:.0}", scored as f64 / begun.elapsed().as_secs_f64())?;
    }
    Ok(())
}

/// The inputs of a file of rows, again and again up to 16 batches.
fn given(file: &[u8], inputs: usize) -> Vec<f32> {
    let (head, numbers) = file.split_at(HEAD);
    let count = u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize;
    let numbers = numbers.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
    let rows: Vec<f32> = numbers.take(count * inputs).collect();
    rows.iter().copied().cycle().take(16 * BATCH * inputs).collect()
}
