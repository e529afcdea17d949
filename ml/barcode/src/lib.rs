//! PDF417 codes and the driving licences in them.
