//! The largest pictures that are looked at.

/// Those whose decoding needs most memory.
pub fn pictures() -> [(&'static str, Vec<u8>); 2] {
    [("PNG", deep(5000)), ("JPEG", progressive(5000))]
}

/// A progressive JPEG of full colour: every block's first coefficient is one bit, "the same as the block before", and the
/// others are nothing in runs of 16,384 blocks.
pub fn progressive(side: u16) -> Vec<u8> {
    let size = side.to_be_bytes();
    let mut file = vec![0xff, 0xd8, 0xff, 0xdb, 0, 67, 0];
    file.extend([1; 64]);
    file.extend([0xff, 0xc2, 0, 17, 8, size[0], size[1], size[0], size[1], 3]);
    file.extend([1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]);
    // One code of one bit in each class, for a difference of zero and for such a run.
    for (class, symbol) in [(0, 0), (0x10, 0xe0)] {
        file.extend([0xff, 0xc4, 0, 20, class, 1]);
        file.extend([0; 15]);
        file.push(symbol);
    }
    file.extend([0xff, 0xda, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 0, 0]);
    let blocks = usize::from(side).div_ceil(8).pow(2);
    file.extend(vec![0; (blocks * 3).div_ceil(8)]);
    for component in 1..=3 {
        file.extend([0xff, 0xda, 0, 8, 1, component, 0, 1, 63, 0]);
        // A code and 14 bits that say how many more than 16,384.
        file.extend(vec![0; (blocks.div_ceil(1 << 14) * 15).div_ceil(8)]);
    }
    file.extend([0xff, 0xd9]);
    file
}

/// A PNG of 16-bit colour with transparency, 8 bytes a pixel.
pub fn deep(side: u16) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, side.into(), side.into());
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Sixteen);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().unwrap();
    let mut rows = writer.stream_writer().unwrap();
    let row = vec![0x80; usize::from(side) * 8];
    for _ in 0..side {
        std::io::Write::write_all(&mut rows, &row).unwrap();
    }
    rows.finish().unwrap();
    writer.finish().unwrap();
    file
}
