import time

# Runs once in each execution environment, during function init.
print("outside of the handler")


# Runs once for each invocation.
def handler(event, context):
    print("inside of the handler")
    time.sleep(event.get("pause_ms", 0) / 1000)
    return {"greeting": f"Hello, {event.get('name', 'world')}!"}
