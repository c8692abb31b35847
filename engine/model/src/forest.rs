//! A tree ensemble compiled: a block of rows goes through all trees abreast, and no step depends on what a comparison
//! gave, so that there is nothing for a processor to guess wrongly.

mod key;
mod sieve;
mod walk;

use crate::ensemble::{Aggregate, Ensemble, Last};
use crate::tree::Tree;
use key::{Column, Columns};
use sieve::Sieve;
use walk::Walk;

/// How many rows go abreast: what fits in the registers of plain x86-64.
const LANES: usize = 16;

/// A column of a block of rows, as keys.
type Keys = [i32; LANES];

/// An ensemble, ready to score.
#[derive(Debug)]
pub(crate) struct Forest {
    columns: Vec<Column>,
    trees: Vec<Compiled>,
    aggregate: Aggregate,
    base: Vec<f32>,
    last: Last,
}

/// A tree, and which columns of the answer its leaves weigh.
#[derive(Debug)]
struct Compiled {
    paths: Paths,
    weighs: Vec<Weighed>,
}

/// How the leaf of a row is found.
#[derive(Debug)]
enum Paths {
    Sieve(Sieve),
    Walk(Walk),
}

/// A column of the answer, and what each leaf adds to it, from the true side to the false side. A sieve's leaves are
/// filled up to the number of its bits.
#[derive(Debug)]
struct Weighed {
    column: usize,
    weights: Vec<f32>,
}

impl Forest {
    pub(crate) fn compile(ensemble: &Ensemble) -> Self {
        let mut columns = Columns::default();
        let trees = ensemble.trees.iter().map(|tree| Compiled::new(tree, ensemble, &mut columns)).collect();
        Self {
            trees,
            columns: columns.all(),
            aggregate: ensemble.aggregate,
            base: ensemble.base.clone(),
            last: ensemble.last,
        }
    }

    /// A score for each of `out`, of rows that stand one after the other.
    pub(crate) fn score(&self, rows: &[f32], out: &mut [f32]) {
        let inputs = rows.len().checked_div(out.len()).unwrap_or(0).max(1);
        let mut keys = vec![[0; LANES]; self.columns.len()];
        let mut sums = vec![[0.0; LANES]; self.base.len()];
        for (rows, out) in rows.chunks(LANES * inputs).zip(out.chunks_mut(LANES)) {
            for (column, keys) in self.columns.iter().zip(&mut keys) {
                for (key, row) in keys.iter_mut().zip(rows.chunks_exact(inputs)) {
                    *key = column.key(row);
                }
            }
            self.sum(&keys, &mut sums);
            for (lane, score) in out.iter_mut().enumerate() {
                *score = self.last(&sums, lane);
            }
        }
    }

    /// What the trees give together, tree by tree in the file's order, so that a sum is always formed in the same way.
    fn sum(&self, keys: &[Keys], sums: &mut [[f32; LANES]]) {
        let start = match self.aggregate {
            Aggregate::Sum | Aggregate::Average => 0.0,
            Aggregate::Least => f32::INFINITY,
            Aggregate::Largest => f32::NEG_INFINITY,
        };
        sums.fill([start; LANES]);
        for tree in &self.trees {
            let leaves = match &tree.paths {
                Paths::Sieve(sieve) => sieve.leaves(keys),
                Paths::Walk(walk) => walk.leaves(keys),
            };
            for weighed in &tree.weighs {
                weighed.add(&leaves, self.aggregate, &mut sums[weighed.column]);
            }
        }
        for (sums, base) in sums.iter_mut().zip(&self.base) {
            for sum in sums {
                if self.aggregate == Aggregate::Average {
                    *sum /= self.trees.len() as f32;
                }
                *sum += base;
            }
        }
    }

    fn last(&self, sums: &[[f32; LANES]], lane: usize) -> f32 {
        match self.last {
            Last::Nothing => sums[0][lane],
            Last::Logistic => 1.0 / (1.0 + libm::expf(-sums[0][lane])),
            Last::Softmax(column) => {
                let largest = sums.iter().fold(f32::NEG_INFINITY, |largest, sums| largest.max(sums[lane]));
                let power = |sums: &[f32; LANES]| libm::expf(sums[lane] - largest);
                power(&sums[column]) / sums.iter().map(power).sum::<f32>()
            }
        }
    }
}

impl Compiled {
    fn new(tree: &Tree, ensemble: &Ensemble, columns: &mut Columns) -> Self {
        let leaves = tree.weights().count();
        let (paths, places) = if leaves <= Sieve::LEAVES {
            (Paths::Sieve(Sieve::new(tree, columns)), Sieve::LEAVES)
        } else {
            (Paths::Walk(Walk::new(tree, columns)), leaves)
        };
        let alone = ensemble.base.len() == 1;
        let weighed = |column: &usize| alone || tree.weights().any(|weights| weights[*column] != 0.0);
        let weighs = (0..ensemble.base.len()).filter(weighed).map(|column| {
            let mut weights: Vec<f32> = tree.weights().map(|weights| weights[column]).collect();
            weights.resize(places, 0.0);
            Weighed { column, weights }
        });
        Self { paths, weighs: weighs.collect() }
    }
}

impl Weighed {
    fn add(&self, leaves: &[u32; LANES], aggregate: Aggregate, sums: &mut [f32; LANES]) {
        let weights = leaves.map(|leaf| self.weights[leaf as usize]);
        match aggregate {
            Aggregate::Sum | Aggregate::Average => join(sums, &weights, |sum, weight| sum + weight),
            Aggregate::Least => join(sums, &weights, f32::min),
            Aggregate::Largest => join(sums, &weights, f32::max),
        }
    }
}

fn join(sums: &mut [f32; LANES], weights: &[f32; LANES], together: impl Fn(f32, f32) -> f32) {
    for (sum, weight) in sums.iter_mut().zip(weights) {
        *sum = together(*sum, *weight);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof, proptest};
    use proptest::{collection::vec, sample::select};

    use super::*;
    use crate::tree::{Branch, Mode, Node};

    const INPUTS: usize = 4;
    const NUMBERS: [f32; 8] = [f32::NEG_INFINITY, -1.0, -0.0, 0.0, 1.0, 1.000_000_1, f32::MAX, f32::INFINITY];

    /// A tree as it is drawn.
    #[derive(Debug, Clone)]
    enum Drawn {
        Leaf(Vec<f32>),
        Branch { input: usize, mode: Mode, cut: f32, missing: bool, sides: Box<(Drawn, Drawn)> },
    }

    fn drawn(columns: usize) -> BoxedStrategy<Drawn> {
        use Mode::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
        let modes = select(vec![Less, LessOrEqual, Greater, GreaterOrEqual, Equal, NotEqual]);
        let leaf = vec(-1.0_f32..1.0, columns).prop_map(Drawn::Leaf);
        leaf.prop_recursive(7, 96, 2, move |side| {
            let branch = (0..INPUTS, modes.clone(), select(&NUMBERS[..]), any::<bool>(), side.clone(), side);
            branch.prop_map(|(input, mode, cut, missing, yes, no)| Drawn::Branch {
                input,
                mode,
                cut,
                missing,
                sides: Box::new((yes, no)),
            })
        })
        .boxed()
    }

    fn plant(drawn: &Drawn, nodes: &mut Vec<Node>) -> usize {
        let place = nodes.len();
        match drawn {
            Drawn::Leaf(weights) => nodes.push(Node::Leaf(weights.clone())),
            Drawn::Branch { input, mode, cut, missing, sides } => {
                nodes.push(Node::Leaf(Vec::new()));
                let (input, mode, cut, missing) = (*input, *mode, *cut, *missing);
                let (when_true, when_false) = (plant(&sides.0, nodes), plant(&sides.1, nodes));
                nodes[place] = Node::Branch(Branch { input, mode, cut, missing, when_true, when_false });
            }
        }
        place
    }

    fn tree(drawn: &Drawn) -> Tree {
        let mut nodes = Vec::new();
        plant(drawn, &mut nodes);
        Tree { nodes, covers: None }
    }

    /// One row after the other, one tree after the other, one comparison after the other.
    fn plainly(ensemble: &Ensemble, row: &[f32]) -> f32 {
        let columns = ensemble.base.len();
        let leaves: Vec<&[f32]> = ensemble.trees.iter().map(|tree| leaf(tree, row)).collect();
        let sums = (0..columns).map(|column| {
            let own = leaves.iter().map(|weights| weights[column]);
            let together = match ensemble.aggregate {
                Aggregate::Sum => own.fold(0.0, |sum, weight| sum + weight),
                Aggregate::Average => own.fold(0.0, |sum, weight| sum + weight) / leaves.len() as f32,
                Aggregate::Least => own.fold(f32::INFINITY, f32::min),
                Aggregate::Largest => own.fold(f32::NEG_INFINITY, f32::max),
            };
            together + ensemble.base[column]
        });
        let sums: Vec<f32> = sums.collect();
        match ensemble.last {
            Last::Nothing => sums[0],
            Last::Logistic => 1.0 / (1.0 + libm::expf(-sums[0])),
            Last::Softmax(column) => {
                let largest = sums.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let powers: Vec<f32> = sums.iter().map(|sum| libm::expf(sum - largest)).collect();
                powers[column] / powers.iter().sum::<f32>()
            }
        }
    }

    fn leaf<'tree>(tree: &'tree Tree, row: &[f32]) -> &'tree [f32] {
        let mut place = 0;
        loop {
            match &tree.nodes[place] {
                Node::Branch(branch) => place = branch.next(row),
                Node::Leaf(weights) => return weights,
            }
        }
    }

    fn ends() -> BoxedStrategy<(Aggregate, Last, usize)> {
        use Aggregate::{Average, Largest, Least, Sum};
        let one = select(vec![Sum, Average, Least, Largest]);
        prop_oneof![
            one.prop_flat_map(|aggregate| (Just(aggregate), select(vec![Last::Nothing, Last::Logistic]), Just(1))),
            Just((Sum, Last::Softmax(1), 3)),
        ]
        .boxed()
    }

    fn ensembles() -> impl Strategy<Value = Ensemble> {
        ends().prop_flat_map(|(aggregate, last, columns)| {
            let base = vec(-1.0_f32..1.0, columns);
            (vec(drawn(columns), 1..9), base).prop_map(move |(trees, base)| Ensemble {
                trees: trees.iter().map(tree).collect(),
                aggregate,
                base,
                last,
            })
        })
    }

    proptest! {
        #[test]
        fn a_forest_equals_a_plain_walk(
            ensemble in ensembles(),
            rows in vec(vec(prop_oneof![select(&NUMBERS[..]), Just(f32::NAN), any::<f32>()], INPUTS), 1..40),
        ) {
            let mut scores = vec![0.0; rows.len()];
            Forest::compile(&ensemble).score(&rows.concat(), &mut scores);
            for (row, score) in rows.iter().zip(scores) {
                assert_eq!(plainly(&ensemble, row).to_bits(), score.to_bits(), "{row:?}");
            }
        }
    }
}
