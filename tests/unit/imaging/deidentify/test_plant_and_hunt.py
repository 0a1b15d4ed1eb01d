"""Something is planted everywhere; nothing of it is in the bytes that come out."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pydicom
import pytest
from pydicom.datadict import DicomDictionary

from braggbook.files import write_json
from braggbook.formats.deidentification import DeidentificationKey
from braggbook.imaging.deidentify import deidentify, make_options, write_reports
from braggbook.imaging.deidentify.elements import keyword_of
from braggbook.imaging.deidentify.plausible import bounds_of
from braggbook.imaging.deidentify.writing import Written

from .planting import CT, Garden, as_written, dress, everything, nest, read, shipped

# A date that is moved may by chance become another date that was planted: with one key it always or never does.
_SECRET = hashlib.sha256(b"planting").hexdigest()
OTHERS = ["MR_small_implicit.dcm", "rtplan.dcm", "test-SR.dcm", "ExplVR_BigEnd.dcm"]


# counts and times of these have eight digits in real files too
_BY_RIGHT_LARGE = {
    f"{tag:08x}" for tag in DicomDictionary if bounds_of(keyword_of(tag) or "Unknown", whole=False)[1] >= 7e7
}


def _wrong(garden: Garden, out: bytes) -> dict[bytes, str]:
    return {value: where for value, where in garden.found(out).items() if where.split()[0] not in _BY_RIGHT_LARGE}


def _bytes_of(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def _run(tmp_path: Path, content: bytes, *names: str, **more: bool) -> tuple[bytes, str]:
    source, output = tmp_path / "source.dcm", tmp_path / "out"
    source.write_bytes(content)
    key = tmp_path / "key.json"
    write_json(key, DeidentificationKey(secret_hex=_SECRET).model_dump(mode="json"))
    key.chmod(0o600)
    done = deidentify(source, output, options=make_options(names, pixels_reviewed=True, **more), key=key, workers=1)
    write_reports(done.report, tmp_path / "report.html")
    record = done.report.files[0]
    reports = (tmp_path / "report.html").read_bytes() + (tmp_path / "report.json").read_bytes()
    names_of_files = "\n".join(str(path.relative_to(output)) for path in output.rglob("*")).encode()
    return _bytes_of(output) + reports + names_of_files, f"{record.outcome} {record.reason}"


@pytest.mark.full
@pytest.mark.parametrize("name", [CT, *OTHERS])
def test_nothing_planted_comes_out(tmp_path: Path, name: str) -> None:
    parsed, garden = read(shipped(name)), Garden()
    elements = everything(parsed, garden)
    meta = (
        Written(0x00020016, "AE", garden.value("AE", "source AE title")),
        Written(0x00020013, "SH", garden.value("SH", "implementation")),
        Written(0x00020100, "UI", garden.value("UI", "private information creator")),
        Written(0x00020102, "OB", garden.value("OB", "private information")),
    )
    preamble = garden.value("OB", "preamble").ljust(128, b"\0")
    content = dress(parsed, elements, preamble=preamble, meta=meta, end=garden.value("LO", "after the data set") * 3)
    assert len(garden.planted) > 8000
    assert all(value in content for value in list(garden.planted)[::50])
    out, outcome = _run(tmp_path, content)
    assert outcome == "written "
    assert _wrong(garden, out) == {}
    assert pydicom.dcmread(next((tmp_path / "out").rglob("*.dcm"))).PatientIdentityRemoved == "YES"


@pytest.mark.full
@pytest.mark.parametrize("option", ["clean-descriptors", "retain-safe-private", "retain-patient-characteristics"])
def test_an_option_keeps_only_its_own(tmp_path: Path, option: str) -> None:
    parsed, garden = read(shipped(CT)), Garden()
    content = dress(parsed, everything(parsed, garden))
    out, outcome = _run(tmp_path, content, option)
    kept = _wrong(garden, out)
    assert outcome == "written "
    assert all(where.startswith("0010") for where in kept.values())
    assert kept == {} or option == "retain-patient-characteristics"
    never = {
        value
        for value, where in kept.items()
        if any(word in where for word in ("private", "overlay", "curve", "padding", "00100010"))
    }
    assert never == set()


@pytest.mark.parametrize(
    ("charset", "encoding", "name"),
    [
        ("ISO_IR 100", "latin-1", "Müllerß^Jörgen"),
        ("ISO_IR 144", "iso8859_5", "Люкceмбypг^Роза"),
        ("ISO_IR 192", "utf-8", "Wang^XiaoDong=王^小東"),
        ("\\ISO 2022 IR 87", "iso2022_jp", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("\\ISO 2022 IR 149", "euc_kr", "Hong^Gildong=洪^吉洞=홍^길동"),
        ("GB18030", "gb18030", "Zhang^XiaoDong=张^小东"),
    ],
)
def test_names_in_any_character_set_are_gone(tmp_path: Path, charset: str, encoding: str, name: str) -> None:
    parsed = read(shipped(CT))
    raw = name.encode(encoding)
    changed = {
        0x00080005: ("CS", charset.encode()),
        0x00100010: ("PN", raw),
        0x00104000: ("LT", raw),
        0x00081030: ("LO", raw),
    }
    elements = [e for e in as_written(parsed, parsed.elements) if e.tag not in changed]
    elements += [Written(tag, vr, value) for tag, (vr, value) in changed.items()]
    elements.append(nest([Written(0x00080080, "LO", raw)], 4))
    out, outcome = _run(tmp_path, dress(parsed, elements))
    assert outcome == "written "
    for part in raw.replace(b"=", b"^").split(b"^"):
        assert part not in out


def test_a_thousand_sequences_inside_each_other_neither_crash_nor_hide_anything(tmp_path: Path) -> None:
    parsed, garden = read(shipped(CT)), Garden()
    deepest = garden.value("LO", "deep")
    inner = b"\x08\0\x80\0LO" + len(deepest).to_bytes(2, "little") + deepest
    for _ in range(1000):
        inner = (
            b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff"
            + inner
            + b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
        )
    elements = as_written(parsed, parsed.elements)
    before = dress(parsed, [e for e in elements if e.tag < 0x00081140])
    after = dress(parsed, [e for e in elements if e.tag > 0x00081140])
    out, outcome = _run(tmp_path, before + inner + _body(after))
    assert outcome == "written "
    assert garden.found(out) == {}


def _body(content: bytes) -> bytes:
    length = int.from_bytes(content[140:144], "little")
    return content[144 + length :]


def test_a_value_that_survives_blocks_the_file(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(shipped(CT))
    dataset.PatientName = "Quarrington^Ezekiel"
    dataset.StationName = "At Quarrington"
    dataset.save_as(tmp_path / "in.dcm")
    out, outcome = _run(tmp_path, (tmp_path / "in.dcm").read_bytes(), "retain-device-identity")
    assert outcome.startswith(
        "blocked the hunt found removed values in the header of the new file: of (0010,0010) PatientName"
    )
    assert b"Quarrington" not in out
    assert not list((tmp_path / "out").rglob("*.dcm"))
    assert not list((tmp_path / "out").rglob("*part"))


def test_only_standard_words_of_a_description_stay_with_clean_descriptors(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(shipped(CT))
    dataset.StudyDescription = "CT thorax with contrast, Mrs Zubrowski, tel. 5550199"
    dataset.save_as(tmp_path / "in.dcm")
    out, outcome = _run(tmp_path, (tmp_path / "in.dcm").read_bytes(), "clean-descriptors")
    assert outcome == "written "
    assert b"Zubrowski" not in out
    assert b"5550199" not in out
    assert pydicom.dcmread(next((tmp_path / "out").rglob("*.dcm"))).StudyDescription == "CT thorax with contrast"
