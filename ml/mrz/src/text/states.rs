//! Codes of states and organisations (ICAO Doc 9303, part 3, section 5: ISO 3166-1 with ICAO's own codes).

use super::Symbol;

/// ISO 3166-1 alpha-3.
const ISO: &str = "ABW AFG AGO AIA ALA ALB AND ARE ARG ARM ASM ATA ATF ATG AUS AUT AZE BDI BEL BEN BES BFA BGD BGR BHR BHS \
BIH BLM BLR BLZ BMU BOL BRA BRB BRN BTN BVT BWA CAF CAN CCK CHE CHL CHN CIV CMR COD COG COK COL COM CPV CRI CUB CUW \
CXR CYM CYP CZE DEU DJI DMA DNK DOM DZA ECU EGY ERI ESH ESP EST ETH FIN FJI FLK FRA FRO FSM GAB GBR GEO GGY GHA GIB \
GIN GLP GMB GNB GNQ GRC GRD GRL GTM GUF GUM GUY HKG HMD HND HRV HTI HUN IDN IMN IND IOT IRL IRN IRQ ISL ISR ITA JAM \
JEY JOR JPN KAZ KEN KGZ KHM KIR KNA KOR KWT LAO LBN LBR LBY LCA LIE LKA LSO LTU LUX LVA MAC MAF MAR MCO MDA MDG MDV \
MEX MHL MKD MLI MLT MMR MNE MNG MNP MOZ MRT MSR MTQ MUS MWI MYS MYT NAM NCL NER NFK NGA NIC NIU NLD NOR NPL NRU NZL \
OMN PAK PAN PCN PER PHL PLW PNG POL PRI PRK PRT PRY PSE PYF QAT REU ROU RUS RWA SAU SDN SEN SGP SGS SHN SJM SLB SLE \
SLV SMR SOM SPM SRB SSD STP SUR SVK SVN SWE SWZ SXM SYC SYR TCA TCD TGO THA TJK TKL TKM TLS TON TTO TUN TUR TUV TWN \
TZA UGA UKR UMI URY USA UZB VAT VCT VEN VGB VIR VNM VUT WLF WSM YEM ZAF ZMB ZWE";

/// Codes that only travel documents have: Germany, the British nationalities, organisations, persons without a state,
/// and Utopia, the state of the standard's specimens.
const OTHER: &str = "D<< GBD GBN GBO GBP GBS RKS EUE UNO UNA UNK XBA XIM XCC XCE XCO XEC XES XMP XOM XPO XDC XXA XXB XXC XXX \
IAO NTZ UTO";

/// Does the standard know this code of three symbols?
pub fn is_state(code: &[Symbol]) -> bool {
    let known = |list: &str| {
        list.split_whitespace()
            .any(|known| known.bytes().eq(code.iter().map(|s| s.ascii())))
    };
    known(ISO) || known(OTHER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_should_be_listed_once_and_in_order_when_looked_up() {
        let iso: alloc::vec::Vec<_> = ISO.split_whitespace().collect();
        assert_eq!(iso.len(), 249);
        assert!(iso.is_sorted() && iso.iter().all(|c| c.len() == 3));
        let known = |code: &str| {
            let symbols: alloc::vec::Vec<_> = code.bytes().filter_map(Symbol::from_ascii).collect();
            is_state(&symbols)
        };
        assert!(known("UTO") && known("D<<") && known("ZWE") && known("ABW"));
        assert!(!known("AB") && !known("BDR") && !known("<<<") && !known("W AF"));
    }
}
