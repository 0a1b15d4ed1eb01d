"""A volume to play with in a notebook: slices in three planes, window, masks and dose, without a network.

The picture is drawn by NiiVue in the browser (WebGL2) through ipyniivue. Where that cannot be, in a run without a
browser, without ipyniivue, or in a page that knows no widgets, the figure of
:func:`braggbook.notebooks.views.three_planes` stands in its place. Conventions are the same: the patient's left is on
the right of axial and coronal planes, the head is up, and the front is left in a sagittal plane.
"""

from __future__ import annotations

import base64
import importlib
import importlib.util
import io
import itertools
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from braggbook.imaging.resample import coarsened
from braggbook.imaging.store.nifti import write_nifti
from braggbook.imaging.volumes import grid_of
from braggbook.notebooks import viewer_input as given
from braggbook.notebooks.views import limits_of, overlay_limits_of, three_planes

MOST_VOXELS = 12 << 20  # 24 MB of a CT: 256 x 256 x 190, which a small laptop turns without a halt
_IN_A_RUN = "BRAGGBOOK_SEED"  # braggbook.runs.environment sets it, where nobody looks
_COLOURS = (  # of Okabe and Ito, in the order of three_planes: https://jfly.uni-koeln.de/color/
    ("orange", (230, 159, 0)), ("sky blue", (86, 180, 233)), ("green", (0, 158, 115)), ("yellow", (240, 228, 66)),
    ("purple", (204, 121, 167)), ("vermilion", (213, 94, 0)), ("blue", (0, 114, 178)),
)  # fmt: skip
_SEE_THROUGH = 0.55
_LETTERS = (0.94, 0.89, 0.26, 1.0)  # of the patient's sides: yellow, seen on black and on soft tissue
_DPI = 110
_TYPES = ("int8", "uint8", "int16", "uint16", "float32")  # what the viewer reads without a loss
_PLANES = ("three planes", "axial", "coronal", "sagittal")
_VIEW = "application/vnd.jupyter.widget-view+json"


@dataclass(frozen=True)
class VolumeView:
    """What :func:`show_volume` returns; a notebook shows it where it is the last line of a cell.

    Attributes:
        says: What is shown, in words: also the text for who does not see it.
        widget: The viewer and its controls (an ipywidgets box), None where there is none.
        why_static: Why there is none, "" where there is one.
        figure: The same as a static figure.
    """

    says: str
    widget: Any
    why_static: str
    figure: Figure

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns the viewer, with the static figure for pages that do not know it."""
        drawn = io.BytesIO()
        self.figure.savefig(drawn, format="png", dpi=_DPI, metadata={"Software": None, "Description": self.says})
        why = f" Static: {self.why_static}." if self.why_static else ""
        bundle: dict[str, Any] = {
            "text/plain": f"{self.says}{why}",
            "image/png": base64.b64encode(drawn.getvalue()).decode(),
        }
        if self.widget is not None:
            shown = self.widget._repr_mimebundle_()
            bundle |= {_VIEW: (shown[0] if isinstance(shown, tuple) else shown)[_VIEW]}
        return bundle, {"image/png": {"alt": self.says}}


def show_volume(
    image: xr.DataArray,
    *,
    masks: Mapping[str, xr.DataArray] | None = None,
    dose: xr.DataArray | None = None,
    window: tuple[float, float] | None = None,
    at_mm: tuple[float, float, float] | None = None,
    height_px: int = 420,
) -> VolumeView:
    """Shows a volume to look through: slices in three planes, window, masks and dose.

    For a paper or a result of kind figure use :func:`three_planes`, which takes the same volumes.

    Args:
        image: (z, y, x) of any orientation. One with more than 12 million voxels is made coarser for the screen, and
            the view says by how much; ``image`` itself stays as it is.
        masks: (z, y, x) each, by name, on the image's grid.
        dose: (z, y, x) on any grid, laid over in colour from a tenth of its maximum upwards.
        window: Level and width, in units of the image; else a soft-tissue window for HU, 0 to the maximum for Gy, and
            percentiles 1 and 99 for others.
        at_mm: The point (x, y, z) where the planes begin, LPS mm; else the centre of the masks, or of the image.
        height_px: Of the picture on the screen.

    Returns:
        A view. In a run that nobody looks at, without ipyniivue, or in a page without widgets it shows a static figure.

    Raises:
        ImagingError: Not a volume of three dimensions, a mask on another grid or of broken numbers, a point or a dose
            outside, or nothing but NaN.
        InputError: A window whose width is not positive, or another argument that is not of its kind.
    """
    image = given.require_image(image)
    marked = given.require_flat_masks(image, masks)
    dose = given.require_dose(image, dose)
    at_mm, height_px = given.require_place(at_mm), given.require_height(height_px)
    limits = given.require_drawable(limits_of(image) if window is None else given.require_window(window))
    figure = three_planes(image, at_mm=at_mm, limits=limits, overlay=dose, masks=marked)
    plt.close(figure)  # the view shows it, and only once
    scene = _Scene(image, marked, dose, limits)
    if why := _why_static():
        return VolumeView(scene.says(fewer=False), None, why, figure)
    return VolumeView(scene.says(fewer=True), scene.widget(at_mm, height_px), "", figure)


def _why_static() -> str:
    if os.environ.get(_IN_A_RUN):
        return "a run has no screen"
    missing = [name for name in ("ipyniivue", "ipywidgets") if importlib.util.find_spec(name) is None]
    return f"{' and '.join(missing)} not installed" if missing else ""


class _Scene:
    """What is shown, and in which colours."""

    def __init__(
        self,
        image: xr.DataArray,
        masks: Mapping[str, xr.DataArray],
        dose: xr.DataArray | None,
        limits: tuple[float, float],
    ) -> None:
        self.image, self.masks, self.dose, self.limits = image, masks, dose, limits
        self.unit = _unit(image)
        self.small, self.factors = coarsened(image, most_voxels=MOST_VOXELS)

    def says(self, *, fewer: bool) -> str:
        """Describes it.

        Args:
            fewer: Whether it is the screen's volume, which may be coarser, or the static figure.
        """
        low, high = self.limits
        voxels = " x ".join(str(self.image.sizes[axis]) for axis in "xyz")
        name = self.image.attrs.get("long_name") or self.image.name or "volume"
        what = f"Slices of {name} ({voxels} voxels) in three planes, the patient's left at the right"
        parts = [f"{what}; black is {low:.4g}{self.unit}, white {high:.4g}{self.unit}."]
        if self.masks:
            named = (f"{name} {colour}{given.about_mask(self.masks[name])}" for name, (colour, _) in self._coloured())
            again = "; colours repeat" if len(self.masks) > len(_COLOURS) else ""
            parts.append(f"Masks: {', '.join(named)}{again}.")
        if self.dose is not None:
            parts.append(self._says_dose(self.dose))
        if fewer and self.factors != (1, 1, 1):
            by = " x ".join(map(str, self.factors[::-1]))
            parts.append(f"Made coarser for the screen: each voxel is the mean of {by} of the volume.")
        return " ".join(parts)

    def _says_dose(self, dose: xr.DataArray) -> str:
        if not float(dose.max()) > 0:
            return "Dose: nowhere above 0, so nothing is coloured."
        low, high = overlay_limits_of(dose)
        return f"Dose: black to yellow is {low:.4g} to {high:.4g}{_unit(dose)}; less is not coloured."

    def _coloured(self) -> list[tuple[str, tuple[str, tuple[int, int, int]]]]:
        return [(name, _COLOURS[at % len(_COLOURS)]) for at, name in enumerate(self.masks)]

    def volumes(self, niivue: Any) -> list[Any]:
        """Returns what ipyniivue loads: the image, then the masks, then the dose."""
        low, high = self.limits
        made = [_volume(niivue, self.small, "image", colormap="gray", cal_min=low, cal_max=high)]
        for name, (_, (red, green, blue)) in self._coloured():
            small, _ = coarsened((self.masks[name] > 0).astype(np.uint8).assign_attrs(self.masks[name].attrs),
                                 most_voxels=MOST_VOXELS)  # fmt: skip
            one = _volume(niivue, small, name, opacity=_SEE_THROUGH)
            one.set_colormap_label(
                {"R": [0, red], "G": [0, green], "B": [0, blue], "A": [0, 255], "I": [0, 1], "labels": ["", name]}
            )
            made.append(one)
        if self.dose is not None:
            small, _ = coarsened(self.dose, most_voxels=MOST_VOXELS)
            low, high = overlay_limits_of(self.dose)
            made.append(
                _volume(niivue, small, "dose", colormap="inferno", cal_min=low, cal_max=high, opacity=_SEE_THROUGH)
            )
        return made

    def widget(self, at_mm: tuple[float, float, float] | None, height_px: int) -> Any:
        """Returns the viewer with its controls."""
        niivue = importlib.import_module("ipyniivue")
        controls = importlib.import_module("ipywidgets")
        viewer = niivue.NiiVue(
            height=height_px, is_radiological_convention=True, sagittal_nose_left=True, is_slice_mm=True,
            is_nearest_interpolation=True, drag_and_drop_enabled=False, multiplanar_show_render=niivue.ShowRender.NEVER,
            multiplanar_layout=niivue.MultiplanarType.ROW, crosshair_width=0.7, crosshair_width_unit="percent",
            crosshair_color=(0.34, 0.71, 0.91, 0.8), font_min_px=20, log_level="error", is_colorbar=False,
            font_color=_LETTERS, show_all_orientation_markers=True, multiplanar_pad_pixels=6,
        )  # fmt: skip
        volumes = self.volumes(niivue)
        viewer.load_volumes(volumes)
        box = _Controls(controls, viewer=viewer, volumes=volumes)
        rows = [viewer, box.window(self.limits, self.unit), box.overlays(self._coloured(), dose=self.dose is not None)]
        if at_mm is not None:
            viewer.scene.crosshair_pos = _share(self.small, at_mm)
        return controls.VBox([*rows, controls.HTML(value=f"<p>{_escaped(self.says(fewer=True))}</p>")])


class _Controls:
    """Sliders and boxes that change what the viewer shows."""

    def __init__(self, controls: Any, *, viewer: Any, volumes: list[Any]) -> None:
        self._controls, self._viewer, self._volumes = controls, viewer, volumes

    def window(self, limits: tuple[float, float], unit: str) -> Any:
        """Returns level, width and the choice of planes."""
        low, high = limits
        make, style = self._controls, {"description_width": "initial"}
        level = make.FloatText(value=(low + high) / 2, description=f"Level{unit and f' ({unit.strip()})'}", style=style)
        width = make.BoundedFloatText(
            value=high - low, min=0, max=1e9, description=f"Width{unit and f' ({unit.strip()})'}", style=style
        )
        planes = make.Dropdown(options=_PLANES, description="Planes", style=style)
        types = importlib.import_module("ipyniivue").SliceType

        def changed(_: Any) -> None:
            if width.value > 0:
                self._volumes[0].cal_min = level.value - width.value / 2
                self._volumes[0].cal_max = level.value + width.value / 2

        def turned(change: Any) -> None:
            chosen = (types.MULTIPLANAR, types.AXIAL, types.CORONAL, types.SAGITTAL)
            self._viewer.set_slice_type(chosen[_PLANES.index(change["new"])])

        level.observe(changed, "value")
        width.observe(changed, "value")
        planes.observe(turned, "value")
        return make.HBox([level, width, planes], layout={"flex_flow": "row wrap"})

    def overlays(self, masks: list[tuple[str, tuple[str, tuple[int, int, int]]]], *, dose: bool) -> Any:
        """Returns a box to tick for each mask, and a slider for the dose."""
        make, rows = self._controls, []
        for (name, (colour, _)), volume in zip(masks, self._volumes[1:], strict=False):
            tick = make.Checkbox(value=True, description=f"{name} ({colour})", indent=False)
            tick.observe(lambda change, of=volume: setattr(of, "opacity", _SEE_THROUGH * change["new"]), "value")
            rows.append(tick)
        if dose:
            slider = make.FloatSlider(value=_SEE_THROUGH, min=0, max=1, step=0.05, description="Dose")
            slider.observe(lambda change: setattr(self._volumes[-1], "opacity", change["new"]), "value")
            rows.append(slider)
        return make.HBox(rows, layout={"flex_flow": "row wrap"})


def _volume(niivue: Any, volume: xr.DataArray, name: str, **more: Any) -> Any:
    values = np.asarray(volume.values)
    if values.dtype.name not in _TYPES:
        values = values.astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = write_nifti(volume.copy(data=values), Path(folder) / "volume.nii.gz", sidecar=False, version=1)
        return niivue.Volume(data=path.read_bytes(), name=f"{name}.nii.gz", **more)


def _share(volume: xr.DataArray, at_mm: tuple[float, float, float]) -> list[float]:
    """Returns where a point is along a volume's own axes, 0 to 1 from edge to edge, as NiiVue counts them.

    Its axes are those of the voxels in the order, and with the signs, that come closest to right-to-left, back-to-front
    and feet-to-head.
    """
    grid = grid_of(volume)
    origin = grid.to_patient(np.zeros(3))  # of the first voxel; the columns below are one voxel along x, y, z, LPS mm
    steps = np.array([grid.to_patient(one) - origin for one in np.eye(3)]).T
    towards = np.array([-1.0, -1.0, 1.0])[:, None] * steps / np.linalg.norm(steps, axis=0)  # in RAS
    order = max(itertools.permutations(range(3)), key=lambda axes: sum(abs(towards[i, axes[i]]) for i in range(3)))
    index = np.linalg.solve(steps, np.asarray(at_mm) - origin)
    counts = np.array([volume.sizes[dim] for dim in "xyz"])
    share = (index + 0.5) / counts
    return [float(share[axis] if towards[i, axis] > 0 else 1 - share[axis]) for i, axis in enumerate(order)]


def _unit(volume: xr.DataArray) -> str:
    units = str(volume.attrs.get("units", ""))
    return "" if units in ("", "1") else f" {units}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
