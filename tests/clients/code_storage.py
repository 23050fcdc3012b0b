"""Fills the room for packages, of 1 MB, in every way that there is. Prints what it saw."""

import os

from seen import *

# 400 kB that cannot be packed any further.
LARGE = zipped(app="def handler(event, context): return 1\n", data=os.urandom(400_000))
limit = client.get_account_settings()["AccountLimit"]["TotalCodeSize"]
seen["limit"] = limit
active("f", Code={"ZipFile": LARGE})
client.publish_version(FunctionName="f")
seen["refused"] = {
    "create": error(create, name="g", Code={"ZipFile": LARGE}),
    "layer": error(client.publish_layer_version, LayerName="l", Content={"ZipFile": LARGE}),
    "create and publish": error(create, name="g", Code={"ZipFile": zipped(data=os.urandom(200_000))}, Publish=True),
}
seen["what takes no room goes on"] = [
    client.publish_version(FunctionName="f")["Version"],
    client.update_function_code(FunctionName="f", ZipFile=CODE)["LastUpdateStatus"],
]
wait("function_updated_v2", FunctionName="f")
client.update_function_code(FunctionName="f", ZipFile=LARGE)
wait("function_updated_v2", FunctionName="f")
client.publish_layer_version(LayerName="l", Content={"ZipFile": zipped(data=os.urandom(200_000))})
client.update_function_configuration(FunctionName="f", Timeout=9)
wait("function_updated_v2", FunctionName="f")
seen["refused, too"] = {
    "publish": error(client.publish_version, FunctionName="f"),
    "update and publish": error(client.update_function_code, FunctionName="f", ZipFile=LARGE, Publish=True),
    "dry run": error(
        client.update_function_code, FunctionName="f", ZipFile=zipped(data=os.urandom(500_000)), DryRun=True
    ),
}
usage = client.get_account_settings()["AccountUsage"]
seen["usage"] = [usage["FunctionCount"], usage["TotalCodeSize"] <= limit]
client.delete_function(FunctionName="f", Qualifier="1")
seen["room again"] = client.publish_version(FunctionName="f")["Version"]
done()
