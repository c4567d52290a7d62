//! The example, run as its README says.

use std::fs;
use std::os::unix::fs::symlink;

use rapid_e2e::{Options, Rapid, eventually};
use serde_json::{Value, json};

use crate::peers::{installed, source};
use crate::world::{World, accepted, lines};

/// Starts the example in a copy, sends what its README sends, and looks at what that says.
pub(crate) fn does_what_its_readme_says() {
    let world = World::new();
    let example = source("examples/async-worker");
    fs::copy(example.join("worker.py"), world.path("worker.py")).expect("it can be copied");
    symlink(installed("python"), world.path(".venv")).expect("a link can be made");
    let readme = fs::read_to_string(example.join("README.md")).expect("there is a README");
    let command = |start: &str| {
        let found = readme.lines().filter(|line| line.starts_with(start));
        found.map(str::to_owned).collect::<Vec<_>>()
    };
    let [serve] = &command("rapid --")[..] else { panic!("it starts rapid once") };
    let mut words = serve.split_whitespace().skip(1);
    let flags: Vec<&str> = words.by_ref().take_while(|word| *word != "--").collect();
    let rapid = Rapid::serve(
        Options::new()
            .flags(flags)
            .command(words)
            .current_dir(world.path(""))
            .env("PYTHONDONTWRITEBYTECODE", "1"),
    );

    let orders: Vec<Value> = command("curl -d ").iter().map(|line| payload(line, "-d ")).collect();
    let mut sent: Vec<String> = orders.iter().map(|order| accepted(&rapid, order)).collect();
    let [invoke] = &command("rapid invoke ")[..] else { panic!("it invokes once") };
    let endpoint = format!("http://{}", rapid.invoke_address());
    let order = payload(invoke, "--payload ").to_string();
    let words = ["invoke", "--endpoint", &endpoint, "--async", "--payload", &order];
    let printed = rapid_e2e::run(&words, &Options::new(), b"");
    assert_eq!(printed.code, Some(0), "{printed:?}");
    sent.push(printed.stdout.trim_end().to_owned());

    eventually("the second order has failed", || lines(&world.path("failed.ndjson")).len() == 1);
    eventually("the others are done", || lines(&world.path("done.ndjson")).len() == 2);
    let failed = &lines(&world.path("failed.ndjson"))[0];
    let context = &failed["requestContext"];
    assert_eq!(context["requestId"], sent[1].as_str());
    assert_eq!(context["condition"], "RetriesExhausted");
    assert_eq!(failed["requestPayload"], json!({ "order": 2 }));
    assert_eq!(failed["responsePayload"]["errorMessage"], "an order needs a total");
    assert_eq!(rapid.stdout().matching(&format!("START RequestId: {}", sent[1])).len(), 3);
    for (id, expected) in
        [(&sent[0], r#"{"order": 1, "paid": 12}"#), (&sent[2], r#"{"order": 3, "paid": 5}"#)]
    {
        let receipt = world.path("receipts").join(format!("{id}.json"));
        assert_eq!(fs::read_to_string(receipt).ok().as_deref(), Some(expected));
    }
}

/// What stands in quotes behind an option.
fn payload(line: &str, option: &str) -> Value {
    let (_, rest) = line.split_once(&format!("{option}'")).expect("it sends an event");
    let (payload, _) = rest.split_once('\'').expect("a quote has an end");
    serde_json::from_str(payload).expect("it is JSON")
}
