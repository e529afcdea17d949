use super::*;
use crate::invoice::{parse_document, parse_month, parse_utc, render, to_json};
use virtengine_primitives::{
    billing::{Component, Quantities, Rate},
    AssetKind,
};

const MARCH: u32 = 2026 * 12 + 2;

fn plan() -> PricePlan {
    let rate = |component, price_per_million| Rate {
        component,
        price_per_million,
    };
    PricePlan {
        asset: AssetKind::Native,
        rates: vec![
            rate(Component::CpuSeconds, 2_000_000_000),
            rate(Component::MemoryMibSeconds, 1_000_000),
        ]
        .try_into()
        .unwrap(),
        minimum_charge: 500_000,
    }
}

fn line(agreement: u64, cpu: u128) -> InvoiceLine {
    let quantities: Quantities = vec![
        (Component::CpuSeconds, cpu),
        (Component::MemoryMibSeconds, 512 * cpu),
    ]
    .try_into()
    .unwrap();
    InvoiceLine {
        agreement,
        kind: LineKind::Usage,
        plan: 4,
        first_sequence: 1,
        last_sequence: 3,
        from: virtengine_primitives::calendar::start_of(MARCH) + 86_400_000 + 3_723_456,
        until: virtengine_primitives::calendar::start_of(MARCH) + 2 * 86_400_000,
        amount: plan().price(&quantities).unwrap(),
        quantities,
        head: H256::repeat_byte(9),
    }
}

fn sample() -> (InvoiceDocument, Evidence) {
    let mut credit = line(7, 10);
    credit.kind = LineKind::CreditNote {
        line: 0,
        month: MARCH,
    };
    credit.amount = 77;
    let mut least = line(9, 1);
    least.amount = plan().minimum_charge;
    let lines = vec![line(7, 600), line(8, 1200), credit, least];
    let mut invoice = Invoice {
        total: lines[0].amount + lines[1].amount + lines[3].amount,
        credited: 77,
        ..Default::default()
    };
    let leaves: Vec<H256> = lines.iter().map(|l| mmr::leaf(&l.encode())).collect();
    leaves.iter().for_each(|l| {
        invoice.lines.append(*l);
    });
    let plans = BTreeMap::from([(4, plan())]);
    let key = InvoiceKey {
        payer: AccountId32::new([5; 32]),
        provider: 2,
        asset: AssetKind::Native,
        month: MARCH,
    };
    let document = render(H256::repeat_byte(1), &key, &invoice, &lines, &plans).unwrap();
    let proven = |(i, l): (usize, InvoiceLine)| {
        let i = i as u32;
        (i, (l, mmr::prove(&leaves, i).unwrap()))
    };
    let evidence = Evidence {
        block: Head {
            hash: H256::repeat_byte(3),
            number: 12,
        },
        genesis: H256::repeat_byte(1),
        lines: lines.into_iter().enumerate().map(proven).collect(),
        invoice,
        plans,
        agreements: BTreeMap::new(),
    };
    (document, evidence)
}

#[test]
fn document_should_hold_when_it_is_what_was_rendered() {
    let (document, evidence) = sample();
    let text = to_json(&document);
    let read = parse_document(&text).unwrap();
    assert_eq!(
        to_json(&read),
        text,
        "canonical: reading and writing changes nothing"
    );
    let outcome = verify(&read, None, &evidence);
    assert_eq!(outcome.findings, vec![]);
    let pricing: Vec<_> = outcome.lines.iter().map(|l| l.pricing).collect();
    assert_eq!(
        pricing,
        [
            Pricing::Usage,
            Pricing::Usage,
            Pricing::Decided,
            Pricing::Minimum
        ]
    );
    assert_eq!(read.key().unwrap().month, MARCH);
}

#[test]
fn keys_should_be_in_alphabetical_order_when_rendered() {
    let value = to_json(&sample().0);
    let keys: Vec<&str> = value
        .lines()
        .filter(|l| l.starts_with("  \""))
        .map(|l| l.trim().split('"').nth(1).unwrap())
        .collect();
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    assert_eq!(keys, sorted);
}

/// Changes every digit of the document, one at a time: each change must be found, and where it stands in a line that
/// line must be named.
#[test]
fn line_should_be_named_when_any_digit_of_it_is_changed() {
    let (document, evidence) = sample();
    let text = to_json(&document);
    let (mut line, mut changed) = (None, 0);
    let mut start = 0;
    for row in text.split_inclusive('\n') {
        if row == "    {\n"
            && start > text.find("\"lines\"").unwrap()
            && start < text.find("\"month\": \"2026-03\",\n  \"payer\"").unwrap()
        {
            line = Some(line.map_or(1, |n: u32| n + 1));
        }
        if row.starts_with("  ],") {
            line = None;
        }
        for (i, digit) in row.bytes().enumerate().filter(|(_, b)| b.is_ascii_digit()) {
            let mut bytes = text.clone().into_bytes();
            bytes[start + i] = b'0' + (digit - b'0' + 1) % 10;
            let forged = String::from_utf8(bytes).unwrap();
            let Ok(forged) = parse_document(&forged) else {
                changed += 1;
                continue;
            };
            if forged.key() != document.key() {
                // Another invoice altogether; it will not be found on the chain or will differ from it.
                changed += 1;
                continue;
            }
            let outcome = verify(&forged, None, &evidence);
            assert!(!outcome.holds(), "not found: {row:?} at {i}");
            if let Some(line) = line {
                assert!(
                    outcome.findings.iter().any(|f| f.line == Some(line)),
                    "{row:?} at {i}: line {line} not named by {:?}",
                    outcome.findings
                );
            }
            changed += 1;
        }
        start += row.len();
    }
    assert!(changed > 300, "only {changed} digits were tried");
}

#[test]
fn field_should_be_named_when_an_amount_is_changed() {
    let (mut document, evidence) = sample();
    document.lines[1].amount = "1".into();
    let outcome = verify(&document, Some(&[2]), &evidence);
    assert!(outcome.findings.contains(&Finding {
        line: Some(2),
        field: "amount".into(),
        document: "1".into(),
        expected: line(8, 1200).amount.to_string(),
    }));
    assert!(outcome
        .findings
        .iter()
        .any(|f| f.field == "sum of the lines"));
}

#[test]
fn verification_should_fail_when_lines_are_missing_or_added() {
    let (document, evidence) = sample();
    let mut shorter = document.clone();
    shorter.lines.pop();
    assert!(verify(&shorter, None, &evidence)
        .findings
        .iter()
        .any(|f| f.line == Some(4)));
    let mut longer = document.clone();
    longer.lines.push(document.lines[0].clone());
    assert!(verify(&longer, None, &evidence)
        .findings
        .iter()
        .any(|f| f.line == Some(5)));
    assert!(!verify(&document, Some(&[9]), &evidence).holds());
    assert!(!verify(&document, Some(&[0]), &evidence)
        .lines
        .iter()
        .any(|l| l.line == 0));
}

#[test]
fn amount_should_be_refused_when_the_chain_itself_priced_it_wrongly() {
    let (_, mut evidence) = sample();
    let mut dear = line(7, 600);
    dear.amount += 1_000_000_000;
    let mut invoice = Invoice {
        total: dear.amount,
        ..Default::default()
    };
    let leaf = mmr::leaf(&dear.encode());
    invoice.lines.append(leaf);
    let key = sample().0.key().unwrap();
    let document = render(
        evidence.genesis,
        &key,
        &invoice,
        &[dear.clone()],
        &evidence.plans,
    )
    .unwrap();
    evidence.invoice = invoice;
    evidence.lines = BTreeMap::from([(0, (dear, mmr::prove(&[leaf], 0).unwrap()))]);
    let outcome = verify(&document, None, &evidence);
    assert!(outcome
        .findings
        .iter()
        .any(|f| f.line == Some(1) && f.field == "amount"));
}

#[test]
fn invoice_should_not_be_rendered_when_a_line_is_missing() {
    let (document, evidence) = sample();
    let lines: Vec<_> = evidence
        .lines
        .values()
        .take(2)
        .map(|l| l.0.clone())
        .collect();
    let rendered = render(
        evidence.genesis,
        &document.key().unwrap(),
        &evidence.invoice,
        &lines,
        &evidence.plans,
    );
    assert!(rendered.is_err());
}

#[test]
fn document_should_be_refused_with_its_place_when_it_is_malformed() {
    let text = to_json(&sample().0).replace("\"count\": 4", "\"count\": four");
    assert!(parse_document(&text).unwrap_err().contains("line 4 column"));
    let text = to_json(&sample().0).replace("\"version\": 1", "\"version\": 2");
    assert!(parse_document(&text).unwrap_err().starts_with("version"));
}

#[test]
fn times_and_months_should_survive_when_written_and_read() {
    for moment in [0, 1_795_392_000_123, 951_782_400_000, 4_107_542_399_999] {
        assert_eq!(parse_utc(&utc(moment)), Ok(moment));
    }
    assert_eq!(utc(1_793_491_200_000), "2026-11-01T00:00:00.000Z");
    for bad in [
        "",
        "2026-13",
        "26-11",
        "2026-1",
        "2026-11-01T24:00:00.000Z",
        "2026-02-30T00:00:00.000Z",
    ] {
        assert!(
            parse_month(bad).is_err() && parse_utc(bad).is_err(),
            "{bad}"
        );
    }
}
