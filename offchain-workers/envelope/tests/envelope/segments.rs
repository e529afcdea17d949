//! Bodies: sizes, padding, and every way to damage one.

use super::*;
use proptest::prelude::*;
use std::io::Read;

const SEALED: usize = SEGMENT + 16;

fn sealed(length: usize) -> (ContentKey, Vec<u8>, Vec<u8>) {
    let plain = noise(length);
    let (key, _, body) = seal_with_key(&plain, &binding()).unwrap();
    (key, plain, body)
}

fn opens(key: &ContentKey, body: &[u8]) -> Result<Vec<u8>, Error> {
    open_with_key(key, body, &binding()).map(|(plain, _)| plain)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn body_should_come_back_when_its_length_is_near_an_edge(
        whole in 0usize..3, edge in prop::sample::select(vec![0usize, 255, 256, 511, 512, 1023, 65535, 65536, SEGMENT - 1]),
        more in 0usize..3, chunk in 1usize..200_000,
    ) {
        let plain = noise(whole * SEGMENT + edge + more);
        let mut sealer = BodySealer::new(&binding()).unwrap();
        let mut body = Vec::new();
        for piece in plain.chunks(chunk) {
            sealer.update(piece, &mut body).unwrap();
        }
        let (key, sealed) = sealer.finish(&mut body).unwrap();
        prop_assert_eq!(sealed.length, body.len() as u64);
        prop_assert_eq!(sealed.plain_length, plain.len() as u64);
        prop_assert_eq!(Some(sealed.length), sealed_length(plain.len() as u64));

        let mut opener = BodyOpener::new(&key, &binding());
        let mut again = Vec::new();
        for piece in body.chunks(chunk) {
            opener.update(piece, &mut again).unwrap();
        }
        prop_assert_eq!(opener.finish(&mut again).unwrap(), sealed);
        prop_assert!(again == plain);
    }
}

#[test]
fn body_should_show_only_its_size_class_when_it_is_short() {
    let lengths = |range: std::ops::Range<usize>| {
        range
            .map(|n| sealed(n).2.len())
            .collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(lengths(0..256).len(), 1);
    assert_eq!(lengths(256..512).len(), 1);
    assert_eq!(sealed(0).2.len(), 32 + 256 + 16);
    assert_eq!(sealed(256).2.len(), 32 + 512 + 16);
    assert_eq!(sealed_length(u64::MAX), None);
}

#[test]
fn body_should_be_refused_when_segments_are_cut_moved_or_repeated() {
    let (key, plain, body) = sealed(3 * SEGMENT + 100);
    assert!(opens(&key, &body).unwrap() == plain);
    let (head, rest) = body.split_at(32);
    let parts: Vec<&[u8]> = rest.chunks(SEALED).collect();
    assert_eq!(parts.len(), 4);
    let join = |order: &[usize]| {
        let mut all = head.to_vec();
        order.iter().for_each(|i| all.extend_from_slice(parts[*i]));
        all
    };
    assert!(opens(&key, &join(&[0, 1, 2, 3])).is_ok());
    for order in [
        &[1, 0, 2, 3][..],
        &[0, 2, 1, 3],
        &[0, 1, 2, 2, 3],
        &[0, 0, 1, 2, 3],
        &[0, 1, 3],
        &[3],
        &[0, 1, 2, 3, 3],
        &[0, 1, 2, 3, 0],
        &[0, 3, 1, 2],
    ] {
        assert!(opens(&key, &join(order)).is_err(), "{order:?}");
    }
    for order in [&[0, 1, 2][..], &[0], &[]] {
        assert!(
            matches!(opens(&key, &join(order)), Err(Error::Truncated)),
            "{order:?}"
        );
    }
    for length in [
        0,
        1,
        31,
        32,
        33,
        47,
        48,
        SEALED,
        32 + SEALED,
        body.len() - 1,
        body.len() - 16,
    ] {
        assert!(opens(&key, &body[..length]).is_err(), "{length}");
    }
    let mut longer = body.clone();
    longer.push(0);
    assert!(opens(&key, &longer).is_err());
}

#[test]
fn body_should_open_to_its_end_when_it_is_gone_on_with_behind_any_segment() {
    for length in [0, 1, SEGMENT, 3 * SEGMENT + 100, 3 * SEGMENT] {
        let (key, plain, body) = sealed(length);
        for segments in 0..=length / SEGMENT {
            let done = segments * SEGMENT;
            let resume = |plain: usize| BodyOpener::resume(&key, &binding(), plain as u64);
            let (mut opener, offset) = resume(done).unwrap();
            let rest = &body[offset as usize..];
            let mut out = plain[..done].to_vec();
            opener.update(rest, &mut out).unwrap();
            opener.finish(&mut out).unwrap();
            assert!(out == plain, "{length} from {done}");

            let (mut cut, _) = resume(done).unwrap();
            let mut out = Vec::new();
            let whole = cut.update(&rest[..rest.len() - 1], &mut out);
            assert!(whole.and_then(|()| cut.finish(&mut out)).is_err());
            if done > 0 {
                assert!(resume(done - 1).is_none() && resume(done + 1).is_none());
                let (mut elsewhere, _) = resume(done - SEGMENT).unwrap();
                let mut out = Vec::new();
                let moved = elsewhere.update(rest, &mut out);
                assert!(moved.and_then(|()| elsewhere.finish(&mut out)).is_err());
                assert!(out.is_empty());
            }
        }
    }
}

#[test]
fn segment_should_be_refused_when_it_comes_from_another_body_of_the_same_item() {
    let (key, _, body) = sealed(2 * SEGMENT);
    let (_, _, other) = sealed(2 * SEGMENT);
    let mut mixed = body.clone();
    mixed[32 + SEALED..32 + 2 * SEALED].copy_from_slice(&other[32 + SEALED..32 + 2 * SEALED]);
    assert!(matches!(opens(&key, &mixed), Err(Error::Tampered(1))));
}

#[test]
fn envelope_should_be_refused_when_any_bit_is_flipped() {
    let key = key();
    let mut flips = 0u32;
    for text in [&b""[..], b"short", &noise(255), &noise(300)] {
        let (header, body) = seal(text, &[key.public()], &binding()).unwrap();
        let framed = frame::to_bytes(&header, &body);
        let read = |bytes: &[u8]| {
            let (header, body) = frame::from_bytes(bytes)?;
            open(&header, body, &key, &binding())
        };
        assert_eq!(read(&framed).unwrap(), text);
        for bit in 0..framed.len() * 8 {
            let mut flipped = framed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(
                read(&flipped).is_err(),
                "bit {bit} of {} can be flipped",
                framed.len() * 8
            );
            flips += 1;
        }
    }
    assert!(flips >= 10_000, "only {flips} flips");
    println!("{flips} flips, 0 accepted");
}

#[test]
fn envelope_should_be_refused_when_a_bit_of_a_long_body_is_flipped() {
    let key = key();
    let (header, body) = seal(&noise(2 * SEGMENT + 5), &[key.public()], &binding()).unwrap();
    for at in [
        0,
        31,
        32,
        1000,
        32 + SEGMENT,
        32 + SEALED - 1,
        32 + SEALED,
        32 + 2 * SEALED,
        body.len() - 1,
    ] {
        let mut flipped = body.clone();
        flipped[at] ^= 0x40;
        assert!(open(&header, &flipped, &key, &binding()).is_err(), "{at}");
    }
}

#[test]
fn envelope_should_be_refused_when_its_header_promises_another_body() {
    let key = key();
    let (header, body) = seal(b"body", &[key.public()], &binding()).unwrap();
    let shorter = EnvelopeHeader {
        length: header.length - 1,
        ..header.clone()
    };
    let longer = EnvelopeHeader {
        length: header.length + 1,
        ..header.clone()
    };
    let other = EnvelopeHeader {
        hash: [9; 32].into(),
        ..header.clone()
    };
    assert!(matches!(
        open(&shorter, &body, &key, &binding()),
        Err(Error::Length { .. })
    ));
    assert!(matches!(
        open(&longer, &body, &key, &binding()),
        Err(Error::Length { .. })
    ));
    assert!(matches!(
        open(&other, &body, &key, &binding()),
        Err(Error::Hash)
    ));
    assert_eq!(virtengine_primitives::blake2_256(&body), header.hash);
}

/// Counts what is written and keeps nothing.
struct Count(u64);

impl std::io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // Nothing larger than a segment is ever gathered, however long the stream is.
        assert!(bytes.len() <= SEALED + 32);
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn stream_should_be_handed_on_segment_by_segment_when_it_is_long() {
    let key = key();
    let plain = 48 * SEGMENT as u64 + 7;
    let mut count = Count(0);
    let header = seal_stream(
        std::io::repeat(1).take(plain),
        &mut count,
        &[key.public()],
        &binding(),
    )
    .unwrap();
    assert_eq!(
        (header.length, Some(count.0)),
        (count.0, sealed_length(plain))
    );

    let (header, body) = seal(&noise(5 * SEGMENT), &[key.public()], &binding()).unwrap();
    let mut count = Count(0);
    open_stream(&header, body.as_slice(), &mut count, &key, &binding()).unwrap();
    assert_eq!(count.0, 5 * SEGMENT as u64);
}
