//! What compiling a plugin may take, and which plugins are compiled at all.

use std::{
    fs,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use wasm_encoder::{
    CodeSection, ComponentSection, Function, FunctionSection, InstanceSection, Instruction, Module, ModuleArg,
    ModuleSection, TypeSection,
};

use crate::support::{Scratch, guest};

/// Calls in a row: two megabytes, of which the compiler makes five seconds and 1.8 GB. There is no branch and no variable
/// in them, so that no rule about these tells.
const CALLS: u32 = 1_000_000;

/// The core modules that a guest of the tests has.
const MODULES: u32 = 2;

/// A good plugin, but for a part that takes long to compile.
fn bomb() -> Vec<u8> {
    let (mut types, mut functions, mut code) = (TypeSection::new(), FunctionSection::new(), CodeSection::new());
    types.ty().function([], []);
    functions.function(0);
    let mut calls = Function::new([]);
    for _ in 0..CALLS {
        calls.instruction(&Instruction::Call(0));
    }
    calls.instruction(&Instruction::End);
    code.function(&calls);
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&code);
    let mut component = guest("observe", "");
    ModuleSection(&module).append_to_component(&mut component);
    let mut instances = InstanceSection::new();
    instances.instantiate::<[(&str, ModuleArg); 0], &str>(MODULES, []);
    instances.append_to_component(&mut component);
    component
}

/// A workspace `w` with flows and `scan`, which has been compiled.
fn workspace() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("logs/conn.log", include_str!("data/zeek/conn.log"));
    scratch.done("wardflow init w");
    scratch.keep_plugins("w", &["scan"]);
    scratch.done("wardflow -C w -q ingest zeek logs && wardflow -C w status");
    scratch
}

/// The processes of a session that have not ended, as the kernel names them.
fn session(leader: u32) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let stat = processes.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    let is_member = |stat: &String| {
        let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let [state, session] = [0, 3].map(|field| rest.split(' ').nth(field).unwrap_or_default());
        state != "Z" && session == leader.to_string()
    };
    stat.filter(is_member).collect()
}

/// Starts a command in a session of its own.
fn start(scratch: &Scratch, line: &str) -> Child {
    scratch.shell(&format!("exec setsid {line}")).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

fn check_bomb(limit: &str, expected: &str) {
    let scratch = workspace();
    scratch.write("w/plugins/bomb.wasm", bomb());
    scratch.done(&format!("printf '[limits]\\n{limit}\\n' >>w/wardflow.toml"));
    let run = start(&scratch, "wardflow -C w analyze");
    let leader = run.id();
    let ran = run.wait_with_output().unwrap();
    assert_eq!(ran.status.code(), Some(1));
    assert_eq!(session(leader), Vec::<String>::new());
    let stdout = String::from_utf8(ran.stdout).unwrap();
    let remedy = "compilers of a language, with their defaults, write nothing that takes so much: ask its publisher, or \
                  raise the limit in wardflow.toml";
    assert_eq!(
        stdout.lines().last().unwrap_or_default(),
        format!(
            "Not everything was covered: example/faulty was kept out and did not run in 1 slice (it cannot be compiled: \
             {expected}; {remedy}). See: wardflow plugin list"
        )
    );
    let statuses = "SELECT plugin, status FROM coverage ORDER BY plugin";
    let covered = scratch.done(&format!("wardflow -C w sql '{statuses}' --format csv | tail -n +2"));
    assert_eq!(covered.lines().collect::<Vec<_>>(), ["example/faulty,not_run", "wardflow/scan,complete"]);
}

#[test]
fn a_bomb_of_time_is_stopped_and_stops_no_other() {
    check_bomb("compile_s = 1", "CPU time of compiling: over 1 s asked, 1 s allowed (compile_s in [limits])");
}

#[test]
fn a_bomb_of_memory_is_stopped_and_stops_no_other() {
    check_bomb(
        "compile_mib = 256",
        "memory of compiling: over 256 MiB asked, 256 MiB allowed (compile_mib in [limits])",
    );
}

/// Starts an analysis that will take seconds to compile a plugin, and waits until it does.
fn compiling(scratch: &Scratch) -> Child {
    scratch.write("w/plugins/bomb.wasm", bomb());
    scratch.done("printf '[limits]\\ncompile_mib = 16384\\n' >>w/wardflow.toml");
    let mut run = start(scratch, "wardflow -C w analyze");
    while session(run.id()).len() < 2 {
        assert!(run.try_wait().unwrap().is_none(), "it ended without compiling");
        thread::sleep(Duration::from_millis(1));
    }
    run
}

#[test]
fn what_compiles_ends_with_a_run_that_is_killed() {
    let scratch = workspace();
    let mut run = compiling(&scratch);
    run.kill().unwrap();
    run.wait().unwrap();
    while !session(run.id()).is_empty() {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn what_compiles_ends_with_a_run_that_is_interrupted() {
    let scratch = workspace();
    let run = compiling(&scratch);
    let leader = run.id();
    let told = Command::new("kill").args(["-TERM", &leader.to_string()]).status().unwrap();
    assert!(told.success());
    assert_eq!(run.wait_with_output().unwrap().status.code(), Some(130));
    assert_eq!(session(leader), Vec::<String>::new());
}

/// The number of compiled plugins in a home of the test's own.
fn compiled(scratch: &Scratch) -> usize {
    scratch.done("mkdir -p home && find home -name '*.code'").lines().count()
}

const AT_HOME: &str = "export HOME=$PWD/home XDG_CACHE_HOME=";

#[test]
fn nothing_is_compiled_before_it_is_approved() {
    let scratch = workspace();
    scratch.done("rm w/plugins/scan.wasm && printf 'approval = \"required\"\\n' >w/wardflow.toml");
    scratch.write("w/plugins/faulty.wasm", guest("observe", ""));
    let commands = [
        "status",
        "plugin list",
        "plugin inspect plugins/faulty.wasm",
        "sql 'SELECT * FROM plugins'",
        "sql \"SELECT * FROM detect('example/faulty')\"",
        "analyze",
    ];
    let try_all = || commands.map(|command| scratch.run(&format!("{AT_HOME}; wardflow -C w {command}")));
    try_all();
    assert_eq!(compiled(&scratch), 0);
    scratch.done("wardflow -C w plugin approve example/faulty");
    let last = try_all().into_iter().next_back().unwrap();
    assert_eq!((last.code, compiled(&scratch)), (Some(0), 1), "{last:#?}");
    // Other bytes under the same version.
    scratch.write("w/plugins/faulty.wasm", guest("observe", "(drop (i32.const 0))"));
    let last = try_all().into_iter().next_back().unwrap();
    assert_eq!((last.code, compiled(&scratch)), (Some(1), 1), "{last:#?}");
}

#[test]
fn trouble_with_compiled_code_is_told_once() {
    let scratch = workspace();
    let told = |command: &str| {
        let ran = scratch.run(&format!("{AT_HOME}; wardflow -C w {command}"));
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        ran.stderr.lines().filter(|line| line.starts_with("warning: compiled code")).collect::<Vec<_>>().join("\n")
    };
    let home = scratch.path().join("home/.cache/wardflow/code");
    assert_eq!(told("status"), "");
    scratch.done("for code in home/.cache/wardflow/code/*.code; do printf x >>$code; done");
    assert!(
        told("status").starts_with(&format!("warning: compiled code was damaged and is made anew: {}", home.display()))
    );
    assert_eq!(told("status"), "");
    scratch.done("chmod 755 home/.cache/wardflow/code");
    let twice = "sql \"SELECT a.kind FROM detect('wardflow/scan') AS a, detect('wardflow/scan') AS b\"";
    for command in ["status", "analyze", "plugin run w/plugins/scan.wasm", twice] {
        assert_eq!(
            told(command),
            format!("warning: compiled code is not kept: {}: its mode is 0755; it must be 0700", home.display()),
            "{command}"
        );
    }
}
