//! Trackable resources: `billing=2,cpu=2,gres/gpu=1,gres/gpu:a100=1,mem=512M,node=1`.

use crate::types::Allocated;

/// Reads a list of trackable resources. Unknown kinds (billing, energy, licences, file systems) are left out. `None` if
/// the list is empty: then nothing was set aside.
///
/// Accelerators are those of `gres/gpu`; if only kinds of them are listed (`gres/gpu:a100`), their sum: a cluster that
/// counts both counts each accelerator twice.
pub fn read(list: &str) -> Result<Option<Allocated>, String> {
    if list.is_empty() {
        return Ok(None);
    }
    let mut found = Allocated {
        cpus: 0,
        memory_mib: 0,
        nodes: 0,
        gpus: 0,
    };
    let (mut gpus, mut gpus_by_kind) = (None, 0u32);
    for item in list.split(',') {
        let bad = || format!("{item:?} in {list:?} is not a count of a resource");
        let (kind, count) = item.split_once('=').ok_or_else(bad)?;
        let number = || count.parse::<u32>().map_err(|_| bad());
        match kind {
            "cpu" => found.cpus = number()?,
            "node" => found.nodes = number()?,
            "mem" => found.memory_mib = memory_mib(count).ok_or_else(bad)?,
            "gres/gpu" => gpus = Some(number()?),
            kind if kind.starts_with("gres/gpu:") => {
                gpus_by_kind = gpus_by_kind.saturating_add(number()?);
            }
            _ => {}
        }
    }
    found.gpus = gpus.unwrap_or(gpus_by_kind);
    Ok(Some(found))
}

/// MiB out of `512M`, `4G`, `1.50T`, `2048K` or `512` (MiB, SLURM's own unit). Rounded down.
pub fn memory_mib(text: &str) -> Option<u64> {
    let (number, kib_per_unit) = match text.char_indices().last()? {
        (at, 'K') => (&text[..at], 1u128),
        (at, 'M') => (&text[..at], 1 << 10),
        (at, 'G') => (&text[..at], 1 << 20),
        (at, 'T') => (&text[..at], 1 << 30),
        (at, 'P') => (&text[..at], 1 << 40),
        (_, '0'..='9') => (text, 1 << 10),
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let scale = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    let fraction: u128 = if fraction.is_empty() {
        0
    } else {
        fraction.parse().ok()?
    };
    let units = whole.parse::<u128>().ok()?.checked_mul(scale)?;
    let kib = units.checked_add(fraction)?.checked_mul(kib_per_unit)? / scale;
    u64::try_from(kib / 1024).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn resources_should_be_counted_once_when_kinds_are_listed_too() {
        let list =
            "billing=9,cpu=8,energy=70,gres/gpu:a100=2,gres/gpu=2,license/x=1,mem=1.50G,node=2";
        let all = read(list).unwrap().unwrap();
        assert_eq!((all.cpus, all.nodes, all.gpus), (8, 2, 2));
        assert_eq!(all.memory_mib, 1536);
        let only_kinds = read("cpu=1,gres/gpu:a=1,gres/gpu:b=3,mem=1M,node=1").unwrap();
        assert_eq!(only_kinds.unwrap().gpus, 4);
        assert_eq!(read(""), Ok(None));
        assert!(read("cpu=x").is_err());
        assert!(read("cpu").is_err());
        assert!(read("mem=-1M").is_err());
    }

    #[test]
    fn memory_should_be_in_mib_when_any_unit_is_used() {
        let cases = [
            ("512", 512),
            ("512M", 512),
            ("2048K", 2),
            ("4G", 4096),
            ("1.50T", 1_572_864),
            ("1P", 1_073_741_824),
            ("0", 0),
            ("1023K", 0),
        ];
        for (text, mib) in cases {
            assert_eq!(memory_mib(text), Some(mib), "{text}");
        }
        for text in ["", "M", ".5G", "1.G2", "1e3M", "99999999999999999999999P"] {
            assert_eq!(memory_mib(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn memory_should_be_exact_when_it_is_in_whole_mib(mib in any::<u64>()) {
            prop_assert_eq!(memory_mib(&format!("{mib}M")), Some(mib));
        }

        #[test]
        fn resources_should_be_read_or_refused_when_they_are_anything(text in "[a-z/:=,.0-9KMGT-]{0,40}") {
            let _ = read(&text);
        }
    }
}
