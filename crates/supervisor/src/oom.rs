//! How often the kernel has killed in our control group because memory ran out.

use std::fs;
use std::path::{Path, PathBuf};

/// Where control groups are mounted.
const MOUNT: &str = "/sys/fs/cgroup";

/// The kernel's count of kills for want of memory; `None` where it cannot be read.
pub(crate) fn kills() -> Option<u64> {
    let membership = fs::read_to_string("/proc/self/cgroup").ok()?;
    kills_of(&membership, Path::new(MOUNT))
}

fn kills_of(membership: &str, mount: &Path) -> Option<u64> {
    candidates(membership, mount)
        .into_iter()
        .find_map(|file| count(&fs::read_to_string(file).ok()?))
}

/// The files that may hold the count, the most telling first.
///
/// In a container the path may be the host's, while the mount shows our own group as its root.
fn candidates(membership: &str, mount: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in membership.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let path = path.trim_start_matches('/');
        if controllers.is_empty() {
            for root in [mount.to_owned(), mount.join("unified")] {
                files.push(root.join(path).join("memory.events"));
                files.push(root.join("memory.events"));
            }
        } else if controllers.split(',').any(|controller| controller == "memory") {
            let root = mount.join("memory");
            files.push(root.join(path).join("memory.oom_control"));
            files.push(root.join("memory.oom_control"));
        }
    }
    files
}

fn count(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mounted(files: &[(&str, &str)]) -> tempfile::TempDir {
        let mount = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = mount.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        mount
    }

    #[test]
    fn version_2_counts_in_memory_events() {
        let mount = mounted(&[("a/b/memory.events", "low 0\nhigh 0\nmax 9\noom 4\noom_kill 3\n")]);
        assert_eq!(kills_of("0::/a/b\n", mount.path()), Some(3));
    }

    #[test]
    fn version_1_counts_in_memory_oom_control() {
        let text = "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n";
        let mount = mounted(&[("memory/a/memory.oom_control", text)]);
        assert_eq!(kills_of("4:cpu,memory:/a\n0::/\n", mount.path()), Some(5));
    }

    #[test]
    fn a_path_of_the_host_falls_back_to_the_root_of_the_mount() {
        let mount = mounted(&[("memory.events", "oom_kill 1\n")]);
        assert_eq!(kills_of("0::/docker/abc\n", mount.path()), Some(1));
    }

    #[test]
    fn nothing_to_read_is_no_count() {
        let mount = mounted(&[]);
        assert_eq!(kills_of("0::/\n", mount.path()), None);
        assert_eq!(kills_of("nonsense", mount.path()), None);
    }
}
