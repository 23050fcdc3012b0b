"""Does with boto3 what tools do with roles, and prints what it saw."""

import json
import sys

import boto3
from botocore.exceptions import ClientError

iam, sts = boto3.client('iam'), boto3.client('sts')
seen = {}
TRUST = {'Version': '2012-10-17', 'Statement': [
    {'Effect': 'Allow', 'Principal': {'Service': 'lambda.amazonaws.com'}, 'Action': 'sts:AssumeRole'}]}
POLICY = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': 's3:*', 'Resource': '*'}]}
BASIC = 'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole'


def attempt(name, call, **arguments):
    """Notes how a call ends."""
    try:
        answer = call(**arguments)
        seen[name] = answer['ResponseMetadata']['HTTPStatusCode']
        return answer
    except ClientError as error:
        seen[name] = f"{error.response['ResponseMetadata']['HTTPStatusCode']} {error.response['Error']['Code']}: {error.response['Error']['Message']}"


role = iam.create_role(
    RoleName='worker', Path='/service/', AssumeRolePolicyDocument=json.dumps(TRUST), Description='works & <plays>',
    Tags=[{'Key': 'team', 'Value': 'a&b'}])['Role']
seen['arn'] = role['Arn']
assert role['AssumeRolePolicyDocument'] == TRUST and role['RoleId'].startswith('AROA')
attempt('create again', iam.create_role, RoleName='Worker', AssumeRolePolicyDocument=json.dumps(TRUST))
attempt('no policy', iam.create_role, RoleName='other', AssumeRolePolicyDocument='{')
attempt('no name', iam.create_role, RoleName='a b', AssumeRolePolicyDocument=json.dumps(TRUST))
got = iam.get_role(RoleName='worker')['Role']
seen['role'] = [got['Description'], got['Tags'], got['MaxSessionDuration'], got['Path']]
iam.get_waiter('role_exists').wait(RoleName='worker')
attempt('no such role', iam.get_role, RoleName='none')
iam.put_role_policy(RoleName='worker', PolicyName='inline', PolicyDocument=json.dumps(POLICY))
assert iam.get_role_policy(RoleName='worker', PolicyName='inline')['PolicyDocument'] == POLICY
seen['inline'] = iam.list_role_policies(RoleName='worker')['PolicyNames']
iam.attach_role_policy(RoleName='worker', PolicyArn=BASIC)
iam.attach_role_policy(RoleName='worker', PolicyArn=BASIC)
seen['attached'] = iam.list_attached_role_policies(RoleName='worker')['AttachedPolicies']
attempt('a policy of nobody', iam.attach_role_policy, RoleName='worker', PolicyArn='arn:aws:iam::000000000000:policy/x')
attempt('no arn', iam.attach_role_policy, RoleName='worker', PolicyArn='x' * 20)
attempt('delete with policies', iam.delete_role, RoleName='worker')
changed = json.loads(json.dumps(TRUST).replace('lambda', 'events'))
iam.update_assume_role_policy(RoleName='worker', PolicyDocument=json.dumps(changed))
iam.update_role(RoleName='worker', MaxSessionDuration=7200)
iam.tag_role(RoleName='worker', Tags=[{'Key': 'more', 'Value': '1'}])
iam.untag_role(RoleName='worker', TagKeys=['team'])
got = iam.get_role(RoleName='worker')['Role']
assert got['AssumeRolePolicyDocument'] == changed
seen['changed'] = [got['MaxSessionDuration'], iam.list_role_tags(RoleName='worker')['Tags'], got.get('Description')]
iam.create_role(RoleName='another', AssumeRolePolicyDocument=json.dumps(TRUST))
pages = iam.get_paginator('list_roles').paginate(PaginationConfig={'PageSize': 1})
seen['roles'] = [[role['RoleName'] for role in page['Roles']] for page in pages]

# Sessions.
assumed = sts.assume_role(RoleArn=role['Arn'], RoleSessionName='me', DurationSeconds=7200)
keys = assumed['Credentials']
assert assumed['AssumedRoleUser']['AssumedRoleId'] == role['RoleId'] + ':me'
session = boto3.client(
    'sts', aws_access_key_id=keys['AccessKeyId'], aws_secret_access_key=keys['SecretAccessKey'],
    aws_session_token=keys['SessionToken'])
seen['who'] = session.get_caller_identity()['Arn']
seen['functions'] = len(boto3.client(
    'lambda', aws_access_key_id=keys['AccessKeyId'], aws_secret_access_key=keys['SecretAccessKey'],
    aws_session_token=keys['SessionToken']).list_functions()['Functions'])
attempt('too long', sts.assume_role, RoleArn=role['Arn'], RoleSessionName='me', DurationSeconds=7201)
attempt('a role of nobody', sts.assume_role, RoleArn='arn:aws:iam::000000000000:role/none', RoleSessionName='me')
attempt('a session policy', sts.assume_role, RoleArn=role['Arn'], RoleSessionName='me', Policy=json.dumps(POLICY))
attempt('a user', iam.create_user, UserName='ada')
attempt('a topic', boto3.client('sns').list_topics)
attempt('a table', boto3.client('dynamodb').list_tables)
attempt('an api', boto3.client('apigateway').get_rest_apis)

iam.detach_role_policy(RoleName='worker', PolicyArn=BASIC)
attempt('detach again', iam.detach_role_policy, RoleName='worker', PolicyArn=BASIC)
iam.delete_role_policy(RoleName='worker', PolicyName='inline')
attempt('instance profiles', iam.list_instance_profiles_for_role, RoleName='worker')
attempt('delete', iam.delete_role, RoleName='worker')
attempt('delete again', iam.delete_role, RoleName='worker')
json.dump(seen, sys.stdout)
