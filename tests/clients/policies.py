"""What a key may do, with boto3. Arguments: access key id, secret. Prints JSON."""
import json
import sys

import boto3
from botocore.exceptions import ClientError

KEY, SECRET = sys.argv[1:3]


def client(service):
    return boto3.client(service, aws_access_key_id=KEY, aws_secret_access_key=SECRET)


def outcome(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response['Error']['Code']
    return 'ok'


functions, logs = client('lambda'), client('logs')
print(json.dumps({
    'who': client('sts').get_caller_identity()['Arn'],
    'Invoke': outcome(functions.invoke, FunctionName='echo'),
    'ListFunctions': outcome(functions.list_functions),
    'GetFunctionConfiguration': outcome(functions.get_function_configuration, FunctionName='echo'),
    'TagResource': outcome(
        functions.tag_resource, Resource='arn:aws:lambda:us-east-1:000000000000:function:echo', Tags={'a': 'b'}),
    'DescribeLogGroups': outcome(logs.describe_log_groups),
    'CreateLogGroup': outcome(logs.create_log_group, logGroupName='group-of-' + KEY),
}))
