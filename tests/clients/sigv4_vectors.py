"""Writes requests that botocore has signed, as JSON: `crates/auth/src/vectors.json` was made with it."""
import datetime
import json
import sys

from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

KEY, SECRET = 'AKIDEXAMPLE', 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
TOKEN = 'a/token+of=the/environment'
NOW = datetime.datetime(2015, 8, 30, 12, 36, 0)
HOST = 'localhost:4566'


class Clock(datetime.datetime):
    @classmethod
    def utcnow(cls):
        return NOW

    @classmethod
    def now(cls, tz=None):
        return NOW.replace(tzinfo=tz)


if hasattr(auth, 'get_current_datetime'):
    auth.get_current_datetime = lambda remove_tzinfo=True: NOW
auth.datetime.datetime = Clock if hasattr(auth.datetime, 'datetime') else auth.datetime


REQUESTS = [
    ('GET', '/', '', {}),
    ('GET', '/2015-03-31/functions/', '', {}),
    ('GET', '/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af', '', {}),
    ('GET', '/2015-03-31/functions/f?Qualifier=%24LATEST', '', {}),
    ('DELETE', '/2017-03-31/tags/arn%3Aaws%3Alambda?tagKeys=b&tagKeys=a&tagKeys=a%20b', '', {}),
    ('POST', '/2015-03-31/functions/f/invocations', '{"name": "\u00fc"}',
     {'X-Amz-Invocation-Type': 'RequestResponse', 'X-Amz-Client-Context': 'e30=', 'User-Agent': 'x'}),
    ('POST', '/', 'Action=GetCallerIdentity&Version=2011-06-15',
     {'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8'}),
]


def signed(signer, token, method, path, body, headers):
    request = AWSRequest(method, f'http://{HOST}{path}', headers=dict(headers), data=body.encode())
    signer(Credentials(KEY, SECRET, token)).add_auth(request)
    prepared = request.prepare()
    pairs = [['host', HOST]]
    for name, value in prepared.headers.items():
        value = value.decode() if isinstance(value, bytes) else value
        pairs.append([name, value])
    return {'method': method, 'uri': prepared.url.removeprefix(f'http://{HOST}'), 'headers': pairs,
            'body': body, 'token': token}


vectors = []
for token in (None, TOKEN):
    for request in REQUESTS:
        vectors.append(signed(lambda keys: auth.SigV4Auth(keys, 'lambda', 'us-east-1'), token, *request))
    for request in REQUESTS[:5]:
        vectors.append(signed(lambda keys: auth.SigV4QueryAuth(keys, 'lambda', 'us-east-1', expires=60), token, *request))
json.dump(vectors, sys.stdout, indent=1, ensure_ascii=False)
