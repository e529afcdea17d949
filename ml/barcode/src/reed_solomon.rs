//! Error correction over the integers modulo 929, with generator 3 (ISO/IEC 15438).

/// Order of the field.
const P: u32 = 929;

/// What was corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Correction {
    /// Codewords that were read wrongly.
    pub errors: usize,
    /// Codewords that were not read.
    pub erasures: usize,
}

/// Powers of 3.
const EXP: [u16; 928] = {
    let mut table = [1; 928];
    let mut i = 1;
    while i < 928 {
        table[i] = (table[i - 1] as u32 * 3 % P) as u16;
        i += 1;
    }
    table
};

fn mul(a: u16, b: u16) -> u16 {
    (u32::from(a) * u32::from(b) % P) as u16
}

fn add(a: u16, b: u16) -> u16 {
    ((u32::from(a) + u32::from(b)) % P) as u16
}

fn sub(a: u16, b: u16) -> u16 {
    ((u32::from(a) + P - u32::from(b)) % P) as u16
}

/// `3^n`.
fn power(n: usize) -> u16 {
    EXP[n % EXP.len()]
}

/// Of anything but zero; by Fermat's little theorem.
fn inverse(a: u16) -> u16 {
    let (mut result, mut base, mut n) = (1, a, P - 2);
    while n > 0 {
        if n & 1 == 1 {
            result = mul(result, base);
        }
        base = mul(base, base);
        n >>= 1;
    }
    result
}

/// Value of a polynomial, lowest coefficient first.
fn value(polynomial: &[u16], x: u16) -> u16 {
    polynomial
        .iter()
        .rev()
        .fold(0, |sum, c| add(mul(sum, x), *c))
}

/// Product, without what is beyond the first `len` coefficients.
fn product(a: &[u16], b: &[u16], len: usize) -> Vec<u16> {
    let mut out = vec![0; (a.len() + b.len() - 1).min(len)];
    for (i, a) in a.iter().enumerate() {
        for (out, b) in out.iter_mut().skip(i).zip(b) {
            *out = add(*out, mul(*a, *b));
        }
    }
    out
}

fn syndromes(codewords: &[u16], check: usize) -> Vec<u16> {
    let at = |x| codewords.iter().fold(0, |sum, c| add(mul(sum, x), *c));
    (1..=check).map(|j| at(power(j))).collect()
}

/// Corrects a code of which the last `check` codewords are for correction; `None` are codewords that were not read.
/// All values must be below 929 and there must be at most 928 of them, with `2 <= check < codewords.len()`.
///
/// Two codewords of correction stay in reserve against a wrong correction, as the standard has it. Returns nothing when
/// more is damaged than that allows.
pub fn correct(codewords: &[Option<u16>], check: usize) -> Option<(Vec<u16>, Correction)> {
    let n = codewords.len();
    let mut fixed: Vec<u16> = codewords.iter().map(|c| c.unwrap_or(0)).collect();
    let erased: Vec<usize> = (0..n).filter(|i| codewords[*i].is_none()).collect();
    let reserve = check - 2;
    if erased.len() > reserve {
        return None;
    }
    let syndromes_seen = syndromes(&fixed, check);
    if syndromes_seen.iter().all(|s| *s == 0) {
        let erasures = erased.len();
        return Some((
            fixed,
            Correction {
                errors: 0,
                erasures,
            },
        ));
    }
    // A codeword at place i is the coefficient of x^(n-1-i); its locator is that power of 3.
    let locator = |i: usize| power(n - 1 - i);
    let mut known = vec![1];
    for i in &erased {
        known = product(&known, &[1, sub(0, locator(*i))], usize::MAX);
    }
    let seen = product(&known, &syndromes_seen, check);
    let unknown = berlekamp_massey(&seen[erased.len()..]);
    let errors = unknown.len() - 1;
    if 2 * errors + erased.len() > reserve {
        return None;
    }
    let all = product(&unknown, &known, usize::MAX);
    let evaluator = product(&all, &syndromes_seen, check);
    let derivative: Vec<u16> = (1..all.len())
        .map(|i| mul(all[i], (i as u32 % P) as u16))
        .collect();
    let mut roots = 0;
    for (i, codeword) in fixed.iter_mut().enumerate() {
        let x = inverse(locator(i));
        if value(&all, x) != 0 {
            continue;
        }
        roots += 1;
        // Forney: the error is -evaluator/derivative.
        let slope = value(&derivative, x);
        if slope == 0 {
            return None;
        }
        *codeword = add(*codeword, mul(value(&evaluator, x), inverse(slope)));
    }
    let right = roots == all.len() - 1 && syndromes(&fixed, check).iter().all(|s| *s == 0);
    let erasures = erased.len();
    right.then_some((fixed, Correction { errors, erasures }))
}

/// The shortest linear recurrence that a sequence obeys, as the polynomial `1 + c1 x + ...`.
fn berlekamp_massey(sequence: &[u16]) -> Vec<u16> {
    let (mut current, mut previous) = (vec![1], vec![1]);
    let (mut length, mut gap, mut last) = (0, 1, 1);
    for n in 0..sequence.len() {
        let discrepancy = current
            .iter()
            .take(n + 1)
            .enumerate()
            .fold(0, |sum, (i, c)| add(sum, mul(*c, sequence[n - i])));
        if discrepancy == 0 {
            gap += 1;
            continue;
        }
        let factor = mul(discrepancy, inverse(last));
        let before = current.clone();
        current.resize(current.len().max(previous.len() + gap), 0);
        for (c, p) in current.iter_mut().skip(gap).zip(&previous) {
            *c = sub(*c, mul(factor, *p));
        }
        if 2 * length <= n {
            (length, previous, last, gap) = (n + 1 - length, before, discrepancy, 1);
        } else {
            gap += 1;
        }
    }
    while current.len() > 1 && current.last() == Some(&0) {
        current.pop();
    }
    current
}

/// The codewords of correction that belong to data: for tests.
#[cfg(test)]
pub fn encode(data: &[u16], check: usize) -> Vec<u16> {
    let mut generator = vec![1];
    for j in 1..=check {
        generator = product(&generator, &[sub(0, power(j)), 1], usize::MAX);
    }
    // Remainder of data * x^check divided by the generator, highest coefficient first.
    let mut rest = vec![0; check];
    for codeword in data {
        let lead = add(*codeword, rest[0]);
        rest.rotate_left(1);
        rest[check - 1] = 0;
        for (r, g) in rest.iter_mut().zip(generator.iter().rev().skip(1)) {
            *r = sub(*r, mul(lead, *g));
        }
    }
    rest.iter().map(|r| sub(0, *r)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn check_codewords_should_be_those_of_the_standard_when_its_example_is_encoded() {
        // The standard's worked example: "PDF417" at level 1, that is four codewords of correction.
        let data = [5, 453, 178, 121, 239];
        assert_eq!(encode(&data, 4), [452, 327, 657, 619]);
    }

    proptest! {
        #[test]
        fn code_should_be_restored_when_damage_stays_within_the_reserve(
            data in proptest::collection::vec(0..929u16, 1..200),
            level in 1..6u32,
            damage in proptest::collection::vec((any::<prop::sample::Index>(), 0..929u16, any::<bool>()), 0..40),
        ) {
            let check = 2 << level;
            let mut whole = data.clone();
            whole.extend(encode(&data, check));
            let mut read: Vec<_> = whole.iter().copied().map(Some).collect();
            for (at, value, erase) in damage {
                let at = at.index(read.len());
                let before = read[at];
                read[at] = if erase { None } else { Some(value) };
                let cost: usize = read.iter().zip(&whole)
                    .map(|(r, w)| match r { None => 1, Some(r) => 2 * usize::from(r != w) })
                    .sum();
                if cost > check - 2 {
                    read[at] = before;
                    break;
                }
            }
            let (fixed, _) = correct(&read, check).expect("within the reserve");
            prop_assert_eq!(fixed, whole);
        }

        #[test]
        fn correction_should_not_panic_when_the_codewords_are_noise(
            read in proptest::collection::vec(proptest::option::of(0..929u16), 9..100),
        ) {
            for check in [2, 4, 8] {
                if let Some((fixed, _)) = correct(&read, check) {
                    prop_assert!(syndromes(&fixed, check).iter().all(|s| *s == 0));
                }
            }
        }
    }
}
