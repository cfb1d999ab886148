"""A small hub on loopback: what huggingface_hub asks of the real one, for as many models and data sets as a test puts
into it."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


class Repository:
    """Commits and branches of one model, or data set."""

    def __init__(self, token: str | None = None, gated: bool = False) -> None:
        self.token, self.gated = token, gated  #: what a reader must show, if anything
        self.commits: dict[str, dict[str, bytes]] = {}
        self.branches: dict[str, str] = {}

    def commit(self, files: dict[str, bytes], branch: str = "main") -> str:
        whole = {**self.commits.get(self.branches.get(branch, ""), {}), **files}
        text = json.dumps({name: hashlib.sha1(data).hexdigest() for name, data in sorted(whole.items())})
        sha = hashlib.sha1(f"{len(self.commits)}{text}".encode()).hexdigest()
        self.commits[sha] = whole
        self.branches[branch] = sha
        return sha

    def find(self, revision: str) -> str | None:
        return self.branches.get(revision) or (revision if revision in self.commits else None)


class Hub:
    """The models and the data sets by id, and every request as "METHOD path"."""

    def __init__(self) -> None:
        self.models: dict[str, Repository] = {}
        self.datasets: dict[str, Repository] = {}
        self.asked: list[str] = []
        self.large: dict[str, bytes] = {}  #: what came by LFS, by SHA-256
        self.url = ""

    def add(self, name: str, folder: Path, **more: Any) -> str:
        return self._add(self.models, name, folder, **more)

    def add_data(self, name: str, folder: Path, **more: Any) -> str:
        return self._add(self.datasets, name, folder, **more)

    def _add(self, kept: dict[str, Repository], name: str, folder: Path, **more: Any) -> str:
        files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        kept[name] = Repository(**more)
        return kept[name].commit(files)


@contextmanager
def serve() -> Iterator[Hub]:
    """The hub while it is up; `url` is for HF_ENDPOINT."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path).lstrip("/")
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.hub.asked.append(f"{self.command} {path}")
        try:
            if path == "api/repos/create":
                self._create()
            elif path == "api/validate-yaml":
                self._send(200, {"errors": [], "warnings": []})
            elif path.startswith("lfs/"):
                self.hub.large[path.removeprefix("lfs/")] = self.body
                self._send(200, {})
            elif path.startswith("api/models/"):
                self._api(*self._repository(path.removeprefix("api/models/"), self.hub.models))
            elif path.startswith("api/datasets/"):
                self._api(*self._repository(path.removeprefix("api/datasets/"), self.hub.datasets))
            elif ".git/info/lfs/objects/batch" in path:
                self._batch()
            elif path.startswith("datasets/"):
                self._file(*self._repository(path.removeprefix("datasets/"), self.hub.datasets))
            else:
                self._file(*self._repository(path, self.hub.models))
        except _Refused as refused:
            self._send(refused.status, {"error": refused.code}, {"X-Error-Code": refused.code})

    def _repository(self, path: str, kept: dict[str, Repository]) -> tuple[str, Repository, str]:
        """The one that a path begins with, and the rest of the path."""
        words = path.split("/")
        for count in (2, 1):
            name = "/".join(words[:count])
            found = kept.get(name)
            if found is not None:
                shown = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
                if found.gated and shown != found.token:
                    raise _Refused(403, "GatedRepo")
                if found.token and shown != found.token:
                    raise _Refused(401, "RepoNotFound")
                return name, found, "/".join(words[count:])
        raise _Refused(404, "RepoNotFound")

    def _api(self, name: str, found: Repository, rest: str) -> None:
        verb, _, revision = rest.partition("/")
        if self.command == "POST" and verb == "preupload":
            files = json.loads(self.body)["files"]
            modes = ["lfs" if f["path"].endswith(".safetensors") else "regular" for f in files]
            told = [
                {"path": f["path"], "uploadMode": m, "shouldIgnore": False} for f, m in zip(files, modes, strict=True)
            ]
            return self._send(200, {"files": told})
        if self.command == "POST" and verb == "commit":
            return self._commit(name, found, revision)
        if self.command == "POST" and verb == "branch":
            found.branches.setdefault(revision, found.branches["main"])
            return self._send(201, {})
        sha = self._find(found, revision if verb in ("revision", "tree") else "main")
        files = found.commits[sha]
        if verb == "tree":
            listed = [
                {"type": "file", "path": p, "size": len(d), "oid": hashlib.sha1(d).hexdigest()}
                for p, d in files.items()
            ]
            return self._send(200, listed)
        siblings = [{"rfilename": p} for p in files]
        return self._send(
            200, {"id": name, "modelId": name, "sha": sha, "siblings": siblings, "private": False, "tags": []}
        )

    def _commit(self, name: str, found: Repository, branch: str) -> None:
        files = {}
        for line in self.body.splitlines():
            entry = json.loads(line)
            if entry["key"] == "file":
                files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
            elif entry["key"] == "lfsFile":
                files[entry["value"]["path"]] = self.hub.large[entry["value"]["oid"]]
        sha = found.commit(files, branch)
        self._send(200, {"success": True, "commitOid": sha, "commitUrl": f"{self.hub.url}/{name}/commit/{sha}"})

    def _batch(self) -> None:
        objects = []
        for asked in json.loads(self.body)["objects"]:
            href = {"href": f"{self.hub.url}/lfs/{asked['oid']}", "header": {}}
            objects.append({**asked, "actions": {"upload": href}})
        self._send(200, {"transfer": "basic", "objects": objects})

    def _create(self) -> None:
        asked = json.loads(self.body)
        name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else asked["name"]
        if not (self.headers.get("Authorization") or "").startswith("Bearer "):
            raise _Refused(401, "Unauthorized")
        if name in self.hub.models:
            return self._send(409, {"error": "RepoExists", "url": f"{self.hub.url}/{name}"})
        self.hub.models[name] = Repository()
        self.hub.models[name].commit({".gitattributes": b""})
        self._send(200, {"url": f"{self.hub.url}/{name}", "name": name})

    def _file(self, name: str, found: Repository, rest: str) -> None:
        verb, revision, path = rest.split("/", 2)
        sha = self._find(found, revision)
        data = found.commits[sha].get(path)
        if verb != "resolve" or data is None:
            raise _Refused(404, "EntryNotFound")
        self._send(200, data, {"X-Repo-Commit": sha, "ETag": f'"{hashlib.sha1(data).hexdigest()}"'})

    def _find(self, found: Repository, revision: str) -> str:
        sha = found.find(revision)
        if sha is None:
            raise _Refused(404, "RevisionNotFound")
        return sha

    def _send(self, status: int, what: Any, headers: dict[str, str] | None = None) -> None:
        data = what if isinstance(what, bytes) else json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream" if isinstance(what, bytes) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


class _Refused(Exception):
    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code
