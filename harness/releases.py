"""What the package index has: which versions of a package, for which Pythons, and since when."""

from __future__ import annotations

import json
import os
import re
import ssl
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

from harness.install import Unavailable, index_options, run_uv

SECONDS_TO_ANSWER = 30
ACCEPTED = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
NEAREST = 3


@dataclass(frozen=True)
class File:
    """One file of a release: a wheel with its tags, or a source distribution without."""

    version: Version
    tags: frozenset[Tag]
    uploaded: datetime | None
    requires_python: SpecifierSet
    yanked: bool

    def fits(self, python: str) -> bool:
        """Tell whether the file installs on CPython ``python`` (``3.11``) of this machine."""
        if not self.requires_python.contains(f"{python}.99"):
            return False
        return not self.tags or not self.tags.isdisjoint(tags_of(python))


def versions_of(package: str) -> list[Version]:
    """Return the versions of a package that the index has, oldest first.

    Raises Unavailable where the index cannot be asked or does not know the package.
    """
    return sorted({file.version for file in files_of(package)})


def newest_of(package: str, admitted: Callable[[Version], bool]) -> Version:
    """Return the newest version that is no pre-release, not withdrawn, and admitted.

    Raises Unavailable where there is none.
    """
    files = files_of(package)
    found = {file.version for file in files if not (file.yanked or file.version.is_prerelease)}
    if not (fitting := [each for each in found if admitted(each)]):
        raise Unavailable(f"The package index has no release of {package} that can be asked.")
    return max(fitting)


def release_of(package: str, version: str) -> list[File]:
    """Return the files of one release.

    Raises Unavailable, naming the nearest versions there are, where the index does not have it.
    """
    wanted = Version(version)
    found = [file for file in files_of(package) if file.version == wanted]
    if not found:
        near = ", ".join(str(each) for each in nearest(wanted, versions_of(package)))
        message = f"The package index has no {package} {version}. The nearest are {near}."
        raise Unavailable(message)
    return found


def nearest(wanted: Version, versions: Iterable[Version]) -> list[Version]:
    """Return the versions next to one that there is not, oldest first."""
    versions = sorted(versions)
    below = [each for each in versions if each < wanted][-NEAREST:]
    return below + [each for each in versions if each > wanted][:NEAREST]


@cache
def files_of(package: str) -> tuple[File, ...]:
    """Return every file the index has of a package.

    Raises Unavailable where the index cannot be asked or does not know the package.
    """
    address = f"{index_address(package).rstrip('/')}/{canonicalize_name(package)}/"
    text, kind = fetched(address, package)
    entries = json_entries(text, package) if "json" in kind else html_entries(text)
    return tuple(file for entry in entries if (file := file_of(entry)) is not None)


def index_address(package: str) -> str:
    """Return the address of the index in which uv finds a package. Raises Unavailable."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "requirements.in"
        wanted.write_text(package + "\n", encoding="utf-8")
        options = ["--no-deps", "--no-header", "--quiet", "--emit-index-annotation"]
        compile_ = ["pip", "compile", *options, *index_options(os.environ), str(wanted)]
        doing = f"The versions of {package} could not be looked up"
        said = run_uv(compile_, folder=Path(folder), doing=doing)
    found = re.search(r"# from (\S+)", said)
    if found is None:
        raise Unavailable(f"uv does not say in which index it finds {package}.")
    return found[1]


def fetched(address: str, package: str) -> tuple[str, str]:
    """Return the index's page of a package and its content type. Raises Unavailable."""
    request = urllib.request.Request(address, headers={"Accept": ACCEPTED})  # noqa: S310
    try:
        context = ssl.create_default_context() if urlsplit(address).scheme == "https" else None
        with urllib.request.urlopen(  # noqa: S310 - the address is what uv installs from
            request, timeout=SECONDS_TO_ANSWER, context=context
        ) as answer:
            return answer.read().decode("utf-8"), answer.headers.get("content-type", "")
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        message = (
            f"The versions of {package} could not be looked up: {reason}. Check the network, or set"
            " PIP_INDEX_URL to an index that can be reached."
        )
        raise Unavailable(message) from error


def json_entries(text: str, package: str) -> list[dict[str, Any]]:
    """Return the files on a page of the index's JSON form. Raises Unavailable for another."""
    try:
        files = json.loads(text)["files"]
        return [{**each, "filename": each["filename"]} for each in files]
    except (ValueError, KeyError, TypeError) as error:
        message = f"The package index's page of {package} cannot be read: {error!r}."
        raise Unavailable(message) from error


class Links(HTMLParser):
    """Collects the files on a page of the index's HTML form."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[dict[str, Any]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of a link."""
        given = dict(attrs)
        if tag == "a" and (address := given.get("href")):
            self.entries.append(
                {
                    "filename": unquote(urlsplit(address).path.rpartition("/")[2]),
                    "upload-time": given.get("data-upload-time"),
                    "requires-python": given.get("data-requires-python"),
                    "yanked": "data-yanked" in given,
                }
            )


def html_entries(text: str) -> list[dict[str, Any]]:
    """Return the files on a page of the index's HTML form."""
    links = Links()
    links.feed(text)
    return links.entries


def file_of(entry: dict[str, Any]) -> File | None:
    """Return one file; None for what is neither a wheel nor a source distribution."""
    name = str(entry["filename"])
    try:
        if name.endswith(".whl"):
            _, version, _, tags = parse_wheel_filename(name)
        else:
            (_, version), tags = parse_sdist_filename(name), frozenset()
        limit = SpecifierSet(entry.get("requires-python") or "")
        uploaded = entry.get("upload-time")
        time = datetime.fromisoformat(uploaded) if uploaded else None
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidSpecifier, ValueError):
        return None
    return File(version, tags, time, limit, bool(entry.get("yanked")))


@cache
def tags_of(python: str) -> frozenset[Tag]:
    """Return the tags of the wheels that install on CPython ``3.11`` of this machine."""
    numbers = tuple(int(each) for each in python.split("."))
    interpreter = "cp" + "".join(map(str, numbers))
    return frozenset((*cpython_tags(numbers), *compatible_tags(numbers, interpreter)))
