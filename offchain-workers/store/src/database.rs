//! The SQLite file: opening, migrating, transactions.

use crate::{writer::Writer, Error};
use sqlx::{
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
    Connection, SqlSafeStr, Sqlite, SqliteConnection, SqlitePool,
};
use std::{
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// How long a writer waits for another one.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECTIONS: u32 = 4;

fn migrations() -> Migrator {
    Migrator::with_migrations(vec![Migration::new(
        1,
        "records and outbox".into(),
        MigrationType::Simple,
        include_str!("../migrations/0001_records_and_outbox.sql").into_sql_str(),
        false,
    )])
}

/// Whether a connection that comes back can be used again. SQLite ends a transaction by itself when a write finds no
/// room; the connection's own count of transactions knows nothing of it, and everything begun later on it would fail,
/// with room as well. The ping comes back behind a rollback that is on its way.
async fn is_usable(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// Now, in milliseconds since the Unix epoch.
pub(crate) fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

/// A worker's database. Cheap to clone; all clones share the file, which no other process can open meanwhile.
#[derive(Clone)]
pub struct Database {
    pool: SqlitePool,
    path: PathBuf,
    /// Single changes go through it. The writer's own handle has none.
    writer: Option<Writer>,
    _lock: Option<Arc<File>>,
}

impl Database {
    /// Opens the database at `path`, creating it and its folder if missing, and brings it to the present schema.
    ///
    /// Takes `<path>.lock` for as long as it is open, so that two workers never act on the same state.
    pub async fn open(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)
                .map_err(|e| Error::io(format!("creating {}", folder.display()), e))?;
        }
        let mut lock_path = path.as_os_str().to_owned();
        lock_path.push(".lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path);
        let lock =
            lock.map_err(|e| Error::io(format!("opening {}", lock_path.to_string_lossy()), e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::InUse(name)),
            Err(TryLockError::Error(e)) => return Err(Error::io(format!("locking {name}"), e)),
        }
        let options = Self::options().filename(path).create_if_missing(true);
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
            .after_release(|connection, _| Box::pin(is_usable(connection)))
            .connect_with(options)
            .await?;
        Self::prepare(Self {
            pool,
            path: path.into(),
            writer: None,
            _lock: Some(Arc::new(lock)),
        })
        .await
    }

    /// A database in memory, gone with its last clone: for tests.
    pub async fn in_memory() -> Result<Self, Error> {
        let options = SqlitePoolOptions::new()
            .min_connections(1)
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None);
        let pool = options
            .connect_with(Self::options().in_memory(true))
            .await?;
        Self::prepare(Self {
            pool,
            path: "(memory)".into(),
            writer: None,
            _lock: None,
        })
        .await
    }

    fn options() -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(WRITE_TIMEOUT)
    }

    async fn prepare(mut self) -> Result<Self, Error> {
        let wrong = |reason: String| Error::Migration {
            path: self.path.display().to_string(),
            reason,
        };
        match migrations().run(&self.pool).await {
            Ok(()) => {
                // Without the lock: the file is free as soon as nobody can want a change any more.
                self.writer = Some(Writer::start(Self {
                    _lock: None,
                    ..self.clone()
                }));
                Ok(self)
            }
            Err(sqlx::migrate::MigrateError::Execute(error)) => Err(error.into()),
            Err(other) => Err(wrong(other.to_string())),
        }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads every page and reports the first damage.
    pub async fn check(&self) -> Result<(), Error> {
        let answer: String = sqlx::query_scalar("PRAGMA integrity_check(1)")
            .fetch_one(&self.pool)
            .await?;
        match answer.as_str() {
            "ok" => Ok(()),
            _ => Err(Error::Corrupt {
                path: self.path.display().to_string(),
                reason: answer,
            }),
        }
    }

    /// Begins a change. What is done in it is seen by others after [`Transaction::commit`], all of it or nothing.
    ///
    /// Only one change is open at a time; a second one waits up to 30 s.
    pub async fn begin(&self) -> Result<Transaction, Error> {
        // IMMEDIATE: a deferred transaction that reads first would fail instead of waiting when it comes to write.
        Ok(Transaction {
            inner: self.pool.begin_with("BEGIN IMMEDIATE").await?,
        })
    }

    /// Writes what is pending to the main file and closes it. Not needed for safety, only for a tidy folder.
    pub async fn close(self) {
        self.pool.close().await;
    }

    pub(crate) fn writer(&self) -> Result<&Writer, Error> {
        let closed = || Error::from(sqlx::Error::PoolClosed);
        self.writer.as_ref().ok_or_else(closed)
    }

    pub(crate) async fn reader(&self) -> Result<sqlx::pool::PoolConnection<Sqlite>, Error> {
        Ok(self.pool.acquire().await?)
    }
}

/// A change in progress. Dropped without [`Transaction::commit`], it never happened.
pub struct Transaction {
    inner: sqlx::Transaction<'static, Sqlite>,
}

impl Transaction {
    /// Makes the change lasting: it is on the disk when this returns.
    pub async fn commit(self) -> Result<(), Error> {
        Ok(self.inner.commit().await?)
    }

    /// Forgets the change.
    pub async fn rollback(self) -> Result<(), Error> {
        Ok(self.inner.rollback().await?)
    }

    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.inner
    }
}
