"""Units: what is read, what it means, how it converts, and what is refused with which words."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from braggbook import units
from braggbook.errors import UnitError
from braggbook.units import Unit, conversion_factor, parse_unit, same_dimension, same_unit

SYMBOLS = sorted({*units._UNITS, *(prefix + base for prefix in units._PREFIXES for base in units._PREFIXED)} - {"1"})


@pytest.mark.parametrize(
    "spellings",
    [
        ["1/Gy", "Gy-1", "Gy^-1", "Gy**-1", "/Gy", "1 / Gy", "Gy⁻¹", " Gy-1 "],
        ["1/Gy2", "1/Gy^2", "1/Gy**2", "Gy-2", "1/Gy/Gy", "1/Gy²", "Gy−2"],
        ["keV/um", "keV/µm", "keV/μm", "keV um-1", "keV*um-1", "keV.um^-1", "keV·um-1", "keV⋅um⁻¹"],
        ["MeV cm2/g", "MeV*cm^2/g", "MeV cm² g-1", "MeV.cm2.g-1"],
        ["m3", "m^3", "m³", "m^+3", "m m m"],
    ],
    ids=lambda spellings: spellings[0],
)
def test_every_spelling_of_a_unit_means_the_same(spellings: list[str]) -> None:
    for spelling in spellings[1:]:
        assert same_unit(spellings[0], spelling), spelling


def test_a_slash_divides_only_what_follows_it() -> None:
    assert parse_unit("Gy/h m").dimension == parse_unit("Gy m/h").dimension
    assert parse_unit("J/kg/s").dimension == parse_unit("J kg-1 s-1").dimension


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_every_symbol_has_a_finite_size_and_keeps_its_spelling(symbol: str) -> None:
    unit = parse_unit(symbol)
    assert unit.text == symbol
    assert 0 < unit.scale < math.inf
    assert conversion_factor(symbol, symbol) == 1.0


def test_no_prefixed_unit_is_written_like_another_unit() -> None:
    prefixed = [prefix + base for prefix in units._PREFIXES for base in units._PREFIXED]
    assert set(prefixed) & set(units._UNITS) == set()
    assert len(set(prefixed)) == len(prefixed)


@pytest.mark.parametrize(
    ("source", "target", "factor"),
    [
        ("MeV/cm", "keV/um", 0.1),
        ("cGy", "Gy", 0.01),
        ("Gy", "cGy", 100.0),
        ("mGy", "Gy", 0.001),
        ("%", "1", 0.01),
        ("h", "min", 60.0),
        ("d", "h", 24.0),
        ("L", "cm3", 1000.0),
        ("mL", "cm3", 1.0),
        ("ml", "cm3", 1.0),
        ("um2", "cm2", 1e-8),
        ("g/cm3", "kg/m3", 1000.0),
        ("MeV cm2/g", "keV cm2/mg", 1.0),
        ("1/Gy2", "1/cGy2", 1e-4),
        ("Gy/min", "mGy/s", 1000 / 60),
        ("GBq", "MBq", 1000.0),
        ("HU", "1", 1.0),
    ],
)
def test_known_conversions_are_exact(source: str, target: str, factor: float) -> None:
    assert conversion_factor(source, target) == factor


def test_the_electron_volt_and_the_dalton_are_codatas() -> None:
    assert conversion_factor("eV", "J") == 1.602176634e-19  # CODATA 2018, exact
    assert conversion_factor("u", "kg") == 1.66053906660e-27  # CODATA 2018
    assert conversion_factor("deg", "rad") == math.pi / 180
    assert conversion_factor("mmHg", "Pa") == 133.322387415  # BIPM, conventional millimetre of mercury


@pytest.mark.parametrize(
    ("first", "second"), [("Gy", "Sv"), ("Bq", "Hz"), ("Gy", "J/kg"), ("1", "rad"), ("K", "1"), ("keV/um", "keV um")]
)
def test_quantities_that_only_look_alike_do_not_convert(first: str, second: str) -> None:
    assert not same_dimension(first, second)
    assert not same_unit(first, second)
    with pytest.raises(UnitError, match="cannot convert between different quantities") as caught:
        conversion_factor(first, second)
    assert (caught.value.wanted, caught.value.got) == (second, first)


def test_the_same_dimension_is_not_the_same_unit() -> None:
    assert same_dimension("Gy", "cGy")
    assert not same_unit("Gy", "cGy")
    assert not same_unit("1", "%")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'': not a unit; wanted for example Gy, 1/Gy, keV/um; 1 for a pure number"),
        ("  ", "'  ': not a unit; wanted for example Gy, 1/Gy, keV/um; 1 for a pure number"),
        (".", "'.': not a unit; wanted for example Gy, 1/Gy, keV/um; 1 for a pure number"),
        ("Gy/", "'Gy/': not a unit; wanted for example Gy, 1/Gy, keV/um; 1 for a pure number"),
        ("Gy /*", "'Gy /*': not a unit; wanted for example Gy, 1/Gy, keV/um; 1 for a pure number"),
        ("2 Gy", "'2 Gy': not a unit; wanted for example Gy, 1/Gy, keV/um, 1, got 2 Gy"),
        ("10 Gy", "'10 Gy': not a unit; wanted for example Gy, 1/Gy, keV/um, 1, got 10 Gy"),
        ("10", "'10': not a unit; wanted for example Gy, 1/Gy, keV/um, 1, got 10"),
        ("Gy2.5", "'Gy2.5': not a unit; wanted for example Gy, 1/Gy, keV/um, 1, got 5"),
        ("Gy^", "'Gy^': not a unit; wanted for example Gy, 1/Gy, keV/um, 1, got ^"),
        ("km999", "'km999': not a unit; wanted for example Gy, 1/Gy, keV/um, 1, got 999"),
        ("(Gy)", "'(Gy)': not a unit; wanted for example Gy, 1/Gy, keV/um, 1, got (Gy)"),
        ("gy", "'gy': unknown unit 'gy'; did you mean Gy?"),
        ("Gray", "'Gray': unknown unit 'Gray'; did you mean Grad or Gy?"),
        ("kev/um", "'kev/um': unknown unit 'kev'; did you mean keV?"),
        ("mev", "'mev': unknown unit 'mev'; did you mean MeV or meV?"),
        ("kmin", "'kmin': unknown unit 'kmin'; did you mean min or km?"),
        ("u9 u9", "'u9 u9': a unit of no possible size; wanted for example Gy, 1/Gy, keV/um, 1"),
    ],
)
def test_what_is_no_unit_is_refused_with_these_words(text: str, message: str) -> None:
    with pytest.raises(UnitError) as caught:
        parse_unit(text)
    assert str(caught.value) == message
    assert caught.value.exit_code == 2


def _read(text: str) -> Unit | None:
    try:
        return parse_unit(text)
    except UnitError:
        return None


factors = st.tuples(st.sampled_from(SYMBOLS), st.integers(-3, 3).filter(bool))
products = st.lists(factors, min_size=1, max_size=3)


def _spelled(parts: list[tuple[str, int]], *, power: str) -> str:
    return " ".join(f"{symbol}{power}{exponent}" for symbol, exponent in parts)


@given(products, st.sampled_from(["", "^", "**"]))
def test_any_product_reads_the_same_with_every_sign_of_power(parts: list[tuple[str, int]], power: str) -> None:
    unit = _read(_spelled(parts, power=""))
    assume(unit is not None)
    assert parse_unit(_spelled(parts, power=power)).dimension == unit.dimension
    assert same_unit(unit.text, _spelled(parts[::-1], power=power))


LIKE = {one: [other for other in SYMBOLS if same_dimension(one, other)] for one in ("m", "g", "J", "Gy", "s", "1")}
pairs = st.sampled_from(sorted(LIKE)).flatmap(lambda one: st.tuples(*[st.sampled_from(LIKE[one])] * 2))


@given(pairs, st.sampled_from(SYMBOLS), st.integers(1, 3))
def test_there_and_back_is_no_change(pair: tuple[str, str], third: str, power: int) -> None:
    first, second = pair
    one, other = f"{first}{power}/{third}", f"{second}{power}/{third}"
    assert conversion_factor(one, other) * conversion_factor(other, one) == pytest.approx(1, rel=1e-14)


@given(st.text(max_size=12))
def test_any_text_is_a_unit_or_a_unit_error(text: str) -> None:
    unit = _read(text)  # any other error would come through
    assert unit is None or conversion_factor(text, text) == 1.0


@pytest.mark.parametrize("other", [None, 1.0, ["Gy"], b"Gy"])
def test_what_is_no_text_is_no_unit(other: object) -> None:
    with pytest.raises(UnitError, match="not a unit; wanted a text, for example Gy"):
        parse_unit(other)  # type: ignore[arg-type]
