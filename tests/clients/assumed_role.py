"""Assumes a role with the key in the environment, and does things with the temporary one; prints how they end."""

import json
import sys

import boto3
from botocore.client import Config
from botocore.exceptions import ClientError

TRUST = {'Statement': [{'Effect': 'Allow', 'Principal': '*', 'Action': 'sts:AssumeRole'}]}
LISTS = {'Statement': [
    {'Effect': 'Allow', 'Action': 'lambda:List*', 'Resource': '*'},
    {'Effect': 'Allow', 'Action': 's3:*', 'Resource': ['arn:aws:s3:::mine', 'arn:aws:s3:::mine/*']},
]}
once = Config(retries={'total_max_attempts': 1})
seen = {}


def attempt(name, call, **arguments):
    try:
        answer = call(**arguments)
        seen[name] = answer['ResponseMetadata']['HTTPStatusCode']
        return answer
    except ClientError as error:
        seen[name] = f"{error.response['ResponseMetadata']['HTTPStatusCode']} {error.response['Error']['Code']}"


iam, own = boto3.client('iam'), boto3.client('s3', config=once)
attempt('create', iam.create_role, RoleName='worker', AssumeRolePolicyDocument=json.dumps(TRUST))
assumed = attempt(
    'assume', boto3.client('sts').assume_role, RoleArn='arn:aws:iam::000000000000:role/worker', RoleSessionName='me',
    DurationSeconds=900)
attempt('upload', own.create_bucket, Bucket='mine')
if assumed:
    keys = assumed['Credentials']

    def client(service, token=keys['SessionToken']):
        return boto3.client(
            service, aws_access_key_id=keys['AccessKeyId'], aws_secret_access_key=keys['SecretAccessKey'],
            aws_session_token=token, config=once)

    seen['who'] = client('sts').get_caller_identity()['Arn']
    attempt('list, without a policy', client('lambda').list_functions)
    iam.put_role_policy(RoleName='worker', PolicyName='lists', PolicyDocument=json.dumps(LISTS))
    attempt('list', client('lambda').list_functions)
    attempt('invoke', client('lambda').invoke, FunctionName='f')
    attempt('upload elsewhere', own.create_bucket, Bucket='other')
    attempt('list buckets', client('s3').list_buckets)
    for bucket in ('mine', 'other'):
        attempt(f'put into {bucket}', client('s3').put_object, Bucket=bucket, Key='key', Body=b'x')
    attempt('copy from other', client('s3').copy_object, Bucket='mine', Key='copy', CopySource='other/key')
    attempt('copy from mine', client('s3').copy_object, Bucket='mine', Key='copy', CopySource='mine/key')
    attempt('another token', client('lambda', 'x' * 192).list_functions)
    attempt('no token', client('lambda', None).list_functions)
    seen['keys'] = [keys['AccessKeyId'], keys['SecretAccessKey'], keys['SessionToken']]
json.dump(seen, sys.stdout)
