"""A web site for a function's URL."""

import base64


def site(event, context):
    path = event["rawPath"]
    if path == "/object":
        return {
            "statusCode": "202",
            "headers": {"content-type": "text/plain; charset=utf-8", "x-number": 7},
            "cookies": ["a=1", "b=2"],
            "body": "grüße",
        }
    if path == "/bytes":
        return {
            "statusCode": 200,
            "headers": {"content-type": "application/octet-stream"},
            "body": base64.b64encode(b"\x00\xff").decode(),
            "isBase64Encoded": True,
        }
    if path == "/raise":
        raise ValueError("a secret")
    return event
