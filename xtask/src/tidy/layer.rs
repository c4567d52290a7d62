//! The layers: who may name whom.

use crate::tidy::Problem;
use crate::tidy::manifest::Manifest;

/// Every crate and its layer. A crate may name only crates of lower layers.
const LAYERS: &[(&str, u8)] = &[
    ("rapid-fatal-error", 0),
    ("rapid-interop", 1),
    ("rapid-events", 2),
    ("rapid-lifecycle", 2),
    ("rapid-engine", 3),
    ("rapid-http", 3),
    ("rapid-supervisor", 3),
    ("rapid-async-invoke", 4),
    ("rapid-extension", 4),
    ("rapid-function-url", 4),
    ("rapid-invoke-api", 4),
    ("rapid-runtime-api", 4),
    ("rapid-telemetry", 4),
    ("rapid", 5),
    ("rapid-cli", 6),
];

/// Packages beside the stack: they may name anything.
const BESIDE: [&str; 3] = ["rapid-e2e", "rapid-bench", "xtask"];

/// A crate from outside that not everybody may name.
struct Reserved {
    names: &'static [&'static str],
    who: Who,
    reason: &'static str,
}

enum Who {
    From(u8),
    Only(&'static [&'static str]),
}

const RESERVED: &[Reserved] = &[
    Reserved {
        names: &["tokio", "tokio-util", "tokio-stream", "hyper", "hyper-util"],
        who: Who::From(3),
        reason: "what decides does not wait: below layer 3 there is no runtime",
    },
    Reserved { names: &["axum"], who: Who::From(4), reason: "routes are layer 4's business" },
    Reserved {
        names: &["nix", "libc", "rustix"],
        who: Who::Only(&["rapid-supervisor"]),
        reason: "only rapid-supervisor talks to the kernel about processes",
    },
    Reserved {
        names: &["clap"],
        who: Who::Only(&["rapid-cli"]),
        reason: "only rapid-cli has a command line",
    },
];

/// Checks everything that a manifest names.
pub(crate) fn check(manifest: &Manifest) -> Vec<Problem> {
    let name = manifest.name.as_str();
    if BESIDE.contains(&name) {
        return Vec::new();
    }
    let Some(own) = layer_of(name) else {
        let text = format!("{name} has no layer: give it one in xtask/src/tidy/layer.rs");
        return vec![manifest.problem("name", text)];
    };
    let mut problems = Vec::new();
    for dependency in manifest.dependencies() {
        let other = dependency.name.as_str();
        let fault = match layer_of(other) {
            // Its tests may want a feature of its own.
            Some(_) if other == name => None,
            Some(layer) if layer >= own => Some(format!(
                "{name} is of layer {own} and may not name {other} of layer {layer}: only lower layers"
            )),
            Some(_) => None,
            None if is_of_the_workspace(other) => Some(format!(
                "{name} may not name {other}, which is no layer: move what it needs into one"
            )),
            None => reservation(name, own, other)
                .map(|reason| format!("{name} may not name {other}: {reason}")),
        };
        problems.extend(fault.map(|text| manifest.problem(other, text)));
    }
    problems
}

fn layer_of(name: &str) -> Option<u8> {
    LAYERS.iter().find(|(own, _)| *own == name).map(|(_, layer)| *layer)
}

fn is_of_the_workspace(name: &str) -> bool {
    BESIDE.contains(&name) || name == "rapid" || name.starts_with("rapid-")
}

/// Why a crate of this layer may not name a crate from outside, if so.
fn reservation(name: &str, layer: u8, other: &str) -> Option<&'static str> {
    let reserved = RESERVED.iter().find(|reserved| reserved.names.contains(&other))?;
    let may = match reserved.who {
        Who::From(lowest) => layer >= lowest,
        Who::Only(names) => names.contains(&name),
    };
    (!may).then_some(reserved.reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(name: &str, dependencies: &[(&str, &str)]) -> Vec<String> {
        let mut text = format!("[package]\nname = \"{name}\"\n");
        for (kind, dependency) in dependencies {
            text.push_str(&format!("[{kind}.{dependency}]\nworkspace = true\n"));
        }
        let manifest = Manifest::parse("Cargo.toml", &text).unwrap();
        check(&manifest).into_iter().map(|problem| problem.text).collect()
    }

    #[test]
    fn lower_layers_may_be_named() {
        let good = [("dependencies", "rapid-interop"), ("dev-dependencies", "rapid-fatal-error")];
        assert_eq!(faults("rapid-lifecycle", &good), [""; 0]);
        assert_eq!(faults("rapid-runtime-api", &[("dependencies", "rapid-http")]), [""; 0]);
        assert_eq!(faults("rapid-e2e", &[("dependencies", "rapid-cli")]), [""; 0]);
        let itself = [("dev-dependencies", "rapid-extension")];
        assert_eq!(faults("rapid-extension", &itself), [""; 0]);
    }

    #[test]
    fn siblings_and_higher_layers_may_not_whatever_for() {
        for (name, other) in [
            ("rapid-lifecycle", "rapid-events"),
            ("rapid-engine", "rapid-supervisor"),
            ("rapid-interop", "rapid"),
        ] {
            for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
                assert_eq!(faults(name, &[(kind, other)]).len(), 1, "{name} {kind} {other}");
            }
        }
    }

    #[test]
    fn unknown_crates_fail_on_both_sides() {
        assert_eq!(
            faults("rapid-new", &[]),
            ["rapid-new has no layer: give it one in xtask/src/tidy/layer.rs"]
        );
        assert_eq!(faults("rapid-cli", &[("dependencies", "rapid-new")]).len(), 1);
    }

    #[test]
    fn some_crates_from_outside_are_reserved() {
        let faulty = [
            ("rapid-lifecycle", "tokio"),
            ("rapid-engine", "axum"),
            ("rapid-cli", "nix"),
            ("rapid", "clap"),
        ];
        for (name, other) in faulty {
            assert_eq!(faults(name, &[("dependencies", other)]).len(), 1, "{name} {other}");
        }
        let fine = [
            ("rapid-engine", "tokio"),
            ("rapid-invoke-api", "axum"),
            ("rapid-supervisor", "nix"),
            ("rapid-cli", "clap"),
            ("rapid-lifecycle", "thiserror"),
            ("xtask", "clap"),
        ];
        for (name, other) in fine {
            assert_eq!(faults(name, &[("dependencies", other)]), [""; 0], "{name} {other}");
        }
    }
}
