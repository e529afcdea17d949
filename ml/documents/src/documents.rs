//! Reads what is printed on a document and compares what was read.

use crate::{calendar::Day, dates::Dates, zone::Zone};
use ve_ml_barcode::{Kind, Licence, Reading, FIELDS};
use ve_ml_engine::Execution;
use ve_ml_mrz::Reader;
use ve_ml_pipeline::{stages::Stage, Findings, Picture, Point, Readers, Reason, Slot};

/// Values of [`Slot::DocumentKind`].
const IDENTITY_CARD: i16 = 2;
const DRIVING_LICENCE: i16 = 4;

/// The readers of one piece of evidence.
pub struct Documents<'a> {
    reader: &'a Reader<'a>,
    how: Execution,
    today: Day,
    zone: Option<Zone>,
    barcode: Option<Vec<u8>>,
    /// The back was looked at, and no code is on it.
    without_barcode: bool,
}

impl<'a> Documents<'a> {
    /// Readers for a request at a time, in milliseconds since 1970.
    pub fn new(reader: &'a Reader<'a>, how: Execution, now_ms: u64) -> Self {
        Self {
            reader,
            how,
            today: Day::of(now_ms),
            zone: None,
            barcode: None,
            without_barcode: false,
        }
    }
}

/// The code of a picture.
pub fn barcode(picture: &Picture) -> Result<Reading, ve_ml_barcode::Error> {
    let luma = picture.luma();
    let grey = ve_ml_barcode::Picture::new(picture.width(), picture.height(), &luma)?;
    ve_ml_barcode::read(grey)
}

impl Readers for Documents<'_> {
    fn front(&mut self, picture: &Picture, findings: &mut Findings) -> Option<[Point; 4]> {
        self.zone = Zone::read(self.reader, picture, self.how, self.today, findings);
        self.zone.as_ref().map(Zone::corners)
    }

    fn back(&mut self, picture: &Picture, findings: &mut Findings) {
        // Cards have their zone on the back. A passport's back is a cover, and has neither.
        if self.zone.is_none() {
            self.zone = Zone::read(self.reader, picture, self.how, self.today, findings);
        }
        let reading = match barcode(picture) {
            Ok(reading) => reading,
            Err(error) => {
                let seen = error != ve_ml_barcode::Error::NotFound;
                findings.features.set(Slot::BarcodeFound, seen);
                findings.stages.add_numbers(Stage::Barcode, [seen.into()]);
                if seen {
                    findings.reasons.push(Reason::BarcodeUnreadable);
                }
                self.without_barcode = !seen;
                return;
            }
        };
        let numbers = [
            reading.rows,
            reading.columns,
            reading.errors,
            reading.erasures,
            reading.correction,
        ];
        let numbers = numbers.map(|n| n as i64);
        let corners = reading
            .corners
            .iter()
            .flat_map(|p| [p.x.into(), p.y.into()]);
        findings.stages.add_numbers(
            Stage::Barcode,
            std::iter::once(2).chain(numbers).chain(corners),
        );
        findings.stages.add(Stage::Barcode, &reading.content);
        findings.features.set(Slot::BarcodeFound, 2);
        findings
            .features
            .set(Slot::BarcodeCorrected, i64::from(reading.used()));
        self.barcode = Some(reading.content);
    }

    fn compare(&mut self, findings: &mut Findings) {
        let licence = self.barcode.as_deref().map(Licence::parse);
        let licence = match licence {
            Some(Ok(licence)) => Some(licence),
            Some(Err(_)) => {
                findings.reasons.push(Reason::BarcodeNotALicence);
                None
            }
            None => None,
        };
        if let Some(licence) = &licence {
            let fields = licence.well_formed();
            findings.features.set(Slot::BarcodeFields, fields as i64);
            findings
                .features
                .set(Slot::BarcodeLicence, fields == FIELDS);
            if fields < FIELDS {
                findings.reasons.push(Reason::BarcodeNotALicence);
            }
        }
        match (&self.zone, &licence) {
            (Some(zone), licence) => {
                findings.features.set(Slot::DocumentKind, zone.kind());
                zone.dates().judge(self.today, findings);
                if let Some(licence) = licence {
                    zone.compare(licence, findings);
                }
            }
            (None, Some(licence)) => {
                let kind = match licence.kind {
                    Kind::Licence => DRIVING_LICENCE,
                    Kind::IdentityCard => IDENTITY_CARD,
                };
                findings.features.set(Slot::DocumentKind, kind);
                Dates::of(licence).judge(self.today, findings);
            }
            (None, None) => {
                findings.reasons.push(Reason::MrzNotFound);
                if self.without_barcode {
                    findings.reasons.push(Reason::BarcodeNotFound);
                }
            }
        }
    }
}
