//! Invoices as canonical JSON.
