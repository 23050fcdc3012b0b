#!/usr/bin/env python3
"""An extension that takes the steps it is given, and tells what came of them, a line each, on standard output.

    {"register": ["INVOKE"], "as": "…"}    registers, under the file's name unless another is given
    {"park": ["INVOKE"], "as": "…"}        the same, and a thread of its own asks for events from then on
    {"ask": "POST {extension}/register", "headers": {…}, "body": "…"}
    {"raw": "GET … HTTP/1.1\r\n…", "bytes": 1000}      bytes, so many more, the sending side closed, and the answer
    {"flood": 200}                         connections that say nothing, and stay
    {"next": 2}                            asks for so many events, and tells each
    {"events": true}                       asks for events until SHUTDOWN comes, then exits with code 0
    {"gate": 8080}                         waits until the gate at this port opens
    {"background": [steps]}                in a thread of its own
    {"child": "600"}                       starts `sleep 600` in a session of its own
    {"about": ["environ", "cwd", "argv"]}  tells how it was started
    {"ignore": "SIGTERM"}                  a signal
    {"signal": "SIGKILL"}                  sends it to itself
    {"print": 1000}                        writes so many bytes without a newline
    {"hang": true}                         does nothing for ever
    {"exit": 1}                            exits with this code

{extension} and {id} stand for the base path of the API and for the identifier that the last `register` was given.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

NAME = os.path.basename(sys.argv[0])
HOST = os.environ["AWS_LAMBDA_RUNTIME_API"]
EXTENSION = "/2020-01-01/extension"

identifier = "none"
flood = []


def say(text):
    # One write, so that lines of several threads stay whole.
    os.write(1, f"{NAME}: {text}\n".encode())


def filled(text):
    return text.replace("{extension}", EXTENSION).replace("{id}", identifier)


def ask(method, path, headers={}, body=None):
    connection = http.client.HTTPConnection(HOST)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response, text


def register(events, name):
    response, text = ask(
        "POST", EXTENSION + "/register", {"Lambda-Extension-Name": name}, json.dumps({"events": events})
    )
    if response.status != 200:
        say(f"register {response.status} {text}")
        return None
    say(f"registered as {name}, pid {os.getpid()}, at {time.time() * 1000:.0f}")
    return response.getheader("Lambda-Extension-Identifier")


def following(of):
    response, text = ask("GET", EXTENSION + "/event/next", {"Lambda-Extension-Identifier": of})
    event = json.loads(text)
    detail = event.get("requestId") or f"{event.get('shutdownReason')} {event.get('deadlineMs')}"
    say(f"{event.get('eventType', text)} {detail} at {time.time() * 1000:.0f}")
    return event


def follow(of):
    while following(of)["eventType"] != "SHUTDOWN":
        pass


def raw(text, more):
    host, port = HOST.rsplit(":", 1)
    answer = b""
    with socket.create_connection((host, int(port))) as stream:
        try:
            stream.sendall(text.encode("latin-1") + b"x" * more)
            stream.shutdown(socket.SHUT_WR)
            while part := stream.recv(65536):
                answer += part
        except OSError:
            answer += b" (reset)"
    return answer.split(b"\r\n")[0].decode("latin-1") or "closed"


def take(step):
    global identifier
    if "register" in step:
        identifier = register(step["register"], step.get("as", NAME)) or identifier
    elif "park" in step:
        if parked := register(step["park"], step.get("as", NAME)):
            threading.Thread(target=follow, args=[parked], daemon=True).start()
    elif "ask" in step:
        method, path = filled(step["ask"]).split(" ", 1)
        headers = {name: filled(value) for name, value in step.get("headers", {}).items()}
        response, text = ask(method, path, headers, step.get("body", "").encode() or None)
        say(f"{response.status} {response.getheader('content-type', 'no type')}: {text}")
    elif "raw" in step:
        say(raw(filled(step["raw"]), step.get("bytes", 0)))
    elif "flood" in step:
        host, port = HOST.rsplit(":", 1)
        flood.extend(socket.create_connection((host, int(port))) for _ in range(step["flood"]))
        say(f"{len(flood)} connections")
    elif "next" in step:
        for _ in range(step["next"]):
            following(identifier)
    elif "events" in step:
        follow(identifier)
        os._exit(0)
    elif "gate" in step:
        with socket.create_connection(("127.0.0.1", step["gate"])) as gate:
            gate.recv(1)
    elif "background" in step:
        threading.Thread(target=lambda: [take(one) for one in step["background"]], daemon=True).start()
    elif "child" in step:
        subprocess.Popen(["sleep", step["child"]], start_new_session=True)
    elif "about" in step:
        about = {"environ": dict(os.environ), "cwd": os.getcwd(), "argv": sys.argv}
        say(json.dumps([about[what] for what in step["about"]]))
    elif "ignore" in step:
        signal.signal(getattr(signal, step["ignore"]), signal.SIG_IGN)
    elif "signal" in step:
        os.kill(os.getpid(), getattr(signal, step["signal"]))
    elif "print" in step:
        for begin in range(0, step["print"], 65536):
            os.write(1, b"x" * min(65536, step["print"] - begin))
    elif "hang" in step:
        while True:
            signal.pause()
    elif "exit" in step:
        os._exit(step["exit"])


for one in json.loads("@STEPS@"):
    take(one)
