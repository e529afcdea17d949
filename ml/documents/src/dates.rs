//! Whether a document's dates can be.

use crate::calendar::Day;
use ve_ml_barcode::Licence;
use ve_ml_pipeline::{Findings, Reason, Slot};

/// Dates of a document, as far as they are known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dates {
    /// Of birth; the last day that it can be when only the year is known.
    pub birth: Option<Day>,
    /// Of issue.
    pub issued: Option<Day>,
    /// Last day of validity.
    pub expiry: Option<Day>,
    /// Something is printed there that is no day.
    pub impossible: bool,
}

impl Dates {
    /// Those of a licence's barcode.
    pub fn of(licence: &Licence) -> Self {
        let [birth, issued, expiry] =
            [licence.birth(), licence.issued(), licence.expiry()].map(|d| d.map(Day::from));
        let printed = [b"DBB", b"DBD", b"DBA"].map(|id| licence.get(id).is_some());
        let impossible = printed
            .into_iter()
            .zip([birth, issued, expiry])
            .any(|(printed, date)| printed && date.is_none());
        Self {
            birth,
            issued,
            expiry,
            impossible,
        }
    }

    /// Sets the slots of dates, for a request of today.
    pub fn judge(self, today: Day, findings: &mut Findings) {
        let features = &mut findings.features;
        if let Some(birth) = self.birth.filter(|birth| *birth <= today) {
            features.set(Slot::HolderAge, today.years_since(birth));
        }
        if let Some(expiry) = self.expiry {
            let days = expiry.number() - today.number();
            features.set(Slot::DaysToExpiry, days);
            if days < 0 {
                findings.reasons.push(Reason::DocumentExpired);
            }
        }
        let known: Vec<Day> = [self.birth, self.issued, self.expiry]
            .into_iter()
            .flatten()
            .collect();
        let past = [self.birth, self.issued].into_iter().flatten();
        let ordered = known.windows(2).all(|pair| pair[0] < pair[1])
            && past.into_iter().all(|day| day <= today);
        if self.impossible || !ordered {
            features.set(Slot::DatesPossible, 0);
            findings.reasons.push(Reason::DatesImpossible);
        } else if self.birth.is_some() && self.expiry.is_some() {
            features.set(Slot::DatesPossible, 1);
        }
    }
}
