"""Thousands of damaged files: an image, or an error of ours; no crash of the process, no hang, no endless memory."""

import queue
import subprocess
import sys
import threading
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("fuzz_reader.py")
COUNT = 1200  # files in each process: some 20 s
LONGEST_S = 60  # for one file on a busy machine; all of them are small


@pytest.mark.full
@pytest.mark.parametrize("first", [0, 1_000_000])
def test_damaged_files_are_read_or_refused(tmp_path: Path, first: int) -> None:
    command = [sys.executable, str(SCRIPT), str(tmp_path), str(first), str(COUNT)]
    with (tmp_path / "errors.txt").open("wb") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        said: queue.Queue[str] = queue.Queue()
        threading.Thread(target=_listen, args=(process, said), daemon=True).start()
        last, count = "nothing", 0
        try:
            while (line := said.get(timeout=LONGEST_S)) not in ("", "done"):
                last, count = line, count + 1
        except queue.Empty:
            pytest.fail(f"mutation {last} takes longer than {LONGEST_S} s")
        finally:
            process.kill()
            process.communicate()
    assert line == "done", f"mutation {last}: {(tmp_path / 'errors.txt').read_text()[-3000:]}"
    assert count == COUNT


def _listen(process: "subprocess.Popen[str]", said: "queue.Queue[str]") -> None:
    assert process.stdout is not None
    for line in process.stdout:
        said.put(line.strip())
    said.put("")
