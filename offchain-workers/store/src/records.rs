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

impl Transaction {
    /// Inserts a record; `Conflict` if there is one.
    pub async fn insert<T: Serialize + Clone>(
        &mut self,
        kind: &str,
        id: &str,
        value: &T,
    ) -> Result<Record<T>, Error> {
        let time = now();
        let done = sqlx::query(
            "INSERT INTO records (kind, id, version, value, updated) VALUES (?1, ?2, 1, ?3, ?4) ON CONFLICT DO NOTHING",
        )
        .bind(kind)
        .bind(id)
        .bind(encode(kind, id, value)?)
        .bind(time)
        .execute(self.connection())
        .await?;
        if done.rows_affected() == 0 {
            let found = version(self.connection(), kind, id).await?;
            return Err(Error::Conflict {
                kind: kind.into(),
                id: id.into(),
                expected: 0,
                found,
            });
        }
        Ok(Record {
            id: id.into(),
            version: 1,
            updated: time.unsigned_abs(),
            value: value.clone(),
        })
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
        let time = now();
        let done = sqlx::query(
            "UPDATE records SET value = ?3, version = version + 1, updated = ?4 \
             WHERE kind = ?1 AND id = ?2 AND version = ?5",
        )
        .bind(kind)
        .bind(&record.id)
        .bind(encode(kind, &record.id, &record.value)?)
        .bind(time)
        .bind(i64::try_from(record.version).unwrap_or(i64::MAX))
        .execute(self.connection())
        .await?;
        if done.rows_affected() == 0 {
            return Err(self.conflict(kind, &record.id, record.version).await?);
        }
        record.version += 1;
        record.updated = time.unsigned_abs();
        Ok(())
    }

    /// Removes the record that was read at `version`. `Conflict` if it changed since, or is gone.
    pub async fn remove(&mut self, kind: &str, id: &str, version: u64) -> Result<(), Error> {
        let done = sqlx::query("DELETE FROM records WHERE kind = ?1 AND id = ?2 AND version = ?3")
            .bind(kind)
            .bind(id)
            .bind(i64::try_from(version).unwrap_or(i64::MAX))
            .execute(self.connection())
            .await?;
        match done.rows_affected() {
            0 => Err(self.conflict(kind, id, version).await?),
            _ => Ok(()),
        }
    }

    async fn conflict(&mut self, kind: &str, id: &str, expected: u64) -> Result<Error, Error> {
        let found = version(self.connection(), kind, id).await?;
        Ok(Error::Conflict {
            kind: kind.into(),
            id: id.into(),
            expected,
            found,
        })
    }
}

impl Database {
    /// [`Transaction::insert`], committed.
    pub async fn insert<T: Serialize + Clone>(
        &self,
        kind: &str,
        id: &str,
        value: &T,
    ) -> Result<Record<T>, Error> {
        let mut change = self.begin().await?;
        let record = change.insert(kind, id, value).await?;
        change.commit().await?;
        Ok(record)
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
        let (version, updated) = (record.version, record.updated);
        let mut change = self.begin().await?;
        let mut done = change.update(kind, record).await;
        if done.is_ok() {
            done = change.commit().await;
        }
        if done.is_err() {
            (record.version, record.updated) = (version, updated);
        }
        done
    }

    /// [`Transaction::remove`], committed.
    pub async fn remove(&self, kind: &str, id: &str, version: u64) -> Result<(), Error> {
        let mut change = self.begin().await?;
        change.remove(kind, id, version).await?;
        change.commit().await
    }
}
