"""Shows what happens once in an environment, and what happens for every event."""

import time

# Runs once in an environment: in its Init phase.
print("outside of the handler: a new environment")
invocations = 0


def handler(event, context):
    """Runs for every event."""
    global invocations
    invocations += 1
    print(f"inside of the handler: invocation {invocations} of this environment")
    time.sleep(event.get("pause_ms", 0) / 1000)
    return {
        "message": f"Hello, {event.get('name', 'world')}!",
        "invocations": invocations,
        "logStream": context.log_stream_name,
    }
