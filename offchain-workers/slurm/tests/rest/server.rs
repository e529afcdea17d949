//! A server that answers what a test tells it to, byte by byte.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What to do about a request.
pub enum Answer {
    /// These bytes, then close.
    Bytes(Vec<u8>),
    /// A JSON body with this status.
    Json(u16, String),
    /// A body without end.
    Endless,
    /// Nothing, for ever.
    Silence,
}

impl Answer {
    pub fn json(body: impl Into<String>) -> Self {
        Self::Json(200, body.into())
    }
}

type Script = Arc<dyn Fn(&str, &str) -> Answer + Send + Sync>;

/// Listens until it is dropped.
pub struct Server {
    pub url: String,
    seen: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// `script` is asked with method and path for every request.
    pub async fn start(script: impl Fn(&str, &str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("address"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, log): (Script, _) = (Arc::new(script), seen.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, log) = (script.clone(), log.clone());
                tokio::spawn(async move { serve(stream, &script, &log).await });
            }
        });
        Self { url, seen, task }
    }

    /// How many requests of this method and beginning of the path there were.
    pub fn count(&self, request: &str) -> usize {
        let seen = self.seen.lock().expect("log");
        seen.iter().filter(|line| line.starts_with(request)).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, script: &Script, log: &Mutex<Vec<String>>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    let head = loop {
        if let Some(end) = request.windows(4).position(|w| w == b"\r\n\r\n") {
            break end + 4;
        }
        match stream.read(&mut buffer).await {
            Ok(read) if read > 0 => request.extend_from_slice(&buffer[..read]),
            _ => return,
        }
    };
    let text = String::from_utf8_lossy(&request[..head]).to_string();
    let length = text
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.parse::<usize>().ok())
        .unwrap_or(0);
    while request.len() < head + length {
        match stream.read(&mut buffer).await {
            Ok(read) if read > 0 => request.extend_from_slice(&buffer[..read]),
            _ => return,
        }
    }
    let mut words = text.split(' ');
    let (method, path) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    log.lock().expect("log").push(format!("{method} {path}"));
    // A client that has gone is as good as one that listened.
    let _ = match script(method, path) {
        Answer::Bytes(bytes) => stream.write_all(&bytes).await,
        Answer::Json(status, body) => {
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all(format!("{head}{body}").as_bytes()).await
        }
        Answer::Endless => {
            let mut sent = stream
                .write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"jobs\":[")
                .await;
            while sent.is_ok() {
                sent = stream.write_all(&[b' '; 65_536]).await;
            }
            sent
        }
        Answer::Silence => std::future::pending().await,
    };
}
