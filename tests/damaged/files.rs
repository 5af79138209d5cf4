//! Things in an archive that are no files of flows, or not for long.

use std::{
    fs,
    os::unix::fs::symlink,
    process::{Command, Stdio},
    time::Duration,
};

use super::support::{
    MIDNIGHT, SECOND, analyse_without, flows, ingested, lacking, largest, rows, with_good_file, write,
};

/// What is to be of a workspace in which all is well but for what is no file of flows.
#[track_caller]
fn is_done(scratch: &crate::support::Scratch) {
    assert_eq!(rows(scratch, "SELECT count(*) FROM flows"), ["3"]);
    for command in ["analyze --rerun", "status", "archive check"] {
        scratch.done(&format!("timeout 60 wardflow -C w {command}"));
    }
    assert_eq!(rows(scratch, "SELECT flows FROM coverage WHERE plugin = 'wardflow/beacon'"), ["3"]);
}

#[test]
fn what_is_no_file_is_passed_over() {
    let scratch = with_good_file();
    let archive = scratch.path().join("w/archive");
    let made = Command::new("mkfifo").arg(archive.join("fifo.parquet")).status().unwrap();
    assert!(made.success());
    fs::create_dir(archive.join("directory.parquet")).unwrap();
    symlink("/dev/zero", archive.join("zero.parquet")).unwrap();
    symlink("nowhere", archive.join("dangling.parquet")).unwrap();
    symlink(archive.join("itself.parquet"), archive.join("itself.parquet")).unwrap();
    is_done(&scratch);
}

/// Nobody writes into it, and so it would be waited for without end.
#[test]
fn a_pipe_is_no_setting() {
    for file in ["wardflow.toml", "plugins.lock", "inventory.csv"] {
        let scratch = with_good_file();
        if file == "inventory.csv" {
            scratch.done("sed -i '1i inventory = \"inventory.csv\"' w/wardflow.toml");
        }
        scratch.done(&format!("rm -f w/{file} && mkfifo w/{file}"));
        let ran = scratch.run("timeout 60 wardflow -C w status");
        assert!(ran.code.is_some_and(|code| [1, 2].contains(&code)), "{file}: {ran:#?}");
        assert!(ran.stderr.contains(file) && ran.stderr.contains("it is no regular file"), "{file}: {ran:#?}");
    }
}

#[test]
fn a_link_to_a_directory_above_is_passed_over() {
    let scratch = with_good_file();
    let archive = scratch.path().join("w/archive");
    fs::create_dir(archive.join("deep")).unwrap();
    symlink("..", archive.join("deep/up")).unwrap();
    symlink(".", archive.join("deep/here")).unwrap();
    is_done(&scratch);
}

#[test]
fn a_link_to_a_directory_is_what_lies_there() {
    let scratch = with_good_file();
    let elsewhere = scratch.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::rename(scratch.path().join("w/archive/good.parquet"), elsewhere.join("good.parquet")).unwrap();
    symlink(&elsewhere, scratch.path().join("w/archive/linked")).unwrap();
    is_done(&scratch);
}

#[test]
fn an_empty_file_is_named_and_a_file_without_rows_is_none() {
    let scratch = with_good_file();
    write(&scratch, "none.parquet", &[flows(&[])]);
    is_done(&scratch);
    scratch.write("w/archive/empty.parquet", "");
    analyse_without(&scratch, "empty.parquet");
    // A number of flows that is not that of all is no success. Of what was found, all is there.
    let ran = scratch.run("wardflow -C w -q sql --format csv 'SELECT count(*) FROM flows'");
    assert!(ran.code == Some(1) && ran.stdout.ends_with("\n3\n") && ran.stderr.contains("empty.parquet"), "{ran:#?}");
    assert_ne!(rows(&scratch, "SELECT count(*) FROM coverage"), ["0"]);
}

/// A file goes away or becomes another one while it is read: whenever that is, the run ends, and says so if it met it. The next
/// one comes to what there is.
#[test]
fn a_file_may_go_while_it_is_read() {
    for (number, becomes) in ["rm", "truncate -s 1000", "cp w/archive/small.parquet"].into_iter().enumerate() {
        let scratch = ingested();
        write(&scratch, "small.parquet", &[flows(&[(MIDNIGHT, MIDNIGHT + SECOND); 3])]);
        let path = largest(&scratch);
        for wait in [30, 120, 300] {
            let kept = fs::read(&path).unwrap();
            let mut run = scratch.shell("exec wardflow -C w -q analyze --rerun").stdout(Stdio::null()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(wait));
            scratch.done(&format!("{becomes} {}", path.display()));
            let code = run.wait().unwrap().code();
            assert!(matches!(code, Some(0 | 1)), "{becomes}: {code:?}");
            let ran = scratch.run("wardflow -C w -q analyze --rerun");
            let said = format!("{}{}", ran.stdout, ran.stderr);
            assert!(matches!(ran.code, Some(0 | 1)) && !said.contains("bug"), "{ran:#?}");
            if number == 1 {
                let name = path.file_name().unwrap().to_str().unwrap();
                assert!(ran.code == Some(1) && ran.stdout.contains(name), "{ran:#?}");
            }
            fs::write(&path, kept).unwrap();
        }
        scratch.done("wardflow -C w -q analyze --rerun");
        assert_eq!(lacking(&scratch, ".parquet"), Vec::<String>::new());
    }
}

/// A name that is no text is nothing that a flow file has, and stands in the way of no other.
#[test]
fn a_name_that_is_no_text_is_passed_over() {
    let scratch = with_good_file();
    scratch.done("cp w/archive/good.parquet $'w/archive/\\xff.parquet'");
    let ran = scratch.run("wardflow -C w -q analyze");
    assert_eq!(
        (ran.code, ran.stderr.matches("is passed over: its name is no UTF-8").count()),
        (Some(0), 1),
        "{ran:#?}"
    );
    assert!(ran.stderr.contains("\\xFF.parquet"), "{ran:#?}");
    assert_eq!(rows(&scratch, "SELECT count(*) FROM flows"), ["3"]);
}
