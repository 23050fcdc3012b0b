import os

from words import name_of


def handler(event, context):
    return f"{os.environ['GREETING']}, {name_of(event)}"
