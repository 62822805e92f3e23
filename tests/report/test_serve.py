"""Tests of `report --serve`: for this machine only, nothing but the page and its pictures, and runs in progress."""

import http.client
import json
import socket
import struct
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from neurobench.cli.main import main
from neurobench.report import serve
from neurobench.report.serve import LiveReport, server
from tests.report.test_html import DOT, TABLES, leave


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    leave(tmp_path / "outputs", 0, 0.951, 0.1)
    (tmp_path / "secret.txt").write_text("not for the network")
    return tmp_path / "outputs"


@pytest.fixture
def live(outputs: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    monkeypatch.setattr(serve, "FRESH", 0.0)
    with server(LiveReport(TABLES, outputs, 10), 0) as one:
        thread = threading.Thread(target=one.serve_forever, args=(0.02,))
        thread.start()
        yield one
        one.shutdown()
        thread.join()


def ask(live: ThreadingHTTPServer, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", live.server_port, timeout=10)
    connection.request(method, path, headers={"Host": f"127.0.0.1:{live.server_port}", **headers})
    answer = connection.getresponse()
    answer.body = answer.read()  # type: ignore[attr-defined]
    connection.close()
    return answer


def body(answer: http.client.HTTPResponse) -> bytes:
    return answer.body  # type: ignore[attr-defined]


def test_the_server_listens_to_this_machine_only(live: ThreadingHTTPServer) -> None:
    assert live.server_address[0] == "127.0.0.1"
    assert ask(live, "/", Host="rebound.example.org:8321").status == 403
    assert ask(live, "/", Host="localhost:1").status == 200
    assert ask(live, "/", Host="127.0.0.1").status == 200, "as a browser asks at port 80"


def test_the_server_gives_only_the_page_its_data_and_its_pictures(live: ThreadingHTTPServer, outputs: Path) -> None:
    page = ask(live, "/")
    assert (page.status, page.getheader("Content-Type")) == (200, "text/html; charset=utf-8")
    assert b'fetch("/data.json"' in body(page)
    assert "default-src 'none'" in str(page.getheader("Content-Security-Policy"))
    told = json.loads(body(ask(live, "/data.json")))
    (picture,) = told["runs"][0]["figures"]
    assert body(ask(live, picture["src"])) == DOT
    assert picture["src"].startswith("/picture/")
    run = "tutorial/20260101-000000-pppppp"
    for path in (
        "/secret.txt", "/../secret.txt", "/picture/../../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt",
        f"/{run}/config.yaml", f"/{run}/figures/confusion.png", str(outputs / run / "result.json"), "//etc/passwd",
        picture["src"] + "/..", picture["src"] + "?x", "/picture/", "/data.json/", "/index.html",
    ):  # fmt: skip
        assert ask(live, path).status == 404, path


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_written_through_the_server(live: ThreadingHTTPServer, outputs: Path, method: str) -> None:
    before = sorted(path for path in outputs.rglob("*") if path.name != ".index.json")
    assert ask(live, "/data.json", method).status == 501
    assert sorted(path for path in outputs.rglob("*") if path.name != ".index.json") == before


def test_a_run_in_progress_is_followed_and_unchanged_data_are_not_sent_again(
    live: ThreadingHTTPServer, outputs: Path
) -> None:
    from neurobench.storage.folder import RunFolder

    first = ask(live, "/data.json")
    state = str(first.getheader("ETag"))
    again = ask(live, "/data.json", **{"If-None-Match": state})
    assert (again.status, body(again)) == (304, b"")
    going = RunFolder.create(outputs, "tutorial", "a" * 12, "training: {epochs: 5}\nmodel: {}\n")
    going.update(status="running", model="qrbm", dataset="mnist", backend="sim", started="2026-01-03T00:00:00")
    told = json.loads(body(ask(live, "/data.json", **{"If-None-Match": state})))
    assert [(run["status"], run["model"]) for run in told["runs"]] == [("finished", "qrbm"), ("running", "qrbm")]
    state = str(ask(live, "/data.json").getheader("ETag"))
    going.append_metrics({"epoch": 1, "train_loss": 0.5})
    told = json.loads(body(ask(live, "/data.json", **{"If-None-Match": state})))
    assert told["runs"][1]["history"] == [{"epoch": 1, "train_loss": 0.5}]
    going.release()
    told = json.loads(body(ask(live, "/data.json")))
    assert told["runs"][1]["status"] == "killed"
    assert told["runs"][1]["model"] == "qrbm", "a killed run says which model"


def test_a_picture_whose_file_was_removed_is_not_found(live: ThreadingHTTPServer, outputs: Path) -> None:
    (picture,) = json.loads(body(ask(live, "/data.json")))["runs"][0]["figures"]
    (outputs / "tutorial/20260101-000000-pppppp/figures/confusion.png").unlink()
    assert ask(live, picture["src"]).status == 404


def test_an_occupied_or_impossible_port_and_contradictory_options_are_refused(
    live: ThreadingHTTPServer, outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "--serve", "--port", str(live.server_port), "--outputs", str(outputs)]) == 2
    assert "Choose another one, or 0 for a free one" in capsys.readouterr().err
    assert main(["report", "--serve", "--port", "70000", "--outputs", str(outputs)]) == 2
    assert main(["report", "--serve", "--to", "x.html", "--outputs", str(outputs)]) == 2


def test_a_reader_who_leaves_during_request_or_answer_is_no_error_on_the_terminal(
    live: ThreadingHTTPServer, outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A reload of a large page once printed a traceback of BrokenPipeError or ConnectionResetError."""
    live.daemon_threads = False  # so that closing the server waits for all answers
    (picture,) = outputs.glob("tutorial/*/figures/confusion.png")
    picture.write_bytes(DOT + bytes(2**25))
    address = json.loads(body(ask(live, "/data.json")))["runs"][0]["figures"][0]["src"]
    request = f"GET {address} HTTP/1.0\r\nHost: 127.0.0.1:{live.server_port}\r\n\r\n".encode()
    for sent in (request, request[:7]):
        with socket.create_connection(("127.0.0.1", live.server_port)) as reader:
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close at once
            reader.sendall(sent)
            if sent == request:
                reader.recv(1)
    assert ask(live, "/").status == 200
    live.server_close()
    assert "Exception" not in capsys.readouterr().err
