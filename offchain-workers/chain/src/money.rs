//! Amounts as people write them.

use std::str::FromStr;
use virtengine_primitives::{AssetId, AssetKind, Balance};

/// Smallest units of one VE.
pub const UNITS_PER_VE: Balance = 1_000_000_000_000;

/// An asset as people count it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    asset: AssetKind,
    symbol: String,
    decimals: u8,
}

impl Unit {
    /// The chain's token: VE, 12 decimals.
    pub fn native() -> Self {
        Self {
            asset: AssetKind::Native,
            symbol: "VE".into(),
            decimals: 12,
        }
    }

    /// An asset of the assets pallet by what its issuer calls it. A symbol that could be taken for something else is
    /// not used: amounts are then counted in smallest units.
    pub fn of_asset(id: AssetId, symbol: &[u8], decimals: u8) -> Self {
        let symbol = std::str::from_utf8(symbol).unwrap_or_default();
        let plain = (1..=12).contains(&symbol.len())
            && symbol.bytes().all(|b| b.is_ascii_alphanumeric())
            && symbol.starts_with(|c: char| c.is_ascii_alphabetic())
            && !["VE", "units"]
                .iter()
                .any(|s| s.eq_ignore_ascii_case(symbol));
        Self {
            asset: AssetKind::Asset(id),
            symbol: if plain { symbol.into() } else { String::new() },
            // 10^38 is the most that a balance holds.
            decimals: decimals.min(38),
        }
    }

    /// Which asset.
    pub fn asset(&self) -> AssetKind {
        self.asset
    }

    /// How many digits may follow the point.
    fn digits(&self) -> usize {
        if self.symbol.is_empty() {
            0
        } else {
            self.decimals.into()
        }
    }

    fn one(&self) -> Balance {
        10u128.saturating_pow(self.digits() as u32)
    }

    /// What an amount may look like.
    fn examples(&self) -> String {
        match (self.asset, self.symbol.as_str()) {
            (AssetKind::Native, _) => "2VE, 0.25VE or 1500units".into(),
            (AssetKind::Asset(id), "") => format!("1500units (of asset {id})"),
            (AssetKind::Asset(id), symbol) => {
                format!("2{symbol} or 1500units (of asset {id})")
            }
        }
    }

    /// An amount, exactly: `1.25 VE`, `1.25 USDX (asset 1)`. An asset's symbol is its issuer's word, so its number is
    /// always named too.
    pub fn format(&self, units: Balance) -> String {
        let AssetKind::Asset(id) = self.asset else {
            return format(units);
        };
        if self.symbol.is_empty() {
            return format_in(units, self.asset);
        }
        format!("{} {} (asset {id})", self.decimal(units), self.symbol)
    }

    fn decimal(&self, units: Balance) -> String {
        let one = self.one();
        let (whole, fraction) = (units / one, units % one);
        if fraction == 0 {
            return whole.to_string();
        }
        let fraction = format!("{fraction:0>width$}", width = self.digits());
        format!("{whole}.{}", fraction.trim_end_matches('0'))
    }
}

/// An amount as somebody wrote it, before it is known of what: `2VE`, `1.25 USDX`, `0.5`, `1500units`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amount {
    number: String,
    /// Empty if none was written.
    symbol: String,
}

impl FromStr for Amount {
    type Err = String;

    /// Errors say what is wrong with the text.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (number, symbol) = text.split_at(end);
        let symbol = symbol.trim();
        let is_number = number.bytes().filter(|b| *b == b'.').count() <= 1
            && number.bytes().any(|b| b.is_ascii_digit());
        let is_symbol = symbol.bytes().all(|b| b.is_ascii_alphanumeric())
            && !symbol.starts_with(|c: char| c.is_ascii_digit());
        if !is_number || !is_symbol {
            let examples = Unit::native().examples();
            return Err(format!(
                "{text:?} is not an amount; write it like {examples}"
            ));
        }
        Ok(Self {
            number: number.into(),
            symbol: symbol.into(),
        })
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.number, self.symbol)
    }
}

impl Amount {
    /// In smallest units of an asset. Without a symbol it counts in what the asset is counted in; with another
    /// asset's symbol it is refused.
    ///
    /// Errors say what is wrong.
    pub fn of(&self, unit: &Unit) -> Result<Balance, String> {
        if self.symbol.eq_ignore_ascii_case("units")
            || unit.symbol.is_empty() && self.symbol.is_empty()
        {
            return self
                .number
                .parse()
                .map_err(|_| format!("{:?} is not a whole number of units", self.number));
        }
        if !self.symbol.is_empty() && !self.symbol.eq_ignore_ascii_case(&unit.symbol) {
            return Err(format!(
                "\"{self}\" is not an amount of what this is paid in; write it like {}",
                unit.examples()
            ));
        }
        let (whole, fraction) = self.number.split_once('.').unwrap_or((&self.number, ""));
        let digits = unit.digits();
        if fraction.len() > digits {
            return Err(format!(
                "\"{self}\" has more than {digits} digits after the point; the smallest amount is {} {}",
                unit.decimal(1),
                unit.symbol
            ));
        }
        let too_large = || format!("\"{self}\" is too large");
        let number = |text: &str| match text {
            "" => Ok(0),
            digits => digits.parse::<Balance>().map_err(|_| too_large()),
        };
        let fraction = number(&format!("{fraction:0<digits$}"))?;
        number(whole)?
            .checked_mul(unit.one())
            .and_then(|units| units.checked_add(fraction))
            .ok_or_else(too_large)
    }
}

/// An amount of the chain's token: `2VE`, `1.25 VE`, `0.5`, or in smallest units `1500units`.
///
/// Errors say what is wrong with the text.
pub fn parse(text: &str) -> Result<Balance, String> {
    Amount::from_str(text)?.of(&Unit::native())
}

/// An amount of the chain's token, exactly: `1.25 VE`. What it writes, [`parse`] reads.
pub fn format(units: Balance) -> String {
    format!("{} VE", Unit::native().decimal(units))
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
    fn amount_of_an_asset_should_count_in_its_own_unit_and_never_in_ve() {
        let usdx = Unit::of_asset(1, b"USDX", 6);
        let of = |text: &str| text.parse::<Amount>().and_then(|a| a.of(&usdx));
        for (text, units) in [
            ("2USDX", 2_000_000),
            ("2.5 usdx", 2_500_000),
            ("0.000001", 1),
            ("1500units", 1500),
        ] {
            assert_eq!(of(text), Ok(units), "{text}");
        }
        for text in ["2VE", "2USDC", "0.0000001USDX", "1.5units"] {
            assert!(of(text).is_err(), "{text}");
        }
        assert!(of("2VE").unwrap_err().contains("2USDX or 1500units"));
        assert_eq!(usdx.format(2_500_000), "2.5 USDX (asset 1)");
        assert!("2USDX"
            .parse::<Amount>()
            .unwrap()
            .of(&Unit::native())
            .is_err());
    }

    #[test]
    fn symbol_should_not_be_used_when_it_could_be_taken_for_something_else() {
        for symbol in [
            "VE",
            "ve",
            "units",
            "",
            "a b",
            "\u{202e}EV",
            "5",
            "waytoolongasymbol",
        ] {
            let unit = Unit::of_asset(7, symbol.as_bytes(), 6);
            assert_eq!(unit.format(5), "5 units of asset 7", "{symbol}");
            let of = |text: &str| text.parse::<Amount>().unwrap().of(&unit);
            assert_eq!((of("5"), of("5units")), (Ok(5), Ok(5)));
            assert!(of("5VE").is_err() && of("0.5").is_err());
        }
        assert_eq!(Unit::of_asset(7, b"X", 255).decimals, 38);
    }

    #[test]
    fn asset_should_survive_when_written_and_read() {
        for asset in [AssetKind::Native, AssetKind::Asset(7)] {
            assert_eq!(parse_asset(&asset_name(asset)), Ok(asset));
        }
        assert!(parse_asset("gold").is_err() && parse_asset("asset:x").is_err());
    }
}
