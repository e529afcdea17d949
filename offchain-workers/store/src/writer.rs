//! Changes of single records: those that come while a commit is on its way to the disk share the next one.
//!
//! A commit waits for the disk for some milliseconds, whatever it contains. With many jobs at once that, and SQLite's one
//! writer at a time, would decide how many of them a worker can look after.

use crate::{
    database::now,
    records::{apply, Change, Stamp},
    Database, Error, Transaction,
};
use tokio::sync::{mpsc, oneshot};

/// Most changes in one commit.
const TOGETHER: usize = 256;

struct Wanted {
    change: Change,
    answer: oneshot::Sender<Result<Stamp, Error>>,
}

/// Where changes are handed in. The task behind it ends with the last of its clones.
#[derive(Clone)]
pub(crate) struct Writer(mpsc::UnboundedSender<Wanted>);

impl Writer {
    /// Changes `database`, which has no writer of its own.
    pub(crate) fn start(database: Database) -> Self {
        let (hand_in, mut handed_in) = mpsc::unbounded_channel::<Wanted>();
        tokio::spawn(async move {
            let mut wanted = Vec::new();
            while handed_in.recv_many(&mut wanted, TOGETHER).await > 0 {
                write(&database, std::mem::take(&mut wanted)).await;
            }
        });
        Self(hand_in)
    }

    /// Makes a change; it is on the disk when this returns.
    pub(crate) async fn write(&self, change: Change) -> Result<Stamp, Error> {
        let (answer, answered) = oneshot::channel();
        let closed = || Error::from(sqlx::Error::PoolClosed);
        self.0
            .send(Wanted { change, answer })
            .map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }
}

/// All in one transaction; one by one if that fails, so that each is told what is wrong with itself.
async fn write(database: &Database, wanted: Vec<Wanted>) {
    if let [_, _, ..] = wanted.as_slice() {
        let changes = wanted.iter().map(|wanted| &wanted.change);
        if let Ok(outcomes) = together(database, changes).await {
            for (wanted, outcome) in wanted.into_iter().zip(outcomes) {
                // Whoever does not wait any more finds it done.
                let _ = wanted.answer.send(outcome);
            }
            return;
        }
    }
    for Wanted { change, answer } in wanted {
        let _ = answer.send(alone(database, &change).await);
    }
}

/// The outcome of each: done, or a conflict, which changes nothing. `Err`: nothing of all of it was done.
async fn together(
    database: &Database,
    changes: impl Iterator<Item = &Change>,
) -> Result<Vec<Result<Stamp, Error>>, Error> {
    let mut transaction = database.begin().await?;
    let mut outcomes = Vec::new();
    for change in changes {
        outcomes.push(match change_in(&mut transaction, change).await {
            Err(error) if !matches!(error, Error::Conflict { .. }) => return Err(error),
            outcome => outcome,
        });
    }
    transaction.commit().await?;
    Ok(outcomes)
}

async fn alone(database: &Database, change: &Change) -> Result<Stamp, Error> {
    let mut transaction = database.begin().await?;
    let stamp = change_in(&mut transaction, change).await?;
    transaction.commit().await?;
    Ok(stamp)
}

async fn change_in(transaction: &mut Transaction, change: &Change) -> Result<Stamp, Error> {
    apply(transaction.connection(), change, now()).await
}
