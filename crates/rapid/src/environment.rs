//! Names that a sandbox gets when nobody chose them.

use std::ffi::OsString;
use std::path::Path;

use rapid_invoke_api::Persona;
use rapid_lifecycle::bootstrap::TASK_ROOT;
use uuid::Uuid;

/// The account in ARNs.
pub(crate) const fn account(persona: Persona) -> &'static str {
    match persona {
        Persona::Aws => "123456789012",
        Persona::Rie => "012345678912",
    }
}

/// The log group of a function.
pub(crate) fn log_group(persona: Persona, function: &str) -> String {
    match persona {
        Persona::Aws => format!("/aws/lambda/{function}"),
        Persona::Rie => "/aws/lambda/Functions".to_owned(),
    }
}

/// The log stream of an execution environment: `YYYY/MM/DD/[<version>]<32 hex>` by the service.
pub(crate) fn log_stream(persona: Persona, version: &str) -> String {
    match persona {
        Persona::Aws => {
            let day = jiff::Timestamp::now().strftime("%Y/%m/%d");
            format!("{day}/[{version}]{}", Uuid::new_v4().simple())
        }
        Persona::Rie => "$LATEST".to_owned(),
    }
}

/// Where the function's code lies: the service's place if there is one, else where rapid was
/// started, so that functions outside images find their files.
pub(crate) fn task_root(cwd: &Path) -> OsString {
    if Path::new(TASK_ROOT).is_dir() { TASK_ROOT.into() } else { cwd.as_os_str().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_streams_are_dated_and_unique() {
        let stream = log_stream(Persona::Aws, "$LATEST");
        let (day, id) = stream.split_once("/[$LATEST]").unwrap();
        assert_eq!((day.len(), day.matches('/').count(), id.len()), (10, 2, 32));
        assert_ne!(stream, log_stream(Persona::Aws, "$LATEST"));
    }
}
