"""Inputs on S3: a real server of it, and objects that are really put there."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from servers import s3_server
from workspace import Workspace

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A bucket `data`, new and empty; what the test starts knows the way to it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": server, "AWS_EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(name, value)
    urllib.request.urlopen(urllib.request.Request(f"{server}/moto-api/reset", method="POST"))
    made = boto3.resource("s3").Bucket("data")
    made.create()
    return made


PIPELINE = """
    target one:
        inputs: "s3://data/one.csv"
        outputs: "one.txt"
        run: echo {inputs} >> {outputs}.log; touch {outputs}

    target copy:
        inputs: local("s3://data/one.csv")
        outputs: "copy.txt"
        run: cp {inputs} {outputs}

    target folder:
        inputs: local("s3://data/parts")
        outputs: "folder.txt"
        run: find {inputs} -type f | sort | xargs cat > {outputs}

    target all:
        inputs: one, copy, folder
        outputs: "all.txt"
        run: cat {inputs} > {outputs}
"""


@pytest.fixture
def filled(workspace: Workspace, bucket: Any) -> Workspace:
    for key in ("one.csv", "parts/a.csv", "parts/deep/b.csv"):
        bucket.put_object(Key=key, Body=f"{key} 1\n".encode())
    workspace.pipeline(PIPELINE)
    ended = workspace.ok("all")
    assert (ended.ran, ended.err) == (["all", "copy", "folder", "one"], "")
    return workspace


def test_what_changes_reruns_what_reads_it(filled: Workspace, bucket: Any) -> None:
    assert filled.lines("one.txt.log") == ["s3://data/one.csv"]
    assert filled.read("all.txt") == "one.csv 1\nparts/a.csv 1\nparts/deep/b.csv 1\n"
    assert filled.ok("all").ran == []
    bucket.put_object(Key="one.csv", Body=b"one.csv 1\n")
    bucket.put_object(Key="parts/a.csv", Body=b"parts/a.csv 1\n")
    assert filled.ok("all").ran == []
    bucket.put_object(Key="one.csv", Body=b"one.csv 2\n")
    assert "input s3://data/one.csv changed" in filled.run("explain", "copy").out
    assert filled.ok("all").ran == ["all", "copy", "one"]
    assert filled.read("copy.txt") == "one.csv 2\n"
    bucket.put_object(Key="parts/c.csv", Body=b"parts/c.csv 1\n")
    assert filled.ok("all").ran == ["all", "folder"]
    bucket.delete_objects(Delete={"Objects": [{"Key": "parts/c.csv"}]})
    ended = filled.ok("all")
    assert (ended.ran, ended.restored) == ([], ["all", "folder"])
    assert filled.read("all.txt") == "one.csv 2\nparts/a.csv 1\nparts/deep/b.csv 1\n"


def test_an_upload_in_parts(filled: Workspace, bucket: Any) -> None:
    def upload(last: bytes) -> None:
        sent = bucket.Object("one.csv").initiate_multipart_upload()
        tags = [sent.Part(number).upload(Body=body)["ETag"] for number, body in ((1, b"x" * (5 << 20)), (2, last))]
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
        sent.complete(MultipartUpload={"Parts": parts})

    upload(b"1")
    assert filled.ok("copy").ran == ["copy"]
    assert (filled.root / "copy.txt").read_bytes() == b"x" * (5 << 20) + b"1"
    upload(b"1")
    assert filled.ok("copy").ran == []
    upload(b"2")
    assert filled.ok("copy").ran == ["copy"]


def test_an_object_that_is_gone(filled: Workspace, bucket: Any) -> None:
    bucket.delete_objects(Delete={"Objects": [{"Key": "one.csv"}]})
    ended = filled.build("-k", "all")
    assert (ended.status, ended.failed, ended.ran) == (1, ["copy", "one"], [])
    assert "Pipelinefile:2:13: error: s3://data/one.csv does not exist\n" in ended.out
    assert filled.read("copy.txt") == "one.csv 1\n"
    bucket.put_object(Key="one.csv", Body=b"one.csv 1\n")
    assert filled.ok("all").ran == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "Could not connect to the endpoint URL: "),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "Unable to locate credentials"),
        ({"AWS_PROFILE": "nobody"}, "The config profile (nobody) could not be found"),
    ],
)
def test_what_can_t_be_asked(filled: Workspace, change: dict[str, str], said: str) -> None:
    env = {"HOME": str(filled.root), "AWS_MAX_ATTEMPTS": "1", **change}
    ended = filled.build("all", env=env)
    assert ended.status == 1
    assert f"error: can't read s3://data/one.csv: {said}" in ended.out
    assert "Pipelinefile:2:13" in ended.out or "Pipelinefile:7:13" in ended.out
    assert "Traceback" not in ended.out + ended.err
    assert filled.read("all.txt") == "one.csv 1\nparts/a.csv 1\nparts/deep/b.csv 1\n"
    assert filled.ok("all").ran == []


def test_who_may_not_read_it(filled: Workspace, server: str) -> None:
    def check_keys_after(requests: bytes) -> None:
        headers = {"Content-Type": "text/plain"}
        urllib.request.urlopen(urllib.request.Request(f"{server}/moto-api/reset-auth", requests, headers))

    check_keys_after(b"0")
    try:
        ended = filled.build("one")
    finally:
        check_keys_after(b"inf")
    assert (ended.status, ended.failed) == (1, ["one"])
    assert "error: can't read s3://data/one.csv: Forbidden" in ended.out
    assert filled.exists("one.txt")
