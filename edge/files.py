"""Files that are whole or not there at all, and reading that neither hangs nor fills the memory.

What is written gets a temporary name that nobody can guess or prepare: in a folder that others may
write to, a link that lies in wait under a known name would turn our writing against other files.
"""

import fcntl
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge.errors import BadInput

PRIVATE, PRIVATE_FOLDER = 0o600, 0o700
"""The rights of what may hold secrets or pictures: its owner's alone."""
LONGEST_NAME = 255
"""Bytes of a file name, on the usual file systems."""
LONGEST_PASSWORD = 65_535
STALE_S = 3600.0
"""A temporary file that was not written to for so long belongs to a process that was killed."""
MADE_S = 60.0
"""A folder so young may not have its lock yet."""
MOST_SWEPT, MOST_LISTED = 1000, 100_000
_TEMPORARY = re.compile(r"\..*\.[0-9a-f]{16}\.new", re.DOTALL)
_swept: set[Path] = set()


def write_whole(
    path: Path, content: bytes, *, mode: int | None = None, durable: bool = True
) -> None:
    """Write a file under a temporary name beside it, and rename it into place.

    Args:
        path: the file; a link of this name is replaced, not followed.
        content: all of it.
        mode: its rights; None: those of the file that it replaces, else those of the umask.
        durable: fsync it, so that it survives a power cut.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    if mode is None:
        with suppress(OSError):
            found = path.lstat()
            mode = stat.S_IMODE(found.st_mode) if stat.S_ISREG(found.st_mode) else None
    _sweep_once(path.parent)
    staged = temporary_beside(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(staged, flags, 0o666 if mode is None else mode & 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            if mode is not None:
                os.fchmod(handle, mode)
            file.write(content)
            file.flush()
            if durable:
                os.fsync(handle)
        staged.replace(path)
    except BaseException:
        staged.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def temporary_beside(path: Path) -> Path:
    """A name that nobody can guess, for what is to be renamed to `path`.

    Create it exclusively (`O_EXCL`, `mkdir`, `symlink`): then nothing else lies there.
    """
    ending = f".{secrets.token_hex(8)}.new"
    kept = os.fsencode(path.name)[: LONGEST_NAME - len(ending) - 1]
    return path.with_name(f".{os.fsdecode(kept)}{ending}")


def sweep_temporary(folder: Path, now: float) -> int:
    """Remove our temporary files that killed processes left in `folder`; returns how many.

    Never touches folders, other people's files, or what was written to within the hour; looks at
    a bounded part of the folder. `now` is unix seconds.
    """
    removed = 0
    with suppress(OSError), os.scandir(folder) as entries:
        for listed, entry in enumerate(entries):
            if listed >= MOST_LISTED or removed >= MOST_SWEPT:
                break
            if not _TEMPORARY.fullmatch(entry.name):
                continue
            with suppress(OSError):
                found = entry.stat(follow_symlinks=False)
                ours = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
                if ours and abs(now - found.st_mtime) > STALE_S:
                    Path(entry.path).unlink()
                    removed += 1
    return removed


def _sweep_once(folder: Path) -> None:
    """Sweep a folder when this process first writes there."""
    if folder not in _swept and len(_swept) < MOST_SWEPT:
        _swept.add(folder)
        sweep_temporary(folder, time.time())


@contextmanager
def folder_beside(path: Path) -> Iterator[Path]:
    """A new folder of a name that nobody can guess, to be renamed to `path` once it is whole.

    It is removed at the end if it was not; what killed processes left for this `path` is removed
    first. (Who writes holds a lock on his folder, which ends with his process.)
    """
    _sweep_folders(path)
    staged = temporary_beside(path)
    staged.mkdir(parents=True)
    handle = os.open(staged, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # not every network's file system has locks
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield staged
    finally:
        os.close(handle)
        shutil.rmtree(staged, ignore_errors=True)


def _sweep_folders(path: Path) -> None:
    start = re.escape(temporary_beside(path).name[:-20])
    with suppress(OSError), os.scandir(path.parent) as entries:
        for listed, entry in enumerate(entries):
            if listed >= MOST_LISTED:
                break
            if re.fullmatch(start + r"[0-9a-f]{16}\.new", entry.name, re.DOTALL):
                _remove_if_left(Path(entry.path))


def _remove_if_left(folder: Path) -> None:
    with suppress(OSError):
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(folder, flags)
        try:
            found = os.fstat(handle)
            if found.st_uid == os.geteuid() and abs(time.time() - found.st_mtime) > MADE_S:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(handle)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_private_folder(folder: Path, known: tuple[str, ...] = ()) -> None:
    """Make a folder that only its owner may enter.

    One that is there already becomes so if it is ours: if it is empty or holds a file of a `known`
    name. Any other, say a whole home folder, keeps its rights.

    Raises:
        OSError: it cannot be made.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    # An administrator who installs into the folder of a service must not shut the service out.
    own = folder.parent.stat().st_uid == os.geteuid() or os.geteuid() != 0
    try:
        folder.mkdir(PRIVATE_FOLDER if own else 0o755)
    except FileExistsError:
        if not folder.is_dir():
            raise
        with suppress(OSError):
            found = folder.stat()
            shared = found.st_uid != os.geteuid() or found.st_mode & stat.S_ISVTX
            ours = any((folder / name).exists() for name in known) or not any(folder.iterdir())
            if ours and not shared and found.st_mode & 0o077:
                folder.chmod(PRIVATE_FOLDER)


def give_to_owner(folder: Path, above: Path, names: Iterable[str] = ()) -> None:
    """Let a folder and its files `names` belong to whom the folder above does.

    An administrator works as root; the service must be able to go on by itself.
    """
    if os.geteuid() != 0:
        return
    with suppress(OSError):
        owner = above.stat()
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if os.fstat(handle).st_uid != owner.st_uid:
                for name in names:
                    with suppress(FileNotFoundError):
                        os.chown(
                            name,
                            owner.st_uid,
                            owner.st_gid,
                            dir_fd=handle,
                            follow_symlinks=False,
                        )
                os.fchown(handle, owner.st_uid, owner.st_gid)
        finally:
            os.close(handle)


def read_bounded(path: Path, limit: int) -> bytes:
    """Read a regular file of at most `limit` bytes; a pipe or a device never holds us up.

    Raises:
        BadInput: it is no regular file, or a greater one.
        OSError: it cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):  # opening a device may already do something
        raise BadInput(f"{path}: no regular file")
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):  # it was exchanged meanwhile
            raise BadInput(f"{path}: no regular file")
        with os.fdopen(handle, "rb", closefd=False) as file:
            content = file.read(limit + 1)  # not st_size: it may grow, and /proc says 0
    finally:
        os.close(handle)
    if len(content) > limit:
        raise BadInput(f"{path}: greater than {limit:,} bytes")
    return content


def read_text(path: Path, limit: int) -> str:
    """Read a text file in UTF-8, with or without a byte order mark, whatever ends its lines.

    Raises:
        BadInput: it cannot be read, is no regular file, too great, or in another encoding.
    """
    try:
        content = read_bounded(path, limit)
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        raise BadInput(f"{path}: cannot be read ({getattr(error, 'strerror', error)})") from None
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content[:4]:
        raise BadInput(f"{path}: is in UTF-16 or UTF-32; save it as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: is not UTF-8 (byte {error.start + 1}); save it as UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_password(path: Path) -> str:
    """The password in a file: all of it but a byte order mark and the end of its line.

    Raises:
        BadInput: there is none, or more than one line. The message does not repeat it.
    """
    try:
        password = read_text(path, LONGEST_PASSWORD).removesuffix("\n")
    except BadInput as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise BadInput(f"{path}: no password can be read ({reason})") from None
    if not password or "\n" in password or "\0" in password:
        found = "more than one line" if password else "nothing"
        raise BadInput(f"{path}: no password can be read (there is {found} in it)")
    return password


def leads_nowhere(path: Path) -> bool:
    """Whether a path is a link to what is not there, such as a disk that is not plugged in."""
    return path.is_symlink() and not path.exists()
