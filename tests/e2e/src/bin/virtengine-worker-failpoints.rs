//! The worker, with one more argument: `--failpoint NAME:N` kills it at a named step. For tests, never shipped.

fn main() {
    let mut arguments: Vec<_> = std::env::args_os().collect();
    let mut observer = virtengine_worker::unobserved();
    if let Some(at) = arguments.iter().position(|a| a == "--failpoint") {
        let value = arguments
            .drain(at..(at + 2).min(arguments.len()))
            .nth(1)
            .unwrap_or_default();
        let value = value.to_string_lossy();
        let (name, nth) = value.split_once(':').unwrap_or((&value, "1"));
        match nth
            .parse()
            .ok()
            .and_then(|nth| virtengine_worker::dying_at(name, nth))
        {
            Some(dying) => observer = dying,
            None => {
                eprintln!("--failpoint: {value} is no NAME:N of a named step");
                std::process::exit(2);
            }
        }
    }
    std::process::exit(virtengine_worker::main(arguments, observer));
}
