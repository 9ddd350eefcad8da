"""The servers under test: how each is configured, started and stopped."""

import ctypes
import os
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

AUTH_KEY = "bench-key"
PROVIDER_KEY = "sk-" + "b" * 48
GATEWAY_PATH = "/api/openai/v1/chat/completions"
FILES_MAX = 16384
START_SECONDS_MAX = 60
PR_SET_PDEATHSIG = 1

libc = ctypes.CDLL(None)


class Missing(Exception):
    """Something that the benchmark needs is not there; the text says what."""


def on_core(core):
    """What a child runs before its program: its core, its limits, and an end
    of its own should this script be killed."""

    def prepare():
        os.sched_setaffinity(0, {core})
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        files = FILES_MAX if hard < 0 else min(FILES_MAX, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    return prepare


def spawn(argv, core, **more):
    """In a process group of its own, so that stop() finds its children even
    if it died before them; Ctrl-C reaches this script alone."""
    return subprocess.Popen([str(a) for a in argv], preexec_fn=on_core(core),
                            start_new_session=True, text=True, **more)


def stop(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            pass
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def announced_port(process, seconds=START_SECONDS_MAX):
    """The port in the line `listening on http://HOST:PORT`."""
    line = read_line(process, seconds)
    if not line.startswith("listening on http://"):
        raise Missing(f"{process.args[0]} did not start: {line!r}")
    return int(line.rsplit(":", 1)[1])


def read_line(process, seconds):
    """A line of its standard output; it is stopped if none comes in time."""
    watchdog = threading.Timer(seconds, process.kill)
    watchdog.start()
    try:
        return process.stdout.readline().strip()
    finally:
        watchdog.cancel()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def find_program(name, package):
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if not path:
        raise Missing(f"{name} is not installed: apt-get install {package}")
    return path


def children_of(pid):
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
    return found


def cpu_seconds(pid):
    """User and system time of all its threads. schedstat has nanoseconds
    where stat has ticks of 10 ms, so it is taken where the kernel has it."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except (OSError, IndexError):
            total = 0
            break
    if total:
        return total / 1e9
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def machine_cpu_seconds():
    """What all cores have worked, for whomever."""
    first = Path("/proc/stat").read_text().partition("\n")[0].split()
    user, nice, system, _idle, _wait, irq, softirq = map(int, first[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def resident_kb(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


class Target:
    """A server on the core under test. `start` may raise Missing."""

    path = GATEWAY_PATH
    key = AUTH_KEY

    def __init__(self, name, setup):
        self.name = name
        self.setup = setup
        self.dir = setup.dir / name
        self.process = None
        self.port = 0

    def require(self):
        """Raises Missing, with the remedy, if it cannot be started."""

    def start(self):
        self.dir.mkdir()
        self.launch()
        self.wait_until_open()

    def launch(self):
        raise NotImplementedError

    def spawn(self, argv, **more):
        log = open(self.dir / "log", "w")
        more.setdefault("stdout", subprocess.DEVNULL)
        self.process = spawn(argv, self.setup.proxy_core, cwd=self.dir,
                             stdin=subprocess.DEVNULL, stderr=log, **more)
        log.close()

    def wait_until_open(self):
        until = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < until and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        log = (self.dir / "log").read_text()[-2000:]
        raise Missing(f"{self.name} did not start:\n{log}")

    def state(self):
        status = self.process.poll()
        log = (self.dir / "log").read_text()[-2000:]
        return ("running" if status is None else f"ended with {status}") + (
            f"\n{log}" if log else "")

    def stop(self):
        if self.process:
            stop(self.process)

    def worker(self):
        """The process whose CPU time and memory are counted."""
        return self.process.pid

    def processes(self):
        return [self.process.pid]


class Direct(Target):
    """No proxy: a second upstream in the proxy's place, on its core."""

    path = "/v1/chat/completions"
    key = PROVIDER_KEY

    def launch(self):
        self.spawn([self.setup.upstream_program], stdout=subprocess.PIPE)
        self.port = announced_port(self.process)


NGINX_CONF = """
{user}
daemon off;
pid {dir}/pid;
error_log {dir}/error.log warn;
worker_processes 1;
worker_rlimit_nofile 16384;
events {{
    worker_connections 8192;
}}
http {{
    access_log off;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;

    keepalive_requests 1000000000;
    client_max_body_size 64m;
    client_body_buffer_size 256k;

    upstream provider {{
        server 127.0.0.1:{upstream};
        keepalive 128;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port};
        location /api/openai/v1/ {{
            proxy_pass http://provider/v1/;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Authorization "Bearer {key}";
            proxy_buffering off;
            proxy_read_timeout 300s;
        }}
    }}
}}
"""


class Nginx(Target):
    def require(self):
        self.program = find_program("nginx", "nginx-light")

    def launch(self):
        self.port = free_port()
        conf = self.dir / "nginx.conf"
        conf.write_text(NGINX_CONF.format(
            user="user root;" if os.geteuid() == 0 else "", dir=self.dir,
            upstream=self.setup.upstream_port, port=self.port,
            key=PROVIDER_KEY))
        self.spawn([self.program, "-p", self.dir, "-e", self.dir / "error.log",
                    "-c", conf])

    def worker(self):
        workers = children_of(self.process.pid)
        if not workers:
            raise Missing("it has no worker process")
        return workers[0]

    def processes(self):
        return [self.process.pid, *children_of(self.process.pid)]


HAPROXY_CFG = """
global
    nbthread 1
    maxconn 8192

defaults
    mode http
    option http-keep-alive
    option http-no-delay
    timeout connect 10s
    timeout client 300s
    timeout server 300s
    timeout http-keep-alive 300s

frontend callers
    bind 127.0.0.1:{port}
    default_backend provider

backend provider
    http-reuse always
    http-request set-header Authorization "Bearer {key}"
    http-request replace-path ^/api/openai(/.*) \\1
    server upstream 127.0.0.1:{upstream}
"""


class Haproxy(Target):
    def require(self):
        self.program = find_program("haproxy", "haproxy")

    def launch(self):
        self.port = free_port()
        conf = self.dir / "haproxy.cfg"
        conf.write_text(HAPROXY_CFG.format(
            upstream=self.setup.upstream_port, port=self.port,
            key=PROVIDER_KEY))
        # -db: one process in the foreground.
        self.spawn([self.program, "-db", "-f", conf])


class OneBalance(Target):
    def __init__(self, name, setup, keys, log=False):
        super().__init__(name, setup)
        self.keys = keys
        self.log = "true" if log else "false"

    def require(self):
        if not os.access(self.setup.binary, os.X_OK):
            raise Missing(f"{self.setup.binary} is not there: run ./dev "
                          "build, or name another with --binary")

    def launch(self):
        program = self.setup.binary
        config = self.dir / "one-balance.jsonc"
        database = self.dir / "bench.db"
        config.write_text('{"providers": {"openai": {"base_url": '
                          f'"http://127.0.0.1:{self.setup.upstream_port}/v1"'
                          '}}, "log": {"enabled": ' + self.log + '}}\n')
        env = {"PATH": os.environ.get("PATH", ""), "HOME": str(self.dir),
               "AUTH_KEY": AUTH_KEY, "ONE_BALANCE_CONFIG": str(config),
               "ONE_BALANCE_DATABASE": str(database)}
        keys = self.dir / "keys.txt"
        keys.write_text("".join(f"sk-bench{i:040d}\n"
                                for i in range(self.keys)))
        added = subprocess.run([program, "keys", "add", "openai", keys],
                               env=env, cwd=self.dir, text=True, timeout=120,
                               stdin=subprocess.DEVNULL, capture_output=True)
        if added.returncode or f"added {self.keys}," not in added.stdout:
            raise Missing("one-balance keys add failed: "
                          f"{added.stdout}{added.stderr}")
        self.spawn([program, "serve", "--threads", "1", "--listen",
                    "127.0.0.1:0", "--config", config, "--database",
                    database], env=env, stdout=subprocess.PIPE)
        try:
            self.port = announced_port(self.process)
        except Missing as e:
            raise Missing(f"{e}\n{(self.dir / 'log').read_text()[-2000:]}")


def all_targets(setup):
    return [Direct("direct", setup), Nginx("nginx", setup),
            Haproxy("haproxy", setup),
            OneBalance("one-balance-20", setup, 20),
            OneBalance("one-balance-20-log", setup, 20, log=True),
            OneBalance("one-balance-100k", setup, 100000)]
