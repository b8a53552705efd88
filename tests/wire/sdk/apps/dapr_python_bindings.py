"""An ordinary application that uses bindings and calls other applications with `DaprClient`."""

from __future__ import annotations

import json

import grpc
from dapr.clients import DaprClient

seen: dict = {}
with DaprClient() as client:
    # As in the quickstart: the data are an empty text.
    for number in (1, 2):
        sql = "insert into orders (orderid, customer) values ($1, 'Ann')"
        metadata = {"sql": sql, "params": json.dumps([number])}
        answer = client.invoke_binding("sqldb", "exec", "", metadata)
        seen["affected"] = answer.binding_metadata["rows-affected"]
    rows = client.invoke_binding("sqldb", "query", b"", {"sql": "select * from orders"})
    seen["rows"] = rows.json()
    name = {"fileName": "a.bin"}
    seen["created"] = client.invoke_binding("files", "create", b"\xff\x00", name).json()
    seen["read"] = list(client.invoke_binding("files", "get", b"", name).data)
    seen["headers"] = client.invoke_binding("files", "list").headers
    web = client.invoke_binding("web", "post", json.dumps({"item": "tea"}), {"path": "orders"})
    seen["web"] = json.loads(web.json()["body"])
    seen["status"] = web.binding_metadata["statusCode"]
    try:
        client.invoke_binding("nobody", "get")
    except grpc.RpcError as error:
        seen["refused"] = [error.code().name, error.details()]

    reached = client.invoke_method(
        "shop", "orders/first", data=json.dumps({"id": 1}), http_verb="POST"
    )
    seen["invoked"] = [reached.status_code, reached.json()["path"], reached.json()["body"]]
    there = client.invoke_method("stock", "x", http_verb="GET", http_querystring=(("a", "1"),))
    seen["endpoint"] = [there.json()["method"], there.json()["path"], there.json()["query"]]
    seen["text"] = client.invoke_method("shop", "201").text()
    for app_id, method in (("shop", "404"), ("nobody", "x")):
        try:
            client.invoke_method(app_id, method)
        except Exception as error:
            seen[f"{app_id} {method}"] = f"{type(error).__name__}: {error}"
print(json.dumps(seen, default=str))
