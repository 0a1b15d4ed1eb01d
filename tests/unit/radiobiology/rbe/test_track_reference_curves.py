"""Published curves of track models, MKM, SMK and OSMK, digitised by the authors of pymkm, and pymkm's own errors.

163 curves: Kase et al. (2008) and Inaniwa et al. (2010, 2018, 2021, 2023), in the mirror folder ``mkm_reference``. Where
pymkm states its error against a curve (root mean square, of the decadic logarithm where the axis is logarithmic),
ours may be worse by a tenth and a reading error, except for curves that are named here with the reason.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from braggbook.errors import ScienceError
from braggbook.radiobiology.beams import energies_at_let, let_kev_um_from_mev_cm
from braggbook.radiobiology.constants import taking
from braggbook.radiobiology.rbe import (
    AmorphousTrack,
    KineticResponse,
    MkmParameters,
    OsmkParameters,
    amorphous_track,
    mkm_parameters,
    mkm_response,
    osmk_parameters,
    osmk_response,
    oxygen_enhancement_ratio,
    saturated,
    saturation_parameter,
    single_event_specific_energy,
    smk_response,
    specific_energies,
)

pytestmark = pytest.mark.full

Floats = NDArray[np.float64]
Curve = tuple[str, dict[str, str], Floats]

WORSE = 1.1  # of pymkm's error
READING_LOG = 0.005  # of a survival that is read off a logarithmic axis: 1.2 %
READING_OER = 0.005
FULL_OXYGEN_MMHG = 160.0  # that the papers' aerobic curves are for


def curves(folder: Path) -> Iterator[Curve]:
    """Yields name, header and points (n, 2) of every curve below a folder."""
    files = sorted(folder.rglob("*.txt"))
    assert files
    for file in files:
        lines = file.read_text(encoding="utf-8").splitlines()
        start = lines.index("Data:")
        header = dict(line.split(": ", 1) for line in lines[:start])
        yield file.name, header, np.array([line.split() for line in lines[start + 1 :] if line.strip()], dtype=float)


def errors_of_pymkm(folder: Path, *keys: str, value: str) -> dict[tuple[str, ...], float]:
    (file,) = (folder / "metrics").glob("*.csv")
    with file.open(encoding="utf-8") as text:
        return {tuple(row[key] for key in keys): float(row[value]) for row in csv.DictReader(text, delimiter=";")}


def rms(found: Floats, expected: Floats) -> float:
    return float(np.sqrt(np.mean((found - expected) ** 2)))


def rms_log(found: Floats, expected: Floats) -> float:
    return rms(np.log10(found), np.log10(expected))


def track_of(header: dict[str, str]) -> AmorphousTrack:
    model = {"Kiefer-Chatterjee": "kiefer_chatterjee", "Scholz-Kraft": "scholz_kraft"}[header["Model_Name"]]
    return amorphous_track(
        model,
        ion=int(header["Atomic_Number"]),
        energy_mev_u=float(header["Energy_MeV_u"]),
        let_kev_um=let_kev_um_from_mev_cm(float(header["LET_MeV_cm"])),
    )


def local_dose(header: dict[str, str], radius: Floats) -> Floats:
    return np.asarray(track_of(header).local_dose(radius)[0])


def specific_energy(header: dict[str, str], impact: Floats) -> Floats:
    z = single_event_specific_energy(track_of(header), impact, radius_um=float(header["Region_Radius_um"]))
    return np.asarray(z[0])


def saturated_energy(header: dict[str, str], impact: Floats) -> Floats:
    radius = float(header["Domain_Radius_um"])
    z0 = float(
        saturation_parameter(
            domain_radius_um=radius,
            nucleus_radius_um=float(header["Nucleus_Radius_um"]),
            beta0_per_gy2=float(header["Beta0_Gy-2"]),
        )
    )
    z = single_event_specific_energy(track_of(header), impact, radius_um=radius)[0]
    corrected = np.asarray(saturated(z, z0_gy=z0))
    if header["Saturation_Model"] == "square_root":
        return corrected
    return np.divide(corrected**2, z, out=np.zeros_like(z), where=z > 0)


# These curves jump by orders of magnitude at the edges of core and penumbra, so the error at one abscissa is that of
# the abscissa. What is held is the distance: each point within 5 % along and 11 % across. (pymkm's mean errors here
# are 0.02 to 0.5 decades.)
@pytest.mark.parametrize(
    ("folder", "model", "count"),
    [
        ("initial_local_dose", local_dose, 8),
        ("specific_energy", specific_energy, 11),
        ("specific_energy_saturation", saturated_energy, 9),
    ],
)
def test_points_lie_on_the_curves_around_a_track(
    mirror: Path, folder: str, model: Callable[[dict[str, str], Floats], Floats], count: int
) -> None:
    seen = 0
    for name, header, points in curves(mirror / "mkm_reference" / folder / "reference_data"):
        near = np.stack([model(header, points[:, 0] * shift) for shift in np.linspace(0.95, 1.05, 41)])
        assert np.all(near.min(axis=0) < 1.11 * points[:, 1]), name
        assert np.all(near.max(axis=0) > points[:, 1] / 1.11), name
        seen += 1
    assert seen == count


def test_saturated_specific_energy_against_energy(mirror: Path) -> None:
    folder = mirror / "mkm_reference" / "mk_table_classic"
    peer = errors_of_pymkm(folder, "atomic_number", value="RMS_Error")
    ours = {}
    for _, header, points in curves(folder / "reference_data"):
        z = mkm_parameters("hsg_inaniwa_2010").specific_energies(int(header["Atomic_Number"]), points[:, 0])
        ours[(header["Atomic_Number"],)] = rms(z.saturated_gy, points[:, 1])
    assert {key for key, error in ours.items() if error > WORSE * peer[key]} == set()
    assert len(ours) == 6


def test_doses_for_ten_per_cent_survival(mirror: Path) -> None:
    folder = mirror / "mkm_reference" / "mk_table_classic_dose"
    peer = errors_of_pymkm(folder, "atomic_number", value="RMS_Error")
    p = mkm_parameters("hsg_inaniwa_2010")
    for _, header, points in curves(folder / "reference_data"):
        energy = [energies_at_let(int(header["Atomic_Number"]), 0.1 * let)[-1] for let in points[:, 0]]
        dose = mkm_response(p.specific_energies(int(header["Atomic_Number"]), energy), p).dose_at_survival(0.1)
        error = rms(dose, points[:, 1])
        assert (
            error < 0.9 * peer[(header["Atomic_Number"],)]
        )  # the integrals done well are closer to the paper's curves
        assert dose == pytest.approx(points[:, 1], rel=0.06)


@pytest.mark.parametrize(
    ("sub", "quantity", "attribute"),
    [
        ("mk_table_avg_domain", "domain", "domain_gy"),
        ("mk_table_avg_saturation_domain", "saturation", "saturated_gy"),
        ("mk_table_avg_nucleus", "nucleus", "nucleus_gy"),
    ],
)
def test_specific_energies_of_the_smk(mirror: Path, sub: str, quantity: str, attribute: str) -> None:
    folder = mirror / "mkm_reference" / "mk_table_stochastic"
    peer = errors_of_pymkm(folder, "Z", "quantity", value="RMS_Error")
    ours = {}
    for _, header, points in curves(folder / "reference_data" / sub):
        z = specific_energies(
            int(header["Atomic_Number"]),
            points[:, 0],
            domain_radius_um=float(header["Domain_Radius_um"]),
            nucleus_radius_um=float(header["Nucleus_Radius_um"]),
            z0_gy=66.0,  # of all thirty, though some headers leave it out
        )
        ours[(header["Atomic_Number"], quantity)] = rms(getattr(z, attribute), points[:, 1])
    assert {key for key, error in ours.items() if error > WORSE * peer[key]} == set()
    assert len(ours) == 10


def parameters_of(header: dict[str, str]) -> MkmParameters:
    return MkmParameters(
        cell_line=header["Cell_Type"],
        alpha0_per_gy=float(header["Alpha0_Gy-1"]),
        beta0_per_gy2=float(header["Beta0_Gy-2"]),
        domain_radius_um=float(header["Domain_Radius_um"]),
        nucleus_radius_um=float(header["Nucleus_Radius_um"]),
        z0_gy=float(header["z0_Gy"]),
    )


# The nine V79 curves of the MKM do not follow from the parameters in their headers (up to 0.15 decades, ours and
# pymkm's); for this one pymkm's error of quadrature happens to go the right way.
NOT_ITS_PARAMETERS = {("V79", "6", "310.0")}


@pytest.mark.parametrize(
    ("folder", "model", "named"),
    [("sf_table_classic", mkm_response, NOT_ITS_PARAMETERS), ("sf_table_stochastic", smk_response, set())],
)
def test_survival_curves(
    mirror: Path, folder: str, model: Callable[..., KineticResponse], named: set[tuple[str, ...]]
) -> None:
    base = mirror / "mkm_reference" / folder
    peer = errors_of_pymkm(base, "cell_line", "Z", "LET_MeV_cm", value="RMSLogError")
    ours = {}
    for _, header, points in curves(base / "reference_data"):
        let, p = float(header["LET_MeV_cm"]), parameters_of(header)
        z = p.specific_energies(int(header["Atomic_Number"]), energies_at_let(int(header["Atomic_Number"]), 0.1 * let))
        survival = model(z, p).surviving_fraction(points[:, 0])[0]
        ours[(header["Cell_Type"], header["Atomic_Number"], str(let))] = rms_log(survival, points[:, 1])
    assert {key for key, error in ours.items() if error > WORSE * peer[key] + READING_LOG} == named
    assert len(ours) == 18


def oxygen_set(header: dict[str, str]) -> OsmkParameters:
    p = osmk_parameters(f"{header['Cell_Type'].lower()}_inaniwa_{'2023' if 'R_max' in header else '2021'}")
    assert p.z0_gy == float(header["z0_Gy"])
    assert p.beta0_per_gy2 == float(header["Beta0_Gy-2"])
    return p


def at_pressure(p: OsmkParameters, header: dict[str, str], energy: object, pressure: float) -> KineticResponse:
    z = p.specific_energies(int(header["Atomic_Number"]), energy, oxygen_mmhg=pressure)  # type: ignore[arg-type]
    return osmk_response(z, p, oxygen_mmhg=pressure)


def test_survival_curves_with_little_oxygen(mirror: Path) -> None:
    # The V79 curves with the domain radius of 0.25 um that they were drawn with, and without pymkm's factor of 1.3.
    base = mirror / "mkm_reference" / "sf_table_stochastic_pO2"
    keys = ("cell_type", "Z", "pO2_mmHg", "osmk_version", "LET_MeV_cm")
    peer = {
        (*key[:4], f"{float(key[4]):.1f}"): error
        for key, error in errors_of_pymkm(base, *keys, value="RMSLogError").items()
    }
    ours = {}
    for _, header, points in curves(base / "reference_data"):
        p, z, let = oxygen_set(header), int(header["Atomic_Number"]), float(header["LET_MeV_cm"])
        found = at_pressure(p, header, energies_at_let(z, 0.1 * let), float(header["pO2_mmHg"]))
        scale = 1.3 if header["Cell_Type"] == "V79" else 1.0
        key = (header["Cell_Type"], str(z), str(float(header["pO2_mmHg"])), p.version, f"{scale * let:.1f}")
        ours[key] = rms_log(found.surviving_fraction(points[:, 0])[0], points[:, 1])
    assert {key for key, error in ours.items() if error > WORSE * peer[key] + READING_LOG} == set()
    assert max(ours.values()) < 0.05
    assert len(ours) == 42


def enhancement_errors(mirror: Path) -> dict[tuple[str, ...], float]:
    found = {}
    for _, header, points in curves(mirror / "mkm_reference" / "sf_table_stochastic_OER" / "reference_data"):
        p, z = oxygen_set(header), int(header["Atomic_Number"])
        known = []
        for let, oer in points:
            try:
                known.append((energies_at_let(z, 0.1 * let)[-1], oer))
            except ScienceError:  # a few points lie below or above the LET of the table
                continue
        assert len(known) > 0.85 * len(points)
        energy, expected = np.array(known).T
        pressure = float(header["pO2_mmHg"])
        hypoxic, aerobic = (at_pressure(p, header, energy, at) for at in (pressure, FULL_OXYGEN_MMHG))
        key = (header["Cell_Type"], str(z), str(pressure), p.version)
        found[key] = rms(oxygen_enhancement_ratio(hypoxic, aerobic, level=0.1), expected)
    return found


def test_oxygen_enhancement(mirror: Path) -> None:
    base = mirror / "mkm_reference" / "sf_table_stochastic_OER"
    peer = errors_of_pymkm(base, "cell_type", "Z", "pO2_mmHg", "osmk_version", value="RMS_Error")
    ours = enhancement_errors(mirror)
    # HSG: these three were drawn with R_m = 2.8, the survival curves with 2.9; pymkm has 0.055 to 0.061 here.
    named = {("HSG", z, "0.0", "2021") for z in ("2", "6", "10")}
    assert {key for key, error in ours.items() if error > WORSE * peer[key] + READING_OER} == named
    assert max(error for key, error in ours.items() if key not in named) < 0.011
    with taking({"osmk.hsg_inaniwa_2021.resistance_without_oxygen": "figures"}):
        again = enhancement_errors(mirror)
    assert all(again[key] < 0.01 for key in named)
    assert len(ours) == 18


def test_the_v79_curves_are_those_of_another_domain(mirror: Path) -> None:
    with taking({"osmk.v79_inaniwa_2021.domain_radius": "Inaniwa 2021"}):
        found = enhancement_errors(mirror)
    assert all(error > 0.15 for key, error in found.items() if key[0] == "V79")
