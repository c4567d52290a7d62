"""Calls the function and prints every piece when it comes."""

import boto3

client = boto3.client(
    "lambda",
    endpoint_url="http://localhost:8080",
    region_name="us-east-1",
    # Any will do: rapid does not look at them.
    aws_access_key_id="any",
    aws_secret_access_key="any",
)
answer = client.invoke_with_response_stream(
    FunctionName="function", Payload='{"name":"Ada"}'
)
for event in answer["EventStream"]:
    if "PayloadChunk" in event:
        print(event["PayloadChunk"]["Payload"].decode(), end="", flush=True)
    elif "ErrorCode" in event["InvokeComplete"]:
        print("failed:", event["InvokeComplete"]["ErrorDetails"])
