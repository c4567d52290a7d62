"""A function that cannot be loaded: its import fails before a handler exists."""

import a_module_that_does_not_exist


def echo(event, context):
    return a_module_that_does_not_exist.echo(event)
