use super::*;

fn stores() -> (tempfile::TempDir, Vec<Artifacts>) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}/a%20store", folder.path().display());
    let stores = vec![
        Artifacts::open(&url).unwrap(),
        Artifacts::open("memory:///").unwrap(),
    ];
    assert!(folder.path().join("a store").is_dir());
    (folder, stores)
}

#[tokio::test]
async fn blob_should_come_back_by_its_hash_when_put_in_any_way() {
    let (_folder, stores) = stores();
    for store in stores {
        let content = vec![0x5a; 3_000_000];
        let whole = store.put_blob(content.clone()).await.unwrap();
        let from = store.put_blob_from(content.as_slice()).await.unwrap();
        let mut writer = store.writer().await.unwrap();
        for chunk in content.chunks(777_777) {
            writer.write(chunk).await.unwrap();
        }
        let pieces = writer.finish().await.unwrap();
        assert_eq!((whole, from), (from, pieces));
        assert_eq!(
            store.get_blob(&whole.hash, 3_000_000).await.unwrap(),
            content
        );
        let mut copy = Vec::new();
        assert_eq!(
            store.get_blob_to(&whole.hash, &mut copy).await.unwrap(),
            3_000_000
        );
        assert_eq!(copy, content);
        assert_eq!(store.head_blob(&whole.hash).await.unwrap(), Some(3_000_000));
        assert_eq!(store.list("blobs").await.unwrap().len(), 1);
        assert!(store.list("staging").await.unwrap().is_empty());

        let error = store.get_blob(&whole.hash, 10).await.unwrap_err();
        assert!(
            matches!(
                error,
                Error::TooLong {
                    length: 3_000_000,
                    limit: 10,
                    ..
                }
            ),
            "{error}"
        );
        store.delete_blob(&whole.hash).await.unwrap();
        store.delete_blob(&whole.hash).await.unwrap();
        assert!(matches!(
            store.get_blob(&whole.hash, 10).await,
            Err(Error::NotFound(_))
        ));
        assert_eq!(store.head_blob(&whole.hash).await.unwrap(), None);
    }
}

#[tokio::test]
async fn blob_should_be_read_from_any_byte_on() {
    let (_folder, stores) = stores();
    for store in stores {
        let content: Vec<u8> = (0..100_000u32).map(|n| n as u8).collect();
        let blob = store.put_blob(content.clone()).await.unwrap();
        for offset in [0, 1, 65_536, 99_999] {
            let mut reader = store.reader_from(&blob.hash, offset).await.unwrap();
            assert_eq!(reader.length(), 100_000);
            let mut read = Vec::new();
            while let Some(chunk) = reader.next().await.unwrap() {
                read.extend_from_slice(&chunk);
            }
            assert!(read == content[offset as usize..], "{offset}");
        }
        assert!(store.reader_from(&blob.hash, 100_000).await.is_err());
        assert!(matches!(
            store.reader_from(&[1; 32], 5).await,
            Err(Error::NotFound(_))
        ));
    }
}

#[tokio::test]
async fn blob_should_be_fetched_to_its_end_when_a_part_of_it_or_something_else_lies_there() {
    let (folder, stores) = stores();
    let content: Vec<u8> = (0..3_000_000u32).map(|n| (n / 3) as u8).collect();
    for store in stores {
        let blob = store.put_blob(content.clone()).await.unwrap();
        let file = folder.path().join("fetched");
        let longer = [&content[..], b"x"].concat();
        // What lies there, how much of it is kept, how much is fetched.
        for (there, kept, fetched) in [
            (&content[..0], 0, 3_000_000),
            (&content[..1], 1, 2_999_999),
            (&content[..2_000_000], 2_000_000, 1_000_000),
            (&content[..], 2_999_999, 1),
            (&longer[..], 0, 3_000_000),
            (&content[1..2_000_000], 1_999_999, 1_000_001 + 3_000_000),
        ] {
            std::fs::write(&file, there).unwrap();
            let told = std::cell::Cell::new(0);
            let length = store.get_blob_to_file(&blob.hash, &file, |n| told.set(told.get() + n));
            assert_eq!(length.await.unwrap(), 3_000_000);
            assert!(std::fs::read(&file).unwrap() == content);
            assert_eq!(told.get(), kept + fetched, "{}", there.len());
        }
    }
}

#[tokio::test]
async fn known_blob_should_be_stored_once_and_leave_nothing_of_tries_that_were_killed() {
    let (folder, stores) = stores();
    let content = vec![0x5a; 3_000_000];
    let other = Artifacts::open("memory:///").unwrap();
    let known = other.put_blob(content.clone()).await.unwrap();
    let name: String = known.hash.iter().map(|b| format!("{b:02x}")).collect();
    let staging = folder.path().join("a store/staging");
    std::fs::create_dir_all(&staging).unwrap();
    for n in 1..4 {
        std::fs::write(staging.join(format!("{name}#{n}")), &content[..n]).unwrap();
    }
    std::fs::write(staging.join("somebody-elses#1"), "x").unwrap();
    for store in stores {
        let wrong = vec![0x5b; 3_000_000];
        for bad in [&wrong[..], &content[1..]] {
            assert!(matches!(
                store.put_known_blob(&known, bad).await,
                Err(Error::Damaged(_))
            ));
            assert_eq!(store.head_blob(&known.hash).await.unwrap(), None);
        }
        store.put_known_blob(&known, &content[..]).await.unwrap();
        assert!(store.get_blob(&known.hash, 3_000_000).await.unwrap() == content);
        // Not even looked at.
        store.put_known_blob(&known, &wrong[..]).await.unwrap();
        assert!(store.get_blob(&known.hash, 3_000_000).await.unwrap() == content);
    }
    let left: Vec<_> = std::fs::read_dir(staging)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["somebody-elses#1"]);
}

#[tokio::test]
async fn blob_should_not_appear_when_its_writer_is_dropped_or_aborted() {
    let (folder, stores) = stores();
    for store in stores {
        let mut dropped = store.writer().await.unwrap();
        dropped.write(&[1; 2_000_000]).await.unwrap();
        drop(dropped);
        let mut aborted = store.writer().await.unwrap();
        aborted.write(&[1; 2_000_000]).await.unwrap();
        aborted.abort().await.unwrap();
        assert!(store.list("blobs").await.unwrap().is_empty());
    }
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(
        std::fs::read_dir(folder.path().join("a store/staging"))
            .unwrap()
            .count(),
        0
    );
}

#[tokio::test]
async fn blob_should_be_refused_when_its_content_was_changed() {
    let (folder, stores) = stores();
    let blob = stores[0].put_blob(vec![1; 5000]).await.unwrap();
    let [entry] = &stores[0].list("blobs").await.unwrap()[..] else {
        panic!()
    };
    let path = folder.path().join("a store").join(&entry.path);
    let mut content = std::fs::read(&path).unwrap();
    content[4000] ^= 1;
    std::fs::write(&path, &content).unwrap();
    assert!(matches!(
        stores[0].get_blob(&blob.hash, 5000).await,
        Err(Error::Damaged(_))
    ));
    content.truncate(10);
    std::fs::write(&path, &content).unwrap();
    assert!(matches!(
        stores[0].get_blob(&blob.hash, 5000).await,
        Err(Error::Damaged(_))
    ));
}

#[tokio::test]
async fn objects_should_be_listed_by_number_when_their_names_are_numbers() {
    let (_folder, stores) = stores();
    let genesis = [0xab; 32];
    for store in stores {
        for chunk in [0, 10, 2, 1] {
            store
                .put(&Artifacts::log_path(&genesis, 42, chunk), vec![chunk as u8])
                .await
                .unwrap();
        }
        store
            .put(&Artifacts::log_path(&genesis, 420, 0), vec![9])
            .await
            .unwrap();
        let found = store
            .list(&Artifacts::log_prefix(&genesis, 42))
            .await
            .unwrap();
        let paths: Vec<_> = found.iter().map(|l| l.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "logs/abababab/42/0",
                "logs/abababab/42/1",
                "logs/abababab/42/2",
                "logs/abababab/42/10"
            ]
        );
        assert_eq!(store.get(paths[3], 100).await.unwrap(), Some(vec![10]));
        store.put(paths[3], vec![11, 12]).await.unwrap();
        assert_eq!(store.get(paths[3], 100).await.unwrap(), Some(vec![11, 12]));
        assert!(matches!(
            store.get(paths[3], 1).await,
            Err(Error::TooLong { .. })
        ));
        let evidence = Artifacts::evidence_path(&genesis, 42, 1);
        assert_eq!(evidence, "evidence/abababab/42/1");
        assert_eq!(store.get(&evidence, 100).await.unwrap(), None);
        store.delete(&evidence).await.unwrap();
        assert!(store.put("../outside", vec![1]).await.is_err());
    }
}

#[test]
fn store_should_be_refused_with_the_remedy_when_its_url_is_wrong() {
    for (url, say) in [
        ("s3://bucket", "use file:///"),
        ("file://relative/path", "three slashes"),
        ("/just/a/path", "use file:///"),
        ("file:///a%2", "two hexadecimal digits"),
        ("file:///dev/null/x", "creating"),
    ] {
        let error = Artifacts::open(url).err().unwrap().to_string();
        assert!(error.contains(say), "{url}: {error}");
    }
}
