//! The command: parse, run, print, exit. Only this crate prints, exits and reads the environment.

mod args;
mod command;
mod print;

use std::{
    env, io, panic,
    process::{self, ExitCode},
    thread,
    time::Duration,
};

use clap::Parser;
use wardflow::{
    archive::is_guarded,
    error::{Context, Error, Result},
    sandbox::{COMPILE, compile_for_parent},
};

use args::{Analyze, Args, Command};
use command::Outcome;
use print::{Printer, Terminal};

/// Bytes of a thread's stack; taken only as far as it is used.
const STACK: usize = 256 << 20;

/// How long what goes on at the end may take to take its temporary files with it.
const LEFT_BEHIND: Duration = Duration::from_millis(500);

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    settle_memory();
    if env::args_os().nth(1).is_some_and(|first| first == COMPILE) {
        return compile();
    }
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let code = if error.use_stderr() { 2 } else { 0 };
            print::usage(error, env::args_os(), env::args_os().any(|arg| arg == "--json"));
            return ExitCode::from(code);
        }
    };
    let terminal = Terminal {
        no_color: env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
        dumb: env::var_os("TERM").is_none_or(|value| value.is_empty() || value == "dumb"),
    };
    let printer = Printer::new(&args.global, terminal);
    print::warnings::show(&printer);
    let told = printer.clone();
    panic::set_hook(Box::new(move |panic| {
        if is_guarded() || is_expected(panic) {
            return;
        }
        // Without threads nothing goes on, and who waits for them waits for ever.
        if panic.payload_as_str().is_some_and(|message| message.contains("can't spawn worker thread")) {
            told.failure(
                &Error::failed("no thread can be started")
                    .remedy("allow more memory or processes: see ulimit -v and -u"),
            );
            process::exit(1);
        }
        let place = panic.location().map(|place| format!(" at {place}")).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no words");
        told.failure(
            &Error::failed(format!("this is a bug{place}: {message}")).remedy("please report it, with what you did"),
        );
    }));
    let done = thread::scope(|scope| {
        // Queries of thousands of terms are trees as deep.
        let big = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || run(args, &printer));
        let done = big.context(|| "cannot start a thread".to_owned()).map(thread::ScopedJoinHandle::join);
        done.and_then(|done| done.unwrap_or_else(|_| Err(Error::failed("stopped by a bug"))))
    });
    match done {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Incomplete) => ExitCode::FAILURE,
        Ok(Outcome::Repaired) => ExitCode::from(command::REPAIRED),
        Ok(Outcome::Interrupted) => ExitCode::from(command::INTERRUPTED),
        Err(error) => {
            let code = print::exit_code(&error);
            if code != ExitCode::SUCCESS {
                printer.failure(&error);
            }
            code
        }
    }
}

/// Compiles a plugin for the process that started this one. Before anything else: threads and what they hold would count
/// against the memory that it may take.
fn compile() -> ExitCode {
    match compile_for_parent(env::args_os().skip(2), io::stdin().lock(), io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print::failure(&error);
            print::exit_code(&error)
        }
    }
}

/// Whether deltalake brings this panic about and does without what it was doing: of an upload that could not be completed, as
/// where the disk is full, it tries to take back the parts, and gives the error all the same; and a log that is being read when
/// the command ends is not read to its end.
fn is_expected(panic: &panic::PanicHookInfo<'_>) -> bool {
    let is_in = |file: &str| panic.location().is_some_and(|place| place.file().ends_with(file));
    let said = panic.payload_as_str().unwrap_or_default();
    (is_in("/buffered.rs") && said == "Already shut down")
        || (is_in("/executor.rs") && said.starts_with("TokioMultiThreadExecutor has crashed"))
}

/// Huge pages are cleared whole for what little of them is used: a sixth of memory and time.
fn settle_memory() {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

fn run(args: Args, printer: &Printer) -> Result<Outcome> {
    let asked = match &args.command {
        Command::Analyze(Analyze { threads: Some(threads), .. }) => Some(threads.get()),
        _ => None,
    };
    let threads = asked.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_stack_size(STACK)
        .enable_all()
        .build()
        .context(|| format!("cannot start {threads} threads"))?;
    let done = runtime.block_on(command::run(args, printer));
    // What was left behind when it was interrupted may never end.
    runtime.shutdown_timeout(LEFT_BEHIND);
    done
}
