"""Does with boto3 what tools do with buckets, and prints what it saw. Arguments: a folder for files of its own."""

import hashlib
import json
import os
import sys
import urllib.error
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.client import Config
from botocore.exceptions import ClientError

folder = sys.argv[1]
s3 = boto3.client('s3', config=Config(retries={'total_max_attempts': 1}))
presigner = boto3.client('s3', config=Config(signature_version='s3v4'))
seen = {}


def attempt(name, call, **arguments):
    """Notes how a call ends."""
    try:
        answer = call(**arguments)
        seen[name] = answer['ResponseMetadata']['HTTPStatusCode']
        return answer
    except ClientError as error:
        seen[name] = f"{error.response['ResponseMetadata']['HTTPStatusCode']} {error.response['Error']['Code']}"


def fetch(url, data=None, method='GET'):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, method=method)) as answer:
            return f'{answer.status} {answer.read().decode()}'
    except urllib.error.HTTPError as error:
        return f'{error.code} {error.read().decode().split("<Code>")[-1].split("</Code>")[0]}'


attempt('create', s3.create_bucket, Bucket='first')
attempt('create again', s3.create_bucket, Bucket='first')
attempt('a name that is none', boto3.client('s3').create_bucket, Bucket='First.Bucket-')
attempt('head', s3.head_bucket, Bucket='first')
attempt('head of another', s3.head_bucket, Bucket='second')
seen['buckets'] = [bucket['Name'] for bucket in s3.list_buckets()['Buckets']]
seen['location'] = s3.get_bucket_location(Bucket='first')['LocationConstraint']

# Objects.
body = b'hello, bucket'
put = s3.put_object(
    Bucket='first', Key='a b/ü+&<>.txt', Body=body, ContentType='text/plain', CacheControl='no-cache',
    Metadata={'colour': 'red'})
assert put['ETag'].strip('"') == hashlib.md5(body).hexdigest()
got = s3.get_object(Bucket='first', Key='a b/ü+&<>.txt')
seen['object'] = [got['Body'].read().decode(), got['ContentType'], got['CacheControl'], got['Metadata'], got['ContentLength']]
seen['range'] = s3.get_object(Bucket='first', Key='a b/ü+&<>.txt', Range='bytes=7-9')['Body'].read().decode()
seen['range head'] = s3.get_object(Bucket='first', Key='a b/ü+&<>.txt', Range='bytes=-6')['ContentRange']
head = s3.head_object(Bucket='first', Key='a b/ü+&<>.txt')
assert head['ETag'] == put['ETag'] and head['ContentLength'] == len(body)
s3.put_object(Bucket='first', Key='empty', Body=b'')
seen['empty'] = s3.get_object(Bucket='first', Key='empty')['Body'].read().decode()
for algorithm in ['CRC32', 'SHA1', 'SHA256']:
    s3.put_object(Bucket='first', Key=algorithm, Body=body, ChecksumAlgorithm=algorithm)
    checked = s3.get_object(Bucket='first', Key=algorithm, ChecksumMode='ENABLED')
    assert checked['Body'].read() == body and checked[f'Checksum{algorithm}'], algorithm
attempt('if none match', s3.put_object, Bucket='first', Key='empty', Body=b'x', IfNoneMatch='*')
attempt('if match', s3.put_object, Bucket='first', Key='empty', Body=b'x', IfMatch='"0"')
attempt('not modified', s3.get_object, Bucket='first', Key='empty', IfNoneMatch=s3.head_object(Bucket='first', Key='empty')['ETag'])
attempt('a range behind the end', s3.get_object, Bucket='first', Key='CRC32', Range='bytes=99-')
attempt('no such key', s3.get_object, Bucket='first', Key='none')
attempt('no such bucket', s3.put_object, Bucket='second', Key='k', Body=b'x' * 3_000_000)
attempt('head of no key', s3.head_object, Bucket='first', Key='none')
attempt('a wrong checksum', s3.put_object, Bucket='first', Key='k', Body=b'x', ChecksumCRC32='AAAAAA==')
attempt('a wrong digest', s3.put_object, Bucket='first', Key='k', Body=b'x', ContentMD5='AAAAAAAAAAAAAAAAAAAAAA==')
attempt('a long key', s3.put_object, Bucket='first', Key='k' * 1025, Body=b'x')
attempt('much metadata', s3.put_object, Bucket='first', Key='k', Body=b'x', Metadata={'m': 'x' * 3000})
attempt('encryption', s3.put_object, Bucket='first', Key='k', Body=b'x', ServerSideEncryption='aws:kms')
attempt('an encryption that is none', s3.put_object, Bucket='first', Key='k', Body=b'x', ServerSideEncryption='AES512')
attempt('a key of the client', s3.put_object, Bucket='first', Key='k', Body=b'x', ServerSideEncryption='AES256', SSEKMSKeyId='key')
attempt('a public object', s3.put_object, Bucket='first', Key='k', Body=b'x', ACL='public-read')
attempt('a policy', s3.put_bucket_policy, Bucket='first', Policy='{}')
attempt('a version', s3.get_object, Bucket='first', Key='empty', VersionId='abc')
attempt('none of them is there', s3.head_object, Bucket='first', Key='k')
s3.copy_object(Bucket='first', Key='copy', CopySource={'Bucket': 'first', 'Key': 'a b/ü+&<>.txt'})
copy = s3.get_object(Bucket='first', Key='copy')
seen['copy'] = [copy['Body'].read().decode(), copy['Metadata']]

# What says AES256 is answered AES256, and nothing else is.
def encryption(answer):
    return answer.get('ServerSideEncryption')


sse = {'Bucket': 'first', 'Key': 'sse'}
seen['encrypted'] = [encryption(s3.put_object(**sse, Body=b'x', ServerSideEncryption='AES256'))]
seen['encrypted'] += [encryption(s3.head_object(**sse)), encryption(s3.get_object(**sse))]
seen['encrypted'] += [encryption(s3.copy_object(**sse, CopySource=sse, ServerSideEncryption='AES256'))]
begun = s3.create_multipart_upload(**sse, ServerSideEncryption='AES256')
upload = {**sse, 'UploadId': begun['UploadId']}
part = s3.upload_part(**upload, PartNumber=1, Body=b'part')
parts = {'Parts': [{'PartNumber': 1, 'ETag': part['ETag']}]}
whole = s3.complete_multipart_upload(**upload, MultipartUpload=parts)
seen['encrypted'] += [encryption(answer) for answer in [begun, part, whole, s3.head_object(**sse)]]
s3.copy_object(Bucket='first', Key='copy', CopySource=sse)
seen['not encrypted'] = [encryption(s3.head_object(Bucket='first', Key=key)) for key in ['copy', 'empty']]
s3.copy_object(Bucket='first', Key='copy', CopySource={'Bucket': 'first', 'Key': 'a b/ü+&<>.txt'})
s3.delete_object(**sse)

# Lists.
for key in ['l/a', 'l/b/1', 'l/b/2', 'l/c/1', 'l/d']:
    s3.put_object(Bucket='first', Key=key, Body=key.encode())
pages = list(s3.get_paginator('list_objects_v2').paginate(
    Bucket='first', Prefix='l/', Delimiter='/', PaginationConfig={'PageSize': 1}))
seen['pages'] = [
    [entry['Key'] for entry in page.get('Contents', [])] + [entry['Prefix'] for entry in page.get('CommonPrefixes', [])]
    for page in pages]
older = s3.get_paginator('list_objects').paginate(Bucket='first', Prefix='l/', PaginationConfig={'PageSize': 2})
seen['older pages'] = [[entry['Key'] for entry in page['Contents']] for page in older]
seen['keys'] = [entry['Key'] for entry in s3.list_objects_v2(Bucket='first', Prefix='a ')['Contents']]

# In parts.
large = os.path.join(folder, 'large')
content = os.urandom(1 << 20) * 19 + b'end'
with open(large, 'wb') as file:
    file.write(content)
config = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
s3.upload_file(large, 'first', 'large', Config=config)
seen['parts'] = s3.head_object(Bucket='first', Key='large')['ETag'].strip('"').rsplit('-')[-1]
s3.download_file('first', 'large', large + '.back', Config=config)
with open(large + '.back', 'rb') as file:
    assert file.read() == content
assert s3.get_object(Bucket='first', Key='large')['Body'].read() == content
across = s3.get_object(Bucket='first', Key='large', Range=f'bytes={(5 << 20) - 3}-{(5 << 20) + 2}')['Body'].read()
assert across == content[(5 << 20) - 3:(5 << 20) + 3]
upload = s3.create_multipart_upload(Bucket='first', Key='parts')['UploadId']
part = {'Bucket': 'first', 'Key': 'parts', 'UploadId': upload}
one = s3.upload_part(**part, PartNumber=1, Body=b'small')['ETag']
two = s3.upload_part(**part, PartNumber=2, Body=b'small')['ETag']
seen['listed parts'] = [entry['PartNumber'] for entry in s3.list_parts(**part)['Parts']]
seen['uploads'] = [entry['Key'] for entry in s3.list_multipart_uploads(Bucket='first')['Uploads']]
attempt('small parts', s3.complete_multipart_upload, **part, MultipartUpload={'Parts': [
    {'PartNumber': 1, 'ETag': one}, {'PartNumber': 2, 'ETag': two}]})
attempt('another part', s3.complete_multipart_upload, **part, MultipartUpload={'Parts': [{'PartNumber': 3, 'ETag': one}]})
attempt('parts out of order', s3.complete_multipart_upload, **part, MultipartUpload={'Parts': [
    {'PartNumber': 2, 'ETag': two}, {'PartNumber': 1, 'ETag': one}]})
attempt('part 0', s3.upload_part, **part, PartNumber=0, Body=b'x')
attempt('a bucket with uploads', s3.delete_bucket, Bucket='first')
attempt('abort', s3.abort_multipart_upload, **part)
attempt('abort again', s3.abort_multipart_upload, **part)

# Presigned.
url = presigner.generate_presigned_url('get_object', {'Bucket': 'first', 'Key': 'a b/ü+&<>.txt'})
seen['presigned'] = fetch(url)
seen['presigned and changed'] = fetch(url.replace('a%20b', 'l'))
put_url = presigner.generate_presigned_url('put_object', {'Bucket': 'first', 'Key': 'by url'})
seen['presigned put'] = fetch(put_url, b'put by url', 'PUT')
seen['put by url'] = s3.get_object(Bucket='first', Key='by url')['Body'].read().decode()
seen['presigned for another method'] = fetch(url, method='DELETE')
seen['of long ago'] = fetch(url.replace('X-Amz-Date=20', 'X-Amz-Date=19'))

# Away with it.
attempt('a bucket that is full', s3.delete_bucket, Bucket='first')
keys = [entry['Key'] for entry in s3.list_objects_v2(Bucket='first')['Contents']]
deleted = s3.delete_objects(Bucket='first', Delete={'Objects': [{'Key': key} for key in keys + ['never there']]})
seen['deleted'] = len(deleted['Deleted']) - len(keys)
attempt('delete what is not there', s3.delete_object, Bucket='first', Key='none')
attempt('delete', s3.delete_bucket, Bucket='first')
attempt('delete again', s3.delete_bucket, Bucket='first')
json.dump(seen, sys.stdout)
