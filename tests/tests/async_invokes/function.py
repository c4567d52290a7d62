"""A function that leaves a trace of every attempt, and does what its event says.

Each attempt adds a line to the file `journal` of its directory: the event's
name. Then, with `"gate": PATH`, it waits until that file is there; with
`"failures": N` its first N attempts fail; with `"exit": CODE` its process ends;
with `"sleep": SECONDS` it takes that long. It answers with the request id, and
the trace that it was given.
"""

import os
import time


def handler(event, context):
    if not isinstance(event, dict):
        return event
    journal = event["journal"]
    with open(journal, "a") as file:
        file.write(f"{event['name']}\n")
    while "gate" in event and not os.path.exists(event["gate"]):
        time.sleep(0.005)
    time.sleep(event.get("sleep", 0))
    with open(journal) as file:
        attempts = file.read().splitlines().count(event["name"])
    if "exit" in event:
        os._exit(event["exit"])
    if attempts <= event.get("failures", 0):
        raise ValueError("boom")
    return {"id": context.aws_request_id, "trace": os.environ["_X_AMZN_TRACE_ID"]}
