use super::*;
use std::io::Cursor;

fn text(files: &dyn JobFiles, path: &str, offset: u64, most: u64) -> Vec<u8> {
    let wanted = [Wanted {
        path: path.into(),
        offset,
        most,
    }];
    let mut bytes = Vec::new();
    files
        .read(&wanted, &mut |_, content| {
            content?.read_to_end(&mut bytes).map(drop)
        })
        .unwrap();
    bytes
}

#[test]
fn file_should_appear_only_when_it_is_whole_and_committed() {
    let directory = tempfile::tempdir().unwrap();
    let files = Direct::new(&directory.path().join("job"));
    files.prepare(&["work/in"]).unwrap();
    let mut put = files.put("work/in/a", 3, false).unwrap();
    put.write_all(b"ab").unwrap();
    assert!(put.commit().is_err(), "a byte is missing");
    let mut put = files.put("work/in/a", 3, false).unwrap();
    assert!(put.write_all(b"abcd").is_err(), "a byte too many");
    let mut put = files.put("work/in/a", 3, false).unwrap();
    put.write_all(b"abc").unwrap();
    drop(put);
    assert_eq!(files.length("work/in/a").unwrap(), None);
    put_whole(&files, "work/in/a", b"abc", false).unwrap();
    assert_eq!(files.length("work/in/a").unwrap(), Some(3));
    assert_eq!(text(&files, "work/in/a", 1, 9), b"bc");
    files.remove().unwrap();
    files.remove().unwrap();
    assert_eq!(files.length("work/in/a").unwrap(), None);
}

#[test]
fn answer_should_be_heard_as_it_was_given() {
    let long = vec![7u8; 200_000];
    let mut line = Vec::new();
    let all = |bytes: &[u8], to: &mut dyn Write| to.write_all(bytes);
    wire::answer(&mut line, Ok(&long[..]), all).unwrap();
    wire::answer(&mut line, Err(io::ErrorKind::NotFound.into()), all).unwrap();
    wire::answer(&mut line, Err(io::Error::other("no")), all).unwrap();
    wire::answer(&mut line, Ok(&b"end"[..]), all).unwrap();
    let mut from = Cursor::new(&line);
    let mut heard = Vec::new();
    let first = wire::listen(&mut from).unwrap();
    first.unwrap().read_to_end(&mut heard).unwrap();
    assert_eq!(heard, long);
    let missing = wire::listen(&mut from).unwrap().err().unwrap();
    assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    let refused = wire::listen(&mut from).unwrap().err().unwrap();
    assert_eq!(refused.to_string(), "no");
    let mut heard = Vec::new();
    let last = wire::listen(&mut from).unwrap();
    last.unwrap().read_to_end(&mut heard).unwrap();
    assert_eq!(heard, b"end");
}

#[test]
fn answer_should_not_be_taken_for_whole_when_it_is_cut() {
    let mut line = Vec::new();
    let all = |bytes: &[u8], to: &mut dyn Write| to.write_all(bytes);
    wire::answer(&mut line, Ok(&b"some bytes"[..]), all).unwrap();
    for cut in 0..line.len() {
        let mut from = Cursor::new(&line[..cut]);
        let Ok(Ok(mut content)) = wire::listen(&mut from) else {
            continue;
        };
        let mut heard = Vec::new();
        assert!(content.read_to_end(&mut heard).is_err(), "cut after {cut}");
    }
}
