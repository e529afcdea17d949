//! Questions that wait for their turn and are then asked together.
//!
//! A question about one job costs a cluster nearly as much as one about a hundred. So while one is being answered, all that
//! come meanwhile are gathered for the next.

use std::{
    future::Future,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{oneshot, Semaphore};

/// What to say when [`Gather::put`] gave none.
pub(crate) const INTERRUPTED: &str = "the question was interrupted";
/// Most questions in one exchange: as names of jobs they must fit on a command line, and in an address.
const MOST: usize = 100;

#[derive(Debug)]
struct Waiting<Q, A> {
    question: Q,
    answer: oneshot::Sender<A>,
}

/// Where questions of one kind are put.
#[derive(Debug)]
pub struct Gather<Q, A> {
    waiting: Mutex<Vec<Waiting<Q, A>>>,
    turns: Semaphore,
}

impl<Q, A> Default for Gather<Q, A> {
    /// One exchange at a time.
    fn default() -> Self {
        Self::with_turns(1)
    }
}

impl<Q, A> Gather<Q, A> {
    /// So many exchanges at a time.
    pub fn with_turns(turns: usize) -> Self {
        Self {
            waiting: Mutex::default(),
            turns: Semaphore::new(turns),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting<Q, A>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for all that wait, this question among them, whenever it is somebody's turn. `ask` gives one answer for each
    /// question, in order, and is begun after they were put: no answer is older than its question.
    ///
    /// `None`: whoever asked for it was interrupted. Put it again.
    pub async fn put<F>(&self, question: Q, ask: impl Fn(Vec<Q>) -> F) -> Option<A>
    where
        F: Future<Output = Vec<A>>,
    {
        // Whoever does not wait any more leaves nothing behind.
        let _leave = Leave(self);
        let (answer, mut answered) = oneshot::channel();
        self.waiting().push(Waiting { question, answer });
        let turn = tokio::select! {
            biased;
            answer = &mut answered => return answer.ok(),
            turn = self.turns.acquire() => turn.ok()?,
        };
        loop {
            match answered.try_recv() {
                Err(oneshot::error::TryRecvError::Empty) => {}
                answer => return answer.ok(),
            }
            let (mut questions, mut answers) = (Vec::new(), Vec::new());
            {
                let mut waiting = self.waiting();
                let most = waiting.len().min(MOST);
                for Waiting { question, answer } in waiting.drain(..most) {
                    questions.push(question);
                    answers.push(answer);
                }
            }
            if questions.is_empty() {
                // Somebody else asks, this question among others.
                drop(turn);
                return answered.await.ok();
            }
            for (answer, found) in answers.into_iter().zip(ask(questions).await) {
                // Whoever does not wait any more needs none.
                let _ = answer.send(found);
            }
        }
    }
}

/// Takes questions away for whose answer nobody waits.
struct Leave<'a, Q, A>(&'a Gather<Q, A>);

impl<Q, A> Drop for Leave<'_, Q, A> {
    fn drop(&mut self) {
        self.0.waiting().retain(|w| !w.answer.is_closed());
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            atomic::{AtomicUsize, Ordering},
            Arc,
        },
        time::Duration,
    };

    use futures::{future::join_all, FutureExt};
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn question_should_be_asked_with_all_others_when_they_wait_for_their_turn() {
        let gather = Gather::default();
        let (asked, open) = (Mutex::new(Vec::new()), Semaphore::new(0));
        let ask = |questions: Vec<usize>| {
            asked.lock().unwrap().push(questions.len());
            async {
                open.acquire().await.unwrap().forget();
                questions.into_iter().map(|n| n * 2).collect()
            }
        };
        let mut all = Box::pin(join_all((0..250).map(|n| gather.put(n, ask))));
        assert!(all.as_mut().now_or_never().is_none());
        open.add_permits(100);
        let answers: Vec<_> = all.await.into_iter().map(Option::unwrap).collect();
        assert_eq!(answers, (0..250).map(|n| n * 2).collect::<Vec<_>>());
        assert_eq!(*asked.lock().unwrap(), [1, MOST, MOST, 49]);
    }

    #[tokio::test]
    async fn question_should_be_asked_beside_others_when_there_are_more_turns() {
        let gather = Gather::with_turns(2);
        let (asked, open) = (Mutex::new(Vec::new()), Semaphore::new(0));
        let ask = |questions: Vec<usize>| {
            asked.lock().unwrap().push(questions.clone());
            async {
                open.acquire().await.unwrap().forget();
                questions
            }
        };
        let mut all = Box::pin(join_all((0..4).map(|n| gather.put(n, ask))));
        assert!(all.as_mut().now_or_never().is_none());
        assert_eq!(*asked.lock().unwrap(), [vec![0], vec![1]]);
        // Whoever has the turn now asks for the last as well, which then has a turn and nothing to ask.
        open.add_permits(1);
        assert!(all.as_mut().now_or_never().is_none());
        open.add_permits(1);
        assert!(all.as_mut().now_or_never().is_none());
        assert_eq!(*asked.lock().unwrap(), [vec![0], vec![1], vec![2, 3]]);
        open.add_permits(1);
        assert_eq!(all.await, [0, 1, 2, 3].map(Some));
        assert_eq!(asked.into_inner().unwrap().len(), 3);
    }

    #[tokio::test]
    async fn question_should_be_put_again_when_whoever_asked_was_interrupted() {
        let gather = Arc::new(Gather::<u8, u8>::default());
        let asked = Arc::new(AtomicUsize::new(0));
        let ask = |questions: Vec<u8>| {
            let first = asked.fetch_add(1, Ordering::SeqCst) < 2;
            async move {
                match first {
                    true => std::future::pending().await,
                    false => questions,
                }
            }
        };
        // The first asks for itself, the second for both others; both are given up.
        let mut first = Box::pin(gather.put(1, ask));
        assert!(first.as_mut().now_or_never().is_none());
        let mut second = Box::pin(gather.put(2, ask));
        let mut third = Box::pin(gather.put(3, ask));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(third.as_mut().now_or_never().is_none());
        drop(first);
        assert!(second.as_mut().now_or_never().is_none());
        drop(second);
        let patience = Duration::from_secs(10);
        assert_eq!(tokio::time::timeout(patience, third).await, Ok(None));
        let again = tokio::time::timeout(patience, gather.put(3, ask)).await;
        assert_eq!(again, Ok(Some(3)));
    }
}
