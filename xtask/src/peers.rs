//! Installs the real clients that the emulator is tested with: the runtime
//! clients of Python, Node and Rust, the SDKs of Python and JavaScript that
//! call functions, and the emulator that others use today, to compare answers with; and extensions:
//! with AWS's client, with rapid's own, AWS's web adapter, and one in Node
//! that reports to OpenTelemetry. A browser, which opens what functions serve,
//! is Debian's.
//!
//! Everything lands in `target/peers`, from pinned versions, and only from
//! package registries: the machine needs no access to anything else. A peer
//! whose inputs have not changed since it was installed is left as it is, so
//! the tests can ask for the peers every time.
//!
//! The sources of the functions are not copied: they run from `tests/peers`
//! and `examples`, so an edit of a Python or Node function needs no new
//! installation.

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::hash::{Hash, Hasher};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};

/// Part of every fingerprint: raise it when a step below changes, so that what
/// an earlier recipe installed is installed again.
const RECIPE: u32 = 1;

/// The wheel that carries the emulator to compare with, and where inside.
const RIE_WHEEL: &str = "aws-sam-cli==1.170.0";
const RIE_MEMBER: &str = "samcli/local/rapid/aws-lambda-rie";

/// How much of a failed command's output is worth reading in a terminal.
const TAIL_LINES: usize = 30;

/// A program that the machine has to have, and the Debian package with it.
type Program = (&'static str, &'static str);

/// What opens the pages of functions.
const BROWSER: Program = ("chromium", "chromium");

/// What compiles the native clients.
///
/// curl's `buildconf`, which the Node client runs over the curl it bundles,
/// asks for the second half.
const BUILD_TOOLS: [Program; 9] = [
    ("g++", "g++"),
    ("make", "make"),
    ("tar", "tar"),
    ("gzip", "gzip"),
    ("perl", "perl"),
    ("m4", "m4"),
    ("autoreconf", "autoconf"),
    ("aclocal", "automake"),
    ("libtoolize", "libtool"),
];

/// Something to install into a directory of its own under `target/peers`.
struct Peer {
    name: &'static str,
    /// Files that decide what is installed, from the workspace's root; a
    /// directory stands for all that is below it.
    inputs: &'static [&'static str],
    /// What must exist, from the peer's directory, for it to count as
    /// installed.
    products: &'static [&'static str],
    install: fn(&Site) -> Result<()>,
}

const PYTHON: Peer = Peer {
    name: "python",
    inputs: &["tests/peers/python/requirements.txt"],
    // The first is a link to the machine's Python: it dangles, and so counts
    // as missing, once that is gone.
    products: &["bin/python", "bin/cmake"],
    install: install_python,
};

const NODE: Peer = Peer {
    name: "node",
    inputs: &["tests/peers/node/package.json", "tests/peers/node/package-lock.json"],
    products: &[
        "node_modules/.bin/aws-lambda-ric",
        "node_modules/aws-lambda-ric/dist/rapid-client.node",
    ],
    install: install_node,
};

/// Apart from [`NODE`], which takes minutes to install again.
const SDK: Peer = Peer {
    name: "sdk",
    inputs: &["tests/peers/sdk/package.json", "tests/peers/sdk/package-lock.json"],
    products: &["node_modules/@aws-sdk/client-lambda/package.json"],
    install: install_sdk,
};

const RIE: Peer =
    Peer { name: "rie", inputs: &[], products: &["aws-lambda-rie"], install: install_rie };

const SERVERLESS: Peer = Peer {
    name: "serverless",
    inputs: &["tests/peers/serverless"],
    products: &["otel-extension/index.js"],
    install: install_serverless,
};

const RUST: Peer = Peer {
    name: "rust",
    inputs: &[
        "examples/rust/Cargo.toml",
        "examples/rust/Cargo.lock",
        "examples/rust/src/main.rs",
        "examples/rust-streaming/Cargo.toml",
        "examples/rust-streaming/Cargo.lock",
        "examples/rust-streaming/src/main.rs",
        "tests/peers/rust/Cargo.toml",
        "tests/peers/rust/Cargo.lock",
        "tests/peers/rust/src",
        "tests/peers/extensions/Cargo.toml",
        "tests/peers/extensions/Cargo.lock",
        "tests/peers/extensions/src",
        "examples/extension-rust/Cargo.toml",
        "examples/extension-rust/Cargo.lock",
        "examples/extension-rust/src",
        "examples/extension-telemetry/Cargo.toml",
        "examples/extension-telemetry/Cargo.lock",
        "examples/extension-telemetry/src",
        // The client that four of them are written with, what it takes its
        // events and its server from, and where its versions are.
        "crates/extension/Cargo.toml",
        "crates/extension/src",
        "crates/events/Cargo.toml",
        "crates/events/src",
        "crates/fatal-error/Cargo.toml",
        "crates/fatal-error/src",
        "crates/http/Cargo.toml",
        "crates/http/src",
        "crates/interop/Cargo.toml",
        "crates/interop/src",
        "Cargo.toml",
    ],
    products: &[
        "debug/hello-rust",
        "debug/hello-rust-streaming",
        "debug/echo",
        "debug/stream",
        "debug/web",
        "debug/logger",
        "debug/shipper",
        "debug/with-lambda-extension",
        "debug/with-lambda-telemetry",
        "debug/with-rapid-extension",
        "debug/with-rapid-telemetry",
        "debug/lambda-adapter",
    ],
    install: install_rust,
};

/// Where one peer is installed, and from where.
struct Site<'a> {
    root: &'a Path,
    /// `target/peers` itself, for what one peer uses of another.
    peers: &'a Path,
    dir: PathBuf,
    log: PathBuf,
}

/// Installs every peer that is missing or out of date, below
/// `root/target/peers`; `root` is the workspace's directory.
///
/// Runs at the same time wait for each other. What is installed stays usable
/// if another peer fails.
///
/// # Errors
///
/// Names the command that failed, the end of what it printed, and what would
/// help.
pub(crate) fn provision(root: &Path) -> Result<()> {
    let (root, peers, _lock) = &open(root)?;

    let mut stale = Vec::new();
    for peer in [PYTHON, NODE, SDK, RIE, SERVERLESS, RUST] {
        if !peer.is_current(root, peers)? {
            stale.push(peer.name);
        }
    }
    let mut programs = vec![BROWSER];
    if stale.contains(&NODE.name) || stale.contains(&RUST.name) {
        programs.extend(BUILD_TOOLS);
    }
    require(&programs, peers)?;
    if stale.is_empty() {
        return Ok(());
    }
    let start = Instant::now();
    progress(&format!("installing {}", stale.join(", ")));

    // Two chains, since Node's build takes cmake from the Python peer, and its
    // configure scripts leave a core idle.
    let chain = |chain: &[Peer]| {
        chain
            .iter()
            .filter(|peer| stale.contains(&peer.name))
            .try_for_each(|peer| peer.provision(root, peers))
    };
    let (first, second) = thread::scope(|scope| {
        let other = scope.spawn(|| chain(&[RIE, SDK, SERVERLESS, RUST]));
        (chain(&[PYTHON, NODE]), other.join())
    });
    let second = second.unwrap_or_else(|_| Err(anyhow!("a thread that installs peers panicked")));
    match (first, second) {
        (Ok(()), Ok(())) => {
            progress(&format!("all ready after {}", elapsed(start)));
            Ok(())
        }
        (Err(error), Ok(())) | (Ok(()), Err(error)) => Err(error),
        // Both, since neither need be the cause of the other.
        (Err(first), Err(second)) => bail!("{first:#}\n\n{second:#}"),
    }
}

/// Installs the emulator alone if it is missing or out of date, and says where it is.
///
/// # Errors
///
/// As [`provision`].
pub(crate) fn emulator(root: &Path) -> Result<PathBuf> {
    let (root, peers, _lock) = &open(root)?;
    if !RIE.is_current(root, peers)? {
        progress(&format!("installing {}", RIE.name));
        RIE.provision(root, peers)?;
    }
    Ok(peers.join(RIE.name).join(RIE.products[0]))
}

/// The workspace's and the peers' directory, and the lock on the latter.
fn open(root: &Path) -> Result<(PathBuf, PathBuf, File)> {
    // Build tools record and compare absolute paths.
    let root = fs::canonicalize(root).with_context(|| format!("finding {}", root.display()))?;
    let peers = root.join("target/peers");
    fs::create_dir_all(&peers).with_context(|| format!("creating {}", peers.display()))?;
    let lock = lock(&peers.join(".lock"))?;
    Ok((root, peers, lock))
}

impl Peer {
    fn stamp(&self, peers: &Path) -> PathBuf {
        peers.join(self.name).join(".stamp")
    }

    fn fingerprint(&self, root: &Path) -> Result<String> {
        let mut hasher = DefaultHasher::new();
        // The root, because virtual environments hold absolute paths and break
        // when the directory is moved.
        (RECIPE, self.name, env::consts::ARCH, root).hash(&mut hasher);
        (RIE_WHEEL, RIE_MEMBER).hash(&mut hasher);
        for input in self.inputs {
            hash_below(root, Path::new(input), &mut hasher)?;
        }
        Ok(format!("{:016x}\n", hasher.finish()))
    }

    fn is_current(&self, root: &Path, peers: &Path) -> Result<bool> {
        let fingerprint = self.fingerprint(root)?;
        let stamped = fs::read_to_string(self.stamp(peers)).is_ok_and(|it| it == fingerprint);
        Ok(stamped && self.missing_product(peers).is_none())
    }

    fn missing_product(&self, peers: &Path) -> Option<PathBuf> {
        let dir = peers.join(self.name);
        let mut paths = self.products.iter().map(|product| dir.join(product));
        paths.find(|path| !path.exists())
    }

    fn provision(&self, root: &Path, peers: &Path) -> Result<()> {
        let start = Instant::now();
        // Read before the installation: an input edited while it runs makes
        // the next run install again.
        let fingerprint = self.fingerprint(root)?;
        let stamp = self.stamp(peers);
        let site = Site {
            root,
            peers,
            dir: peers.join(self.name),
            log: peers.join(format!("{}.log", self.name)),
        };
        // An installation that is cut off must not look finished.
        remove(&stamp)?;
        remove(&site.log)?;
        (self.install)(&site).with_context(|| format!("installing the {} peer", self.name))?;
        if let Some(path) = self.missing_product(peers) {
            bail!(
                "installing the {} peer made no {}; its whole output is in {}",
                self.name,
                path.display(),
                site.log.display()
            );
        }
        fs::write(&stamp, fingerprint).with_context(|| format!("writing {}", stamp.display()))?;
        progress(&format!("{} ready after {}", self.name, elapsed(start)));
        Ok(())
    }
}

impl Site<'_> {
    /// An empty directory, so that nothing of an earlier version stays.
    fn empty_dir(&self) -> Result<()> {
        remove(&self.dir)?;
        fs::create_dir_all(&self.dir).with_context(|| format!("creating {}", self.dir.display()))
    }

    /// What npm installs from: the two files that a peer's sources name their packages in.
    fn copy_packages(&self, from: &str) -> Result<()> {
        for file in ["package.json", "package-lock.json"] {
            let from = self.root.join(from).join(file);
            fs::copy(&from, self.dir.join(file))
                .with_context(|| format!("copying {}", from.display()))?;
        }
        Ok(())
    }

    /// A binary of the Python peer.
    fn python(&self, program: &str) -> PathBuf {
        self.peers.join(PYTHON.name).join("bin").join(program)
    }

    fn run(&self, command: &mut Command, help: &str) -> Result<()> {
        run(command, &self.log, help)
    }
}

fn install_python(site: &Site) -> Result<()> {
    site.empty_dir()?;
    site.run(
        Command::new("python3").args(["-m", "venv"]).arg(&site.dir),
        "Python 3.11 or later with its venv module is needed: apt-get install python3-venv",
    )?;
    site.run(
        Command::new(site.python("python"))
            .args(["-m", "pip", "install", "--disable-pip-version-check"])
            // Of the SDK's many modules few are ever imported, and so compiled.
            .arg("--no-compile")
            // The requirements name every package; one that they forget must
            // fail here rather than come in whatever version is the latest.
            .args(["--no-input", "--no-deps", "--requirement"])
            .arg(site.root.join("tests/peers/python/requirements.txt")),
        "the package registry of Python must be reachable; \
         a package without a wheel for this machine also needs g++ and cmake",
    )?;
    site.run(
        Command::new(site.python("python")).args(["-m", "pip", "check"]),
        "tests/peers/python/requirements.txt must name all that its packages depend on",
    )?;
    site.run(
        Command::new(site.python("python")).args(["-c", "import awslambdaric.bootstrap, boto3"]),
        "what was installed does not load",
    )
}

fn install_node(site: &Site) -> Result<()> {
    site.empty_dir()?;
    site.copy_packages("tests/peers/node")?;
    let headers = node_headers()?;
    let parallel = thread::available_parallelism().map_or(1, |count| count.get());
    site.run(
        Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--foreground-scripts"])
            // The package is nothing without its scripts, whatever the user's
            // own settings say.
            .arg("--ignore-scripts=false")
            .current_dir(&site.dir)
            .env("PATH", path_starting_with(&site.python(""))?)
            .env("PYTHON", site.python("python"))
            // Otherwise node-gyp downloads the headers.
            .env("npm_config_nodedir", headers)
            .env("MAKEFLAGS", format!("-j{parallel}"))
            // Most of the time goes into compiling curl, whose speed no test
            // depends on.
            .env("CFLAGS", "-O0")
            .env("CXXFLAGS", "-O0"),
        "the package registry of Node must be reachable, Node must be 18 or later, and \
         g++, make, autoconf, automake and libtool must be installed",
    )?;
    let package = site.dir.join("node_modules/aws-lambda-ric");
    // The package means to remove its build trees itself, with a pattern that
    // only bash understands.
    remove(&package.join("deps"))?;
    site.run(
        Command::new("node")
            .args(["--print", "require(process.argv[1])"])
            .arg(package.join("dist/rapid-client.node"))
            // Read when it is loaded, and without a null check.
            .env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9"),
        "what was built does not load",
    )
}

fn install_sdk(site: &Site) -> Result<()> {
    site.empty_dir()?;
    site.copy_packages("tests/peers/sdk")?;
    site.run(
        Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
            .current_dir(&site.dir),
        "the package registry of Node must be reachable, and Node must be 20 or later",
    )?;
    site.run(
        Command::new("node")
            .args(["--print", "require(process.argv[1]).LambdaClient.name"])
            .arg(site.dir.join("node_modules/@aws-sdk/client-lambda")),
        "what was installed does not load",
    )
}

fn install_rie(site: &Site) -> Result<()> {
    site.empty_dir()?;
    let arch = match env::consts::ARCH {
        "aarch64" => "arm64",
        other => other,
    };
    let wheels = site.dir.join("wheels");
    site.run(
        Command::new("python3")
            .args(["-m", "pip", "download", "--disable-pip-version-check"])
            .args(["--no-input", "--no-deps", "--only-binary", ":all:", "--dest"])
            .arg(&wheels)
            .arg(RIE_WHEEL),
        "the package registry of Python must be reachable, and pip installed: \
         apt-get install python3-pip",
    )?;
    let binary = site.dir.join("aws-lambda-rie");
    site.run(
        Command::new("python3")
            .args(["-c", EXTRACT])
            .arg(&wheels)
            .arg(format!("{RIE_MEMBER}-{arch}"))
            .arg(&binary),
        "the wheel has no emulator for this machine's architecture",
    )?;
    remove(&wheels)?;
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("making {} executable", binary.display()))
}

/// Copies one member out of the only wheel of a directory.
const EXTRACT: &str = "
import pathlib, sys, zipfile
wheels, member, target = sys.argv[1:]
[wheel] = pathlib.Path(wheels).glob('*.whl')
pathlib.Path(target).write_bytes(zipfile.ZipFile(wheel).read(member))
";

fn install_serverless(site: &Site) -> Result<()> {
    site.empty_dir()?;
    site.copy_packages("tests/peers/serverless")?;
    site.run(
        Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
            .current_dir(&site.dir),
        "the package registry of Node must be reachable",
    )?;
    let packages = site.dir.join("node_modules");
    // The layer's archive has the extension with all that it needs.
    let archive = packages.join("@serverless/aws-lambda-otel-extension-dist/extension.zip");
    site.run(
        Command::new("python3").args(["-m", "zipfile", "-e"]).arg(archive).arg(&site.dir),
        "the package has no archive that can be unpacked",
    )?;
    remove(&packages)
}

fn install_rust(site: &Site) -> Result<()> {
    // The directory stays as it is: cargo knows what in it is out of date.
    // Of what has the same version and features in several of them, it compiles
    // one.
    for manifest in [
        "tests/peers/rust/Cargo.toml",
        "examples/rust/Cargo.toml",
        "examples/rust-streaming/Cargo.toml",
        "tests/peers/extensions/Cargo.toml",
        "examples/extension-rust/Cargo.toml",
        "examples/extension-telemetry/Cargo.toml",
    ] {
        site.run(
            // The Node peer, installed meanwhile, takes longest: rustc is to use
            // what its configure scripts leave idle, and not to slow them.
            Command::new("nice")
                .arg(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
                .args(["build", "--locked", "--manifest-path"])
                .arg(site.root.join(manifest))
                .arg("--target-dir")
                .arg(&site.dir)
                // Where cargo looks for its settings from.
                .current_dir(site.root)
                // A build for another target, asked for by the caller's
                // environment, would land in another directory.
                .env_remove("CARGO_BUILD_TARGET")
                // Nobody debugs the peers, and without it they link faster.
                .env("CARGO_PROFILE_DEV_DEBUG", "0")
                .env("CARGO_INCREMENTAL", "0"),
            "the package registry of Rust must be reachable; a lock file that does not fit its \
             manifest is mended by `cargo update --workspace --manifest-path` with that manifest",
        )?;
    }
    Ok(())
}

/// Hashes a file, or every file below a directory, with their paths from `root`.
fn hash_below(root: &Path, path: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    let whole = root.join(path);
    let reading = || format!("reading {}", whole.display());
    if !whole.is_dir() {
        (path, fs::read(&whole).with_context(reading)?).hash(hasher);
        return Ok(());
    }
    let names = fs::read_dir(&whole).with_context(reading)?.map(|entry| Ok(entry?.file_name()));
    let mut names: Vec<OsString> = names.collect::<io::Result<_>>().with_context(reading)?;
    names.sort_unstable();
    names.iter().try_for_each(|name| hash_below(root, &path.join(name), hasher))
}

/// Finds programs, or installs them where that needs nobody's consent: on a
/// machine that this process administers.
fn require(programs: &[Program], peers: &Path) -> Result<()> {
    let missing = missing_packages(programs);
    if missing.is_empty() {
        return Ok(());
    }
    let install = format!("apt-get install {}", missing.join(" "));
    if !is_root() || find_program("apt-get").is_none() {
        bail!("programs that the tests or their peers need are missing: {install}");
    }
    let start = Instant::now();
    let log = peers.join("apt.log");
    remove(&log)?;
    let help = format!("install by hand what is missing, then run again: {install}");
    for args in [&["update"][..], &["install", "--yes", "--no-install-recommends"][..]] {
        let mut command = Command::new("apt-get");
        command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
        if args[0] == "install" {
            command.args(&missing);
        }
        run(&mut command, &log, &help)?;
    }
    let still = missing_packages(programs);
    if !still.is_empty() {
        bail!("`{install}` went well, but did not bring all of it: {still:?} are still missing");
    }
    progress(&format!("{install} took {}", elapsed(start)));
    Ok(())
}

fn missing_packages(programs: &[Program]) -> Vec<&'static str> {
    programs
        .iter()
        .filter(|(program, _)| find_program(program).is_none())
        .map(|(_, package)| *package)
        .collect()
}

fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

fn is_root() -> bool {
    // std has no geteuid; a process of one's own directory has one's own user.
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

/// The directory whose `include/node` has the headers of the Node in use.
fn node_headers() -> Result<PathBuf> {
    let has_headers = |dir: &Path| dir.join("include/node/node.h").is_file();
    if let Some(dir) = env::var_os("npm_config_nodedir").map(PathBuf::from)
        && has_headers(&dir)
    {
        return Ok(dir);
    }
    let output = Command::new("node")
        .args(["--print", "process.execPath"])
        .output()
        .context("running `node`: Node 18 or later is needed, with npm")?;
    let node = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    // The binary is in the prefix's bin.
    let prefix = node.parent().and_then(Path::parent);
    match prefix {
        Some(dir) if has_headers(dir) => Ok(dir.to_owned()),
        _ => bail!(
            "{} has no include/node/node.h beside it: install Node's headers \
             (Debian's own Node: apt-get install libnode-dev), or set npm_config_nodedir \
             to a directory with include/node",
            node.display()
        ),
    }
}

fn path_starting_with(dir: &Path) -> Result<OsString> {
    let rest = env::var_os("PATH").unwrap_or_default();
    let dirs = [dir.to_owned()].into_iter().chain(env::split_paths(&rest));
    env::join_paths(dirs).context("putting the Python peer on PATH")
}

/// Held until the returned file is dropped, or the process ends in any way.
fn lock(path: &Path) -> Result<File> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .with_context(|| format!("opening {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            progress("another run is installing; waiting for it");
            file.lock().with_context(|| format!("locking {}", path.display()))?;
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("locking {}", path.display()));
        }
    }
    Ok(file)
}

/// Runs to the end with the output in `log`: of two peers that are installed
/// at once, nobody could read it in a terminal.
fn run(command: &mut Command, log: &Path, help: &str) -> Result<()> {
    let output = File::options()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("opening {}", log.display()))?;
    let start = output.metadata().map_or(0, |metadata| metadata.len());
    let errors = output.try_clone().with_context(|| format!("opening {}", log.display()))?;
    let line = command_line(command);
    let status = command
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .status()
        .with_context(|| format!("starting `{line}`\n  {help}"))?;
    if status.success() {
        return Ok(());
    }
    bail!(
        "`{line}` failed ({status}); {help}\n{}\n  its whole output is in {}",
        tail(log, start),
        log.display()
    )
}

fn command_line(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        line.push(' ');
        // Only the first line of an argument: one of them is a script.
        let arg = arg.to_string_lossy();
        line.push_str(arg.trim().lines().next().unwrap_or_default());
    }
    line
}

/// The last lines of a log, of what was written from byte `start` on.
fn tail(log: &Path, start: u64) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    let text = String::from_utf8_lossy(bytes.get(start..).unwrap_or_default());
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.len().saturating_sub(TAIL_LINES);
    let shown = lines.get(first..).unwrap_or_default();
    shown.iter().map(|line| format!("  | {line}")).collect::<Vec<_>>().join("\n")
}

/// Removes a file or a directory, and is content if there is none.
fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

fn progress(text: &str) {
    eprintln!("peers: {text}");
}

fn elapsed(start: Instant) -> String {
    format!("{:.1} s", start.elapsed().as_secs_f64())
}
