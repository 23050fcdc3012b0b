"""Durable functions on AWS's SDK for Python, unmodified. The event says which one runs."""

import os
import time

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import (
    CallbackConfig,
    Duration,
    StepConfig,
)
from aws_durable_execution_sdk_python.retries import RetryStrategyConfig, create_retry_strategy

# How often the handler began in this environment, and how often each attempt of a step did.
BEGAN = 0
ATTEMPTS = 0


def fails_twice(step):
    global ATTEMPTS
    ATTEMPTS += 1
    if step.attempt < 3:
        raise ValueError(f"attempt {step.attempt}")
    return {"attempts": step.attempt}


def always_fails(step):
    raise ValueError("never works")


RETRY = StepConfig(
    retry_strategy=create_retry_strategy(
        RetryStrategyConfig(max_attempts=3, initial_delay=Duration.from_seconds(1), backoff_rate=1)
    )
)
NO_RETRY = StepConfig(retry_strategy=create_retry_strategy(RetryStrategyConfig(max_attempts=1)))


def steps(event, context):
    doubled = context.step(lambda _: event["number"] * 2, name="double")
    retried = context.step(fails_twice, name="retried", config=RETRY)
    return {"doubled": doubled, "retried": retried}


def waits(event, context):
    first = context.step(lambda _: os.getpid(), name="before")
    context.wait(Duration.from_seconds(event.get("seconds", 1)), name="nap")
    second = context.step(lambda _: event["number"] + 1, name="after")
    return {"began": BEGAN, "number": second, "same": first == os.getpid()}


def callback(event, context):
    config = CallbackConfig(
        timeout=Duration.from_seconds(event.get("timeout", 60)),
        heartbeat_timeout=Duration.from_seconds(event.get("heartbeat", 60)),
    )
    answer = context.create_callback(name="answer", config=config)
    return {"answer": answer.result()}


def parallel(event, context):
    def branch(number):
        def run(child):
            return child.step(lambda _: number * 10, name=f"times-{number}")

        return run

    both = context.parallel([branch(1), branch(2)], name="both")

    def item(child, value, index, items):
        child.wait(Duration.from_seconds(1), name="nap")
        return child.step(lambda _: value + index, name="add")

    mapped = context.map([5, 6, 7], item, name="items")
    return {"both": both.get_results(), "mapped": mapped.get_results()}


def child(event, context):
    def inside(inner):
        one = inner.step(lambda _: 1, name="one")
        return inner.run_in_child_context(lambda most: most.step(lambda _: one + 1, name="two"), name="inner")

    return context.run_in_child_context(inside, name="outer")


def invokes(event, context):
    return {"other": context.invoke(event["function"], event["payload"], name="other")}


def invokes_and_catches(event, context):
    try:
        context.invoke(event["function"], event["payload"], name="other")
    except Exception as error:
        return {"error": str(error), "type": getattr(error, "error_type", None)}
    return {"error": None}


def fails(event, context):
    return context.step(always_fails, name="bad", config=NO_RETRY)


def crashes(event, context):
    context.step(lambda _: 1, name="once")
    if not os.path.exists("/tmp/crashed-" + event["mark"]):
        open("/tmp/crashed-" + event["mark"], "w").close()
        os._exit(1)
    return "recovered"


def many(event, context):
    for number in range(event["steps"]):
        context.step(lambda _, text="x" * event["size"]: text, name=f"s{number}")
    context.wait(Duration.from_seconds(1))
    return {"last": len(context.step(lambda _: "y" * event["size"]))}


def large(event, context):
    return "z" * (6 * 1024 * 1024 - 40)


def long_step(event, context):
    context.step(lambda _: time.sleep(event["seconds"]), name="long")
    return context.step(lambda _: "done", name="last")


@durable_execution
def handler(event, context: DurableContext):
    global BEGAN
    BEGAN += 1
    return globals()[event["run"]](event, context)
