//! The file format: what is written is read again; what is damaged is refused, without a panic.

use crate::random::{graph, Random};
use proptest::prelude::*;
use ve_ml_engine::{Error, Execution, Graph, Input, Net, Op, Pool, Upsample};

/// More multiply-accumulates than a damaged network may cost a test.
const FEW: u64 = 2_000_000;

/// Reads bytes as a stranger's artefact; a network that is accepted must also run, and say the same again.
fn survive(bytes: &[u8]) {
    let Ok(net) = Net::parse(bytes) else { return };
    assert_eq!(net.graph().encode(), bytes, "one network, two encodings");
    let pixels = net.shape(0).unwrap().elements();
    if net.macs() < FEW && net.peak_bytes() < FEW {
        net.run(&Random(7).bytes(pixels as usize), Execution::default())
            .expect("an accepted network runs");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn artefact_should_be_read_as_written_when_it_is_whole(seed: u64) {
        let graph = graph(seed);
        let bytes = graph.encode();
        prop_assert_eq!(&Graph::decode(&bytes).unwrap(), &graph);
        prop_assert!(Net::parse(&bytes).is_ok());
    }

    #[test]
    fn artefact_should_never_panic_when_bytes_are_changed(seed: u64, damage: u64) {
        let mut bytes = graph(seed).encode();
        let mut r = Random(damage);
        for _ in 0..r.range(1, 4) {
            let at = match r.range(0, 1) {
                // Headers and sizes are few among the weights: aim at them half of the time.
                0 => r.range(0, bytes.len().min(120) as i64 - 1),
                _ => r.range(0, bytes.len() as i64 - 1),
            } as usize;
            bytes[at] = match r.range(0, 3) {
                0 => 0,
                1 => 255,
                2 => bytes[at] ^ (1 << r.range(0, 7)),
                _ => r.next() as u8,
            };
        }
        survive(&bytes);
    }

    #[test]
    fn artefact_should_never_panic_when_words_are_extreme(seed: u64, damage: u64) {
        let mut bytes = graph(seed).encode();
        let mut r = Random(damage);
        let at = 4 * r.range(0, bytes.len() as i64 / 4 - 1) as usize;
        let extremes = [0, 1, 2, 0x7fff, 0x8000, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, u32::MAX];
        bytes[at..at + 4].copy_from_slice(&extremes[r.range(0, 9) as usize].to_le_bytes());
        survive(&bytes);
    }

    #[test]
    fn artefact_should_be_refused_when_it_is_noise(mut bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Net::parse(&bytes).is_err());
        for (byte, mark) in bytes.iter_mut().zip(b"VEML\x01\0\0\0") {
            *byte = *mark;
        }
        survive(&bytes);
    }
}

#[test]
fn artefact_should_be_refused_when_it_is_cut_or_continued() {
    for seed in 0..20 {
        let bytes = graph(seed).encode();
        for len in 0..bytes.len() {
            assert!(
                Net::parse(&bytes[..len]).is_err(),
                "seed {seed}, cut to {len}"
            );
        }
        assert!(matches!(
            Net::parse(&[&bytes[..], &[0; 4]].concat()),
            Err(Error::NotCanonical)
        ));
    }
}

/// The first convolution of some random network, changed.
fn refusal(change: impl Fn(&mut ve_ml_engine::Conv)) -> Error {
    for seed in 0.. {
        let mut graph = graph(seed);
        if let Op::Conv(conv) = &mut graph.ops[0] {
            change(conv);
            return Net::new(graph).err().expect("refused");
        }
    }
    unreachable!("there is always another seed")
}

#[test]
fn net_should_be_refused_when_a_sum_could_overflow() {
    assert!(matches!(
        refusal(|c| c.bias[0] = i32::MAX),
        Error::Overflow { op: 0, channel: 0 }
    ));
    assert!(matches!(
        refusal(|c| c.bias[0] = i32::MIN),
        Error::Overflow { op: 0, channel: 0 }
    ));
    // The shifted product would not fit 32 bits.
    let small_shift =
        |c: &mut ve_ml_engine::Conv| (c.positive[0], c.bias[0], c.shift[0]) = (1 << 22, 1 << 20, 1);
    assert!(matches!(
        refusal(small_shift),
        Error::Overflow { op: 0, channel: 0 }
    ));
}

#[test]
fn net_should_be_refused_when_an_operator_cannot_be_executed() {
    let reasons = [
        refusal(|c| c.input = 9),
        refusal(|c| c.stride = 0),
        refusal(|c| c.kernel_height = 0),
        refusal(|c| c.kernel_width = u32::MAX),
        refusal(|c| c.padding = u32::MAX),
        refusal(|c| c.limit = 0),
        refusal(|c| c.limit = 1 << 15),
        refusal(|c| c.shift[0] = 0),
        refusal(|c| c.shift[0] = 53),
        refusal(|c| c.positive[0] = (1 << 22) + 1),
        refusal(|c| c.negative[0] = i32::MIN),
        refusal(|c| c.channels += 1),
        refusal(|c| c.bias.truncate(0)),
        refusal(|c| c.weights = ve_ml_engine::Weights::pack(1, 9999, |_, _| 1)),
    ];
    for reason in reasons {
        assert!(matches!(reason, Error::Op { op: 0, .. }), "{reason}");
    }
}

/// A picture of one channel, and one operator over it.
fn single(side: u32, op: Op<'static>) -> Graph<'static> {
    let input = Input {
        height: side,
        width: side,
        channels: 1,
        scale: 1,
        offset: 0,
    };
    Graph {
        input,
        ops: vec![op],
        outputs: vec![1],
    }
}

#[test]
fn net_should_be_refused_when_a_run_would_take_too_long() {
    let pool = |size| {
        Op::MaxPool(Pool {
            input: 0,
            size,
            stride: 1,
        })
    };
    assert!(Net::new(single(1024, pool(3))).is_ok());
    // A quarter of a million windows of as many entries.
    let error = Net::new(single(1024, pool(512))).err().expect("refused");
    assert!(matches!(error, Error::Op { op: 0, .. }), "{error}");
}

#[test]
fn net_should_be_refused_when_an_output_is_named_twice() {
    let mut graph = single(
        8,
        Op::Upsample(Upsample {
            input: 0,
            factor: 2,
        }),
    );
    graph.outputs = vec![1, 0];
    assert!(Net::new(graph.clone()).is_ok());
    graph.outputs = vec![1, 0, 1];
    assert!(matches!(Net::new(graph), Err(Error::Header(_))));
}
