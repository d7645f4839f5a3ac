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

__all__ = ["kernels", "shared_names", "uses_barriers", "registered", "flags", "command", "preprocess", "main"]

_BOUNDS = r"(?:__launch_bounds__\s*\((?:[^()]|\([^()]*\))*\)\s*)?"
_KERNEL = re.compile(rf"(template\s*<[^;{{}}]*>\s*)?(?:static\s+|inline\s+)*"
                     rf"(?:__global__\s+{_BOUNDS}(?:static\s+)?void|void\s+__global__)\s+{_BOUNDS}(\w+)\s*\(")
_SHARED = re.compile(r"\b(?:extern\b[^;{}()]*\b__shared__|__shared__\b[^;{}()]*\bextern)\b[^;{}]*?(\w+)\s*\[\s*\]\s*;")
_BARRIER = re.compile(r"\b__(syncthreads|syncwarp|shfl|ballot|any|all|match|reduce|nanosleep)")
_INSTANCE = re.compile(r"\bSYMTENSOR_KERNEL\b")

_FLAGS = ("-std=gnu++17", "-O2", "-g1", "-w", "-fPIC", "-fno-gnu-unique", "-fno-extern-tls-init",
         "-fno-strict-aliasing", "-fwrapv", "-fvisibility-inlines-hidden", "-pipe")
_INSTRUMENTED = ("-fsanitize=thread", "-nodefaultlibs", "--param=tsan-instrument-func-entry-exit=0",
                 "--param=tsan-distinguish-volatile=1")
_CHECKED = ("-DSIMT_CHECKED", "-O1", "-g", *_INSTRUMENTED, "-fsanitize=alignment,bounds")
_IN_STEP = ("-DSIMT_LOCKSTEP", *_INSTRUMENTED)
_MOST_SHARED = 166912  # bytes of dynamic shared memory of a block
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


def flags(kind: str) -> list[str]:
    """The flags of a kind of module: plain, checked, or in_step for text that relies on lanes running in step."""
    instrumented = {"plain": (), "checked": _CHECKED, "in_step": _IN_STEP}[kind]
    return [*_FLAGS, *instrumented]


def command(compiler: Sequence[str], tools: str, driver: str, source: str, target: str, *, shared: Sequence[str] = (),
            kind: str = "plain", options: Sequence[str] = ()) -> list[str]:
    """The call of g++ that makes a module; `tools` is the folder of the headers, `driver` the driver's file."""
    dynamic = f"-DSIMT_DYNAMIC_SHARED={_MOST_SHARED if shared else 16}"
    names = [f"-Wl,--defsym={name}=simt_dynamic_shared" for name in shared]
    return [*compiler, *flags(kind), dynamic, f"-I{tools}/simt/include", *options, "-include", f"{tools}/{kind}/simt.h",
            "-include", f"{tools}/simt/dynamic_shared.h", "-x", "c++", source, "-x", "none", driver, "-o", target,
            "-shared", "-Wl,-z,defs", "-Wl,-Bsymbolic", *names, *_LIBRARIES]


def preprocess(compiler: Sequence[str], tools: str, source: str, options: Sequence[str]) -> str:
    """A text with its includes, CUDA's words left in it as they are."""
    line = [*compiler, "-E", "-P", "-std=gnu++17", "-DSIMT_SCAN", f"-I{tools}/simt/include", *options,
            "-include", f"{tools}/simt/simt.h", "-x", "c++", source]
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
    """What nvcc does, as far as pycuda asks for it. The folder of the tools is the first word."""
    tools, *words = words
    with open(f"{tools}/compiler", encoding="utf-8") as file:
        driver, *compiler = file.read().splitlines()
    mode = os.environ.get("SYMTENSOR_SOFTWARE_MODE", "fast")
    passed, sources, asked = _options(words)
    if "version" in asked:
        print(f"nvcc: the compiler of symtensor's software CUDA driver, {os.path.basename(tools)}, {mode}")
        return 0
    if len(sources) != 1:
        print("nvcc of the software CUDA driver: one source, please", file=sys.stderr)
        return 1
    try:
        scanned = preprocess(compiler, tools, sources[0], passed)
        if "preprocess" in asked or "E" in asked:
            print(scanned)
            return 0
        in_step = uses_barriers(scanned) and "volatile" in scanned
        kind = "checked" if mode == "check" else "in_step" if in_step else "plain"
        _make(compiler, tools, driver, sources[0], scanned, passed, kind, asked)
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


def _make(compiler: Sequence[str], tools: str, driver: str, source: str, scanned: str, passed: Sequence[str], kind: str,
          asked: dict[str, str]) -> None:
    root, folder = os.path.splitext(source)[0], os.path.dirname(source) or "."
    target = next((word for word in ("cubin", "ptx", "fatbin") if word in asked), "cubin")
    with open(source, encoding="utf-8") as file:
        text = file.read()
    text_path = f"{root}.registered.cu"
    with open(text_path, "w", encoding="utf-8") as file:
        file.write(registered(f'#line 1 "{os.path.basename(source)}"\n{text}', scanned))
    try:
        line = command(compiler, tools, driver, text_path, asked.get("output", f"{root}.{target}"),
                       shared=shared_names(scanned), kind=kind, options=[*passed, f"-I{folder}"])
        subprocess.run(line, check=True)
    finally:
        os.unlink(text_path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
