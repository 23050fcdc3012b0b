"""Sends requests whose signatures are right, or wrong in one way each, and prints what came back as JSON.

Arguments: access key id, secret. The server is that of AWS_ENDPOINT_URL.
"""
import datetime
import http.client
import json
import os
import re
import sys
import urllib.parse

from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

KEY, SECRET = sys.argv[1:3]
HOST = urllib.parse.urlsplit(os.environ['AWS_ENDPOINT_URL']).netloc
LIST = '/2015-03-31/functions/'
INVOKE = '/2015-03-31/functions/echo/invocations'
LOGS = {'X-Amz-Target': 'Logs_20140328.DescribeLogGroups', 'Content-Type': 'application/x-amz-json-1.1'}
FORM = {'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8'}
IDENTITY = 'Action=GetCallerIdentity&Version=2011-06-15'


def sign(method, path, body='', headers=None, service='lambda', region='us-east-1', key=KEY, secret=SECRET,
         minutes=0, signer=auth.SigV4Auth, **options):
    """Returns a request as botocore signs it, its clock being some minutes ahead."""
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
    auth.get_current_datetime = lambda remove_tzinfo=True: now.replace(tzinfo=None) if remove_tzinfo else now
    request = AWSRequest(method, f'http://{HOST}{path}', headers=dict(headers or {}), data=body.encode())
    signer(Credentials(key, secret), service, region, **options).add_auth(request)
    prepared = request.prepare()
    sent = {name: value.decode() if isinstance(value, bytes) else value for name, value in prepared.headers.items()}
    sent['Host'] = HOST
    return {'method': method, 'path': prepared.url.removeprefix(f'http://{HOST}'), 'body': body, 'headers': sent}


def unsigned(method, path, body='', headers=None):
    return {'method': method, 'path': path, 'body': body, 'headers': {'Host': HOST, **(headers or {})}}


def send(request):
    connection = http.client.HTTPConnection(HOST, timeout=20)
    connection.putrequest(request['method'], request['path'], skip_host=True, skip_accept_encoding=True)
    body = request['body'].encode()
    for name, value in {**request['headers'], 'Content-Length': str(len(body))}.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    response = connection.getresponse()
    text = response.read().decode()
    message = re.search(r'"[mM]essage":"([^"]*)"|<Message>([^<]*)</Message>', text)
    message = (message.group(1) or message.group(2)) if message else ''
    message = re.sub(r"\d{8}T\d{6}Z", 'TIME', message)
    message = re.sub(r"'\d{8}'", 'DAY', message)
    return [response.status, response.getheader('x-amzn-errortype'), message]


def but(request, **changes):
    return {**request, **changes}


def headers_but(request, **changes):
    changed = {name.replace('_', '-'): value for name, value in changes.items()}
    kept = {name: value for name, value in request['headers'].items() if name.lower() not in changed}
    return {**request, 'headers': {**kept, **{name: value for name, value in changed.items() if value is not None}}}


def authorization_but(request, old, new):
    return headers_but(request, authorization=request['headers']['Authorization'].replace(old, new))


def malformed():
    """Authorization headers that are broken in many ways, 200 at least."""
    good = sign('GET', LIST)['headers']['Authorization']
    yield from ('', ' ', ',', '=', 'x', 'AWS4-HMAC-SHA256', 'AWS4-HMAC-SHA256 =', 'AWS4-HMAC-SHA256 ,,,', 'Bearer x', 'Basic eDp5')
    yield from (good[:at] for at in range(1, len(good)))
    for old in ('AWS4-HMAC-SHA256', 'Credential', 'SignedHeaders', 'Signature', '=', '/', ';', ', ', 'host', 'aws4_request'):
        for new in ('', ' ', '\t', 'x', old * 2, old.upper() if old != old.upper() else old.lower(), '%00', '\u00ff', "'--", '{}'):
            if (broken := good.replace(old, new)) != good:
                # Both blanks and tabs are blanks between the parts.
                if not (old == ', ' and new in (' ', '\t')):
                    yield broken
    yield 'AWS4-HMAC-SHA256 ' + 'a' * 60_000
    yield good + ',' + good
    yield good.replace('SignedHeaders=', 'SignedHeaders=' + ';'.join(f'a{number:03}' for number in range(500)) + ';')


seen = {}
seen['92'] = [send(request) for request in (
    unsigned('GET', LIST), unsigned('POST', INVOKE, '{}'), unsigned('POST', '/2015-03-31/functions', '{}'),
    unsigned('DELETE', '/2015-03-31/functions/echo'), unsigned('POST', '/', '{}', LOGS),
    unsigned('POST', '/', IDENTITY, FORM), unsigned('GET', '/_hearth/environments'), unsigned('GET', '/nowhere'),
    unsigned('GET', '/_hearth/health'),
)]
invoke = sign('POST', INVOKE + '?Qualifier=%24LATEST', '{"n":1}', {'X-Amz-Invocation-Type': 'RequestResponse'})
seen['93'] = [send(request) for request in (
    invoke,
    sign('GET', LIST, secret='wrong'),
    but(invoke, body='{"n":2}'), but(invoke, body=''), but(invoke, path=INVOKE),
    but(invoke, path=INVOKE + '?Qualifier=1'), but(invoke, method='PUT'),
    but(invoke, path=invoke['path'].replace('echo', 'other')),
    headers_but(invoke, **{'x-amz-invocation-type': 'Event'}),
    headers_but(invoke, **{'x-amz-log-type': 'Tail'}),
)]
seen['94'] = [send(sign('GET', LIST, key='AKIA' + 'A' * 16)), send(sign('POST', '/', IDENTITY, FORM, 'sts', key='x')),
              send(sign('POST', '/', '{}', LOGS, 'logs', key='x'))]
seen['95'] = [send(sign('GET', LIST, minutes=minutes)) for minutes in (-4, 4, -6, 6)]
captured = sign('POST', INVOKE, '"again"')
seen['96'] = [send(captured), send(captured), send(sign('POST', INVOKE, '"again"', minutes=-6))]
presigned = sign('GET', LIST, signer=auth.SigV4QueryAuth, expires=60)
seen['presigned'] = [send(request) for request in (
    presigned, but(presigned, path=presigned['path'].replace('Expires=60', 'Expires=600')),
    sign('GET', LIST, signer=auth.SigV4QueryAuth, expires=60, minutes=-2),
    but(presigned, path=presigned['path'] + '&MaxItems=1'), but(presigned, method='DELETE'),
)]
seen['97'] = [send(request) for request in (
    sign('GET', LIST, region='eu-west-1'), sign('GET', LIST, service='logs'), sign('POST', '/', '{}', LOGS, 'lambda'),
    sign('GET', '/_hearth/environments'),
    authorization_but(sign('GET', LIST), datetime.datetime.now(datetime.timezone.utc).strftime('/%Y%m%d/'), '/20200101/'),
)]
good = sign('GET', LIST)
counts = {}
for authorization in malformed():
    try:
        status = send(headers_but(good, authorization=authorization))[0]
    except (UnicodeEncodeError, ValueError):
        continue
    counts[status] = counts.get(status, 0) + 1
seen['98'] = counts
listed = sign('GET', '/2015-03-31/functions/echo')
seen['99'] = [send(request) for request in (
    but(listed, path='/2015-03-31/functions/other/../echo'), but(listed, path='/2015-03-31//functions/echo'),
    but(listed, path='/2015-03-31/functions/./echo'), but(listed, path='/2015-03-31/functions/%65cho'),
    sign('GET', '/2015-03-31/functions/x/../echo'),
    sign('GET', '/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Aecho'),
    sign('GET', '/2015-03-31/functions/arn%253Aaws%253Alambda%253Aus-east-1%253A000000000000%253Afunction%253Aecho'),
    sign('GET', LIST + '?MaxItems=1&MaxItems=2'),
    but(sign('GET', LIST + '?MaxItems=1&MaxItems=2'), path=LIST + '?MaxItems=1'),
)]
# Signed by the standard clients themselves.
seen['services'] = [send(sign('POST', '/', '{}', LOGS, 'logs')), send(sign('POST', '/', IDENTITY, FORM, 'sts')),
                    send(sign('GET', '/_hearth/environments', service='hearth'))]
print(json.dumps(seen))
