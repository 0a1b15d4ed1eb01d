"""What a check says of files that contradict SDD 1.0 or themselves, each with its line."""

from __future__ import annotations

import io
import re

import pytest

from braggbook.errors import ScienceError
from braggbook.radiobiology.io.sdd_check import check_sdd
from braggbook.radiobiology.io.sdd_write import write_sdd
from braggbook.testing.damage import MadeDamage, make_sdd

from .test_sdd import MINIMAL, RECORDS, sdd, text

GOOD = "2, 0; 1, 1, 1; 0, 2, 1;"
TOPAS = "2, 0; 1, 1, 1; 0, 2, 1; 2, 1, 1 / 3, 3, 2 / 2, 5, 0;"
FLAGS_7 = {"Data_entries": "1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0", "Damage_and_primary_count": "1, 1"}
ONE = {**MINIMAL, "Damage_and_primary_count": "1, 1"}
EVENTS = {
    "Data_entries": "1, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0",
    "Damage_and_primary_count": "1, 1",
    "DNA_density": "",
}


def found(*records: str, **changed: str | None) -> list[str]:
    return [str(finding) for finding in check_sdd(sdd(*records, **changed))]


def test_a_good_file_has_no_finding() -> None:
    report = check_sdd(sdd(*RECORDS))
    assert [str(finding) for finding in report] == []
    assert report.ok
    assert (report.damages, report.exposures, report.primaries, report.dsb) == (2, 1, 2, 1)
    assert report.backbone_strands == (1, 4)


def test_counts_that_contradict_the_body_are_reported() -> None:
    """The known pitfall: a header that declares 198 damages and 43 primaries over a body of 1239 damages."""
    file = make_sdd(MadeDamage(dsb_per_gy=24.8, let_kev_um=45, exposures=50), seed=5)
    out = io.StringIO()
    write_sdd(file, out)
    lied = re.sub(r"Damage and primary count, .*;", "Damage and primary count, 198, 43;", out.getvalue())
    report = check_sdd(io.StringIO(lied))
    assert not report.ok
    assert [str(finding) for finding in report] == [
        (
            f"error: line 24: the damage count contradicts the body; wanted {len(file.damages)} damages, as the body has, "
            "got 198"
        ),
        (
            f"error: line 24: the primary count contradicts the body; wanted at least {file.primaries} primaries, which "
            f"left damage in the body ({file.exposures} exposures), got 43"
        ),
    ]
    assert (report.damages, report.dsb) == (len(file.damages), int(file.damages["dsb"].sum()))


def test_more_primaries_than_damage_shows_are_legal() -> None:
    assert found(GOOD, **{**ONE, "Damage_and_primary_count": "1, 1000"}) == []


def test_a_repeated_damage_count_is_a_warning() -> None:
    several = found(GOOD, "0, 0; 1, 1, 1; 0, 2, 1;", **MINIMAL)
    assert several == [
        (
            "warning: line 24: the primary count repeats the damage count; wanted primaries, got 2, with 1 primaries in "
            "the body"
        )
    ]


@pytest.mark.parametrize(
    ("changed", "finding"),
    [
        ({"SDD_version": "SDDv2.0"}, "warning: line 1: another version; wanted SDDv1.0"),
        ({"Softwear": "x"}, "warning: line 27: not a header field of SDD 1.0; got 'Softwear'; did you mean Software?"),
        ({"Dose_rate": None}, "warning: header fields are missing; wanted 26 fields, got no Dose rate"),
        ({"Mean_particle_energy": "-5"}, "error: line 8: Mean particle energy is negative; wanted 0 or more, got -5.0"),
        ({"Mean_particle_energy": "1, 2"}, "warning: line 8: Mean particle energy does not match the particles"),
        ({"Mean_particle_energy": "5 keV"}, "error: line 8: Mean particle energy is not readable"),
        ({"Particle_fraction": "0.5"}, "warning: line 10: particle fractions do not add up to 1; got 0.5"),
        ({"Dose_or_fluence": "1, 0"}, "error: line 11: no dose or fluence above 0; got 0.0"),
        ({"Dose_or_fluence": "1, -2"}, "error: line 11: no dose or fluence above 0; got -2.0"),
        ({"Dose_or_fluence": "7, 1"}, "error: line 11: Dose or fluence is not readable"),
        ({"Dose_rate": "-1"}, "error: line 12: the dose rate is negative; got -1.0"),
        ({"Volumes": "0,5,5,5,0,0,0,1,9,9,9,0,0,0", "DNA_density": ""}, "warning: line 14: the nucleus is larger"),
        ({"Volumes": "0,5,5,5,0,0,0,1,0,4,4,0,0,0"}, "error: line 14: a volume has no extent"),
        ({"Volumes": "0,5,5,5,0,0,0,1,4,4,4,4,0,0,0"}, "error: line 14: Volumes is not readable"),
        ({"Chromosome_sizes": "3, 250.5, 100"}, "error: line 15: another number of chromosome sizes; wanted 3 sizes"),
        ({"Chromosome_sizes": "2, 250.5, -1", "DNA_density": ""}, "error: line 15: a chromosome has no size"),
        ({"DNA_density": "14.4"}, "warning: line 16: the DNA density does not fit the chromosomes; wanted 1.038 Mbp"),
        ({"Damage_definition": "0, 0, 0"}, "error: line 22: no distance makes a DSB; wanted a distance above 0, got 0 bp"),
        ({"Damage_definition": "0, 0, 10, -1, -3"}, "error: line 22: a threshold energy is negative; got -3 eV"),
        ({"Damage_definition": "0, 0, 10, -1, 37.5, 5"}, "error: line 22: the upper energy is below the lower one"),
        ({"Damage_definition": "5, 0, 10"}, "error: line 22: Damage definition is not readable"),
    ],
)  # fmt: skip
def test_the_header_is_held_against_itself(changed: dict[str, str | None], finding: str) -> None:
    findings = found(GOOD, **{**ONE, **changed})
    assert findings[0].startswith(finding)
    assert len(findings) == 1 or all(": a damage lies outside" in other for other in findings[1:])


def test_order_and_repetition_of_header_fields() -> None:
    lines = text(GOOD, **ONE).splitlines()
    lines[1], lines[2] = lines[2], lines[1]
    lines.insert(5, "Source type, 2;")
    findings = [str(f) for f in check_sdd(io.StringIO("\n".join(lines)))]
    assert findings == [
        "error: lines 6, 7: Source type is there 2 times",
        "warning: line 3: header fields are not in the order of SDD 1.0",
    ]


@pytest.mark.parametrize(
    ("flags", "finding"),
    [
        ("0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0", "error: line 25: Data entries leave out field 1 (classification)"),
        ("1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0", "error: line 25: Data entries have neither field 2 (position)"),
        ("1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0", "error: line 25: Data entries have neither field 6 (damage types)"),
        ("1, 1", "error: line 25: Data entries is not readable; wanted 14 flags, 0 or 1, got '1, 1'"),
    ],
)  # fmt: skip
def test_required_fields(flags: str, finding: str) -> None:
    assert any(f.startswith(finding) for f in found(Data_entries=flags))


def test_flags_that_contradict_the_body() -> None:
    findings = found(GOOD, "0, 0; 1, 1, 1; 0, 2, 1; 9;", **ONE)
    assert findings == [
        "error: line 30: not a damage record; wanted 3 fields, as Data entries says, got 4: 0, 0; 1, 1, 1; 0, 2, 1; 9;"
    ]


@pytest.mark.parametrize(
    ("record", "findings"),
    [
        ("2, 0; 4.31, 1, 1; 0, 2, 1;", [("error: line 29: a damage lies outside the nucleus; wanted within (4.32, 4.32, "
                                         "4.32) um, got (4.31, 1.0, 1.0) um")]),
        ("2, 0; 9, 1, 1; 0, 2, 1;", [("error: line 29: a damage lies outside the nucleus; wanted within (4.32, 4.32, "
                                     "4.32) um, got (9.0, 1.0, 1.0) um"),
                                     "error: line 29: a damage lies outside the bounding volume; got (9.0, 1.0, 1.0) um"]),
        ("2, 0; 1, 1, 1; 0, 1, 1;", ["error: line 29: a DSB of fewer than two strand breaks; wanted 2 or more, got 1"]),
        ("2, 0; 1, 1, 1; 0, 2, 4;", ["warning: line 29: the DSB flag is neither 0 nor 1; got 4"]),
        ("2, 0; 1, 1, 1; -1, 2, 1;", ["error: line 29: a number of damages is negative; wanted 0 or more"]),
        ("2, 0; 1, 1, 1; 0, 0, 0;", ["warning: line 29: a damage of nothing"]),
        ("0, 0; 1, 1, 1; 0, 2, 1;", [("warning: line 29: the first damage does not begin an exposure; wanted "
                                     "classification 2, got 0")]),
        ("3, 0; 1, 1, 1; 0, 2, 1;", [("warning: line 29: the first damage does not begin an exposure; wanted "
                                     "classification 2, got 3"),
                                     "error: line 29: not a classification; wanted 0, 1 or 2, got 3"]),
    ],
)  # fmt: skip
def test_a_damage_is_held_against_the_header(record: str, findings: list[str]) -> None:
    assert found(record, **ONE) == findings


def test_a_position_on_the_surface_is_inside() -> None:
    assert found("2, 0; 0, 0, -4.32; 0, 2, 1;", **ONE) == []


def test_extents_hold_their_centre() -> None:
    record = "2, 0; 1, 1, 1 / 0.5, 1.1, 1.1 / 0.4, 0.9, 0.9; 0, 2, 1;"
    assert found(record, **ONE) == [
        "error: line 29: the extent of a damage does not hold its centre; wanted centre, greatest, least coordinates"
    ]


def test_events_follow_primaries() -> None:
    records = [GOOD, "0, 5; 1, 1, 1; 0, 2, 1;", "1, 5; 1, 1, 1; 0, 2, 1;"]
    assert found(*records, **{**MINIMAL, "Damage_and_primary_count": "3, 9"}) == [
        "error: line 30: another event without a new primary; wanted classification 1 where the event changes, got 5",
        "warning: line 31: a new primary of the same event; got 5",
    ]


@pytest.mark.parametrize(
    ("record", "findings"),
    [
        ("2, 0; 1, 3, 1, 0; 0.5; 0, 2, 0; 0, 2, 1;",
         ["error: line 29: no such chromosome; wanted 0 to 2, as Chromosome sizes has 2, got 3"]),
        ("2, 0; 4, 99, 1, 0; 0.5; 0, 2, 0; 0, 2, 1;", []),  # mitochondrial DNA belongs to no chromosome
        ("2, 0; 9, 1, 1, 0; 0.5; 0, 2, 0; 0, 2, 1;", ["warning: line 29: not a dna_structure; wanted 0 to 4, got 9"]),
        ("2, 0; 1, 1, 5, 0; 0.5; 0, 2, 0; 0, 2, 1;", ["warning: line 29: not a chromatid; wanted 0 to 2, got 5"]),
        ("2, 0; 1, 1, 1, 3; 0.5; 0, 2, 0; 0, 2, 1;", ["warning: line 29: not a arm; wanted 0 to 1, got 3"]),
        ("2, 0; 1, 1, 1, 0; -0.5; 0, 2, 0; 0, 2, 1;",
         ["error: line 29: a chromosome position is negative; wanted 0 or more, got -0.5"]),
        ("2, 0; 1, 2, 1, 0; 300000000; 0, 2, 0; 0, 2, 1;",
         ["error: line 29: a chromosome position lies beyond the chromosome; wanted base pairs, got 300000000.0"]),
        ("2, 0; 1, 1, 1, 0; 0.5; 9, 2, 0; 0, 2, 1;", ["warning: line 29: not a cause; wanted 0 to 3, got 9"]),
        ("2, 0; 1, 1, 1, 0; 0.5; 0, 1, 1; 0, 2, 1;",
         ["warning: line 29: the cause contradicts its counts; wanted 0 direct, 1 indirect, 2 both, got 0",
          ("warning: line 22: indirect damage in a file that scored direct damage only; wanted Damage definition that "
          "begins with 1, got 1 indirect")]),
    ],
)  # fmt: skip
def test_chromosomes_and_causes(record: str, findings: list[str]) -> None:
    assert found(record, **EVENTS) == findings


def test_numbering_and_places_must_be_of_one_kind() -> None:
    records = ["2, 0; 1, 0, 1, 0; 0.5; 0, 2, 0; 0, 2, 1;", "0, 0; 1, 2, 1, 0; 5000; 0, 2, 0; 0, 2, 1;"]
    assert found(*records, **{**EVENTS, "Damage_and_primary_count": "2, 1"}) == [
        "error: chromosomes are counted both from 0 and from 1; wanted 2 numbers, got 0 and 2",
        "error: chromosome positions are both fractions and base pairs; wanted one of them, got 1 below 1, 1 above",
    ]


def test_the_break_specification_is_held_against_the_damage_types() -> None:
    good = "2, 0; 1, 1, 1; 0, 2, 1; 1, 1, 1 / 4, 3, 1;"
    far = "0, 0; 1, 1, 1; 0, 2, 1; 1, 1, 1 / 4, 30, 1;"
    more = "0, 0; 1, 1, 1; 0, 3, 1; 1, 1, 1 / 4, 3, 1;"
    unmarked = "0, 0; 1, 1, 1; 1, 2, 0; 1, 1, 1 / 4, 3, 1 / 2, 2, 1;"
    wrong = "0, 0; 1, 1, 1; 0, 2, 1; 1, 1, 1 / 4, 3, 1 / 7, 1, 1 / 1, 2, 9;"
    records = [good, far, more, unmarked, wrong]
    assert found(*records, **{**FLAGS_7, "Damage_and_primary_count": "5, 1"}) == [
        "error: line 33: not a strand of a lesion; wanted 1 to 4, got 7",
        "error: line 33: not a kind of a lesion; wanted 0 to 3, got 9",
        (
            "error: lines 31, 33: the strand breaks contradict the break specification; wanted as many as lesions in "
            "strands 1 and 4, got 3"
        ),
        "error: line 30: a DSB without its two breaks; wanted breaks on both strands within 10 bp",
        (
            "warning: line 32: breaks on both strands within the DSB distance that are not called a DSB; wanted a DSB "
            "within 10 bp"
        ),
    ]


def test_files_of_topas_nbio_have_other_strands() -> None:
    report = check_sdd(sdd(TOPAS, **FLAGS_7))
    assert report.backbone_strands == (2, 3)
    assert [str(finding) for finding in report] == [
        (
            "warning: the break specification has its backbones in strands 2 and 3; wanted strands 1 and 4, as in the "
            "examples of SDD 1.0, got 2 and 3, as TOPAS-nBio writes"
        )
    ]


def test_negative_energies_and_times() -> None:
    record = RECORDS[0].replace("; 0.975;", "; -0.975;").replace("1.27/0.5", "-1.27").replace("0/0/1", "0/0/2")
    assert found(record, Damage_and_primary_count="1, 1") == [
        "error: line 29: negative particle energies; wanted 0 MeV or more, got -0.975",
        "error: line 29: negative times; wanted 0 ns or more, got -1.27",
        "warning: line 29: a particle's direction is not a unit vector; got length 2",
    ]


def test_findings_name_all_lines_but_show_a_few() -> None:
    report = check_sdd(sdd(GOOD, *["0, 0; 9, 1, 1; 0, 2, 1;"] * 20, **{**MINIMAL, "Damage_and_primary_count": "21, 1"}))
    finding = report.findings[0]
    assert finding.lines == tuple(range(30, 50))
    assert finding.where == "lines 30, 31, 32, 33, 34, 35, 36, 37 and 12 more"


def test_what_has_no_header_raises() -> None:
    with pytest.raises(ScienceError, match="not an SDD file"):
        check_sdd(io.StringIO("no header"))


def test_a_body_that_cannot_be_read_contradicts_no_count() -> None:
    findings = found(GOOD, **{**ONE, "Data_entries": "1, 1"})
    assert not any("contradicts the body" in finding for finding in findings)
    assert any("Data entries is not readable" in finding for finding in findings)
