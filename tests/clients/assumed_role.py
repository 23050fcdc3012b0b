"""Assumes a role with the key in the environment, and does things with the temporary one; prints how they end."""

import json
import sys

import boto3
from botocore.client import Config
from botocore.exceptions import ClientError

TRUST = {'Statement': [{'Effect': 'Allow', 'Principal': '*', 'Action': 'sts:AssumeRole'}]}
once = Config(retries={'total_max_attempts': 1})
seen = {}


def attempt(name, call, **arguments):
    try:
        answer = call(**arguments)
        seen[name] = answer['ResponseMetadata']['HTTPStatusCode']
        return answer
    except ClientError as error:
        seen[name] = f"{error.response['ResponseMetadata']['HTTPStatusCode']} {error.response['Error']['Code']}"


attempt('create', boto3.client('iam').create_role, RoleName='worker', AssumeRolePolicyDocument=json.dumps(TRUST))
assumed = attempt(
    'assume', boto3.client('sts').assume_role, RoleArn='arn:aws:iam::000000000000:role/worker', RoleSessionName='me',
    DurationSeconds=900)
attempt('upload', boto3.client('s3', config=once).create_bucket, Bucket='bucket')
if assumed:
    keys = assumed['Credentials']

    def client(service, token=keys['SessionToken']):
        return boto3.client(
            service, aws_access_key_id=keys['AccessKeyId'], aws_secret_access_key=keys['SecretAccessKey'],
            aws_session_token=token, config=once)

    seen['who'] = client('sts').get_caller_identity()['Arn']
    attempt('list', client('lambda').list_functions)
    attempt('list buckets', client('s3').list_buckets)
    attempt('another token', client('lambda', 'x' * 192).list_functions)
    attempt('no token', client('lambda', None).list_functions)
    seen['keys'] = [keys['AccessKeyId'], keys['SecretAccessKey'], keys['SessionToken']]
json.dump(seen, sys.stdout)
