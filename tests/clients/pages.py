"""Prints the page sizes and the names that boto3's ListFunctions paginator sees."""

import json
import sys

import boto3

pages = [
    [function["FunctionName"] for function in page["Functions"]]
    for page in boto3.client("lambda").get_paginator("list_functions").paginate()
]
json.dump({"pages": [len(page) for page in pages], "names": sum(pages, [])}, sys.stdout)
