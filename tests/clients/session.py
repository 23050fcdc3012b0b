"""Lists the functions with the temporary key of a session; prints how that ends. Arguments: key, secret, token."""

import sys

import boto3
from botocore.client import Config
from botocore.exceptions import ClientError

key, secret, token = sys.argv[1:4]
client = boto3.client(
    'lambda', aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token,
    config=Config(retries={'total_max_attempts': 1}))
try:
    client.list_functions()
    print('ok')
except ClientError as error:
    print(f"{error.response['ResponseMetadata']['HTTPStatusCode']} {error.response['Error']['Code']}")
