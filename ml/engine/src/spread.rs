//! Work over threads.

/// Splits `out` into at most `threads` parts of whole units (`unit` entries; the last unit may be shorter) and gives each
/// to `work`, with the number of its first unit.
pub(crate) fn spread(
    threads: usize,
    out: &mut [i16],
    unit: usize,
    work: impl Fn(usize, &mut [i16]) + Sync,
) {
    let units = out.len().div_ceil(unit);
    let part = units.div_ceil(threads.clamp(1, units.max(1)));
    #[cfg(feature = "std")]
    if part < units {
        return std::thread::scope(|scope| {
            let work = &work;
            let mut parts = out.chunks_mut(part * unit).enumerate();
            let own = parts.next();
            for (i, out) in parts {
                scope.spawn(move || work(i * part, out));
            }
            if let Some((_, out)) = own {
                work(0, out);
            }
        });
    }
    let _ = part;
    work(0, out);
}
