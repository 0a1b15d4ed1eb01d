"""Whole runs: places, hostile input, a run that is killed, large files, and what later runs do with the same key."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import psutil
import pydicom
import pytest

from braggbook.errors import DicomError, ImagingError, StorageError
from braggbook.imaging.deidentify import deidentify, make_options, write_reports
from braggbook.imaging.deidentify.elements import parse
from braggbook.imaging.deidentify.writing import Written

from .planting import CT, as_written, dress, read, shipped

_NAME = b"Quarrington"
_LARGE_FRAMES, _LARGE_SIDE = 150, 1024  # 300 MB of 16-bit pixels
_MOST_GROWTH = 96 << 20  # bytes: four pieces of 4 MiB, the tables and what an allocator keeps


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _reason(source: Path, output: Path) -> tuple[str, str]:
    record = deidentify(source, output, options=make_options(pixels_reviewed=True), workers=1).report.files[0]
    return record.outcome, record.reason


def test_a_cut_file_is_not_readable_wherever_it_is_cut(tmp_path: Path) -> None:
    content = shipped(CT).read_bytes()
    for number, length in enumerate(range(140, len(content) - 1, 2801)):
        (tmp_path / "cut.dcm").write_bytes(content[:length])
        output = tmp_path / f"out{number}"
        outcome, reason = _reason(tmp_path / "cut.dcm", output)
        assert outcome == "not readable", (length, reason)
        assert reason
        assert _files(output) == []


@pytest.mark.parametrize("name", ["DICOMDIR", "DICOMDIR-bigEnd"])
def test_a_media_directory_is_not_copied(tmp_path: Path, name: str) -> None:
    found = next(Path(pydicom.__file__).parent.rglob(name))
    outcome, reason = _reason(found, tmp_path / "out")
    assert (outcome, reason) == ("skipped", "a media directory; the output has none")
    assert _files(tmp_path / "out") == []


def test_archives_notes_and_links_are_named_and_not_copied(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    with zipfile.ZipFile(source / "scans.zip", "w") as archive:
        archive.write(shipped(CT), "ct.dcm")
    (source / "notes.txt").write_text("Ezekiel Quarrington called again")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/ct.dcm").write_bytes(shipped(CT).read_bytes())
    (source / "folder").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (source / "lost").symlink_to(tmp_path / "nothing")
    done = deidentify(source, tmp_path / "out", workers=1)
    reasons = {done.sources[record.number].name: record.reason for record in done.report.files}
    assert reasons == {
        "folder": "a symbolic link: not followed",
        "lost": "a symbolic link: not followed",
        "notes.txt": "not DICOM: neither a file meta header nor a first element of group 0008",
        "scans.zip": "not DICOM: an archive, not looked into; unpack it first",
    }
    assert _files(tmp_path / "out") == []
    assert done.report.open_findings == {"source without any DICOM object": 1}


def test_names_of_files_and_folders_stay_behind(tmp_path: Path) -> None:
    source = tmp_path / "in/Quarrington^Ezekiel/1955-06-07"
    source.mkdir(parents=True)
    (source / "Quarrington.dcm").write_bytes(shipped(CT).read_bytes())
    (source / "Quarrington.txt").write_text("x")
    done = deidentify(tmp_path / "in", tmp_path / "out", workers=1)
    write_reports(done.report, tmp_path / "report.html")
    out = [*_files(tmp_path / "out"), tmp_path / "report.html", tmp_path / "report.json"]
    assert done.report.outcomes == {"written": 1, "skipped": 1}
    assert _NAME not in b"".join(path.read_bytes() + path.relative_to(tmp_path).as_posix().encode() for path in out)


@pytest.mark.parametrize("place", ["{in}", "{in}/out", "{in}/deep/out", "."])
def test_output_and_source_inside_each_other_are_refused(tmp_path: Path, place: str) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "ct.dcm").write_bytes(shipped(CT).read_bytes())
    before = _files(tmp_path)
    output = tmp_path if place == "." else Path(place.replace("{in}", str(source)))
    with pytest.raises(ImagingError, match="inside each other"):
        deidentify(source, output, workers=1)
    assert _files(tmp_path) == before


def test_an_output_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "Quarrington.dcm").write_bytes(shipped(CT).read_bytes())
    with pytest.raises(ImagingError, match="no run put there"):
        deidentify(shipped(CT), output, workers=1)
    (output / "Quarrington.dcm").rename(output / "1.2.3.dcm")
    with pytest.raises(ImagingError, match="its key is not there"):
        deidentify(shipped(CT), output, workers=1)


def test_a_report_inside_the_output_does_not_stop_the_next_run(tmp_path: Path) -> None:
    done = deidentify(shipped(CT), tmp_path / "out", workers=1)
    write_reports(done.report, tmp_path / "out/report.html")
    assert deidentify(shipped(CT), tmp_path / "out", workers=1).report.outcomes == {"there already": 1}


def test_an_output_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="cannot write"):
        deidentify(shipped(CT), tmp_path / "file/out", workers=1)


def test_a_key_that_is_no_key_is_refused_and_left_alone(tmp_path: Path) -> None:
    key = tmp_path / "key.json"
    for content in (b"", b"{}", b"[" * 20_000, b'{"format": "braggbook.deidentification_key/1", "secret_hex": "12"}'):
        key.write_bytes(content)
        key.chmod(0o600)
        with pytest.raises(ImagingError, match="not a key"):
            deidentify(shipped(CT), tmp_path / "out", key=key, workers=1)
        assert key.read_bytes() == content


def test_the_secret_is_in_nothing_that_is_given_away(tmp_path: Path) -> None:
    done = deidentify(shipped(CT), tmp_path / "out", workers=1)
    write_reports(done.report, tmp_path / "report.html")
    secret = json.loads(done.key.read_text())["secret_hex"]
    given = b"".join(
        path.read_bytes() for path in [*_files(tmp_path / "out"), tmp_path / "report.html", tmp_path / "report.json"]
    )
    assert len(secret) == 64
    assert secret.encode() not in given
    assert bytes.fromhex(secret) not in given
    assert done.key.parent == tmp_path
    assert done.key.stat().st_mode & 0o777 == 0o600


_SLOW = """
import sys
from pathlib import Path
from braggbook.imaging.deidentify import deidentify

class Told:
    def start(self, name, total): print("started", flush=True)
    def step(self, number, note=""): print(number, flush=True)
    def stop(self): pass

if __name__ == "__main__":
    deidentify(Path(sys.argv[1]), Path(sys.argv[2]), workers=int(sys.argv[3]), progress=Told())
"""


@pytest.mark.full
@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_run_leaves_whole_files_only_and_the_next_run_completes(tmp_path: Path, workers: int) -> None:
    source, output = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    dataset = pydicom.dcmread(shipped(CT))
    for number in range(400):
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number + 1}"
        dataset.save_as(source / f"{number:03d}.dcm")
    command = [sys.executable, "-c", _SLOW, str(source), str(output), str(workers)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(20):
        process.stdout.readline()
    family = psutil.Process(process.pid).children(recursive=True)
    assert bool(family) == (workers > 1)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    process.stdout.close()
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []
    left = [path for path in _files(output) if path.suffix == ".dcm"]
    assert 10 <= len(left) < 400
    for path in left:
        assert len(parse(memoryview(path.read_bytes())).elements) > 50
        assert pydicom.dcmread(path).PatientIdentityRemoved == "YES"
    (left[0].parent / ".half.braggbook-part").write_bytes(b"half a file")
    before = {path: path.stat().st_mtime_ns for path in left}
    done = deidentify(source, output, workers=1)
    assert done.report.complete or "face not assessed" in done.report.open_findings
    assert done.report.outcomes == {"there already": len(left), "written": 400 - len(left)}
    assert {path: path.stat().st_mtime_ns for path in left} == before
    assert len(_files(output)) == 400


_PEAK = """
import sys
from pathlib import Path
from braggbook.imaging.deidentify import deidentify, make_options
import braggbook.imaging.deidentify.pixels

def peak():
    return int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))) * 1024

if __name__ == "__main__":
    options = make_options(pixels_reviewed=True)
    deidentify(Path(sys.argv[1]), Path(sys.argv[3]), options=options, workers=1)
    before = peak()
    done = deidentify(Path(sys.argv[2]), Path(sys.argv[4]), options=options, workers=1)
    print(done.report.files[0].outcome, peak() - before)
"""


@pytest.mark.full
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs the system tool /proc")
def test_a_large_file_costs_little_memory(tmp_path: Path) -> None:
    parsed = read(shipped(CT))
    changed = {0x00280010, 0x00280011, 0x7FE00010, 0xFFFCFFFC}
    elements = [element for element in as_written(parsed, parsed.elements) if element.tag not in changed]
    length = _LARGE_FRAMES * _LARGE_SIDE * _LARGE_SIDE * 2
    side = _LARGE_SIDE.to_bytes(2, "little")
    elements += [
        Written(0x00280010, "US", side),
        Written(0x00280011, "US", side),
        Written(0x00280008, "IS", b"%d" % _LARGE_FRAMES),
        Written(0x7FE00010, "OW", bulk=length),
    ]
    large = tmp_path / "large.dcm"
    with large.open("wb") as stream:
        stream.write(dress(parsed, elements))
        stream.truncate(stream.tell() + length)
    words = [str(path) for path in (shipped(CT), large, tmp_path / "small_out", tmp_path / "large_out")]
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, *words], capture_output=True, text=True, timeout=120, check=True
    )
    outcome, growth = done.stdout.split()
    assert outcome == "written"
    assert int(growth) < _MOST_GROWTH


def test_a_file_that_changes_its_mind_about_its_length_is_refused(tmp_path: Path) -> None:
    parsed = read(shipped(CT))
    elements = [e for e in as_written(parsed, parsed.elements) if e.tag != 0x7FE00010]
    elements.append(Written(0x7FE00010, "OW", b"\0" * 100))
    (tmp_path / "in.dcm").write_bytes(dress(parsed, elements))
    outcome, reason = _reason(tmp_path / "in.dcm", tmp_path / "out")
    assert outcome == "not readable"
    assert "truncated pixels" in reason


def test_elements_without_end_are_refused() -> None:
    content = dress(read(shipped(CT)), [])
    with pytest.raises(DicomError):
        parse(memoryview(content + b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff" * 200_000))
