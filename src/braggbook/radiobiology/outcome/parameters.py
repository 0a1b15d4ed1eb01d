"""Published parameters of complication models, by source.

A set belongs to one organ, endpoint, dose and source; it says nothing about another endpoint of the same organ. Every
number is a record of the constants court, with the interval where one was published.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from braggbook.errors import unknown_name
from braggbook.radiobiology.constants import Constant, Source, constant
from braggbook.radiobiology.intervals import Interval
from braggbook.radiobiology.outcome.dvh import Dvh, check_dvh
from braggbook.radiobiology.outcome.response import lkb_ntcp, logistic_of_coefficients

Model = Literal["lkb", "logistic in mean dose"]

_BURMAN = Source(
    "burman1991",
    "C. Burman, G. J. Kutcher, B. Emami and M. Goitein, Int J Radiat Oncol Biol Phys 21 (1991) 123-135, "
    "doi:10.1016/0360-3016(91)90172-Z",
)
_EMAMI = Source(
    "emami1991",
    "B. Emami et al., Int J Radiat Oncol Biol Phys 21 (1991) 109-122, doi:10.1016/0360-3016(91)90171-Y, TD 50/5 of the "
    "whole organ",
)
_AVIPLANNER = Source(
    "aviplanner", "the table NTCP_parameters.cs of the program AVIPlanner, github.com/CSMayoLab/AVIPlanner"
)
_SEPPENWOOLDE = Source(
    "seppenwoolde2003", "Y. Seppenwoolde et al., Int J Radiat Oncol Biol Phys 55 (2003) 724-735, abstract"
)
_MARKS = Source(
    "quantec2010_lung",
    "L. B. Marks et al., Int J Radiat Oncol Biol Phys 76 (2010) S70-S76, doi:10.1016/j.ijrobp.2009.06.091",
)
_MICHALSKI = Source(
    "quantec2010_rectum",
    "J. M. Michalski et al., Int J Radiat Oncol Biol Phys 76 (2010) S123-S129, doi:10.1016/j.ijrobp.2009.03.078, "
    "abstract",
)
_PUBLISHED_LEVEL = 0.95
_BURMAN_NOTE = (
    "fitted by eye to the task force's tolerance doses for partial and whole irradiation, no interval; read in "
    "programs that quote the paper"
)
_QUOTED = "read in programs that quote the paper, its intervals too"

_SETS: dict[str, NtcpParameters] = {}


@dataclass(frozen=True, eq=False)
class NtcpParameters:
    """A set of published parameters.

    Attributes:
        name: Name under which it is found, ``source.organ``.
        organ: The organ, as the source names it.
        endpoint: The complication.
        model: "lkb" (n, m, td50_gy) or "logistic in mean dose" (intercept, slope_per_gy).
        dose: The dose that goes in, as the source had it.
        constants: Record of each parameter by its name.
        intervals: Published interval of each parameter that has one.
    """

    name: str
    organ: str
    endpoint: str
    model: Model
    dose: str
    constants: Mapping[str, Constant]
    intervals: Mapping[str, Interval] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def citation(self) -> str:
        """The source, with its DOI where it has one."""
        return next(iter(next(iter(self.constants.values())).readings)).citation

    def value(self, parameter: str) -> float:
        """Returns the value of a parameter.

        Raises:
            UnknownName: The set has no such parameter.
            ScienceError: Its sources disagree, and none was chosen.
        """
        if parameter not in self.constants:
            raise unknown_name(f"parameter of {self.name}", parameter, self.constants)
        return self.constants[parameter].value

    def ntcp(self, dvh: Dvh) -> float:
        """Returns the complication probability of a histogram, in the dose that the set asks for."""
        check_dvh(dvh)
        if self.model == "lkb":
            return lkb_ntcp(dvh, td50_gy=self.value("td50_gy"), m=self.value("m"), n=self.value("n"))
        intercept, slope = self.value("intercept"), self.value("slope_per_gy")
        return float(logistic_of_coefficients(dvh.mean_gy, intercept=intercept, slope_per_gy=slope))


def ntcp_parameter_sets() -> Mapping[str, NtcpParameters]:
    """Returns every set by name (a read-only view)."""
    return MappingProxyType(_SETS)


def ntcp_parameters(name: str) -> NtcpParameters:
    """Returns a set by its name, for example "michalski.rectum".

    Raises:
        UnknownName: There is none; the closest names are given.
    """
    if name not in _SETS:
        raise unknown_name("set of NTCP parameters", name, _SETS)
    return _SETS[name]


def _published(lower: float, upper: float) -> Interval:
    return Interval(lower, upper, _PUBLISHED_LEVEL, "published")


def _burman(
    organ: str, endpoint: str, *, n: float, m: float, td50_gy: float, more: Mapping[str, Mapping[Source, float]]
) -> None:
    """Enters a set of Burman et al.; ``more`` holds what other sources say of a parameter."""
    key = organ.replace(" ", "_")
    values = {"n": n, "m": m, "td50_gy": td50_gy}
    records = {
        name: constant(
            f"burman.{key}_{name}",
            unit="Gy" if name == "td50_gy" else "1",
            readings={_BURMAN: value, **more.get(name, {})},
            note=_BURMAN_NOTE,
        )
        for name, value in values.items()
    }
    _SETS[f"burman.{key}"] = NtcpParameters(
        f"burman.{key}", organ, endpoint, "lkb", "physical, about 2 Gy per fraction", MappingProxyType(records)
    )


_burman("bladder", "contracture", n=0.50, m=0.11, td50_gy=80.0, more={"td50_gy": {_EMAMI: 80.0}})
_burman("brain", "necrosis", n=0.25, m=0.15, td50_gy=60.0, more={"td50_gy": {_EMAMI: 60.0}})
_burman("brain stem", "necrosis", n=0.16, m=0.14, td50_gy=65.0, more={"td50_gy": {_EMAMI: 65.0}})
_burman("esophagus", "stricture or perforation", n=0.06, m=0.11, td50_gy=68.0, more={"td50_gy": {_EMAMI: 68.0}})
_burman(
    "heart",
    "pericarditis",
    n=0.35,
    m=0.10,
    td50_gy=48.0,
    more={"n": {_AVIPLANNER: 0.35}, "m": {_AVIPLANNER: 0.10}, "td50_gy": {_AVIPLANNER: 48.0}},
)
_burman("kidney", "nephritis", n=0.70, m=0.10, td50_gy=28.0, more={"td50_gy": {_EMAMI: 28.0}})
_burman("liver", "liver failure", n=0.32, m=0.15, td50_gy=40.0, more={"td50_gy": {_EMAMI: 40.0}})
_burman("lung", "pneumonitis", n=0.87, m=0.18, td50_gy=24.5, more={"td50_gy": {_EMAMI: 24.5}})
_burman("optic nerve", "blindness", n=0.25, m=0.14, td50_gy=65.0, more={"td50_gy": {_EMAMI: 65.0}})
_burman("parotid", "xerostomia", n=0.70, m=0.18, td50_gy=46.0, more={"td50_gy": {_EMAMI: 46.0}})
_burman(
    "rectum",
    "severe proctitis, necrosis, stenosis or fistula",
    n=0.12,
    m=0.15,
    td50_gy=80.0,
    more={"td50_gy": {_EMAMI: 80.0}},
)
_burman(
    "small intestine",
    "obstruction or perforation",
    n=0.15,
    m=0.16,
    td50_gy=55.0,
    more={"n": {_AVIPLANNER: 0.15}, "m": {_AVIPLANNER: 0.16}, "td50_gy": {_EMAMI: 55.0, _AVIPLANNER: 55.0}},
)
_burman(
    "spinal cord",
    "myelitis or necrosis",
    n=0.05,
    m=0.175,
    td50_gy=66.5,
    more={"n": {_AVIPLANNER: 0.05}, "m": {_AVIPLANNER: 0.175}, "td50_gy": {_AVIPLANNER: 66.5}},
)

_SETS["seppenwoolde.lung"] = NtcpParameters(
    "seppenwoolde.lung",
    "lung",
    "pneumonitis, Southwest Oncology Group criteria",
    "lkb",
    "corrected for dose per fraction",
    MappingProxyType(
        {
            "n": constant(
                "seppenwoolde.lung_n",
                unit="1",
                readings={_SEPPENWOOLDE: 1.0, _AVIPLANNER: 0.99},
                ruling="the abstract states that the mean lung dose fits best, which is n = 1",
            ),
            "m": constant("seppenwoolde.lung_m", unit="1", readings={_SEPPENWOOLDE: 0.37, _AVIPLANNER: 0.37}),
            "td50_gy": constant(
                "seppenwoolde.lung_td50_gy", unit="Gy", readings={_SEPPENWOOLDE: 30.8, _AVIPLANNER: 30.8}
            ),
        }
    ),
)
_SETS["marks.lung"] = NtcpParameters(
    "marks.lung",
    "lung",
    "symptomatic pneumonitis",
    "logistic in mean dose",
    "physical, conventional fractions",
    MappingProxyType(
        {
            "intercept": constant("marks.lung_intercept", unit="1", readings={_MARKS: -3.87}, note=_QUOTED),
            "slope_per_gy": constant("marks.lung_slope_per_gy", unit="1/Gy", readings={_MARKS: 0.126}, note=_QUOTED),
        }
    ),
    MappingProxyType({"intercept": _published(-4.49, -3.33), "slope_per_gy": _published(0.100, 0.153)}),
)
_SETS["marks.lung_probit"] = NtcpParameters(
    "marks.lung_probit",
    "lung",
    "symptomatic pneumonitis",
    "lkb",
    "physical, conventional fractions",
    MappingProxyType(
        {
            "n": constant("marks.lung_n", unit="1", readings={_MARKS: 1.0}, note=f"mean lung dose; {_QUOTED}"),
            "m": constant("marks.lung_m", unit="1", readings={_MARKS: 0.45}, note=_QUOTED),
            "td50_gy": constant("marks.lung_td50_gy", unit="Gy", readings={_MARKS: 31.4}, note=_QUOTED),
        }
    ),
    MappingProxyType({"m": _published(0.39, 0.51), "td50_gy": _published(29.0, 34.7)}),
)
_SETS["michalski.rectum"] = NtcpParameters(
    "michalski.rectum",
    "rectum",
    "late toxicity of grade 2 or more, or rectal bleeding",
    "lkb",
    "physical, 1.8 to 2 Gy per fraction",
    MappingProxyType(
        {
            "n": constant("michalski.rectum_n", unit="1", readings={_MICHALSKI: 0.09}),
            "m": constant("michalski.rectum_m", unit="1", readings={_MICHALSKI: 0.13}),
            "td50_gy": constant("michalski.rectum_td50_gy", unit="Gy", readings={_MICHALSKI: 76.9}),
        }
    ),
    MappingProxyType({"n": _published(0.04, 0.14), "m": _published(0.10, 0.17), "td50_gy": _published(73.7, 80.1)}),
)
