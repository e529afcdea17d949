//! The outbox: actions to be done outside, each once.
//!
//! An action is enqueued under a key that names what it achieves (`submit:42`), in the same transaction as the record
//! that intends it. Enqueuing a known key does nothing, in any state: so whoever repeats a decision after a crash does
//! not repeat the action. Whether the outside did it before the crash is for the executor to look up.

use crate::{database::now, Database, Error, Transaction};
use serde::{de::DeserializeOwned, Serialize};
use sqlx::SqliteConnection;
use std::time::Duration;

/// Where an action stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionState {
    /// To be done.
    Pending,
    /// Done; the outcome is recorded.
    Done,
    /// Given up; the last error is recorded.
    Abandoned,
}

impl ActionState {
    fn from_code(code: i64) -> Self {
        match code {
            0 => Self::Pending,
            1 => Self::Done,
            _ => Self::Abandoned,
        }
    }
}

/// An action that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action<T> {
    /// What it achieves; unique.
    pub key: String,
    /// What it needs.
    pub payload: T,
    /// How often it failed so far.
    pub attempts: u32,
    /// Why it failed last.
    pub last_error: Option<String>,
    /// When it was enqueued, milliseconds since the Unix epoch.
    pub created: u64,
}

/// What is known of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome<R> {
    /// Where it stands.
    pub state: ActionState,
    /// What came of it, once done.
    pub outcome: Option<R>,
    /// How often it failed.
    pub attempts: u32,
    /// Why it failed last.
    pub last_error: Option<String>,
}

fn read<T: DeserializeOwned>(key: &str, text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|source| Error::Value {
        kind: "action".into(),
        id: key.into(),
        source,
    })
}

fn write<T: Serialize>(key: &str, value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|source| Error::Value {
        kind: "action".into(),
        id: key.into(),
        source,
    })
}

async fn action<R: DeserializeOwned>(
    c: &mut SqliteConnection,
    key: &str,
) -> Result<Option<Outcome<R>>, Error> {
    let row: Option<(i64, Option<String>, i64, Option<String>)> =
        sqlx::query_as("SELECT state, outcome, attempts, last_error FROM outbox WHERE key = ?1")
            .bind(key)
            .fetch_optional(c)
            .await?;
    let Some((state, outcome, attempts, last_error)) = row else {
        return Ok(None);
    };
    Ok(Some(Outcome {
        state: ActionState::from_code(state),
        outcome: outcome.map(|text| read(key, &text)).transpose()?,
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        last_error,
    }))
}

impl Transaction {
    /// Enqueues an action; `false` if its key is known already, whatever its state.
    pub async fn enqueue<T: Serialize>(
        &mut self,
        key: &str,
        topic: &str,
        payload: &T,
    ) -> Result<bool, Error> {
        let done = sqlx::query(
            "INSERT INTO outbox (key, topic, payload, state, attempts, not_before, created, updated) \
             VALUES (?1, ?2, ?3, 0, 0, 0, ?4, ?4) ON CONFLICT DO NOTHING",
        )
        .bind(key)
        .bind(topic)
        .bind(write(key, payload)?)
        .bind(now())
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// What is known of an action; `None` if it was never enqueued.
    pub async fn action<R: DeserializeOwned>(
        &mut self,
        key: &str,
    ) -> Result<Option<Outcome<R>>, Error> {
        action(self.connection(), key).await
    }

    /// Marks an action as done. Doing so again changes nothing: the first outcome stays.
    pub async fn complete<R: Serialize>(&mut self, key: &str, outcome: &R) -> Result<(), Error> {
        let text = write(key, outcome)?;
        let sql =
            "UPDATE outbox SET state = 1, outcome = ?2, updated = ?3 WHERE key = ?1 AND state <> 1";
        let done = sqlx::query(sql)
            .bind(key)
            .bind(text)
            .bind(now())
            .execute(self.connection())
            .await?;
        match done.rows_affected() {
            0 => self.known(key).await,
            _ => Ok(()),
        }
    }

    /// Notes that an action failed; it is due again after `wait`.
    pub async fn retry(&mut self, key: &str, error: &str, wait: Duration) -> Result<(), Error> {
        let time = now();
        let at = time.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
        let done = sqlx::query(
            "UPDATE outbox SET attempts = attempts + 1, last_error = ?2, not_before = ?3, updated = ?4 \
             WHERE key = ?1 AND state = 0",
        )
        .bind(key)
        .bind(error)
        .bind(at)
        .bind(time)
        .execute(self.connection())
        .await?;
        match done.rows_affected() {
            0 => self.known(key).await,
            _ => Ok(()),
        }
    }

    /// Gives an action up for good. One that is done stays done.
    pub async fn abandon(&mut self, key: &str, error: &str) -> Result<(), Error> {
        let sql =
            "UPDATE outbox SET state = 2, attempts = attempts + 1, last_error = ?2, updated = ?3 \
                   WHERE key = ?1 AND state = 0";
        let done = sqlx::query(sql)
            .bind(key)
            .bind(error)
            .bind(now())
            .execute(self.connection())
            .await?;
        match done.rows_affected() {
            0 => self.known(key).await,
            _ => Ok(()),
        }
    }

    async fn known(&mut self, key: &str) -> Result<(), Error> {
        match self.action::<serde_json::Value>(key).await? {
            Some(_) => Ok(()),
            None => Err(Error::NoAction(key.into())),
        }
    }
}

impl Database {
    /// [`Transaction::enqueue`], committed.
    pub async fn enqueue<T: Serialize>(
        &self,
        key: &str,
        topic: &str,
        payload: &T,
    ) -> Result<bool, Error> {
        let mut change = self.begin().await?;
        let new = change.enqueue(key, topic, payload).await?;
        change.commit().await?;
        Ok(new)
    }

    /// Pending actions of a topic whose time has come, the longest waiting first, at most `limit`.
    pub async fn due<T: DeserializeOwned>(
        &self,
        topic: &str,
        limit: u32,
    ) -> Result<Vec<Action<T>>, Error> {
        let rows: Vec<(String, String, i64, Option<String>, i64)> = sqlx::query_as(
            "SELECT key, payload, attempts, last_error, created FROM outbox \
             WHERE topic = ?1 AND state = 0 AND not_before <= ?2 ORDER BY not_before, created, key LIMIT ?3",
        )
        .bind(topic)
        .bind(now())
        .bind(limit)
        .fetch_all(&mut *self.reader().await?)
        .await?;
        rows.into_iter()
            .map(|(key, payload, attempts, last_error, created)| {
                Ok(Action {
                    payload: read(&key, &payload)?,
                    attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
                    last_error,
                    created: created.unsigned_abs(),
                    key,
                })
            })
            .collect()
    }

    /// What is known of an action; `None` if it was never enqueued.
    pub async fn action<R: DeserializeOwned>(
        &self,
        key: &str,
    ) -> Result<Option<Outcome<R>>, Error> {
        action(&mut *self.reader().await?, key).await
    }

    /// Number of pending actions of a topic, due or waiting: for metrics.
    pub async fn pending(&self, topic: &str) -> Result<u64, Error> {
        let count: i64 =
            sqlx::query_scalar("SELECT count(*) FROM outbox WHERE topic = ?1 AND state = 0")
                .bind(topic)
                .fetch_one(&mut *self.reader().await?)
                .await?;
        Ok(count.unsigned_abs())
    }

    /// [`Transaction::complete`], committed.
    pub async fn complete<R: Serialize>(&self, key: &str, outcome: &R) -> Result<(), Error> {
        let mut change = self.begin().await?;
        change.complete(key, outcome).await?;
        change.commit().await
    }

    /// [`Transaction::retry`], committed.
    pub async fn retry(&self, key: &str, error: &str, wait: Duration) -> Result<(), Error> {
        let mut change = self.begin().await?;
        change.retry(key, error, wait).await?;
        change.commit().await
    }

    /// [`Transaction::abandon`], committed.
    pub async fn abandon(&self, key: &str, error: &str) -> Result<(), Error> {
        let mut change = self.begin().await?;
        change.abandon(key, error).await?;
        change.commit().await
    }

    /// Forgets actions that were done or abandoned more than `age` ago; returns how many. Their keys can be used
    /// again: keep `age` longer than anything that may repeat a decision.
    pub async fn forget_actions(&self, age: Duration) -> Result<u64, Error> {
        let before = now().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let mut change = self.begin().await?;
        let done = sqlx::query("DELETE FROM outbox WHERE state <> 0 AND updated < ?1")
            .bind(before)
            .execute(change.connection())
            .await?;
        change.commit().await?;
        Ok(done.rows_affected())
    }
}
