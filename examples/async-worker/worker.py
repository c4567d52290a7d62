"""Writes a receipt for each order: `{"order": 7, "total": 12}`.

An order without a total is an error; whoever invoked has gone by then, so that
somebody else has to be told.
"""

import json
import pathlib

RECEIPTS = pathlib.Path("receipts")


def handler(event, context):
    if "total" not in event:
        raise ValueError("an order needs a total")
    # An event may run more than once, but always under the same id: a second
    # attempt writes the same file again.
    receipt = RECEIPTS / f"{context.aws_request_id}.json"
    receipt.parent.mkdir(exist_ok=True)
    receipt.write_text(json.dumps({"order": event["order"], "paid": event["total"]}))
    return {"receipt": receipt.name}
