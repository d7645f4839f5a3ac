"""Files that appear whole or not at all; records; cleaning; directories that cannot be used."""

from __future__ import annotations

import errno
import os
import subprocess
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from symtensor.base.config import config
from symtensor.codegen import store as stores
from symtensor.codegen.store import Store, current, fetch, scratch_directory, store

Damage = Callable[[bytes], bytes]
Start = Callable[..., "subprocess.Popen[str]"]


def test_record_round_trip(directory: Path) -> None:
    path = store("program", "a1", b"\x00data")
    assert Path(path).parent == directory
    assert fetch("program", "a1") == b"\x00data"
    assert fetch("program", "a2") is None
    assert fetch("other", "a1") is None


def test_record_replaced(directory: Path) -> None:
    store("program", "a1", b"first")
    store("program", "a1", b"second")
    assert fetch("program", "a1") == b"second"
    assert [path.name for path in directory.iterdir()] == ["program-a1.record"]


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"", lambda data: b"x" + data[1:],
                                    lambda data: data[:5] + data[6:]])
def test_damaged_record_is_a_miss(directory: Path, damage: Damage) -> None:
    path = Path(store("program", "a1", b"some longer data"))
    path.write_bytes(damage(path.read_bytes()))
    assert fetch("program", "a1") is None


def test_record_under_another_name_is_a_miss(directory: Path) -> None:
    path = Path(store("program", "a1", b"data"))
    path.rename(directory / "program-a2.record")
    assert fetch("program", "a2") is None


def test_names_that_could_leave_the_directory(directory: Path) -> None:
    for kind, key in (("program", "../a"), ("pro/gram", "a"), ("program", ""), ("program", ".")):
        with pytest.raises(ValueError, match="letters, digits"):
            store(kind, key, b"")


def test_one_file_under_several_names(directory: Path) -> None:
    paths = current().add(b"data", [f"{digit * 16}.so" for digit in "abc"])
    assert {os.stat(path).st_ino for path in paths} == {os.stat(paths[0]).st_ino}
    # Again, over links to one file, for which rename does nothing.
    current().add(b"data", [f"{digit * 16}.so" for digit in "abc"])
    assert sorted(os.listdir(directory)) == [f"{digit * 16}.so" for digit in "abc"]


def test_copies_where_there_are_no_links(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    paths = current().add(b"data", [f"{digit * 16}.so" for digit in "abc"])
    assert [Path(path).read_bytes() for path in paths] == [b"data"] * 3
    assert len(os.listdir(directory)) == 3


# --- directories that cannot be used -------------------------------------------------------------

def _unusable(tmp_path: Path) -> list[str]:
    (tmp_path / "file").write_text("")
    return [str(tmp_path / "file"), str(tmp_path / "file" / "below"), "/proc/symtensor"]


@pytest.mark.parametrize("which", [0, 1, 2])
def test_unusable_directory_warns_once(fresh: object, tmp_path: Path, which: int) -> None:
    with config.change(cache_dir=_unusable(tmp_path)[which]):
        with pytest.warns(RuntimeWarning, match="set SYMTENSOR_CACHE_DIR") as caught:
            store("program", "a1", b"data")
            store("program", "a2", b"data")
        assert len(caught) == 1
        assert config.cache_dir in str(caught[0].message)
        assert fetch("program", "a1") == b"data"


@pytest.mark.parametrize(("number", "remedy"), [(errno.ENOSPC, "free some space"), (errno.EDQUOT, "free some space"),
                                                (errno.EROFS, "that you can write"), (errno.EACCES, "that you can")])
def test_writing_fails(directory: Path, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str) -> None:
    store("program", "old", b"old data")
    write = stores._write

    def refuse(path: str, data: bytes) -> None:
        if path.startswith(str(directory)):
            Path(path).write_bytes(data[:3])  # a full disk leaves the beginning
            raise OSError(number, os.strerror(number))
        write(path, data)

    monkeypatch.setattr(stores, "_write", refuse)
    with pytest.warns(RuntimeWarning, match=remedy):
        store("program", "new", b"new data")
    assert fetch("program", "new") == b"new data"
    assert fetch("program", "old") == b"old data"
    assert os.listdir(directory) == ["program-old.record"]


def test_reading_warns_of_nothing(fresh: object, tmp_path: Path) -> None:
    with config.change(cache_dir=_unusable(tmp_path)[1]), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fetch("program", "a1") is None
        assert current().files() == []


def test_without_a_cache_nothing_is_written(directory: Path) -> None:
    with config.change(cache=False), warnings.catch_warnings():
        warnings.simplefilter("error")
        path = store("program", "a1", b"data")
        assert fetch("program", "a1") == b"data"
    assert not directory.exists()
    assert os.path.dirname(path) == stores.private_directory()


def test_somebody_elses_default_directory(fresh: object, tmp_path: Path,
                                          monkeypatch: pytest.MonkeyPatch) -> None:
    if os.getuid():
        pytest.skip("only root can give a directory away")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "symtensor").mkdir()
    os.chown(tmp_path / "symtensor", 12345, 12345)
    with config.change(cache_dir=""), pytest.warns(RuntimeWarning, match="belongs to another user"):
        store("program", "a1", b"data")
    assert os.listdir(tmp_path / "symtensor") == []


def test_interrupted_write_leaves_nothing(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        current().add(b"data", ["a" * 16 + ".so", "b" * 16 + ".so"])
    assert os.listdir(directory) == []


def test_scratch_directory_goes_away() -> None:
    with pytest.raises(KeyboardInterrupt), scratch_directory() as scratch:
        Path(scratch, "file").write_text("text")
        raise KeyboardInterrupt
    assert not os.path.exists(scratch)


def test_private_directory_goes_away_with_its_process(python: Start, tmp_path: Path) -> None:
    script = ("import os\nfrom symtensor.codegen.store import private_directory\nprint(private_directory())\n"
              "if not os.fork(): raise SystemExit\n"
              "os.wait()\nassert os.path.isdir(private_directory())")
    process = python(script, TMPDIR=str(tmp_path))
    path = process.communicate()[0].strip()
    assert process.returncode == 0
    assert Path(path).parent == tmp_path
    assert os.listdir(tmp_path) == []


# --- cleaning ------------------------------------------------------------------------------------

def _aged(names: str, each: int) -> None:
    for age, digit in enumerate(names):
        [path] = current().add(bytes(each), [f"{digit * 16}.so"])
        os.utime(path, (time.time() - 1000 + age,) * 2)


def test_clean_removes_the_longest_unused(directory: Path) -> None:
    _aged("cab", 100)
    assert current().size() == 300
    assert current().clean(250) == 1
    assert sorted(os.listdir(directory)) == ["a" * 16 + ".so", "b" * 16 + ".so"]
    assert current().clean(100) == 1
    assert os.listdir(directory) == ["b" * 16 + ".so"]
    assert current().clean(100) == 0


def test_clean_counts_links_once_and_removes_all_of_them(directory: Path) -> None:
    _aged("a", 100)
    current().add(bytes(100), ["c" * 16 + ".so", "d" * 16 + ".so"])
    assert current().size() == 200
    assert current().clean(150) == 1
    assert current().clean(50) == 2
    assert os.listdir(directory) == []


def test_clean_leaves_what_is_not_ours(directory: Path) -> None:
    _aged("a", 10)
    (directory / "thesis.tex").write_text("important")
    (directory / "lib.so").write_text("important")
    assert current().clean(-1) == 1
    assert sorted(os.listdir(directory)) == ["lib.so", "thesis.tex"]


def test_clean_removes_old_unfinished_files(directory: Path) -> None:
    _aged("a", 10)
    for name, age in (("0" * 16, 100_000), ("1" * 16, 10)):
        (directory / f".{name}.tmp").write_bytes(b"x")
        os.utime(directory / f".{name}.tmp", (time.time() - age,) * 2)
    assert current().clean(10_000) == 1
    assert not (directory / f".{'0' * 16}.tmp").exists()


def test_cleaning_by_itself_at_most_daily(directory: Path) -> None:
    with config.change(cache_megabytes=0):
        _aged("ab", 10)
        current().clean_sometimes()
        assert current().files() == []
        _aged("ab", 10)
        stores._stores.clear()
        current().clean_sometimes()  # another process, the same day
        assert len(current().files()) == 2
        os.utime(directory / ".cleaned", (0, 0))
        stores._stores.clear()
        current().clean_sometimes()
        assert current().files() == []


def test_use_is_noted_at_most_daily(directory: Path) -> None:
    path = store("program", "a1", b"data")
    for age, noted in ((3600, False), (200_000, True)):
        before = time.time() - age
        os.utime(path, (before, before))
        fetch("program", "a1")
        assert (os.stat(path).st_mtime - before > 1000) is noted


def test_store_without_a_root_has_no_places_until_used(fresh: object) -> None:
    assert Store(None).places() == []
