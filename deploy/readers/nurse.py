"""The nurse's screen: the alerts of one topic, as they come.

    python nurse.py --bootstrap-servers 127.0.0.1:9092 --topic alerts.vitals

An alert is shown once it is committed, and never one that the engine took back (`read_committed`). The group remembers
what has been shown: a screen that was off shows what it missed.
"""

import argparse
import json
import sys
from datetime import datetime, timezone

from confluent_kafka import Consumer, KafkaError, KafkaException


def arguments():
    parser = argparse.ArgumentParser(description="Show the alerts of one topic, as they come.")
    parser.add_argument("--bootstrap-servers", default="127.0.0.1:9092")
    parser.add_argument("--topic", default="alerts.vitals")
    parser.add_argument("--group", default="nurse", help="who is looking: each group sees every alert once")
    parser.add_argument(
        "--properties",
        type=argparse.FileType(),
        help="a file of librdkafka's properties, NAME=VALUE a line: how to log in",
    )
    parser.add_argument("--count", type=int, help="end after so many alerts [default: never]")
    return parser.parse_args()


def properties(file):
    lines = [] if file is None else file.read().splitlines()
    told = [line.partition("=") for line in lines if line.strip() and not line.startswith("#")]
    return {name.strip(): value.strip() for name, _, value in told}


def line(alert):
    time = datetime.fromtimestamp(alert["ts"] / 1000, timezone.utc).astimezone()
    patient = alert.get("patient", "(no patient)")
    return f"{time:%d.%m. %H:%M:%S}  {alert['priority']:6}  {patient:12}  {alert['message']}"


def main():
    told = arguments()
    consumer = Consumer(properties(told.properties) | {
        "bootstrap.servers": told.bootstrap_servers,
        "group.id": told.group,
        "isolation.level": "read_committed",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "check.crcs": True,
    })
    consumer.subscribe([told.topic])
    shown = 0
    try:
        while told.count is None or shown < told.count:
            message = consumer.poll(1.0)
            if message is None:
                continue
            if message.error() and message.error().code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                print(f"{told.topic} is not there yet", file=sys.stderr)
                continue
            if message.error():
                raise KafkaException(message.error())
            if message.value() is not None:  # a tombstone: an episode that has long been closed
                print(line(json.loads(message.value())), flush=True)
                shown += 1
            consumer.commit(message, asynchronous=False)
    except KeyboardInterrupt:
        pass
    finally:
        consumer.close()


if __name__ == "__main__":
    main()
