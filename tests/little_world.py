"""A package index and a registry of their own: one framework, `tinynorm`, in a few releases."""

from __future__ import annotations

import hashlib
import json
import threading
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from harness import implementations, known, releases
from tests.fakes.declared import DECLARED

FAKES = Path(__file__).parent / "fakes"
RELEASES = {
    "1.0": "2026-05-04T05:06:07.000008Z",
    "1.1": "2026-06-04T05:06:07Z",
    "2.0": "2026-07-04T05:06:07Z",
    "3.0": "2026-08-04T05:06:07Z",
    "4.0a1": "2026-09-04T05:06:07Z",
}
REGISTRY = """
[tiny]
title = "A framework that changes"
adapter = "{adapter}"
environment = "release"
packages = {{ tinynorm = ">=1" }}
"""
JSON, HTML = "application/vnd.pypi.simple.v1+json", "text/html"


def wheel(folder, version, requires=("numpy", "ml-dtypes"), name="tinynorm"):
    """Write the wheel of a release."""
    file = folder / f"{name}-{version}-py3-none-any.whl"
    about = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
    contents = {
        f"{name}/__init__.py": f'__version__ = "{version}"\n',
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/RECORD": "",
    }
    with zipfile.ZipFile(file, "w") as archive:
        for path, text in contents.items():
            archive.writestr(path, text)
    return file


def page_as_json(files, uploaded):
    entries = [
        {
            "filename": file.name,
            "url": file.name,
            "hashes": {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()},
            "requires-python": ">=3.7",
            "upload-time": uploaded[file.name.split("-")[1]],
        }
        for file in files
    ]
    return json.dumps({"meta": {"api-version": "1.1"}, "name": "tinynorm", "files": entries})


def page_as_html(files, uploaded):
    links = "".join(
        f'<a href="{file.name}" data-requires-python="&gt;=3.7"'
        f' data-upload-time="{uploaded[file.name.split("-")[1]]}">{file.name}</a>\n'
        for file in files
    )
    return f"<!DOCTYPE html><html><body>{links}</body></html>"


@contextmanager
def index(folder, form=JSON, uploaded=RELEASES):
    """Serve the wheels of a folder as a package index; yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked = self.path.rstrip("/").rpartition("/")[2]
            files = sorted(folder.glob("*.whl"))
            if asked == "tinynorm":
                page = page_as_json if form == JSON else page_as_html
                self.say(200, page(files, uploaded).encode(), form)
            elif (folder / asked).is_file():
                self.say(200, (folder / asked).read_bytes(), "application/octet-stream")
            else:
                self.say(404, b"", HTML)

        do_HEAD = do_GET  # noqa: N815 - the library's name

        def say(self, status, body, kind):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/simple/"
    finally:
        server.shutdown()
        server.server_close()


def declared():
    """What the author of `tinynorm` declares, whatever the version: all as version 1 does it."""
    parts = ['[measured]\ntinynorm = "1.1"\n']
    for axis, said in DECLARED["argument_style"].items():
        for each in said if isinstance(said, list) else [{"value": said}]:
            when = ", ".join(f"{key} = {json.dumps(v)}" for key, v in each.get("when", {}).items())
            parts.append(
                f'[[convention]]\naxis = "{axis}"\nvalue = {json.dumps(each["value"])}\n'
                f'when = {{ {when} }}\ncite = ["https://example.org/tinynorm"]\n'
            )
    return "\n".join(parts)


def settle(folder, patch, address):
    """Let the registry, the index, the cache and the store be those of the little world."""
    registry = folder / "registry"
    (registry / "declared").mkdir(parents=True)
    text = REGISTRY.format(adapter=FAKES / "released.py")
    (registry / "implementations.toml").write_text(text, "utf-8")
    (registry / "declared" / "tiny.toml").write_text(declared(), "utf-8")
    patch.setattr(implementations, "FOLDER", registry)
    patch.setattr(known, "FILE", registry / "no_known_issues.toml")
    patch.setenv("BNCONFORM_CACHE", str(folder / "cache"))
    patch.setenv("BNCONFORM_STORE", str(folder / "store.sqlite3"))
    patch.setenv("PIP_EXTRA_INDEX_URL", address)
    forget()


def forget():
    """Forget what was read of another registry or index."""
    implementations.registered.cache_clear()
    known.issues.cache_clear()
    releases.files_of.cache_clear()
