"""What a process hands over that fetches for root, also one that was taken over."""

import io
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("tuf")

from tuf.api.exceptions import DownloadError, DownloadHTTPError, SlowRetrievalError

from edge.errors import EwasteError
from edge.update.fetched_apart import ApartFetcher, fetched_apart
from edge.update.fetching import (
    DATA,
    END,
    FAILED,
    HEAD,
    HTTP_ERROR,
    MOST_FRAME_BYTES,
    SLOW,
    serve,
    write_frame,
)


def answers(*frames: tuple[bytes, bytes], more: bytes = b"") -> ApartFetcher:
    """A fetcher whose process gives these frames."""
    written = io.BytesIO()
    for kind, content in frames:
        write_frame(written, kind, content)
    stdout = io.BytesIO(written.getvalue() + more)
    return ApartFetcher(SimpleNamespace(stdin=io.BytesIO(), stdout=stdout))


def test_files_come_whole_one_after_the_other(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"x" * (3 * MOST_FRAME_BYTES + 5))
    (tmp_path / "empty").touch()
    with fetched_apart(5.0, None) as fetcher:
        assert b"".join(fetcher.fetch(large.as_uri())) == large.read_bytes()
        assert list(fetcher.fetch((tmp_path / "empty").as_uri())) == []
        with pytest.raises(DownloadHTTPError) as missing:
            list(fetcher.fetch((tmp_path / "missing").as_uri()))
        assert missing.value.status_code == 404
        with pytest.raises(DownloadError, match="Is a directory"):
            list(fetcher.fetch(tmp_path.as_uri()))
        with pytest.raises(DownloadError, match="Connection refused"):
            list(fetcher.fetch("http://127.0.0.1:1/x"))
        assert b"".join(fetcher.fetch(large.as_uri())) == large.read_bytes()
        pid = fetcher._process.pid
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize(
    ("fetcher", "error", "message"),
    [
        (answers((SLOW, b"")), SlowRetrievalError, None),
        (answers((HTTP_ERROR, b"503")), DownloadHTTPError, None),
        (answers((HTTP_ERROR, b"x")), DownloadError, "x"),
        (answers((FAILED, b"no\x1b[2J\nname")), DownloadError, r"^no\?\[2J name$"),
        (answers((b"?", b"odd")), DownloadError, "odd"),
        (answers((DATA, b"half")), DownloadError, "has ended"),
        (answers(more=HEAD.pack(DATA, 2**31)), DownloadError, "nonsense"),
        (answers(more=b"D"), DownloadError, "has ended"),
    ],
)
def test_nonsense_is_a_failed_download(fetcher, error, message) -> None:
    with pytest.raises(error, match=message) as caught:
        list(fetcher.fetch("http://x/y"))
    assert "\n" not in str(caught.value)


def test_an_answer_that_was_not_read_to_its_end_is_not_taken_for_the_next() -> None:
    fetcher = answers((DATA, b"endless"), (DATA, b"endless"))
    assert next(fetcher.fetch("http://x/y")) == b"endless"
    with pytest.raises(DownloadError, match="was not read"):
        list(fetcher.fetch("http://x/other"))
    with pytest.raises(DownloadError, match="too long"):
        list(answers((END, b"")).fetch("http://x/" + "y" * 5000))


def test_it_ends_when_nobody_asks_any_more() -> None:
    written = io.BytesIO()
    serve(1.0, io.BytesIO(b""), written)
    assert not written.getvalue()


def test_a_user_that_is_not_there_is_named() -> None:
    with (
        pytest.raises(EwasteError, match="no process can be started as no-such-user"),
        fetched_apart(1.0, "no-such-user"),
    ):
        pass
