//! What is to be released.

use anyhow::{Context, Result, bail};

use crate::dist::target::{TARGETS, Target};

/// What the arguments say.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Whether a second build has to come out the same.
    pub(crate) verify: bool,
    /// The targets that were asked for by name; none: whatever this machine can build.
    pub(crate) targets: Vec<&'static Target>,
}

impl Options {
    /// Reads the arguments.
    ///
    /// # Errors
    /// Names what is not expected, with what there is instead.
    pub(crate) fn parse(args: &[String]) -> Result<Self> {
        let mut options = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--verify" => options.verify = true,
                "--target" => {
                    let triple = args.next().with_context(|| format!("`{arg}` needs a value"))?;
                    options.targets.push(Target::called(triple).with_context(|| {
                        format!("`{triple}` is no target of a release\n\n{}", usage())
                    })?);
                }
                _ => bail!("`{arg}` is not expected\n\n{}", usage()),
            }
        }
        Ok(options)
    }
}

/// What may be asked for.
pub(crate) fn usage() -> String {
    let targets: Vec<&str> = TARGETS.iter().map(|target| target.triple).collect();
    format!(
        "\
Usage: cargo xtask dist [OPTIONS]

Builds the archives that are released, with their SBOM and SHA256SUMS, into target/dist.
Publishes nothing.

  --verify         build a second time, from a copy of the sources elsewhere, and compare
  --target TRIPLE  only this target, and fail if it cannot be built here; may be repeated

Targets: {}
Without --target: every musl target that this machine can build.",
        targets.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Options> {
        Options::parse(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn targets_are_taken_by_name_and_strangers_refused() {
        let options =
            parse(&["--target", "aarch64-unknown-linux-gnu", "--verify"]).expect("both known");
        assert!(options.verify);
        assert_eq!(options.targets[0].triple, "aarch64-unknown-linux-gnu");
        let refused = parse(&["--target", "wasm32-wasip1"]).expect_err("no target of ours");
        assert!(refused.to_string().starts_with("`wasm32-wasip1` is no target of a release"));
        assert!(parse(&["--target"]).is_err());
        assert!(parse(&["--publish"]).is_err());
    }
}
