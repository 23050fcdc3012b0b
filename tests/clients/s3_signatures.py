"""Uploads to a server that asks for signatures, in each of the ways that clients sign bodies, right and wrong; prints what
came back. Arguments: a key's id and its secret."""

import base64
import datetime
import hashlib
import hmac
import http.client
import json
import os
import sys
import urllib.parse
import zlib

KEY, SECRET = sys.argv[1:3]
SERVER = urllib.parse.urlsplit(os.environ['AWS_ENDPOINT_URL']).netloc
NOW = datetime.datetime.now(datetime.timezone.utc).strftime('%Y%m%dT%H%M%SZ')
SCOPE = f'{NOW[:8]}/us-east-1/s3/aws4_request'
EMPTY = hashlib.sha256(b'').hexdigest()


def sign(text, secret=SECRET):
    key = ('AWS4' + secret).encode()
    for part in SCOPE.split('/'):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def send(method, path, content_sha256, body, headers=(), secret=SECRET):
    """Sends a request whose head is signed; `body` gets the signature of the head."""
    headers = dict(headers, host=SERVER, **{'x-amz-date': NOW, 'x-amz-content-sha256': content_sha256})
    names = ';'.join(sorted(headers))
    lines = ''.join(f'{name}:{headers[name]}\n' for name in sorted(headers))
    canonical = f'{method}\n{path}\n\n{lines}\n{names}\n{content_sha256}'
    to_sign = f'AWS4-HMAC-SHA256\n{NOW}\n{SCOPE}\n{hashlib.sha256(canonical.encode()).hexdigest()}'
    signature = sign(to_sign, secret)
    headers['Authorization'] = (
        f'AWS4-HMAC-SHA256 Credential={KEY}/{SCOPE}, SignedHeaders={names}, Signature={signature}')
    connection = http.client.HTTPConnection(SERVER)
    connection.request(method, path, body(signature), headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return f'{answer.status} {text.split("<Code>")[-1].split("</Code>")[0]}'


def chunks(seed, parts, trailer=None, spoil=lambda at, part: part):
    """Frames and signs a body; `spoil` changes what is sent of a part after it was signed."""
    text, previous = b'', seed
    for at, part in enumerate([*parts, b'']):
        previous = sign(
            f'AWS4-HMAC-SHA256-PAYLOAD\n{NOW}\n{SCOPE}\n{previous}\n{EMPTY}\n{hashlib.sha256(part).hexdigest()}')
        text += f'{len(part):x};chunk-signature={previous}\r\n'.encode() + spoil(at, part)
        text += b'\r\n' if part else b''
    if trailer:
        line = f'{trailer}\n'
        signature = sign(
            f'AWS4-HMAC-SHA256-TRAILER\n{NOW}\n{SCOPE}\n{previous}\n{hashlib.sha256(line.encode()).hexdigest()}')
        text += f'{trailer}\r\nx-amz-trailer-signature:{signature}\r\n'.encode()
    return text + b'\r\n'


parts = [b'a' * 65_536, b'b' * 1_000]
whole = b''.join(parts)
length = {'content-encoding': 'aws-chunked', 'x-amz-decoded-content-length': str(len(whole))}
crc = base64.b64encode(zlib.crc32(whole).to_bytes(4, 'big')).decode()
trailing = dict(length, **{'x-amz-trailer': 'x-amz-checksum-crc32'})
SIGNED, TRAILED = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER'
UNSIGNED = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'
other = lambda at, part: b'c' * len(part) if at == 1 else part
framed = f'{len(whole):x}\r\n'.encode() + whole + b'\r\n0\r\n'
seen = [
    ['a bucket', send('PUT', '/bucket', EMPTY, lambda _: b'')],
    ['a hash', send('PUT', '/bucket/k', hashlib.sha256(whole).hexdigest(), lambda _: whole)],
    ['another body', send('PUT', '/bucket/no', hashlib.sha256(whole).hexdigest(), lambda _: whole[::-1])],
    ['no hash', send('PUT', '/bucket/k', 'UNSIGNED-PAYLOAD', lambda _: whole)],
    ['chunks', send('PUT', '/bucket/k', SIGNED, lambda seed: chunks(seed, parts), length)],
    ['another chunk', send('PUT', '/bucket/no', SIGNED, lambda seed: chunks(seed, parts, spoil=other), length)],
    ['fewer chunks', send('PUT', '/bucket/no', SIGNED, lambda seed: chunks(seed, parts[:1]), length)],
    ['chunks without signatures', send('PUT', '/bucket/no', SIGNED, lambda _: framed + b'\r\n', length)],
    ['a trailer', send('PUT', '/bucket/k', TRAILED,
                       lambda seed: chunks(seed, parts, f'x-amz-checksum-crc32:{crc}'), trailing)],
    ['a wrong trailer', send('PUT', '/bucket/no', TRAILED,
                             lambda seed: chunks(seed, parts, 'x-amz-checksum-crc32:AAAAAA=='), trailing)],
    ['unsigned chunks', send('PUT', '/bucket/k', UNSIGNED,
                             lambda _: framed + f'x-amz-checksum-crc32:{crc}\r\n\r\n'.encode(), trailing)],
    ['a wrong checksum', send('PUT', '/bucket/no', UNSIGNED,
                              lambda _: framed + b'x-amz-checksum-crc32:AAAAAA==\r\n\r\n', trailing)],
    ['no trailer', send('PUT', '/bucket/no', UNSIGNED, lambda _: framed + b'\r\n', trailing)],
    ['another secret', send('GET', '/bucket/k', EMPTY, lambda _: b'', secret='x' * 40)],
    ['what was refused', send('GET', '/bucket/no', EMPTY, lambda _: b'')],
]
json.dump(seen, sys.stdout)
