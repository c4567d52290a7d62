"""Greets whoever the event names: `{"name": "Ada"}` answers
`{"message": "Hello, Ada!"}`.
"""


def handler(event, context):
    return {"message": f"Hello, {event.get('name', 'world')}!"}
