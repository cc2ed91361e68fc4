"""Inputs on a web server: a real one, that tells more or less of what it has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from servers import Page, Web, web_server
from workspace import ROOT, Workspace

LATER = "Mon, 06 Apr 2026 11:00:00 GMT"
FETCH = """
import sys, urllib.request
for url in sys.argv[1:]:
    sys.stdout.write(urllib.request.urlopen(url).read().decode())
"""


@pytest.fixture
def web() -> Iterator[Web]:
    with web_server() as found:
        yield found


def two_readers(workspace: Workspace, web: Web, item: str = '"{}"') -> None:
    """`a` reads /a.csv, `b` reads /b.csv, and `both` what they made."""
    workspace.write("fetch.py", FETCH)
    read = "cat" if "local" in item else "python fetch.py"
    targets = "".join(
        f"""
        target {name}:
            inputs: {item.format(f"{web.url}/{name}.csv")}
            outputs: "{name}.txt"
            run: {read} {{inputs}} > {{outputs}}
    """
        for name in "ab"
    )
    workspace.pipeline(
        f"""
        target both:
            inputs: a, b
            outputs: "both.txt"
            run: cat {{inputs}} > {{outputs}}
        {targets}
        """
    )


@pytest.mark.parametrize("item", ['"{}"', 'local("{}")'])
@pytest.mark.parametrize("tells", [("ETag",), ("Last-Modified",), (), ("ETag", "Last-Modified")])
def test_what_changes_reruns_what_reads_it(workspace: Workspace, web: Web, tells: tuple[str, ...], item: str) -> None:
    web.pages = {"/a.csv": Page(b"a1\n", tells), "/b.csv": Page(b"b1\n", tells)}
    two_readers(workspace, web, item)
    assert workspace.ok().ran == ["a", "b", "both"]
    assert workspace.read("both.txt") == "a1\nb1\n"
    # The same bytes, put there again.
    web.pages["/a.csv"] = Page(b"a1\n", tells, LATER)
    assert workspace.ok().ran == []
    # Other bytes of the same length, within the same second.
    web.pages["/a.csv"] = Page(b"a2\n", tells, LATER)
    assert f"input {web.url}/a.csv changed" in workspace.run("explain", "a").out
    assert workspace.ok().ran == ["a", "both"]
    assert workspace.read("both.txt") == "a2\nb1\n"
    web.pages["/a.csv"] = Page(b"a1\n", tells, LATER)
    ended = workspace.ok()
    assert (ended.ran, ended.restored, workspace.read("both.txt")) == ([], ["a", "both"], "a1\nb1\n")


def test_what_a_server_tells_is_not_downloaded(workspace: Workspace, web: Web) -> None:
    web.pages = {"/a.csv": Page(b"a1\n"), "/b.csv": Page(b"b1\n")}
    two_readers(workspace, web, 'local("{}")')
    workspace.ok()
    assert sorted(row for row in web.requests if row.startswith("GET")) == ["GET /a.csv", "GET /b.csv"]
    web.requests.clear()
    workspace.ok()
    assert sorted(web.requests) == ["HEAD /a.csv", "HEAD /b.csv"]


def test_a_weak_etag_is_not_believed(workspace: Workspace, web: Web) -> None:
    web.pages = {"/a.csv": Page(b"a1\n", weak=True), "/b.csv": Page(b"b1\n")}
    two_readers(workspace, web)
    workspace.ok()
    web.pages["/a.csv"].body = b"a2\n"
    assert workspace.ok().ran == ["a", "both"]


def test_a_large_file_of_a_server_that_gives_no_parts(workspace: Workspace, web: Web) -> None:
    body = b"0123456789abcdef" * (1 << 20)
    web.pages = {"/a.csv": Page(body, ())}
    workspace.pipeline(f"""
        target a:
            inputs: local("{web.url}/a.csv")
            outputs: "a.txt"
            run: cp {{inputs}} {{outputs}}
    """)
    assert workspace.ok().ran == ["a"]
    assert (workspace.root / "a.txt").read_bytes() == body
    web.pages["/a.csv"].body = body[:-1] + b"x"
    assert workspace.ok().ran == ["a"]


@pytest.mark.parametrize("path", ["/page.html", "/a.csv?version=2", "/odd%20name*.csv"])
def test_a_copy_of_any_address(workspace: Workspace, web: Web, path: str) -> None:
    web.pages = {path: Page(b'<a href="/other.html">other</a>\n')}
    workspace.pipeline(f"""
        target a:
            inputs: local("{web.url}{path}")
            outputs: "a.txt"
            run: cp {{inputs}} {{outputs}}
    """)
    assert workspace.ok().ran == ["a"]
    assert workspace.read("a.txt") == '<a href="/other.html">other</a>\n'


@pytest.mark.parametrize("item", ['"{}"', 'local("{}")'])
@pytest.mark.parametrize(
    ("status", "said"),
    [
        (404, "{url} does not exist"),
        (403, "can't read {url}: 403, message='Forbidden', url='{url}'"),
        (500, "can't read {url}: 500, message='Internal Server Error', url='{url}'"),
    ],
)
def test_a_refusal_is_said_and_loses_nothing(workspace: Workspace, web: Web, item: str, status: int, said: str) -> None:
    web.pages = {"/a.csv": Page(b"a1\n"), "/b.csv": Page(b"b1\n")}
    two_readers(workspace, web, item)
    workspace.ok()
    web.pages["/a.csv"] = replace(web.pages["/a.csv"], status=status)
    web.pages["/b.csv"].body = b"b2\n"
    url = f"{web.url}/a.csv"
    ended = workspace.build("-k")
    assert (ended.status, ended.failed, ended.ran) == (1, ["a"], ["b"])
    assert f"Pipelinefile:7:13: error: {said.format(url=url)}\n  7 |     inputs: " in ended.out
    assert (workspace.read("a.txt"), workspace.read("both.txt")) == ("a1\n", "a1\nb1\n")
    web.pages["/a.csv"].status = 200
    assert workspace.ok().ran == ["both"]
    assert workspace.read("both.txt") == "a1\nb2\n"


def test_a_server_that_is_down(workspace: Workspace) -> None:
    with web_server() as web:
        web.pages = {"/a.csv": Page(b"a1\n"), "/b.csv": Page(b"b1\n")}
        two_readers(workspace, web)
        workspace.ok()
    ended = workspace.build()
    assert (ended.status, ended.failed) == (1, ["a"])
    assert f"error: can't read {web.url}/a.csv: " in ended.out and "Connect call failed" in ended.out
    assert workspace.read("both.txt") == "a1\nb1\n"
    ended = workspace.run("status")
    assert (ended.status, ended.err.count(f"can't read {web.url}/a.csv: ")) == (2, 1)
    assert "Traceback" not in ended.err


def test_what_changes_while_it_is_copied_is_copied_again(workspace: Workspace, web: Web) -> None:
    page = web.pages["/a.csv"] = Page(b"a1\n")

    def edit() -> None:
        page.body = b"a2\n"

    page.after = edit
    workspace.pipeline(f"""
        target a:
            inputs: local("{web.url}/a.csv")
            outputs: "a.txt"
            run: cp {{inputs}} {{outputs}}
    """)
    ended = workspace.ok()
    assert f"is decided again: {web.url}/a.csv has changed" in ended.out
    assert workspace.read("a.txt") == "a2\n"
    assert workspace.ok().ran == []


def test_what_changes_while_it_is_read_is_read_again(workspace: Workspace, web: Web) -> None:
    page = web.pages["/a.csv"] = Page(b"a1\n")

    def edit() -> None:
        page.body = b"a2\n"

    page.after = edit
    workspace.write("fetch.py", FETCH)
    workspace.pipeline(f"""
        target a:
            inputs: "{web.url}/a.csv"
            outputs: "a.txt"
            run: python fetch.py {{inputs}} > {{outputs}}
    """)
    ended = workspace.ok()
    assert f"is decided again: {web.url}/a.csv has changed" in ended.out
    assert workspace.read("a.txt") == "a2\n"
    assert workspace.ok().ran == []


def test_what_changes_all_the_time_fails(workspace: Workspace, web: Web) -> None:
    page = web.pages["/a.csv"] = Page(b"a")

    def edit() -> None:
        page.body += b"a"

    page.after = edit
    workspace.pipeline(f"""
        target a:
            inputs: local("{web.url}/a.csv")
            outputs: "a.txt"
            run: cp {{inputs}} {{outputs}}
    """)
    ended = workspace.build()
    assert (ended.status, ended.failed) == (1, ["a"])
    assert f"a failed: {web.url}/a.csv has changed" in ended.out


@pytest.mark.parametrize(
    ("package", "url", "protocol", "said"),
    [
        ("aiohttp", "https://example.org/a.csv", "https", "the package aiohttp is not here"),
        ("s3fs", "s3://data/a.csv", "s3", "Install s3fs to access S3"),
    ],
)
def test_a_package_that_is_not_installed(
    workspace: Workspace, package: str, url: str, protocol: str, said: str
) -> None:
    hidden = workspace.write(f"hidden/{package}.py", f'raise ImportError("the package {package} is not here")\n')
    workspace.pipeline(f'target a:\n    inputs: "{url}"\n    outputs: "a.txt"\n    run: touch {{outputs}}\n')
    ended = workspace.build(env={"PYTHONPATH": f"{hidden.parent}:{ROOT}"})
    assert (ended.status, ended.failed) == (1, ["a"])
    extra = {"https": "http"}.get(protocol, protocol)
    assert f"Pipelinefile:2:13: error: {protocol}:// can't be read here: {said}" in ended.out
    assert f"hint: pip install 'mlbuild[{extra}]'" in ended.out
