"""Starts a notebook server, says where it is to nobody but the customer, and ends when it does.

Exit status: 0 it was quit, idle, or its time was up; 70 it did not start (its own words are above).
"""

import hashlib
import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

from os import path

STARTS_WITHIN_S = 300


class Broken(Exception):
    """Why there is no server."""


def write(target, data):
    """Writes a file whole or not at all, for its owner alone."""
    aside = target + ".new"
    with open(aside, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    os.replace(aside, target)


def own_address():
    """The node's address towards the rest of the network. Nothing is sent: a datagram socket only chooses a route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return probe.getsockname()[0]
        except OSError:
            return socket.gethostname()


def certificate(folder):
    """(certificate, key, SHA-256 fingerprint) of a self-signed certificate made for this job."""
    cert, key = path.join(folder, "certificate.pem"), path.join(folder, "key.pem")
    os.umask(0o077)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
         "-subj", "/CN=virtengine-notebook", "-keyout", key, "-out", cert], check=True, capture_output=True)
    with open(cert, encoding="ascii") as file:
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(file.read())).hexdigest().upper()
    return cert, key, ":".join(digest[i:i + 2] for i in range(0, len(digest), 2))


def free_port(host):
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


class Server:
    """The notebook server's process."""

    def __init__(self, parameters, files, work):
        self.warned = False
        self.process = None
        signal.signal(signal.SIGTERM, self.warn)
        self.cert, self.key, self.fingerprint = certificate(work)
        self.token = secrets.token_hex(32)
        self.listen = "0.0.0.0" if parameters["listen"] == "node" else "127.0.0.1"
        self.port = parameters["port"] or free_port(self.listen)
        self.host = own_address() if parameters["listen"] == "node" else "127.0.0.1"
        self.log = path.join(work, "jupyter.log")
        command = ["jupyter-notebook", "--no-browser", "--ip=" + self.listen, "--port=%d" % self.port,
                   "--NotebookApp.port_retries=0", "--certfile=" + self.cert, "--keyfile=" + self.key,
                   "--notebook-dir=" + files, "--NotebookApp.allow_remote_access=True",
                   "--NotebookApp.shutdown_no_activity_timeout=%d" % parameters["idle_s"],
                   "--MappingKernelManager.cull_idle_timeout=%d" % parameters["idle_s"]]
        # The token goes by the environment: everybody on the node can read a command line.
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, "JUPYTER_TOKEN": self.token})
        if self.warned:
            self.warn()

    def warn(self, *_):
        self.warned = True
        if self.process:
            self.process.terminate()

    def answers(self):
        """Whether the server answers, with the very certificate that was made for it, to the very token."""
        trust = ssl.create_default_context(cafile=self.cert)
        trust.check_hostname = False
        request = urllib.request.Request("https://127.0.0.1:%d/api/status" % self.port,
                                         headers={"Authorization": "token " + self.token})
        # No proxy of the environment: the server is on this node.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust))
        try:
            with opener.open(request, timeout=10) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def wait_ready(self):
        began = time.monotonic()
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() - began > STARTS_WITHIN_S:
                if self.warned:
                    return False
                self.process.kill()
                with open(self.log, encoding="utf-8", errors="replace") as file:
                    raise Broken("".join(file.readlines()[-20:]) + "the notebook server did not start, see above")
            time.sleep(0.2)
        return True


def main():
    with open(os.environ["VE_PARAMS_FILE"], encoding="utf-8") as file:
        parameters = json.load(file)
    inputs, out, work = (os.environ[k] for k in ("VE_INPUT_DIR", "VE_OUTPUT_DIR", "VE_WORK_DIR"))
    files = path.join(out, "files")
    os.makedirs(files, exist_ok=True)
    for name in os.listdir(inputs):
        if not path.exists(path.join(files, name)):
            shutil.copyfile(path.join(inputs, name), path.join(files, name))
    server = Server(parameters, files, work)
    if server.wait_ready():
        base = "https://%s:%d/" % (server.host, server.port)
        write(path.join(out, "service.json"), (json.dumps({
            "url": base + "?token=" + server.token, "address": base, "token": server.token, "listen": parameters["listen"],
            "node": os.environ.get("SLURMD_NODENAME") or socket.gethostname(),
            "certificate_sha256": server.fingerprint,
        }, indent=2, sort_keys=True) + "\n").encode())
        print("open %s?token=%s" % (base, server.token))
        print("the certificate is this job's own; compare its SHA-256 fingerprint when the browser asks:")
        print(server.fingerprint)
        print("press Quit when you are done: it ends the job and the bill", flush=True)
    status = server.process.wait()
    if server.warned:
        print("time is nearly up: the server has ended; what was saved is in the result", flush=True)
        return 0
    print("the server has ended", flush=True)
    return 0 if status == 0 else 70


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Broken as error:
        print(error, file=sys.stderr)
        sys.exit(70)
