"""A small stand-in for the Hugging Face Hub on loopback, for the client that `HF_ENDPOINT` points at it.

It serves what `PolyAI/minds14` and `facebook/wav2vec2-base` hold, file for file, with the
demo corpus's rows and a small random model inside, and takes what is pushed. It answers
only what the real client asks for.
"""

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlparse

COMMIT = "40ce77cb32a384e4d50a568e1ec39ac804019d33"  # the dataset revision that asr_helpers pins


class Hub(ThreadingHTTPServer):
    """Serves `folders`, a repository's id to its folder; keeps pushed files in `pushed` and each request in `asked`."""

    def __init__(self, folders: dict[str, Path]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folders = folders
        self.pushed: dict[str, bytes] = {}
        self.objects: dict[str, bytes] = {}
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def _send(self, content, status=200, **headers):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _missing(self, code):
        self._send({"error": code}, 404, X_Error_Code=code)

    def _body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            chunks = []
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _entry(self, folder: Path, path: str):
        file = folder / path
        if file.is_dir():
            return {"type": "directory", "path": path, "oid": "0" * 40, "size": 0}
        return {
            "type": "file",
            "path": path,
            "oid": hashlib.sha1(file.read_bytes()).hexdigest(),
            "size": file.stat().st_size,
        }

    def do_GET(self):
        url = urlparse(self.path)
        path = unquote(url.path)
        self.server.asked.append(f"{self.command} {path}")
        if path == "/api/whoami-v2":
            return self._send(
                {"type": "user", "name": "reader", "auth": {"accessToken": {"role": "write"}}, "orgs": []}
            )
        if found := re.fullmatch(
            r"/api/(?:datasets|models)/([^/]+/[^/]+)(?:/(revision|tree)/([^/]+)(?:/(.*))?)?", path
        ):
            name, what, revision, below = found.groups()
            folder = self.server.folders.get(name)
            if folder is None:
                return self._missing("RepoNotFound")
            if revision not in (None, "main", COMMIT):
                return self._missing("RevisionNotFound")
            files = sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
            if what == "tree":
                base = folder / (below or "")
                if not base.is_dir():
                    return self._missing("EntryNotFound")
                deep = parse_qs(url.query).get("recursive", ["false"])[0].lower() == "true"
                entries = base.rglob("*") if deep else base.iterdir()
                return self._send([self._entry(folder, str(entry.relative_to(folder))) for entry in sorted(entries)])
            return self._send({
                "id": name, "sha": COMMIT, "private": False, "gated": False, "disabled": False, "tags": [],
                "downloads": 0, "likes": 0, "lastModified": "2026-01-01T00:00:00.000Z",
                "createdAt": "2022-01-01T00:00:00.000Z", "siblings": [{"rfilename": file} for file in files],
            })  # fmt: skip
        if found := re.fullmatch(r"/(?:datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            name, revision, file = found.groups()
            folder = self.server.folders.get(name)
            if folder is None:
                return self._missing("RepoNotFound")
            if not (folder / file).is_file():
                return self._missing("EntryNotFound")
            content = (folder / file).read_bytes()
            headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X_Repo_Commit": COMMIT}
            headers |= {"Accept_Ranges": "bytes", "Content_Type": "application/octet-stream"}
            return self._send(content, **headers)
        return self._missing("EntryNotFound")

    do_HEAD = do_GET

    def do_PUT(self):
        self.server.asked.append(f"PUT {self.path}")
        self.server.objects[self.path.rsplit("/", 1)[1]] = self._body()
        self._send({})

    def do_POST(self):
        path = unquote(urlparse(self.path).path)
        self.server.asked.append(f"POST {path}")
        body = self._body()
        if path == "/api/repos/create":
            name = json.loads(body)["name"]
            return self._send({"url": f"{self.server.address}/reader/{name}", "name": f"reader/{name}"})
        if path == "/api/validate-yaml":
            return self._send({"errors": [], "warnings": []})
        if found := re.fullmatch(r"/api/datasets/([^/]+/[^/]+)/paths-info/[^/]+", path):
            folder = self.server.folders[found.group(1)]
            paths = json.loads(body)["paths"] if body[:1] == b"{" else parse_qs(body.decode())["paths"]
            return self._send([self._entry(folder, path) for path in paths if (folder / path).exists()])
        if re.fullmatch(r"/api/models/reader/[^/]+/preupload/main", path):
            files = json.loads(body)["files"]
            modes = [{"path": file["path"], "shouldIgnore": False} for file in files]
            for mode in modes:
                mode["uploadMode"] = "lfs" if mode["path"].endswith(("safetensors", "bin")) else "regular"
            return self._send({"files": modes})
        if path.endswith(".git/info/lfs/objects/batch"):
            objects = [{"oid": each["oid"], "size": each["size"]} for each in json.loads(body)["objects"]]
            for each in objects:
                each["actions"] = {"upload": {"href": f"{self.server.address}/lfs/{each['oid']}"}}
            return self._send({"transfer": "basic", "objects": objects}, Content_Type="application/vnd.git-lfs+json")
        if re.fullmatch(r"/api/models/reader/[^/]+/commit/main", path):
            for line in map(json.loads, body.splitlines()):
                value = line["value"]
                if line["key"] == "file":
                    self.server.pushed[value["path"]] = base64.b64decode(value["content"])
                if line["key"] == "lfsFile":
                    self.server.pushed[value["path"]] = self.server.objects[value["oid"]]
            address = f"{self.server.address}{path.removeprefix('/api/models').removesuffix('/main')}/{COMMIT}"
            return self._send({"success": True, "commitOid": COMMIT, "commitUrl": address})
        return self._missing("EntryNotFound")
