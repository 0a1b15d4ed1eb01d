"""DICOMweb, against a real server on loopback."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pydicom.data
import pytest

from braggbook.errors import NetworkError
from braggbook.imaging.dicom import index_dicom
from braggbook.imaging.dicom.web import WebService

FILES = ("CT_small.dcm", "MR_small_RLE.dcm", "rtdose.dcm", "chrX1.dcm")
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")  # Debian's orthanc-dicomweb
STARTS_S = 60


def real(name: str) -> Path:
    found = pydicom.data.get_charset_files(name) or [str(pydicom.data.get_testdata_file(name, download=False))]
    return Path(found[0])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
    if not Path(program).exists() or not PLUGIN.exists():
        pytest.skip("needs the system tool orthanc (with orthanc-dicomweb)")
    folder = tmp_path_factory.mktemp("orthanc")
    port = free_port()
    settings = {
        "StorageDirectory": str(folder / "store"),
        "IndexDirectory": str(folder / "store"),
        "HttpPort": port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {"reader": "s3cret"},
        "DicomServerEnabled": False,
        "OverwriteInstances": True,
        "Plugins": [str(PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=log)
    try:
        for name in FILES:
            upload(f"http://127.0.0.1:{port}/instances", real(name).read_bytes(), process, folder / "log")
        yield f"http://reader:s3cret@127.0.0.1:{port}/dicom-web"
    finally:
        process.terminate()
        process.wait(STARTS_S)


def upload(url: str, data: bytes, process: subprocess.Popen[bytes], log: Path) -> None:
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    passwords.add_password(None, url, "reader", "s3cret")
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(passwords))
    end = time.monotonic() + STARTS_S
    while True:
        try:
            opener.open(url, data=data, timeout=STARTS_S).close()
            return
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)


@pytest.mark.full
def test_an_index_of_a_service_is_that_of_the_files(orthanc: str, tmp_path: Path) -> None:
    for name in FILES:
        shutil.copy(real(name), tmp_path)
    here = {one.sop_instance_uid: one for one in index_dicom(tmp_path)}
    there = {one.sop_instance_uid: one for one in index_dicom(orthanc)}
    assert there.keys() == here.keys()
    for uid, one in there.items():
        mine = here[uid]
        assert (one.sop_class_uid, one.study_uid, one.series_uid) == (
            mine.sop_class_uid,
            mine.study_uid,
            mine.series_uid,
        )
        assert (one.modality, one.patient_id) == (mine.modality, mine.patient_id)
        ours = {key: value for key, value in one.tags.items() if key != "SpecificCharacterSet"}
        theirs = {key: mine.tags.get(key) for key in ours}
        assert ours == theirs
        assert "s3cret" not in str(one.source)
        assert "s3cret" not in repr(one)


@pytest.mark.full
def test_objects_come_in_their_own_transfer_syntax(orthanc: str) -> None:
    for one in index_dicom(orthanc):
        with one.source.open() as stream:
            found = pydicom.dcmread(stream)
        assert found.SOPInstanceUID == one.sop_instance_uid
        original = next(
            d for name in FILES if (d := pydicom.dcmread(real(name))).SOPInstanceUID == one.sop_instance_uid
        )
        assert found.file_meta.TransferSyntaxUID == original.file_meta.TransferSyntaxUID
        if "PixelData" in original:
            assert (found.pixel_array == original.pixel_array).all()


@pytest.mark.full
def test_a_part_of_a_service(orthanc: str) -> None:
    whole = index_dicom(orthanc)
    series = whole.series[0]
    for part in (f"{orthanc}/studies/{series.study_uid}", f"{orthanc}/studies/{series.study_uid}/series/{series.uid}"):
        found = index_dicom(part)
        assert {one.study_uid for one in found} == {series.study_uid}
    assert [one.uid for one in found.series] == [series.uid]


@pytest.mark.full
def test_refusals_name_the_service_and_no_password(orthanc: str) -> None:
    wrong = orthanc.replace("s3cret", "n0secret")
    for address in (wrong, orthanc.replace("dicom-web", "nothing"), f"{orthanc}/studies/1.2.3/series/4.5.6"):
        with pytest.raises(NetworkError) as caught:
            index_dicom(address)
        assert "127.0.0.1" in str(caught.value)
        assert "s3cret" not in str(caught.value)
        assert "n0secret" not in str(caught.value)


def test_a_service_that_is_not_there() -> None:
    with pytest.raises(NetworkError, match="does not answer"):
        index_dicom(f"http://127.0.0.1:{free_port()}/dicom-web")


@pytest.mark.parametrize("address", ["http://", "http://[::1", "http://host:99999/x"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(NetworkError, match="address"):
        index_dicom(address)


def test_a_password_is_in_no_text() -> None:
    assert "s3cret" not in repr(WebService("http://host", ("reader", "s3cret")))
