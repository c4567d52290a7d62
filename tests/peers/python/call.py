"""Calls a function once, as a caller with boto3 would.

    python call.py ENDPOINT FUNCTION_NAME [PAYLOAD]

Without PAYLOAD the request has no body; `-` reads it from standard input.
Prints one JSON line: either what was answered, or the exception that boto3
made of it. Exits 0 in both cases, since both are answers to look at.

With --stream it calls InvokeWithResponseStream, and prints a line for the head,
for every chunk when it comes, and for how the stream was completed.

Options go to Invoke as they are named there: --invocation-type, --log-type,
--qualifier, --client-context (the plain JSON text; it is encoded here),
--tenant-id, and --timeout in seconds for the answer.
"""

import argparse
import base64
import json
import os
import sys

import boto3
import botocore.config
import botocore.exceptions


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("endpoint")
    parser.add_argument("function")
    parser.add_argument("payload", nargs="?")
    parser.add_argument("--invocation-type")
    parser.add_argument("--log-type")
    parser.add_argument("--qualifier")
    parser.add_argument("--client-context")
    parser.add_argument("--tenant-id")
    parser.add_argument("--timeout", type=float, default=60)
    parser.add_argument("--stream", action="store_true")
    return parser.parse_args()


def client(endpoint, timeout):
    # All settings are given here: what the machine's user keeps in files and
    # variables must not decide what a test sees.
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.devnull
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    return boto3.client(
        "lambda",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret",
        config=botocore.config.Config(
            # A retry would call the function twice and hide the first answer.
            retries={"total_max_attempts": 1},
            connect_timeout=5,
            read_timeout=timeout,
            proxies={},
        ),
    )


def call(args):
    request = {"FunctionName": args.function}
    payload = sys.stdin.buffer.read() if args.payload == "-" else args.payload
    client_context = args.client_context
    if client_context is not None:
        client_context = base64.b64encode(client_context.encode()).decode()
    optional = {
        "Payload": payload,
        "InvocationType": args.invocation_type,
        "LogType": args.log_type,
        "Qualifier": args.qualifier,
        "ClientContext": client_context,
        "TenantId": args.tenant_id,
    }
    request.update({k: v for k, v in optional.items() if v is not None})
    caller = client(args.endpoint, args.timeout)
    try:
        if args.stream:
            return stream(caller, request)
        answer = caller.invoke(**request)
        body = answer["Payload"].read()
    except botocore.exceptions.ClientError as error:
        return {
            "event": "exception",
            "exception": type(error).__name__,
            # The class that the client itself has for the code, if it has one.
            "typed": isinstance(
                error,
                getattr(caller.exceptions, error.response["Error"]["Code"], ()),
            ),
            "reason": error.response.get("Reason"),
            "code": error.response.get("Error", {}).get("Code"),
            "status": error.response.get("ResponseMetadata", {}).get("HTTPStatusCode"),
            "type": error.response.get("Type"),
            "request_id": error.response.get("ResponseMetadata", {}).get("RequestId"),
            "message": str(error),
        }
    except botocore.exceptions.BotoCoreError as error:
        # No answer to read a code or status from: refused, cut off, too late.
        return {
            "event": "exception",
            "exception": type(error).__name__,
            "code": None,
            "status": None,
            "message": str(error),
        }
    metadata = answer["ResponseMetadata"]
    return {
        "status": answer["StatusCode"],
        "http_status": metadata["HTTPStatusCode"],
        "function_error": answer.get("FunctionError"),
        "executed_version": answer.get("ExecutedVersion"),
        "log_result": answer.get("LogResult"),
        "request_id": metadata.get("RequestId"),
        "content_type": metadata["HTTPHeaders"].get("content-type"),
        "payload": body.decode("utf-8", "replace"),
    }


def stream(caller, request):
    answer = caller.invoke_with_response_stream(**request)
    metadata = answer["ResponseMetadata"]
    tell(
        {
            "event": "head",
            "status": answer["StatusCode"],
            "executed_version": answer.get("ExecutedVersion"),
            "content_type": answer.get("ResponseStreamContentType"),
            "request_id": metadata.get("RequestId"),
            "headers": metadata["HTTPHeaders"],
        }
    )
    complete = None
    for event in answer["EventStream"]:
        if "PayloadChunk" in event:
            payload = event["PayloadChunk"]["Payload"].decode("utf-8", "replace")
            tell({"event": "chunk", "payload": payload})
        elif complete is None:
            complete = event["InvokeComplete"]
        else:
            raise ValueError(f"more after the end: {event}")
    if complete is None:
        raise ValueError("the stream has no end")
    return {
        "event": "complete",
        "error_code": complete.get("ErrorCode"),
        "error_details": complete.get("ErrorDetails"),
        "log_result": complete.get("LogResult"),
    }


def tell(line):
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    tell(call(parse()))
