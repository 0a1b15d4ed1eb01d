"""Reading SDD files as their writers really write them, streaming them, and refusing what is none."""

from __future__ import annotations

import contextlib
import io
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from braggbook.errors import ScienceError
from braggbook.radiobiology.io.sdd import read_sdd, read_sdd_header, scan_sdd
from braggbook.radiobiology.io.sdd_write import write_sdd
from braggbook.testing.damage import MadeDamage, make_sdd

FIELDS = {
    "SDD version": "SDDv1.0",
    "Software": "by hand",
    "Author": "A. Tester, 21/11/2026",
    "Simulation details": "two damages",
    "Source": "plane-parallel beam",
    "Source type": "1",
    "Incident particles": "2212",
    "Mean particle energy": "0.975",
    "Energy distribution": "M, 0",
    "Particle fraction": "1.0",
    "Dose or fluence": "1, 1.5",
    "Dose rate": "2.0",
    "Irradiation target": "sphere, radius 4.32 um",
    "Volumes": "0,5,5,5,0,0,0, 1,4.32,4.32,4.32,0,0,0",
    "Chromosome sizes": "2, 250.5, 100",
    "DNA density": "1.0379",
    "Cell cycle phase": "0",
    "DNA structure": "0, 1",
    "In vitro / in vivo": "0",
    "Proliferation status": "1,",
    "Microenvironment": "20, 0.01",
    "Damage definition": "0, 0, 10, -1, 17.5",
    "Time": "0",
    "Damage and primary count": "2, 2",
    "Data entries": "1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1",
    "Additional information": "",
}
# One record in the spelling of SDD's own examples, one in that of TOPAS-nBio.
RECORDS = [
    (
        "2,0; -0.97, 1.5, 2.1, -0.96, 1.6, 2.2, -0.98, 1.4, 2.0; 0, 1,1,1; 0.25; 0,2,0; 0,2,1; 1 1 1/4 3 1/; 0132; "
        "1.27/0.5; 2212; 0.975; -0.97/1.5/-4; 0/0/1; 0;"
    ),
    (
        "1, 7; 0.5, 0.5, 0.5 / 0.6, 0.6, 0.6 / 0.4, 0.4, 0.4; 1, 2, 1, 0; 0.75; 0, 1, 0; 0, 1, 0; 4, 2, 1 / 1, 3, 0 ; ; "
        "2.5; 2212, 11; 0.9, 0.1; 0, 0, -4 / 1, 1, 1; 0, 0, 1 / 1, 0, 0; 0, 3.5;"
    ),
]


def text(*records: str, **changed: str | None) -> str:
    """An SDD file of these records; a field that is None is left out. Underscores in names stand for blanks."""
    fields = FIELDS | {name.replace("_", " "): value for name, value in changed.items()}
    header = "".join(f"{name}, {value};\n" for name, value in fields.items() if value is not None)
    return f"{header}***EndOfHeader***;\n\n" + "".join(f"{record}\n" for record in records)


def sdd(*records: str, **changed: str | None) -> io.StringIO:
    return io.StringIO(text(*records, **changed))


MINIMAL = {"Data_entries": "1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0"}


def test_header_is_typed() -> None:
    header = read_sdd_header(sdd())
    assert header.issues == ()
    assert [field.name for field in header.fields] == list(FIELDS)
    assert header.sdd_version == "SDDv1.0"
    assert (header.source_type, header.incident_particles, header.mean_energies_mev) == (1, (2212,), (0.975,))
    assert (header.dose_gy, header.dose_rate, header.time) == (1.5, 2.0, 0.0)
    assert header.volumes is not None
    assert header.nucleus is not None
    assert (header.volumes[0].shape, header.nucleus.shape, header.nucleus.extents_um) == (0, 1, (4.32, 4.32, 4.32))
    assert (header.declared_chromosomes, header.chromosome_sizes_mbp) == (2, (250.5, 100.0))
    assert header.damage_definition is not None
    assert (header.damage_definition.indirect, header.damage_definition.unit) == (False, "bp")
    assert (header.damage_definition.dsb_distance, header.damage_definition.energies_ev) == (10.0, (17.5,))
    assert (header.damage_count, header.primary_count, sum(header.data_entries)) == (2, 2, 14)
    assert header.text("Author") == "A. Tester, 21/11/2026"
    assert header.line_of("Time") == 23


def test_every_field_of_the_body_becomes_columns() -> None:
    file = read_sdd(sdd(*RECORDS))
    first, second = file.damages.iloc[0], file.damages.iloc[1]
    assert file.damages["line"].tolist() == [29, 30]
    assert file.damages["exposure"].tolist() == [0, 0]
    assert file.damages["primary"].tolist() == [0, 1]
    assert (first["x_um"], first["y_max_um"], first["z_min_um"]) == (-0.97, 1.6, 2.0)
    assert (second["x_um"], second["y_max_um"], second["z_min_um"]) == (0.5, 0.6, 0.4)
    assert second[["dna_structure", "chromosome", "chromatid", "arm"]].tolist() == [1, 2, 1, 0]
    assert file.damages["chromosome_position"].tolist() == [0.25, 0.75]
    assert file.damages[["cause", "direct", "indirect"]].to_numpy().tolist() == [[0, 2, 0], [0, 1, 0]]
    assert file.damages[["base_damages", "strand_breaks", "dsb"]].to_numpy().tolist() == [[0, 2, 1], [0, 1, 0]]
    assert file.damages["sequence"].tolist() == ["0132", ""]
    assert file.lesions.to_numpy().tolist() == [[0, 1, 1, 1], [0, 4, 3, 1], [1, 4, 2, 1], [1, 1, 3, 0]]
    assert file.lesion_times["time_ns"].tolist() == [1.27, 0.5, 2.5]
    assert file.particles["damage"].tolist() == [0, 1, 1]
    assert file.particles["particle_type"].tolist() == [2212, 2212, 11]
    assert file.particles["energy_mev"].tolist() == [0.975, 0.9, 0.1]
    assert file.particles[["x_um", "y_um", "z_um"]].to_numpy()[2].tolist() == [1.0, 1.0, 1.0]
    assert file.particles[["direction_x", "direction_y", "direction_z"]].to_numpy()[0].tolist() == [0.0, 0.0, 1.0]
    assert file.particles["time_ns"].tolist() == [0.0, 0.0, 3.5]
    assert (file.exposures, file.primaries) == (1, 2)


def test_a_minimal_file_has_three_fields() -> None:
    file = read_sdd(sdd("2, 0; 1.6, -2.8, -1.4; 0, 5, 1; ", "0; 1, 1, 1; 0,2,1".replace("0;", "0, 0;", 1), **MINIMAL))
    assert file.damages["strand_breaks"].tolist() == [5, 2]
    assert "x_max_um" not in file.damages
    assert "chromosome" not in file.damages
    assert len(file.lesions) == len(file.particles) == 0


@pytest.mark.parametrize(
    ("spelling", "field", "value"),
    [
        ("Author contact, C. V., c.v@example.org;", "Author", "C. V., c.v@example.org"),
        ("SDD   VERSION ,SDDv1.0;", "SDD version", "SDDv1.0"),
        ("Mean particle energy (MeV), 5.0;", "Mean particle energy", "5.0"),
        ("Mean particle energy, 0.975;  # This is an illustrative comment #", "Mean particle energy", "0.975"),
        ("Mean particle energy, # in MeV # 0.975;", "Mean particle energy", "0.975"),
        ("Mean particle energy, 0.975; # left open", "Mean particle energy", "0.975"),
        ("Time 0;", "Time", "0"),
        ("Time, 0", "Time", "0"),
        ("incident particle, 2212;", "Incident particles", "2212"),
        ("Simulation Details, first line\n   second, line;", "Simulation details", "first line second, line"),
        ("Simulation Details, one; two;", "Simulation details", "one, two"),
        ("DNA Density, ;Cell Cycle Phase, 0;", "Cell cycle phase", "0"),
        ("DNA Density, ;Cell Cycle Phase, 0;", "DNA density", ""),
    ],
)
def test_headers_as_real_programs_write_them(spelling: str, field: str, value: str) -> None:
    name = spelling.split(",", maxsplit=1)[0].split("(", maxsplit=1)[0].strip().lower()
    name = {"author contact": "Author", "time 0;": "Time", "incident particle": "Incident particles"}.get(name, name)
    known = {key.lower(): key for key in FIELDS}
    key = known[" ".join(name.lower().split())]
    lines = []
    for other, text_ in FIELDS.items():
        if other == key:
            lines.append(spelling)
        elif not (spelling.startswith("DNA") and other == "Cell cycle phase"):
            lines.append(f"{other}, {text_};")
    header = read_sdd_header(io.StringIO("\n".join(lines) + "\n***endOfHeader***;\n"))
    assert header.text(field) == value
    assert [item.name for item in header.fields] == list(FIELDS)


def test_blank_lines_bom_crlf_and_a_spaced_end_are_read() -> None:
    body = text(*RECORDS).replace("\n", "\n\n").replace("***EndOfHeader***", " *** End Of Header *** ")
    file = read_sdd(io.StringIO("\ufeff\n" + body.replace("\n", "\r\n"), newline=None))
    assert len(file.damages) == 2
    assert file.header.issues == ()


def test_numbers_with_units_are_not_guessed() -> None:
    header = read_sdd_header(sdd(Mean_particle_energy="5 keV", Time="2.5ns", Cell_cycle_phase="G1/G2"))
    assert header.mean_energies_mev is None
    assert header.time is None
    assert [str(issue) for issue in header.issues] == [
        "line 8: Mean particle energy is not readable; wanted numbers in MeV, got '5 keV'",
        "line 23: Time is not readable; wanted a number, got '2.5ns'",
    ]


def test_records_may_go_on_over_lines_and_carry_comments() -> None:
    wrapped = [
        RECORDS[0].replace("; 0132", ";\n  0132"),
        "# a comment",
        RECORDS[1].replace("2212, 11;", "2212,\n 11;").removesuffix(";") + "   # and another",
    ]
    plain, read = read_sdd(sdd(*RECORDS)), read_sdd(sdd(*wrapped))
    pd.testing.assert_frame_equal(plain.damages.drop(columns="line"), read.damages.drop(columns="line"))
    pd.testing.assert_frame_equal(plain.particles, read.particles)
    assert read.damages["line"].tolist() == [29, 32]


@pytest.mark.parametrize("block", [1, 60, 200, 10_000])
def test_streaming_gives_the_same_tables(block: int) -> None:
    whole = make_sdd(MadeDamage(dsb_per_gy=30, let_kev_um=80, exposures=4), seed=3)
    out = io.StringIO()
    write_sdd(whole, out)
    parts = list(scan_sdd(io.StringIO(out.getvalue()), block=block))
    joined = pd.concat([part.damages for part in parts])
    pd.testing.assert_frame_equal(joined.drop(columns="line"), whole.damages.drop(columns="line"))
    lesions = pd.concat([part.lesions for part in parts]).reset_index(drop=True)
    pd.testing.assert_frame_equal(lesions, whole.lesions)
    assert len(parts) > 1 or block == 10_000


def test_a_path_is_read_and_closed(tmp_path: Path) -> None:
    path = tmp_path / "damage.sdd"
    path.write_bytes(text(*RECORDS).replace("A. Tester", "J. M\xfcller").encode("latin-1"))
    assert len(read_sdd(path).damages) == len(read_sdd(str(path)).damages) == 2
    path.unlink()


def _issues(source: object) -> list[str]:
    with pytest.raises(ScienceError) as caught:
        read_sdd(source)  # type: ignore[arg-type]
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    return [str(issue) for issue in caught.value.issues] or [str(caught.value)]


@pytest.mark.parametrize(
    ("record", "issue"),
    [
        ("0, 0; 1, 1; 0, 2, 1;", "line 29: field 2 (position) is not readable; wanted 3 numbers, got '1, 1'"),
        ("0, 0; 1, 1, x; 0, 2, 1;", "line 29: field 2 (position) is not readable; wanted numbers, got 'x'"),
        ("0, 0; 1, 1, nan; 0, 2, 1;", "line 29: field 2 (position) is not readable; wanted numbers, got 'nan'"),
        ("0, 0; 1, 1, 1e400; 0, 2, 1;", "line 29: field 2 (position) is not readable; wanted numbers, got '1e400'"),
        ("0, 0; 1, 1, 1; 0, 2.5, 1;", "line 29: field 6 (damage types) is not readable; wanted numbers, got '2.5'"),
        ("0, 0; 1, 1, 1; 0, 2;", "line 29: field 6 (damage types) is not readable; wanted 3 numbers, got '0, 2'"),
        ("0, 0, 0; 1, 1, 1; 0, 2, 1;", "line 29: field 1 (classification) is not readable; wanted 2 numbers, got '0, 0, 0'"),
        (
            "0, 0; 1, 1, 1; 0, 2, 1; 7;",
            "line 29: not a damage record; wanted 3 fields, as Data entries says, got 4: 0, 0; 1, 1, 1; 0, 2, 1; 7;",
        ),
    ],
)  # fmt: skip
def test_a_bad_record_is_named_with_its_line(record: str, issue: str) -> None:
    good = "2, 0; 1, 1, 1; 0, 2, 1;"
    body = text(good, record, good, **MINIMAL).replace("\n\n", "\n")
    assert _issues(io.StringIO(body)) == [issue]


def test_all_bad_records_come_at_once() -> None:
    records = ["2, 0; 1, 1, 1; 0, 2, 1;", "0, 0; a, b, 1; 0, 2, 1;", "0, 0; 1, 1, 1; c, 2, 1;", "0, 0; 1"]
    found = _issues(sdd(*records, **MINIMAL))
    assert sorted(issue.split(":")[0] for issue in found) == ["line 30", "line 30", "line 31", "line 32"]


@pytest.mark.parametrize(
    ("old", "new", "issue"),
    [
        ("1 1 1/4 3 1/", "1,1/4,3,1,1", "field 7 (break specification) is not readable; wanted numbers in groups of 3"),
        ("1 1 1/4 3 1/", "1 1 1/4 3", "field 7 (break specification) is not readable; wanted numbers in groups of 3"),
        (
            "-0.97/1.5/-4",
            "-0.97/1.5",
            "field 12 (particle translations) is not readable; wanted numbers in groups of 3",
        ),
        ("; 0.975; ", "; 0.975, 2; ", "field 11 (particle energies) is not readable; wanted 1, as in particle types"),
    ],
)
def test_a_bad_list_is_named_with_its_line(old: str, new: str, issue: str) -> None:
    (found,) = _issues(sdd(RECORDS[0].replace(old, new)))
    assert found.startswith(f"line 29: {issue}")


def test_what_is_no_sdd_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.sdd").write_bytes(bytes(range(256)) * 100)
    (tmp_path / "long.sdd").write_text("x" * 3_000_000, encoding="ascii")
    assert _issues(tmp_path / "binary.sdd")[0].startswith(
        "binary.sdd: not an SDD file; wanted a line ***EndOfHeader***"
    )
    assert "none in 0 lines" in _issues(tmp_path / "long.sdd")[0]
    assert "the SDD file cannot be opened" in _issues(tmp_path / "missing.sdd")[0]
    assert "the SDD file cannot be opened" in _issues(tmp_path)[0]
    assert "none in 0 lines" in _issues(io.StringIO(""))[0]
    assert "wanted a text stream, got a stream of bytes" in _issues(io.BytesIO(b"SDD version, SDDv1.0;\n"))[0]
    assert "wanted a path or a text stream, got int" in _issues(7)[0]
    assert "a line is too long" in _issues(io.StringIO(text("2, 0; " + "1" * 2_000_000, **MINIMAL)))[0]


@pytest.mark.parametrize("flags", [None, "", "1, 1, 1", "1, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0", "yes"])
def test_a_body_without_flags_cannot_be_read(flags: str | None) -> None:
    (issue,) = _issues(sdd(*RECORDS, Data_entries=flags))
    assert "Data entries" in issue
    assert "wanted 14 flags, 0 or 1" in issue


def test_a_file_without_damage_is_empty() -> None:
    file = read_sdd(sdd())
    assert len(file.damages) == file.exposures == file.primaries == 0


@pytest.mark.full
@given(st.text(max_size=300))
def test_no_text_ends_in_another_error(junk: str) -> None:
    for source in (junk, f"{junk}\n***EndOfHeader***;\n{junk}", text(junk), text(f"2, 0; 1, 1, 1; {junk}", **MINIMAL)):
        with contextlib.suppress(ScienceError):
            assert read_sdd(io.StringIO(source)).header.fields


@pytest.mark.full
def test_forty_megabytes_stream_in_bounded_memory(tmp_path: Path) -> None:
    import resource

    path = tmp_path / "large.sdd"
    with path.open("w", encoding="ascii") as stream:
        stream.write(text())
        block = f"{RECORDS[0]}\n" * 10_000
        while stream.tell() < 40_000_000:
            stream.write(block)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    count = sum(len(part.damages) for part in scan_sdd(path))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024.0
    assert count == path.read_text(encoding="ascii").count("\n2,0;")
    assert grown < 250.0  # MB; the file as Python objects would take more than a GB


def test_positions_are_not_rounded() -> None:
    value = 0.1 + 0.2
    file = read_sdd(sdd(f"2, 0; {value!r}, 5e-324, -1e-7; 0, 2, 1;", **MINIMAL))
    assert file.damages.iloc[0][["x_um", "y_um", "z_um"]].tolist() == [value, 5e-324, -1e-7]
    assert np.issubdtype(file.damages["dsb"].dtype, np.integer)


@pytest.mark.parametrize(
    "record",
    [
        "2 0; 1 2 3; 0 2 1;",
        "2, 0,; 1, 2, 3,; 0, 2, 1,;",
        "2\t0; 1 , 2 , 3; 0 / 2 / 1",
        "2, 0; 1 2, 3; 0, 2, 1;;",
    ],
)
def test_values_may_be_parted_by_blanks_and_followed_by_a_comma(record: str) -> None:
    file = read_sdd(sdd(record, **MINIMAL))
    row = file.damages.drop(columns=["line", "exposure", "primary"]).iloc[0]
    assert row.tolist() == [2, 0, 1.0, 2.0, 3.0, 0, 2, 1]


def test_a_value_that_is_missing_between_commas_is_not_guessed() -> None:
    assert _issues(sdd("2, 0; 1, 2, 3; 0,, 2, 1;", **MINIMAL)) == [
        "line 29: field 6 (damage types) is not readable; wanted 3 numbers, got '0,, 2, 1'"
    ]


def test_the_last_field_may_be_empty() -> None:
    flags = "1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0"
    file = read_sdd(sdd("2, 0; 1, 1, 1; 0, 2, 1; 1, 1, 1;", "0, 0; 1, 1, 1; 1, 0, 0; ;", Data_entries=flags))
    assert (len(file.damages), file.lesions["damage"].tolist()) == (2, [0])


def test_a_record_behind_the_end_of_the_header_is_not_lost() -> None:
    whole = text("2, 0; 1, 2, 3; 0, 2, 1;", "0, 0; 1, 2, 3; 0, 2, 1;", **MINIMAL).replace(";\n\n2,", "; 2,")
    assert read_sdd(io.StringIO(whole)).damages["line"].tolist() == [27, 28]
    starred = text(**MINIMAL).replace("***EndOfHeader***;", "Note, 3 * 4; *** End Of Header ***; # end")
    assert read_sdd(io.StringIO(starred)).header.fields[-1].text == "3 * 4"
