"""Checks that the core is pure: no I/O, clock, randomness or threads.

Compiles src/core and yyjson to wasm32, where anything of that kind shows up
as an import of the module, and to native objects, whose undefined symbols
must be in the list below. The vectors of tests/vectors are run on the wasm
build, too: it must do what the native one does. Writes TAP.
"""
import glob
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CORE = sorted(glob.glob(ROOT + "/src/core/**/*.c", recursive=True))
YYJSON = ROOT + "/.deps/yyjson/yyjson.c"
VECTORS = ROOT + "/tests/vectors/"
WASM_LIB = "/usr/lib/wasm32-wasi"
FLAGS = ["-std=gnu11", "-O2", "-D_GNU_SOURCE",
         "-isystem", ROOT + "/.deps/yyjson"]
WASM_FLAGS = ["--target=wasm32-wasi", "--sysroot=/usr", "-flto",
              "-fvisibility=hidden"]

# What the core may take from outside itself, in native objects.
ALLOWED = re.compile(r"""
    yyjson_\w+
    | malloc | calloc | realloc | free
    | mem(cpy|move|set|cmp|chr|rchr|mem)
    | str(len|nlen|cmp|ncmp|chr|rchr|str|spn|cspn|pbrk|casecmp|ncasecmp)
    | strto(d|l|ll|ul|ull) | (__isoc23_)?strto(l|ll|ul|ull)
    | qsort | bsearch
    | explicit_bzero
    | (log|log2|exp|exp2|pow|floor|ceil|round|fmod|ldexp|frexp)f?
    | __stack_chk_fail | _GLOBAL_OFFSET_TABLE_
    | __(u?div|u?mod|mul|float|fix|popcount|clz|ctz)\w*[sdt][if]\d?
""", re.VERBOSE)


class CheckFailed(Exception):
    pass


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise CheckFailed(f"{command[0]} failed\n{done.stdout}{done.stderr}")
    return done.stdout


def compile_all(compiler, flags, sources, folder):
    """Compiles the sources side by side; returns their objects."""
    def one(source):
        name = os.path.relpath(source, ROOT).replace("/", "_") + ".o"
        target = os.path.join(folder, name)
        run(compiler, *FLAGS, *flags, "-c", source, "-o", target)
        return target
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        return list(workers.map(one, sources))


def exports():
    with open(ROOT + "/tools/core_exports.txt", encoding="utf-8") as names:
        lines = (line.strip() for line in names)
        return [line for line in lines if line and not line.startswith("#")]


def wasm_runtime():
    """The compiler's own runtime for wasm32; Debian has one a version."""
    resources = run("clang", "-print-resource-dir").strip()
    found = glob.glob(resources + "/lib/**/libclang_rt.builtins*.a",
                      recursive=True)
    found = [path for path in found if "wasm32" in path or "wasip1" in path
             or "/wasi/" in path]
    if not found:
        raise CheckFailed(f"no wasm32 runtime below {resources}")
    return sorted(found)[0]


def link_wasm(objects, names, module):
    """Links with wasm-ld itself: the clang driver would run wasm-opt over the
    result where binaryen is installed, and break it. What imports anything
    is refused."""
    run("wasm-ld", "--no-entry", "--gc-sections", "--strip-all",
        "--stack-first", *(f"--export={name}" for name in names),
        WASM_LIB + "/crt1-reactor.o", *objects, "-L" + WASM_LIB, "-lc",
        wasm_runtime(), "-o", module)
    with open(module, "rb") as data:
        data = data.read()
    found = wasm_imports(data)
    if found:
        raise CheckFailed("the module imports " + ", ".join(found))
    return len(data)


def leb128(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def name_at(data, at):
    size, at = leb128(data, at)
    return data[at:at + size].decode(), at + size


def wasm_imports(data):
    """The module's imports; section 2 of the binary format."""
    if data[:8] != b"\0asm\1\0\0\0":
        raise CheckFailed("this is no WebAssembly module")
    at = 8
    while at < len(data):
        section = data[at]
        size, at = leb128(data, at + 1)
        if section == 2:
            count, at = leb128(data, at)
            if count == 0:
                return []
            # One is enough to fail; the rest is left to the reader.
            module, at = name_at(data, at)
            name, at = name_at(data, at)
            return [f"{module}.{name} (of {count})"]
        at += size
    return []


def check_wasm(folder):
    objects = compile_all("clang", WASM_FLAGS, CORE + [YYJSON],
                          folder)
    size = link_wasm(objects, exports(), os.path.join(folder, "core.wasm"))
    return f"{size // 1024} KB"


def check_vectors(folder):
    """With the objects that check_wasm() left in the folder."""
    objects = [os.path.join(folder, name) for name in os.listdir(folder)
               if name.endswith(".o")]
    objects += compile_all("clang", WASM_FLAGS, [VECTORS + "run.c"], folder)
    module = os.path.join(folder, "vectors.wasm")
    link_wasm(objects, [], module)
    return run("node", VECTORS + "wasm.mjs", module).strip()


def symbols(path):
    """What the object defines for others, and what it takes from them."""
    defined, taken = set(), set()
    for line in run("nm", "-g", path).splitlines():
        kind, name = line.split()[-2:]
        (taken if kind == "U" else defined).add(name.split("@")[0])
    return defined, taken


def check_native(folder):
    objects = compile_all(os.environ.get("CC", "cc"), [], CORE, folder)
    tables = {os.path.basename(path): symbols(path) for path in objects}
    own = set().union(*(defined for defined, _ in tables.values()))
    strays = [f"{name}: {symbol}" for name, (_, taken) in tables.items()
              for symbol in sorted(taken - own)
              if not ALLOWED.fullmatch(symbol)]
    if strays:
        raise CheckFailed("the core uses what it should not:\n"
                          + "\n".join(strays))
    return f"{len(objects)} objects"


def main():
    checks = [
        ("core_as_wasm_imports_nothing", check_wasm),
        ("core_as_wasm_makes_what_the_vectors_expect", check_vectors),
        ("core_uses_memory_and_strings_alone", check_native),
    ]
    print(f"1..{len(checks)}")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, check) in enumerate(checks, 1):
            try:
                detail = check(folder)
                print(f"ok {number} - {name} # {detail}")
            except (CheckFailed, OSError) as error:
                failed += 1
                print(f"not ok {number} - {name}")
                print("\n".join("# " + line
                                for line in str(error).splitlines()))
    sys.exit(failed > 0)


main()
