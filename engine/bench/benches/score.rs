//! The heart score over batches of patients, beside a plain walk through the same trees.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tract_onnx::pb::{AttributeProto, NodeProto};
use tract_onnx::prelude::Framework;
use triage_model::Model;

const CARDIO: &[u8] = include_bytes!("../../../datasets/cardio.onnx");
const ROWS: &[u8] = include_bytes!("../../model/tests/fixtures/cardio.rows");
/// What stands before the numbers of the rows.
const HEAD: usize = 20;
const INPUTS: usize = 13;

#[expect(clippy::expect_used, reason = "the model is shipped, and its tests read it")]
fn score(criterion: &mut Criterion) {
    let model = Model::read(CARDIO).expect("the heart score");
    let plain = Plain::read();
    let numbers = ROWS[HEAD..].as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
    // The first fifth of the rows are patients as they are.
    let patients: Vec<f32> = numbers.take(60 * INPUTS).collect();
    let mut group = criterion.benchmark_group("score");
    for size in [1, 32, 256, 1_024] {
        let rows: Vec<f32> = patients.iter().copied().cycle().take(size * INPUTS).collect();
        let mut scores = vec![0.0; size];
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(BenchmarkId::new("plain walk", size), |bencher| {
            bencher.iter(|| {
                let scores = black_box(&rows).chunks_exact(INPUTS).map(|row| plain.score(row));
                scores.for_each(|score| _ = black_box(score));
            });
        });
        group.bench_function(BenchmarkId::new("forest", size), |bencher| {
            bencher.iter(|| {
                model.score(black_box(&rows), &mut scores);
                black_box(&scores);
            });
        });
    }
    group.finish();
}

/// The trees as the file has them, node by node. All comparisons of the heart score are `BRANCH_LT`.
struct Plain {
    nodes: Vec<Node>,
    roots: Vec<usize>,
    base: f32,
}

struct Node {
    leaf: bool,
    input: usize,
    /// What the input is compared with; of a leaf, its weight.
    number: f32,
    missing: bool,
    sides: [usize; 2],
}

impl Plain {
    #[expect(clippy::expect_used, reason = "the model is shipped, and its tests read it")]
    fn read() -> Self {
        let mut bytes = CARDIO;
        let model = tract_onnx::onnx().proto_model_for_read(&mut bytes).expect("the heart score");
        let node = &model.graph.expect("a graph").node[0];
        let list = |name: &str| ints(node, name);
        let (trees, numbers) = (list("nodes_treeids"), list("nodes_nodeids"));
        let place = |tree, number| trees.iter().zip(numbers).position(|pair| pair == (tree, number)).unwrap_or(0);
        let cuts = &attribute(node, "nodes_values").floats;
        let mut nodes = Vec::new();
        for (at, mode) in attribute(node, "nodes_modes").strings.iter().enumerate() {
            nodes.push(Node {
                leaf: mode == b"LEAF",
                input: list("nodes_featureids")[at] as usize,
                number: cuts[at],
                missing: list("nodes_missing_value_tracks_true")[at] != 0,
                sides: ["nodes_truenodeids", "nodes_falsenodeids"].map(|side| place(&trees[at], &list(side)[at])),
            });
        }
        let weights = &attribute(node, "class_weights").floats;
        for ((tree, number), weight) in list("class_treeids").iter().zip(list("class_nodeids")).zip(weights) {
            nodes[place(tree, number)].number = *weight;
        }
        let roots = (0..trees.len()).filter(|at| *at == 0 || trees[*at] != trees[at - 1]).collect();
        let base = attribute(node, "base_values").floats[0];
        Self { nodes, roots, base }
    }

    fn score(&self, row: &[f32]) -> f32 {
        let margin: f32 = self.roots.iter().map(|root| self.weight(*root, row)).sum();
        1.0 / (1.0 + (-margin - self.base).exp())
    }

    fn weight(&self, root: usize, row: &[f32]) -> f32 {
        let mut node = &self.nodes[root];
        while !node.leaf {
            let value = row[node.input];
            let holds = value < node.number || (node.missing && value.is_nan());
            node = &self.nodes[node.sides[usize::from(!holds)]];
        }
        node.number
    }
}

#[expect(clippy::expect_used, reason = "the exporter writes them")]
fn attribute<'node>(node: &'node NodeProto, name: &str) -> &'node AttributeProto {
    node.attribute.iter().find(|attribute| attribute.name == name).expect("an attribute of the heart score")
}

fn ints<'node>(node: &'node NodeProto, name: &str) -> &'node [i64] {
    &attribute(node, name).ints
}

criterion_group!(benches, score);
criterion_main!(benches);
