//! Records: kind, id, version, JSON.

use crate::{database::now, Database, Error, Transaction};
use serde::{de::DeserializeOwned, Serialize};
use sqlx::{Row, SqliteConnection};

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<T> {
    /// Its id; unique within its kind.
    pub id: String,
    /// 1 when inserted, one more with every update.
    pub version: u64,
    /// Last change, milliseconds since the Unix epoch.
    pub updated: u64,
    /// What is recorded.
    pub value: T,
}

type Raw = (String, i64, String, i64);

fn decode<T: DeserializeOwned>(
    kind: &str,
    (id, version, value, updated): Raw,
) -> Result<Record<T>, Error> {
    match serde_json::from_str(&value) {
        Ok(value) => Ok(Record {
            id,
            version: version.unsigned_abs(),
            updated: updated.unsigned_abs(),
            value,
        }),
        Err(source) => Err(Error::Value {
            kind: kind.into(),
            id,
            source,
        }),
    }
}

fn encode<T: Serialize>(kind: &str, id: &str, value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|source| Error::Value {
        kind: kind.into(),
        id: id.into(),
        source,
    })
}

async fn get<T: DeserializeOwned>(
    c: &mut SqliteConnection,
    kind: &str,
    id: &str,
) -> Result<Option<Record<T>>, Error> {
    let row: Option<Raw> = sqlx::query_as(
        "SELECT id, version, value, updated FROM records WHERE kind = ?1 AND id = ?2",
    )
    .bind(kind)
    .bind(id)
    .fetch_optional(c)
    .await?;
    row.map(|raw| decode(kind, raw)).transpose()
}

async fn list<T: DeserializeOwned>(
    c: &mut SqliteConnection,
    kind: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<Record<T>>, Error> {
    let rows: Vec<Raw> = sqlx::query_as(
        "SELECT id, version, value, updated FROM records WHERE kind = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
    )
    .bind(kind)
    .bind(after)
    .bind(limit)
    .fetch_all(c)
    .await?;
    rows.into_iter().map(|raw| decode(kind, raw)).collect()
}

async fn version(c: &mut SqliteConnection, kind: &str, id: &str) -> Result<u64, Error> {
    let row = sqlx::query("SELECT version FROM records WHERE kind = ?1 AND id = ?2")
        .bind(kind)
        .bind(id)
        .fetch_optional(c)
        .await?;
    Ok(row
        .map(|r| r.try_get::<i64, _>(0))
        .transpose()?
        .unwrap_or(0)
        .unsigned_abs())
}

/// A change of one record.
pub(crate) struct Change {
    pub kind: String,
    pub id: String,
    pub what: What,
}

/// What is done with the record. Values are JSON; versions those that it was read at.
pub(crate) enum What {
    Insert { value: String },
    Update { value: String, version: u64 },
    Remove { version: u64 },
}

/// Version and time of a record after a change.
#[derive(Clone, Copy)]
pub(crate) struct Stamp {
    pub version: u64,
    pub updated: u64,
}

/// Makes a change, at a time. `Conflict`, and nothing is changed, if the record is not what it was read as.
pub(crate) async fn apply(
    c: &mut SqliteConnection,
    change: &Change,
    time: i64,
) -> Result<Stamp, Error> {
    let Change { kind, id, what } = change;
    let narrow = |version: u64| i64::try_from(version).unwrap_or(i64::MAX);
    let (done, expected, version_after) = match what {
        What::Insert { value } => {
            let insert = sqlx::query(
                "INSERT INTO records (kind, id, version, value, updated) VALUES (?1, ?2, 1, ?3, ?4) \
                 ON CONFLICT DO NOTHING",
            )
            .bind(kind)
            .bind(id)
            .bind(value)
            .bind(time);
            (insert.execute(&mut *c).await?, 0, 1)
        }
        What::Update { value, version } => {
            let update = sqlx::query(
                "UPDATE records SET value = ?3, version = version + 1, updated = ?4 \
                 WHERE kind = ?1 AND id = ?2 AND version = ?5",
            )
            .bind(kind)
            .bind(id)
            .bind(value)
            .bind(time)
            .bind(narrow(*version));
            let after = version.saturating_add(1);
            (update.execute(&mut *c).await?, *version, after)
        }
        What::Remove { version } => {
            let remove =
                sqlx::query("DELETE FROM records WHERE kind = ?1 AND id = ?2 AND version = ?3")
                    .bind(kind)
                    .bind(id)
                    .bind(narrow(*version));
            (remove.execute(&mut *c).await?, *version, *version)
        }
    };
    if done.rows_affected() == 0 {
        return Err(Error::Conflict {
            kind: kind.clone(),
            id: id.clone(),
            expected,
            found: version(c, kind, id).await?,
        });
    }
    Ok(Stamp {
        version: version_after,
        updated: time.unsigned_abs(),
    })
}

fn insertion<T: Serialize>(kind: &str, id: &str, value: &T) -> Result<Change, Error> {
    Ok(Change {
        kind: kind.into(),
        id: id.into(),
        what: What::Insert {
            value: encode(kind, id, value)?,
        },
    })
}

fn update_of<T: Serialize>(kind: &str, record: &Record<T>) -> Result<Change, Error> {
    Ok(Change {
        kind: kind.into(),
        id: record.id.clone(),
        what: What::Update {
            value: encode(kind, &record.id, &record.value)?,
            version: record.version,
        },
    })
}

fn removal(kind: &str, id: &str, version: u64) -> Change {
    Change {
        kind: kind.into(),
        id: id.into(),
        what: What::Remove { version },
    }
}

impl<T> Record<T> {
    fn stamp(&mut self, stamp: Stamp) {
        (self.version, self.updated) = (stamp.version, stamp.updated);
    }
}

fn inserted<T: Clone>(id: &str, value: &T, stamp: Stamp) -> Record<T> {
    Record {
        id: id.into(),
        version: stamp.version,
        updated: stamp.updated,
        value: value.clone(),
    }
}

impl Transaction {
    /// Inserts a record; `Conflict` if there is one.
    pub async fn insert<T: Serialize + Clone>(
        &mut self,
        kind: &str,
        id: &str,
        value: &T,
    ) -> Result<Record<T>, Error> {
        let change = insertion(kind, id, value)?;
        let stamp = apply(self.connection(), &change, now()).await?;
        Ok(inserted(id, value, stamp))
    }

    /// Reads a record.
    pub async fn get<T: DeserializeOwned>(
        &mut self,
        kind: &str,
        id: &str,
    ) -> Result<Option<Record<T>>, Error> {
        get(self.connection(), kind, id).await
    }

    /// Records of a kind whose id is greater than `after` ("" for the first page), in order of id, at most `limit`.
    pub async fn list<T: DeserializeOwned>(
        &mut self,
        kind: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Record<T>>, Error> {
        list(self.connection(), kind, after, limit).await
    }

    /// Writes `record.value` over the version that `record` was read at, and brings `record` to the new version.
    /// `Conflict` if the stored version is another, or if the record is gone.
    pub async fn update<T: Serialize>(
        &mut self,
        kind: &str,
        record: &mut Record<T>,
    ) -> Result<(), Error> {
        let change = update_of(kind, record)?;
        record.stamp(apply(self.connection(), &change, now()).await?);
        Ok(())
    }

    /// Removes the record that was read at `version`. `Conflict` if it changed since, or is gone.
    pub async fn remove(&mut self, kind: &str, id: &str, version: u64) -> Result<(), Error> {
        let change = removal(kind, id, version);
        apply(self.connection(), &change, now()).await.map(drop)
    }
}

/// Single changes that come at the same time share a commit.
impl Database {
    /// [`Transaction::insert`], committed.
    pub async fn insert<T: Serialize + Clone>(
        &self,
        kind: &str,
        id: &str,
        value: &T,
    ) -> Result<Record<T>, Error> {
        let stamp = self.writer()?.write(insertion(kind, id, value)?).await?;
        Ok(inserted(id, value, stamp))
    }

    /// Reads a record.
    pub async fn get<T: DeserializeOwned>(
        &self,
        kind: &str,
        id: &str,
    ) -> Result<Option<Record<T>>, Error> {
        get(&mut *self.reader().await?, kind, id).await
    }

    /// Records of a kind whose id is greater than `after` ("" for the first page), in order of id, at most `limit`.
    pub async fn list<T: DeserializeOwned>(
        &self,
        kind: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Record<T>>, Error> {
        list(&mut *self.reader().await?, kind, after, limit).await
    }

    /// [`Transaction::update`], committed. On an error `record` is as it was.
    pub async fn update<T: Serialize>(
        &self,
        kind: &str,
        record: &mut Record<T>,
    ) -> Result<(), Error> {
        record.stamp(self.writer()?.write(update_of(kind, record)?).await?);
        Ok(())
    }

    /// [`Transaction::remove`], committed.
    pub async fn remove(&self, kind: &str, id: &str, version: u64) -> Result<(), Error> {
        let done = self.writer()?.write(removal(kind, id, version)).await;
        done.map(drop)
    }
}
