
import os, socket
def link(number):
    path = f"/tmp/hearth-link-{number}-{os.urandom(8).hex()}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        return listener.accept()[0]
