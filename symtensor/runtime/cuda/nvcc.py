"""CUDA text to a module of the software driver: one call of g++ with the header simt.h before the text.

Run as a program it stands in for nvcc: pycuda's SourceModule finds it on the path. It uses nothing but the standard
library and knows nothing of the package, so that it starts in a few hundredths of a second.

>>> kernels("extern "  '"C" __global__ void __launch_bounds__(256) add(float *x) { __syncthreads(); }')
['add']
>>> shared_names("extern __shared__ float part[]; __shared__ int table[4];")
['part']
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence

__all__ = ["kernels", "shared_names", "uses_barriers", "registered", "command", "main"]

_BOUNDS = r"(?:__launch_bounds__\s*\((?:[^()]|\([^()]*\))*\)\s*)?"
_KERNEL = re.compile(rf"(template\s*<[^;{{}}]*>\s*)?(?:static\s+|inline\s+)*"
                     rf"(?:__global__\s+{_BOUNDS}(?:static\s+)?void|void\s+__global__)\s+{_BOUNDS}(\w+)\s*\(")
_SHARED = re.compile(r"\b(?:extern\b[^;{}()]*\b__shared__|__shared__\b[^;{}()]*\bextern)\b[^;{}]*?(\w+)\s*\[\s*\]\s*;")
_BARRIER = re.compile(r"\b__(syncthreads|syncwarp|shfl|ballot|any|all|match|reduce|nanosleep)")
_INSTANCE = re.compile(r"\bSYMTENSOR_KERNEL\b")

FLAGS = ("-std=gnu++17", "-O2", "-g1", "-w", "-fPIC", "-shared", "-fno-gnu-unique", "-fno-extern-tls-init",
         "-fno-strict-aliasing", "-fwrapv", "-fvisibility-inlines-hidden", "-Wl,-z,defs", "-pipe")
_CHECKED = ("-DSIMT_CHECKED", "-O1", "-fno-inline-small-functions", "-fsanitize=thread", "-nodefaultlibs",
            "--param=tsan-instrument-func-entry-exit=0", "--param=tsan-distinguish-volatile=1")
_LIBRARIES = ("-lm", "-lc", "-lgcc")


def kernels(text: str) -> list[str]:
    """The names of the kernels that a text defines or declares, templates left out."""
    return list(dict.fromkeys(match[2] for match in _KERNEL.finditer(text) if not match[1]))


def shared_names(text: str) -> list[str]:
    """The names under which a text knows the dynamic shared memory."""
    return list(dict.fromkeys(match[1] for match in _SHARED.finditer(text)))


def uses_barriers(text: str) -> bool:
    """Whether threads of a block wait for each other somewhere in a text."""
    return _BARRIER.search(text) is not None


def registered(text: str, scanned: str) -> str:
    """The text with a registration of each kernel behind it; `scanned` is it with its includes."""
    if _INSTANCE.search(text):
        return text
    barriers = int(uses_barriers(scanned))
    return text + "".join(f"\nSYMTENSOR_KERNEL({name}, {barriers})" for name in kernels(scanned)) + "\n"


def command(compiler: Sequence[str], headers: str, driver: str, source: str, target: str, *, shared: Sequence[str] = (),
            checked: bool = False, options: Sequence[str] = ()) -> list[str]:
    """The call of g++ that makes a module; `headers` is the folder of simt.h, `driver` the driver's file."""
    dynamic = ["-DSIMT_DYNAMIC_SHARED=166912"] if shared else []
    names = [f"-Wl,--defsym={name}=simt_dynamic_shared" for name in shared]
    return [*compiler, *FLAGS, *(_CHECKED if checked else ()), *dynamic, f"-I{headers}/include", *options,
            "-include", f"{headers}/simt.h", "-x", "c++", source, "-x", "none", driver, "-o", target, *names,
            *_LIBRARIES]


def preprocess(compiler: Sequence[str], headers: str, source: str, options: Sequence[str]) -> str:
    """A text with its includes, CUDA's words left in it as they are."""
    line = [*compiler, "-E", "-P", "-std=gnu++17", "-DSIMT_SCAN", f"-I{headers}/include", *options,
            "-include", f"{headers}/simt.h", "-x", "c++", source]
    return subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True, errors="replace").stdout


# -- as a program ---------------------------------------------------------------------------------------------------

def _options(words: Sequence[str]) -> tuple[list[str], list[str], dict[str, str]]:
    """What g++ is to be given of nvcc's options, the sources, and the options that say what to do."""
    passed, sources, asked = [], [], {}
    pending = list(words)
    while pending:
        word = pending.pop(0)
        if word in ("--cubin", "--ptx", "--fatbin", "--preprocess", "--version", "-cubin", "-ptx", "-fatbin", "-E"):
            asked[word.lstrip("-")] = ""
        elif word in ("-o", "--output-file"):
            asked["output"] = pending.pop(0)
        elif word in ("-arch", "-code", "-gencode", "--compiler-options", "-Xcompiler", "-Xptxas", "-maxrregcount"):
            pending.pop(0)
        elif word in ("-I", "-D", "-U", "-include"):
            passed += [word, pending.pop(0)]
        elif word.startswith(("-I", "-D", "-U")):
            passed.append(word)
        elif not word.startswith("-"):
            sources.append(word)
    return passed, sources, asked


def main(words: Sequence[str]) -> int:
    """What nvcc does, as far as pycuda asks for it. The folder of the driver is the first word."""
    place, *words = words
    with open(f"{place}/compiler", encoding="utf-8") as file:
        headers, version, *compiler = file.read().splitlines()
    mode = os.environ.get("SYMTENSOR_SOFTWARE_MODE", "fast")
    passed, sources, asked = _options(words)
    if "version" in asked:
        print(f"nvcc: the compiler of symtensor's software CUDA driver, {version}, {mode}")
        return 0
    if len(sources) != 1:
        print("nvcc of the software CUDA driver: one source, please", file=sys.stderr)
        return 1
    try:
        scanned = preprocess(compiler, headers, sources[0], passed)
        if "preprocess" in asked or "E" in asked:
            print(scanned)
            return 0
        _make(compiler, headers, f"{place}/libcuda.so.1", sources[0], scanned, passed, mode == "check", asked)
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


def _make(compiler: Sequence[str], headers: str, driver: str, source: str, scanned: str, passed: Sequence[str],
          checked: bool, asked: dict[str, str]) -> None:
    kind = next((kind for kind in ("cubin", "ptx", "fatbin") if kind in asked), "cubin")
    root = os.path.splitext(source)[0]
    text_path = f"{root}.registered.cu"
    with open(source, encoding="utf-8") as file:
        text = file.read()
    with open(text_path, "w", encoding="utf-8") as file:
        file.write(registered(f'#line 1 "{os.path.basename(source)}"\n{text}', scanned))
    try:
        folder = f"-I{os.path.dirname(source) or '.'}"
        line = command(compiler, headers, driver, text_path, asked.get("output", f"{root}.{kind}"),
                       shared=shared_names(scanned), checked=checked, options=[*passed, folder])
        subprocess.run(line, check=True)
    finally:
        os.unlink(text_path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
