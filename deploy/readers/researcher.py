"""The researcher's table: what is stored about a patient, oldest first.

    python researcher.py --uri mongodb://127.0.0.1:27017/?directConnection=true --collection patients_record --patient p7

One line of JSON per document. The index on (`patient`, `ts`) that Triage makes serves this query.
"""

import argparse
import json
import os

from pymongo import ASCENDING, MongoClient


def arguments():
    parser = argparse.ArgumentParser(description="Print what is stored about a patient, oldest first.")
    parser.add_argument(
        "--uri",
        default=os.environ.get("MONGODB_URI", "mongodb://127.0.0.1:27017/?directConnection=true"),
        help="[default: the variable MONGODB_URI, which keeps a password off the command line]",
    )
    parser.add_argument("--database", default="Ehealth")
    parser.add_argument("--collection", default="patients_record")
    parser.add_argument("--patient", help="[default: all]")
    parser.add_argument("--count", action="store_true", help="print only how many there are")
    return parser.parse_args()


def main():
    told = arguments()
    client = MongoClient(told.uri, serverSelectionTimeoutMS=8000)
    collection = client[told.database][told.collection]
    query = {} if told.patient is None else {"patient": told.patient}
    if told.count:
        print(collection.count_documents(query))
        return
    for document in collection.find(query).sort([("patient", ASCENDING), ("ts", ASCENDING)]):
        print(json.dumps(document, ensure_ascii=False))


if __name__ == "__main__":
    main()
