//! A child process that compiles one component, from within: it lets go of what it does not need, limits itself, reads the
//! component from its parent, and answers. The other side is `child`.

use std::{
    ffi::OsString,
    fs,
    io::{self, Read, Write},
};

use rustix::{
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};
use wasmtime::OutOfMemory;

use super::{
    compiler::{chain, compile},
    engine::compiling_engine,
    reply::Reply,
};
use crate::error::{Context, Error, Result};

/// The command's first argument that makes it such a process. The seconds of CPU time and the MiB of memory that it may
/// take follow.
pub const COMPILE: &str = "compile-plugin";

/// Compiles what comes from `input` to its end, and answers on `output`. `arguments` are those after [`COMPILE`].
///
/// It limits this whole process, for good: nothing else can be done in it. If it takes more than it may, the kernel ends
/// it, or its allocator does.
///
/// # Errors
/// There are no such arguments, or the parent went away.
pub fn compile_for_parent(
    mut arguments: impl Iterator<Item = OsString>,
    mut input: impl Read,
    mut output: impl Write,
) -> Result<()> {
    let mut number = || arguments.next()?.to_str()?.parse::<u32>().ok();
    let (Some(seconds), Some(mebibytes)) = (number(), number()) else {
        return Err(Error::usage(format!("{COMPILE} takes seconds and MiB, and a plugin on stdin"))
            .remedy("it is Wardflow's own: `wardflow plugin check FILE` compiles a plugin and tells what is wrong"));
    };
    confine(seconds, mebibytes).context(|| "a compiling process cannot limit itself".to_owned())?;
    let engine = compiling_engine()?;
    let mut component = Vec::new();
    input.read_to_end(&mut component).context(|| "the plugin cannot be read".to_owned())?;
    let reply = match compile(&engine, &component) {
        Ok(code) => Reply::Code(code),
        Err(error) if is_lack_of_memory(&error) => Reply::NoMemory,
        Err(error) => Reply::Refused(chain(&error)),
    };
    reply.write(&mut output).context(|| "the compiled plugin cannot be handed over".to_owned())
}

/// Ends with the parent, opens no file or socket, leaves no core, and takes no more than this.
fn confine(seconds: u32, mebibytes: u32) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let seconds = u64::from(seconds);
    let own = own_bytes();
    lower(Resource::Core, 0, 0)?;
    // Those of stdin, stdout and stderr are there; descriptors from 3 on cannot be.
    lower(Resource::Nofile, 3, 3)?;
    // The first says what happened, by its signal; the second cannot be caught.
    lower(Resource::Cpu, seconds, seconds + 1)?;
    let bytes = own + (u64::from(mebibytes) << 20);
    lower(Resource::As, bytes, bytes)
}

/// Bytes of address space that this process begins with: its executable, for the most part. None where that is not told.
fn own_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")?.split_whitespace().next()?.parse().ok());
    size.unwrap_or(0) << 10
}

/// Lowers a limit. One that is lower already stays.
fn lower(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    let hard = getrlimit(resource).maximum.map_or(hard, |maximum| maximum.min(hard));
    Ok(setrlimit(resource, Rlimit { current: Some(soft.min(hard)), maximum: Some(hard) })?)
}

/// Code is put together in memory that comes from the system itself, which says no as an error.
fn is_lack_of_memory(error: &wasmtime::Error) -> bool {
    error.is::<OutOfMemory>() || error.chain().any(|cause| cause.downcast_ref() == Some(&Errno::NOMEM))
}
