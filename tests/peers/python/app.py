"""Functions that the tests run behind the emulator.

`act` does what its event's `do` field says; the Node and Rust functions know
the same words, as far as their languages can.
"""

import os
import time

# What the emulator owes every function; `env` answers with everything else.
SELECTED = (
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_EXECUTION_ENV",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
    "TZ",
    "_HANDLER",
)


def echo(event, context):
    return event


def act(event, context):
    word = event.get("do") if isinstance(event, dict) else None
    if word == "echo":
        return event.get("value")
    if word == "error":
        raise ValueError("boom")
    if word == "exit":
        # Not sys.exit: that is an exception, which the client would report.
        os._exit(event.get("code", 1))
    if word == "signal":
        os.kill(os.getpid(), event["n"])
        # An ignored signal, or one that is delivered late, must not answer.
        time.sleep(60)
    if word == "sleep":
        time.sleep(event["seconds"])
        return {"slept": event["seconds"]}
    if word == "big":
        return "x" * event["n"]
    if word == "bytes":
        # The client sends these as they are, and not under JSON's media type.
        return b"\x00\xff"
    if word == "opaque":
        # What JSON cannot hold: the client has to report a marshalling error.
        return object()
    if word == "print":
        print(event["text"], flush=True)
        return None
    if word == "context":
        return describe(context)
    if word == "env":
        return dict(os.environ)
    return event


def describe(context):
    client_context = context.client_context
    return {
        "aws_request_id": context.aws_request_id,
        "remaining_time_in_millis": context.get_remaining_time_in_millis(),
        "invoked_function_arn": context.invoked_function_arn,
        "function_name": context.function_name,
        "function_version": context.function_version,
        "memory_limit_in_mb": context.memory_limit_in_mb,
        "log_group_name": context.log_group_name,
        "log_stream_name": context.log_stream_name,
        "client_context_custom": getattr(client_context, "custom", None),
        "tenant_id": getattr(context, "tenant_id", None),
        "trace_id": os.environ.get("_X_AMZN_TRACE_ID"),
        "environ": {name: os.environ[name] for name in SELECTED if name in os.environ},
    }
