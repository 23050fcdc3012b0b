"""Asks Hearth's own API from inside a function, signing by hand: `event` is a list of requests."""
import datetime
import hashlib
import hmac
import http.client
import os
import urllib.parse


def own_keys():
    names = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN']
    return [os.environ[name] for name in names]


def signed(method, path, headers, body, service, keys):
    key, secret, token = keys
    date = datetime.datetime.now(datetime.timezone.utc).strftime('%Y%m%dT%H%M%SZ')
    headers['x-amz-date'] = date
    if token:
        headers['x-amz-security-token'] = token
    names = sorted(name.lower() for name in headers)
    values = {name.lower(): value for name, value in headers.items()}
    path, _, query = path.partition('?')
    canonical = '\n'.join([
        method, urllib.parse.quote(path, safe='/-_.~'), '&'.join(sorted(query.split('&'))),
        *[f'{name}:{values[name]}' for name in names], '', ';'.join(names), hashlib.sha256(body).hexdigest(),
    ])
    scope = f"{date[:8]}/{os.environ['AWS_REGION']}/{service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    sign = ('AWS4' + secret).encode()
    for part in [*scope.split('/'), f'AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}']:
        sign = hmac.new(sign, part.encode(), hashlib.sha256).digest()
    headers['Authorization'] = (
        f'AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={";".join(names)}, Signature={sign.hex()}')
    return headers


def ask(request):
    host = request.get('host') or urllib.parse.urlsplit(os.environ['AWS_ENDPOINT_URL']).netloc
    method, path, body = request.get('method', 'GET'), request['path'], request.get('body', '').encode()
    headers = {'Host': host, **request.get('headers', {})}
    if not request.get('unsigned'):
        keys = request.get('keys') or own_keys()
        headers = signed(method, path, headers, body, request.get('service', 'lambda'), keys)
    connection = http.client.HTTPConnection(host, timeout=20)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        answer = response.read().decode()
        return [response.status, response.getheader('x-amzn-errortype'), answer]
    except OSError as error:
        return [0, type(error).__name__, '']
    finally:
        connection.close()


def handler(event, context):
    if event == 'keys':
        return own_keys() + [os.environ['AWS_ENDPOINT_URL']]
    if isinstance(event, list):
        return [ask(request) for request in event]
    return {'event': event, 'trace': os.environ.get('_X_AMZN_TRACE_ID')}
