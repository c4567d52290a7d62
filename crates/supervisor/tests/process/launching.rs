//! What a launched process gets, and why a launch fails.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use rapid_interop::process::{Launch, LaunchError, Process, Processes, Termination};
use rapid_supervisor::{Config, Stream, Supervisor, SupervisorError};

use crate::support::{KILL, Kept, launch, sh};

async fn run(launch: Launch) -> (Termination, Arc<Kept>) {
    let kept = Kept::new();
    let supervisor = Supervisor::new(Config::default(), Arc::clone(&kept)).unwrap();
    let child = supervisor.launch(launch).await.unwrap();
    let termination = child.exited().await;
    assert!(child.stop(KILL).await.clean);
    (termination, kept)
}

async fn refusal(launch: Launch) -> LaunchError {
    let supervisor = Supervisor::new(Config::default(), Kept::new()).unwrap();
    supervisor.launch(launch).await.unwrap_err()
}

fn script(directory: &Path, name: &str, text: &str, mode: u32) -> String {
    let path = directory.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_supervisor_needs_a_runtime() {
    assert!(matches!(
        Supervisor::new(Config::default(), Kept::new()),
        Err(SupervisorError::NoRuntime)
    ));
}

#[tokio::test]
async fn the_exit_status_is_told() {
    for status in [0, 1, 42, 255] {
        assert_eq!(run(sh(&format!("exit {status}"))).await.0, Termination::Exited(status));
    }
}

#[tokio::test]
async fn the_signal_that_ended_it_is_told() {
    for signal in [1, 6, 9, 11, 15, 34] {
        let ended = run(sh(&format!("ulimit -c 0; kill -{signal} $$"))).await.0;
        assert_eq!(ended, Termination::Signaled(signal));
    }
}

#[tokio::test]
async fn the_end_is_told_to_any_number_and_also_afterwards() {
    let supervisor = Supervisor::new(Config::default(), Kept::new()).unwrap();
    let child = supervisor.launch(sh("exit 3")).await.unwrap();
    let (one, other) = tokio::join!(child.exited(), child.exited());
    assert_eq!((one, other), (Termination::Exited(3), Termination::Exited(3)));
    assert!(child.stop(KILL).await.clean);
    assert_eq!(child.clone().exited().await, Termination::Exited(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_before_the_launch_has_returned_is_not_missed() {
    let supervisor = Arc::new(Supervisor::new(Config::default(), Kept::new()).unwrap());
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let supervisor = Arc::clone(&supervisor);
            tokio::spawn(async move {
                for _ in 0..25 {
                    let child = supervisor.launch(launch(&["/bin/true"])).await.unwrap();
                    assert_eq!(child.exited().await, Termination::Exited(0));
                    assert!(child.stop(KILL).await.clean);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn the_environment_is_exactly_the_given_one_in_its_order() {
    let mut launch = launch(&["/usr/bin/env"]);
    launch.env = vec![
        ("ZULU".into(), "1".into()),
        ("ALPHA".into(), "two words = 2".into()),
        ("EMPTY".into(), "".into()),
    ];
    let (_, kept) = run(launch).await;
    assert_eq!(kept.stdout(), "ZULU=1\nALPHA=two words = 2\nEMPTY=\n");
}

#[tokio::test]
async fn the_arguments_arrive_as_they_are_and_the_first_as_it_was_given() {
    let (_, kept) = run(launch(&["sh", "-c", "printf '%s|' \"$0\" \"$@\"", "a b", "", "*"])).await;
    assert_eq!(kept.stdout(), "a b||*|");
    let (_, kept) = run(launch(&["cat", "/proc/self/cmdline"])).await;
    assert_eq!(kept.stdout(), "cat\0/proc/self/cmdline\0");
}

#[tokio::test]
async fn it_runs_where_it_is_told_to() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap();
    let mut launch = sh("/bin/pwd");
    launch.cwd = path.clone();
    let (_, kept) = run(launch).await;
    assert_eq!(kept.stdout(), format!("{}\n", path.display()));
}

#[tokio::test]
async fn it_leads_a_group_of_its_own_and_reads_nothing() {
    let (_, kept) = run(sh("cut -d' ' -f1,5 /proc/$$/stat; cat; readlink /proc/self/fd/0")).await;
    let stdout = kept.stdout();
    let (ids, stdin) = stdout.split_once('\n').unwrap();
    let (pid, group) = ids.split_once(' ').unwrap();
    assert_eq!(pid, group);
    assert_eq!(stdin, "/dev/null\n");
}

#[tokio::test]
async fn it_inherits_no_descriptor_but_the_standard_three() {
    // One that would be inherited.
    let leaky = fs::File::open("/dev/null").unwrap();
    nix::fcntl::fcntl(&leaky, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).unwrap();
    let (_, kept) = run(launch(&["ls", "/proc/self/fd"])).await;
    // The last is the directory itself.
    assert_eq!(kept.stdout(), "0\n1\n2\n3\n");
}

#[tokio::test]
async fn it_ignores_and_blocks_no_signal() {
    let (_, kept) = run(launch(&["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"])).await;
    assert_eq!(kept.stdout(), "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

#[tokio::test]
async fn both_streams_arrive_under_their_names() {
    let (_, kept) = run(sh("echo out; echo err >&2")).await;
    assert_eq!(kept.stdout(), "out\n");
    assert_eq!(kept.stream(Stream::Stderr), "err\n");
}

#[tokio::test]
async fn a_command_without_a_slash_is_looked_up_in_the_given_path() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (directory.path().join("first"), directory.path().join("second"));
    for path in [&first, &second] {
        fs::create_dir(path).unwrap();
    }
    script(&first, "bootstrap", "#!/bin/sh\necho not executable\n", 0o644);
    script(&second, "bootstrap", "#!/bin/sh\necho found\n", 0o755);
    let mut launch = launch(&["bootstrap"]);
    launch.env = vec![("PATH".into(), format!("{}:second", first.display()).into())];
    launch.cwd = directory.path().into();
    assert_eq!(run(launch.clone()).await.1.stdout(), "found\n");

    launch.env = vec![("PATH".into(), first.as_os_str().into())];
    assert_eq!(
        refusal(launch.clone()).await,
        LaunchError::NotExecutable { path: "bootstrap".into() }
    );
    launch.env = Vec::new();
    assert_eq!(refusal(launch).await, LaunchError::NotFound { path: "bootstrap".into() });
}

#[tokio::test]
async fn a_relative_command_is_relative_to_the_working_directory() {
    let directory = tempfile::tempdir().unwrap();
    script(directory.path(), "bootstrap", "#!/bin/sh\necho found\n", 0o755);
    let mut launch = launch(&["./bootstrap"]);
    launch.cwd = directory.path().into();
    assert_eq!(run(launch).await.1.stdout(), "found\n");
}

#[tokio::test]
async fn what_is_missing_or_not_executable_is_told_in_the_systems_words() {
    let directory = tempfile::tempdir().unwrap();
    let plain = script(directory.path(), "plain", "#!/bin/sh\n", 0o644);
    let rows = [
        ("/nowhere/bootstrap", "fork/exec /nowhere/bootstrap: no such file or directory"),
        ("/tmp", "fork/exec /tmp: permission denied"),
        ("nowhere-in-the-path", "fork/exec nowhere-in-the-path: no such file or directory"),
        ("", "fork/exec : no such file or directory"),
    ];
    for (path, message) in rows {
        assert_eq!(refusal(launch(&[path])).await.to_string(), message);
    }
    let denied = refusal(launch(&[&plain])).await;
    assert_eq!(denied, LaunchError::NotExecutable { path: plain });
}

#[tokio::test]
async fn a_script_whose_interpreter_is_missing_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let rows = [
        ("#!/nowhere/python\n", "(is its interpreter, /nowhere/python, there?)"),
        ("#!/bin/sh\r\n", "(its first line, '#!/bin/sh', ends with a carriage return)"),
    ];
    for (text, hint) in rows {
        let path = script(directory.path(), "bootstrap", text, 0o755);
        let expected = format!("fork/exec {path}: no such file or directory {hint}");
        assert_eq!(refusal(launch(&[&path])).await.to_string(), expected);
    }
}

#[tokio::test]
async fn a_file_of_no_known_format_is_refused_and_not_given_to_a_shell() {
    let directory = tempfile::tempdir().unwrap();
    let path = script(directory.path(), "bootstrap", "echo I am a shell script\n", 0o755);
    let expected = format!("fork/exec {path}: exec format error");
    assert_eq!(refusal(launch(&[&path])).await.to_string(), expected);
}

#[tokio::test]
async fn a_nul_byte_is_refused() {
    let mut launch = sh("true");
    launch.env.push(("KEY".into(), "a\0b".into()));
    assert_eq!(refusal(launch).await.to_string(), "fork/exec /bin/sh: invalid argument");
}

#[tokio::test]
async fn a_bad_working_directory_is_told_apart_from_a_bad_command() {
    let rows = [
        (
            "var/task",
            "the working directory 'var/task' is invalid, it needs to be an absolute path",
        ),
        ("/nowhere", "the working directory doesn't exist: /nowhere"),
        ("/dev/null", "the working directory doesn't exist: /dev/null"),
    ];
    for (cwd, message) in rows {
        let mut launch = launch(&["/nowhere/bootstrap"]);
        launch.cwd = cwd.into();
        assert_eq!(refusal(launch).await.to_string(), message);
    }
}
