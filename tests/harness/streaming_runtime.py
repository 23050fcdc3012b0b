"""A custom runtime that streams what the event tells it to: {"steps": [["say", "a"], …], "type": "text/plain"}.

`wait_at` stands in front of it."""
import base64, http.client, json, os, select, socket, time

host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
api = http.client.HTTPConnection(host, int(port))
path = "/2018-06-01/runtime/invocation/"
last_status = "none"


class Response:
    def __init__(self, request_id, content_type):
        self.post = socket.create_connection((host, int(port)))
        self.trailers = ""
        head = f"POST {path}{request_id}/response HTTP/1.1\r\nHost: {host}\r\n"
        head += "Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n"
        head += "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n"
        self.post.sendall((head + f"Content-Type: {content_type}\r\n\r\n").encode())

    def chunk(self, data):
        self.post.sendall(b"%x\r\n%b\r\n" % (len(data), data))

    def say(self, text):
        self.chunk(text.encode())

    def zeros(self, number):
        self.chunk(bytes(number))

    def who(self):
        """Names the environment and the process."""
        self.say(f"{os.environ['AWS_LAMBDA_LOG_STREAM_NAME']} {os.getpid()}")

    def last(self):
        self.say(last_status)

    def wait(self, gate):
        wait_at(gate)

    def sleep(self, seconds):
        time.sleep(seconds)

    def exit(self, status):
        os._exit(status)

    def fail(self, kind, report):
        body = base64.b64encode(json.dumps(report).encode()).decode()
        self.trailers = f"Lambda-Runtime-Function-Error-Type: {kind}\r\n"
        self.trailers += f"Lambda-Runtime-Function-Error-Body: {body}\r\n"

    def flood(self, megabytes, gate=None):
        """Sends that much; the first time that it has to wait for half a second, it goes to the gate."""
        piece = memoryview(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        self.post.setblocking(False)
        for _ in range(megabytes * 16):
            at = 0
            while at < len(piece):
                if select.select([], [self.post], [], 0.5)[1]:
                    at += self.post.send(piece[at:])
                elif gate:
                    wait_at(gate)
                    gate = None
        self.post.setblocking(True)

    def end(self):
        self.post.sendall(f"0\r\n{self.trailers}\r\n".encode())
        return self.post.recv(1000).split(b"\r\n")[0].decode()


while True:
    api.request("GET", path + "next")
    reply = api.getresponse()
    event = json.loads(reply.read())
    # An event of a function URL brings its steps in the body.
    event = json.loads(event["body"]) if "body" in event else event
    request_id = reply.headers["Lambda-Runtime-Aws-Request-Id"]
    if "error" in event:
        api.request("POST", f"{path}{request_id}/error", json.dumps(event["error"]))
        api.getresponse().read()
        continue
    response = Response(request_id, event.get("type", "application/octet-stream"))
    for step, *arguments in event["steps"]:
        if step == "break":
            response.post.close()
            break
        getattr(response, step)(*arguments)
    else:
        last_status = response.end()
