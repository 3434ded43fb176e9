"""A hub on this machine, and the host that it redirects large files to: as much of the protocol as huggingface_hub uses, and
ways to go wrong. Both listen on 127.0.0.1, at ports of their own, so that they are two origins."""
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

REFUSALS = {"gated": ("GatedRepo", "Access to model is restricted"), "repo": ("RepoNotFound", "Repository not found"),
            "revision": ("RevisionNotFound", "Invalid rev id"), "entry": ("EntryNotFound", "Entry not found")}


def git_sha1(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class File:
    def __init__(self, data, lfs):
        self.data, self.lfs = data, lfs
        self.etag = hashlib.sha256(data).hexdigest() if lfs else git_sha1(data)


class Repo:
    """`revisions`: names and commits of what there is; `files` of each commit"""
    def __init__(self, files, commit, gated=False, private=False):
        self.commits = {commit: files}
        self.revisions = {"main": commit}
        self.gated, self.private = gated, private

    def files(self, revision):
        return self.commits.get(self.commit(revision))

    def commit(self, revision):
        return self.revisions.get(revision, revision if revision in self.commits else None)


class Faults:
    """What goes wrong; all off. Attributes with a dict are by the name of a file."""
    def __init__(self):
        self.cut = None             # bytes of each body after which the connection is cut
        self.cuts = 10**9           # how many more times that happens
        self.pause = 0              # seconds before each piece of a body
        self.piece = 65536
        self.size, self.etag = {}, {}      # what is said instead of the truth
        self.body = {}              # what comes instead of the truth
        self.no_ranges = False
        self.range_shift = 0        # bytes by which the part that comes is another
        self.redirect = None        # where everything is redirected to
        self.to = {}                # where a file is redirected to
        self.busy = 0               # how many more answers are 503
        self.listing = None         # the text of the list of files
        self.no_commit = False
        self.chunked = False        # without Content-Length
        self.encoding = None        # a Content-Encoding that nobody asked for


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    @property
    def hub(self):
        return self.server.hub

    def answer(self, code, body=b"", **headers):
        self.send_response(code)
        headers.setdefault("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def refuse(self, kind, code=None, **headers):
        error, message = REFUSALS[kind]
        has_token = "Authorization" in self.headers
        code = code or {"gated": 403 if has_token else 401, "repo": 404 if has_token else 401}.get(kind, 404)
        self.answer(code, b"refused", X_Error_Code=error, X_Error_Message=message, **headers)

    def do_HEAD(self):
        self.respond()

    def do_GET(self):
        self.respond()

    def respond(self):
        hub, faults = self.hub, self.hub.faults
        hub.log.append((self.server.role, self.command, self.path, dict(self.headers.items())))
        try:
            if faults.busy > 0:
                faults.busy -= 1
                return self.answer(503, b"busy", **({"Retry_After": "0"} if faults.busy else {}))
            if faults.redirect:
                return self.answer(302, Location=faults.redirect)
            if self.server.role == "cdn":
                return self.send_blob(hub.blobs[urlsplit(self.path).path.rsplit("/", 1)[1]])
            if (token := self.headers.get("Authorization")) and token != f"Bearer {hub.token}":
                return self.answer(401, b"no", X_Error_Message="Invalid credentials in Authorization header")
            return self.serve(unquote(urlsplit(self.path).path).strip("/").split("/"))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def repo(self, name):
        repo = self.hub.repos.get(name)
        if not repo or (repo.private and "Authorization" not in self.headers):
            self.refuse("repo")
            return None
        return repo

    def serve(self, parts):
        raw = urlsplit(self.path).path.strip("/").split("/")       # a revision's slashes are escaped
        if parts[:2] == ["api", "resolve-cache"]:
            return self.serve_small(unquote(raw[2]), raw[3], unquote("/".join(raw[4:])))
        if raw[0] == "api":
            what = next(i for i, part in enumerate(raw) if part in ("revision", "tree", "refs"))
            name = unquote("/".join(raw[2:what]))
            if repo := self.repo(name):
                self.serve_api(name, repo, raw[what], unquote(raw[what + 1]) if len(raw) > what + 1 else "main")
            return None
        at = raw.index("resolve")
        name = "/".join(raw[:at])
        if repo := self.repo(name):
            self.serve_file(name, repo, unquote(raw[at + 1]), unquote("/".join(raw[at + 2:])))
        return None

    def serve_api(self, name, repo, what, revision):
        if what == "refs":
            refs = {"branches": [{"name": "main"}], "tags": [{"name": name} for name in repo.revisions if name != "main"], "converts": []}
            return self.answer(200, json.dumps(refs).encode())
        files = repo.files(revision)
        if files is None:
            return self.refuse("revision")
        if what == "tree":
            listing = [{"type": "file", "oid": git_sha1(f.data), "size": len(f.data), "path": path,
                        **({"lfs": {"oid": f.etag, "size": len(f.data), "pointerSize": 130}} if f.lfs else {})}
                       for path, f in files.items()]
        else:
            blobs = "blobs" in parse_qs(urlsplit(self.path).query)
            listing = {"_id": "0", "id": name, "modelId": name, "sha": repo.commit(revision), "tags": [], "private": repo.private,
                       "siblings": [{"rfilename": path, **({"size": len(f.data), "blobId": git_sha1(f.data)} if blobs else {})}
                                    for path, f in files.items()]}
        text = self.hub.faults.listing if self.hub.faults.listing is not None else json.dumps(listing)
        return self.answer(200, text.encode() if isinstance(text, str) else text, Content_Type="application/json")

    def serve_file(self, name, repo, revision, path):
        faults = self.hub.faults
        files = repo.files(revision)
        if files is None:
            return self.refuse("revision")
        commit = repo.commit(revision)
        if repo.gated and ("Authorization" not in self.headers or self.hub.without_access == self.hub.token):
            return self.refuse("gated")
        if path not in files:
            return self.refuse("entry", X_Repo_Commit=commit)
        file = files[path]
        if path in faults.to:
            return self.answer(302, Location=faults.to[path], **self.linked(path, file, commit))
        if file.lfs:
            return self.answer(302, Location=f"{self.hub.cdn}/blobs/{file.etag}?signature=of-this-request",
                               **self.linked(path, file, commit))
        return self.answer(307, Location=f"/api/resolve-cache/{name.replace('/', '%2F')}/{commit}/{path}")

    def linked(self, path, file, commit):
        faults = self.hub.faults
        return {"X_Linked_Etag": f'"{faults.etag.get(path, file.etag)}"',
                "X_Linked_Size": str(faults.size.get(path, len(file.data))),
                **({} if faults.no_commit else {"X_Repo_Commit": commit})}

    def serve_small(self, name, commit, path):
        file = self.hub.repos[name].files(commit)[path]
        faults = self.hub.faults
        self.send_blob(file, ETag=f'"{faults.etag.get(path, file.etag)}"', **({} if faults.no_commit else {"X_Repo_Commit": commit}))

    def send_blob(self, file, **headers):
        faults = self.hub.faults
        name = next(name for name, f in self.hub.named() if f is file)
        data = faults.body.get(name, file.data)
        begin, code = 0, 200
        if (wanted := self.headers.get("Range")) and not faults.no_ranges:
            begin = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if begin >= len(data):
                return self.answer(416, Content_Range=f"bytes */{len(data)}")
            begin, code = begin + faults.range_shift, 206
            headers["Content_Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
        if faults.encoding:
            headers["Content_Encoding"] = faults.encoding
        headers["Accept_Ranges"] = "bytes"
        self.send_response(code)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("Connection", "close") if faults.chunked else self.send_header("Content-Length", str(len(data) - begin))
        self.end_headers()
        if self.command == "GET":
            self.send_pieces(data[begin:])
        if faults.chunked:
            self.close_connection = True
        return None

    def send_pieces(self, data):
        faults = self.hub.faults
        end = len(data)
        if faults.cut is not None and faults.cut < end and faults.cuts > 0:
            end = faults.cut
            faults.cuts -= 1
        for at in range(0, end, faults.piece):
            time.sleep(faults.pause)
            self.wfile.write(data[at:min(at + faults.piece, end)])
            self.wfile.flush()
            self.hub.sent += min(faults.piece, end - at)
        if end < len(data):
            self.close_connection = True


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass            # who was killed hangs up


class Hub:
    """`log`: (role, method, path, headers) of every request, in order; `sent`: bytes of bodies"""
    def __init__(self):
        self.repos, self.blobs, self.log, self.token = {}, {}, [], "hf_right"
        self.sent = 0
        self.without_access = None      # a token that no gated repository lets in
        self.faults = Faults()
        self.servers = [self.start(role) for role in ("hub", "cdn")]
        self.url, self.cdn = (f"http://127.0.0.1:{server.server_port}" for server in self.servers)

    def start(self, role):
        server = Server(("127.0.0.1", 0), Handler)
        server.role, server.hub = role, self
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return server

    def close(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def add(self, name, files, *, revision=None, **options):
        """A repository, or another revision of it; .safetensors, .gguf and .bin files are large ones. -> the commit"""
        made = {path: File(data, path.endswith((".safetensors", ".gguf", ".bin"))) for path, data in files.items()}
        self.blobs |= {file.etag: file for file in made.values() if file.lfs}
        commit = hashlib.sha1(repr((name, sorted((path, f.etag) for path, f in made.items()))).encode()).hexdigest()
        repo = self.repos.setdefault(name, Repo(made, commit, **options))
        repo.commits[commit] = made
        repo.revisions[revision or "main"] = commit
        return commit

    def named(self):
        return [item for repo in self.repos.values() for files in repo.commits.values() for item in files.items()]

    def bodies(self):
        """the paths of bodies that were asked for, without queries, in order"""
        return [urlsplit(path).path for role, method, path, _ in self.log if method == "GET" and "/api/models/" not in path
                and (role == "cdn" or "/api/resolve-cache/" in path)]

    def ranges(self):
        return [headers["Range"] for _, _, _, headers in self.log if "Range" in headers]
