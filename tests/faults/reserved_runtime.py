"""A custom runtime that answers with the time that its handler ran: [from, to], in nanoseconds since the host started.

`wait_at` stands in front of it."""
import json, os, socket, time

host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
api = socket.create_connection((host, int(port)))
api.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
reader = api.makefile("rb")


def exchange(method, path, body=b""):
    head = f"{method} /2018-06-01/runtime/invocation/{path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"
    api.sendall(head.encode() + body)
    reader.readline()
    headers = {}
    while (line := reader.readline()) != b"\r\n":
        name, _, value = line.partition(b":")
        headers[name.lower()] = value.strip().decode()
    return headers, reader.read(int(headers[b"content-length"]))


while True:
    headers, event = exchange("GET", "next")
    began = time.monotonic_ns()
    event = json.loads(event)
    what = event["what"]
    if what == "hold":
        time.sleep(0.004)
    elif what == "wait":
        wait_at(event["gate"])
    elif what == "exit":
        os._exit(1)
    if what == "fail":
        path, body = "error", {"errorMessage": "on purpose", "errorType": "OnPurpose"}
    else:
        path, body = "response", [began, time.monotonic_ns()]
    exchange("POST", f"{headers[b'lambda-runtime-aws-request-id']}/{path}", json.dumps(body).encode())
