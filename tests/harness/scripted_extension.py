#!/usr/bin/env python3
"""An extension that takes the steps it is given, and tells what came of them, a line each, on standard output.

    {"register": ["INVOKE"], "as": "…"}    registers, under the file's name unless another is given
    {"park": ["INVOKE"], "as": "…"}        the same, and a thread of its own asks for events from then on
    {"ask": "POST {extension}/register", "headers": {…}, "body": "…"}
    {"raw": "GET … HTTP/1.1\r\n…", "bytes": 1000}      bytes, so many more, the sending side closed, and the answer
    {"flood": 200}                         connections that say nothing, and stay
    {"next": 2}                            asks for so many events, and tells each
    {"events": true}                       asks for events until SHUTDOWN comes, then exits with code 0
    {"port": true}                         takes a port, at which nobody listens yet
    {"listen": "…", "as": "HTTP"}          listens at it, and appends the events that come to this file, a line each
    {"listen": "…", "tell": 7}             the same, and tells them to the notes of this number in the test
    {"listen": "…", "slow_ms": 300}        the same, and takes so long over each request before it has its events
    {"hold": true}                         accepts connections at it, and never reads, until `listen` comes
    {"received": "…"}                      waits until something with this text has been received
    {"follow": true}                       asks for events until SHUTDOWN comes, and waits for the report of each call
    {"gate": 7}                            waits until the gate of this number in the test opens
    {"background": [steps]}                in a thread of its own
    {"child": "600"}                       starts `sleep 600` in a session of its own
    {"about": ["environ", "cwd", "argv"]}  tells how it was started
    {"ignore": "SIGTERM"}                  a signal
    {"signal": "SIGKILL"}                  sends it to itself
    {"print": 1000}                        writes so many bytes without a newline
    {"hang": true}                         does nothing for ever
    {"exit": 1}                            exits with this code

{extension}, {id}, {api} and {port} stand for the base path of the API, for the identifier that the last `register` was
given, for the API's own port, and for the port that was taken last. `listen` is for `POST` requests at `/`; `"at": "PUT
/path"` is for others, and "TCP" for lines. What is not as it should be is not received.
"""

import http.client
import http.server
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
listening = None
received = []
arrived = threading.Condition()


# @LINK@


def say(text):
    # One write, so that lines of several threads stay whole.
    os.write(1, f"{NAME}: {text}\n".encode())


def filled(text):
    text = text.replace("{extension}", EXTENSION).replace("{id}", identifier)
    text = text.replace("{api}", HOST.rsplit(":", 1)[1])
    return text.replace("{port}", str(listening.number) if listening else "none")


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


class Port:
    """A port of our own. Connections are refused until something is to be done with them."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.number = self.socket.getsockname()[1]
        self.use = None
        self.held = []

    def open(self, use):
        is_first, self.use = self.use is None, use
        for stream in self.held:
            stream.close()
        if is_first:
            self.socket.listen(64)
            threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            stream, _ = self.socket.accept()
            threading.Thread(target=self.use, args=[stream], daemon=True).start()


def keep(file, notes, events):
    with arrived:
        # One write, so that who reads the file sees whole lines.
        lines = "".join(event + "\n" for event in events).encode()
        with open(file, "ab", buffering=0) as kept:
            kept.write(lines)
        if notes:
            notes.sendall(lines)
        received.extend(events)
        arrived.notify_all()


def texts_of(array):
    """The elements of an array of JSON, as they are written."""
    decoder = json.JSONDecoder()
    at = 0
    while array[at] in "[,":
        _, end = decoder.raw_decode(array, at + 1)
        yield array[at + 1 : end]
        at = end
    assert array[at:] == "]", array[at:]


def requests_into(file, notes, expected, slow_ms):
    class Listener(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            is_right = f"{self.command} {self.path} {self.headers['Content-Type']}" == expected
            time.sleep(slow_ms / 1000)
            if is_right:
                keep(file, notes, list(texts_of(body)))
            self.send_response(200 if is_right else 400)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_PUT = do_POST

        def log_message(self, *_):
            pass

    def use(stream):
        with stream:
            Listener(stream, stream.getpeername(), None)

    return use


def lines_into(file, notes):
    def use(stream):
        with stream, stream.makefile(encoding="utf-8", newline="\n") as lines:
            for line in lines:
                keep(file, notes, [line.removesuffix("\n")])

    return use


def follow_until_reported(of):
    calls = 0
    while following(of)["eventType"] == "INVOKE":
        calls += 1
    with arrived:
        arrived.wait_for(lambda: sum("platform.report" in event for event in received) >= calls)


def take(step):
    global identifier, listening
    if "register" in step:
        identifier = register(step["register"], step.get("as", NAME)) or identifier
    elif "park" in step:
        if parked := register(step["park"], step.get("as", NAME)):
            threading.Thread(target=follow, args=[parked], daemon=True).start()
    elif "ask" in step:
        method, path = filled(step["ask"]).split(" ", 1)
        headers = {name: filled(value) for name, value in step.get("headers", {}).items()}
        response, text = ask(method, path, headers, filled(step.get("body", "")).encode() or None)
        say(f"{response.status} {response.getheader('content-type', 'no type')}: {text}")
    elif "raw" in step:
        say(raw(filled(step["raw"]), step.get("bytes", 0)))
    elif "flood" in step:
        host, number = HOST.rsplit(":", 1)
        flood.extend(socket.create_connection((host, int(number))) for _ in range(step["flood"]))
        say(f"{len(flood)} connections")
    elif "next" in step:
        for _ in range(step["next"]):
            following(identifier)
    elif "events" in step:
        follow(identifier)
        os._exit(0)
    elif "port" in step:
        listening = Port()
    elif "listen" in step:
        expected = step.get("at", "POST /") + " application/json"
        file, notes = step["listen"], link(step["tell"]) if "tell" in step else None
        is_tcp = step.get("as") == "TCP"
        listening.open(lines_into(file, notes) if is_tcp else requests_into(file, notes, expected, step.get("slow_ms", 0)))
    elif "hold" in step:
        listening.open(listening.held.append)
    elif "received" in step:
        with arrived:
            arrived.wait_for(lambda: any(step["received"] in event for event in received))
    elif "follow" in step:
        follow_until_reported(identifier)
    elif "gate" in step:
        with link(step["gate"]) as gate:
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
