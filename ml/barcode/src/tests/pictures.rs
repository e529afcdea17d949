//! Codes made by another encoder: PyPI `pdf417gen` 0.8.1, two pixels for a module (see `pictures/README.md`).

use crate::{read, Licence, Picture, Reading, FIELDS};

fn reading(file: &[u8]) -> Reading {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!(info.color_type, png::ColorType::Grayscale);
    read(Picture::new(info.width as usize, info.height as usize, &pixels).unwrap()).unwrap()
}

#[test]
fn licence_should_be_read_when_another_encoder_drew_it() {
    let reading = reading(include_bytes!("pictures/licence.png"));
    let licence = Licence::parse(&reading.content).unwrap();
    assert_eq!(licence.number(), Some(&b"D12345678"[..]));
    assert_eq!(licence.well_formed(), FIELDS);
    assert_eq!((reading.errors, reading.erasures), (0, 0));
}

#[test]
fn content_should_be_read_when_another_encoder_packed_it() {
    let text = include_str!("pictures/mixed.txt").trim_end();
    assert_eq!(
        reading(include_bytes!("pictures/mixed.png")).content,
        text.as_bytes()
    );
    let digits: Vec<u8> = (0..200).map(|i| b'0' + (i * 7 % 10) as u8).collect();
    assert_eq!(
        reading(include_bytes!("pictures/digits.png")).content,
        digits
    );
    let bytes: Vec<u8> = (0..=255).collect();
    assert_eq!(reading(include_bytes!("pictures/bytes.png")).content, bytes);
}
