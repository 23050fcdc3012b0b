import os

from words import name_of

calls = 0


def handler(event, context):
    global calls
    calls += 1
    return {"name": name_of(event), "calls": calls, "greeter": os.environ["GREETER"]}
