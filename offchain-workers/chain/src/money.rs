//! Amounts as people write them.

use virtengine_primitives::{AssetKind, Balance};

/// Smallest units of one VE.
pub const UNITS_PER_VE: Balance = 1_000_000_000_000;
const DECIMALS: usize = 12;

/// An amount of the chain's token: `2VE`, `1.25 VE`, `0.5`, or in smallest units `1500units`.
///
/// Errors say what is wrong with the text.
pub fn parse(text: &str) -> Result<Balance, String> {
    let text = text.trim();
    if let Some(units) = text.strip_suffix("units") {
        return units
            .trim()
            .parse()
            .map_err(|_| format!("{text:?} is not a whole number of units"));
    }
    let number = text
        .strip_suffix("VE")
        .or_else(|| text.strip_suffix("ve"))
        .unwrap_or(text)
        .trim();
    let wrong = || format!("{text:?} is not an amount; write it like 2VE, 0.25VE or 1500units");
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return Err(wrong());
    }
    if fraction.len() > DECIMALS {
        return Err(format!(
            "{text:?} has more than {DECIMALS} digits after the point; the smallest amount is 0.000000000001VE"
        ));
    }
    let whole: Balance = if whole.is_empty() {
        0
    } else {
        whole
            .parse()
            .map_err(|_| format!("{text:?} is too large"))?
    };
    let fraction: Balance = format!("{fraction:0<DECIMALS$}")
        .parse()
        .map_err(|_| wrong())?;
    whole
        .checked_mul(UNITS_PER_VE)
        .and_then(|units| units.checked_add(fraction))
        .ok_or_else(|| format!("{text:?} is too large"))
}

/// An amount of the chain's token, exactly: `1.25 VE`. What it writes, [`parse`] reads.
pub fn format(units: Balance) -> String {
    let (whole, fraction) = (units / UNITS_PER_VE, units % UNITS_PER_VE);
    if fraction == 0 {
        return format!("{whole} VE");
    }
    let fraction = format!("{fraction:0>DECIMALS$}");
    format!("{whole}.{} VE", fraction.trim_end_matches('0'))
}

/// An amount of any asset: `1.25 VE`, or smallest units of an asset of the assets pallet.
pub fn format_in(units: Balance, asset: AssetKind) -> String {
    match asset {
        AssetKind::Native => format(units),
        AssetKind::Asset(id) => format!("{units} units of asset {id}"),
    }
}

/// `native` or `asset:7`: how an asset is written in files and JSON.
pub fn asset_name(asset: AssetKind) -> String {
    match asset {
        AssetKind::Native => "native".into(),
        AssetKind::Asset(id) => format!("asset:{id}"),
    }
}

/// What [`asset_name`] writes.
pub fn parse_asset(text: &str) -> Result<AssetKind, String> {
    match text.split_once(':') {
        None if text == "native" => Ok(AssetKind::Native),
        Some(("asset", id)) => id
            .parse()
            .map(AssetKind::Asset)
            .map_err(|_| format!("{text:?}: {id:?} is not the number of an asset")),
        _ => Err(format!(
            "{text:?} is not an asset; write native, or asset:7 for asset number 7"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amount_should_be_read_when_written_as_people_do() {
        for (text, units) in [
            ("2VE", 2 * UNITS_PER_VE),
            ("1.25 VE", 1_250_000_000_000),
            ("0.5", 500_000_000_000),
            (".5ve", 500_000_000_000),
            ("3.", 3 * UNITS_PER_VE),
            ("0.000000000001VE", 1),
            ("1500units", 1500),
            ("0", 0),
        ] {
            assert_eq!(parse(text), Ok(units), "{text}");
        }
    }

    #[test]
    fn amount_should_be_refused_when_it_is_none() {
        for text in [
            "",
            "VE",
            ".",
            "-1VE",
            "1,5VE",
            "1e3",
            "0x10",
            "1.0000000000001VE",
            "1 000VE",
            "340282366920938463463374607431768211455VE",
            "1.5units",
            "１VE",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn amount_should_survive_when_written_and_read() {
        for units in [
            0,
            1,
            999,
            UNITS_PER_VE,
            UNITS_PER_VE + 1,
            123_456_789_012_345,
            u128::MAX / 7,
        ] {
            assert_eq!(parse(&format(units)), Ok(units));
        }
        assert_eq!(format(1_250_000_000_000), "1.25 VE");
        assert_eq!(format_in(5, AssetKind::Asset(7)), "5 units of asset 7");
    }

    #[test]
    fn asset_should_survive_when_written_and_read() {
        for asset in [AssetKind::Native, AssetKind::Asset(7)] {
            assert_eq!(parse_asset(&asset_name(asset)), Ok(asset));
        }
        assert!(parse_asset("gold").is_err() && parse_asset("asset:x").is_err());
    }
}
