"""What every phenomenological RBE model is: a record, a registry, and one way of evaluating it.

A model is one decorated function that returns (RBEmax, RBEmin) from LET in keV/um and whatever it needs of the
reference photons, arrays of one shape; adding one is adding one function::

    @rbe_model("mine", particle="1H", citation=..., let_kind=..., validity=..., needs=("alpha_beta_gy",))
    def mine(let_kev_um, alpha_beta_gy): ...

What it needs is part of its record. The RBE at a dose follows by
:func:`~braggbook.radiobiology.rbe.definition.rbe_at_dose`. RBE is never clipped: the Carabe model, for one,
falls below 1 at low LET, and that is what it says. Where a model is used outside the LET that it was made for, the
prediction says so in ``warnings``; where it has no RBE above 0 at all, it is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from braggbook.errors import DuplicateName, Issue, ScienceError, unknown_name
from braggbook.radiobiology.arguments import ABOVE_ZERO, checked
from braggbook.radiobiology.constants import Constant, taking
from braggbook.radiobiology.rbe.definition import dose_warnings, rbe_at_dose
from braggbook.radiobiology.rbe.let import NOT_STATED, LetKind, let_warnings

Floats = NDArray[np.float64]
RbeLimits = Callable[..., tuple[Floats, Floats]]

PHOTON_INPUTS = ("alpha_beta_gy", "alpha_reference_per_gy", "beta_reference_per_gy2")
PARTICLES = MappingProxyType({"1H": "protons", "4He": "helium ions"})
_SAME_RATIO = 1e-6  # relative; alpha/beta given beside alpha and beta may be rounded to six digits
_SHOWN = 20  # points of a grid that a message names

_MODELS: dict[str, RbeModel] = {}


@dataclass(frozen=True)
class RbeModel:
    """A phenomenological RBE model and what is known of it.

    Attributes:
        name: Name under which it is found.
        particle: Nuclide of the beam that it is for: "1H" or "4He".
        citation: The paper, with its DOI where known.
        let_kind: The LET that the model was fitted to.
        validity: What it was fitted to, and where not to trust it.
        needs: What it needs of the reference photons, some of ``alpha_beta_gy``, ``alpha_reference_per_gy``,
            ``beta_reference_per_gy2``; the RBE at a dose needs alpha/beta besides.
        let_range_kev_um: LET in keV/um between which it holds, or None where no source read states it.
        constants: Names of its constants in the constants court.
        limits: Function of LET and of ``needs``, in that order, that returns (RBEmax, RBEmin).
    """

    name: str
    particle: str
    citation: str
    let_kind: LetKind
    validity: str
    needs: tuple[str, ...]
    let_range_kev_um: tuple[float, float] | None
    constants: tuple[str, ...]
    limits: RbeLimits

    def rbe_max(
        self,
        let_kev_um: ArrayLike,
        alpha_beta_gy: ArrayLike | None = None,
        *,
        alpha_reference_per_gy: ArrayLike | None = None,
        beta_reference_per_gy2: ArrayLike | None = None,
        sources: Mapping[str, str] | None = None,
    ) -> Floats:
        """Returns RBEmax, the RBE as dose goes to 0; arguments as in :func:`predict_rbe`."""
        photons = _given(alpha_beta_gy, alpha_reference_per_gy, beta_reference_per_gy2)
        return self.evaluate(let_kev_um, photons, sources=sources)[0][()]

    def rbe_min(
        self,
        let_kev_um: ArrayLike,
        alpha_beta_gy: ArrayLike | None = None,
        *,
        alpha_reference_per_gy: ArrayLike | None = None,
        beta_reference_per_gy2: ArrayLike | None = None,
        sources: Mapping[str, str] | None = None,
    ) -> Floats:
        """Returns RBEmin, the RBE as dose grows without limit; arguments as in :func:`predict_rbe`."""
        photons = _given(alpha_beta_gy, alpha_reference_per_gy, beta_reference_per_gy2)
        return self.evaluate(let_kev_um, photons, sources=sources)[1][()]

    def evaluate(
        self, let_kev_um: ArrayLike, photons: Mapping[str, ArrayLike], *, sources: Mapping[str, str] | None = None
    ) -> tuple[Floats, Floats]:
        """Returns (RBEmax, RBEmin) in the common shape of LET and the photons' parameters.

        Args:
            let_kev_um: LET in keV/um, above 0.
            photons: Any of ``alpha_beta_gy``, ``alpha_reference_per_gy``, ``beta_reference_per_gy2``; two of them
                make the third.
            sources: Which source to take for a constant that is disputed.

        Raises:
            ScienceError: Something that the model needs is missing, an argument is not above 0, the model has no
                RBE there, or a constant is disputed and no source was chosen.
        """
        known = self._read(let_kev_um, photons)
        with taking(sources):
            found = self.limits(known["let_kev_um"], *(known[name] for name in self.needs))
        largest, smallest = (np.broadcast_to(limit, known["let_kev_um"].shape) for limit in found)
        self._require_rbe(known, largest, smallest)
        return largest, smallest

    def _read(self, let_kev_um: ArrayLike, photons: Mapping[str, ArrayLike]) -> dict[str, Floats]:
        known = complete_photons(_above_zero({"let_kev_um": let_kev_um, **photons}))
        missing = [Issue("missing", where=name, wanted=f"{name}, above 0") for name in self.needs if name not in known]
        if missing:
            raise ScienceError(
                f"the {self.name} model needs {' and '.join(self.needs)} of the reference photons", issues=missing
            )
        return known

    def _require_rbe(self, known: Mapping[str, Floats], largest: Floats, smallest: Floats) -> None:
        outside = np.flatnonzero(~((largest > 0) & (smallest > 0)).ravel())
        if not len(outside):
            return
        issues = []
        for row in outside[:_SHOWN]:
            point = f"LET {known['let_kev_um'].ravel()[row]:g} keV/um"
            if self.needs == ("alpha_beta_gy",):
                point += f" with alpha/beta {known['alpha_beta_gy'].ravel()[row]:g} Gy"
            issues.append(Issue("outside the model", where=f"row {row + 1}" if largest.ndim else "", got=point))
        raise ScienceError(
            f"the {self.name} model has no RBE here",
            wanted="LET and photon parameters at which RBEmax and RBEmin are above 0",
            got=f"{len(outside)} outside",
            issues=issues,
        )


@dataclass(frozen=True, eq=False)
class RbePrediction:
    """What a model says, and what a reader must know about it.

    Attributes:
        value: RBE at the dose, in the common shape of the arguments.
        rbe_max: RBE as dose goes to 0, same shape.
        rbe_min: RBE as dose grows without limit, same shape.
        outside: Where LET lies outside the range that the model states, same shape.
        model: The model.
        let_kind: Kind of the LET that was given.
        warnings: One sentence each: LET outside the range, of an unknown kind, or implausible.
    """

    value: Floats
    rbe_max: Floats
    rbe_min: Floats
    outside: NDArray[np.bool_]
    model: RbeModel
    let_kind: LetKind
    warnings: tuple[str, ...]


def rbe_model(
    name: str,
    *,
    particle: str,
    citation: str,
    let_kind: LetKind,
    validity: str,
    needs: tuple[str, ...] = ("alpha_beta_gy",),
    let_range_kev_um: tuple[float, float] | None = None,
    constants: tuple[Constant, ...] = (),
) -> Callable[[RbeLimits], RbeLimits]:
    """Registers the decorated function as an RBE model.

    Raises:
        DuplicateName: Another model has this name.
        UnknownName: There is no such particle or photon parameter.
    """
    if particle not in PARTICLES:
        raise unknown_name("particle of an RBE model", particle, PARTICLES)
    for need in needs:
        if need not in PHOTON_INPUTS:
            raise unknown_name("parameter of the reference photons", need, PHOTON_INPUTS)

    def register(limits: RbeLimits) -> RbeLimits:
        if name in _MODELS:
            raise DuplicateName(f"two RBE models are named {name!r}", got=f"{_MODELS[name].citation}; {citation}")
        _MODELS[name] = RbeModel(
            name,
            particle=particle,
            citation=citation,
            let_kind=let_kind,
            validity=validity,
            needs=needs,
            let_range_kev_um=let_range_kev_um,
            constants=tuple(constant.name for constant in constants),
            limits=limits,
        )
        return limits

    return register


def rbe_models(particle: str | None = None) -> Mapping[str, RbeModel]:
    """Returns the RBE models of a particle ("1H", "4He"; of all without one) by name, sorted, a read-only view."""
    return MappingProxyType(
        {name: model for name, model in sorted(_MODELS.items()) if particle is None or model.particle == particle}
    )


def find_model(name: str, *, particle: str) -> RbeModel:
    """Returns a model by its name.

    Raises:
        UnknownName: There is no such model, or no such particle.
        ScienceError: It is for another particle.
    """
    if not isinstance(particle, str) or particle not in PARTICLES:
        raise unknown_name("particle of an RBE model", str(particle), PARTICLES)
    known = rbe_models()
    if not isinstance(name, str) or name not in known:
        raise unknown_name(f"{PARTICLES[particle].removesuffix('s')} RBE model", str(name), rbe_models(particle))
    found = known[name]
    if found.particle != particle:
        raise ScienceError(
            f"the {name} model is for {PARTICLES[found.particle]}, not for {PARTICLES[particle]}",
            wanted=f"one of {', '.join(rbe_models(particle))}",
            got=name,
        )
    return found


def predict_rbe(
    model: RbeModel,
    *,
    dose_gy: ArrayLike,
    let_kev_um: ArrayLike,
    let_kind: LetKind | None = None,
    alpha_beta_gy: ArrayLike | None = None,
    alpha_reference_per_gy: ArrayLike | None = None,
    beta_reference_per_gy2: ArrayLike | None = None,
    sources: Mapping[str, str] | None = None,
) -> RbePrediction:
    """Returns the RBE that a model predicts, with its limits and warnings.

    Args:
        model: The model.
        dose_gy: Dose of the beam in Gy, above 0 (per fraction).
        let_kev_um: LET in keV/um, above 0, of the kind that the model states.
        let_kind: Kind of that LET; the model's own unless given.
        alpha_beta_gy: alpha/beta of the reference photons in Gy, above 0; not needed beside the other two.
        alpha_reference_per_gy: alpha of the reference photons in 1/Gy, for models that need it.
        beta_reference_per_gy2: beta of the reference photons in 1/Gy^2, for models that need it.
        sources: Which source to take for a constant that is disputed: ``{"peeler.rbe_min_slope": "review"}``.

    Returns:
        The prediction; arrays have the common shape of the arguments.

    Raises:
        ScienceError: Something that is needed is missing, an argument is not above 0 or not a number, LET is of
            another kind than the model's, the model has no RBE there, or a constant is disputed.
    """
    photons = _given(alpha_beta_gy, alpha_reference_per_gy, beta_reference_per_gy2)
    given = complete_photons(_above_zero({"dose_gy": dose_gy, "let_kev_um": let_kev_um, **photons}))
    kind = _check_kind(model, let_kind)
    let = given["let_kev_um"]
    largest, smallest = model.evaluate(
        let, {name: given[name] for name in PHOTON_INPUTS if name in given}, sources=sources
    )
    return RbePrediction(
        value=_at_dose(model, given, largest, smallest),
        rbe_max=largest[()],
        rbe_min=smallest[()],
        outside=outside_range(model, let),
        model=model,
        let_kind=kind,
        warnings=(*_kind_warnings(model, kind), *_range_warnings(model, let), *dose_warnings(given["dose_gy"])),
    )


def _above_zero(given: Mapping[str, ArrayLike]) -> dict[str, Floats]:
    return dict(zip(given, checked({name: (value, ABOVE_ZERO) for name, value in given.items()}), strict=True))


def complete_photons(given: Mapping[str, Floats]) -> dict[str, Floats]:
    """Returns the arguments with the third of alpha/beta, alpha and beta made from the other two.

    Raises:
        ScienceError: All three are given and do not agree.
    """
    known = dict(given)
    ratio, alpha, beta = (known.get(name) for name in PHOTON_INPUTS)
    if alpha is not None and beta is not None:
        if ratio is None:
            known["alpha_beta_gy"] = alpha / beta
        elif not np.allclose(alpha / beta, ratio, rtol=_SAME_RATIO, atol=0.0):
            row = int(np.argmax(np.abs(alpha / beta / ratio - 1.0)))
            raise ScienceError(
                "alpha/beta is not alpha over beta",
                where=f"row {row + 1}" if ratio.ndim else "",
                wanted=f"alpha_beta_gy {np.ravel(alpha / beta)[row]:g}, or two of the three",
                got=f"{ratio.ravel()[row]:g}",
            )
    elif alpha is not None and ratio is not None:
        known["beta_reference_per_gy2"] = alpha / ratio
    elif beta is not None and ratio is not None:
        known["alpha_reference_per_gy"] = beta * ratio
    return known


def outside_range(model: RbeModel, let_kev_um: Floats) -> NDArray[np.bool_]:
    """Returns where LET in keV/um lies outside the range that the model states."""
    if model.let_range_kev_um is None:
        return np.zeros(np.shape(let_kev_um), dtype=np.bool_)
    lowest, highest = model.let_range_kev_um
    return np.asarray((let_kev_um < lowest) | (let_kev_um > highest))


def _given(alpha_beta_gy: object, alpha: object, beta: object) -> dict[str, ArrayLike]:
    values = zip(PHOTON_INPUTS, (alpha_beta_gy, alpha, beta), strict=True)
    return {name: value for name, value in values if value is not None}  # type: ignore[misc]


def _at_dose(model: RbeModel, given: Mapping[str, Floats], largest: Floats, smallest: Floats) -> Floats:
    if "alpha_beta_gy" in given:
        return rbe_at_dose(given["dose_gy"], alpha_beta_gy=given["alpha_beta_gy"], rbe_max=largest, rbe_min=smallest)
    if np.array_equal(largest, smallest):  # the same at every dose, whatever the tissue
        return largest[()]
    raise ScienceError(
        f"the RBE at a dose needs alpha/beta of the reference photons, also with the {model.name} model",
        where="alpha_beta_gy",
        wanted="alpha_beta_gy, or alpha_reference_per_gy and beta_reference_per_gy2",
    )


def _check_kind(model: RbeModel, kind: LetKind | None) -> LetKind:
    if kind is None:
        return model.let_kind
    if not isinstance(kind, LetKind):
        raise ScienceError(
            "not a LetKind", where="let_kind", wanted="LetKind(average, particles, medium)", got=repr(kind)
        )
    conflicts = model.let_kind.conflicts(kind)
    if conflicts:
        raise ScienceError(
            f"this is not the LET that the {model.name} model was fitted to",
            issues=[
                Issue("another kind", where=name, wanted=getattr(model.let_kind, name), got=getattr(kind, name))
                for name in conflicts
            ],
        )
    return kind


def _kind_warnings(model: RbeModel, kind: LetKind) -> tuple[str, ...]:
    if model.let_kind.average == NOT_STATED or kind.average != NOT_STATED:
        return ()
    return (f"the averaging of LET is not stated; the {model.name} model takes {model.let_kind.average} LET",)


def _range_warnings(model: RbeModel, let: Floats) -> tuple[str, ...]:
    found = let_warnings(let, particle=model.particle)
    rows = np.flatnonzero(outside_range(model, let).ravel())
    if not len(rows) or model.let_range_kev_um is None:
        return found
    lowest, highest = model.let_range_kev_um
    more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
    place = f"LET {let.ravel()[rows[0]]:g} keV/um" + (f" (row {rows[0] + 1}){more}" if let.size > 1 else "")
    return (*found, f"{place} is outside the {lowest:g} to {highest:g} keV/um of the {model.name} model")
