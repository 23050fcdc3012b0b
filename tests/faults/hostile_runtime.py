#!/usr/bin/env python3
"""A runtime that does to the Runtime API what each event says, and tells with its response what it was answered.

An event is {"steps": [...], "respond": true}; each step is one of

    {"ask": "POST {runtime}/invocation/{id}/response", "body": "…", "headers": {…}}
    {"ask": …, "bytes": 1000}            a body of so many bytes
    {"raw": "POST … HTTP/1.1\r\n…"}      bytes, the sending side closed, and the answer
    {"flood": 200}                       connections that say nothing, and stay
    {"dribble": 100}                     a response, so many bytes of it, one in 100 ms
    {"background": [steps]}              in a thread of its own

{runtime}, {id} and {last} stand for the base path, the request id, and that of the event before. With `respond` false
the answers are told with the next response. The variable INIT holds the steps before the first event, THREADS how many
threads ask for events, each with a connection of its own (ONE_SHOT: with a new one for each request).
"""

import http.client
import json
import os
import socket
import threading
import time

HOST = os.environ["AWS_LAMBDA_RUNTIME_API"]
RUNTIME = "/2018-06-01/runtime"

answers, deliveries, flood = [], [], []
lock = threading.Lock()
last = "none"


def connect():
    return http.client.HTTPConnection(HOST)


def raw():
    host, port = HOST.rsplit(":", 1)
    return socket.create_connection((host, int(port)))


def ask(connection, method, path, body=None, headers={}):
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    body = response.read()
    if os.environ.get("ONE_SHOT"):
        connection.close()
    return response, body


def take(step, request_id):
    def filled(text):
        return text.replace("{runtime}", RUNTIME).replace("{id}", request_id).replace("{last}", last)

    if "ask" in step:
        method, path = filled(step["ask"]).split(" ", 1)
        body = step.get("body", "").encode() if "bytes" not in step else b"x" * step["bytes"]
        connection = connect()
        response, answer = ask(connection, method, path, body or None, step.get("headers", {}))
        connection.close()
        kind = response.getheader("content-type", "no type")
        answers.append(f"{response.status} {kind}: {answer.decode()}")
    elif "raw" in step:
        with raw() as stream:
            text = b""
            try:
                stream.sendall(filled(step["raw"]).encode("latin-1") + b"x" * step.get("bytes", 0))
                stream.shutdown(socket.SHUT_WR)
                while more := stream.recv(65536):
                    text += more
            except OSError:
                text += b" (reset)"
            head, _, body = text.partition(b"\r\n\r\n")
            status = head.split(b"\r\n")[0].decode("latin-1")
            answers.append(f"{status or 'closed'}: {body.decode('latin-1')}")
    elif "flood" in step:
        for _ in range(step["flood"]):
            flood.append(raw())
        answers.append(f"{len(flood)} connections")
    elif "dribble" in step:
        with raw() as stream:
            head = filled("POST {runtime}/invocation/{id}/response HTTP/1.1\r\nHost: h\r\nContent-Length: ")
            stream.sendall(f"{head}{step['dribble']}\r\n\r\n".encode())
            for _ in range(step["dribble"]):
                stream.sendall(b"x")
                time.sleep(0.1)
    elif "background" in step:
        threading.Thread(target=lambda: [take(one, request_id) for one in step["background"]], daemon=True).start()


def work():
    global last
    connection = connect()
    while True:
        response, event = ask(connection, "GET", f"{RUNTIME}/invocation/next")
        request_id = response.getheader("Lambda-Runtime-Aws-Request-Id")
        event = json.loads(event)
        with lock:
            deliveries.append(request_id)
            times = deliveries.count(request_id)
        if event.get("lose") and times == 1:
            continue
        if event.get("times"):
            time.sleep(event.get("work", 0))
            body = {"thread": threading.current_thread().name, "times": times, "all": len(deliveries)}
        else:
            for step in event.get("steps", []):
                take(step, request_id)
            last = request_id
            if not event.get("respond", True):
                continue
            body = list(answers)
            answers.clear()
        ask(connection, "POST", f"{RUNTIME}/invocation/{request_id}/response", json.dumps(body).encode())


for step in json.loads(os.environ.get("INIT", "[]")):
    take(step, "none")
threads = [threading.Thread(target=work, daemon=True) for _ in range(int(os.environ.get("THREADS", "1")))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
