"""An ordinary application that publishes, and subscribes by a stream, with Dapr's `DaprClient`."""

from __future__ import annotations

import json

from dapr.clients import DaprClient

with DaprClient() as client:
    subscription = client.subscribe(
        pubsub_name="orderpubsub", topic="orders", dead_letter_topic="dead"
    )
    dead = client.subscribe(pubsub_name="orderpubsub", topic="dead")
    for number in range(3):
        client.publish_event(
            pubsub_name="orderpubsub",
            topic_name="orders",
            data=json.dumps({"orderId": number}),
            data_content_type="application/json",
        )
    answers = [subscription.respond_success, subscription.respond_retry, subscription.respond_drop]
    seen = []
    while len(seen) < 4:
        message = subscription.next_message()
        if message is None:
            continue
        seen.append(message.data()["orderId"])
        answer = answers[message.data()["orderId"]]
        (subscription.respond_success if seen.count(1) == 2 else answer)(message)
    dropped = dead.next_message()
    dead.respond_success(dropped)
    subscription.close()
    dead.close()
    print(json.dumps({"seen": sorted(seen), "dropped": dropped.data()}), flush=True)
