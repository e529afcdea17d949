//! The worker that is shipped. Nobody watches its steps.

fn main() {
    std::process::exit(virtengine_worker::main(
        std::env::args_os(),
        virtengine_worker::unobserved(),
    ));
}
