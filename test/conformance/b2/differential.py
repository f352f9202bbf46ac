"""Runs sequences of operations through b2sdk and writes what each one gave.

Input, as JSON on standard input: {"target": "simulator" | {url, keyId, key}, "sequences": [[op, ...], ...]}.
Output, as JSON: a list of results for every sequence. Ids and times are left out: they differ between any two runs.
"""

import io
import json
import sys
import time
import warnings

from b2sdk.v3 import (
    B2Api,
    B2HttpApiConfig,
    BucketSimulator,
    FileRetentionSetting,
    InMemoryAccountInfo,
    LegalHold,
    RawSimulator,
    RetentionMode,
)
from b2sdk.v3.exception import B2Error

warnings.simplefilter("ignore")


class RoomyBucket(BucketSimulator):
    """A bucket that copies as much at once as the service does."""

    MAX_SIMPLE_COPY_SIZE = 5_000_000_000


class Simulator(RawSimulator):
    """b2sdk's simulator, mended where it fails itself.

    It forgets to note the bucket of a copy, and cannot read the headers of a file whose retention was removed.
    """

    BUCKET_SIMULATOR_CLASS = RoomyBucket

    def update_file_retention(self, api_url, account_auth_token, file_id, file_name, file_retention, *args, **kwargs):
        result = super().update_file_retention(
            api_url, account_auth_token, file_id, file_name, file_retention, *args, **kwargs
        )
        if file_retention.mode is RetentionMode.NONE:
            bucket = self._get_bucket_by_id(self.file_id_to_bucket_id[file_id])
            bucket.file_id_to_file[file_id].file_retention = None
        return result

    def copy_file(self, api_url, account_auth_token, source_file_id, *args, **kwargs):
        result = super().copy_file(api_url, account_auth_token, source_file_id, *args, **kwargs)
        self.file_id_to_bucket_id[result["fileId"]] = result["bucketId"]
        return result


class Sequence:
    def __init__(self, api, prefix):
        self.api = api
        self.prefix = prefix
        self.buckets = [
            api.create_bucket(f"{prefix}-bucket-{index}", "allPrivate", is_file_lock_enabled=index == 1)
            for index in range(2)
        ]

    def run(self, operation):
        parameters = dict(operation)
        try:
            return getattr(self, "do_" + parameters.pop("do"))(**parameters)
        except B2Error as error:
            return {"error": type(error).__name__}
        except Exception as error:
            return {"unexpected": f"{type(error).__name__}: {error}"}

    def do_upload(self, bucket, name, content, info):
        file = self.buckets[bucket].upload_bytes(
            content.encode(), name, content_type="text/plain", file_info=info
        )
        return describe(file)

    def do_hide(self, bucket, name):
        # The simulator hides what is not there, and hides twice: so only what is visible.
        if name not in self.visible(bucket):
            return "not visible"
        return describe(self.buckets[bucket].hide_file(name))

    def do_delete(self, bucket, name, index):
        versions = self.versions(bucket, name)
        if not versions:
            return "no version"
        file = versions[index % len(versions)]
        if file.legal_hold is not None and file.legal_hold.is_on():
            return "held"
        if file.action == "start":
            self.api.session.cancel_large_file(file.id_)
            return "cancelled"
        self.api.delete_file_version(file.id_, name)
        return self.again(lambda: self.api.delete_file_version(file.id_, name))

    def do_names(self, bucket, path, recursive):
        return [
            (folder, describe(file) if folder is None else None)
            for file, folder in self.buckets[bucket].ls(path, recursive=recursive)
        ]

    def do_versions(self, bucket, path, count):
        found = self.buckets[bucket].ls(path, latest_only=False, recursive=True, fetch_count=count)
        return [describe(file) for file, _ in found]

    def do_download(self, bucket, name, first, length):
        if name not in self.visible(bucket):
            return self.again(lambda: self.buckets[bucket].download_file_by_name(name))
        file = self.buckets[bucket].download_file_by_name(name)
        size = file.download_version.size
        range_ = None
        if length is not None and first < size:
            range_ = (first, min(first + length, size) - 1)
        target = io.BytesIO()
        self.buckets[bucket].download_file_by_name(name, range_=range_).save(target)
        version = file.download_version
        return [target.getvalue().decode(), version.content_type, version.content_sha1, version.file_info]

    def do_info(self, bucket, name):
        if name not in self.visible(bucket):
            return "not visible"
        file = self.buckets[bucket].get_file_info_by_name(name)
        return [file.file_name, file.size, file.content_type, file.file_info]

    def do_copy(self, bucket, name, to_bucket, to_name, replace):
        source = self.visible(bucket).get(name)
        if source is None:
            return "not visible"
        more = {"content_type": "a/b", "file_info": {"new": "1"}} if replace else {}
        return describe(self.buckets[to_bucket].copy(source.id_, to_name, **more))

    def do_large(self, bucket, name, parts, end):
        session = self.api.session
        start = session.start_large_file(self.buckets[bucket].id_, name, "text/plain", {"large": "1"})
        file_id = start["fileId"]
        hashes = []
        for number in range(1, parts + 1):
            data = bytes([96 + number]) * (5_000_000 if number < parts else 10)
            hashes.append(sha1(data))
            session.upload_part(file_id, number, len(data), hashes[-1], io.BytesIO(data))
        listed = session.list_parts(file_id, None, None)["parts"]
        result = [(part["partNumber"], part["contentLength"], part["contentSha1"]) for part in listed]
        unfinished = self.buckets[bucket].list_unfinished_large_files()
        result.append(sorted(file.file_name for file in unfinished))
        if end == "finish":
            finished = session.finish_large_file(file_id, hashes)
            result.append([finished["contentLength"], finished["contentSha1"], finished["fileInfo"]])
        elif end == "cancel":
            session.cancel_large_file(file_id)
        return result

    def do_update(self, bucket, type_, info, rules):
        updated = self.buckets[bucket].update(bucket_type=type_, bucket_info=info, lifecycle_rules=rules)
        return describe_bucket(updated, self.prefix)

    def do_bucket(self, bucket):
        fresh = self.api.get_bucket_by_name(self.buckets[bucket].name)
        return describe_bucket(fresh, self.prefix)

    def do_duplicate(self, bucket):
        return self.again(lambda: self.api.create_bucket(self.buckets[bucket].name, "allPrivate"))

    def do_retain(self, name):
        file = self.visible(1).get(name)
        if file is None:
            return "not visible"
        until = (int(time.time()) + 3600) * 1000
        setting = FileRetentionSetting(RetentionMode.GOVERNANCE, until)
        self.api.update_file_retention(file.id_, name, setting, bypass_governance=True)
        mode = self.api.get_file_info(file.id_).file_retention.mode.value
        none = FileRetentionSetting(RetentionMode.NONE)
        self.api.update_file_retention(file.id_, name, none, bypass_governance=True)
        return [mode, self.api.get_file_info(file.id_).file_retention.mode.value]

    def do_hold(self, name, on):
        file = self.visible(1).get(name)
        if file is None:
            return "not visible"
        self.api.update_file_legal_hold(file.id_, name, LegalHold.ON if on else LegalHold.OFF)
        return self.api.get_file_info(file.id_).legal_hold.value

    def do_key(self, bucket, name, prefix):
        ids = None if bucket is None else [self.buckets[bucket].id_]
        key = self.api.create_key(["listFiles", "readFiles"], name, 3600, ids, prefix)
        listed = [self.describe_key(other) for other in self.api.list_keys() if other.id_ == key.id_]
        self.api.delete_key_by_id(key.id_)
        return [self.describe_key(key), listed, self.again(lambda: self.api.delete_key_by_id(key.id_))]

    def describe_key(self, key):
        positions = [bucket.id_ for bucket in self.buckets]
        buckets = None if key.bucket_ids is None else [positions.index(id_) for id_ in key.bucket_ids]
        return [key.key_name, sorted(key.capabilities), buckets, key.name_prefix]

    def visible(self, bucket):
        return {file.file_name: file for file, _ in self.buckets[bucket].ls(recursive=True)}

    def versions(self, bucket, name):
        found = self.buckets[bucket].ls(latest_only=False, recursive=True)
        return [file for file, _ in found if file.file_name == name]

    def again(self, action):
        try:
            action()
            return "no error"
        except B2Error as error:
            return {"error": type(error).__name__}


def sha1(data):
    import hashlib

    return hashlib.sha1(data).hexdigest()


def describe(file):
    result = {"name": file.file_name, "action": file.action, "size": file.size or 0}
    # Of a hide marker, the simulator has another content type and checksum.
    if file.action != "hide":
        result.update(
            {
                "type": file.content_type,
                "sha1": file.content_sha1,
                "info": file.file_info,
                "encryption": file.server_side_encryption.mode.value,
                "retention": file.file_retention.mode.value,
                "hold": file.legal_hold.value,
            }
        )
    return result


def describe_bucket(bucket, prefix):
    # Its revision starts elsewhere in the simulator, and it knows no options.
    result = bucket.as_dict()
    for name in ("accountId", "bucketId", "revision", "options"):
        result.pop(name, None)
    result["bucketName"] = result["bucketName"].replace(prefix, "")
    return result


def connect(target):
    if target == "simulator":
        config = B2HttpApiConfig(_raw_api_class=Simulator)
        api = B2Api(InMemoryAccountInfo(), api_config=config)
        key_id, key = api.session.raw_api.create_account()
        api.authorize_account(key_id, key)
    else:
        api = B2Api(InMemoryAccountInfo())
        api.authorize_account(target["keyId"], target["key"], realm=target["url"])
    return api


def main():
    work = json.load(sys.stdin)
    results = []
    for index, operations in enumerate(work["sequences"]):
        # The simulator has room for so many uploads a bucket and buckets an account: a new one each time.
        api = connect(work["target"])
        sequence = Sequence(api, f"seq-{index}")
        results.append([sequence.run(operation) for operation in operations])
    json.dump(results, sys.stdout)


main()
